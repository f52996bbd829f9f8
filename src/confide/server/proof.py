"""The receipts of this boot and their log, as the server uses them (DESIGN section 6).

A receipt states its own log index, so index and leaf are taken in one step of the event loop, with nothing awaited between.
Proofs are of this boot's log, or of another boot's where its id is given. Left to others: formats and signatures (`receipt`),
when checkpoints are made (`server.heads`), the disk (`server.storage`, `server.otherlogs`), who may ask (`server.inner`).
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from confide.codes import Code
from confide.engine.results import EngineIdentity
from confide.guest.keys import NodeKeys
from confide.receipt.checkpoint import log_id
from confide.receipt.commit import Hashed
from confide.receipt.deliver import to_trailers
from confide.receipt.issue import issue
from confide.receipt.log import Log
from confide.receipt.proof import BatchProof, ConsistencyProof
from confide.receipt.proving import grown, prove, require_leaves
from confide.server.asgi import Headers
from confide.server.channel import Channel
from confide.server.heads import Heads
from confide.server.otherlogs import OtherLogs
from confide.server.storage import LogStore

SLICE = 64  # paths made without giving way to other requests


async def open_proof(directory: Path | None, *, keys: NodeKeys, engine: EngineIdentity, now: Callable[[], datetime]) -> "Proof":
    """The proof of a boot that keeps its log under `directory`, or in memory only.

    Raises:
        NodeError: `node.config` where the folder cannot be made.
    """
    store = None if directory is None else LogStore(directory, log_id((keys.receipt.public, keys.log.public)))
    if store is not None:
        await store.open()
    proof = Proof(keys=keys, engine=engine, now=now, store=store, others=OtherLogs(directory))
    proof.start()
    return proof


class Proof:
    """Signs receipts, keeps their log, proves that they are in it."""

    def __init__(
        self,
        *,
        keys: NodeKeys,
        engine: EngineIdentity,
        now: Callable[[], datetime],
        store: LogStore | None = None,
        others: OtherLogs | None = None,
    ) -> None:
        self._keys, self._engine, self._now = keys, engine, now
        self._log, self._store, self._others = Log(), store, others or OtherLogs(None)
        self._heads = Heads(self._log, (keys.receipt, keys.log), store=store, now=now)

    @property
    def size(self) -> int:
        """Receipts issued so far."""
        return self._log.size

    def start(self) -> None:
        """Make checkpoints of a log that is kept also when nobody asks for them."""
        self._heads.start()

    def standing(self) -> Code | None:
        """`log.storage` while the log cannot be kept: no request is taken whose receipt might be lost."""
        return None if self._store is None else self._store.standing()

    def trailers(self, channel: Channel, *, request: bytes | Hashed, response: bytes | Hashed) -> Headers:
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
        if self._store is not None:
            self._store.append(issued.envelope)
        return to_trailers(issued)

    def keep_keyset(self, digest: bytes, document: bytes) -> None:
        """Keep the evidence of a keyset of this boot beside its log: called when an epoch becomes active."""
        if self._store is not None:
            self._store.keep_keyset(digest, document)

    async def kept(self) -> None:
        """Return when everything so far is on the disk: a boot's first keyset before its first receipt."""
        if self._store is not None:
            await self._store.sync()

    async def inclusion(self, index: int, *, log_id: bytes | None = None) -> bytes:
        """The log proof of a receipt; waits for the next checkpoint when the last one does not cover it.

        Raises:
            ReceiptError: `log.index`; `log.unknown`, `log.storage`; `log.closed` while the node stops.
        """
        return (await self._prove((index,), log_id)).proof(index).to_bytes()

    async def batch(self, indices: Sequence[int], *, log_id: bytes | None = None) -> bytes:
        """The same for many receipts of one log, under one checkpoint."""
        return (await self._prove(indices, log_id)).to_bytes()

    async def checkpoint(self, *, log_id: bytes | None = None) -> bytes:
        """The envelope of the latest checkpoint."""
        if self._own(log_id):
            return (await self._heads.ready()).envelope
        return (await self._others.get(log_id or b"")).checkpoint

    async def consistency(self, first: int, second: int, *, log_id: bytes | None = None) -> bytes:
        """The proof of growth between two sizes that checkpoints cover; `log.index` for others."""
        return (await self._grown(first, second, log_id)).to_bytes()

    async def close(self) -> bytes:
        """Close the log: its closing checkpoint. Nothing here holds a signing key afterwards."""
        return await self._heads.close()

    def _own(self, log_id: bytes | None) -> bool:
        return log_id is None or log_id == self._heads.log_id

    async def _prove(self, indices: Sequence[int], log_id: bytes | None) -> BatchProof:
        if self._own(log_id):
            covering = require_leaves(self._log, indices)[-1] + 1
            head = await self._heads.ready(covering)
            tree, checkpoint, size = self._log, head.envelope, head.covered
        else:
            other = await self._others.get(log_id or b"")
            tree, checkpoint, size = other.tree, other.checkpoint, other.size
        wanted = require_leaves(tree, indices)
        paths: dict[int, tuple[bytes, ...]] = {}
        for place in range(0, len(wanted), SLICE):
            paths.update(prove(tree, checkpoint, size, wanted[place : place + SLICE]).paths)
            await asyncio.sleep(0)
        return BatchProof(checkpoint, size, paths)

    async def _grown(self, first: int, second: int, log_id: bytes | None) -> ConsistencyProof:
        if self._own(log_id):
            return (await self._heads.ready(second)).grown(first, second)
        other = await self._others.get(log_id or b"")
        return grown(other.tree, other.size, first, second)
