"""An Azure confidential VM: what the paravisor keeps in its virtual TPM, a quote by the key that this names, and what only the host
has.

1. The HCL report from NV index 0x01400001: the hardware's report, made at boot, and the runtime data that it covers. Its type says
   which hardware this is (Microsoft Learn, "Confidential VM guest attestation").
2. A quote by the paravisor's key at 0x81000003, which the runtime data name; it alone is fresh (kinvolk/azure-cvm-tooling, `vtpm`).
3. From the host's metadata service (`imds`), once for each hardware report: AMD's certificates, or Intel's quote over the TDREPORT.

A VM has no /dev/sev-guest and no configfs-tsm: the paravisor stands between. Left to others: commands (`tpm.commands`), what it all
means (`attest.azure`), checking it (`checked`).
"""

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path

from confide.attest.azure.claims import AzureClaims, AzureSnpClaims, AzureTdxClaims
from confide.attest.azure.hcl import ReportType, parse_hcl_report, report_type_of
from confide.attest.azure.validate import AzureSnpConstraints, AzureTdxConstraints
from confide.attest.claims import Claims
from confide.attest.constraints import Ignored
from confide.attest.evidence import Evidence, Kind
from confide.attest.snp.layout import parse_report
from confide.codes import Code
from confide.errors import CollateralError, EvidenceError
from confide.guest import GuestError
from confide.guest.devices import intel, snp
from confide.guest.devices.imds import MetadataService
from confide.guest.devices.reports import patiently
from confide.guest.devices.source import NOTHING, AnotherKindError, Raw
from confide.guest.devices.tpm import commands
from confide.guest.devices.tpm.commands import Quoted, TpmRefusal
from confide.guest.devices.tpm.device import Exchange, TpmDevice
from confide.guest.devices.tpm.source import AZURE_KEY, boot_log, consistent_quote, explained, pcrs_json

log = logging.getLogger("confide.guest")
HCL_REPORT = 0x01400001
RETRY_SECONDS = 300.0  # after the metadata service gave no certificates: others may have them
SNP_FILES, TDX_FILES = snp.FILES, intel.FILES


class AzureSource(ABC):
    """Shared by both kinds of hardware."""

    kind: Kind
    name = "tpm"
    report_type: ReportType

    def __init__(
        self, path: Path, *, root: Path, host: MetadataService | None = None, pause: Callable[[float], object] = time.sleep
    ) -> None:
        self._path, self._root, self._pause = path, root, pause
        self._host = host or MetadataService(pause=pause)
        self._told = False

    def check(self) -> None:
        """Raise `guest.device` unless this process may open the TPM, and it is a paravisor's on this hardware, with its key."""
        patiently(lambda: explained(self._look), pause=self._pause)

    def read(self, carried: bytes) -> Raw:
        """A quote whose qualifying data is `carried`, the HCL report, and what the host gives with it."""
        report, quoted, pcrs = patiently(lambda: explained(lambda: self._attempt(carried)), pause=self._pause)
        own, endorsements = self._from_host(report)
        items = {"hcl-report": report, "tpm-attest": quoted.attest, "tpm-signature": quoted.signature, "pcrs": pcrs_json(pcrs)}
        events = boot_log(self._root, pcrs, told=self._told)
        self._told = self._told or events is None
        return Raw({**items, **own, **({"event-log": events} if events else {})}, endorsements)

    def _look(self) -> None:
        with TpmDevice(self._path) as tpm:
            _require_type(_hcl_report(tpm), self.report_type)
            try:
                commands.read_public(tpm, AZURE_KEY)
            except TpmRefusal as refusal:
                if not refusal.absent:
                    raise
                raise GuestError(
                    Code.GUEST_DEVICE, found=f"no key at {AZURE_KEY:#010x}", wanted="the paravisor's attestation key"
                ) from None

    def _attempt(self, carried: bytes) -> tuple[bytes, Quoted, Mapping[int, bytes]]:
        with TpmDevice(self._path) as tpm:
            report = _hcl_report(tpm)
            quoted, pcrs = consistent_quote(tpm, AZURE_KEY, qualifying_data=carried)
        return report, quoted, pcrs

    def _from_host(self, report: bytes) -> tuple[Mapping[str, bytes], Mapping[str, bytes]]:
        """Further evidence and endorsements. Nothing for a report that does not decode: verifiers say what is wrong with it."""
        try:
            hardware = parse_hcl_report(report, wanted=self.report_type).hardware_report
            return self._completed(hardware)
        except EvidenceError:
            return NOTHING, NOTHING

    @abstractmethod
    def _completed(self, hardware: bytes) -> tuple[Mapping[str, bytes], Mapping[str, bytes]]:
        """The same for a hardware report."""


