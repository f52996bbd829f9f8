"""The receiving end of a chunked request: outer bytes in, opened chunks, binary HTTP, the inner application's `receive`.

Bytes are asked for when the inner application wants some, so that a slow handler slows its sender down and nothing piles up: at
most one chunk and one piece are held. Left to others: opening (`seal.chunked`), parsing (`seal.bhttp_stream`), answering.
"""

import asyncio
import contextlib
from collections import deque

from confide.codes import Code
from confide.errors import ChannelError
from confide.receipt.commit import Hashed
from confide.seal.bhttp_stream import Content, End, Event, RequestHead, RequestReader
from confide.seal.chunked import ChunkedRequestOpener
from confide.seal.varint import MAX_VARINT
from confide.server import NodeError
from confide.server.asgi import Message, Receive


class Incoming:
    """One chunked request on its way in.

    Attributes:
        head: control data and headers, once they came.
        complete: whether the final chunk was opened and the message is whole.
    """

    def __init__(self, opener: ChunkedRequestOpener, receive: Receive, *, chunk_seconds: float, limit: int) -> None:
        self._opener, self._receive, self._seconds, self._limit = opener, receive, chunk_seconds, limit
        self._reader = RequestReader(max_content=MAX_VARINT)  # counted here, because the bound may grow when the head is known
        self._content = 0
        self._pieces: deque[bytes] = deque()
        self.head: RequestHead | None = None
        self.complete = self._broken = False

    @property
    def hashed(self) -> Hashed:
        """SHA-256 of the whole inner message: what the receipt commits to. Of a part of it, before it is complete."""
        return Hashed(self._reader.digest)

    async def read_head(self) -> RequestHead:
        """Wait for the head.

        Raises:
            ChannelError: the request could not be opened, or is no binary HTTP request.
            NodeError: `node.too_slow`, or `node.bad_request` when the client left.
        """
        while self.head is None:
            await self._pull()
        return self.head

    def allow(self, limit: int | None) -> None:
        """Take so many bytes of content, on a route with a bound of its own."""
        if limit is not None:
            self._limit = limit
            self._opener.allow(limit)

    async def receive(self) -> Message:
        """ASGI: the next piece of content, taken from the network only when it is asked for."""
        while not self._pieces and not self.complete:
            await self._pull()
        if self._pieces:
            return {"type": "http.request", "body": self._pieces.popleft(), "more_body": bool(self._pieces) or not self.complete}
        return {"type": "http.request", "body": b"", "more_body": False}

    async def drain(self, *, patience: float) -> bool:
        """Read the rest, so that a receipt can cover the whole request; whether it came, in bounds and within so many seconds."""
        with contextlib.suppress(ChannelError, NodeError, TimeoutError):
            async with asyncio.timeout(patience):
                while not self.complete and not self._broken:
                    await self._pull()
                    self._pieces.clear()
        return self.complete

    async def _pull(self) -> None:
        """One message of the network. After a fault there is no next one."""
        if self._broken:
            raise NodeError(Code.NODE_BAD_REQUEST, found="a request that broke off", wanted="the whole request")
        try:
            async with asyncio.timeout(self._seconds):
                message = await self._receive()
            self._open(message)
        except TimeoutError:
            self._broken = True
            raise NodeError(Code.NODE_TOO_SLOW, found=f"nothing in {self._seconds} s", wanted="the next chunk") from None
        except (ChannelError, NodeError):
            self._broken = True
            raise

    def _open(self, message: Message) -> None:
        if message["type"] != "http.request":
            raise NodeError(Code.NODE_BAD_REQUEST, found="a client that left", wanted="the whole request")
        for plaintext in self._opener.feed(message.get("body", b"")):
            self._take(self._reader.feed(plaintext))
        if not message.get("more_body", False):
            self._take(self._reader.feed(self._opener.close()))
            self._take(self._reader.close())

    def _take(self, events: list[Event]) -> None:
        """Pieces that came together are one: a sender's many small ones cost no more memory than their bytes."""
        pieces: list[bytes] = []
        for event in events:
            if isinstance(event, Content):
                self._content += len(event.data)
                if self._content > self._limit:
                    raise NodeError(Code.NODE_TOO_LARGE, found=f"over {self._limit} bytes", wanted=f"at most {self._limit}")
                pieces.append(event.data)
            elif isinstance(event, RequestHead):
                self.head = event
            elif isinstance(event, End):
                self.complete = True
        if pieces:
            self._pieces.append(pieces[0] if len(pieces) == 1 else b"".join(pieces))
