"""A node's own collateral, kept fresh, so that its clients never need the network.

    evidence -> what the host gave + what the services say -> endorsements, with the first end among them

`endorsements` is called for each quote and asks the services only when what it has comes near its end (the last tenth, or a day),
or is missing. When a service is away the old ones serve on, and the failure is told in `standing`; a node never stops quoting
because a vendor is down, clients decide what is too old. One lock: many quotes ask once.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from confide.attest.evidence import Endorsements, Evidence
from confide.collateral.collect import Collector
from confide.collateral.windows import Window, windows
from confide.errors import ConfideError

SOON = timedelta(days=1)
RETRY = timedelta(minutes=5)  # after a failure
RENEW = timedelta(hours=12)  # revocation lists are asked for at least so often, so that a policy may want them a day old at most


@dataclass(frozen=True)
class Standing:
    """What a keeper has: windows, soonest end first; and the last failure, until a success."""

    windows: tuple[Window, ...] = ()
    fetched: datetime | None = None
    failure: ConfideError | None = None


@dataclass
class Keeper:
    """Collateral for the evidence of one TEE. Safe for several threads."""

    collector: Collector
    now: Callable[[], datetime]
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _items: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    _subject: tuple[str, int, tuple[str, ...]] | None = field(default=None, repr=False)
    _standing: Standing = field(default_factory=Standing)
    _next: datetime | None = None

    @property
    def standing(self) -> Standing:
        """For operators."""
        return self._standing

    @property
    def kept(self) -> Mapping[str, bytes]:
        """What the services said last; asks nobody."""
        return self._items

    @property
    def due(self) -> bool:
        """Whether the services would be asked now."""
        return self._next is None or self.now() >= self._next

    def endorsements(self, evidence: Evidence, given: Mapping[str, bytes] = {}, *, subject: tuple[str, ...] = ()) -> Endorsements:
        """What the host gave, completed.

        Args:
            given: the host's own, which win.
            subject: what the collateral hangs on (chip, firmware); a change asks anew.
        """
        with self._lock:
            about = (evidence.kind, evidence.index, subject)
            if about != self._subject:
                self._items, self._subject, self._next = {}, about, None
            if self.due:
                self._renew(evidence, given)
            return Endorsements({**self._items, **given})

    def _renew(self, evidence: Evidence, given: Mapping[str, bytes]) -> None:
        now = self.now()
        try:
            self._items = self.collector.collect(evidence, given).items
        except ConfideError as error:
            self._standing = Standing(windows(self._items), self._standing.fetched, error)
            self._next = now + RETRY
            return
        found = windows(self._items)
        self._standing = Standing(found, now)
        ends = [window.ends for window in found if window.ends is not None]
        due = min([end - max(SOON, (end - now) / 10) for end in ends], default=now + RENEW)
        self._next = max(now + RETRY, min(due, now + RENEW))
