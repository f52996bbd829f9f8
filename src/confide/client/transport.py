"""Bytes to and from a node over HTTP: bounded, timed, without redirects; every failure is a coarse `TransportError`.

Nothing here is trusted or secret: the network sees media types, sizes and the two outer paths. Left to others: what the bytes mean
(`session`, `exchange`, `streaming`), the asynchronous twin (`transport_async`). Anything with these methods can stand in for
`HttpTransport`; what asks for no streams needs no `begin`.
"""

import copy
import ipaddress
import ssl
import time
import urllib.parse
from collections.abc import AsyncIterable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol, Self

import httpx

from confide.codes import Code
from confide.errors import MisuseError, TransportError

CONNECT_TIMEOUT = 10.0  # seconds; a node that accepts no connection by then is not there
CONNECTIONS = 64  # at once, per client
MAX_URL = 2048
MAX_SECONDS = 86400.0


@dataclass(frozen=True)
class Reply:
    """Status, media type (lower case, without parameters) and at most the asked-for number of bytes."""

    status: int
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Timeouts:
    """Seconds.

    Attributes:
        connect: for a connection, and for a free place in the pool.
        exchange: for one whole exchange, waiting and repeating included.
        chunk: between two pieces of a stream.
        stream: for a whole stream.
    """

    connect: float = CONNECT_TIMEOUT
    exchange: float = 60.0
    chunk: float = 60.0
    stream: float = 1800.0

    def __post_init__(self) -> None:
        for seconds in (self.connect, self.exchange, self.chunk, self.stream):
            if not 0 < seconds <= MAX_SECONDS:
                raise MisuseError(Code.CLIENT_INPUT, found=f"a timeout of {seconds:g} s", wanted=f"0 to {MAX_SECONDS:g} s")

    @classmethod
    def of(cls, value: "float | Timeouts") -> "Timeouts":
        """Seconds for one exchange, or all of them."""
        return value if isinstance(value, Timeouts) else cls(exchange=value)


class Encoder(Protocol):
    """Turns pieces into bytes for the wire: `write` each, then `finish` once. Without `finish` the message is no message."""

    def write(self, data: bytes, /) -> bytes:
        """The bytes that leave for this piece."""
        ...

    def finish(self) -> bytes:
        """The last bytes."""
        ...


@dataclass(eq=False)
class Outgoing:
    """A body that is sent as it is made. `started`: a piece was asked for, so that the source may not begin anew."""

    source: Iterable[bytes] | AsyncIterable[bytes] = field(repr=False)
    encoder: Encoder = field(repr=False)
    started: bool = False

    def pieces(self) -> Iterator[bytes]:
        """What goes on the wire. An error of the source breaks the request off: it never looks complete."""
        if not isinstance(self.source, Iterable):
            raise MisuseError(Code.CLIENT_INPUT, found="an asynchronous iterable", wanted="an iterable", hint="use connect_async")
        self.started = True
        for piece in self.source:
            if out := self.encoder.write(piece):
                yield out
        yield self.encoder.finish()


Body = bytes | Outgoing


class Incoming(Protocol):
    """An answer whose head is there."""

    @property
    def status(self) -> int:
        """HTTP status."""
        ...

    @property
    def media_type(self) -> str:
        """Lower case, without parameters."""
        ...

    def read(self) -> bytes:
        """The next bytes as they come; none at the end."""
        ...

    def close(self) -> None:
        """Give the connection back, or close it where the answer has not ended. May be called twice."""
        ...


