"""A whole log judged: every leaf, every checkpoint, and how it ended (spec/10-log.md, "A whole log"). Pure, one leaf in memory.

In this order; the first failure counts:

 1. the keysets are of one boot: their receipt keys name one log                        `keys`
 2. each checkpoint is signed by these keys, none follows a closing one, none goes back  `heads`
 3. each leaf is a receipt of one of the keysets and stands at its index                 `leaf`
 4. after as many leaves as a checkpoint covers, the tree has its root                   `roots`
 5. no checkpoint covers leaves that are not there; none follows the closing one         `ends`

Left to others: whether the keysets are those of a node that a policy accepts (`policy.verify_as_of`), files (`client.logs`).
"""

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from confide.attest.checks import Checks
from confide.attest.keyset import Keyset
from confide.codes import Code
from confide.errors import ReceiptError
from confide.formats import dsse
from confide.formats.fields import format_time
from confide.receipt.check import check_keyset, open_receipt, signing_keys
from confide.receipt.checkpoint import Checkpoint, log_id, verify_checkpoint
from confide.receipt.log import EMPTY_ROOT, Log
from confide.receipt.model import Receipt


class Ending(StrEnum):
    """How a log stands."""

    LIVE = "live"  # its boot still writes
    CLOSED = "closed"  # its last checkpoint says that nothing follows
    UNCLEAN = "ended uncleanly"  # its boot is gone and left no closing checkpoint: later receipts may be missing


@dataclass(frozen=True)
class LogReport:
    """What a whole log shows.

    Attributes:
        leaves: leaves that were read, up to the first that breaks.
        covered: leaves under the last checkpoint whose root they make.
        root: of the covered leaves.
        last: the last checkpoint.
        broken: the first leaf that breaks, where one does.
        failure: why the log is refused; None where it holds.
    """

    log_id: bytes
    leaves: int
    covered: int
    root: bytes
    checkpoints: int
    last: Checkpoint | None
    ending: Ending
    first_at: datetime | None
    last_at: datetime | None
    broken: int | None = None
    failure: ReceiptError | None = field(default=None, repr=False)

    @property
    def uncovered(self) -> int:
        """Leaves after the last checkpoint: each stands on its Ed25519 signature alone."""
        return self.leaves - self.covered


def verify_log(
    leaves: Iterable[bytes], checkpoints: Iterable[bytes], *, keysets: Sequence[Keyset], live: bool = False
) -> LogReport:
    """The report about a log that holds.

    Args:
        leaves, checkpoints: envelopes, in the order of the files.
        keysets: all keysets of the boot, verified by the caller.
        live: whether the boot still writes.

    Raises:
        ReceiptError: the first failure, as `examine_log` tells it.
    """
    report = examine_log(leaves, checkpoints, keysets=keysets, live=live)
    if report.failure is not None:
        raise report.failure
    return report


def examine_log(
    leaves: Iterable[bytes], checkpoints: Iterable[bytes], *, keysets: Sequence[Keyset], live: bool = False
) -> LogReport:
    """As `verify_log`, with the failure in the report instead of raised."""
    walk = _Walk()
    try:
        walk.keys(keysets)
        walk.heads(checkpoints)
        walk.roots()
        for leaf in leaves:
            walk.leaf(leaf)
            walk.roots()
        walk.ends()
    except ReceiptError as error:
        walk.failure = error
    return walk.report(live=live)


