"""Bytes to and from a node over HTTP: bounded, timed, without redirects; every failure is a coarse `TransportError`.

Nothing here is trusted or secret: the network sees media types, sizes and the two outer paths. Left to others: what the bytes mean
(`session`, `exchange`). Anything with these three methods can stand in for `HttpTransport`.
"""

import ipaddress
import ssl
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import httpx

from confide.codes import Code
from confide.errors import MisuseError, TransportError

CONNECT_TIMEOUT = 10.0  # seconds; a node that accepts no connection by then is not there
MAX_URL = 2048


@dataclass(frozen=True)
class Reply:
    """Status, media type (lower case, without parameters) and at most the asked-for number of bytes."""

    status: int
    media_type: str
    content: bytes = field(repr=False)


class Transport(Protocol):
    """How a client reaches one node."""

    def get(self, path: str, *, limit: int) -> Reply:
        """`GET path`, at most `limit` bytes of answer."""
        ...

    def post(self, path: str, body: bytes, *, headers: Mapping[str, str], limit: int) -> Reply:
        """`POST path`, at most `limit` bytes of answer."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...


class HttpTransport:
    """`Transport` over httpx. One whole exchange takes at most `timeout` seconds, however slowly the other side drips."""

    def __init__(self, url: str, *, timeout: float = 60.0) -> None:
        self.url = require_url(url)
        self._timeout = timeout
        # A loopback node is never asked for through a proxy. Elsewhere HTTPS_PROXY and friends count: what passes them is sealed.
        near = _is_loopback(httpx.URL(self.url).host)
        self._client = httpx.Client(
            verify=_no_tls() if near and self.url.startswith("http://") else True,
            base_url=self.url,
            timeout=httpx.Timeout(timeout, connect=min(CONNECT_TIMEOUT, timeout)),
            follow_redirects=False,
            trust_env=not near,
            headers={"accept-encoding": "identity", "user-agent": "confide"},
        )

    def get(self, path: str, *, limit: int) -> Reply:
        """`GET path`, at most `limit` bytes of answer."""
        return self._send(self._client.build_request("GET", path), limit)

    def post(self, path: str, body: bytes, *, headers: Mapping[str, str], limit: int) -> Reply:
        """`POST path`, at most `limit` bytes of answer."""
        return self._send(self._client.build_request("POST", path, content=body, headers=dict(headers)), limit)

    def close(self) -> None:
        """Give connections back."""
        self._client.close()

    def _send(self, request: httpx.Request, limit: int) -> Reply:
        deadline = time.monotonic() + self._timeout
        with _coarse(self.url):
            response = self._client.send(request, stream=True)
            try:
                content = b"".join(self._bounded(response, limit, deadline))
            finally:
                response.close()
        media_type = response.headers.get("content-type", "").split(";", 1)[0].strip().lower()
        return Reply(response.status_code, media_type, content)

    def _bounded(self, response: httpx.Response, limit: int, deadline: float) -> Iterator[bytes]:
        received = 0
        for piece in response.iter_raw():  # raw: a compressed answer was not asked for and is not unpacked
            received += len(piece)
            if received > limit:
                raise TransportError(Code.TRANSPORT_TOO_LARGE, found=f"more than {limit} bytes", wanted=f"at most {limit}")
            if time.monotonic() > deadline:
                raise TransportError(Code.TRANSPORT_TIMEOUT, found=f"{received} bytes in {self._timeout:g} s", wanted="all")
            yield piece


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
def _coarse(url: str) -> Iterator[None]:
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
