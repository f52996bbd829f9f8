"""Event logs: records, bounds, replay, and what a log proves."""

import gzip
import hashlib
import struct
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import need_recorded_vectors, refused

from confide.attest import eventlog
from confide.attest.eventlog import Algorithm, EventLog, covers, parse_ccel, parse_event_log, replay, secure_boot
from confide.attest.eventlog.content import variable_data
from confide.attest.eventlog.log import MAX_EVENT, MAX_EVENTS, MAX_LOG
from confide.codes import Code
from confide.errors import ConfideError
from confide_sim import td, tpm_structures
from confide_sim.tpm_structures import Event

SHA1, SHA256, SHA384, SHA512 = Algorithm.SHA1, Algorithm.SHA256, Algorithm.SHA384, Algorithm.SHA512
EVENTS = td.boot_events(workload=b"workload")
LOG = td.event_log(EVENTS)
HEADER = 32 + int.from_bytes(LOG[28:32], "little")  # bytes of the first record
BANKS = (4, 11, 12, 13)


def pcr_log(*events: Event) -> EventLog:
    return parse_event_log(tpm_structures.event_log(events, (11,)))


def header(**overrides: Any) -> bytes:
    """The first record with one lie."""
    said: dict[str, Any] = {
        "register": 0,
        "kind": 3,
        "digest": bytes(20),
        "signature": b"Spec ID Event03\x00",
        "versions": bytes((0, 2, 0, 2)),
        "algorithms": ((12, 48),),
        "count": None,
        "vendor": b"\x00",
        **overrides,
    }
    sizes = b"".join(struct.pack("<HH", *pair) for pair in said["algorithms"])
    count = len(said["algorithms"]) if said["count"] is None else said["count"]
    inner = said["signature"] + bytes(4) + said["versions"] + struct.pack("<I", count) + sizes + said["vendor"]
    first = struct.pack("<II20sI", said["register"], said["kind"], said["digest"], len(inner))
    return first + bytes(inner)


def record(*, register: int = 1, kind: int = 4, digests: bytes | None = None, count: int = 1, data: bytes = b"x") -> bytes:
    own = b"\x0c\x00" + bytes(48) if digests is None else digests
    return struct.pack("<III", register, kind, count) + own + len(data).to_bytes(4, "little") + data


# --- records ----------------------------------------------------------------------------------------------------------------------


def test_a_log_is_read_record_by_record() -> None:
    log = parse_event_log(LOG)
    assert log.algorithms == (SHA384,)
    assert [(each.register, each.kind) for each in log.events] == [(1, 3), *((each.register, each.kind) for each in EVENTS)]
    assert log.events[1].data == EVENTS[0].data
    assert log.extended(4) == (log.events[-1],)
    assert log.extended(0) == ()


def test_reprs_show_no_content() -> None:
    log = parse_event_log(LOG)
    assert "workload" not in repr(log) + repr(log.events[-1])


@pytest.mark.parametrize("filler", [b"", b"\xff", b"\x00"])
def test_an_unused_rest_is_no_record(filler: bytes) -> None:
    assert len(parse_event_log(LOG + filler * 3000).events) == len(EVENTS) + 1


def test_a_last_event_that_ends_in_zeros_is_kept_whole() -> None:
    log = parse_event_log(td.event_log((Event(1, 4, bytes(4)),)))
    assert log.events[-1].data == bytes(4)


def test_several_banks_are_read_in_any_order_of_digests() -> None:
    assert parse_event_log(tpm_structures.event_log(EVENTS, BANKS)).algorithms == (SHA1, SHA256, SHA384, SHA512)
    digests = b"\x0b\x00" + b"\x01" * 32 + b"\x04\x00" + b"\x02" * 20
    log = parse_event_log(header(algorithms=((4, 20), (11, 32))) + record(count=2, digests=digests))
    assert log.events[1].digests == {SHA256: b"\x01" * 32, SHA1: b"\x02" * 20}


def test_vendor_information_may_follow_the_algorithms() -> None:
    assert parse_event_log(header(vendor=b"\x03abc")).algorithms == (SHA384,)
    assert parse_event_log(header(vendor=b"\x03abc" + bytes(5))).algorithms == (SHA384,)


