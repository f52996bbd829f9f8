"""The record of what was checked, and the one way to fail.

Every check goes through `Checks.require`. A strict record (programs, `verify()`) raises at the first failure. A lenient one
(people, `explain()`) notes it and goes on, so that all findings can be shown; `conclude()` then raises, so no claims ever leave a
record with a failure in it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from confide.codes import Code
from confide.errors import ConfideError, EvidenceError


@dataclass(frozen=True)
class Check:
    """One check: its stable code, what it is about in the vendor's words, what was found and what was wanted.

    Attributes:
        piece: which piece of evidence it is about, such as `snp` or `nvidia 1`; empty for what is about none.
    """

    code: Code
    title: str
    ok: bool
    found: str
    wanted: str
    piece: str = ""


@dataclass(frozen=True)
class NotChecked:
    """Something a reader might believe was checked, and why it was not; `piece` as of `Check`."""

    what: str
    why: str
    piece: str = ""


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
            self.fail(error(code, found=found, wanted=wanted, hint=hint, about=title))

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

    @contextmanager
    def about(self, piece: str, *, among: int) -> Iterator[None]:
        """Everything that is noted meanwhile is about one piece of evidence; a failure says which where there are several."""
        done, skipped, before = len(self.done), len(self.not_checked), self._failure
        raised: ConfideError | None = None
        try:
            yield
        except ConfideError as error:
            raised = error
            raise
        finally:
            self.done[done:] = [replace(each, piece=piece) for each in self.done[done:]]
            self.not_checked[skipped:] = [replace(each, piece=piece) for each in self.not_checked[skipped:]]
            failure = raised or (None if self._failure is before else self._failure)
            if failure is not None and failure is not before and among > 1:
                failure.about = f"{piece}: {failure.about}" if failure.about else piece

    def conclude(self) -> None:
        """Raise the first failure, if any. Called before claims or a verdict leave the verifier."""
        if self._failure is not None:
            raise self._failure

    @property
    def failure(self) -> ConfideError | None:
        """The first failure, for display."""
        return self._failure
