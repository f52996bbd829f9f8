"""vectors/07c-tdx.json: TD reports, event logs and what is accepted of them. Nothing here is signed, so the file rebuilds."""

import hashlib
import struct
from collections.abc import Iterator
from typing import Any

from confide.attest.tdx.layout import KNOWN_XFAM, TdAttributes
from confide.codes import Code
from confide_sim import td, tpm_structures
from confide_sim.tpm_structures import Event
from scripts.vectors._cases import accept, reject

Case = dict[str, Any]
Pieces = list[list[Any]]
Row = tuple[str, str, dict[str, Any]]
Lie = tuple[str, str, Code, dict[str, Any]]

PROVENANCE = (
    "Made by scripts/vectors/tdx.py from the reports and event logs of a false TD (confide_sim.td), which are written from Intel's "
    "and TCG's tables apart from the verifier. Nothing is signed: signed quotes are in the vectors of DCAP."
)
SHA256, SHA384 = 0x000B, 0x000C
EVENTS = td.boot_events(workload=b"workload")
LOG = td.event_log(EVENTS)
ONE, TWO = "01" * 48, "02" * 48
MR_TD = "7d" * 48
SEPT = TdAttributes.SEPT_VE_DISABLE
UNSAFE = "unsafe_ignored"


def pieces(*given: bytes | tuple[bytes, int]) -> Pieces:
    """A log as the operations take it."""
    return [[each.hex(), 1] if isinstance(each, bytes) else [each[0].hex(), each[1]] for each in given]


def header(**overrides: Any) -> bytes:
    """The first record, with one lie."""
    said: dict[str, Any] = {
        "register": 1,
        "kind": 3,
        "digest": bytes(20),
        "signature": b"Spec ID Event03\x00",
        "versions": bytes((0, 2, 0, 2)),
        "algorithms": ((12, 48),),
        "vendor": b"\x00",
        **overrides,
    }
    sizes = b"".join(struct.pack("<HH", *pair) for pair in said["algorithms"])
    count = struct.pack("<I", said.get("count", len(said["algorithms"])))
    inner = bytes(said["signature"]) + bytes(4) + said["versions"] + count + sizes + said["vendor"]
    first = struct.pack("<II20sI", said["register"], said["kind"], said["digest"], len(inner))
    return first + bytes(inner)


def record(*, register: int = 1, count: int = 1, digests: bytes = b"\x0c\x00" + bytes(48), data: bytes = b"x") -> bytes:
    """One TCG_PCR_EVENT2."""
    return struct.pack("<III", register, 4, count) + digests + len(data).to_bytes(4, "little") + data


def pcr_log(*events: Event) -> Pieces:
    """A TPM's log of one bank."""
    return pieces(tpm_structures.event_log(events, (SHA256,)))


def late(*events: Event) -> dict[str, Any]:
    """A log about where PCR 0 begins."""
    return {"log": pcr_log(*events), "bank": "sha256"}


def locality(*value: int) -> Event:
    """An event that says where the TPM was started."""
    return Event(0, 3, b"StartupLocality\x00" + bytes(value))


CRTM = Event(0, 8, b"version")
SHORT = td.event_log(EVENTS[:2])

LOGS: list[Row] = [
    ("a TD's boot", "TDX-3 TDX-4 TDX-5 TDX-6 TDX-7", {"log": pieces(LOG), "bank": "sha384"}),
    ("a rest of FF", "TDX-6", {"log": pieces(SHORT, (b"\xff", 200)), "bank": "sha384"}),
    ("a rest of zeros", "TDX-6", {"log": pieces(SHORT, (b"\x00", 200)), "bank": "sha384"}),
    ("vendor information", "TDX-4", {"log": pieces(header(vendor=b"\x03abc")), "bank": "sha384"}),
    ("as many records as may be", "TDX-3", {"log": pieces(header(), (record(), 8191)), "bank": "sha384"}),
    (
        "two banks, in another order in the record",
        "TDX-5 TDX-6 TDX-7",
        {
            "log": pieces(
                header(algorithms=((11, 32), (4, 20))),
                record(count=2, digests=b"\x04\x00" + b"\x01" * 20 + b"\x0b\x00" + b"\x02" * 32),
            ),
            "bank": "sha1",
        },
    ),
    ("a startup locality", "TDX-8", late(locality(3), CRTM)),
    ("a startup locality of another register", "TDX-8", late(CRTM, Event(1, 3, locality(3).data))),
]

