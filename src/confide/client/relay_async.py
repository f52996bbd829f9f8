"""`confide.async_transport`: `relay` for `httpx.AsyncClient`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from pathlib import Path

import httpx

from confide.client.async_node import AsyncNode
from confide.client.core import Core
from confide.client.loading import load
from confide.client.node import DEFAULT_STATE, prepare
from confide.client.patience import PATIENCE
from confide.client.relay import Relay, as_httpx, bounds, is_whole, require_bound, wants_stream
from confide.client.session import utc_now
from confide.client.streaming import Streamed
from confide.client.transport import CONNECTIONS, AsyncTransport, Timeouts
from confide.client.transport_async import AsyncHttpTransport
from confide.codes import Code
from confide.errors import MisuseError
from confide.formats import dsse
from confide.policy.model import Policy


class AsyncRelayTransport(httpx.AsyncBaseTransport):
    """An httpx transport to one verified node. Made by `confide.async_transport`. Verifies with the first request."""

    def __init__(self, url: str, node: AsyncNode, transport: AsyncTransport, *, keep: bool) -> None:
        self.node, self._transport = node, transport
        self._relay = Relay(url, node.core, keep=keep)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Seal, send, open, check."""
        stream = request.stream
        if not isinstance(stream, httpx.AsyncByteStream):
            raise MisuseError(
                Code.CLIENT_INPUT, found="a body that is not asynchronous", wanted="httpx.Client and confide.transport"
            )
        body = await _bounded(stream) if is_whole(request) else aiter(stream)
        ask = self._relay.ask(request, body)
        node = AsyncNode(_within(self._transport, request), self._relay.core)
        with as_httpx(request):
            if isinstance(body, bytes) and not wants_stream(request, body):
                return self._relay.response(await node.drive(self._relay.whole(ask)))
            begun = await node.drive(self._relay.open_stream(ask))
        return self._relay.begun(begun, _Body(self._relay, begun, node, request))

    async def aclose(self) -> None:
        """Close the connections."""
        await self.node.close()


class _Body(httpx.AsyncByteStream):
    def __init__(self, relay: Relay, stream: Streamed, node: AsyncNode, request: httpx.Request) -> None:
        self._relay, self._stream, self._node, self._request = relay, stream, node, request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with as_httpx(self._request):
            while piece := await self._node.drive(self._relay.following(self._stream)):
                yield piece

    async def aclose(self) -> None:
        await self._node.drive(self._stream.shut())


def async_transport(
    url: str,
    policy: str | Path | Policy,
    *,
    policy_signers: Sequence[dsse.PublicKey] = (),
    timeout: float | Timeouts = 60.0,
    patience: float = PATIENCE,
    connections: int = CONNECTIONS,
    state: Path | str | None = DEFAULT_STATE,
    keep: bool = False,
    transport: AsyncTransport | None = None,
    now: Callable[[], datetime] = utc_now,
) -> AsyncRelayTransport:
    """As `transport`, for `httpx.AsyncClient(transport=...)`. Reads the policy at once."""
    core: Core = prepare(
        load(policy, signers=policy_signers), asyncio.Lock(), timeout=timeout, patience=patience, state=state, now=now
    )
    sender = transport or AsyncHttpTransport(url, timeout=core.timeouts, connections=connections)
    return AsyncRelayTransport(url, AsyncNode(sender, core), sender, keep=keep)


def _within(sender: AsyncTransport, request: httpx.Request) -> AsyncTransport:
    return sender.within(bounds(request, sender.timeouts)) if isinstance(sender, AsyncHttpTransport) else sender


async def _bounded(stream: httpx.AsyncByteStream) -> bytes:
    pieces, size = [], 0
    async for piece in stream:
        size += len(piece)
        require_bound(size)
        pieces.append(piece)
    return b"".join(pieces)
