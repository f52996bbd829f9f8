"""What a node hears from its machine: reports and certificate tables, a TPM's answers, a metadata service, the Nitro Secure Module.

The node shows only what its own verifier accepts over the bytes that it asked with; whatever a host or a device says else becomes
our error. Left to others: the kernel's rules (tests/guest/devices), evidence as verifiers see it (`targets`).
"""

import atexit
import base64
import itertools
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.attest.azure import world as azure_world
from tests.attest.nitro import world as nitro_world
from tests.attest.tpm import world as tpm_world
from tests.fuzz.target import Items, Target, parser, require_true
from tests.guest.devices.doubles import Option, certificates, table_of
from tests.guest.devices.fuse import File, Folder, mounted

import confide_sim
from confide.attest.azure.hcl import ReportType, parse_hcl_report, report_type_of
from confide.attest.binding import carried_by
from confide.attest.claims import Claims
from confide.attest.evidence import Evidence, Kind
from confide.collateral.fetch import Answer, Question
from confide.guest.devices import azure, nitro
from confide.guest.devices.certificates import parse_table
from confide.guest.devices.checked import CheckedTee
from confide.guest.devices.imds import MetadataService
from confide.guest.devices.platforms import platform_of
from confide.guest.devices.reports import RawReport, patiently
from confide.guest.devices.snp import SnpSource
from confide.guest.devices.source import NOTHING, Raw, Source
from confide.guest.devices.tpm import commands
from confide.guest.devices.tpm import nitro as nitrotpm
from confide.guest.devices.tpm.source import AZURE_KEY, PCRS, consistent_quote, explained, pcrs_json, plain_public
from confide.guest.devices.tsm import TsmReports
from confide_sim.amd import FalseChip
from confide_sim.arm import FalseRealm
from confide_sim.aws import FalseHost, cbor
from confide_sim.azure import FalseTdVm, FalseVm
from confide_sim.intel import FalsePlatform, pem
from confide_sim.nvidia import FalseGpu
from confide_sim.tpm import GOOGLE, FalseTpm

DATA = bytes(range(64))
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
INDEX = 0x01C10002
SESSION = bytes(5)  # the empty answer of a password session


# --- the node's own check ---------------------------------------------------------------------------------------------------------


@dataclass
class Given:
    """A device that says what it is given, with what the host gives under roles with a plus before them; of SEV-SNP what stands
    behind configfs-tsm and /dev/sev-guest."""

    kind: Kind
    items: Items
    name = "given"

    def check(self) -> None:
        """It can be asked."""

    def read(self, _: bytes) -> Any:
        """The same, whatever is asked."""
        if self.kind is Kind.SNP:
            return RawReport(self.items["report"], self.items["table"])
        own = {role: value for role, value in self.items.items() if not role.startswith("+")}
        return Raw(own, {role[1:]: value for role, value in self.items.items() if role not in own})


def checked(kind: Kind, evidence: Items, endorsements: Items = NOTHING) -> Target:
    """A node that asks for evidence over `DATA`: what it would show says what the whole says."""
    items = {**evidence, **{f"+{role}": value for role, value in endorsements.items()}}
    asked: dict[str, Any] = {"roots": confide_sim.roots(), "now": lambda: NOW}

    def examined(given: Items) -> Claims:
        device = Given(kind, given)
        source: Source = SnpSource(device) if kind is Kind.SNP else device
        return CheckedTee(source, **asked).examine(DATA[: platform_of(kind).asked]).claims

    whole = examined(items)

    def run(given: Items) -> object:
        found = examined(given)
        require_true(found, whole)
        return found

    return Target(items, run)


def _snp() -> Target:
    chip = FalseChip(at=NOW)
    return checked(Kind.SNP, {"report": chip.report(report_data=DATA), "table": table_of(certificates(chip))})


def _intel(kind: Kind) -> Target:
    platform = FalsePlatform(kind, at=NOW)
    return checked(kind, {"quote": platform.quote(report_data=DATA)}, platform.endorsements(at=NOW).items)


def _nitro(kind: Kind) -> Target:
    return checked(kind, FalseHost(kind, at=NOW).evidence(report_data=DATA).items)


def _with_tpm(one: FalseTpm | FalseVm | FalseTdVm, kind: Kind) -> Target:
    return checked(kind, one.evidence(extra_data=carried_by(kind, DATA)).items, one.endorsements().items)


def _gpu() -> Target:
    one = FalseGpu("GH100", at=NOW, seed=b"fuzz")
    short = {"rim_driver": one.rim("driver", indexes=(7, 35)), "rim_vbios": one.rim("vbios", indexes=(0, 1))}
    return checked(Kind.NVIDIA, one.evidence(nonce=DATA[:32]).items, one.endorsements(**short).items)