BROKEN: list[Lie] = [
    ("a byte more than may be", "TDX-3", Code.EVENTLOG_TOO_LARGE, {"log": pieces((b"\xff", 1048577)), "bank": "sha384"}),
    ("a record more than may be", "TDX-3", Code.EVENTLOG_TOO_LARGE, {"log": pieces(header(), (record(), 8192)), "bank": "sha384"}),
    ("nothing", "TDX-4", Code.EVENTLOG_MALFORMED, {"log": [], "bank": "sha384"}),
    *(
        (what, "TDX-4", Code.EVENTLOG_MALFORMED, {"log": pieces(header(**lie)), "bank": "sha384"})
        for what, lie in (
            ("register of the first record", {"register": 2}),
            ("type of the first record", {"kind": 4}),
            ("digest of the first record", {"digest": b"\x01" * 20}),
            ("signature of an older log", {"signature": b"Spec ID Event02\x00"}),
            ("specification version 1.2", {"versions": bytes((2, 1, 0, 2))}),
            ("no algorithm", {"algorithms": ()}),
            ("nine algorithms", {"count": 9}),
            ("bytes behind the vendor information", {"vendor": b"\x00\x01"}),
            ("vendor information cut short", {"vendor": b"\x02a"}),
        )
    ),
    *(
        (what, "TDX-5", Code.EVENTLOG_ALGORITHM, {"log": pieces(header(algorithms=lie)), "bank": "sha384"})
        for what, lie in (
            ("an unknown algorithm", ((0x27, 32),)),
            ("another size", ((12, 32),)),
            ("an algorithm twice", ((12, 48), (12, 48))),
        )
    ),
    *(
        (what, "TDX-6", Code.EVENTLOG_MALFORMED, {"log": pieces(header(), lie), "bank": "sha384"})
        for what, lie in (
            ("register 32", record(register=32)),
            ("no digest", record(count=0, digests=b"")),
            ("two digests of one algorithm", record(count=2, digests=2 * (b"\x0c\x00" + bytes(48)))),
            ("a digest of an algorithm that is not named", record(digests=b"\x0b\x00" + bytes(32))),
            ("an event cut short", record()[:-1]),
            ("an event of 262145 bytes", record(data=bytes(262144))[:62] + (262145).to_bytes(4, "little")),
            ("something behind a rest", b"\xff" * 9 + b"\xfe"),
            ("a rest of both", b"\xff" * 8 + bytes(8)),
        )
    ),
    ("a bank that the log lacks", "TDX-7", Code.EVENTLOG_ALGORITHM, {"log": pieces(LOG), "bank": "sha256"}),
    ("SM3", "TDX-7", Code.EVENTLOG_ALGORITHM, {"log": pieces(header(algorithms=((18, 32),))), "bank": "sm3"}),
    ("a startup locality behind an event", "TDX-8", Code.EVENTLOG_MALFORMED, late(CRTM, locality(3))),
    ("two startup localities", "TDX-8", Code.EVENTLOG_MALFORMED, late(locality(3), locality(0))),
    ("startup locality 1", "TDX-8", Code.EVENTLOG_MALFORMED, late(locality(1))),
    ("a startup locality of two bytes", "TDX-8", Code.EVENTLOG_MALFORMED, late(locality(0, 0))),
]

TABLES: list[tuple[str, bytes]] = [
    ("another signature", td.ccel_table(signature=b"TPM2")),
    ("cut short", td.ccel_table()[:-1]),
    ("another length inside", td.ccel_table(size=57)),
    ("a wrong checksum", td.ccel_table(checksum=1)),
    ("CC type 1", td.ccel_table(cc_type=1)),
]


def led(events: tuple[Event, ...] | None, said: tuple[Event, ...] = EVENTS, **fields: Any) -> dict[str, Any]:
    """A report to which `said` leads, and the log of `events`."""
    log = None if events is None else pieces(td.event_log(events))
    return {"report": td.body({**td.rtmrs(said), **fields}).hex(), "log": log}


