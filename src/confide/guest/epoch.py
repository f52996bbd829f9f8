"""One epoch: its content keys, the keyset that names them, its documents, and what two clocks say about it.

The monotonic clock ages an epoch and nobody can set it back: it is active until `due` and opens until `over`. The wall clock bounds
it, because clients hold their own clock against the keyset's window: keys open only between `not_before` and `ends`, which lies one
`grace` before `not_after`, where the grace is the longest exchange; so the last receipt lies in the window too.

Left to others: which epoch is active (`guest.epochs`), keys (`guest.keys`), their ids (`seal.keystore`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from confide.attest.keyset import Keyset
from confide.guest.documents import DocumentLimits, DocumentSource
from confide.guest.keys import KEMS, NodeKeys, content_keys
from confide.guest.keysets import Boot, make_keyset
from confide.guest.quoter import Quoter
from confide.seal.keystore import REST_SECONDS, HeldKey, KeyStore

CLOCK_SKEW = timedelta(minutes=5)  # hosts own clocks (DESIGN section 4): a client slightly behind must not refuse fresh keys
LEAD, LONGEST_LEAD = 0.25, 300.0  # the next epoch is made in the last quarter of the active one, at most five minutes ahead
WARNING = 0.25  # of the stale time, before the end of an active epoch that was not replaced
PLENTY = 32  # epochs that free key ids are left for; with fewer, each lasts longer, so that ids never run out


class Phase(Enum):
    """Where an epoch stands."""

    MAKING = "making"  # not quoted yet
    PENDING = "pending"
    ACTIVE = "active"
    STALE = "stale"
    DEAD = "dead"


@dataclass(frozen=True)
class Lifetimes:
    """Seconds: how long keys are served, how long they go on opening, and the longest exchange."""

    active: float
    stale: float
    grace: float


@dataclass(eq=False)
class Epoch:
    """Its repr shows no key."""

    keyset: Keyset
    held: tuple[HeldKey, ...] = field(repr=False)
    documents: DocumentSource = field(repr=False)
    lifetimes: Lifetimes
    ends: datetime
    due: float
    over: float
    phase: Phase = Phase.MAKING

    def opens(self, now: datetime, at: float) -> bool:
        """Whether its keys may open a request at this moment, by both clocks."""
        return at < self.over and self.keyset.not_before <= now < self.ends

    def aged(self, now: datetime, at: float, *, ahead: float = 0.0) -> bool:
        """Whether another should be active, in `ahead` seconds."""
        return at >= self.due - ahead or (self.ends - now).total_seconds() <= self.lifetimes.stale + ahead

    def fading(self, now: datetime, at: float) -> bool:
        """Whether the end of its keys is near."""
        left = min(self.over - at, (self.ends - now).total_seconds())
        return left <= self.lifetimes.stale * WARNING

    @property
    def lead(self) -> float:
        """How long before its end the next one is made."""
        return min(self.lifetimes.active * LEAD, LONGEST_LEAD)

    @property
    def fill(self) -> float:
        """How full its fullest replay store is, 0 to 1."""
        return max([held.replay.fill for held in self.held])

    @property
    def spent(self) -> bool:
        """Whether a key has accepted its last request."""
        return any([held.replay.full for held in self.held])  # noqa: C419 - every request asks, and a list is faster

    def activate(self, now: datetime, at: float) -> None:
        """It is served from now on."""
        self.phase, self.due = Phase.ACTIVE, at + self.lifetimes.active
        self.over = min(at + (self.ends - now).total_seconds(), self.due + self.lifetimes.stale)

    def supersede(self, at: float) -> None:
        """Another one is served from now on."""
        self.phase, self.over = Phase.STALE, min(self.over, at + self.lifetimes.stale)


@dataclass(frozen=True)
class Maker:
    """Makes the epochs of one boot."""

    boot: Boot
    signing: NodeKeys = field(repr=False)
    store: KeyStore = field(repr=False)
    quoter: Quoter = field(repr=False)
    lifetimes: Lifetimes
    replay_capacity: int
    limits: DocumentLimits
    now: Callable[[], datetime]

    def make(self, now: datetime, at: float, *, ahead: float) -> Epoch:
        """New keys, held but not served, and their keyset, for an epoch that is to begin in `ahead` seconds; not quoted yet.

        Raises:
            GuestError: `guest.key_ids`.
        """
        free = self.store.free_ids()
        content = content_keys(free)
        lifetimes = self._paced((len(free) - len(KEMS)) // len(KEMS))
        grace = timedelta(seconds=lifetimes.grace)
        ends = _whole(now + timedelta(seconds=ahead + lifetimes.active + lifetimes.stale) + grace) - grace
        keyset = make_keyset(
            self.boot,
            signing=self.signing,
            content=content,
            not_before=now.replace(microsecond=0) - CLOCK_SKEW,
            not_after=ends + grace,
        )
        capacity = self.replay_capacity
        held = tuple(self.store.add(key.config, key.private, advertised=False, replay_capacity=capacity) for key in content)
        documents = DocumentSource(quoter=self.quoter, keyset=keyset, limits=self.limits, now=self.now)
        return Epoch(keyset, held, documents, lifetimes, ends, due=at, over=at + (ends - now).total_seconds())

    def _paced(self, left: int) -> Lifetimes:
        """Ids rest for a day: the fewer are left, the longer an epoch is active, and there is always one for the next."""
        if left >= PLENTY:
            return self.lifetimes
        active = max(self.lifetimes.active, REST_SECONDS / max(left, 1))
        return Lifetimes(active, self.lifetimes.stale, self.lifetimes.grace)


def _whole(moment: datetime) -> datetime:
    """The next whole second: keysets have no smaller ones."""
    return moment.replace(microsecond=0) + timedelta(seconds=1)
