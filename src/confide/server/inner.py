"""The inner application: an ordinary ASGI application with one condition.

It answers only a scope that carries the in-process channel object (`server.channel`), on any port and behind any proxy; the check
stands before routing, so there is no route without it. Errors are exact: only the client that sealed the request reads them.
Left to others: how requests get here (`server.sealed`), the routes (`server.routes`), receipts of requests (`server.proof`).
"""

import contextlib
from collections.abc import Sequence

from confide.errors import ConfideError
from confide.server import NodeError
from confide.server.asgi import Receive, Reply, Scope, Send, send_reply
from confide.server.channel import Channel, require_channel
from confide.server.problems import inside, outside
from confide.server.routing import Call, Route, Router, StreamReply


class InnerApp:
    """Routes a request that came out of a seal."""

    def __init__(self, *, routes: Sequence[Route], body_limit: int) -> None:
        self.router, self._body_limit = Router(routes), body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI. Without the channel object: 403, the same for every path, and the body is not read."""
        if scope["type"] != "http":
            return
        try:
            channel = require_channel(scope)
        except NodeError as error:
            await send_reply(send, outside(error.code))
            return
        reply = await self._reply(channel, scope, receive)
        if isinstance(reply, Reply):
            await send_reply(send, reply)
        else:
            await _send_stream(send, reply)

    def body_limit(self, method: str, path: str) -> int | None:
        """The bound that a route sets on its content; None for the one of any request, and where there is no route."""
        try:
            return self.router.find(method, path)[0].body_limit
        except NodeError:
            return None

    async def _reply(self, channel: Channel, scope: Scope, receive: Receive) -> Reply | StreamReply:
        try:
            route, names = self.router.find(scope["method"], scope["path"])
            return await route.handler(Call(channel, scope, names, self._body_limit, receive))
        except ConfideError as error:
            channel.ended_by(error.code)
            return inside(error)


async def _send_stream(send: Send, reply: StreamReply) -> None:
    """Each piece as it comes; an iterator that raises ends this call before the last piece was sent, and is closed in any case."""
    async with contextlib.aclosing(reply.pieces) as pieces:
        await send({"type": "http.response.start", "status": reply.status, "headers": list(reply.headers)})
        async for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