RUNTIME = Event(4, 0x0D, b"workload")
REPLAYED: list[Row] = [
    ("all four registers", "TDX-9 TDX-10", led(EVENTS)),
    ("no log", "TDX-10", led(None)),
    ("no events of RTMR3, which is zero", "TDX-10", led(EVENTS[:-1], EVENTS[:-1])),
    ("no events of RTMR3, which is not zero", "TDX-10", led(EVENTS[:-1])),
    ("an event that extends nothing, of register 0", "TDX-9", led((Event(0, 3, b"told"), *EVENTS))),
]
ASTRAY: list[tuple[str, str, dict[str, Any]]] = [
    ("an event of register 0", "TDX-9", led((*EVENTS, Event(0, 4, b"x")))),
    ("an event of register 5", "TDX-9", led((*EVENTS, Event(5, 4, b"x")))),
    ("an event left out", "TDX-10", led(EVENTS[1:])),
    ("an event more", "TDX-10", led((*EVENTS, RUNTIME))),
    ("two events in another order", "TDX-10", led((EVENTS[1], EVENTS[0], *EVENTS[2:]))),
    ("an event in another register", "TDX-10", led((Event(2, 4, EVENTS[0].data, EVENTS[0].said), *EVENTS[1:]))),
    ("no event of RTMR0", "TDX-10", led(EVENTS[4:])),
    ("an event of RTMR3, which is zero", "TDX-10", led(EVENTS, EVENTS[:-1])),
]


def judged(constraints: dict[str, Any], *, size: int = td.TD_10, events: Any = None, **fields: Any) -> dict[str, Any]:
    """The input of `tdx.validate`."""
    given = {"report": td.body(fields, size).hex(), "constraints": {"mr_tds": [MR_TD], **constraints}}
    return given if events is None else {**given, "events": events}


def secure_boot(*values: bytes) -> list[list[str] | None]:
    """RTMR0 extended with SecureBoot of these values."""
    measured = (hashlib.sha384(tpm_structures.efi_variable("SecureBoot", value)).hexdigest() for value in values)
    return [["ab" * 48, *measured], None, None, None]


def svn(*first: int) -> bytes:
    """A TEE_TCB_SVN."""
    return bytes(first).ljust(16, b"\x00")


def configured(field: str, name: str) -> dict[str, Any]:
    """One field of the host's launch, listed."""
    fields: dict[str, Any] = {field: bytes.fromhex(ONE)}
    return judged({name: [ONE]}, **fields)


MINIMUM = {"minimum_tee_tcb_svn": svn(5, 1, 2).hex()}
HARMLESS = (
    SEPT | TdAttributes.ICSSD | TdAttributes.LASS | TdAttributes.PKS | TdAttributes.KL | TdAttributes.TPA | TdAttributes.PERFMON
)
ALL = " ".join(f"TDX-{number}" for number in range(11, 23))
CONFIGS = (("mr_config_id", "mr_config_ids"), ("mr_owner", "mr_owners"), ("mr_owner_config", "mr_owner_configs"))

ACCEPTABLE: list[Row] = [
    ("strict", ALL, judged({})),
    ("strict, TDX 1.5", ALL, judged({}, size=td.TD_15)),
    ("strict, the longest report", ALL, judged({}, size=td.TD_15_EX)),
    ("debug ignored", "TDX-11", judged({"allow_debug": UNSAFE}, td_attributes=SEPT | 0xFF)),
    ("all harmless attributes", "TDX-12", judged({}, td_attributes=HARMLESS)),
    ("migration ignored", "TDX-13", judged({"allow_migration": UNSAFE}, td_attributes=SEPT | TdAttributes.MIGRATABLE)),
    ("a listed service TD", "TDX-14", judged({"mr_service_tds": [ONE]}, size=td.TD_15, mr_service_td=bytes.fromhex(ONE))),
    ("any service TD", "TDX-14", judged({"mr_service_tds": UNSAFE}, size=td.TD_15_EX, init_servtd_hash=bytes.fromhex(ONE))),
    ("SEPT_VE_DISABLE ignored", "TDX-15", judged({"allow_sept_ve": UNSAFE}, td_attributes=0)),
    ("APX where it is allowed", "TDX-16", judged({"allowed_xfam": KNOWN_XFAM | 1 << 19}, xfam=3 | 1 << 19)),
    ("VMID 2 where it is allowed", "TDX-17", judged({"max_vmid": 2}, size=td.TD_15_EX, vmid=2)),
    ("MRSEAM", "TDX-20", judged({"mr_seams": [TWO, "5e" * 48]})),
    ("the minimum itself", "TDX-21", judged(MINIMUM, size=td.TD_15)),
    ("a later version of the module", "TDX-21", judged(MINIMUM, tee_tcb_svn=svn(0, 2, 2))),
    ("any MRTD", "TDX-22", judged({"mr_tds": UNSAFE}, mr_td=bytes(48))),
    *((f"RTMR{index}", "TDX-23", judged({f"rtmr{index}": [TWO, "00" * 48]})) for index in range(4)),
    ("any RTMR2", "TDX-23", judged({"rtmr2": UNSAFE}, rtmr2=b"\x09" * 48)),
    *((field, "TDX-24", configured(field, name)) for field, name in CONFIGS),
    ("listed events", "TDX-25", judged({"rtmr1_events": [TWO, ONE]}, events=[None, [ONE, ONE], None, None])),
    ("no event", "TDX-25", judged({"rtmr1_events": [TWO]}, events=[None, [], None, None])),
    ("Secure Boot", "TDX-26", judged({"secure_boot": True}, events=secure_boot(b"\x01"))),
]

