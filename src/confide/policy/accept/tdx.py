"""The `accept` members of TDX: from a policy file to `TdxConstraints` and back (spec/06-policy.md, table "accept, tdx").

Absent members take the defaults of `TdxConstraints`, so that they are written in one place. MRTD names the firmware and nothing
that it boots, so RTMR0 to RTMR2 must be constrained too, by values, by events, or visibly not at all. Left to others: comparing
them with a report (`attest.tdx.validate`), the platform's members (`intel`).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from confide.attest.claims import Claims
from confide.attest.constraints import Ignored
from confide.attest.evidence import Kind
from confide.attest.tdx.claims import TdxClaims
from confide.attest.tdx.layout import MANDATORY_XFAM, RTMRS, TdAttributes
from confide.attest.tdx.validate import TdxConstraints
from confide.codes import Code
from confide.errors import PolicyError
from confide.policy.accept import intel
from confide.policy.accept.intel import Hex16, Hex48, Skip, Some
from confide.policy.members import UNSAFE, convert, shape, unconstrained

TEE = Kind.TDX
BOOT = range(3)  # RTMR0 firmware's configuration, RTMR1 and RTMR2 what it booted; RTMR3 is the workload's own
LISTS = ("mr_tds", "mr_config_ids", "mr_owners", "mr_owner_configs", "mr_seams", "mr_service_tds")
PLAIN = ("secure_boot", "max_vmid", "allowed_xfam")
SWITCHES = ("allow_debug", "allow_migration", "allow_sept_ve")

_Digests = Annotated[list[Hex48], Some]


class _Accept(intel.Members, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Names as in `TdxConstraints`, which are Intel's; each register has members of its own."""

    tee: Literal["tdx"]
    mr_tds: _Digests | Skip | UnsetType = UNSET
    rtmr0: _Digests | Skip | UnsetType = UNSET
    rtmr1: _Digests | Skip | UnsetType = UNSET
    rtmr2: _Digests | Skip | UnsetType = UNSET
    rtmr3: _Digests | Skip | UnsetType = UNSET
    rtmr0_events: _Digests | UnsetType = UNSET
    rtmr1_events: _Digests | UnsetType = UNSET
    rtmr2_events: _Digests | UnsetType = UNSET
    rtmr3_events: _Digests | UnsetType = UNSET
    secure_boot: bool | UnsetType = UNSET
    mr_config_ids: _Digests | UnsetType = UNSET
    mr_owners: _Digests | UnsetType = UNSET
    mr_owner_configs: _Digests | UnsetType = UNSET
    mr_seams: _Digests | UnsetType = UNSET
    mr_service_tds: _Digests | Skip | UnsetType = UNSET
    minimum_tee_tcb_svn: Hex16 | UnsetType = UNSET
    max_vmid: Annotated[int, Meta(ge=0, le=255)] | UnsetType = UNSET
    allowed_xfam: Annotated[int, Meta(ge=MANDATORY_XFAM, le=2**53 - 1)] | UnsetType = UNSET
    allow_debug: Skip | UnsetType = UNSET
    allow_migration: Skip | UnsetType = UNSET
    allow_sept_ve: Skip | UnsetType = UNSET


def constraints(members: Mapping[str, Any]) -> TdxConstraints:
    """The constraints of one `accept` entry.

    Raises:
        PolicyError: `policy.shape`; `policy.unconstrained` without MRTDs, or where a register of the boot is not spoken of.
    """
    entry = convert(members, _Accept)
    if entry.mr_tds is UNSET:
        raise unconstrained("accept.mr_tds", "a list of MRTDs")
    for index in BOOT:
        if getattr(entry, f"rtmr{index}") is UNSET and getattr(entry, f"rtmr{index}_events") is UNSET:
            raise unconstrained(f"accept.rtmr{index}", f"a list of values of RTMR{index}, or rtmr{index}_events")
    plain: dict[str, Any] = {name: getattr(entry, name) for name in PLAIN if getattr(entry, name) is not UNSET}
    if isinstance(entry.minimum_tee_tcb_svn, str):
        plain["minimum_tee_tcb_svn"] = bytes.fromhex(entry.minimum_tee_tcb_svn)
    lists: dict[str, Any] = {
        name: _digests(getattr(entry, name)) for name in (*LISTS, *SWITCHES) if getattr(entry, name) is not UNSET
    }
    registers: dict[str, Any] = {"rtmrs": _registers(entry, "rtmr{}"), "rtmr_events": _registers(entry, "rtmr{}_events")}
    if plain.get("allowed_xfam", MANDATORY_XFAM) & MANDATORY_XFAM != MANDATORY_XFAM:
        raise shape("accept.allowed_xfam", f"{plain['allowed_xfam']:#x}", "a mask with bits 0 and 1, x87 and SSE")
    return TdxConstraints(**intel.platform_of(entry), **plain, **lists, **registers)


def _registers(entry: _Accept, name: str) -> tuple[Any, ...]:
    values = (getattr(entry, name.format(index)) for index in range(RTMRS))
    return tuple(None if value is UNSET else _digests(value) for value in values)


def _digests(value: Any) -> Any:
    return Ignored.UNSAFE_IGNORED if value == UNSAFE else tuple(bytes.fromhex(item) for item in value)


def without_references(claims: Claims) -> TdxConstraints:
    """Strict about the state, open about what runs: for showing evidence to people who have no policy yet."""
    skip = Ignored.UNSAFE_IGNORED
    return TdxConstraints(mr_tds=skip, rtmrs=(skip,) * RTMRS, **intel.open_platform(as_tdx(claims)))


def observed(claims: Claims) -> dict[str, Any]:
    """The members of an `accept` entry for exactly this: MRTD, registers, what the host configured; module and TCB as minimum."""
    claims = as_tdx(claims)
    report = claims.report
    members: dict[str, Any] = {"tee": TEE.value, "mr_tds": [report.mr_td.hex()]}
    members |= {f"rtmr{index}": [value.hex()] for index, value in enumerate(report.rtmrs)}
    members |= {
        "mr_config_ids": [report.mr_config_id.hex()],
        "mr_owners": [report.mr_owner.hex()],
        "mr_owner_configs": [report.mr_owner_config.hex()],
        "minimum_tee_tcb_svn": report.tee_tcb_svn.hex(),
    }
    if report.mr_service_td is not None and any(report.mr_service_td):
        members["mr_service_tds"] = [report.mr_service_td.hex()]
    if not report.td_attributes & TdAttributes.SEPT_VE_DISABLE:
        members["allow_sept_ve"] = UNSAFE
    return members | intel.observed_platform(claims)


def as_tdx(claims: Claims) -> TdxClaims:
    """The claims with Intel's own fields; a kind without a module like this one has no verifier either."""
    if not isinstance(claims, TdxClaims):
        raise PolicyError(Code.POLICY_TEE, found=claims.kind.value, wanted=TEE.value)
    return claims
