"""`binding.value`, `binding.require`, `binding.nonces`, `binding.check_nonce`: hex in, hex out."""

from collections.abc import Callable
from typing import Any

from confide.attest.binding import binding, join_device_evidence, nonce_path, nonces_root, require_binding
from confide.attest.checks import Checks
from confide.attest.document import check_nonce, parse_document


def _computed(given: dict[str, Any]) -> bytes:
    devices = join_device_evidence([bytes.fromhex(part) for part in given["devices"]])
    return binding(nonces=bytes.fromhex(given["nonces"]), keyset=bytes.fromhex(given["keyset"]), device_evidence=devices)


def _value(given: dict[str, Any]) -> dict[str, Any]:
    return {"binding": _computed(given).hex()}


def _require(given: dict[str, Any]) -> dict[str, Any]:
    require_binding(bytes.fromhex(given["report_data"]), expected=_computed(given), checks=Checks())
    return {}


def _nonces(given: dict[str, Any]) -> dict[str, Any]:
    nonces = [bytes.fromhex(nonce) for nonce in given["nonces"]] * given.get("times", 1)
    root = nonces_root(nonces)
    return {"root": root.hex(), "paths": [[node.hex() for node in nonce_path(nonces, i)] for i in range(len(nonces))]}


def _check_nonce(given: dict[str, Any]) -> dict[str, Any]:
    document = parse_document(bytes.fromhex(given["document"]))
    check_nonce(document, bytes.fromhex(given["nonce"]), Checks())
    return {"nonces": document.nonces.hex()}


OPS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "binding.value": _value,
    "binding.require": _require,
    "binding.nonces": _nonces,
    "binding.check_nonce": _check_nonce,
}
