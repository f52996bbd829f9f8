"""The outer routes: a short closed list, and all that a stranger can reach.

    GET  /.well-known/confide/evidence[?keyset=<64 hex>][&nonce=<64 hex>]   the evidence document
    GET  /.well-known/ohttp-gateway                       key configurations (a convenience: our client takes keys from a verdict)
    POST /ohttp                                           sealed requests, whole or chunked
    GET  /healthz                                         the process lives
    GET  /readyz                                          models are loaded, keys are good, and the node is not stopping

Everything here is coarse (`problems.outside`): which step of decapsulation failed, or what was inside, shows nowhere. A sealed
request has a place among those in flight once its body is whole, so that slow senders cannot hold all places; what they have sent
counts against a budget. Chunked ones have places of their own. Left to others: opening (`server.sealed`, `server.streaming`),
evidence (`guest.documents`), when keys expire (`guest.epochs`).
"""

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from confide.attest.document import MEDIA_TYPE as EVIDENCE
from confide.codes import Code
from confide.errors import ChannelError, ConfideError
from confide.seal.chunked import OHTTP_CHUNKED_REQUEST
from confide.seal.keyconfig import OHTTP_KEYS
from confide.seal.ohttp import OHTTP_REQUEST, OHTTP_RESPONSE
from confide.seal.problems import PROBLEM_KEY, problem_type
from confide.server import NodeError
from confide.server.asgi import Budget, Receive, Reply, Scope, Send, declared_length, media_type, read_body, send_reply
from confide.server.config import Limits
from confide.server.opened import describe
from confide.server.problems import outside
from confide.server.sealed import SealedApp
from confide.server.streaming import StreamedApp

log = logging.getLogger("confide.node")
_QUERY = re.compile(rb"(?:keyset=(?P<keyset>[0-9a-f]{64})(?:&(?=n)|\Z))?(?:nonce=(?P<nonce>[0-9a-f]{64}))?\Z")
_NO_STORE = (b"cache-control", b"no-store")
_TEXT = (b"content-type", b"text/plain")
_WHOLE, _CHUNKED = OHTTP_REQUEST.encode(), OHTTP_CHUNKED_REQUEST.encode()
_SEALED_HEADERS = ((b"content-type", OHTTP_RESPONSE.encode()), _NO_STORE)
# Two answers for every way of not opening: the key problem, and "not a sealed request", which its sender knows anyway.
_KEY_PROBLEM = outside(Code.OHTTP_DECAPSULATION, type_uri=PROBLEM_KEY)
_BAD_SEAL = outside(Code.OHTTP_TRUNCATED)
_ROUTE, _METHOD = outside(Code.NODE_ROUTE), outside(Code.NODE_METHOD)
_STARTING, _DRAINING, _BUSY = outside(Code.NODE_STARTING), outside(Code.NODE_DRAINING), outside(Code.NODE_BUSY)
_STANDING = {code: outside(code) for code in (Code.NODE_EXPIRED, Code.NODE_SPENT, Code.NODE_ROTATION, Code.LOG_STORAGE)}
_INTERNAL, _MEDIA = outside(Code.NODE_INTERNAL), outside(Code.NODE_MEDIA_TYPE)


class Documents(Protocol):
    """Evidence of the keyset that is served, or of the one named; cached or over a nonce."""

    async def document(self, *, keyset: bytes | None = None, nonce: bytes | None = None) -> bytes: ...


def _good() -> Code | None:
    return None


def _none() -> bytes:
    return b""


