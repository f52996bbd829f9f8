"""Chunked exchanges: opened as they come, run, sealed as they are made (spec/08-channel.md).

1. The head is opened. What fails before the first chunk has opened leaves this module as `ChannelError` and is answered coarsely;
   from then on everything is answered inside.
2. The inner application runs at once; it takes the request's content, and gives the answer's, piece by piece.
3. When it has answered, the rest of the request is read: a receipt covers the whole request or is not given.
4. The receipt goes into the trailers, and with them the final chunk.

Whatever breaks an answer that has begun breaks the connection, without a final chunk; so does a client that leaves, and the log has
a receipt that says so. Left to others: the two ends (`incoming`, `outgoing`), routes (`inner`).
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from confide.attest.keyset import Keyset
from confide.codes import Code
from confide.errors import ChannelError, ConfideError
from confide.receipt.commit import Hashed
from confide.receipt.model import Outcome, Status
from confide.seal.bhttp_stream import RequestHead
from confide.seal.chunked import ChunkedRequestOpener, ChunkedResponseSealer
from confide.seal.ohttp import Gateway
from confide.server import NodeError
from confide.server.asgi import Headers, Message, Receive, Reply, Send
from confide.server.channel import Channel
from confide.server.incoming import Incoming
from confide.server.inner import InnerApp
from confide.server.opened import inner_scope, internal, require_target
from confide.server.outgoing import Outgoing
from confide.server.problems import inside
from confide.server.proof import Proof

log = logging.getLogger("confide.node")
REFUSED_PATIENCE = 1.0  # seconds for the rest of a refused request, whose sender may wait for the answer first
HEAD_CHUNKS = 3  # times the longest wait for one chunk: a head that drips holds its place no longer
OVERHEAD = 1 << 18  # bytes of a message that are not content: head, trailers, lengths of small pieces, padding


@dataclass(frozen=True)
class StreamLimits:
    """Seconds and bytes of one chunked exchange.

    Attributes:
        chunk: the longest wait for more of a request.
        whole: from the first byte to the last.
        run: from the end of the request to an answer, for one that is not streamed.
        body: content of a request on a route that sets no bound of its own.
        coalesce: pieces of an answer that come within this time leave together.
    """

    chunk: float
    whole: float
    run: float
    body: int
    coalesce: float


class StreamedApp:
    """Runs chunked exchanges. It holds no private key but what it was given."""

    def __init__(
        self,
        *,
        gateway: Gateway,
        keyset_of: Callable[[bytes], Keyset],
        inner: InnerApp,
        proof: Proof,
        limits: StreamLimits,
        pad: Callable[[int], int] | None,
    ) -> None:
        self._gateway, self._keyset_of, self._inner, self._proof = gateway, keyset_of, inner, proof
        self._limits, self._pad = limits, pad

    async def answer(self, receive: Receive, send: Send) -> None:
        """One exchange. Returns without the end of the answer when it broke: whoever called closes the connection.

        Raises:
            ChannelError: the request could not be opened; nothing was sent.
            NodeError: the client left or was too slow before that.
        """
        now = asyncio.get_running_loop().time()
        end = now + self._limits.whole
        opener = ChunkedRequestOpener(self._gateway.keys, max_message=self._limits.body + OVERHEAD)
        incoming = Incoming(opener, receive, chunk_seconds=self._limits.chunk, limit=self._limits.body)
        try:
            async with asyncio.timeout_at(min(end, now + HEAD_CHUNKS * self._limits.chunk)):
                head = await incoming.read_head()
        except (ConfideError, TimeoutError) as error:
            failure = error if isinstance(error, ConfideError) else NodeError(Code.NODE_TIMEOUT)
            if opener.sealer is None:
                raise failure from None
            await self._outgoing(opener.sealer, send).refuse(inside(failure))
            return
        if opener.sealer is None or opener.encapsulation is None:
            raise ChannelError(Code.OHTTP_TRUNCATED, found="no chunk", wanted="a sealed request")
        config, enc = opener.encapsulation.key_config.raw, opener.encapsulation.enc
        channel = Channel(surface="ohttp-chunked", keyset=self._keyset_of(config), key_config=config, enc=enc)
        await self._exchange(head, channel, incoming, self._outgoing(opener.sealer, send), end=end)

    async def _exchange(self, head: RequestHead, channel: Channel, incoming: Incoming, outgoing: Outgoing, *, end: float) -> None:
        """From the head to the last byte, which leaves before `end` or never."""
        try:
            reply = await self._run(head, channel, incoming, outgoing, end=end)
            refused = reply is not None and reply.status >= 400
            left = max(0.0, end - asyncio.get_running_loop().time())
            whole = await incoming.drain(patience=min(left, REFUSED_PATIENCE) if refused else left)
            if reply is None and not whole:
                self._broken(channel, incoming, outgoing, NodeError(Code.NODE_ABORTED))
            else:
                await self._finish(reply, channel, incoming, outgoing, whole=whole)
        except asyncio.CancelledError:
            self._broken(channel, incoming, outgoing, NodeError(Code.NODE_ABORTED))
            raise
        except Exception as error:  # noqa: BLE001 - an answer that has begun can only be broken off
            self._broken(channel, incoming, outgoing, error if isinstance(error, ConfideError) else internal(error))
        finally:
            outgoing.close()

    async def _run(
        self, head: RequestHead, channel: Channel, incoming: Incoming, outgoing: Outgoing, *, end: float
    ) -> Reply | None:
        """The answer in one piece, or None when it was streamed; what broke a streamed one is raised."""
        try:
            require_target(head)
            scope = inner_scope(head, channel)
            incoming.allow(self._inner.body_limit(scope["method"], scope["path"]))
            async with self._timed(incoming, outgoing, end=end) as (receive, sending):
                await self._inner(scope, receive, sending)
            return None if outgoing.streaming else outgoing.reply()
        except TimeoutError:
            failure: ConfideError = NodeError(Code.NODE_TIMEOUT, wanted=f"an answer within {self._limits.run} s")
            channel.failed(failure.code)
        except ConfideError as error:
            failure = error
            channel.ended_by(error.code)
        except Exception as error:  # noqa: BLE001 - a bug becomes a coarse answer (DESIGN rule 10)
            failure = internal(error)
            channel.failed(failure.code)
        if outgoing.streaming:
            raise failure
        return inside(failure)

    @contextlib.asynccontextmanager
    async def _timed(self, incoming: Incoming, outgoing: Outgoing, *, end: float) -> AsyncIterator[tuple[Receive, Send]]:
        """The inner application's two ends under the bounds of time: `run` from the end of the request, `end` for a stream."""
        now = asyncio.get_running_loop().time
        async with asyncio.timeout_at(end) as timeout:

            async def receive() -> Message:
                message = await incoming.receive()
                if not message.get("more_body", False) and not outgoing.streaming:
                    timeout.reschedule(min(end, now() + self._limits.run))
                return message

            async def send(message: Message) -> None:
                if message.get("more_body", False) and not outgoing.streaming:
                    timeout.reschedule(end)
                await outgoing.send(message)

            yield receive, send

    async def _finish(self, reply: Reply | None, channel: Channel, incoming: Incoming, outgoing: Outgoing, *, whole: bool) -> None:
        """The end of a good answer, or of a refusal that came before the request was whole: that one carries no receipt."""

        def trailers(response: bytes | Hashed) -> Headers:
            return self._proof.trailers(channel, request=incoming.hashed, response=response)

        if reply is None:
            await outgoing.finish(trailers)
        elif whole:
            await outgoing.answer(reply, trailers)
        else:
            await outgoing.refuse(reply)
            self._log(channel, incoming, outgoing)

    def _broken(self, channel: Channel, incoming: Incoming, outgoing: Outgoing, error: ConfideError) -> None:
        """No final chunk, and a receipt for the log alone."""
        channel.outcome = Outcome(Status.ABORTED, error.code.value)
        self._log(channel, incoming, outgoing)

    def _log(self, channel: Channel, incoming: Incoming, outgoing: Outgoing) -> None:
        try:
            self._proof.trailers(channel, request=incoming.hashed, response=outgoing.hashed)
        except ConfideError as error:  # a log that was closed meanwhile takes nothing more
            log.warning("a broken exchange is not in the log: %s", error.code.value)

    def _outgoing(self, sealer: ChunkedResponseSealer, send: Send) -> Outgoing:
        return Outgoing(sealer, send, coalesce=self._limits.coalesce, pad=self._pad)
