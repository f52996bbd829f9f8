"""What a policy may want of an Intel platform, the same for SGX and TDX: TCB status, advisories, evaluation number, which
platforms.

Left to others: the TEE's own fields (`sgx.validate`, `tdx.validate`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from confide.attest.checks import Checks
from confide.attest.constraints import Constraints, Ignored
from confide.attest.dcap.claims import IntelClaims
from confide.attest.dcap.tcb import TcbStatus
from confide.codes import Code
from confide.errors import CollateralError, ConfideError, PolicyError

SHOWN = 4  # values spelled out in a message
Digests = tuple[bytes, ...]
NEVER = frozenset({TcbStatus.REVOKED, TcbStatus.NOT_SUPPORTED, TcbStatus.MODULE_MISMATCH})  # no policy can accept these


@dataclass(frozen=True)
class IntelConstraints(Constraints):
    """Absent members are strict or, for lists, not checked and said so (spec/07b-dcap.md).

    Attributes:
        tcb: status to the advisories that are accepted with it; `Ignored` for any advisory. UpToDate alone by default.
        allow_any_tcb: accepts even an unknown status; revoked ones never.
        minimum_evaluation_number: of TCB info and QE identity; the same platform is UpToDate under one and OutOfDate under the
            next (PCS API, `tcbEvaluationDataNumber`).
        platform_ids: platform instance ids, or PPIDs where there is none.
        fmspcs: kinds of platforms.
        smt, dynamic_platform, cached_keys: False refuses a platform whose certificate says so, or does not say.
    """

    tcb: Mapping[TcbStatus, tuple[str, ...] | Ignored] = field(
        default_factory=lambda: MappingProxyType({TcbStatus.UP_TO_DATE: Ignored.UNSAFE_IGNORED})
    )
    allow_any_tcb: Ignored | None = None
    minimum_evaluation_number: int = 0
    platform_ids: Digests | None = None
    fmspcs: Digests | None = None
    smt: bool = True
    dynamic_platform: bool = True
    cached_keys: bool = True

    @property
    def platforms(self) -> int | None:
        """How many platforms are listed."""
        return None if self.platform_ids is None else len(self.platform_ids)

    @property
    def ignored(self) -> tuple[str, ...]:
        """The members that are switched off, whole lists of advisories among them; none are needed beside UpToDate."""
        whole = (status for status, listed in self.tcb.items() if isinstance(listed, Ignored))
        return (*super().ignored, *(f"tcb.{status.value}" for status in whole if status is not TcbStatus.UP_TO_DATE))


def validate_platform(claims: IntelClaims, constraints: IntelConstraints, *, checks: Checks) -> None:
    """The platform's part.

    Raises:
        PolicyError: `dcap.*` for what the constraints do not accept.
        CollateralError: `dcap.tcb_unknown` when nothing says what the TCB is worth.
    """
    _tcb(claims, constraints, checks)
    number, least = claims.tcb_evaluation_number, constraints.minimum_evaluation_number
    rule(
        checks,
        (number or 0) >= least,  # without collateral there is none, which reaches no minimum
        Code.DCAP_EVALUATION_NUMBER,
        "TCB evaluation number",
        "none" if number is None else str(number),
        f"at least {least}",
    )
    listed(bytes.fromhex(claims.platform_id), constraints.platform_ids, Code.DCAP_PLATFORM, "platform id", checks)
    listed(claims.pck.fmspc, constraints.fmspcs, Code.DCAP_FMSPC_UNLISTED, "FMSPC", checks)
    pck = claims.pck
    for allowed, found, code, title in (
        (constraints.smt, pck.smt_enabled, Code.DCAP_SMT, "SMT enabled"),
        (constraints.dynamic_platform, pck.dynamic_platform, Code.DCAP_DYNAMIC_PLATFORM, "dynamic platform"),
        (constraints.cached_keys, pck.cached_keys, Code.DCAP_CACHED_KEYS, "cached keys"),
    ):
        if not allowed:
            rule(checks, found is False, code, title, "not said" if found is None else str(found), "False")


def _tcb(claims: IntelClaims, constraints: IntelConstraints, checks: Checks) -> None:
    status = claims.standing
    if constraints.allow_any_tcb is not None:
        checks.relax("allow_any_tcb", "firmware with known flaws, or of unknown standing, is accepted")
        if status in NEVER:
            rule(checks, False, Code.DCAP_TCB_STATUS, "TCB status", str(claims.tcb_status), "not revoked, and known to Intel")
        return
    wanted = " or ".join(each.value for each in constraints.tcb) or "none listed"
    if status is None:
        checks.require(False, Code.DCAP_TCB_UNKNOWN, "TCB status", found="unknown", wanted=wanted, error=CollateralError)
        return
    accepts = status in constraints.tcb and status not in NEVER
    rule(checks, accepts, Code.DCAP_TCB_STATUS, "TCB status", status.value if accepts else _with_advisories(claims), wanted)
    accepted = constraints.tcb.get(status, ())
    if isinstance(accepted, Ignored):
        if status is not TcbStatus.UP_TO_DATE:
            checks.relax(f"tcb.{status.value}", "whatever advisories apply are accepted")
        return
    unknown = [advisory for advisory in claims.advisories if advisory not in accepted]
    found = ", ".join(unknown[:SHOWN]) or "none beyond"
    rule(checks, not unknown, Code.DCAP_ADVISORY, "advisories", found, f"among {', '.join(accepted[:SHOWN]) or 'none'}")


def _with_advisories(claims: IntelClaims) -> str:
    """The status, and what Intel says about it: a reader's next question."""
    more = f" and {len(claims.advisories) - SHOWN} more" if len(claims.advisories) > SHOWN else ""
    return f"{claims.tcb_status}: {', '.join(claims.advisories[:SHOWN])}{more}" if claims.advisories else str(claims.tcb_status)


def rule(
    checks: Checks, ok: bool, code: Code, title: str, found: str, wanted: str, error: type[ConfideError] = PolicyError
) -> None:
    """One check of constraints."""
    checks.require(ok, code, title, found=found, wanted=wanted, error=error)


def listed(found: bytes, allowed: Digests | None, code: Code, title: str, checks: Checks) -> None:
    """The value is listed; a list that is absent is said."""
    if allowed is None:
        checks.skip(title, "the policy names none")
        return
    more = f" and {len(allowed) - SHOWN} more" if len(allowed) > SHOWN else ""
    wanted = ", ".join(value.hex() for value in allowed[:SHOWN]) + more
    rule(checks, found in allowed, code, title, found.hex() or "none", wanted or "none listed")
