"""When a request is sent again, and when it is given up.

    the node is not there (no connection)         nothing was sent             wait, send the same bytes again
    it does not take it (502, 503, 429)           outside the seal: a claim    wait, send the same bytes again
    it does not take it (429, 503 in the seal)    nothing was done             wait, seal anew
    it does not know the key (422 `ohttp-key`)    outside the seal: a claim    attest anew, seal anew, once
    the connection broke                          it may have been opened      a moment later seal anew, once

Waiting goes on for `patience` seconds, with a growing pause; then the last error is raised, with how often it was tried. The same
bytes are safe whoever claims what: a node opens no request twice, and says so inside the seal. A request that is sealed anew may
run twice if somebody on the way lied, so that happens only where running twice does no harm (`repeatable`), and once for each
reason.

Left to others: what a request is (`core`), which error is which (`exchange`).
"""

import copy
import random
import time

from confide.client.flow import Flow, sleep
from confide.codes import Code
from confide.errors import ConfideError, TransportError

PATIENCE = 15.0  # seconds; a node that restarts with its models on disk is back by then
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
BROKEN_PAUSE = 0.25  # a process that was killed listens a moment longer: not into the same one again
NOT_TAKING = frozenset({429, 502, 503})


class NotTakenError(TransportError):
    """Somebody on the way, perhaps the node, said that the node does not take requests now."""


class Tries:
    """What is left of the patience with one request."""

    def __init__(self, seconds: float, *, repeatable: bool) -> None:
        self._started = time.monotonic()
        self._seconds, self._pause, self._count = seconds, FIRST_PAUSE, 1
        self._repeats = self._rekeys = 1 if repeatable else 0

    def wait(self, error: ConfideError) -> Flow[None]:
        """After a failure that did nothing: pause, or raise it when patience is over."""
        left = self._started + self._seconds - time.monotonic()
        if left <= 0:
            raise self._told(error) from None
        pause = min(self._pause * random.uniform(0.5, 1.0), left)  # noqa: S311 - spreads clients, hides nothing
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        self._count += 1
        yield from sleep(pause)

    @property
    def over(self) -> bool:
        """Whether there is no time left to wait."""
        return time.monotonic() >= self._started + self._seconds

    def repeat(self, error: ConfideError) -> None:
        """After a failure that may have done something: once, or raise it."""
        if self._repeats == 0:
            raise self._told(error) from None
        self._repeats -= 1
        self._count += 1

    def rekey(self, error: ConfideError) -> None:
        """After the claim that the key is not known: once, or raise it."""
        if self._rekeys == 0:
            raise self._told(error) from None
        self._rekeys -= 1
        self._count += 1

    def _told(self, error: ConfideError) -> ConfideError:
        """The error, with how often it was tried."""
        if self._count == 1:
            return error
        told = copy.copy(error)
        told.found = f"{error.found}; tried {self._count} times in {time.monotonic() - self._started:.1f} s"
        return told


def patiently(tries: Tries, error: TransportError) -> Flow[None]:
    """What to do about a failed exchange that had no answer and whose repetition does no harm: wait, or raise."""
    if isinstance(error, NotTakenError) or error.code is Code.TRANSPORT_UNREACHABLE:
        yield from tries.wait(error)
    elif error.code is Code.TRANSPORT_BROKEN:
        tries.repeat(error)
        yield from sleep(BROKEN_PAUSE)
    else:
        raise error
