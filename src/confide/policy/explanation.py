"""What `explain()` returns: everything that was found out about one document, whatever the outcome.

Left to others: how it comes about (`verify`) and how it reads (`text`).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from confide.attest.checks import NotChecked, Relaxation
from confide.attest.claims import Claims
from confide.attest.keyset import Keyset
from confide.errors import ConfideError
from confide.policy.model import PolicyRef
from confide.policy.verdict import HistoricVerdict, Section, Verdict


class Outcome(StrEnum):
    """How it ended."""

    ACCEPTED = "accepted"
    HELD = "held"  # as of another time
    REFUSED = "refused"
    NO_POLICY = "no-policy"  # genuine, but compared with nothing
    UNBOUND = "unbound"  # genuine, but without a document: about nobody's keys


@dataclass(frozen=True, kw_only=True, repr=False)
class Explanation:
    """Everything that was found out about one document, whatever the outcome.

    Attributes:
        policy: which policy it was compared with; None: with none, and then there is no verdict.
        at: the time of judgement; `historic` says whether it was another time than now.
        keyset, claims: only what is verified so far: claims are genuine, the keyset is bound to them.
        verdict: the verdict, if everything held and `at` was now; `past` in its place for another time.
        failure: the first failure, as `verify()` raises it.
        bound: False for evidence without a document, of which there is never a verdict.
    """

    policy: PolicyRef | None
    at: datetime
    historic: bool
    sections: tuple[Section, ...]
    not_checked: tuple[NotChecked, ...]
    relaxations: tuple[Relaxation, ...]
    keyset: Keyset | None
    claims: tuple[Claims, ...]
    verdict: Verdict | None
    past: HistoricVerdict | None
    failure: ConfideError | None
    bound: bool = True

    def __repr__(self) -> str:
        return f"Explanation({self.outcome.value}, {sum(len(section.checks) for section in self.sections)} checks)"

    @property
    def simulated(self) -> bool:
        """Whether a false vendor made the evidence, or the policy would admit that."""
        return any(claims.simulated for claims in self.claims) or any(
            item.setting == "unsafe_accept_simulated" for item in self.relaxations
        )

    @property
    def outcome(self) -> Outcome:
        """In one word."""
        if self.failure is not None:
            return Outcome.REFUSED
        if not self.bound:
            return Outcome.UNBOUND
        if self.verdict is not None:
            return Outcome.ACCEPTED
        return Outcome.HELD if self.past is not None else Outcome.NO_POLICY

    @classmethod
    def of(cls, verdict: Verdict | HistoricVerdict) -> "Explanation":
        """The explanation of a verdict that was reached strictly."""
        historic = isinstance(verdict, HistoricVerdict)
        return cls(
            policy=verdict.policy,
            at=verdict.verified_at,
            historic=historic,
            sections=verdict.sections,
            not_checked=verdict.not_checked,
            relaxations=verdict.relaxations,
            keyset=verdict.keyset,
            claims=verdict.claims,
            verdict=verdict if isinstance(verdict, Verdict) else None,
            past=verdict if isinstance(verdict, HistoricVerdict) else None,
            failure=None,
        )
