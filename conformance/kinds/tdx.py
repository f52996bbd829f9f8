"""TDX cases: quotes, and event logs as their sources keep them (gzip, ACPI areas)."""

import gzip
from collections.abc import Sequence
from typing import Any

from confide.attest import verifiers
from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.constraints import Ignored
from confide.attest.tdx.claims import TdxClaims
from confide.attest.tdx.layout import TdAttributes, TdReport
from confide.attest.tdx.validate import TdxConstraints
from conformance.kinds import intel
from conformance.kinds.case import Adapter, Case, File, Parts, require_inputs, require_nonce

RECORDED_V1 = TdxConstraints(mr_tds=Ignored.UNSAFE_IGNORED)


def sort(files: Sequence[File]) -> Parts:
    """As Intel's, with event logs unpacked."""
    parts = intel.sort(files)
    for role, value in parts.evidence.items():
        if value[:2] == b"\x1f\x8b":
            parts.evidence[role] = gzip.decompress(value)
    return parts


def judge(claims: Claims, case: Case, checks: Checks) -> None:
    """`recorded-v1`, then the nonce, then what else the case expects."""
    verifiers.validate(claims, RECORDED_V1, checks=checks)
    if not isinstance(claims, TdxClaims):
        raise TypeError(type(claims).__name__)
    if case.nonce is not None:
        require_nonce(case, claims.report_data, intel.nonces(case.nonce))
    elif "report_data" not in case.policy_inputs:
        checks.skip("REPORTDATA", "the case records no nonce")
    require_inputs(case, fields(claims))


def fields(claims: TdxClaims) -> dict[str, Any]:
    """Field names of the manifests to values."""
    found = {**intel.platform_fields(claims), **report_fields(claims.report)}
    return found | {f"expected_{name}": value for name, value in found.items()}


def report_fields(report: TdReport) -> dict[str, Any]:
    """Those of a TD's report."""
    found: dict[str, Any] = {name: getattr(report, name) for name in report.__dataclass_fields__}
    found |= {f"rtmr{index}": value for index, value in enumerate(report.rtmrs)}
    found |= {bit.name.lower(): bool(report.td_attributes & bit) for bit in TdAttributes if bit.name}
    return found | {
        "mrtd": report.mr_td,
        "mrseam": report.mr_seam,
        "mrsignerseam": report.mr_signer_seam,
        "mrconfigid": report.mr_config_id,
        "mrowner": report.mr_owner,
        "mrownerconfig": report.mr_owner_config,
        "mrservicetd": report.mr_service_td,
        "reportdata": report.report_data,
        "debug": report.debug,
        "xfam": report.xfam.to_bytes(8, "little"),
        "rtmrs": [value.hex() for value in report.rtmrs],
    }


ADAPTER = Adapter(sort, judge, intel.starts)
