"""Logs of other boots, read from the directory that nodes share, so that any node completes receipts of any boot (spec/10-log.md).

The host wrote these files: nothing in them is believed, and nothing is signed. Whoever asks checks signatures and paths, and a
log that does not hold proves nothing. Reading is bounded, on a thread, one log at a time, and goes on where the last reading
stopped. Left to others: writing (`server.storage`), this boot's own log (`server.heads`).
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from confide.codes import Code
from confide.errors import ReceiptError
from confide.receipt.checkpoint import MAX_CHECKPOINT, unverified_checkpoint
from confide.receipt.frames import FrameReader
from confide.receipt.log import Log
from confide.receipt.statement import MAX_RECEIPT
from confide.server.storage import CHECKPOINTS, LEAVES

log = logging.getLogger("confide.node")
MAX_LEAVES = 1 << 21  # of all logs in memory together: 64 bytes each, 128 MiB
MAX_LOGS = 16  # in memory
SLICE = 256 << 10  # bytes of one reading


@dataclass(frozen=True)
class Head:
    """A log as far as one checkpoint, whose envelope this is; `size` is what it says, unverified."""

    tree: Log
    checkpoint: bytes
    size: int


@dataclass
class _Known:
    """What was read of a log."""

    tree: Log = field(default_factory=Log)
    checkpoint: bytes = b""
    size: int = 0
    leaves_at: int = 0  # offsets of the first byte that was not read
    checkpoints_at: int = 0


class OtherLogs:
    """The folders of one directory. Lives on one event loop."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._reading = asyncio.Lock()

    async def get(self, log_id: bytes) -> Head:
        """The log of this id, up to its latest checkpoint.

        Raises:
            ReceiptError: `log.unknown`; `log.pending` without a checkpoint yet; `log.storage` where it cannot be read.
        """
        async with self._reading:
            known = self._known.pop(log_id, None) or _Known()
            await asyncio.to_thread(self._read, log_id, known)
            self._known[log_id] = known
            while len(self._known) > MAX_LOGS or sum(each.tree.size for each in self._known.values()) > MAX_LEAVES:
                self._known.popitem(last=False)
            return Head(known.tree, known.checkpoint, known.size)

    def _read(self, log_id: bytes, known: _Known) -> None:
        if self._directory is None:
            raise _unknown(log_id)
        try:
            _refresh(self._directory / log_id.hex(), known)
        except FileNotFoundError:
            raise _unknown(log_id) from None
        except OSError as error:
            log.error("log.storage: %s: %s", log_id.hex(), error.strerror)  # noqa: TRY400 - the place says enough
            raise _unreadable("a log that cannot be read") from None
        except ReceiptError as error:
            if error.code in {Code.LOG_PENDING, Code.LOG_STORAGE}:
                raise
            raise _unreadable(f"a damaged log: {error.code.value}") from None


def _refresh(folder: Path, known: _Known) -> None:
    """Checkpoints first: the leaves that the last of them covers were written before it."""
    for envelope in _records(folder / CHECKPOINTS, known, "checkpoints_at", limit=MAX_CHECKPOINT):
        known.checkpoint, known.size = envelope, unverified_checkpoint(envelope).size
    if not known.checkpoint:
        raise ReceiptError(Code.LOG_PENDING, found="a log without a checkpoint", wanted="a first one")
    if known.size > MAX_LEAVES:
        raise _unreadable(f"a log of {known.size} leaves")
    if known.tree.size < known.size:
        for leaf in _records(folder / LEAVES, known, "leaves_at", limit=MAX_RECEIPT):
            known.tree.append(leaf)
            if known.tree.size > MAX_LEAVES:
                break
    if known.tree.size < known.size:
        raise _unreadable(f"{known.tree.size} leaves under a checkpoint of {known.size}")


def _records(path: Path, known: _Known, offset: str, *, limit: int) -> Iterator[bytes]:
    """The whole records from where the last reading stopped; `known` moves on with each."""
    reader = FrameReader(limit=limit, offset=getattr(known, offset))
    with path.open("rb") as file:
        file.seek(reader.offset)
        while piece := file.read(SLICE):
            for record in reader.feed(piece):
                setattr(known, offset, getattr(known, offset) + len(record) + 4)
                yield record


def _unknown(log_id: bytes) -> ReceiptError:
    return ReceiptError(Code.LOG_UNKNOWN, found=log_id.hex(), wanted="a log that this node keeps or can read")


def _unreadable(found: str) -> ReceiptError:
    return ReceiptError(Code.LOG_STORAGE, found=found, wanted="a log that can be read")
