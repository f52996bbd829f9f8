"""The record of what was checked, and the one way to fail.

Every check goes through `Checks.require`. A strict record (programs, `verify()`) raises at the first failure. A lenient one
(people, `explain()`) notes it and goes on, so that all findings can be shown; `conclude()` then raises, so no claims ever leave a
record with a failure in it.
"""

from dataclasses import dataclass, field

from confide.codes import Code
from confide.errors import ConfideError, EvidenceError


@dataclass(frozen=True)
class Check:
    """One check: its stable code, what it is about in the vendor's words, what was found and what was wanted."""

    code: Code
    title: str
    ok: bool
    found: str
    wanted: str


@dataclass(frozen=True)
class NotChecked:
    """Something a reader might believe was checked, and why it was not."""

    what: str
    why: str


@dataclass(frozen=True)
class Relaxation:
    """A check that the policy switched off with a value spelled `unsafe_...`."""

    setting: str
    effect: str


@dataclass
class Checks:
    """Collects checks in order. Not shared between verifications."""

    strict: bool = True
    done: list[Check] = field(default_factory=list)
    not_checked: list[NotChecked] = field(default_factory=list)
    relaxations: list[Relaxation] = field(default_factory=list)
    _failure: ConfideError | None = None

    def require(
        self,
        ok: bool,
        code: Code,
        title: str,
        *,
        found: str,
        wanted: str,
        error: type[ConfideError] = EvidenceError,
        hint: str = "",
    ) -> None:
        """Note the check; raise `error(code)` when it failed and the record is strict."""
        self.done.append(Check(code, title, ok, found, wanted))
        if not ok:
            self.fail(error(code, found=found, wanted=wanted, hint=hint))

    def fail(self, failure: ConfideError) -> None:
        """Remember the first failure; a strict record raises it."""
        self._failure = self._failure or failure
        if self.strict:
            raise failure

    def skip(self, what: str, why: str) -> None:
        """Say what was not checked."""
        self.not_checked.append(NotChecked(what, why))

    def relax(self, setting: str, effect: str) -> None:
        """Say which `unsafe_` setting weakened the verdict."""
        self.relaxations.append(Relaxation(setting, effect))

    def conclude(self) -> None:
        """Raise the first failure, if any. Called before claims or a verdict leave the verifier."""
        if self._failure is not None:
            raise self._failure

    @property
    def failure(self) -> ConfideError | None:
        """The first failure, for display."""
        return self._failure
