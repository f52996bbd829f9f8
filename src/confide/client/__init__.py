"""The Python SDK: verify, seal, send, open, check the receipt (DESIGN sections 5, 6 and 13). Sync and async over the same flows.

Left to others: verification itself (`attest`, `policy`), cryptography (`seal`), receipts (`receipt`). No code here decides that
evidence or a receipt is good; it only refuses to go on without those who do.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from confide.client.answer import Answer, Label, Record, Timing, similarity
from confide.client.core import ModelInfo
from confide.client.items import Item
from confide.client.node import Node, connect
from confide.client.transport import Timeouts

if TYPE_CHECKING:
    from confide.client.async_node import AsyncNode, connect_async
    from confide.client.relay_async import async_transport

__all__ = [
    "Answer",
    "AsyncNode",
    "Item",
    "Label",
    "ModelInfo",
    "Node",
    "Record",
    "Timeouts",
    "Timing",
    "async_transport",
    "connect",
    "connect_async",
    "similarity",
]

_LATER = {  # a program without an event loop does not load one
    "AsyncNode": "async_node",
    "connect_async": "async_node",
    "async_transport": "relay_async",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = value
    return value
