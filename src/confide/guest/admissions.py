"""The admission that this node shows: taken from its owner, put into its documents, dropped when it ends (spec/05-admission.md).

Whoever delivers an admission needs no token: the signature of the authority key, which is in the measured configuration, is the
authorisation. The node checks what a client will check, against its own keyset and its own evidence, so that it never shows one
that clients refuse; a later one replaces an earlier one at once and never the other way round. A clock that the host sets can drop
an admission too early or too late; clients judge its end by their own clock. Left to others: delivering it (`client.admission`),
HTTP (`server.routes.admission`).
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

from confide.attest.admission import Admission, require_newer, verify_admission
from confide.attest.checks import Checks
from confide.attest.keyset import Keyset
from confide.codes import Code
from confide.errors import EvidenceError
from confide.formats import dsse

Publish = Callable[[bytes | None], object]
LOOK_SECONDS = 60.0


class Admissions:
    """Holds at most one admission. Lives on one event loop."""

    def __init__(
        self,
        *,
        authority_key: dsse.PublicKey | None,
        keyset: Callable[[], Keyset],
        platform_id: Callable[[], str],
        now: Callable[[], datetime],
        publish: Publish,
    ) -> None:
        self._authority_key, self._keyset, self._platform_id, self._now, self._publish = (
            authority_key,
            keyset,
            platform_id,
            now,
            publish,
        )
        self._held: tuple[bytes, Admission] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def take(self, envelope: bytes) -> Admission:
        """Check `envelope` and show it from now on.

        Raises:
            EvidenceError: an `admission` code; what was shown before stays.
        """
        key = self._authority_key
        if key is None:
            raise EvidenceError(Code.ADMISSION_AUTHORITY, found="none", wanted="an authority_key in the node's configuration")
        admission, held = self._verified(envelope, key), self.current()
        require_newer(admission, held[1] if held else None)
        self._held = envelope, admission
        self._publish(envelope)
        self._watch()
        return admission

    def current(self) -> tuple[bytes, Admission] | None:
        """The envelope and what it says; None, and no longer shown, from its end on."""
        if self._held is not None and self._now() >= self._held[1].not_after:
            self._held = None
            self._publish(None)
        return self._held

    def close(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()

    def _watch(self) -> None:
        """Drop it when it ends. Looks at the clock once a minute at least: a timer does not see it being set."""
        self.close()
        held = self.current()
        if held is not None:
            seconds = (held[1].not_after - self._now()).total_seconds()
            self._timer = asyncio.get_running_loop().call_later(min(max(seconds, 0.001), LOOK_SECONDS), self._watch)

    def _verified(self, envelope: bytes, key: dsse.PublicKey) -> Admission:
        keyset, now, platform_id = self._keyset(), self._now(), self._platform_id()
        return verify_admission(envelope, keyset=keyset, authority_key=key, now=now, platform_id=platform_id, checks=Checks())
