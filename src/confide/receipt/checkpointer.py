"""When checkpoints are made: at most one a second, because an ML-DSA-65 signature costs 0.5 to 1.5 ms (DESIGN section 6).

A receipt is provable once a checkpoint covers it; until then the answer is `log.pending`, to be asked again. `now` is an argument.
Left to others: the routes that hand proofs out (`server`), and keeping checkpoints on disk (a later issue).
"""

from datetime import datetime, timedelta

from confide.codes import Code
from confide.errors import ReceiptError
from confide.formats import dsse
from confide.receipt.checkpoint import Checkpoint, log_id, sign_checkpoint
from confide.receipt.log import Log
from confide.receipt.proof import LogProof

INTERVAL = timedelta(seconds=1)


class Checkpointer:
    """Signs the heads of one log with one Ed25519 and one ML-DSA-65 key."""

    def __init__(self, log: Log, keys: tuple[dsse.SigningKey, ...], *, interval: timedelta = INTERVAL) -> None:
        self._log = log
        self._keys = keys
        self._interval = interval
        self._id = log_id([key.public for key in keys])
        self._latest: tuple[Checkpoint, bytes] | None = None
        self._signed_at: datetime | None = None

    def latest(self, now: datetime) -> bytes:
        """The envelope of the latest checkpoint: a new one when the log grew and the last one is old enough."""
        return self._head(now)[1]

    def close(self, now: datetime) -> bytes:
        """Close the log and sign its closing checkpoint, which stays the latest."""
        self._log.close()
        return self._sign(now, closing=True)[1]

    def prove(self, index: int, now: datetime) -> LogProof:
        """The proof that the receipt at `index` is in the log.

        Raises:
            ReceiptError: `log.index` when there is no such leaf, `log.pending` when no checkpoint covers it yet.
        """
        if not 0 <= index < self._log.size:
            raise ReceiptError(Code.LOG_INDEX, found=f"index {index}", wanted=f"a leaf of {self._log.size}")
        checkpoint, envelope = self._head(now)
        if index >= checkpoint.size:
            raise ReceiptError(Code.LOG_PENDING, found=f"a checkpoint of {checkpoint.size}", wanted=f"one of {index + 1}")
        return LogProof(envelope, index, checkpoint.size, tuple(self._log.inclusion(index, checkpoint.size)))

    def _head(self, now: datetime) -> tuple[Checkpoint, bytes]:
        latest, signed_at = self._latest, self._signed_at
        if latest is None or signed_at is None:
            return self._sign(now)
        waiting = timedelta(0) <= now - signed_at < self._interval  # a clock that was set back does not stop checkpoints
        return latest if latest[0].size == self._log.size or waiting else self._sign(now)

    def _sign(self, now: datetime, *, closing: bool = False) -> tuple[Checkpoint, bytes]:
        time = now if self._latest is None else max(now, self._latest[0].time)  # spec/10-log.md: times do not go back
        checkpoint = Checkpoint(self._id, self._log.size, self._log.root(), time, closing)
        self._latest, self._signed_at = (checkpoint, sign_checkpoint(checkpoint, keys=self._keys)), now
        return self._latest
