"""A verified session with one node: evidence with a fresh nonce, verdict, key; kept until the verdict expires.

1. fetch the document, 2. `policy.verify` (raises, or there is a verdict), 3. keep the rollback state, 4. take the key from the
verdict: post-quantum first, as the policy allows. Keys offered anywhere else (`/.well-known/ohttp-gateway`) are never looked at.
Left to others: sending (`exchange`).
"""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from confide.attest.evidence import Roots
from confide.client import source, state
from confide.client.flow import Flow, acquire, blocking
from confide.client.patience import Tries
from confide.client.source import Obtained
from confide.codes import Code
from confide.errors import ChannelError, ConfideError
from confide.policy.model import Policy
from confide.policy.verdict import Verdict
from confide.policy.verify import verify
from confide.seal.keyconfig import KeyConfig, parse_key_config

if TYPE_CHECKING:
    import asyncio
    import threading


def utc_now() -> datetime:
    """The caller's clock: verifiers take it as an argument."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Attested:
    """A verdict, the document it rests on, the key to seal to, and how long getting there took.

    `deadline` is the verdict's end by a clock that cannot be set back.
    """

    verdict: Verdict
    document: bytes = field(repr=False)
    key: KeyConfig
    seconds: float
    deadline: float


class Session:
    """Verifies when needed, and only then. Shared by all exchanges of a client: one of them verifies, the others wait for it.

    `lock` is one of the driver's kind (`flow.acquire`).
    """

    def __init__(
        self,
        policy: Policy,
        *,
        lock: "threading.Lock | asyncio.Lock",
        roots: Roots,
        state_path: Path | None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._policy, self._lock = policy, lock
        self._roots = roots
        self._state_path = state_path
        self._now = now
        self._attested: Attested | None = None
        self._failures = 0
        self._failure: ConfideError | None = None

    def attested(self, tries: Tries) -> Flow[Attested]:
        """The current verdict; a new one when there is none or it has expired."""
        attested = self._current()
        if attested is None:
            attested = yield from self._single(tries)
        attested.verdict.require_usable(self._now())
        return attested

    def forget(self, attested: Attested) -> None:
        """Verify anew next time; does nothing when another exchange already did."""
        if self._attested is attested:
            self._attested = None

    def _current(self) -> Attested | None:
        """By the wall clock, and by one that cannot be set back."""
        attested = self._attested
        if attested is None or self._now() >= attested.verdict.expires or time.monotonic() >= attested.deadline:
            return None
        return attested

    def _single(self, tries: Tries) -> Flow[Attested]:
        """One flight at a time. Who waited for one that failed has its failure: a crowd does not ask a bad node one by one."""
        failures = self._failures
        yield from acquire(self._lock)
        try:
            attested = self._current()
            if attested is None and self._failure is not None and self._failures != failures:
                raise copy.copy(self._failure)
            if attested is None:
                self._attested = None
                attested = self._attested = yield from self._recorded(tries)
            return attested
        finally:
            self._lock.release()

    def _recorded(self, tries: Tries) -> Flow[Attested]:
        try:
            return (yield from self._attest(tries))
        except ConfideError as error:
            self._failures, self._failure = self._failures + 1, copy.copy(error)
            raise

    def _attest(self, tries: Tries) -> Flow[Attested]:
        started = time.perf_counter()
        obtained = yield from source.evidence(tries)
        verdict, now = yield from blocking(lambda: self._judge(obtained))
        key = _first_key(verdict)
        deadline = time.monotonic() + (verdict.expires - now).total_seconds()
        return Attested(verdict, obtained.document, key, time.perf_counter() - started, deadline)

    def _judge(self, obtained: Obtained) -> tuple[Verdict, datetime]:
        """Steps 2 and 3: signatures take milliseconds and the state is a file, so not in an event loop."""
        nonce = obtained.nonce or b""  # a node's document always has one; an empty nonce matches nothing
        now = self._now()
        seen = state.load(self._state_path)
        verdict = verify(obtained.document, self._policy, now=now, nonce=nonce, roots=self._roots, rollback=seen)
        state.keep(self._state_path, verdict.rollback)
        return verdict, now


def _first_key(verdict: Verdict) -> KeyConfig:
    if not verdict.ohttp_key_configs:
        raise ChannelError(Code.CLIENT_NO_KEY, found="no key configuration that the policy allows", wanted="X-Wing or X25519")
    return parse_key_config(verdict.ohttp_key_configs[0])
