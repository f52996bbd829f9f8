"""HTTP/1.1 from strangers, bounded: uvicorn's httptools protocol with limits on headers, on slowness and on connections.

uvicorn bounds none of these with httptools: headers may be endless, a first request may never come, a reader may never read, any
number of requests may be pipelined.
Left to others: HTTP itself (llhttp through httptools), bodies and their time (`server.asgi`), what is answered (`server.outer`).
"""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from confide.server.config import Limits

_FULL = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 1\r\nconnection: close\r\n\r\n"
_HEADERS = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_SLOW = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
MAX_PIPELINED = 16  # requests waiting behind one that is being answered; uvicorn queues any number


class BoundedProtocol(HttpToolsProtocol):
    """One connection. `limits` is set by `bounded`."""

    limits = Limits()

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], _loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._in_head = self._began = False
        self._head_bytes = 0  # of earlier pieces
        self._size = 0  # of this piece
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Count connections; give the first request its time."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(_FULL)
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing may fire for a connection that is gone."""
        self._got_head()
        self._caught_up()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and bound what it holds of a head that is not complete."""
        if self.transport.is_closing():
            return
        self._size = len(data)
        super().data_received(data)
        if not self._in_head:
            return
        if self._began:  # somewhere in this piece, after other messages perhaps: it counts from the next one
            self._began = False
        else:
            self._head_bytes += len(data)
        if self._head_bytes > self.limits.header_bytes:
            self._refuse(_HEADERS)
        elif self._head_timer is None:
            self._expect_head()

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._in_head, self._began, self._head_bytes = True, True, 0

    def on_headers_complete(self) -> None:
        """The head is whole: its fields are bounded too, for those that came in one piece."""
        self._in_head = self._began = False
        self._got_head()
        if len(self.pipeline) >= MAX_PIPELINED:
            self.transport.close()
            return
        if self._head_bytes + self._size > self.limits.header_bytes and self._fields() > self.limits.header_bytes:
            self._refuse(_HEADERS)
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Nothing of a request whose head was refused."""
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Nothing of a request whose head was refused."""
        if not self.transport.is_closing():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer given before the whole body came ends the connection: nobody will read the rest."""
        if self.cycle.more_body and not self.pipeline:
            self.transport.close()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The reader is slower than we write: it has its time."""
        super().pause_writing()
        self._caught_up()
        self._write_timer = self.loop.call_later(self.limits.write_ms / 1e3, self.transport.abort)

    def resume_writing(self) -> None:
        """It has caught up."""
        super().resume_writing()
        self._caught_up()

    def timeout_keep_alive_handler(self) -> None:
        """Idle for too long: close, and do not wait for a reader that never reads."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    def _fields(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _refuse(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()

    def _expect_head(self) -> None:
        self._head_timer = self.loop.call_later(self.limits.header_ms / 1e3, self._refuse, _SLOW)

    def _got_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _caught_up(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None


def bounded(limits: Limits) -> type[BoundedProtocol]:
    """The protocol class with these limits; uvicorn takes a class and makes one object per connection."""
    return type("BoundedProtocol", (BoundedProtocol,), {"limits": limits})
