"""One HTTP/1.1 request on a connection, and its answer: the ASGI side of `server.protocol`.

It stands in the place of uvicorn's `RequestResponseCycle`, which writes an answer in two steps and copies every body twice. Here
head and body leave in one write, pieces of a body are handed on as they came, and work for a client that left is cancelled.

Left to others: the connection and its bounds (`server.protocol`), the application (`server.outer`).
"""

import asyncio
import re
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl

from confide.server.asgi import App, Message, Scope

HIGH_WATER = 1 << 16  # bytes of a body that wait for the application before reading pauses
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_FAILED = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
# RFC 9110 sections 5.1 and 5.5: a name is a token, a value has no controls. Neither can end a line.
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*").fullmatch


class Exchange:
    """A request that arrives while its answer may already be on its way."""

    __slots__ = (
        "_continue", "_flow", "_framed", "_head", "_left", "_on_response", "_pieces", "_size", "_transport", "_waiter",
        "disconnected", "keep_alive", "more_body", "response_complete", "scope", "task",
    )  # fmt: skip

    def __init__(
        self,
        scope: Scope,
        *,
        transport: asyncio.Transport,
        flow: FlowControl,
        keep_alive: bool,
        expects_continue: bool,
        on_response: Callable[[], None],
    ) -> None:
        self.scope, self.keep_alive = scope, keep_alive
        self._transport, self._flow, self._on_response = transport, flow, on_response
        self._continue = expects_continue
        self._pieces: list[bytes] = []
        self._size = 0
        self._waiter: asyncio.Future[None] | None = None
        self._head: bytes | None = None
        self._left = 0  # bytes of the answer's body still to come; -1 when nobody knows
        self._framed = False  # chunked transfer coding (RFC 9112 section 7.1)
        self.more_body = True
        self.disconnected = self.response_complete = False
        self.task: asyncio.Task[None] | None = None

    @property
    def started(self) -> bool:
        """Whether some of the answer was given."""
        return self._head is not None

    @property
    def worth_starting(self) -> bool:
        """Whether the application can do something: the body is whole, is long, or waits to be asked for."""
        return not self.more_body or self._continue or self._size > HIGH_WATER

    async def run(self, app: App) -> None:
        """Call the application; one that does not complete its answer loses the connection, so that nobody takes half for whole."""
        try:
            await app(self.scope, self.receive, self.send)
        except asyncio.CancelledError:
            self._transport.abort()
            raise
        except BaseException:
            self._give_up()
            raise
        if not self.response_complete:
            self._give_up()

    def feed(self, body: bytes) -> None:
        """A piece of the body."""
        if self.response_complete:
            return
        self._pieces.append(body)
        self._size += len(body)
        if self._size > HIGH_WATER:
            self._flow.pause_reading()
        self._wake()

    def feed_end(self) -> None:
        """The body is whole."""
        self.more_body = False
        self._wake()

    def disconnect(self) -> None:
        """The client is gone: what works for it stops."""
        self.disconnected = True
        self._wake()
        if self.task is not None and not self.response_complete:
            self.task.cancel()

    async def receive(self) -> Message:
        """ASGI: what has come of the body, or that the client left."""
        if self._continue and not self._transport.is_closing():
            self._transport.write(_CONTINUE)
        self._continue = False
        while not (self._pieces or not self.more_body or self.disconnected or self.response_complete):
            self._flow.resume_reading()
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces, self._size = [], 0
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def send(self, message: Message) -> None:
        """ASGI: the head waits for the first piece of the body; then both leave together."""
        if self._flow.write_paused and not self.disconnected:
            await self._flow.drain()
        if self.disconnected:
            return
        if message["type"] == "http.response.start":
            self._start(message["status"], message["headers"])
        else:
            self._body(message.get("body", b""), last=not message.get("more_body", False))

    def _start(self, status: int, headers: Any) -> None:
        if self._head is not None or self.response_complete:
            raise RuntimeError("an answer was started twice")
        self._continue = False
        lines, self._left = [_status_line(status)], -1
        for name, value in headers:
            lines.append(header_line(name, value))
            if name == b"content-length":
                self._left = int(value)
            elif name == b"connection" and value == b"close":
                self.keep_alive = False
        if self._left < 0:  # the answer ends with its last chunk, for HTTP/1.0 with the connection: what is inside knows its end
            self._framed = self.scope["http_version"] == "1.1"
            lines += [b"transfer-encoding: chunked\r\n"] if self._framed else []
        lines.append(b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n")
        self._head = b"".join(lines)

    def _body(self, body: bytes, *, last: bool) -> None:
        head = self._head
        if head is None or self.response_complete:
            raise RuntimeError("a body outside an answer")
        if self._left >= 0:
            self._left -= len(body)
            if self._left < 0 or (last and self._left):
                raise RuntimeError("a body of another length than declared")
        if self.scope["method"] == "HEAD":
            body = b""
        parts = (head, *(_framed(body, last=last) if self._framed else (body,)))
        self._head = b""
        self._transport.writelines([part for part in parts if part])
        if last:
            self.response_complete = True
            self._wake()
            if not self.keep_alive:
                self._transport.close()
            self._on_response()

    def _give_up(self) -> None:
        if self._head is None and not self.disconnected and not self._transport.is_closing():
            self._transport.write(_FAILED)
        self._transport.close()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _framed(body: bytes, *, last: bool) -> tuple[bytes, ...]:
    """One chunk, and the end of them; an empty chunk would be the end."""
    end = b"0\r\n\r\n" if last else b""
    return (b"%x\r\n" % len(body), body, b"\r\n", end) if body else (end,)


@lru_cache(maxsize=256)
def header_line(name: bytes, value: bytes) -> bytes:
    """One line of a head, checked: nothing in it can end the line."""
    if _NAME(name) is None or _VALUE(value) is None:
        raise RuntimeError("a header that HTTP cannot carry")
    return b"%b: %b\r\n" % (name, value)


@lru_cache(maxsize=64)
def _status_line(status: int) -> bytes:
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
