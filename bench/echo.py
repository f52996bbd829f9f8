"""A whole node with one inner route that gives back what it gets: what the channel costs for large tensors, without any model.

python -m bench.echo      prints its URL when it is ready
"""

import asyncio

import uvicorn
import uvloop

from confide.server.asgi import Reply
from confide.server.config import load_config
from confide.server.node import running_node
from confide.server.protocol import bounded
from confide.server.routing import Call, Route, Router
from confide.server.serve import listen, url_of

PATH = "/bench/echo"
LIMIT = 4 << 20  # bytes of one request


async def echo(call: Call) -> Reply:
    """The body, as it came."""
    return Reply(200, ((b"content-type", b"application/octet-stream"),), await call.body())


async def serve() -> None:
    """Serve until terminated."""
    config = load_config(environ={}, flags={"tee": "simulated", "port": 0, "workers": 1, "limits.request_bytes": LIMIT})
    async with running_node(config) as node:
        node.inner.router = Router([Route("POST", PATH, echo)])
        listener = listen(config.host, config.port)
        options = {"loop": "none", "ws": "none", "lifespan": "off", "interface": "asgi3", "log_config": None, "access_log": False}
        server = uvicorn.Server(uvicorn.Config(node.app, http=bounded(config.limits), **options))  # type: ignore[arg-type]
        print(url_of(listener), flush=True)
        await server.serve(sockets=[listener])


def main() -> None:
    """Run under uvloop, as the node does."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


if __name__ == "__main__":
    main()
