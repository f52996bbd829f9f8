"""Content keys in epochs (docs/adr/0006-epochs.md, DESIGN section 5).

    pending   made and quoted ahead, so that switching costs nothing; advertised nowhere
    active    its keys and its document are served
    stale     opens what was sealed to it; its document is served to whoever names its keyset
    dead      keys wiped, replay stores dropped; for good

Two clocks end an epoch, whichever comes first. The monotonic one ages it: `active` seconds, then `stale` seconds; nobody can set
it back. The wall clock bounds it, because clients hold their own clock against the keyset's window: keys open only between
`not_before` and `not_after - grace`, where the grace is the longest exchange, so that the last receipt lies inside the window too.
A wall clock that is set so that no epoch fits ends them all, and the next one is made by the new time: nothing dead revives, and
the service goes on. A replay store at `ROTATE_AT` counts as old age.

When no new epoch can be made (the device fails, no key id is free) the active one goes on as long as its window allows: that is
what `stale` seconds are for once it is not replaced. `standing` says when that end is near, and when it has come.

Left to others: keys and their ids (`guest.keys`, `seal.keystore`), quotes (`guest.quoter`), HTTP (`server.outer`).
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from confide.attest.keyset import Keyset
from confide.codes import Code
from confide.guest import GuestError
from confide.guest.documents import DocumentLimits, DocumentSource, utc_now
from confide.guest.keys import KEMS, NodeKeys, content_keys
from confide.guest.keysets import Boot, make_keyset
from confide.guest.quoter import Quoter
from confide.seal.keystore import REST_SECONDS, HeldKey, KeyStore

log = logging.getLogger("confide.node")
CLOCK_SKEW = timedelta(minutes=5)  # hosts own clocks (DESIGN section 4): a client slightly behind must not refuse fresh keys
LEAD, LONGEST_LEAD = 0.25, 300.0  # the next epoch is made in the last quarter of the active one, at most five minutes ahead
MAKE_AT, ROTATE_AT = 0.75, 0.875  # of a replay store: what remains serves requests that come while keys change
CROWDED = 0.875  # of the room that all replay stores share: the oldest stale epoch makes way
LOOK_SECONDS = 60.0  # a timer does not see the clock being set
RETRY_SECONDS, LONGEST_RETRY = 0.2, 30.0  # between attempts to make an epoch
PLENTY = 32  # epochs that free key ids are left for; with fewer, each lasts longer, so that ids never run out
WARNING = 0.25  # of the stale time, before the end of an active epoch that was not replaced


class Phase(Enum):
    """Where an epoch stands."""

    MAKING = "making"  # not quoted yet
    PENDING = "pending"
    ACTIVE = "active"
    STALE = "stale"
    DEAD = "dead"


_SERVED = {Phase.ACTIVE, Phase.STALE}


@dataclass(frozen=True)
class Lifetimes:
    """Seconds: how long keys are advertised, how long they go on opening, and the longest exchange."""

    active: float
    stale: float
    grace: float


@dataclass(eq=False)
class Epoch:
    """Content keys, the keyset that names them, and its documents.

    Attributes:
        ends: the wall clock's end of opening, `not_after - grace`.
        due, over: the monotonic clock's end of being active and of opening.
    """

    keyset: Keyset
    held: tuple[HeldKey, ...] = field(repr=False)
    documents: DocumentSource = field(repr=False)
    lifetimes: Lifetimes
    ends: datetime
    due: float
    over: float
    phase: Phase = Phase.PENDING

    def opens(self, now: datetime, at: float) -> bool:
        """Whether its keys may open a request at this moment, by both clocks."""
        return self.keyset.not_before <= now < self.ends and at < self.over

    def old(self, now: datetime, at: float, *, ahead: float = 0.0) -> bool:
        """Whether another should be active (in `ahead` seconds)."""
        return at >= self.due - ahead or now >= self.ends - timedelta(seconds=self.lifetimes.stale + ahead)

    @property
    def lead(self) -> float:
        """How long before its end the next one is made."""
        return min(self.lifetimes.active * LEAD, LONGEST_LEAD)

    @property
    def fill(self) -> float:
        """How full its fullest replay store is."""
        return max(held.replay.fill for held in self.held)


class Epochs:
    """The epochs of one boot. Lives on one event loop; `start` makes the first one, `close` ends all.

    Args:
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
        self._boot, self._signing, self._store, self.quoter = boot, signing, store, quoter
        self._lifetimes, self._capacity, self._limits = lifetimes, replay_capacity, limits or DocumentLimits()
        self._now, self._clock, self._keep, self._lookup = now, clock, keep, lookup
        self._live: list[Epoch] = []  # oldest first; the pending one is last
        self._keysets: dict[bytes, tuple[Keyset, float]] = {}  # by key configuration, until no exchange can be open any more
        self._admission: bytes | None = None
        self._wake = asyncio.Event()
        self._driver: asyncio.Task[None] | None = None
        self._failures = 0
        self._retry_at = 0.0

    @property
    def active(self) -> Epoch | None:
        """The one whose keys are served."""
        return self._in_phase(Phase.ACTIVE)

    @property
    def keyset(self) -> Keyset:
        """The keyset that is served; `node.expired` when there is none."""
        return self._active().keyset

    @property
    def live(self) -> tuple[Epoch, ...]:
        """All that are not dead, oldest first."""
        return tuple(self._live)

    def keyset_of(self, key_config: bytes) -> Keyset:
        """The keyset whose key this is; known for as long as an exchange that the key opened may last."""
        return self._keysets[key_config][0]

    async def start(self) -> None:
        """Make the first epoch and let the others follow.

        Raises:
            GuestError: `guest.quote`; nothing is left behind.
        """
        await self._make()
        self.look()
        self._driver = asyncio.create_task(self._drive())

    async def document(self, *, keyset: bytes | None = None, nonce: bytes | None = None) -> bytes:
        """The document of a keyset, by its digest, or of the active one; over `nonce` if there is one.

        Raises:
            GuestError: `guest.keyset` for one that is not known here, or is dead and cannot be quoted anew; `node.expired`; and as
                `DocumentSource`.
        """
        if keyset is None:
            epoch: Epoch | None = self._active()
        else:
            epoch = next((each for each in self._live if each.phase in _SERVED and each.keyset.digest == keyset), None)
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
        self.look()
        epoch = self.active
        if epoch is None:
            return Code.NODE_EXPIRED
        if any(held.replay.full for held in epoch.held):
            return Code.NODE_SPENT
        warned = epoch.lifetimes.stale * WARNING
        late = self._clock() >= epoch.over - warned or self._now() >= epoch.ends - timedelta(seconds=warned)
        return Code.NODE_ROTATION if late else None

    def look(self) -> None:
        """Do what needs no waiting: end what is over, activate what is due, and wake who makes the next one."""
        now, at = self._now(), self._clock()
        for epoch in [each for each in self._live if not each.opens(now, at)]:
            self._end(epoch)
        self._make_way()
        active, pending = self.active, self._in_phase(Phase.PENDING)
        if pending is not None and (active is None or active.old(now, at) or active.fill >= ROTATE_AT):
            self._activate(pending, now=now, at=at)
        elif self._due():
            self._wake.set()

    async def close(self) -> None:
        """The end of every key."""
        if self._driver is not None:
            self._driver.cancel()
            await asyncio.wait([self._driver])
        for epoch in tuple(self._live):
            self._end(epoch)
            await epoch.documents.close()

    def _active(self) -> Epoch:
        epoch = self.active
        if epoch is None:
            raise GuestError(Code.NODE_EXPIRED, found="no keys", wanted="keys that the TEE has quoted")
        return epoch

    def _in_phase(self, phase: Phase) -> Epoch | None:
        return next((epoch for epoch in reversed(self._live) if epoch.phase is phase), None)

    def _due(self) -> bool:
        """Whether the next epoch should be made now."""
        active, now, at = self.active, self._now(), self._clock()
        if self._in_phase(Phase.PENDING) is not None or at < self._retry_at:
            return False
        return active is None or active.old(now, at, ahead=active.lead) or active.fill >= MAKE_AT

    def _make_way(self) -> None:
        """Memory for replay stores is bounded over all epochs: those who still seal to the oldest verify anew a little earlier."""
        while self._store.crowding >= CROWDED:
            stale = next((epoch for epoch in self._live if epoch.phase is Phase.STALE), None)
            if stale is None:
                return
            self._end(stale)

    def _activate(self, epoch: Epoch, *, now: datetime, at: float) -> None:
        for old in [each for each in self._live if each.phase is Phase.ACTIVE]:
            old.phase, old.over = Phase.STALE, min(old.over, at + old.lifetimes.stale)
            for held in old.held:
                self._store.withdraw(held.config.key_id)
        epoch.phase, epoch.due = Phase.ACTIVE, at + epoch.lifetimes.active
        epoch.over = min(at + (epoch.ends - now).total_seconds(), epoch.due + epoch.lifetimes.stale)
        for held in epoch.held:
            self._store.advertise(held.config.key_id)

    def _end(self, epoch: Epoch, *, shown: bool = True) -> None:
        self._live.remove(epoch)
        epoch.phase = Phase.DEAD
        until = self._clock() + epoch.lifetimes.grace
        for held in epoch.held:
            self._store.retire(held.config.key_id, shown=shown)
            self._keysets[held.config.raw] = epoch.keyset, until

    async def _drive(self) -> None:
        """Make each next epoch in time. A failure is told and tried again; it never ends this task."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._seconds())
            self._wake.clear()
            self.look()
            self._forget()
            if self._due():
                await self._try()
                self.look()

    async def _try(self) -> None:
        try:
            await self._make()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next attempt may do better
            delay = min(RETRY_SECONDS * 2**self._failures, LONGEST_RETRY)
            self._failures, self._retry_at = min(self._failures + 1, 16), self._clock() + delay
            active = self.active
            log.error(  # noqa: TRY400 - a traceback may show evidence
                "no new keys: %s; the present ones end %s", _told(error), active.ends if active else "now: there are none"
            )
        else:
            self._failures, self._retry_at = 0, 0.0

    def _seconds(self) -> float:
        """Until the next moment that matters, as far as it can be known."""
        now, at = self._now(), self._clock()
        moments = [each.over - at for each in self._live] + [(each.ends - now).total_seconds() for each in self._live]
        active = self.active
        if self._in_phase(Phase.PENDING) is None:
            moments.append(max(self._retry_at - at, active.due - active.lead - at if active else 0.0))
        elif active is not None:
            moments.append(active.due - at)
        return min(max(min(moments, default=0.0), 0.001), LOOK_SECONDS)

    def _forget(self) -> None:
        """Keysets of dead keys whose last exchange must be over."""
        live = {held.config.raw for epoch in self._live for held in epoch.held}
        at = self._clock()
        for raw in [raw for raw, (_, until) in self._keysets.items() if raw not in live and at >= until]:
            del self._keysets[raw]

    async def _make(self) -> None:
        """A pending epoch: keys, keyset, quote, in this order; its keys die with a failure, and nobody has seen them."""
        epoch = self._new()
        self._live.append(epoch)
        try:
            document = await epoch.documents.current()
        except BaseException:
            if epoch in self._live:
                self._end(epoch, shown=False)
            raise
        self._give(epoch.keyset.digest, document)
        if epoch.phase is Phase.DEAD:
            raise GuestError(Code.GUEST_QUOTE, found="a quote that came after the keyset's end", wanted="one in time")
        epoch.documents.set_admission(self._admission)
        epoch.phase = Phase.PENDING

    def _give(self, digest: bytes, document: bytes) -> None:
        """Storage that fails must not stop keys from changing: it has its own way of stopping the node."""
        if self._keep is None:
            return
        try:
            self._keep(digest, document)
        except Exception as error:  # noqa: BLE001 - whatever it is
            log.error("keyset %s is not stored: %s", digest.hex()[:16], _told(error))  # noqa: TRY400 - as in `_try`

    def _new(self) -> Epoch:
        free = self._store.free_ids()
        content = content_keys(free)
        lifetimes = self._paced((len(free) - len(KEMS)) // len(KEMS))
        now, at = self._now(), self._clock()
        active = self.active
        ahead = max(0.0, active.due - at) if active and not active.old(now, at) else 0.0
        begins = now.replace(microsecond=0)
        opens = timedelta(seconds=ahead + lifetimes.active + lifetimes.stale)
        not_after = _whole(now + opens + timedelta(seconds=lifetimes.grace))
        keyset = make_keyset(
            self._boot, signing=self._signing, content=content, not_before=begins - CLOCK_SKEW, not_after=not_after
        )
        held = tuple(self._store.add(key.config, key.private, advertised=False, replay_capacity=self._capacity) for key in content)
        self._keysets.update({key.config.raw: (keyset, 0.0) for key in content})
        documents = DocumentSource(quoter=self.quoter, keyset=keyset, limits=self._limits, now=self._now)
        ends = not_after - timedelta(seconds=lifetimes.grace)
        return Epoch(keyset, held, documents, lifetimes, ends, due=at, over=at + (ends - now).total_seconds(), phase=Phase.MAKING)

    def _paced(self, left: int) -> Lifetimes:
        """Ids rest for a day: the fewer are left, the longer an epoch is active, and there is always one for the next."""
        if left >= PLENTY:
            return self._lifetimes
        active = max(self._lifetimes.active, REST_SECONDS / max(left, 1))
        return Lifetimes(active, self._lifetimes.stale, self._lifetimes.grace)


def _whole(moment: datetime) -> datetime:
    """The next whole second: keysets have no smaller ones."""
    return moment.replace(microsecond=0) + timedelta(seconds=1)


def _told(error: Exception) -> str:
    """For the operator: our own errors whole, others by type, because their messages may hold evidence."""
    return f"{error.code.value}, found {error.found}" if isinstance(error, GuestError) else type(error).__name__
