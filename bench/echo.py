"""A whole node with two inner routes more, one that gives back what it gets and one that streams: the channel without a model.

python -m bench.echo [CONFIDE_SETTING=VALUE...]      prints its URL when it is ready
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator

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
_BYTES = ((b"content-type", b"application/octet-stream"),)


async def echo(call: Call) -> Reply:
    """The body, as it came."""
    return Reply(200, _BYTES, await call.body())


async def streamed(call: Call) -> StreamReply:
    """A piece of 64 KiB every 20 ms, for as many seconds as the body says: about 3 MB/s."""
    ends = time.monotonic() + float(await call.body())

    async def pieces() -> AsyncGenerator[bytes, None]:
        while time.monotonic() < ends:
            yield os.urandom(1 << 16)
            await asyncio.sleep(0.02)

    return StreamReply(200, _BYTES, pieces())


async def serve(settings: dict[str, str]) -> None:
    """Serve until terminated."""
    flags: dict[str, object] = {"tee": "simulated", "port": 0, "workers": 1, "limits.request_bytes": LIMIT}
    if owner := settings.pop("OWNER", None):
        flags["owners"] = {"soak": {"token_sha256": owner}}
    config = load_config(environ=settings, flags=flags)
    async with running_node(config) as node:
        mine = [Route("POST", PATH, echo), Route("POST", STREAMED, streamed)]
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
