"""When checkpoints are made: at most one a second, because an ML-DSA-65 signature costs 0.5 to 1.5 ms (DESIGN section 6).

A receipt is provable once a checkpoint covers it; until then the answer is `log.pending`, to be asked again. `now` is an argument.
A log that is kept on a disk signs no more than what is there: its keeper asks `due`, writes the leaves, gives their number to
`make`, and hands the checkpoint out (`adopt`) when that is written too. Left to others: the disk, and the routes (`server`).
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from confide.codes import Code
from confide.errors import ReceiptError
from confide.formats import dsse
from confide.receipt.checkpoint import Checkpoint, log_id, sign_checkpoint
from confide.receipt.log import Log
from confide.receipt.proof import BatchProof, ConsistencyProof, LogProof
from confide.receipt.proving import grown, prove, require_leaves

INTERVAL = timedelta(seconds=1)
Signed = tuple[Checkpoint, bytes]  # what a checkpoint says, and its envelope


class Checkpointer:
    """Signs the heads of one log with one Ed25519 and one ML-DSA-65 key."""

    def __init__(self, log: Log, keys: tuple[dsse.SigningKey, ...], *, interval: timedelta = INTERVAL) -> None:
        self._log = log
        self._keys = keys
        self._interval = interval
        self._latest: Signed | None = None
        self._last_time: datetime | None = None
        self._signed_at: datetime | None = None
        self.log_id = log_id([key.public for key in keys])

    @property
    def covered(self) -> int:
        """How many leaves the latest checkpoint covers."""
        return 0 if self._latest is None else self._latest[0].size

    @property
    def envelope(self) -> bytes:
        """The latest checkpoint; `log.pending` where there is none yet."""
        return self._head()[1]

    def due(self, now: datetime) -> bool:
        """Whether a new checkpoint is to be made: there is none, or the log grew and the last one is old enough."""
        latest, signed_at = self._latest, self._signed_at
        if latest is None or signed_at is None:
            return True
        waiting = timedelta(0) <= now - signed_at < self._interval  # a clock that was set back does not stop checkpoints
        return latest[0].size != self._log.size and not waiting

    def make(self, now: datetime, *, size: int | None = None, closing: bool = False) -> Signed:
        """A checkpoint of the first `size` leaves, by default all. It is the latest once it is adopted."""
        size = self._log.size if size is None else size
        self._last_time = now if self._last_time is None else max(now, self._last_time)  # spec/10-log.md: times do not go back
        self._signed_at = now
        checkpoint = Checkpoint(self.log_id, size, self._log.root(size), self._last_time, closing)
        return checkpoint, sign_checkpoint(checkpoint, keys=self._keys)

    def adopt(self, signed: Signed) -> bytes:
        """Hand this checkpoint out from here on."""
        self._latest = signed
        return signed[1]

    def latest(self, now: datetime) -> bytes:
        """The envelope of the latest checkpoint: a new one when it is due."""
        return self.adopt(self.make(now)) if self.due(now) else self._head()[1]

    def close(self, now: datetime) -> bytes:
        """Close the log and sign its closing checkpoint, which stays the latest."""
        self._log.close()
        return self.adopt(self.make(now, closing=True))

    def prove(self, index: int, now: datetime) -> LogProof:
        """The proof that the receipt at `index` is in the log, under a new checkpoint where one is due.

        Raises:
            ReceiptError: `log.index` when there is no such leaf, `log.pending` when no checkpoint covers it yet.
        """
        require_leaves(self._log, (index,))
        self.latest(now)
        return self.prove_all((index,)).proof(index)

    def prove_all(self, indices: Iterable[int]) -> BatchProof:
        """The same for many receipts, under the latest checkpoint that there is."""
        checkpoint, envelope = self._head()
        return prove(self._log, envelope, checkpoint.size, indices)

    def grown(self, first: int, second: int) -> ConsistencyProof:
        """The proof that the log of `first` leaves became that of `second`, both under a checkpoint; `log.index` otherwise."""
        return grown(self._log, self.covered, first, second)

    def _head(self) -> Signed:
        if self._latest is None:
            raise ReceiptError(Code.LOG_PENDING, found="no checkpoint", wanted="a first one")
        return self._latest
