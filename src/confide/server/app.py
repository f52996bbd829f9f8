"""The ASGI application of a node, for any ASGI server or for httpx's in-process transport.

`confide.server.serve` is the supported way to run it: other servers do not bring the bounds of `server.protocol`, nor do they stop
the work for a client that left.
"""

from confide.server.asgi import App
from confide.server.node import Node


def create_app(node: Node) -> App:
    """The node's outer application. The inner one is reachable through its seal only."""
    return node.app
