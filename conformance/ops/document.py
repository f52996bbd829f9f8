"""`document.parse`: the exact bytes of an evidence document (plus `spaces` blanks) to what it says."""

from collections.abc import Callable, Mapping
from typing import Any

from confide.attest.document import NoncePath, parse_document
from confide.formats.fields import format_time


def _parse(given: dict[str, Any]) -> dict[str, Any]:
    document = parse_document(bytes.fromhex(given["document"]) + b" " * given.get("spaces", 0))
    return {
        "keyset_digest": document.keyset.digest.hex(),
        "nonces": document.nonces.hex(),
        "nonce_path": _path(document.nonce_path) if document.nonce_path else None,
        "binding": document.binding.hex(),
        "evidence": [{"kind": part.kind, "items": _hex(part.items)} for part in document.evidence],
        "collateral": _hex(document.collateral),
        "skipped": list(document.skipped),
        "admission": None if document.admission is None else document.admission.hex(),
        "issued_at": format_time(document.issued_at),
    }


def _path(at: NoncePath) -> dict[str, Any]:
    return {"index": at.index, "size": at.size, "path": [node.hex() for node in at.path]}


def _hex(items: Mapping[str, bytes]) -> dict[str, str]:
    return {role: value.hex() for role, value in items.items()}


OPS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"document.parse": _parse}
