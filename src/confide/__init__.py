"""Confidential AI: verify the enclave, seal the request, get a signed receipt.

    import confide

    with confide.connect("http://127.0.0.1:8711", policy="policy.toml") as node:
        answer = node.run("minilm", ["a doctor", "a physician"])

The names in `__all__` are the whole public interface; they load when first used, so that importing a room (`confide.attest`) costs
no more than that room.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from confide.client import (
        Answer,
        AsyncNode,
        Item,
        Label,
        Node,
        Timeouts,
        Timing,
        async_transport,
        connect,
        connect_async,
        similarity,
    )
    from confide.client.relay import transport
    from confide.codes import Code
    from confide.errors import (
        ChannelError,
        CollateralError,
        ConfideError,
        EngineError,
        EvidenceError,
        MisuseError,
        PackageError,
        PolicyError,
        ReceiptError,
        RemoteError,
        TransportError,
    )

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "AsyncNode",
    "ChannelError",
    "Code",
    "CollateralError",
    "ConfideError",
    "EngineError",
    "EvidenceError",
    "Item",
    "Label",
    "MisuseError",
    "Node",
    "PackageError",
    "PolicyError",
    "ReceiptError",
    "RemoteError",
    "Timeouts",
    "Timing",
    "TransportError",
    "__version__",
    "async_transport",
    "connect",
    "connect_async",
    "similarity",
    "transport",
]

# `confide.client.transport` is a module, the wire: so the function of this name has its home in another one
_HOMES = {"Code": "confide.codes", "transport": "confide.client.relay"}
_ERRORS = frozenset(name for name in __all__ if name.endswith("Error"))


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "confide.errors" if name in _ERRORS else _HOMES.get(name, "confide.client")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
