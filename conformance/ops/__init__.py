"""The operations that vectors call, by name, for the Python SDK: each module of this folder adds its own `OPS`.

An operation takes a vector's `input`, returns the `ok` object, and raises `ConfideError` to refuse. Left to others: reading vectors
(`conformance/run.py`) and turning a refusal into its code (`conformance/sdk_python.py`).
"""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

Operation = Callable[[dict[str, Any]], dict[str, Any]]


def _discover() -> dict[str, Operation]:
    found: dict[str, Operation] = {}
    for module in pkgutil.iter_modules(__path__):
        for name, operation in importlib.import_module(f"{__name__}.{module.name}").OPS.items():
            if name in found:
                raise RuntimeError(f"two modules define the operation {name}")
            found[name] = operation
    return found


OPS = _discover()