def _cca() -> Target:
    return checked(Kind.CCA, {"token": FalseRealm(seed=b"fuzz").token(DATA)})


# --- configfs-tsm -----------------------------------------------------------------------------------------------------------------


class Entries:
    """A mounted configfs-tsm whose attributes say what they are given; `generation` says one thing, then another."""

    def __init__(self) -> None:
        self.given: Items = {}
        stack = ExitStack()
        atexit.register(stack.close)
        self.reports = TsmReports(stack.enter_context(mounted(Folder(make=lambda _: self._entry()))), pause=lambda _: None)

    def read(self, given: Items) -> object:
        """One report, as SEV-SNP's source takes it."""
        self.given = given
        return SnpSource(self.reports).read(DATA)

    def _entry(self) -> Folder:
        generations = itertools.chain(["generation"], itertools.repeat("generation-after"))
        said: dict[str, File | Folder] = {name: self._said(name) for name in ("provider", "outblob", "auxblob")}
        floor, generation = self._said("floor"), Whole(lambda: self.given[next(generations)])
        taken: dict[str, File | Folder] = {name: Option(lambda _: None) for name in ("inblob", "privlevel")}
        return Folder({**said, **taken, "privlevel_floor": floor, "generation": generation})

    def _said(self, name: str) -> "Whole":
        return Whole(lambda: self.given[name])


@dataclass(eq=False)
class Whole(File):
    """Made once for each time that it is read from its beginning."""

    make: Callable[[], bytes]
    made = b""

    def read(self, offset: int, size: int) -> bytes:
        self.made = self.made if offset else self.make()
        return self.made[offset : offset + size]


def _configfs() -> Target:
    chip = FalseChip(at=NOW)
    texts = {"provider": b"sev_guest\n", "floor": b"0\n", "generation": b"0\n", "generation-after": b"2\n"}
    blobs = {"outblob": chip.report(report_data=DATA), "auxblob": table_of(certificates(chip))}
    return Target({**texts, **blobs}, Entries().read)


# --- a TPM's answers --------------------------------------------------------------------------------------------------------------


def plain(body: bytes = b"") -> bytes:
    """A good answer without sessions (TPM 2.0 Library, part 3 section 5)."""
    return struct.pack(">HII", commands.NO_SESSIONS, 10 + len(body), 0) + body


def authorised(parameters: bytes = b"", handle: bytes = b"") -> bytes:
    """A good answer behind a password."""
    body = handle + len(parameters).to_bytes(4) + parameters + SESSION
    return struct.pack(">HII", commands.SESSIONS, 10 + len(body), 0) + body


def sized(data: bytes) -> bytes:
    """A TPM2B."""
    return len(data).to_bytes(2) + data


def index_of(data: bytes, index: int) -> dict[str, bytes]:
    """Answers about an NV index: what it is, then its pieces."""
    public = struct.pack(">IHIHH", index, 0x000B, 0, 0, len(data))
    pieces = [data[at : at + commands.NV_CHUNK] for at in range(0, len(data), commands.NV_CHUNK)]
    read = {f"NV_Read {at}": authorised(sized(piece)) for at, piece in enumerate(pieces)}
    return {"NV_ReadPublic 0": plain(sized(public) + bytes(2)), **read}


class Script:
    """A TPM that answers the n-th command of a name with what was written for it, and with nothing when that is over."""

    def __init__(self, items: Items) -> None:
        self._items, self._counts = items, {name: itertools.count() for name in commands.NAMES.values()}

    def __call__(self, command: bytes, /) -> bytes:
        name = commands.NAMES[int.from_bytes(command[6:10])]
        return self._items.get(f"{name} {next(self._counts[name])}", b"")


def scripted(items: Items, talk: Callable[[Script], object]) -> Target:
    """A talk with a TPM, as patient as sources are."""
    return Target(items, lambda given: patiently(lambda: explained(lambda: talk(Script(given))), pause=lambda _: None))


def _quote_talk(tpm: Script) -> object:
    """As `TpmSource`: a key from its template, its certificate, a quote of PCRs."""
    template = commands.nv_read(tpm, INDEX)
    key = commands.create_primary(tpm, plain_public(template or b""))
    public = commands.read_public(tpm, key)
    quoted, pcrs = consistent_quote(tpm, key, qualifying_data=DATA[:32])
    commands.flush(tpm, key)
    return public, quoted, pcrs_json(pcrs)


