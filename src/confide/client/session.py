"""A verified session with one node: evidence with a fresh nonce, verdict, key; kept until the verdict expires.

1. fetch the document, 2. `policy.verify` (raises, or there is a verdict), 3. keep the rollback state, 4. take the key from the
verdict: post-quantum first, as the policy allows. Keys offered anywhere else (`/.well-known/ohttp-gateway`) are never looked at.
Left to others: sending (`exchange`).
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from confide.attest.evidence import Roots
from confide.client import source, state
from confide.client.transport import Transport
from confide.codes import Code
from confide.errors import ChannelError
from confide.policy.model import Policy
from confide.policy.verdict import Verdict
from confide.policy.verify import verify
from confide.seal.keyconfig import KeyConfig, parse_key_config


def utc_now() -> datetime:
    """The caller's clock: verifiers take it as an argument."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Attested:
    """A verdict, the document it rests on, the key to seal to, and how long getting there took."""

    verdict: Verdict
    document: bytes = field(repr=False)
    key: KeyConfig
    seconds: float


class Session:
    """Verifies when needed, and only then. Safe to share between threads: one of them verifies, the others wait."""

    def __init__(
        self,
        transport: Transport,
        policy: Policy,
        *,
        roots: Roots,
        state_path: Path | None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._transport = transport
        self._policy = policy
        self._roots = roots
        self._state_path = state_path
        self._now = now
        self._lock = threading.Lock()
        self._attested: Attested | None = None
        self._deadline = 0.0

    def attested(self) -> Attested:
        """The current verdict; a new one when there is none or it has expired."""
        with self._lock:
            if self._attested is None or self._expired(self._attested):
                self._attested = None
                self._attested = self._attest()
            self._attested.verdict.require_usable(self._now())
            return self._attested

    def forget(self, attested: Attested) -> None:
        """Verify anew next time; does nothing when another thread already did."""
        with self._lock:
            if self._attested is attested:
                self._attested = None

    def _expired(self, attested: Attested) -> bool:
        """By the wall clock, and by one that cannot be set back."""
        return self._now() >= attested.verdict.expires or time.monotonic() >= self._deadline

    def _attest(self) -> Attested:
        started = time.perf_counter()
        obtained = source.from_node(self._transport)
        nonce = obtained.nonce or b""  # `from_node` always gives one; an empty nonce matches nothing
        now = self._now()
        seen = state.load(self._state_path)
        verdict = verify(obtained.document, self._policy, now=now, nonce=nonce, roots=self._roots, rollback=seen)
        state.keep(self._state_path, verdict.rollback)
        key = _first_key(verdict)
        self._deadline = time.monotonic() + (verdict.expires - now).total_seconds()
        return Attested(verdict, obtained.document, key, time.perf_counter() - started)


def _first_key(verdict: Verdict) -> KeyConfig:
    if not verdict.ohttp_key_configs:
        raise ChannelError(Code.CLIENT_NO_KEY, found="no key configuration that the policy allows", wanted="X-Wing or X25519")
    return parse_key_config(verdict.ohttp_key_configs[0])
