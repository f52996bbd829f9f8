"""The few pieces of ASGI (asgi.readthedocs.io, HTTP spec 2.3) that the node needs, without a framework.

A framework's middleware costs more than the whole budget of a request (bench/). Left to others: sockets and HTTP/1.1 (uvicorn, with
the bounds of `server.protocol`), and what routes do (`server.outer`, `server.inner`).
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeVar

from confide.codes import Code
from confide.formats import strictjson
from confide.server import NodeError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]
JSON = (b"content-type", b"application/json")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer. `content-length` is added when it is sent."""

    status: int
    headers: Headers
    body: bytes


async def send_reply(send: Send, reply: Reply) -> None:
    """Send head and body."""
    headers = [*reply.headers, (b"content-length", b"%d" % len(reply.body))]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body, "more_body": False})


def header(scope: Scope, name: bytes) -> bytes | None:
    """The one value of a header; `node.bad_request` when it is given twice (names arrive in lower case)."""
    values = [value for key, value in scope["headers"] if key == name]
    if len(values) > 1:
        raise NodeError(Code.NODE_BAD_REQUEST, found=f"{name.decode()} given {len(values)} times", wanted="once")
    return values[0] if values else None


def media_type(scope: Scope) -> bytes:
    """The content type, lower case, without parameters only when there are none: a second spelling does not match."""
    return (header(scope, b"content-type") or b"").strip().lower()


def declared_length(scope: Scope, *, limit: int) -> None:
    """Refuse a `content-length` over `limit` before a byte of the body is read."""
    value = header(scope, b"content-length")
    if value is None:
        return
    if not value.isdigit() or len(value) > 18:
        raise NodeError(Code.NODE_BAD_REQUEST, found="a content-length that is no number", wanted="digits")
    if int(value) > limit:
        raise NodeError(Code.NODE_TOO_LARGE, found=f"{int(value)} bytes declared", wanted=f"at most {limit}")


async def json_body(scope: Scope, receive: Receive, kind: type[T], *, limit: int) -> T:
    """The body as strict JSON of a declared shape; `node.media_type`, or a `json` code."""
    body = await collect_body(receive, limit=limit)
    if media_type(scope) != b"application/json":
        raise NodeError(Code.NODE_MEDIA_TYPE, found="another content-type", wanted="application/json")
    return strictjson.load_as(body, kind, limit=limit)


class Budget:
    """Bytes of bodies that are not whole yet, all requests together: slow senders hold what they sent, and nothing else."""

    __slots__ = ("_free",)

    def __init__(self, size: int) -> None:
        self._free = size

    def take(self, size: int) -> None:
        """`node.busy` when there is no room for as many more."""
        if size > self._free:
            raise NodeError(Code.NODE_BUSY, found="too many bodies on their way", wanted="room for this one")
        self._free -= size

    def give(self, size: int) -> None:
        """They are used, or dropped."""
        self._free += size


async def read_body(receive: Receive, *, limit: int, seconds: float, budget: Budget) -> bytes:
    """The whole body of a stranger, bounded in bytes while it arrives and in time.

    Raises:
        NodeError: `node.too_large`, `node.too_slow`, `node.busy`, or `node.bad_request` when the client left.
    """
    try:
        async with asyncio.timeout(seconds):
            return await collect_body(receive, limit=limit, budget=budget)
    except TimeoutError:
        raise NodeError(Code.NODE_TOO_SLOW, found=f"no whole body in {seconds} s", wanted="all of it") from None


async def collect_body(receive: Receive, *, limit: int, budget: Budget | None = None) -> bytes:
    """The whole body, bounded in bytes. Errors as `read_body`."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body", False) and len(body) <= limit:
        return body  # the common case copies nothing
    return await _collect_rest(message, receive, limit=limit, budget=budget or Budget(limit))


async def _collect_rest(message: Message, receive: Receive, *, limit: int, budget: Budget) -> bytes:
    parts: list[bytes] = []
    held = 0
    try:
        while True:
            part: bytes = message.get("body", b"")
            if held + len(part) > limit:
                raise NodeError(Code.NODE_TOO_LARGE, found=f"over {limit} bytes", wanted=f"at most {limit}")
            budget.take(len(part))
            held += len(part)
            parts.append(part)
            if message["type"] != "http.request":
                raise NodeError(Code.NODE_BAD_REQUEST, found="a client that left", wanted="the whole body")
            if not message.get("more_body", False):
                return b"".join(parts)
            message = await receive()
    finally:
        budget.give(held)
