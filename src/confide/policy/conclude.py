"""Step 12 of spec/07-verify.md: the verdict, which expires with the first of its parts.

Left to others: everything that must hold before (`verify`).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from confide.attest.admission import Admission
from confide.attest.checks import NotChecked, Relaxation
from confide.attest.claims import Claims
from confide.attest.keyset import Keyset
from confide.codes import Code
from confide.errors import PolicyError
from confide.policy.model import Policy, PolicyRef
from confide.policy.record import Record
from confide.policy.rollback import RollbackState
from confide.policy.rules import Holder
from confide.policy.verdict import AdmittingVerdict, Custody, HistoricVerdict, Section, Unbound, Verdict


@dataclass(frozen=True)
class Verified:
    """What exists only when every step before held."""

    policy: Policy
    keyset: Keyset
    claims: tuple[Claims, ...]
    holder: Holder
    verified_at: datetime
    nonce: bytes | Unbound


class _Common(TypedDict):
    """The members that all kinds of verdict share."""

    policy: PolicyRef
    keyset: Keyset
    claims: tuple[Claims, ...]
    verified_at: datetime
    expires: datetime
    simulated: bool
    custody: Custody
    admission: Admission | None
    nonce: bytes | None
    sections: tuple[Section, ...]
    not_checked: tuple[NotChecked, ...]
    relaxations: tuple[Relaxation, ...]


def verdict(verified: Verified | None, record: Record, *, rollback: RollbackState) -> Verdict:
    """A verdict about now, with the advanced rollback state."""
    verified = _held(verified, record)
    policy = verified.policy
    state = rollback.advance(policy, verified.keyset, verified.claims)
    return Verdict(**_common(verified, record), require=policy.require, models=policy.models, rollback=state)


def admitting(verified: Verified | None, record: Record, *, rollback: RollbackState) -> AdmittingVerdict:
    """A verdict about now but for the admission."""
    verified = _held(verified, record)
    state = rollback.advance(verified.policy, verified.keyset, verified.claims)
    return AdmittingVerdict(**_common(verified, record), require=verified.policy.require, rollback=state)


def past(verified: Verified | None, record: Record) -> HistoricVerdict:
    """A verdict as of another time."""
    return HistoricVerdict(**_common(_held(verified, record), record))


def _held(verified: Verified | None, record: Record) -> Verified:
    """The one gate: no verdict leaves a record with a failure in it, nor one that judged by no policy."""
    record.conclude()
    if verified is None:
        raise PolicyError(Code.POLICY_UNCONSTRAINED, found="no policy", wanted="a policy")
    return verified


def _common(verified: Verified, record: Record) -> _Common:
    return _Common(
        policy=verified.policy.ref,
        keyset=verified.keyset,
        claims=verified.claims,
        verified_at=verified.verified_at,
        expires=_expiry(verified),
        simulated=any(claims.simulated for claims in verified.claims),
        custody=verified.holder.custody,
        admission=verified.holder.admission,
        nonce=None if isinstance(verified.nonce, Unbound) else verified.nonce,
        sections=record.sections,
        not_checked=record.not_checked,
        relaxations=record.relaxations,
    )


def _expiry(verified: Verified) -> datetime:
    """The earliest end among everything that the verdict rests on; a claim's end is that of its certificates and lists."""
    ends = [verified.policy.expires, verified.keyset.not_after, *(claims.not_after for claims in verified.claims)]
    admission = verified.holder.admission
    return min([*ends, admission.not_after] if admission else ends)
