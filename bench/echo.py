"""A whole node with one inner route that gives back what it gets: what the channel costs for large tensors, without any model.

python -m bench.echo      prints its URL when it is ready
"""

import asyncio
import sys
from collections.abc import AsyncIterator

import uvicorn
import uvloop

from confide.server.asgi import Reply
from confide.server.config import load_config
from confide.server.node import running_node
from confide.server.protocol import bounded
from confide.server.routing import Call, Route, Router, StreamReply
from confide.server.serve import _keep_memory, listen, url_of

PATH, STREAMED = "/bench/echo", "/bench/streamed"
LIMIT = 4 << 20  # bytes of one request
LONGEST = 1 << 40  # bytes of a streamed one
_BYTES = ((b"content-type", b"application/octet-stream"),)


async def echo(call: Call) -> Reply:
    """The body, as it came."""
    return Reply(200, _BYTES, await call.body())


async def streamed(call: Call) -> StreamReply:
    """Each piece, when it has come."""

    async def pieces() -> AsyncIterator[bytes]:
        async for piece in call.pieces():
            yield piece

    return StreamReply(200, _BYTES, pieces())


async def serve(settings: dict[str, str]) -> None:
    """Serve until terminated."""
    flags = {"tee": "simulated", "port": 0, "workers": 1, "limits.request_bytes": LIMIT}
    config = load_config(environ=settings, flags=flags)
    async with running_node(config) as node:
        mine = [Route("POST", PATH, echo), Route("POST", STREAMED, streamed, body_limit=LONGEST)]
        node.inner.router = Router([*node.inner.router.routes, *mine])
        listener = listen(config.host, config.port)
        options = {"loop": "none", "ws": "none", "lifespan": "off", "interface": "asgi3", "log_config": None, "access_log": False}
        server = uvicorn.Server(uvicorn.Config(node.app, http=bounded(config.limits), **options))  # type: ignore[arg-type]
        print(url_of(listener), flush=True)
        await server.serve(sockets=[listener])


def main() -> None:
    """Run under uvloop and keep memory, as the node does."""
    _keep_memory()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(dict(item.split("=", 1) for item in sys.argv[1:])))


if __name__ == "__main__":
    main()
