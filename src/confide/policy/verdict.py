"""Verdicts: what a verification concluded, frozen, with everything that was checked, relaxed and left unchecked.

Three types, so that nothing can be confused: a `Verdict` is about now and opens channels until it expires; a `HistoricVerdict` is
about another time and has no keys to seal to; an `AdmittingVerdict` lacks the admission that is about to be given. Functions
downstream take a verdict, so that unverified data cannot reach them.
Left to others: how verdicts come about (`verify`) and how they read (`text`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import chain

from confide.attest.admission import Admission
from confide.attest.checks import Check, NotChecked, Relaxation
from confide.attest.claims import Claims
from confide.attest.keyset import Keyset
from confide.codes import Code
from confide.errors import EvidenceError
from confide.formats.fields import format_time
from confide.policy.instants import aware
from confide.policy.model import PolicyRef, Requirements
from confide.policy.rollback import RollbackState

KEM_XWING = 0x647A  # draft-connolly-cfrg-xwing-kem, HPKE KEM registry: the post-quantum hybrid


@dataclass(frozen=True)
class Unbound:
    """In place of a nonce: the caller has none. The reason is listed under what was not checked."""

    reason: str = "the caller gave no nonce"


class Custody(StrEnum):
    """How it is known in whose hands the machine is. A measurement alone does not say that (DESIGN section 4, Admission)."""

    NOT_CHECKED = "not checked"
    ADMISSION = "admission"
    CHIP_LIST = "chip allow-list"
    ADMISSION_AND_CHIP_LIST = "admission and chip allow-list"


class Stage(StrEnum):
    """The groups of checks, as people read them."""

    DOCUMENT = "document"
    GENUINE = "genuine"
    BOUND = "bound"
    ACCEPTABLE = "acceptable"
    POLICY = "policy"


@dataclass(frozen=True)
class Section:
    """The checks of one stage, in the order in which they ran."""

    stage: Stage
    checks: tuple[Check, ...]


@dataclass(frozen=True, kw_only=True, repr=False)
class VerdictBase:
    """What both kinds of verdict hold.

    Attributes:
        policy: which policy.
        keyset: the verified keyset.
        claims: the verified claims of each TEE.
        verified_at: the time of judgement, an argument of the caller's.
        expires: the earliest of keyset, certificates and collateral, policy, and admission.
        simulated: made by a false vendor; protects nothing.
        custody: how it is known who holds the machine.
        admission: the verified admission, where there is one.
        nonce: the caller's nonce that the evidence was made for, else None.
    """

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

    def __repr__(self) -> str:
        word = "SIMULATED, " if self.simulated else ""
        return f"{type(self).__name__}({word}{self.policy}, until {format_time(self.expires)}, {len(self.checks)} checks)"

    @property
    def checks(self) -> tuple[Check, ...]:
        """Every check that was done."""
        return tuple(chain.from_iterable(section.checks for section in self.sections))


@dataclass(frozen=True, kw_only=True, repr=False)
class LiveVerdict(VerdictBase):
    """What both verdicts about now hold. `rollback` is the state to keep for the next verification."""

    require: Requirements
    rollback: RollbackState

    def require_usable(self, now: datetime) -> None:
        """Raise `verdict.expired` from the moment of expiry on. Called before anything is sealed to the keys."""
        if aware(now) >= self.expires:
            raise EvidenceError(Code.VERDICT_EXPIRED, found=format_time(now), wanted=f"a time before {format_time(self.expires)}")

    @property
    def ohttp_key_configs(self) -> tuple[bytes, ...]:
        """The key configurations that the policy allows, post-quantum first (RFC 9458 section 3)."""
        ordered = sorted(self.keyset.ohttp_keys, key=lambda key: key.kem_id != KEM_XWING)
        return tuple(key.config for key in ordered if key.kem_id == KEM_XWING or not self.require.post_quantum)


@dataclass(frozen=True, kw_only=True, repr=False)
class Verdict(LiveVerdict):
    """A verdict about now, which opens channels."""

    models: Mapping[str, tuple[bytes, ...]]


@dataclass(frozen=True, kw_only=True, repr=False)
class AdmittingVerdict(LiveVerdict):
    """Everything that the policy wants but the admission, which its owner is about to give. Being no `Verdict`, it opens no channel
    for requests: an admission may be delivered to its keys, and nothing else.
    """


@dataclass(frozen=True, kw_only=True, repr=False)
class HistoricVerdict(VerdictBase):
    """A verdict as of another time. It has no keys to seal to and never opens a channel."""
