"""HTTP/1.1 from strangers, bounded: uvicorn's httptools protocol with limits on headers, on slowness and on connections.

uvicorn bounds none of these with httptools: headers and trailers may be endless, a first request may never come, a reader may never
read, any number of requests may be pipelined; a body behind `Upgrade` is taken for the next request; and a client that leaves is
not noticed before its answer is written. Here its work is cancelled.

Left to others: HTTP itself (llhttp through httptools), one request and its answer (`server.exchange`), bodies and their time
(`server.asgi`), what is answered (`server.outer`).
"""

import asyncio
import sys
from collections import deque
from collections.abc import Coroutine
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from confide.server.asgi import Scope
from confide.server.config import Limits
from confide.server.exchange import Exchange

_FULL = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 1\r\nconnection: close\r\n\r\n"
_HEADERS = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_SLOW = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_BAD = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_ASGI = {"version": "3.0", "spec_version": "2.3"}
BODY_SECONDS = 0.05  # a body that takes longer is waited for by the application, which has its own bound
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
        self._idle_timer: asyncio.TimerHandle | None = None
        self._idle_since = 0.0
        self._body_timer: asyncio.TimerHandle | None = None
        self._answering: Exchange | None = None
        self._arriving: Exchange | None = None  # the last whose head came
        self._waiting: deque[Exchange] = deque()  # those whose answer has not begun
        self._deaf = False  # nothing more is read: what comes cannot be understood

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Count connections; give the first request its time."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(_FULL)
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever works for this client stops, and nothing may fire for a connection that is gone."""
        for name in ("_head_timer", "_write_timer", "_idle_timer", "_body_timer"):
            self._stop(name)
        self._waiting.clear()
        if self._answering is not None:
            self._answering.disconnect()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and bound what it holds of a head that is not complete."""
        if self._deaf or self.transport.is_closing():
            return
        self._size = len(data)
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse(_BAD)
            return
        finally:
            self._next()
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
        self.url, self.headers, self.expect_100_continue = b"", [], False
        self._in_head, self._began, self._head_bytes = True, True, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head. A trailer would never end, and be taken for a field of the head: none is read."""
        if not self._in_head:
            self._refuse(_BAD)
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole: its fields are bounded too, for those that came in one piece."""
        self._in_head = self._began = False
        self._stop("_head_timer")
        if self._deaf or self.transport.is_closing():
            return
        if len(self._waiting) >= MAX_PIPELINED:
            self.transport.close()
        elif self._head_bytes + self._size > self.limits.header_bytes and self._fields() > self.limits.header_bytes:
            self._refuse(_HEADERS)
        elif self.parser.should_upgrade():  # and CONNECT: llhttp would take the body for the next request
            self._refuse(_BAD)
        else:
            self._begin()

    def on_body(self, body: bytes) -> None:
        """Nothing of a request whose head was refused."""
        if self._arriving is not None and not self._deaf and not self.transport.is_closing():
            self._arriving.feed(body)

    def on_message_complete(self) -> None:
        """Nothing of a request whose head was refused."""
        if self._arriving is not None and not self._deaf and not self.transport.is_closing():
            self._arriving.feed_end()

    def on_response_complete(self) -> None:
        """The next request, if one waits. An answer given before the whole body came ends the connection: nobody reads the rest."""
        self.server_state.total_requests += 1
        answered, self._answering = self._answering, None
        if answered is not None and answered.more_body:
            self.transport.close()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self._waiting:
            self._next()
        else:
            self._idle()

    def shutdown(self) -> None:
        """The node stops: the answer that is on its way is the last one."""
        last = self._answering or (self._waiting[0] if self._waiting else None)
        if last is None:
            self.transport.close()
        else:
            last.keep_alive = False

    def pause_writing(self) -> None:
        """The reader is slower than we write: it has its time."""
        super().pause_writing()
        self._stop("_write_timer")
        self._write_timer = self.loop.call_later(self.limits.write_ms / 1e3, self.transport.abort)

    def resume_writing(self) -> None:
        """It has caught up."""
        super().resume_writing()
        self._stop("_write_timer")

    def _begin(self) -> None:
        """Answer the request whose head came, or let it wait behind the one that is being answered."""
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        scope: Scope = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": self.parser.get_http_version(),
            "method": self.parser.get_method().decode("ascii"),
            "scheme": "http",
            "path": unquote(path) if "%" in path else path,
            "raw_path": url.path,
            "query_string": url.query or b"",
            "root_path": "",
            "headers": self.headers,
            "client": self.client,
            "server": self.server,
        }
        exchange = self._arriving = Exchange(
            scope,
            transport=self.transport,
            flow=self.flow,
            keep_alive=scope["http_version"] == "1.1" and self.parser.should_keep_alive(),
            expects_continue=self.expect_100_continue,
            on_response=self.on_response_complete,
        )
        self._waiting.append(exchange)
        if len(self._waiting) >= MAX_PIPELINED // 2:  # not before: who does not read does not see that the client left
            self.flow.pause_reading()

    def _next(self) -> None:
        """Begin the next answer. Most bodies come right behind their heads, and waiting for them here costs no task a turn."""
        if self._answering is not None or not self._waiting or self.transport.is_closing():
            return
        if self._waiting[0].worth_starting:
            self._start()
        elif self._body_timer is None:
            self._body_timer = self.loop.call_later(BODY_SECONDS, self._start)

    def _start(self) -> None:
        self._stop("_body_timer")
        exchange = self._answering = self._waiting.popleft()
        task = exchange.task = _begun(self.loop, exchange.run(self.app))
        if not task.done():
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    def _idle(self) -> None:
        """Idle from now on. One timer per connection looks at it from time to time, instead of one per request."""
        self._idle_since = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.limits.idle_ms / 1e3, self._still_idle)

    def _still_idle(self) -> None:
        """Idle for too long: close, and do not wait for a reader that never reads."""
        self._idle_timer = None
        left = self._idle_since + self.limits.idle_ms / 1e3 - self.loop.time()
        if self._answering is not None or self._in_head or left > 0:  # a head has its own time, an answer starts this anew
            if self._answering is None:
                self._idle_timer = self.loop.call_later(max(left, 0.1), self._still_idle)
        elif self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def _fields(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _refuse(self, answer: bytes) -> None:
        """Answer and close. A fault behind a request that is whole is not that one's: its answer is given, and is the last one."""
        if self.transport.is_closing():
            return
        if self._waiting and self._waiting[-1].more_body and (self._answering is not None or len(self._waiting) > 1):
            self._waiting.pop()  # the fault is in this one's body, and others come before it
        last = self._waiting[-1] if self._waiting else self._answering
        if last is not None and not last.more_body:
            last.keep_alive = False
            self._deaf = True
            return
        if last is None or not last.started:
            self.transport.write(answer)
        self.transport.close()

    def _expect_head(self) -> None:
        self._head_timer = self.loop.call_later(self.limits.header_ms / 1e3, self._refuse, _SLOW)

    def _stop(self, name: str) -> None:
        timer: asyncio.TimerHandle | None = getattr(self, name)
        if timer is not None:
            timer.cancel()
            setattr(self, name, None)


def _begun(loop: asyncio.AbstractEventLoop, run: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
    """A task that has run to its first wait already, where Python can do that (3.12)."""
    if sys.version_info >= (3, 12):
        return asyncio.Task(run, loop=loop, eager_start=True)
    return loop.create_task(run)


def bounded(limits: Limits) -> type[BoundedProtocol]:
    """The protocol class with these limits; uvicorn takes a class and makes one object per connection."""
    return type("BoundedProtocol", (BoundedProtocol,), {"limits": limits})
