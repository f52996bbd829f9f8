"""TDX cases: quotes and event logs in the wrappings of their sources (`tdlogs`), Intel's collateral (`intel`)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from confide.attest import verifiers
from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.constraints import Ignored
from confide.attest.tdx.claims import TdxClaims
from confide.attest.tdx.layout import TdAttributes, TdReport
from confide.attest.tdx.validate import TdxConstraints
from conformance.kinds import intel, tdlogs
from conformance.kinds.case import (
    Adapter,
    Case,
    File,
    Parts,
    RefusedInputError,
    UnknownDialectError,
    require_inputs,
    require_nonce,
    same,
)

RECORDED_V1 = TdxConstraints(mr_tds=Ignored.UNSAFE_IGNORED)
CONTAINERS = {"attestation-json", "attestation-protobuf", "container"}
LISTS = {"rtmr", "rtmrs", "advisory_ids", "advisories"}  # fields whose expectation is the whole list, not one of it


def sort(files: Sequence[File]) -> Parts:
    """As Intel's, out of whatever quotes and logs came in."""
    plain = [each for file in files for each in (_opened(file) if file.role in CONTAINERS else (file,))]
    parts = intel.sort(plain)
    quote = parts.evidence.get("quote", b"")
    found = tdlogs.quote_in(quote)
    if found is not None and not quote.startswith(found):  # in another message; a quote with bytes behind it is left as it is
        parts.evidence["quote"] = found
    if "event-log" in parts.evidence:
        parts.evidence["event-log"] = tdlogs.unwrap_log(parts.evidence["event-log"])
    return parts


def _opened(file: File) -> list[File]:
    """The files in a source project's own container; one without a quote is a gap of this harness."""
    try:
        found = tdlogs.from_json(json.loads(file.data))
    except (ValueError, RecursionError):
        quote = tdlogs.quote_in(file.data)
        found = {} if quote is None else {"quote": quote}
    if "quote" not in found:
        raise UnknownDialectError
    return [File(role, file.name, data) for role, data in found.items()]


def judge(claims: Claims, case: Case, checks: Checks) -> None:
    """`recorded-v1`, then the nonce, then what else the case expects."""
    verifiers.validate(claims, RECORDED_V1, checks=checks)
    if not isinstance(claims, TdxClaims):
        raise TypeError(type(claims).__name__)
    if case.nonce is not None:
        require_nonce(case, claims.report_data, intel.nonces(case.nonce))
    elif "report_data" not in case.policy_inputs:
        checks.skip("REPORTDATA", "the case records no nonce")
    known = {**fields(claims), **intel.quote_fields(case)}
    require_inputs(_lists_apart(case, known), known)


def _lists_apart(case: Case, known: Mapping[str, Any]) -> Case:
    """The case without the inputs that are whole lists, once each element is as wanted."""
    wanted = {name: value for name, value in case.policy_inputs.items() if name.removeprefix("expected_") in LISTS}
    for name, values in wanted.items():
        found = known.get(name, ())
        if not isinstance(values, list) or len(found) != len(values) or not all(map(same, found, values)):
            raise RefusedInputError(f"recorded.policy_input:{name}")
    return replace(case, policy_inputs={name: value for name, value in case.policy_inputs.items() if name not in wanted})


def fields(claims: TdxClaims) -> dict[str, Any]:
    """Field names of the manifests to values."""
    found = {**intel.platform_fields(claims), **report_fields(claims.report)}
    found |= {"tee_type": 0x81, "akt": 2, "event_log_replayed": claims.event_log_replayed}
    return found | {f"expected_{name}": value for name, value in found.items()}


def report_fields(report: TdReport) -> dict[str, Any]:
    """Those of a TD's report."""
    found: dict[str, Any] = {name: getattr(report, name) for name in report.__dataclass_fields__}
    found |= {f"rtmr{index}": value for index, value in enumerate(report.rtmrs)}
    if report.history is not None:
        found |= {name: getattr(report.history, name) for name in report.history.__dataclass_fields__}
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
        "rtmrs": report.rtmrs,
        "rtmr": report.rtmrs,
    }


ADAPTER = Adapter(sort, judge, intel.starts)