def _quotes() -> Target:
    items = tpm_world.tpm().items(extra_data=DATA[:32], indexes=PCRS)
    values = {int(index): bytes.fromhex(value) for index, value in json.loads(items["pcrs"]).items()}
    public = items["ak-public"]
    answers = {
        **index_of(public, INDEX),
        "CreatePrimary 0": authorised(sized(public), handle=(0x80000000).to_bytes(4)),
        "ReadPublic 0": plain(sized(public) + bytes(4)),
        **{f"PCR_Read {at}": answer for at, answer in enumerate(_pcr_answers(values))},
        "Quote 0": authorised(sized(items["attest"]) + items["signature"]),
        "FlushContext 0": plain(),
    }
    return scripted(answers, _quote_talk)


def _pcr_answers(values: Mapping[int, bytes]) -> Iterator[bytes]:
    for start in range(0, len(PCRS), commands.AT_ONCE):
        wanted = PCRS[start : start + commands.AT_ONCE]
        bits = sum(1 << index for index in wanted)
        selection = struct.pack(">IHB", 1, commands.SHA256, 3) + bits.to_bytes(3, "little")
        digests = len(wanted).to_bytes(4) + b"".join(sized(values[index]) for index in wanted)
        yield plain(bytes(4) + selection + digests)


def _hcl_talk(tpm: Script) -> object:
    """As `AzureSnpSource`: which hardware, what is missing for it, and whether the paravisor's key is there."""
    report = commands.nv_read(tpm, azure.HCL_REPORT) or b""
    if report_type_of(report) is not ReportType.SNP:
        return None
    commands.read_public(tpm, AZURE_KEY)
    parse_hcl_report(report, wanted=ReportType.SNP)
    return azure.snp_missing(Evidence(Kind.AZ_SNP_VTPM, {"hcl-report": report}), {})


def _hcl() -> Target:
    report = azure_world.vm().items(extra_data=azure_world.EXTRA)["hcl-report"]
    return scripted({**index_of(report, azure.HCL_REPORT), "ReadPublic 0": plain(bytes(6))}, _hcl_talk)


def _nitrotpm() -> Target:
    document = nitro_world.host(Kind.NITROTPM).document(user_data=DATA)
    response = cbor({"Attestation": {"document": document}}).ljust(nitrotpm.SIZE, b"\x00")
    writes = {f"NV_Write {at}": authorised() for at in range(4)}
    answers = {"NV_DefineSpace 0": authorised(), "AWS_NSM_Request 0": authorised(), "NV_UndefineSpace 0": authorised()}
    return scripted({**answers, **writes, **index_of(response, INDEX)}, lambda tpm: nitrotpm.document(tpm, DATA))


# --- hosts ------------------------------------------------------------------------------------------------------------------------


@dataclass
class Says:
    """A service that gives one answer."""

    content: bytes

    def ask(self, _: Question, /) -> Answer:
        """Always that."""
        return Answer(self.content)


def _thim() -> Target:
    items = azure_world.vm().chip.endorsements().items
    said = {"vcekCert": pem(items["vcek"]).decode(), "certificateChain": pem(items["ask"], items["ark"]).decode(), "tcbm": "DB16"}
    return parser(json.dumps(said).encode(), lambda data: MetadataService(fetcher=Says(data)).amd_certificates())


def _td_quote() -> Target:
    quote = FalsePlatform(Kind.TDX, at=NOW).quote(report_data=DATA)
    said = json.dumps({"quote": base64.urlsafe_b64encode(quote).rstrip(b"=").decode()}).encode()
    return parser(said, lambda data: MetadataService(fetcher=Says(data)).td_quote(bytes(1024)))


def _nsm() -> Target:
    document = nitro_world.host().document(user_data=DATA)
    return parser(cbor({"Attestation": {"document": document}}), nitro.document_of)


TARGETS: Mapping[str, Callable[[], Target]] = {
    "configfs": _configfs,
    "node-snp": _snp,
    "node-tdx": lambda: _intel(Kind.TDX),
    "node-sgx": lambda: _intel(Kind.SGX),
    "node-nitro": lambda: _nitro(Kind.NITRO),
    "node-nitrotpm": lambda: _nitro(Kind.NITROTPM),
    "node-tpm": lambda: _with_tpm(FalseTpm(GOOGLE, at=NOW), Kind.TPM),
    "node-az-snp-vtpm": lambda: _with_tpm(FalseVm(at=NOW), Kind.AZ_SNP_VTPM),
    "node-az-tdx-vtpm": lambda: _with_tpm(FalseTdVm(at=NOW), Kind.AZ_TDX_VTPM),
    "node-nvidia": _gpu,
    "node-cca": _cca,
    "snp-table": lambda: parser(table_of(certificates(FalseChip(at=NOW))), parse_table),
    "tpm-answers": _quotes,
    "tpm-hcl": _hcl,
    "tpm-nitro": _nitrotpm,
    "imds-thim": _thim,
    "imds-td-quote": _td_quote,
    "nsm": _nsm,
}
