"""The receipts of this boot and their log, as the server uses them (DESIGN section 6).

A receipt states its own log index, so index and leaf are taken in one step of the event loop, with nothing awaited between.
Left to others: formats and signatures (`receipt`), who may ask (`server.inner`).
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

from confide.codes import Code
from confide.engine.results import EngineIdentity
from confide.errors import ReceiptError
from confide.guest.keys import NodeKeys
from confide.receipt.checkpointer import INTERVAL, Checkpointer
from confide.receipt.deliver import to_trailers
from confide.receipt.issue import issue
from confide.receipt.log import Log
from confide.server.asgi import Headers
from confide.server.channel import Channel


class Proof:
    """Signs receipts, keeps their log, proves that they are in it."""

    def __init__(self, *, keys: NodeKeys, engine: EngineIdentity, now: Callable[[], datetime]) -> None:
        self._keys, self._engine, self._now = keys, engine, now
        self._log = Log()
        self._checkpointer: Checkpointer | None = Checkpointer(self._log, (keys.receipt, keys.log))
        self._closing = b""

    @property
    def size(self) -> int:
        """Receipts issued so far."""
        return self._log.size

    def trailers(self, channel: Channel, *, request: bytes, response: bytes) -> Headers:
        """The receipt over an opened request and its answer through the content, logged, as trailers."""
        index = self._log.size
        issued = issue(
            key=self._keys.receipt,
            keyset_digest=channel.keyset.digest,
            key_config=channel.key_config,
            enc=channel.enc,
            request=request,
            response=response,
            model=channel.model.ref if channel.model else None,
            engine=self._engine,
            software_digest=channel.keyset.software_digest,
            parameters=channel.parameters,
            outcome=channel.outcome,
            log_index=index,
            issued_at=self._now(),
        )
        self._log.append(issued.envelope, index=index)
        return to_trailers(issued)

    async def inclusion(self, index: int) -> bytes:
        """The log proof of a receipt; waits for the next checkpoint when the last one does not cover it.

        Raises:
            ReceiptError: `log.index`; `log.closed` while the node stops.
        """
        try:
            return self._prove(index)
        except ReceiptError as error:
            if error.code is not Code.LOG_PENDING:
                raise
        await asyncio.sleep(INTERVAL.total_seconds())
        return self._prove(index)

    def _prove(self, index: int) -> bytes:
        if self._checkpointer is None:
            raise ReceiptError(Code.LOG_CLOSED, found="a node that stops", wanted="the closing checkpoint")
        return self._checkpointer.prove(index, self._now()).to_bytes()

    def close(self) -> bytes:
        """Close the log: its closing checkpoint. Nothing here holds a signing key afterwards."""
        if self._checkpointer is not None:
            self._closing, self._checkpointer = self._checkpointer.close(self._now()), None
        return self._closing