class AzureSnpSource(AzureSource):
    """On SEV-SNP."""

    kind = Kind.AZ_SNP_VTPM
    report_type = ReportType.SNP
    _about: tuple[bytes, bytes] | None = None
    _certificates: Mapping[str, bytes] = NOTHING
    _ask_at = 0.0

    def _completed(self, hardware: bytes) -> tuple[Mapping[str, bytes], Mapping[str, bytes]]:
        """Certificates hang on chip and firmware (AMD 57230 section 3.1)."""
        report = parse_report(hardware)
        about = report.chip_id, report.reported_tcb
        if about != self._about:
            self._about, self._certificates, self._ask_at = about, NOTHING, 0.0
        if not self._certificates and time.monotonic() >= self._ask_at:
            self._certificates = self._asked()
        return NOTHING, self._certificates

    def _asked(self) -> Mapping[str, bytes]:
        try:
            return self._host.amd_certificates()
        except CollateralError as error:
            self._ask_at = time.monotonic() + RETRY_SECONDS
            log.warning("no certificates from the host's metadata service: %s", error)
            return NOTHING


class AzureTdxSource(AzureSource):
    """On TDX."""

    kind = Kind.AZ_TDX_VTPM
    report_type = ReportType.TDX
    _quoted: tuple[bytes, bytes] | None = None

    def _completed(self, hardware: bytes) -> tuple[Mapping[str, bytes], Mapping[str, bytes]]:
        if self._quoted is None or self._quoted[0] != hardware:
            self._quoted = hardware, self._host.td_quote(hardware)
        return {"td-quote": self._quoted[1]}, NOTHING


def _hcl_report(tpm: Exchange) -> bytes:
    found = commands.nv_read(tpm, HCL_REPORT)
    if found is None:
        wanted = "the HCL report of an Azure confidential VM"
        raise AnotherKindError(Code.GUEST_DEVICE, found=f"a TPM with nothing at {HCL_REPORT:#010x}", wanted=wanted)
    return found


def _require_type(report: bytes, wanted: ReportType) -> None:
    found = report_type_of(report)
    if found != wanted:
        shown = "of another form" if found is None else f"of type {found}"
        raise AnotherKindError(Code.GUEST_DEVICE, found=f"an HCL report {shown}", wanted=f"type {wanted.value} ({wanted.name})")


def _hardware(evidence: Evidence, kind: ReportType) -> bytes:
    return parse_hcl_report(evidence.items["hcl-report"], wanted=kind).hardware_report


def snp_missing(evidence: Evidence, there: Mapping[str, bytes]) -> Mapping[str, str]:
    """As `snp.missing`."""
    return snp.missing(Evidence(Kind.SNP, {"report": _hardware(evidence, ReportType.SNP)}), there)


def tdx_missing(evidence: Evidence, there: Mapping[str, bytes]) -> Mapping[str, str]:
    """As `intel.missing`."""
    _hardware(evidence, ReportType.TDX)
    return intel.missing(Evidence(Kind.TDX, {"quote": evidence.items.get("td-quote", b"")}), there)


def open_snp(claims: Claims) -> AzureSnpConstraints:
    """Strict about the state, open about what runs and which paravisor."""
    if not isinstance(claims, AzureSnpClaims):
        raise TypeError(type(claims).__name__)
    return AzureSnpConstraints(pcrs=Ignored.UNSAFE_IGNORED, snp=snp.open_constraints(claims.snp))


def open_tdx(claims: Claims) -> AzureTdxConstraints:
    """The same on TDX."""
    if not isinstance(claims, AzureTdxClaims):
        raise TypeError(type(claims).__name__)
    return AzureTdxConstraints(pcrs=Ignored.UNSAFE_IGNORED, tdx=intel.open_tdx(claims.tdx))


def facts(claims: Claims) -> Mapping[str, str]:
    """What an operator wants to see."""
    if not isinstance(claims, AzureClaims):
        raise TypeError(type(claims).__name__)
    inner = snp.facts(claims.snp) if isinstance(claims, AzureSnpClaims) else {}
    inner = intel.facts(claims.tdx) if isinstance(claims, AzureTdxClaims) else inner
    return {
        **inner,
        "vm_unique_id": str(claims.hcl.configuration.get("vmUniqueId", "not told"))[:64],
        "ak_spki_sha256": claims.ak_spki_sha256.hex(),
        "event_log": "leads to the PCRs" if claims.event_log_replayed else "none",
    }
