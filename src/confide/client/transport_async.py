"""`AsyncTransport` over httpx: as `transport`, in an event loop. Cancelling an exchange closes its connection."""

import asyncio
import copy
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx

from confide.client.transport import (
    CONNECTIONS,
    AsyncIncoming,
    Body,
    Deadline,
    Outgoing,
    Reply,
    Timeouts,
    client_options,
    coarse,
    exchange_times,
    media_type,
    require_url,
    stream_times,
)
from confide.codes import Code
from confide.errors import TransportError


class AsyncHttpTransport:
    """`AsyncTransport` over httpx. One whole exchange takes at most its time, however slowly the other side drips."""

    def __init__(self, url: str, *, timeout: float | Timeouts = 60.0, connections: int = CONNECTIONS) -> None:
        self.url = require_url(url)
        self.timeouts = Timeouts.of(timeout)
        # httpcore 1.0 never gives back a place in its pool whose request was cancelled before its connection began. So places are
        # counted here, and its own count is off.
        options = client_options(self.url, connections)
        options["limits"] = httpx.Limits(max_connections=None, max_keepalive_connections=connections)
        self._client, self._places = httpx.AsyncClient(**options), asyncio.Semaphore(connections)

    async def get(self, path: str, *, limit: int) -> Reply:
        """`GET path`, at most `limit` bytes of answer."""
        return await self._send(self._client.build_request("GET", path, timeout=exchange_times(self.timeouts)), limit)

    async def post(self, path: str, body: bytes, *, headers: Mapping[str, str], limit: int) -> Reply:
        """`POST path`, at most `limit` bytes of answer."""
        return await self._send(self._request(path, body, headers, exchange_times(self.timeouts)), limit)

    async def begin(self, path: str, body: Body, *, headers: Mapping[str, str]) -> AsyncIncoming:
        """`POST path`; returns once the head of the answer is there."""
        deadline = Deadline(self.timeouts.stream)
        content = _pieces(body) if isinstance(body, Outgoing) else body
        request = self._request(path, content, headers, stream_times(self.timeouts))
        async with _timed(self.timeouts.stream, self.url):
            await self._places.acquire()
            try:
                return _Incoming(await self._client.send(request, stream=True), deadline, self.url, self._places)
            except BaseException:
                self._places.release()
                raise

    async def close(self) -> None:
        """Give connections back."""
        await self._client.aclose()

    def within(self, timeouts: Timeouts) -> Self:
        """The same connections, with other bounds of time."""
        other = copy.copy(self)
        other.timeouts = timeouts
        return other

    def _request(self, path: str, content: Any, headers: Mapping[str, str], times: httpx.Timeout) -> httpx.Request:
        return self._client.build_request("POST", path, content=content, headers=dict(headers), timeout=times)

    async def _send(self, request: httpx.Request, limit: int) -> Reply:
        deadline, pieces, received = Deadline(self.timeouts.exchange), [], 0
        async with _timed(self.timeouts.exchange, self.url), self._places:
            response = await self._client.send(request, stream=True)
            try:
                async for piece in response.aiter_raw():
                    received = deadline.counted(received, piece, limit)
                    pieces.append(piece)
            finally:
                await response.aclose()
        return Reply(response.status_code, media_type(response), b"".join(pieces))


class _Incoming:
    """The answer that httpx began to read."""

    def __init__(self, response: httpx.Response, deadline: Deadline, url: str, places: asyncio.Semaphore) -> None:
        self._response, self._deadline, self._url = response, deadline, url
        self._places: asyncio.Semaphore | None = places
        self._pieces = response.aiter_raw()
        self.status, self.media_type = response.status_code, media_type(response)

    async def read(self) -> bytes:
        with coarse(self._url):
            piece = await anext(self._pieces, b"")
        self._deadline.require("a whole stream")
        return piece

    async def close(self) -> None:
        places, self._places = self._places, None
        try:
            await self._response.aclose()
        finally:
            if places is not None:
                places.release()


async def _pieces(body: Outgoing) -> AsyncIterator[bytes]:
    """`Outgoing.pieces`; a source that is not asynchronous may block, so it runs in a thread."""
    body.started = True
    source = body.source
    async for piece in source if isinstance(source, AsyncIterable) else _threaded(source):
        if out := body.encoder.write(piece):
            yield out
    yield body.encoder.finish()


async def _threaded(source: Iterable[bytes]) -> AsyncIterator[bytes]:
    pieces: Iterator[bytes] = iter(source)
    ended: Any = object()
    while True:
        piece = await asyncio.to_thread(next, pieces, ended)
        if piece is ended:
            return
        yield piece


@asynccontextmanager
async def _timed(seconds: float, url: str) -> AsyncIterator[None]:
    """`coarse`, and an end to it."""
    try:
        async with asyncio.timeout(seconds):
            with coarse(url):
                yield
    except TimeoutError:
        raise TransportError(
            Code.TRANSPORT_TIMEOUT, found=f"no answer in {seconds:g} s", wanted=url, hint="raise the timeout"
        ) from None
