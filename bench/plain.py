"""Our own node without its seal, for comparison only: the same HTTP server, inner routes and engine, asked in clear.

    python -m bench.plain PACKAGE [--workers N]      prints its URL when it is ready

The product has no such mode. This program calls the inner application with a channel object of its own making, which only code
inside the process can do; it opens no seal, signs no receipt, and shows what these two cost.
"""

import argparse
import asyncio
import os
from pathlib import Path

import uvicorn

from confide.server.asgi import Receive, Scope, Send
from confide.server.channel import EXTENSION, Channel
from confide.server.config import NodeConfig, load_config
from confide.server.node import Node, running_node
from confide.server.protocol import bounded
from confide.server.serve import _keep_memory, listen, url_of


class PlainApp:
    """Puts a channel object into every scope."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        channel = Channel(surface="bench", keyset=self._node.keyset, key_config=b"", enc=b"")
        await self._node.inner({**scope, "extensions": {EXTENSION: channel}}, receive, send)


def settings(package: Path, workers: int) -> NodeConfig:
    """The default settings with one package."""
    flags = {"tee": "simulated", "port": 0, "workers": workers, "models": {package.stem: str(package)}}
    return load_config(environ={}, flags=flags)


async def serve(config: NodeConfig) -> None:
    """Serve until terminated."""
    async with running_node(config) as node:
        listener = listen(config.host, config.port)
        options = {"loop": "none", "ws": "none", "lifespan": "off", "interface": "asgi3", "log_config": None, "access_log": False}
        server = uvicorn.Server(uvicorn.Config(PlainApp(node), http=bounded(config.limits), **options))  # type: ignore[arg-type]
        print(url_of(listener), flush=True)
        await server.serve(sockets=[listener])


def main() -> None:
    """Run under uvloop and keep memory, as the node does."""
    _keep_memory()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", type=Path)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    import uvloop  # noqa: PLC0415 - absent on Windows

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings(arguments.package, arguments.workers)))


if __name__ == "__main__":
    main()
