"""The sending end of a chunked answer: the inner application's `send`, binary HTTP, sealed chunks, the network.

An answer in one piece is written with a known length. Anything else is written with an indeterminate one, each flush a chunk of its
own that leaves at once; pieces that come within `coalesce` seconds leave together, so that chunks tell less of what made them
(DESIGN section 5). Writing waits for the reader: who reads slowly is answered slowly, and nothing piles up here.

The final chunk is sent by `finish` and by nothing else: an answer that broke never looks complete.
"""

import asyncio
import hashlib
from collections.abc import Callable

from confide.receipt.commit import Hashed
from confide.seal import bhttp, bhttp_write
from confide.seal.chunked import OHTTP_CHUNKED_RESPONSE, ChunkedResponseSealer
from confide.seal.stream import MAX_CHUNK
from confide.server.asgi import Headers, Message, Reply, Send

OUTER_HEADERS = (
    (b"content-type", OHTTP_CHUNKED_RESPONSE.encode()),
    (b"cache-control", b"no-store"),
    (b"incremental", b"?1"),  # RFC 9842 asks intermediaries not to wait for more
    (b"x-accel-buffering", b"no"),  # the same for nginx
)
Trailers = Callable[[bytes | Hashed], Headers]


class Outgoing:
    """One chunked answer on its way out."""

    def __init__(self, sealer: ChunkedResponseSealer, send: Send, *, coalesce: float, pad: Callable[[int], int] | None) -> None:
        self._sealer, self._send, self._coalesce, self._pad = sealer, send, coalesce, pad
        self._head: tuple[int, Headers] | None = None
        self._whole: bytes | None = None  # an answer in one piece
        self._streaming = self._begun = False
        self._waiting = bytearray()  # encoded, not sealed yet
        self._written = 0
        self._hash = hashlib.sha256()
        self._flushed_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()

    @property
    def streaming(self) -> bool:
        """Whether some of the answer may have left: then it can only be completed or broken off."""
        return self._streaming

    @property
    def hashed(self) -> Hashed:
        """SHA-256 of what was streamed, for the receipt of an answer that broke."""
        return Hashed(self._hash.digest())

    async def send(self, message: Message) -> None:
        """ASGI."""
        if message["type"] == "http.response.start":
            self._head = message["status"], tuple(message["headers"])
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if self._head is None or self._whole is not None:
            raise RuntimeError("a body outside an answer")
        if not self._streaming and not more:
            self._whole = body
            return
        if not self._streaming:
            self._streaming = True
            self._encode(bhttp_write.encode_response_head(*self._head))
        if body:
            self._encode(bhttp_write.encode_content(body))
            await self._shape()
        if not more:
            self._whole = b""

    def reply(self) -> Reply:
        """The answer in one piece."""
        if self._head is None or self._whole is None:
            raise RuntimeError("the inner application did not complete its answer")
        return Reply(*self._head, self._whole)

    async def finish(self, trailers: Trailers) -> None:
        """The end of a streamed answer with its receipt, which `trailers` makes of what the receipt commits to."""
        self.stop()
        if self._flushing is not None:
            await self._flushing  # what failed there fails the answer
        async with self._lock:
            committed = self._hash.copy()
            committed.update(bhttp_write.CONTENT_END)
            fields = trailers(Hashed(committed.digest()))
            self._encode(bhttp_write.CONTENT_END)
            rest, self._waiting = bytes(self._waiting), bytearray()
            rest += bhttp_write.encode_end(fields, written=self._written, pad_to=self._pad)
            await self._leave(self._sealer.finish(rest), last=True)

    async def answer(self, reply: Reply, trailers: Trailers) -> None:
        """A whole answer in one piece with its receipt."""
        prefix = bhttp.encode_response_prefix(reply.status, reply.headers, reply.body)
        await self._leave(self._sealer.finish(bhttp.finish_response(prefix, trailers(prefix), self._pad)), last=True)

    async def refuse(self, reply: Reply) -> None:
        """A whole answer without a receipt: nothing was accepted, or the request did not end."""
        await self.answer(reply, lambda _: ())

    def stop(self) -> None:
        """No flush by itself from now on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """The exchange is over, complete or not: nothing leaves any more."""
        self.stop()
        if self._flushing is not None:
            self._flushing.cancel()

    def _encode(self, data: bytes) -> None:
        self._hash.update(data)
        self._written += len(data)
        self._waiting += data

    async def _shape(self) -> None:
        """Let go now, or a little later together with what comes until then. An earlier flush that failed fails this."""
        if self._flushing is not None and self._flushing.done():
            self._flushing.result()
        now = asyncio.get_running_loop().time()
        due = self._flushed_at + self._coalesce
        if now >= due or len(self._waiting) >= MAX_CHUNK:
            self.stop()
            await self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(due, self._flush_later)

    def _flush_later(self) -> None:
        self._timer = None
        self._flushing = asyncio.get_running_loop().create_task(self._flush())
        self._flushing.add_done_callback(_noted)

    async def _flush(self) -> None:
        async with self._lock:
            data, self._waiting = bytes(self._waiting), bytearray()
            self._flushed_at = asyncio.get_running_loop().time()
            if data:
                await self._leave(self._sealer.write(data), last=False)

    async def _leave(self, sealed: bytes, *, last: bool) -> None:
        if not self._begun:
            self._begun = True
            await self._send({"type": "http.response.start", "status": 200, "headers": list(OUTER_HEADERS)})
        await self._send({"type": "http.response.body", "body": sealed, "more_body": not last})


def _noted(task: "asyncio.Task[None]") -> None:
    """A flush that failed is told by the next write or the end, which fail too; here only so that it counts as looked at."""
    if not task.cancelled():
        task.exception()
