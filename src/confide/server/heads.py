"""The checkpoints of this boot's log: signed when the disk has the leaves, handed out when it has the checkpoint too.

One checkpoint is made at a time, by a task of its own, so that a client that leaves stops nothing. Left to others: what a
checkpoint is (`receipt.checkpointer`), the disk (`server.storage`).
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime

from confide.codes import Code
from confide.errors import ReceiptError
from confide.formats import dsse
from confide.receipt.checkpointer import INTERVAL, Checkpointer
from confide.receipt.log import Log
from confide.server.storage import LogStore

log = logging.getLogger("confide.node")
EVERY = 10.0  # seconds: a log that grew gets a checkpoint by itself, so that a killed boot leaves few leaves without one
PATIENCE = 10.0  # seconds that whoever asks for a proof waits for the disk
CLOSING_PATIENCE = 10.0  # seconds that a node that stops waits for it


class Heads:
    """Makes checkpoints of one log."""

    def __init__(
        self, tree: Log, keys: tuple[dsse.SigningKey, ...], *, store: LogStore | None, now: Callable[[], datetime]
    ) -> None:
        self._tree, self._store, self._now = tree, store, now
        self.checkpointer: Checkpointer | None = Checkpointer(tree, keys)
        self.log_id = self.checkpointer.log_id
        self._making: asyncio.Task[bytes] | None = None
        self._regular: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Make checkpoints of a log that is kept also when nobody asks."""
        if self._store is not None:
            self._regular = asyncio.create_task(self._regularly())

    async def ready(self, covering: int = 0) -> Checkpointer:
        """The checkpointer, with a checkpoint of at least `covering` leaves; waits up to a second until a new one may be made.

        Raises:
            ReceiptError: `log.closed` while the node stops, `log.storage` while its log cannot be written.
        """
        checkpointer = self._open()
        if covering > checkpointer.covered and not checkpointer.due(self._now()):
            await asyncio.sleep(INTERVAL.total_seconds())
            checkpointer = self._open()
        if checkpointer.due(self._now()):
            await self._made()
        return self._open()

    async def close(self) -> bytes:
        """Close the log and return its closing checkpoint; empty where the disk did not take the log to its end."""
        checkpointer, self.checkpointer = self.checkpointer, None
        if checkpointer is None:
            return b""
        self._tree.close()
        try:
            async with asyncio.timeout(CLOSING_PATIENCE):
                if self._regular is not None:
                    self._regular.cancel()
                if self._making is not None:
                    await asyncio.wait((self._making,))
                return await self._sign(checkpointer, closing=True)
        except TimeoutError:
            log.error("log.storage: the log was not written to its end")  # noqa: TRY400 - the place says enough
            return b""
        finally:
            if self._making is not None:
                self._making.cancel()
            if self._store is not None:
                await self._store.close()

    def _open(self) -> Checkpointer:
        if self.checkpointer is None:
            raise ReceiptError(Code.LOG_CLOSED, found="a node that stops", wanted="the closing checkpoint")
        return self.checkpointer

    async def _made(self) -> None:
        if self._store is not None and self._store.standing() is not None:
            raise _storage()
        if self._making is None or self._making.done():
            self._making = asyncio.create_task(self._sign(self._open()))
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.shield(self._making)
        except TimeoutError:
            raise _storage() from None

    async def _sign(self, checkpointer: Checkpointer, *, closing: bool = False) -> bytes:
        size = self._tree.size
        if self._store is not None:
            await self._store.sync()
        signed = checkpointer.make(self._now(), size=size, closing=closing)
        if self._store is not None:
            await self._store.keep(signed[1])
        checkpointer.adopt(signed)
        return signed[1]

    async def _regularly(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            checkpointer = self.checkpointer
            if checkpointer is not None and self._tree.size > checkpointer.covered and checkpointer.due(self._now()):
                with contextlib.suppress(ReceiptError):  # the store has told the operator
                    await self._made()


def _storage() -> ReceiptError:
    return ReceiptError(Code.LOG_STORAGE, found="a disk that does not take the log", wanted="a checkpoint that is kept")