MALFORMED: dict[str, bytes] = {
    "nothing": b"",
    "zeros": bytes(100),
    "the header's type": header(kind=4),
    "the header's register": header(register=2),
    "a digest in the header": header(digest=b"\x01" * 20),
    "an older specification's signature": header(signature=b"Spec ID Event00\x00"),
    "a SHA-1 log without a Spec ID event": struct.pack("<II", 0, 8) + bytes(20) + struct.pack("<I", 4) + b"CRTM",
    "specification version 1.2": header(versions=bytes((2, 1, 0, 2))),
    "specification version 2.1": header(versions=bytes((1, 2, 0, 2))),
    "no algorithm": header(algorithms=()),
    "nine algorithms": header(count=9),
    "more algorithms than there are": header(count=2, vendor=b""),
    "vendor information longer than the event": header(vendor=b"\x05abc"),
    "bytes behind the vendor information": header(vendor=b"\x00\x01"),
    "register 32": header() + record(register=32),
    "no digest": header() + record(count=0, digests=b""),
    "two digests of one bank": header() + record(count=2, digests=2 * (b"\x0c\x00" + bytes(48))),
    "a bank that the header lacks": header() + record(digests=b"\x0b\x00" + bytes(32)),
    "one bank twice": header(algorithms=((11, 32), (12, 48))) + record(count=2, digests=2 * (b"\x0c\x00" + bytes(48))),
    "an event's length beyond the end": header() + record()[:-1],
    "an event longer than the bound": header() + record()[:-5] + (MAX_EVENT + 1).to_bytes(4, "little"),
    "bytes behind the last event": LOG + b"\xff\xff\xff\xfe",
    "zeros, then something": LOG + bytes(8) + b"\x01",
    "half FF, half zeros": LOG + b"\xff" * 8 + bytes(8),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_not_a_log_is_refused(data: bytes) -> None:
    with refused(Code.EVENTLOG_MALFORMED):
        parse_event_log(data)


ALGORITHMS: dict[str, tuple[tuple[int, int], ...]] = {
    "an unknown one": ((0x27, 32),),
    "an unknown one beside a known one": ((12, 48), (0x28, 48)),
    "a size that is not the algorithm's": ((12, 32),),
    "one twice": ((12, 48), (12, 48)),
    "none at all, by number": ((0, 0),),
}


@pytest.mark.parametrize("algorithms", ALGORITHMS.values(), ids=ALGORITHMS.keys())
def test_unknown_algorithms_are_refused(algorithms: tuple[tuple[int, int], ...]) -> None:
    with refused(Code.EVENTLOG_ALGORITHM):
        parse_event_log(header(algorithms=algorithms))


def test_bounds_hold_in_bytes_and_in_events() -> None:
    assert len(parse_event_log(header() + record() * (MAX_EVENTS - 1)).events) == MAX_EVENTS
    with refused(Code.EVENTLOG_TOO_LARGE):
        parse_event_log(header() + record() * MAX_EVENTS)
    with refused(Code.EVENTLOG_TOO_LARGE):
        parse_event_log(LOG.ljust(MAX_LOG + 1, b"\xff"))


def test_thousands_of_records_before_a_long_rest_are_read_without_scanning_it_each_time() -> None:
    data = (header() + record(data=b"") * (MAX_EVENTS - 1)).ljust(MAX_LOG, b"\x00")
    assert set(replay(parse_event_log(data), SHA384)) == {1}  # with a scan for each record this would take minutes


# --- replay -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bank", BANKS)
def test_a_replay_gives_the_registers(bank: int) -> None:
    log = parse_event_log(tpm_structures.event_log(EVENTS, BANKS))
    wanted = tpm_structures.replay(EVENTS, bank)
    assert replay(log, Algorithm(bank)) == {register: wanted[register] for register in (1, 2, 3, 4)}


def test_events_without_action_extend_nothing() -> None:
    quiet = pcr_log(Event(1, 4, b"a"), Event(1, 3, b"b"), Event(2, 3, b"c"))
    assert replay(quiet, SHA256) == replay(pcr_log(Event(1, 4, b"a")), SHA256)


@pytest.mark.parametrize("locality", [0, 3, 4])
def test_a_startup_locality_decides_where_pcr_0_begins(locality: int) -> None:
    log = pcr_log(Event(0, 3, b"StartupLocality\x00" + bytes((locality,))), Event(0, 8, b"v"))
    first = bytes(31) + bytes((locality,))
    assert replay(log, SHA256)[0] == hashlib.sha256(first + hashlib.sha256(b"v").digest()).digest()


LOCALITIES: dict[str, tuple[Event, ...]] = {
    "late, so that what came before would vanish": (Event(0, 8, b"v"), Event(0, 3, b"StartupLocality\x00\x03")),
    "twice": (Event(0, 3, b"StartupLocality\x00\x03"), Event(0, 3, b"StartupLocality\x00\x00")),
    "of an operating system": (Event(0, 3, b"StartupLocality\x00\x01"),),
    "of no byte": (Event(0, 3, b"StartupLocality\x00"),),
    "of two bytes": (Event(0, 3, b"StartupLocality\x00\x00\x00"),),
}


@pytest.mark.parametrize("events", LOCALITIES.values(), ids=LOCALITIES.keys())
def test_a_startup_locality_that_could_hide_events_is_refused(events: tuple[Event, ...]) -> None:
    with refused(Code.EVENTLOG_MALFORMED):
        replay(pcr_log(*events), SHA256)


def test_a_startup_locality_of_another_register_means_nothing() -> None:
    assert 1 not in replay(pcr_log(Event(1, 3, b"StartupLocality\x00\x03")), SHA256)


@pytest.mark.parametrize("wanted", [SHA1, SHA256, Algorithm.SM3_256])
def test_a_bank_that_the_log_lacks_is_refused(wanted: Algorithm) -> None:
    with refused(Code.EVENTLOG_ALGORITHM):
        replay(parse_event_log(LOG), wanted)


def test_a_bank_that_nothing_here_computes_is_read_and_refused_in_a_replay() -> None:
    log = parse_event_log(header(algorithms=((0x12, 32),)) + record(digests=b"\x12\x00" + bytes(32)))
    with refused(Code.EVENTLOG_ALGORITHM):
        replay(log, Algorithm.SM3_256)
    assert not covers(log.events[1], Algorithm.SM3_256)
    assert secure_boot([], Algorithm.SM3_256) is None


# --- content ----------------------------------------------------------------------------------------------------------------------


def test_data_counts_where_the_digest_is_over_it() -> None:
    log = parse_event_log(LOG)
    assert [covers(event, SHA384) for event in log.events[1:]] == [each.said is None for each in EVENTS]
    assert not covers(log.events[0], SHA384)  # the header has no digest
    assert not covers(log.events[2], SHA256)


def digests(*values: bytes, name: str = "SecureBoot") -> list[bytes]:
    return [hashlib.sha384(variable_data(name, value)).digest() for value in values]


SECURE_BOOT: list[tuple[str, list[bytes], bool | None]] = [
    ("on", digests(b"\x01"), True),
    ("off", digests(b"\x00"), False),
    ("absent", digests(b""), False),
    ("not measured", [], None),
    ("another variable", digests(b"\x01", name="SetupMode"), None),
    ("on and off: one of them is something else under a false name", digests(b"\x01", b"\x00"), None),
    ("on and absent", digests(b"\x01", b""), None),
]


@pytest.mark.parametrize(("events", "wanted"), [row[1:] for row in SECURE_BOOT], ids=[row[0] for row in SECURE_BOOT])
def test_secure_boot_is_told_by_digests_alone(events: list[bytes], wanted: bool | None) -> None:
    assert secure_boot([hashlib.sha384(b"other").digest(), *events], SHA384) is wanted


# --- CCEL -------------------------------------------------------------------------------------------------------------------------


def test_a_ccel_table_is_read() -> None:
    found = parse_ccel(td.ccel_table())
    assert (found.cc_type, found.cc_subtype, found.minimum_length) == (2, 0, 1 << 18)


TABLES: dict[str, bytes] = {
    "nothing": b"",
    "another table": td.ccel_table(signature=b"TPM2"),
    "cut short": td.ccel_table()[:-1],
    "a byte more": td.ccel_table() + b"\x00",
    "another length inside": td.ccel_table(size=57),
    "a wrong checksum": td.ccel_table(checksum=1),
    "of SEV": td.ccel_table(cc_type=1),
    "of nothing": td.ccel_table(cc_type=0),
}


@pytest.mark.parametrize("data", TABLES.values(), ids=TABLES.keys())
def test_another_table_is_refused(data: bytes) -> None:
    with refused(Code.EVENTLOG_CCEL):
        parse_ccel(data)


# --- recorded, and hostile --------------------------------------------------------------------------------------------------------


def test_a_recorded_log_replays_and_says_that_secure_boot_is_off() -> None:
    folder = need_recorded_vectors() / "tdx" / "gotdx-cos113-ccel"
    log = parse_event_log(gzip.decompress((folder / "ccel_data.dat.gz").read_bytes()))
    assert sorted(replay(log, SHA384)) == [1, 2, 3]
    assert secure_boot([event.digests[SHA384] for event in log.extended(1)], SHA384) is False
    assert parse_ccel((folder / "ccel_table.dat").read_bytes()).minimum_length == 1 << 18


def parsed(data: bytes) -> None:
    """Only a value or our own error comes out."""
    with suppress(ConfideError):
        log = parse_event_log(data)
        for algorithm in log.algorithms:
            replay(log, algorithm)


@given(st.integers(0, len(LOG)), st.binary(max_size=64))
@settings(max_examples=50, deadline=None)
def test_bytes_put_over_a_log_only_give_our_errors(at: int, data: bytes) -> None:
    parsed(LOG[:at] + data + LOG[at + len(data) :])
    parsed(LOG[:HEADER] + data)
    parsed(LOG[:at])
    with suppress(ConfideError):
        parse_ccel(data)


@pytest.mark.deep
@given(st.integers(0, len(LOG)), st.binary(max_size=300))
@settings(max_examples=20000, deadline=None)
def test_bytes_put_over_a_log_only_give_our_errors_at_length(at: int, data: bytes) -> None:
    parsed(LOG[:at] + data + LOG[at + len(data) :])


@pytest.mark.parametrize("cut", range(0, len(LOG), 7))
def test_a_log_that_is_cut_is_read_up_to_a_record_or_refused(cut: int) -> None:
    parsed(LOG[:cut])


def test_every_public_name_exists() -> None:
    assert all(hasattr(eventlog, name) for name in eventlog.__all__)