class _Walk:
    """Goes through a log once."""

    def __init__(self) -> None:
        self._log = Log()
        self._keysets: Mapping[bytes, Keyset] = {}
        self._receipt_keys: tuple[dsse.PublicKey, ...] = ()
        self._signers: tuple[dsse.PublicKey, ...] = ()
        self._id = b""
        self._heads: list[Checkpoint] = []
        self._reached = 0  # checkpoints whose root was made
        self._times: tuple[datetime, datetime] | None = None
        self._broken: int | None = None
        self.failure: ReceiptError | None = None

    def keys(self, keysets: Sequence[Keyset]) -> None:
        """Step 1."""
        if not keysets:
            raise ReceiptError(Code.LOG_ID, found="no keyset", wanted="those of the boot")
        names = {log_id(keyset.receipt_keys) for keyset in keysets}
        if len(names) != 1:
            raise ReceiptError(Code.LOG_ID, found=f"keysets of {len(names)} logs", wanted="those of one boot")
        self._keysets = {keyset.digest: keyset for keyset in keysets}
        self._receipt_keys, self._id = keysets[0].receipt_keys, names.pop()
        self._signers = signing_keys(keysets[0], dsse.SignatureAlgorithm.ED25519)

    def heads(self, checkpoints: Iterable[bytes]) -> None:
        """Step 2."""
        for envelope in checkpoints:
            head = verify_checkpoint(envelope, keys=self._receipt_keys)
            if self._heads:
                _follows(self._heads[-1], head)
            self._heads.append(head)

    def leaf(self, envelope: bytes) -> None:
        """Step 3."""
        index = self._log.size
        try:
            receipt = open_receipt(envelope, self._signers, checks=Checks())
            self._fits(receipt, index)
        except ReceiptError as error:
            self._broken = index
            raise ReceiptError(error.code, found=f"leaf {index}: {error.found}", wanted=error.wanted) from None
        self._log.append(envelope)
        at = receipt.issued_at
        self._times = (at, at) if self._times is None else (min(at, self._times[0]), max(at, self._times[1]))

    def _fits(self, receipt: Receipt, index: int) -> None:
        keyset = self._keysets.get(receipt.keyset_digest)
        if keyset is None:
            known = f"one of the {len(self._keysets)} keysets given"
            raise ReceiptError(Code.RECEIPT_KEYSET, found=receipt.keyset_digest.hex(), wanted=known)
        check_keyset(receipt, keyset)
        if receipt.log_index != index:
            raise ReceiptError(Code.LOG_INDEX, found=f"index {receipt.log_index}", wanted=f"index {index}")

    def roots(self) -> None:
        """Step 4."""
        while self._reached < len(self._heads) and self._heads[self._reached].size <= self._log.size:
            head = self._heads[self._reached]
            root = self._log.root(head.size)
            if not hmac.compare_digest(root, head.root):
                raise ReceiptError(Code.LOG_ROOT, found=f"{root.hex()} of {head.size} leaves", wanted=head.root.hex())
            self._reached += 1

    def ends(self) -> None:
        """Step 5."""
        if self._reached < len(self._heads):
            wanted = f"{self._heads[-1].size}, as in the last checkpoint"
            raise ReceiptError(Code.LOG_MISSING, found=f"{self._log.size} leaves", wanted=wanted)
        closing = next((head for head in self._heads if head.closing), None)
        if closing is not None and self._log.size > closing.size:
            found, wanted = f"{self._log.size} leaves", f"{closing.size}, as in the closing checkpoint"
            raise ReceiptError(Code.LOG_CLOSED, found=found, wanted=wanted)

    def report(self, *, live: bool) -> LogReport:
        """What was found so far."""
        closed = any(head.closing for head in self._heads)
        reached = self._heads[self._reached - 1] if self._reached else None
        return LogReport(
            log_id=self._id,
            leaves=self._log.size,
            covered=reached.size if reached else 0,
            root=reached.root if reached else EMPTY_ROOT,
            checkpoints=len(self._heads),
            last=self._heads[-1] if self._heads else None,
            ending=Ending.CLOSED if closed else Ending.LIVE if live else Ending.UNCLEAN,
            first_at=self._times[0] if self._times else None,
            last_at=self._times[1] if self._times else None,
            broken=self._broken,
            failure=self.failure,
        )


def _follows(first: Checkpoint, second: Checkpoint) -> None:
    """The part of growth that needs no leaves; the roots are compared when the leaves are there."""
    if second.time < first.time:
        raise ReceiptError(Code.LOG_TIME, found=format_time(second.time), wanted=f"not before {format_time(first.time)}")
    if first.closing and second.size != first.size:
        raise ReceiptError(Code.LOG_CLOSED, found=f"{second.size} leaves", wanted=f"{first.size}, as in the closing checkpoint")
    if second.size < first.size:
        raise ReceiptError(Code.LOG_CONSISTENCY, found=f"{second.size} leaves", wanted=f"at least {first.size}, as before")
