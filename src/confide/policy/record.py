"""The record of one verification: stages in order, each with its own checks, strict or lenient.

Strict (`verify()`), the first failure is raised where it happens. Lenient (`explain()`), a stage that fails is noted and the next
one runs if it has what it needs; `conclude()` raises the first failure before any verdict is made. Left to others: what the stages
do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from confide.attest.checks import Check, Checks, NotChecked, Relaxation
from confide.attest.document import piece_of
from confide.attest.evidence import Evidence
from confide.errors import ConfideError
from confide.policy.verdict import Section, Stage

S = TypeVar("S")
T = TypeVar("T")


@dataclass
class Record:
    """Not shared between verifications."""

    strict: bool
    parts: list[tuple[Stage, Checks]] = field(default_factory=list)

    def run(self, stage: Stage, step: Callable[[Checks], T]) -> T | None:
        """What `step` returns, or None when it failed and the record is lenient."""
        checks = Checks(strict=self.strict)
        self.parts.append((stage, checks))
        try:
            result = step(checks)
            checks.conclude()
        except ConfideError as error:
            if self.strict:
                raise
            note(checks, error)
            return None
        return result

    def conclude(self) -> None:
        """Raise the first failure, if any."""
        if self.failure is not None:
            raise self.failure

    @property
    def failure(self) -> ConfideError | None:
        """The first failure in the order of the stages."""
        return next((checks.failure for _, checks in self.parts if checks.failure is not None), None)

    @property
    def sections(self) -> tuple[Section, ...]:
        """The checks grouped by stage; a stage without checks is left out."""
        groups: dict[Stage, list[Check]] = {}
        for stage, checks in self.parts:
            groups.setdefault(stage, []).extend(checks.done)
        return tuple(Section(stage, tuple(groups[stage])) for stage in Stage if groups.get(stage))

    @property
    def not_checked(self) -> tuple[NotChecked, ...]:
        """Everything that no stage checked, each once."""
        return tuple(dict.fromkeys(item for _, checks in self.parts for item in checks.not_checked))

    @property
    def relaxations(self) -> tuple[Relaxation, ...]:
        """Every relaxation, each once."""
        return tuple(dict.fromkeys(item for _, checks in self.parts for item in checks.relaxations))


def each_piece(
    evidence: Sequence[Evidence], given: Sequence[S], step: Callable[[S, Checks], T], *, checks: Checks
) -> tuple[T, ...]:
    """What `step` returns for each piece. A lenient record goes on behind a failure, without what that piece would have given: its
    `failure` is set then.
    """
    found = []
    for piece, each in zip(evidence, given, strict=True):
        trial = Checks(strict=checks.strict)
        try:
            with trial.about(piece_of(piece), among=len(evidence)):
                found.append(_noted(trial, each, step))
        except ConfideError:
            if checks.strict:
                raise
        absorb(checks, trial)
    return tuple(found)


def _noted(trial: Checks, given: S, step: Callable[[S, Checks], T]) -> T:
    try:
        return step(given, trial)
    except ConfideError as error:
        if not trial.strict:
            note(trial, error)
        raise


def note(checks: Checks, error: ConfideError) -> None:
    """Write a raised error down as a failed check, unless such a check already stands there."""
    if not any(check.code is error.code and not check.ok for check in checks.done):
        title = str(error.code.value).replace(".", " ").replace("_", " ")
        checks.done.append(Check(error.code, title, ok=False, found=error.found, wanted=error.wanted))
        checks.fail(error)


def absorb(checks: Checks, trial: Checks) -> None:
    """Take over a lenient trial's findings; its failure counts from now on."""
    checks.done.extend(trial.done)
    checks.not_checked.extend(trial.not_checked)
    checks.relaxations.extend(trial.relaxations)
    if trial.failure is not None:
        checks.fail(trial.failure)