class Transport(Protocol):
    """How a client reaches one node."""

    def get(self, path: str, *, limit: int) -> Reply:
        """`GET path`, at most `limit` bytes of answer."""
        ...

    def post(self, path: str, body: bytes, *, headers: Mapping[str, str], limit: int) -> Reply:
        """`POST path`, at most `limit` bytes of answer."""
        ...

    def begin(self, path: str, body: Body, *, headers: Mapping[str, str]) -> Incoming:
        """`POST path`; returns once the head of the answer is there."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...


class AsyncIncoming(Protocol):
    """`Incoming` in an event loop."""

    @property
    def status(self) -> int:
        """HTTP status."""
        ...

    @property
    def media_type(self) -> str:
        """Lower case, without parameters."""
        ...

    async def read(self) -> bytes:
        """The next bytes as they come; none at the end."""
        ...

    async def close(self) -> None:
        """Give the connection back, or close it where the answer has not ended. May be called twice."""
        ...


class AsyncTransport(Protocol):
    """`Transport` in an event loop."""

    async def get(self, path: str, *, limit: int) -> Reply:
        """`GET path`, at most `limit` bytes of answer."""
        ...

    async def post(self, path: str, body: bytes, *, headers: Mapping[str, str], limit: int) -> Reply:
        """`POST path`, at most `limit` bytes of answer."""
        ...

    async def begin(self, path: str, body: Body, *, headers: Mapping[str, str]) -> AsyncIncoming:
        """`POST path`; returns once the head of the answer is there."""
        ...

    async def close(self) -> None:
        """Give connections back."""
        ...


class HttpTransport:
    """`Transport` over httpx. One whole exchange takes at most its time, however slowly the other side drips."""

    def __init__(self, url: str, *, timeout: float | Timeouts = 60.0, connections: int = CONNECTIONS) -> None:
        self.url = require_url(url)
        self.timeouts = Timeouts.of(timeout)
        self._client = httpx.Client(**client_options(self.url, connections))

    def get(self, path: str, *, limit: int) -> Reply:
        """`GET path`, at most `limit` bytes of answer."""
        return self._send(self._client.build_request("GET", path, timeout=exchange_times(self.timeouts)), limit)

    def post(self, path: str, body: bytes, *, headers: Mapping[str, str], limit: int) -> Reply:
        """`POST path`, at most `limit` bytes of answer."""
        return self._send(self._request(path, body, headers, exchange_times(self.timeouts)), limit)

    def begin(self, path: str, body: Body, *, headers: Mapping[str, str]) -> Incoming:
        """`POST path`; returns once the head of the answer is there."""
        deadline = Deadline(self.timeouts.stream)
        content = body.pieces() if isinstance(body, Outgoing) else body
        request = self._request(path, content, headers, stream_times(self.timeouts))
        with coarse(self.url):
            return _Incoming(self._client.send(request, stream=True), deadline, self.url)

    def close(self) -> None:
        """Give connections back."""
        self._client.close()

    def within(self, timeouts: Timeouts) -> Self:
        """The same connections, with other bounds of time."""
        other = copy.copy(self)
        other.timeouts = timeouts
        return other

    def _request(self, path: str, content: Any, headers: Mapping[str, str], times: httpx.Timeout) -> httpx.Request:
        return self._client.build_request("POST", path, content=content, headers=dict(headers), timeout=times)

    def _send(self, request: httpx.Request, limit: int) -> Reply:
        deadline = Deadline(self.timeouts.exchange)
        with coarse(self.url):
            response = self._client.send(request, stream=True)
            try:
                content = b"".join(deadline.bounded(response.iter_raw(), limit))
            finally:
                response.close()
        return Reply(response.status_code, media_type(response), content)


class _Incoming:
    """The answer that httpx began to read."""

    def __init__(self, response: httpx.Response, deadline: "Deadline", url: str) -> None:
        self._response, self._deadline, self._url = response, deadline, url
        self._pieces = response.iter_raw()
        self.status, self.media_type = response.status_code, media_type(response)

    def read(self) -> bytes:
        with coarse(self._url):
            piece = next(self._pieces, b"")
        self._deadline.require("a whole stream")
        return piece

    def close(self) -> None:
        self._response.close()


class Deadline:
    """The end of the time that an exchange has."""

    __slots__ = ("_at", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds, self._at = seconds, time.monotonic() + seconds

    def require(self, wanted: str) -> None:
        """`transport.timeout` once the time is over."""
        if time.monotonic() > self._at:
            raise TransportError(Code.TRANSPORT_TIMEOUT, found=f"{self._seconds:g} s over", wanted=wanted)

    def bounded(self, pieces: Iterable[bytes], limit: int) -> Iterator[bytes]:
        """The pieces of an answer that keeps to its bounds. Raw ones: a compressed answer was not asked for and is not unpacked."""
        received = 0
        for piece in pieces:
            received = self.counted(received, piece, limit)
            yield piece

    def counted(self, received: int, piece: bytes, limit: int) -> int:
        """`received` with one piece more; an error outside the bounds."""
        received += len(piece)
        if received > limit:
            raise TransportError(Code.TRANSPORT_TOO_LARGE, found=f"more than {limit} bytes", wanted=f"at most {limit}")
        if time.monotonic() > self._at:
            raise TransportError(Code.TRANSPORT_TIMEOUT, found=f"{received} bytes in {self._seconds:g} s", wanted="all")
        return received


def require_url(url: str) -> str:
    """The address of a node without its trailing slash; `client.url` unless it is plain `http(s)://host[:port][/prefix]`."""
    wanted = "http(s)://host[:port]"
    if len(url) > MAX_URL:
        raise MisuseError(Code.CLIENT_URL, found=f"{len(url)} characters", wanted=wanted)
    try:
        urllib.parse.urlsplit(url)  # knows a broken IPv6 literal, which httpx lets pass
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise MisuseError(Code.CLIENT_URL, found="an address that cannot be parsed", wanted=wanted) from None
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise MisuseError(Code.CLIENT_URL, found=f"scheme {parsed.scheme[:16]!r}", wanted=wanted)
    if parsed.userinfo or parsed.query or parsed.fragment:
        raise MisuseError(Code.CLIENT_URL, found="credentials, a query or a fragment in the address", wanted=wanted)
    return str(parsed).rstrip("/")


def client_options(url: str, connections: int) -> dict[str, Any]:
    """How both twins set up httpx.

    A loopback node is never asked for through a proxy. Elsewhere HTTPS_PROXY and friends count: what passes them is sealed.
    """
    if not 1 <= connections <= 10_000:
        raise MisuseError(Code.CLIENT_INPUT, found=f"{connections} connections", wanted="1 to 10000")
    near = _is_loopback(httpx.URL(url).host)
    return {
        "verify": _no_tls() if near and url.startswith("http://") else True,
        "base_url": url,
        "limits": httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        "follow_redirects": False,
        "trust_env": not near,
        "headers": {"accept-encoding": "identity", "user-agent": "confide"},
    }


@lru_cache(maxsize=64)
def exchange_times(timeouts: Timeouts) -> httpx.Timeout:
    """What bounds single waits of an exchange in one piece."""
    return httpx.Timeout(timeouts.exchange, connect=min(timeouts.connect, timeouts.exchange))


@lru_cache(maxsize=64)
def stream_times(timeouts: Timeouts) -> httpx.Timeout:
    """What bounds single waits of a stream."""
    return httpx.Timeout(timeouts.chunk, connect=min(timeouts.connect, timeouts.stream))


def media_type(response: httpx.Response) -> str:
    """Lower case, without parameters."""
    kind: str = response.headers.get("content-type", "")
    return kind.split(";", 1)[0].strip().lower()


def _no_tls() -> ssl.SSLContext:
    """Trusts nobody. Where no TLS will be spoken, reading the system's certificates would cost 20 ms for nothing."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761 section 6.3
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def coarse(url: str) -> Iterator[None]:
    """httpx's errors as ours. The address is the caller's own and may be shown; exception texts may not."""
    try:
        yield
    except httpx.TimeoutException:
        raise TransportError(
            Code.TRANSPORT_TIMEOUT, found="no answer", wanted=url, hint="is the node busy? raise the timeout"
        ) from None
    except httpx.ConnectError:
        hint = "is the node running there? start one with `confide serve`"
        raise TransportError(Code.TRANSPORT_UNREACHABLE, found="no connection", wanted=url, hint=hint) from None
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise TransportError(Code.TRANSPORT_BROKEN, found=type(error).__name__, wanted="a complete answer") from None