class OuterApp:
    """The whole of the node's surface. `starting` until `open` is called, `draining` after `drain`."""

    def __init__(self, limits: Limits, *, access_log: bool = False) -> None:
        self._limits, self._access_log = limits, access_log
        self._documents: Documents | None = None
        self._sealed: SealedApp | None = None
        self._streamed: StreamedApp | None = None
        self._keys: Callable[[], bytes] = _none
        self._standing: Callable[[], Code | None] = _good
        self._budget = Budget(limits.in_flight * limits.request_bytes)
        self._draining = False
        self._idle = asyncio.Event()
        self._whole = self.streams = 0
        self._routes: dict[str, tuple[str, Callable[[Scope, Receive], Awaitable[Reply]]]] = {
            "/ohttp": ("POST", self._ohttp),
            "/.well-known/confide/evidence": ("GET", self._evidence),
            "/.well-known/ohttp-gateway": ("GET", self._gateway),
            "/healthz": ("GET", self._health),
            "/readyz": ("GET", self._ready),
        }

    @property
    def in_flight(self) -> int:
        """Sealed requests being worked on, streams among them."""
        return self._whole + self.streams

    def open(
        self,
        *,
        documents: Documents,
        sealed: SealedApp,
        streamed: StreamedApp,
        keys: Callable[[], bytes],
        standing: Callable[[], Code | None] = _good,
    ) -> None:
        """The models are loaded: serve, as long as `standing` has nothing against the keys (`guest.epochs`)."""
        self._documents, self._sealed, self._streamed = documents, sealed, streamed
        self._keys, self._standing = keys, standing

    def drain(self) -> None:
        """Take no more sealed requests; those in flight finish."""
        self._draining = True

    async def drained(self, seconds: float) -> bool:
        """After `drain`: whether the requests in flight finished within that time."""
        if not self.in_flight:
            return True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), seconds)
        return not self.in_flight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI. Nothing but an answer leaves here: errors are answered, and unexpected ones only logged by type and place."""
        if scope["type"] != "http":
            return
        reply = await self._reply(scope, receive, send)
        if reply is not None:
            await send_reply(send, reply)

    async def _reply(self, scope: Scope, receive: Receive, send: Send) -> Reply | None:
        """The answer, or None when it was sent already, or broke: then the server closes the connection."""
        method, handler = self._routes.get(scope["path"], ("", None))
        if handler is None:
            return _ROUTE
        if scope["method"] != method:
            return _METHOD
        try:
            if handler == self._ohttp and media_type(scope) == _CHUNKED:
                return await self._stream(receive, send)
            return await handler(scope, receive)
        except ConfideError as error:
            return outside(error.code)
        except Exception as error:  # noqa: BLE001 - a bug must not put a traceback on the wire or into uvicorn's log
            log.error("node.internal: %s", describe(error))  # noqa: TRY400 - a traceback may show content
            return _INTERNAL

    async def _ohttp(self, scope: Scope, receive: Receive) -> Reply:
        refusal = self._refusal()
        if refusal is not None:
            return refusal
        if media_type(scope) != _WHOLE:
            return _MEDIA
        declared_length(scope, limit=self._limits.request_bytes)
        started = time.perf_counter()
        body = await read_body(receive, limit=self._limits.request_bytes, seconds=self._limits.read_ms / 1e3, budget=self._budget)
        refusal = self._refusal()  # anew: reading took as long as the client liked
        if refusal is not None or self._sealed is None:
            return refusal or _STARTING
        self._whole += 1
        try:
            reply = await self._answer(self._sealed, body)
        finally:
            self._whole -= 1
            self._leave()
        if self._access_log:
            elapsed = (time.perf_counter() - started) * 1e3
            log.info("ohttp status=%d in=%d out=%d ms=%.1f", reply.status, len(body), len(reply.body), elapsed)
        return reply

    def _refusal(self) -> Reply | None:
        """Why no sealed request is taken now, if so."""
        if self._draining:
            return _DRAINING
        if self._sealed is None:
            return _STARTING
        code = self._standing()
        if code is Code.NODE_EXPIRED:
            return _KEY_PROBLEM  # whoever sealed to this keyset verifies anew, and reads there that it has expired
        if code is Code.LOG_STORAGE:
            return _STANDING[code]
        return _BUSY if self._whole >= self._limits.in_flight else None

    def _leave(self) -> None:
        if self._draining and not self.in_flight:
            self._idle.set()

    async def _answer(self, sealed: SealedApp, body: bytes) -> Reply:
        try:
            return Reply(200, _SEALED_HEADERS, await sealed.answer(body))
        except ChannelError as error:
            return _unopened(error)

    async def _stream(self, receive: Receive, send: Send) -> Reply | None:
        """A chunked exchange, in a place of another kind than whole requests have, from its first byte to its last."""
        refusal = self._refusal()
        if refusal is not None or self._streamed is None:
            return refusal or _STARTING
        if self.streams >= self._limits.streams:
            return _BUSY
        self.streams += 1
        try:
            await self._streamed.answer(receive, send)
        except ChannelError as error:
            return _unopened(error)
        finally:
            self.streams -= 1
            self._leave()
        return None

    async def _evidence(self, scope: Scope, receive: Receive) -> Reply:  # noqa: ARG002 - one signature for all routes
        if self._documents is None:
            return _STARTING
        match = _QUERY.match(scope["query_string"])
        if match is None:
            wanted = "keyset= and nonce=, each with 64 lower-case hex digits"
            raise NodeError(Code.NODE_BAD_REQUEST, found="another query", wanted=wanted)
        keyset, nonce = (None if digits is None else bytes.fromhex(digits.decode()) for digits in match.group("keyset", "nonce"))
        return _document(await self._documents.document(keyset=keyset, nonce=nonce))

    async def _gateway(self, scope: Scope, receive: Receive) -> Reply:  # noqa: ARG002 - one signature for all routes
        if self._sealed is None:
            return _STARTING
        code = self._standing()
        if code is Code.NODE_EXPIRED:
            return _STANDING[code]
        return Reply(200, ((b"content-type", OHTTP_KEYS.encode()), _NO_STORE), self._keys())

    async def _health(self, scope: Scope, receive: Receive) -> Reply:  # noqa: ARG002 - one signature for all routes
        return Reply(200, (_TEXT, _NO_STORE), b"ok\n")

    async def _ready(self, scope: Scope, receive: Receive) -> Reply:  # noqa: ARG002 - one signature for all routes
        if self._draining:
            return _DRAINING
        if self._sealed is None:
            return _STARTING
        code = self._standing()
        return Reply(200, (_TEXT, _NO_STORE), b"ready\n") if code is None else _STANDING[code]


def _unopened(error: ChannelError) -> Reply:
    return _KEY_PROBLEM if problem_type(error) == PROBLEM_KEY else _BAD_SEAL


def _document(document: bytes) -> Reply:
    return Reply(200, ((b"content-type", EVIDENCE.encode()), _NO_STORE), document)
