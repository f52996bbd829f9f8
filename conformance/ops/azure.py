"""Operations of vectors/07f-azure.json: `azure.parse`, `azure.authenticate`, `azure.validate`. Files and certificates are hex."""

from collections.abc import Callable
from typing import Any

from confide.attest.azure.claims import AzureSnpClaims
from confide.attest.azure.hcl import ReportType, parse_hcl_report
from confide.attest.azure.validate import AzureSnpConstraints, validate_snp
from confide.attest.azure.verify import authenticate_snp, authenticate_tdx
from confide.attest.checks import Checks
from confide.attest.evidence import Kind, Root
from confide.formats.fields import format_time, parse_time
from conformance.ops import snp
from conformance.ops.tpm import evidence_of, read, revocation_of

_ROOTS = {Kind.AZ_SNP_VTPM: Kind.SNP, Kind.AZ_TDX_VTPM: Kind.SGX}
_DOORS: dict[Kind, Callable[..., Any]] = {Kind.AZ_SNP_VTPM: authenticate_snp, Kind.AZ_TDX_VTPM: authenticate_tdx}


def _parse(given: dict[str, Any]) -> dict[str, Any]:
    """The header's fields, the names of keys, the configuration."""
    report = parse_hcl_report(bytes.fromhex(given["report"]), wanted=ReportType[given["type"]])
    return {
        "version": report.version,
        "hash": report.hash_name,
        "covered": report.covered.hex(),
        "keys": list(report.keys),
        "configuration": dict(report.configuration),
        "user_data": None if report.said.user_data is None else report.said.user_data.hex(),
    }


def _claims(given: dict[str, Any], checks: Checks) -> Any:
    kind = Kind(given["kind"])
    evidence, endorsements = evidence_of(kind, given)
    return _DOORS[kind](
        evidence,
        endorsements,
        roots=tuple(Root(_ROOTS[kind], "root", bytes.fromhex(der), simulated=True) for der in given["roots"]),
        now=parse_time(given["now"]),
        revocation=revocation_of(given),
        checks=checks,
    )


def _authenticate(given: dict[str, Any]) -> dict[str, Any]:
    """What is proven, what holds until when, and what was not checked."""
    checks = Checks()
    claims = _claims(given, checks)
    return {
        "measurements": {name: value.hex() for name, value in claims.measurements},
        "ak_spki_sha256": claims.ak_spki_sha256.hex(),
        "extra_data": claims.report_data.hex(),
        "event_log_replayed": claims.event_log_replayed,
        "platform_id": claims.platform_id,
        "tcb_status": claims.tcb_status,
        "not_before": format_time(claims.not_before),
        "not_after": format_time(claims.not_after),
        "not_checked": [item.what for item in checks.not_checked],
    }


def _validate(given: dict[str, Any]) -> dict[str, Any]:
    """Constraints against evidence that must be genuine too: an HCL report is read, not taken from fields."""
    claims, checks = _claims(given, Checks()), Checks()
    if not isinstance(claims, AzureSnpClaims):
        raise TypeError(given["kind"])
    members = dict(given["constraints"])
    hardware = snp._constraints(members.pop("snp"))  # the reader of that kind's own vectors
    validate_snp(claims, AzureSnpConstraints(**read(members), snp=hardware), checks=checks)
    return {
        "not_checked": sorted(item.what for item in checks.not_checked),
        "relaxations": [item.setting for item in checks.relaxations],
    }


OPS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "azure.parse": _parse,
    "azure.authenticate": _authenticate,
    "azure.validate": _validate,
}
