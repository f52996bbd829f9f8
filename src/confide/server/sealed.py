"""From a sealed request to a sealed answer: open, run the inner application, commit, sign, seal.

1. `Gateway.open` decapsulates and records the request (replays stop here). Failures leave this module as `ChannelError`: the outer
   routes answer them coarsely. From here on everything is answered inside.
2. The binary HTTP request becomes an ASGI scope with the in-process channel object in its extensions.
3. The inner application answers; what it raises unexpectedly becomes `node.internal`, without detail.
4. The receipt commits to the request and to the answer through its content, and goes into the trailers with its salts.
5. The answer is padded and sealed.

Left to others: routes (`inner`), the receipt's format (`receipt`), the seal's (`seal`).
"""

import asyncio
from collections.abc import Callable

from confide.attest.keyset import Keyset
from confide.codes import Code
from confide.errors import ConfideError
from confide.seal import bhttp
from confide.seal.ohttp import Gateway, OpenedError
from confide.server import NodeError
from confide.server.asgi import App, Headers, Message, Reply
from confide.server.channel import Channel
from confide.server.opened import inner_scope, internal, require_target
from confide.server.problems import inside
from confide.server.proof import Proof


class SealedApp:
    """Runs opened requests through the inner application and proves the answers. It holds no private key but what it was given."""

    def __init__(
        self,
        *,
        gateway: Gateway,
        keyset_of: Callable[[bytes], Keyset],
        inner: App,
        proof: Proof,
        run_seconds: float,
        pad: Callable[[int], int] | None,
    ) -> None:
        self.gateway, self._keyset_of, self._inner, self._proof = gateway, keyset_of, inner, proof
        self._run_seconds, self._pad = run_seconds, pad

    async def answer(self, body: bytes) -> bytes:
        """The sealed answer to a `message/ohttp-req` body.

        Raises:
            ChannelError: the request could not be opened (RFC 9458 section 4.3).
        """
        try:
            opened = self.gateway.open(body)
        except OpenedError as error:  # replayed, or the store is full: opened, so answered inside; no receipt, nothing ran
            return error.sealer.seal(self._refusal(error))
        channel = self._channel("ohttp", opened.key_config.raw, opened.enc)
        return opened.sealer.seal(await self._respond(opened.message, channel))

    def _channel(self, surface: str, key_config: bytes, enc: bytes) -> Channel:
        return Channel(surface=surface, keyset=self._keyset_of(key_config), key_config=key_config, enc=enc)

    async def _respond(self, message: bytes, channel: Channel) -> bytes:
        """The padded binary HTTP answer, receipt included."""
        reply = await self._run(message, channel)
        try:
            prefix = bhttp.encode_response_prefix(reply.status, reply.headers, reply.body)
            trailers = self._proof.trailers(channel, request=message, response=prefix)
            return bhttp.finish_response(prefix, trailers, self._pad)
        except Exception as error:  # noqa: BLE001 - an answer that cannot be proven is not given
            return self._refusal(internal(error))

    def _refusal(self, error: ConfideError) -> bytes:
        reply = inside(error)
        return bhttp.finish_response(bhttp.encode_response_prefix(reply.status, reply.headers, reply.body), (), self._pad)

    async def _run(self, message: bytes, channel: Channel) -> Reply:
        try:
            request = bhttp.decode_request(message)
            require_target(request)
            async with asyncio.timeout(self._run_seconds):
                return await self._call(request, channel)
        except ConfideError as error:
            channel.ended_by(error.code)
            return inside(error)
        except TimeoutError:
            channel.failed(Code.NODE_TIMEOUT)
            return inside(NodeError(Code.NODE_TIMEOUT, wanted=f"an answer within {self._run_seconds} s"))
        except Exception as error:  # noqa: BLE001 - the one place that turns a bug into a coarse answer (DESIGN rule 10)
            channel.failed(Code.NODE_INTERNAL)
            return inside(internal(error))

    async def _call(self, request: bhttp.Request, channel: Channel) -> Reply:
        exchange = _Exchange(request.content)
        await self._inner(inner_scope(request, channel), exchange.receive, exchange.send)
        return exchange.reply()


class _Exchange:
    """The two ends of one ASGI call: the body in one message, the answer collected whole."""

    __slots__ = ("_body", "_content", "_finished", "_headers", "_status")

    def __init__(self, content: bytes) -> None:
        self._content: bytes | None = content
        self._headers: Headers = ()
        self._status, self._finished = 0, False
        self._body: list[bytes] = []

    async def receive(self) -> Message:
        content, self._content = self._content, None
        if content is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status, self._headers = message["status"], tuple(message["headers"])
        else:
            self._body.append(message.get("body", b""))
            self._finished = not message.get("more_body", False)

    def reply(self) -> Reply:
        """The whole answer; an application that stops half-way has failed, and its half answer is not passed on."""
        if not (self._status and self._finished):
            raise RuntimeError("the inner application did not complete its answer")
        return Reply(self._status, self._headers, self._body[0] if len(self._body) == 1 else b"".join(self._body))