UNACCEPTABLE: list[Lie] = [
    *((f"bit {bit}", "TDX-11", Code.TDX_DEBUG, judged({}, td_attributes=SEPT | 1 << bit)) for bit in (0, 1, 4, 5, 6, 7)),
    *((f"bit {bit}", "TDX-12", Code.TDX_ATTRIBUTES, judged({}, td_attributes=SEPT | 1 << bit)) for bit in (8, 15, 18, 26, 32, 61)),
    ("migratable", "TDX-13", Code.TDX_MIGRATABLE, judged({}, td_attributes=SEPT | TdAttributes.MIGRATABLE)),
    ("a service TD", "TDX-14", Code.TDX_SERVICE_TD, judged({}, size=td.TD_15, mr_service_td=bytes.fromhex(ONE))),
    ("the first service TD", "TDX-14", Code.TDX_SERVICE_TD, judged({}, size=td.TD_15_EX, init_servtd_hash=bytes.fromhex(ONE))),
    (
        "another service TD now",
        "TDX-14",
        Code.TDX_SERVICE_TD,
        judged({"mr_service_tds": [TWO]}, size=td.TD_15_EX, curr_servtd_hash=bytes.fromhex(ONE)),
    ),
    ("SEPT_VE_DISABLE clear", "TDX-15", Code.TDX_SEPT_VE, judged({}, td_attributes=0)),
    *((f"XFAM {xfam:x}h", "TDX-16", Code.TDX_XFAM, judged({}, xfam=xfam)) for xfam in (0, 1, 2, 0xB, 0x10003, 0x80003)),
    ("VMID 1", "TDX-17", Code.TDX_VMID, judged({}, size=td.TD_15_EX, vmid=1)),
    ("SEAMATTRIBUTES", "TDX-18", Code.TDX_SEAM_ATTRIBUTES, judged({}, seam_attributes=1)),
    ("MRSIGNERSEAM", "TDX-19", Code.TDX_MR_SIGNER_SEAM, judged({}, mr_signer_seam=bytes.fromhex(ONE))),
    ("MRSEAM", "TDX-20", Code.TDX_MR_SEAM, judged({"mr_seams": [ONE]})),
    ("the SVN of the module", "TDX-21", Code.TDX_TEE_TCB_SVN, judged(MINIMUM, tee_tcb_svn=svn(4, 1, 2))),
    ("the version of the module", "TDX-21", Code.TDX_TEE_TCB_SVN, judged(MINIMUM, tee_tcb_svn=svn(9, 0, 2))),
    ("another component", "TDX-21", Code.TDX_TEE_TCB_SVN, judged(MINIMUM, tee_tcb_svn=svn(9, 9, 1))),
    ("TEE_TCB_SVN2", "TDX-21", Code.TDX_TEE_TCB_SVN, judged(MINIMUM, size=td.TD_15, tee_tcb_svn2=svn(4, 1, 2))),
    (
        "INIT_TEE_TCB_SVN",
        "TDX-21",
        Code.TDX_TEE_TCB_SVN,
        judged(MINIMUM, size=td.TD_15_EX, td_attributes=SEPT | TdAttributes.SERVTD_EXT, init_tee_tcb_svn=svn(4, 1, 2)),
    ),
    ("MRTD", "TDX-22", Code.TDX_MR_TD, judged({}, mr_td=bytes.fromhex(ONE))),
    ("no MRTD listed", "TDX-22", Code.TDX_MR_TD, judged({"mr_tds": []})),
    *((f"RTMR{index}", "TDX-23", Code.TDX_RTMR, judged({f"rtmr{index}": [ONE]})) for index in range(4)),
    *((field, "TDX-24", Code.TDX_CONFIG, judged({name: [ONE]})) for field, name in CONFIGS),
    ("an event", "TDX-25", Code.TDX_EVENT, judged({"rtmr1_events": [ONE]}, events=[None, [ONE, TWO], None, None])),
    ("events without a log", "TDX-25", Code.TDX_EVENT, judged({"rtmr1_events": [ONE]})),
    ("Secure Boot without a log", "TDX-26", Code.TDX_SECURE_BOOT, judged({"secure_boot": True})),
    ("Secure Boot off", "TDX-26", Code.TDX_SECURE_BOOT, judged({"secure_boot": True}, events=secure_boot(b"\x00"))),
    ("Secure Boot absent", "TDX-26", Code.TDX_SECURE_BOOT, judged({"secure_boot": True}, events=secure_boot(b""))),
    ("Secure Boot both", "TDX-26", Code.TDX_SECURE_BOOT, judged({"secure_boot": True}, events=secure_boot(b"\x00", b"\x01"))),
    (
        "Secure Boot in RTMR1",
        "TDX-26",
        Code.TDX_SECURE_BOOT,
        judged({"secure_boot": True}, events=[[], secure_boot(b"\x01")[0], None, None]),
    ),
]


