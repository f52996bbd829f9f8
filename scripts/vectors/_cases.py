"""How these generators write a case. The expected `ok` object is what the Python SDK answers; the expected code is said by hand."""

from typing import Any

from conformance.ops import OPS

from confide.codes import Code


def accept(name: str, musts: str, op: str, given: dict[str, Any]) -> dict[str, Any]:
    """A case that is accepted."""
    return _case(name, musts, "accept", op, given, {"ok": OPS[op](given)})


def reject(name: str, musts: str, op: str, given: dict[str, Any], code: Code) -> dict[str, Any]:
    """A case that is refused with `code`."""
    return _case(name, musts, "reject", op, given, {"error": code.value})


def _case(name: str, musts: str, kind: str, op: str, given: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    return {"id": name, "musts": musts.split(), "kind": kind, "op": op, "input": given, "expected": expected}
