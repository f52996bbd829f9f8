"""Intel's guests: TDX through configfs-tsm with the boot's event log, SGX under Gramine through /dev/attestation.

A TD has two ways to a quote on Linux: configfs-tsm, since 6.7, and before that a driver that was never part of it. `/dev/tdx_guest`
alone gives a TDREPORT (TDX_CMD_GET_REPORT0), which only this machine can check: no evidence for anybody else. Left to others: the
rules of configfs-tsm (`tsm`), checking it all (`checked`).
"""

import errno
import logging
from collections.abc import Mapping
from pathlib import Path

from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.constraints import Ignored
from confide.attest.dcap import pck
from confide.attest.dcap.claims import IntelClaims
from confide.attest.dcap.quote import MAX_QUOTE, TeeType, parse_quote
from confide.attest.eventlog.log import MAX_LOG
from confide.attest.evidence import Evidence, Kind
from confide.attest.sgx.validate import SgxConstraints
from confide.attest.tdx.layout import RTMRS, parse_body
from confide.attest.tdx.validate import TdxConstraints
from confide.attest.tdx.verify import replay_registers
from confide.attest.x509 import load_certificates
from confide.codes import Code
from confide.collateral.files import INTEL
from confide.errors import ConfideError
from confide.guest import GuestError
from confide.guest.devices.reports import DENIED, denied, failed
from confide.guest.devices.source import Raw, bounded
from confide.guest.devices.tsm import TsmReports

log = logging.getLogger("confide.guest")
TDX_PROVIDER = "tdx_guest"  # KBUILD_MODNAME of drivers/virt/coco/tdx-guest
CCEL_TABLE = "sys/firmware/acpi/tables/CCEL"  # ACPI 6.5 section 5.2.34, by drivers/acpi/sysfs.c
CCEL_LOG = "sys/firmware/acpi/tables/data/CCEL"
FILES = INTEL
OPTIONAL = frozenset({"pck-chain", "pck-crl-chain"})  # quotes carry their chain
QE = {Kind.SGX: "/sgx/certification/v4/qe/identity", Kind.TDX: "/tdx/certification/v4/qe/identity"}


class TdxSource:
    """Quotes of a TD."""

    kind = Kind.TDX

    def __init__(self, reports: TsmReports, *, root: Path) -> None:
        self._reports, self._root = reports, root
        self.name = reports.name
        self._told = False

    def check(self) -> None:
        """As the interface's own."""
        self._reports.check()

    def read(self, carried: bytes) -> Raw:
        """A quote; with the log of the boot where it is there and leads to the registers."""
        quote = self._reports.read(carried).report
        return Raw({"quote": quote, **self._boot(quote)})

    def _boot(self, quote: bytes) -> Mapping[str, bytes]:
        """Kernels and applications extend registers that no log of the firmware covers; verifiers refuse a log that leads
        elsewhere."""
        try:
            events = bounded(self._root / CCEL_LOG, MAX_LOG, what="the event log")
            table = bounded(self._root / CCEL_TABLE, MAX_LOG, what="the CCEL table")
            body = parse_body(parse_quote(quote, tee=TeeType.TDX, checks=Checks()).body)
            replay_registers(events, body, Checks())
        except OSError:
            return {}  # firmware without a log: RTMRs stand for themselves
        except ConfideError as error:
            if not self._told:
                log.warning("the event log of the boot is left out of the evidence: %s", error)
            self._told = True
            return {}
        return {"event-log": events, "ccel-table": table}


class GramineSource:
    """Quotes of an SGX enclave under Gramine (Gramine documentation, "Attestation and Secret Provisioning")."""

    kind = Kind.SGX
    name = "gramine"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def check(self) -> None:
        """Raise `guest.device` unless the manifest asked for DCAP."""
        try:
            kind = bounded(self._folder / "attestation_type", 64, what="attestation_type").decode("ascii", "replace").strip()
        except OSError as error:
            raise denied("/dev/attestation/attestation_type", error) from None
        if kind != "dcap":
            hint = 'set sgx.remote_attestation = "dcap" in the manifest, and sign it anew'
            raise GuestError(Code.GUEST_DEVICE, found=f"attestation type {kind[:20]!r}", wanted="'dcap'", hint=hint)

    def read(self, carried: bytes) -> Raw:
        """One write and one read of pseudo-files; whoever asks must ask alone, as `guest.quoter` does."""
        try:
            with (self._folder / "user_report_data").open("wb", buffering=0) as file:
                if file.write(carried) != len(carried):
                    raise GuestError(Code.GUEST_QUOTE, found="user_report_data taken in part", wanted="all of it")
            return Raw({"quote": bounded(self._folder / "quote", MAX_QUOTE, what="a quote")})
        except OSError as error:
            if error.errno in DENIED:
                raise denied("/dev/attestation", error) from None
            hint = _HINTS.get(error.errno or 0, "look at the log of aesmd, or of Gramine with loader.log_level = 'debug'")
            raise failed("/dev/attestation", error, wanted="a quote", hint=hint) from None


_HINTS = {errno.ENOENT: "the manifest must set sgx.remote_attestation = 'dcap'"}


def missing(evidence: Evidence, there: Mapping[str, bytes]) -> Mapping[str, str]:
    """Files that verifiers will miss, and where Intel's service has them.

    Raises:
        EvidenceError: the quote cannot be read.
    """
    fmspc, kind = _fmspc(evidence), Kind(evidence.kind)
    tcb = f"Intel PCS: /{kind.value}/certification/v4/tcb?fmspc={fmspc}"
    known = {
        "tcb-info.json": tcb,
        "tcb-info-chain.pem": f"{tcb}, header TCB-Info-Issuer-Chain",
        "qe-identity.json": f"Intel PCS: {QE[kind]}",
        "qe-identity-chain.pem": f"Intel PCS: {QE[kind]}, header SGX-Enclave-Identity-Issuer-Chain",
        "pck-crl.der": "Intel PCS: /sgx/certification/v4/pckcrl?ca=...&encoding=der",
        "root-crl.der": "the list that Intel's root certificate names",
    }
    return {file: known[file] for file, (role, _) in FILES.items() if role not in there and role not in OPTIONAL}


def _fmspc(evidence: Evidence) -> str:
    """For the hint only: of the first certificate that the quote carries."""
    tee = TeeType.SGX if evidence.kind == Kind.SGX else TeeType.TDX
    quote = parse_quote(evidence.items["quote"], tee=tee, checks=Checks())
    try:
        return pck.decode(load_certificates(quote.certification.rstrip(b"\x00"))[0]).fmspc.hex()
    except ConfideError:
        return "<fmspc>"


def open_tdx(_: Claims) -> TdxConstraints:
    """Strict about the state and the platform, open about what runs."""
    skip = Ignored.UNSAFE_IGNORED
    return TdxConstraints(mr_tds=skip, rtmrs=(skip,) * RTMRS)


def open_sgx(_: Claims) -> SgxConstraints:
    """The same for an enclave."""
    return SgxConstraints(mr_enclaves=Ignored.UNSAFE_IGNORED)


def facts(claims: Claims) -> Mapping[str, str]:
    """What an operator wants to see."""
    if not isinstance(claims, IntelClaims):
        raise TypeError(type(claims).__name__)
    return {
        "fmspc": claims.pck.fmspc.hex(),
        "tcb_status": claims.tcb_status or "unknown",
        "advisories": ", ".join(claims.advisories) or "none",
        "tcb_evaluation_number": str(claims.tcb_evaluation_number),
    }
