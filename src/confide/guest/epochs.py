"""Content keys in epochs (docs/adr/0006-epochs.md, DESIGN section 5).

    pending   made and quoted ahead, so that switching costs nothing; advertised nowhere
    active    its keys and its document are served
    stale     opens what was sealed to it; its document is served to whoever names its keyset
    dead      keys wiped, replay stores dropped; for good

An epoch is replaced when it is old by either clock (`guest.epoch`), or when its replay store is nearly full. A wall clock that is
set so that no epoch fits ends them all, and the next one is made by the new time: nothing dead revives, and the service goes on.

When no new epoch can be made (the device fails or hangs, no key id is free) the active one goes on as long as its window allows:
that is what its stale time is for while nothing replaces it. `standing` says when that end is near, and when it has come.

`look` does all that needs no waiting, and every request calls it, so that no request is opened after the end of a key; one task
(`_drive`) calls it when nobody asks, and does what needs waiting: to make the next epoch.

Left to others: keys and their ids (`guest.keys`, `seal.keystore`), quotes (`guest.quoter`), HTTP (`server.outer`).
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from datetime import datetime

from confide.attest.keyset import Keyset
from confide.codes import Code
from confide.guest import GuestError
from confide.guest.documents import DocumentLimits, utc_now
from confide.guest.epoch import Epoch, Lifetimes, Maker, Phase
from confide.guest.keys import NodeKeys
from confide.guest.keysets import Boot
from confide.guest.quoter import Quoter
from confide.seal.keystore import KeyStore

log = logging.getLogger("confide.node")
MAKE_AT, ROTATE_AT = 0.75, 0.875  # of a replay store: what remains serves requests that come while keys change
CROWDED = 0.875  # of the room that all replay stores share: the oldest stale epoch makes way
LOOK_SECONDS = 60.0  # a timer does not see the clock being set
RETRY_SECONDS, LONGEST_RETRY = 0.2, 30.0  # between attempts to make an epoch
_SERVED = {Phase.ACTIVE, Phase.STALE}


class Epochs:
    """The epochs of one boot. Lives on one event loop; `start` makes the first one, `close` ends all.

    Args:
        clock: seconds that nobody can set back.
        keep: is given the digest of each keyset with its document before it is advertised, for whoever stores them.
        lookup: the stored document of a keyset that has died here, or of another boot; None when there is none. May block.
    """

    def __init__(
        self,
        *,
        boot: Boot,
        signing: NodeKeys,
        store: KeyStore,
        quoter: Quoter,
        lifetimes: Lifetimes,
        replay_capacity: int,
        limits: DocumentLimits | None = None,
        now: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = time.monotonic,
        keep: Callable[[bytes, bytes], None] | None = None,
        lookup: Callable[[bytes], bytes | None] | None = None,
    ) -> None:
        self._maker = Maker(boot, signing, store, quoter, lifetimes, replay_capacity, limits or DocumentLimits(), now)
        self._store, self.quoter = store, quoter
        self._now, self._clock, self._keep, self._lookup = now, clock, keep, lookup
        self._live: list[Epoch] = []  # oldest first; the pending one is last
        self._active: Epoch | None = None
        self._pending: Epoch | None = None
        self._keysets: dict[bytes, Keyset] = {}  # by key configuration
        self._open_until: dict[bytes, float] = {}  # of those whose keys are dead: when no exchange can be open any more
        self._admission: bytes | None = None
        self._wake = asyncio.Event()
        self._driver: asyncio.Task[None] | None = None
        self._failures = 0
        self._retry_at = 0.0

    @property
    def keyset(self) -> Keyset:
        """The keyset that is served; `node.expired` when there is none."""
        return self._served().keyset

    @property
    def live(self) -> tuple[Epoch, ...]:
        """All that are not dead, oldest first."""
        return tuple(self._live)

    def keyset_of(self, key_config: bytes) -> Keyset:
        """The keyset whose key this is; known for as long as an exchange that the key opened may last."""
        return self._keysets[key_config]

    async def start(self) -> None:
        """Make the first epoch and let the others follow.

        Raises:
            GuestError: `guest.quote`; nothing is left behind.
        """
        await self._make()
        self.look()
        self._driver = asyncio.create_task(self._drive())

    async def document(self, *, keyset: bytes | None = None, nonce: bytes | None = None) -> bytes:
        """The document of a keyset, by its digest, or of the one that is served; over `nonce` if there is one.

        Raises:
            GuestError: `guest.keyset` for one that is not known here, or is dead and cannot be quoted anew; `node.expired`; and as
                `DocumentSource`.
        """
        self.look()
        epoch = self._served() if keyset is None else self._named(keyset)
        if epoch is not None:
            return await (epoch.documents.current() if nonce is None else epoch.documents.fresh(nonce))
        stored = await asyncio.to_thread(self._lookup, keyset) if self._lookup and keyset and nonce is None else None
        if stored is None:
            raise GuestError(Code.GUEST_KEYSET, found="no keyset of this digest", wanted="one of this node, alive or stored")
        return stored

    def set_admission(self, envelope: bytes | None) -> None:
        """Show this admission in all documents from now on, those of later epochs too; or none."""
        self._admission = envelope
        for epoch in self._live:
            epoch.documents.set_admission(envelope)

    def standing(self) -> Code | None:
        """What is against the keys: `node.expired`, `node.spent`, or `node.rotation` when they end soon. Every request asks."""
        now, at = self.look()
        if self._active is None:
            return Code.NODE_EXPIRED
        if self._active.spent:
            return Code.NODE_SPENT
        return Code.NODE_ROTATION if self._active.fading(now, at) else None

    def look(self) -> tuple[datetime, float]:
        """Do what needs no waiting: end what is over, activate what is due, wake who makes the next. What the clocks say."""
        now, at = self._now(), self._clock()
        for epoch in self._live:
            if not epoch.opens(now, at):
                self._end_closed(now, at)
                break
        if self._store.crowding >= CROWDED:
            self._make_way()
        active, pending = self._active, self._pending
        if pending is None:
            if self._wanted(now, at):
                self._wake.set()
        elif active is None or active.fill >= ROTATE_AT or active.aged(now, at):
            self._activate(pending, now, at)
        return now, at

    async def close(self) -> None:
        """The end of every key."""
        if self._driver is not None:
            self._driver.cancel()
            await asyncio.wait([self._driver])
        for epoch in tuple(self._live):
            self._end(epoch)
            await epoch.documents.close()

    def _served(self) -> Epoch:
        if self._active is None:
            raise GuestError(Code.NODE_EXPIRED, found="no keys", wanted="keys that the TEE has quoted")
        return self._active

    def _named(self, digest: bytes) -> Epoch | None:
        return next((epoch for epoch in self._live if epoch.phase in _SERVED and epoch.keyset.digest == digest), None)

    def _wanted(self, now: datetime, at: float) -> bool:
        """Whether the next epoch should be made now."""
        if self._pending is not None or at < self._retry_at:
            return False
        active = self._active
        return active is None or active.fill >= MAKE_AT or active.aged(now, at, ahead=active.lead)

    def _make_way(self) -> None:
        """Memory for replay stores is bounded over all epochs: those who still seal to the oldest verify anew a little earlier."""
        for epoch in tuple(self._live):
            if epoch.phase is Phase.STALE and self._store.crowding >= CROWDED:
                self._end(epoch)

    def _activate(self, epoch: Epoch, now: datetime, at: float) -> None:
        if self._active is not None:
            self._active.supersede(at)
            for held in self._active.held:
                self._store.withdraw(held.config.key_id)
        epoch.activate(now, at)
        self._active, self._pending = epoch, None
        for held in epoch.held:
            self._store.advertise(held.config.key_id)
        self._wake.set()  # other moments matter now

    def _end_closed(self, now: datetime, at: float) -> None:
        for epoch in tuple(self._live):
            if not epoch.opens(now, at):
                self._end(epoch)

    def _end(self, epoch: Epoch, *, shown: bool = True) -> None:
        self._live.remove(epoch)
        self._active, self._pending = (None if each is epoch else each for each in (self._active, self._pending))
        epoch.phase = Phase.DEAD
        for held in epoch.held:
            self._store.retire(held.config.key_id, shown=shown)
            self._open_until[held.config.raw] = self._clock() + epoch.lifetimes.grace

    async def _drive(self) -> None:
        """Make each next epoch in time. A failure is told and tried again; it never ends this task."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._seconds()):  # `wait_for` may lose a cancellation before Python 3.12
                    await self._wake.wait()
            self._wake.clear()
            now, at = self.look()
            self._forget(at)
            if self._wanted(now, at):
                await self._try()
                self.look()

    async def _try(self) -> None:
        try:
            await self._make()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next attempt may do better
            delay = min(RETRY_SECONDS * 2**self._failures, LONGEST_RETRY)
            self._failures, self._retry_at = min(self._failures + 1, 16), self._clock() + delay
            ends = f"the present ones end {self._active.ends}" if self._active else "there are none now"
            log.error("no new keys: %s; %s", _told(error), ends)  # noqa: TRY400 - a traceback may show evidence
        else:
            self._failures, self._retry_at = 0, 0.0

    def _seconds(self) -> float:
        """Until the next moment that matters, as far as it can be known."""
        now, at, active = self._now(), self._clock(), self._active
        left = [min(epoch.over - at, (epoch.ends - now).total_seconds()) for epoch in self._live]
        if self._pending is not None:
            left.append(active.due - at if active else 0.0)
        elif self._failures:
            left.append(self._retry_at - at)
        else:
            left.append(active.due - active.lead - at if active else 0.0)
        return min(max(min(left), 0.001), LOOK_SECONDS)

    def _forget(self, at: float) -> None:
        for raw in [raw for raw, until in self._open_until.items() if at >= until]:
            del self._open_until[raw], self._keysets[raw]

    async def _make(self) -> None:
        """The pending epoch: keys, keyset, quote, in this order. Its keys die with a failure, and nobody has seen them."""
        now, at = self._now(), self._clock()
        active = self._active
        epoch = self._maker.make(now, at, ahead=max(0.0, active.due - at) if active else 0.0)
        self._keysets.update({held.config.raw: epoch.keyset for held in epoch.held})
        self._live.append(epoch)
        epoch.documents.set_admission(self._admission)
        try:
            document = await epoch.documents.current()
        except BaseException:
            if epoch.phase is not Phase.DEAD:
                self._end(epoch, shown=False)
            raise
        if epoch.phase is Phase.DEAD:
            raise GuestError(Code.GUEST_QUOTE, found="a quote that came after the keyset's end", wanted="one in time")
        self._give(epoch.keyset.digest, document)
        epoch.phase, self._pending = Phase.PENDING, epoch

    def _give(self, digest: bytes, document: bytes) -> None:
        """Storage that fails must not stop keys from changing: it has its own way of stopping the node."""
        if self._keep is None:
            return
        try:
            self._keep(digest, document)
        except Exception as error:  # noqa: BLE001 - whatever it is
            log.error("keyset %s is not stored: %s", digest.hex()[:16], _told(error))  # noqa: TRY400 - as in `_try`


def _told(error: Exception) -> str:
    """For the operator: our own errors, others by type, because their messages may hold evidence."""
    return f"{error.code.value}, found {error.found}" if isinstance(error, GuestError) else type(error).__name__