def build(previous: dict[str, Any] | None) -> dict[str, Any]:
    """The file's object; the same whatever was there before."""
    del previous
    return {
        "spec": "spec/07c-tdx.md",
        "generator": "scripts/vectors/tdx.py",
        "provenance": PROVENANCE,
        "cases": [*_reports(), *_logs(), *_validated()],
    }


def _reports() -> Iterator[Case]:
    marked = {name: bytes((index + at) & 0xFF for at in range(row[1])) for index, (name, row) in enumerate(td.FIELDS.items())}
    for size in (td.TD_10, td.TD_15, td.TD_15_EX):
        yield accept(f"tdx-parse-accept-{size}", "TDX-1", "tdx.parse", {"report": td.body(marked, size).hex()})
    for size in (0, 583, 585, 647, 649, 884, 886):
        yield reject(f"tdx-parse-reject-{size}", "TDX-1", "tdx.parse", {"report": "00" * size}, Code.DCAP_SIZE)


def _logs() -> Iterator[Case]:
    yield accept("eventlog-ccel-accept", "TDX-2", "eventlog.ccel", {"table": td.ccel_table().hex()})
    for what, table in TABLES:
        yield reject(f"eventlog-ccel-reject-{slug(what)}", "TDX-2", "eventlog.ccel", {"table": table.hex()}, Code.EVENTLOG_CCEL)
    for what, musts, given in LOGS:
        yield accept(f"eventlog-replay-accept-{slug(what)}", musts, "eventlog.replay", given)
    for what, musts, code, given in BROKEN:
        yield reject(f"eventlog-replay-reject-{slug(what)}", musts, "eventlog.replay", given, code)
    for what, musts, given in REPLAYED:
        yield accept(f"tdx-replay-accept-{slug(what)}", musts, "tdx.replay", given)
    for what, musts, given in ASTRAY:
        yield reject(f"tdx-replay-reject-{slug(what)}", musts, "tdx.replay", given, Code.TDX_EVENT_LOG)


def _validated() -> Iterator[Case]:
    for what, musts, given in ACCEPTABLE:
        yield accept(f"tdx-validate-accept-{slug(what)}", musts, "tdx.validate", given)
    for what, musts, code, given in UNACCEPTABLE:
        yield reject(f"tdx-validate-reject-{slug(what)}", musts, "tdx.validate", given, code)


def slug(what: str) -> str:
    """An identifier out of words."""
    return "-".join("".join(letter if letter.isalnum() else " " for letter in what.lower()).split())
