"""Is evidence of an Azure confidential VM genuine? Three signatures that hang together; cut anywhere, it proves nothing.

1. The hardware report is genuine: SEV-SNP's (`attest.snp`), or the TD quote (`attest.tdx`).
2. It covers the runtime data: REPORT_DATA is the hash of the exact bytes, then zeros (`_covers`). Of TDX the TDREPORT in the HCL
   report is only MACed for its own platform, so a quote must be there, about the same bytes (`_same_report`).
3. The attestation key is the one in the runtime data, and signed the vTPM's quote (`_quoted`).
4. The PCR values that came are those that were quoted; an event log leads to them (`tpm`).

Only the quote is fresh: the hardware report is made at boot. Without a quote the claims carry no `report_data`, so that they bind
nothing. Left to others: what is acceptable (`validate`), `extraData` (`binding`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from confide.attest.azure.claims import AzureSnpClaims, AzureTdxClaims
from confide.attest.azure.hcl import TD_REPORT_DATA, HclReport, ReportType, parse_hcl_report
from confide.attest.azure.runtime import AK
from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.evidence import Endorsements, Evidence, Kind, Roots
from confide.attest.snp import verify as snp
from confide.attest.tdx import verify as tdx
from confide.attest.tpm.platform import Platform
from confide.attest.tpm.public import require_key_kind
from confide.attest.tpm.quote import Attest, parse_attest, parse_pcrs, parse_signature, require_pcrs, require_signed
from confide.attest.tpm.verify import replay_log, require_items, spki_sha256
from confide.attest.x509 import Revocation
from confide.codes import Code
from confide.errors import EvidenceError

QUOTE = ("tpm-attest", "tpm-signature", "pcrs")  # all of them, or none


def authenticate_snp(
    evidence: Evidence, endorsements: Endorsements, *, roots: Roots, now: datetime, revocation: Revocation, checks: Checks
) -> AzureSnpClaims:
    """Verify `hcl-report`, `tpm-attest`, `tpm-signature`, `pcrs` (and `event-log`) of a VM on SEV-SNP at `now`.

    Endorsement roles: as `snp.verify.authenticate`. Raises as that does, and `azure.*`, `tpm.*`.
    """
    items = require_items(evidence, ("hcl-report",))
    hcl = parse_hcl_report(items["hcl-report"], wanted=ReportType.SNP)
    report = Evidence(Kind.SNP, {"report": hcl.hardware_report})
    hardware = snp.authenticate(report, endorsements, roots=roots, now=now, revocation=revocation, checks=checks)
    _covers(hcl, hardware.report_data, "REPORT_DATA", checks)
    quoted = _quoted(items, hcl, checks)
    checks.conclude()
    return AzureSnpClaims(kind=Kind.AZ_SNP_VTPM, snp=hardware, **_common(hcl, hardware, quoted))


def authenticate_tdx(
    evidence: Evidence, endorsements: Endorsements, *, roots: Roots, now: datetime, revocation: Revocation, checks: Checks
) -> AzureTdxClaims:
    """Verify `hcl-report`, `td-quote`, `tpm-attest`, `tpm-signature`, `pcrs` (and `event-log`) of a VM on TDX at `now`.

    Endorsement roles: as `sgx.verify.authenticate`. Raises as `tdx.verify.authenticate`, and `azure.*`, `tpm.*`.
    """
    items = require_items(evidence, ("hcl-report",))
    hcl = parse_hcl_report(items["hcl-report"], wanted=ReportType.TDX)
    if "td-quote" not in items:
        found = "a TDREPORT alone, which only its own platform can check"
        raise EvidenceError(Code.AZURE_TDREPORT, found=found, wanted="a td-quote")
    quote = items["td-quote"]
    proven, report = tdx.authenticate_td(quote, endorsements, roots=roots, now=now, revocation=revocation, checks=checks)
    _covers(hcl, report.report_data, "REPORTDATA of the quote", checks)
    _same_report(hcl, report.report_data, checks)
    hardware = tdx.claims_of(proven, report, kind=Kind.TDX, replayed=False)
    quoted = _quoted(items, hcl, checks)
    checks.conclude()
    return AzureTdxClaims(kind=Kind.AZ_TDX_VTPM, tdx=hardware, **_common(hcl, hardware, quoted))


@dataclass(frozen=True)
class _Quoted:
    """What the vTPM said; nothing where no quote came."""

    attest: Attest | None
    bank: int
    pcrs: Mapping[int, bytes]
    platform: Platform | None
    ak_spki_sha256: bytes


def _common(hcl: HclReport, hardware: Claims, quoted: _Quoted) -> dict[str, Any]:
    """The members that both kinds of claims share."""
    pcrs = tuple((f"pcr{index}", value) for index, value in quoted.pcrs.items())
    return {
        "simulated": hardware.simulated,
        "measurements": (*hardware.measurements, *pcrs),
        "report_data": b"" if quoted.attest is None else quoted.attest.extra_data,
        "platform_id": hardware.platform_id,
        "tcb_status": hardware.tcb_status,
        "advisories": hardware.advisories,
        "not_before": hardware.not_before,
        "not_after": hardware.not_after,
        "hcl": hcl,
        "attest": quoted.attest,
        "bank": quoted.bank,
        "pcrs": quoted.pcrs,
        "ak_spki_sha256": quoted.ak_spki_sha256,
        "event_log_replayed": quoted.platform is not None,
        "platform": quoted.platform or Platform(),
    }


def _covers(hcl: HclReport, report_data: bytes, title: str, checks: Checks) -> None:
    """Step 2: all 64 bytes."""
    ok = report_data == hcl.covered
    checks.require(ok, Code.AZURE_BINDING, title, found=report_data.hex(), wanted=f"hash of the runtime data: {hcl.covered.hex()}")


def _same_report(hcl: HclReport, report_data: bytes, checks: Checks) -> None:
    """Step 2: the TDREPORT, which nobody here can check, and the quote say the same."""
    told = hcl.hardware_report[TD_REPORT_DATA]
    title, wanted = "REPORTDATA of the TDREPORT", report_data.hex()
    checks.require(told == report_data, Code.AZURE_TDREPORT, title, found=told.hex(), wanted=wanted)


def _quoted(items: Mapping[str, bytes], hcl: HclReport, checks: Checks) -> _Quoted:
    """Steps 3 and 4."""
    key = require_key_kind(hcl.keys[AK])
    there = [role for role in QUOTE if role in items]
    if not there:
        checks.skip("vTPM quote", "none came: nothing says what was booted, or that any of this is fresh")
        return _Quoted(None, 0, {}, None, spki_sha256(key))
    if len(there) < len(QUOTE):
        missing = ", ".join(role for role in QUOTE if role not in items)
        raise EvidenceError(Code.EVIDENCE_MISSING, found=", ".join(there), wanted=missing)
    checks.skip("attestation key attributes", "the measured paravisor made the key; it gives no public area of it")
    attest, signature = parse_attest(items["tpm-attest"]), parse_signature(items["tpm-signature"])
    require_signed(attest, signature, key, checks=checks)
    bank, pcrs = require_pcrs(attest, parse_pcrs(items["pcrs"]), signature=signature, checks=checks)
    return _Quoted(attest, bank, pcrs, replay_log(items, bank, pcrs, checks), spki_sha256(key))
