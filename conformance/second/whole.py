"""A whole log: all leaves, all checkpoints and the keysets of a boot (10-log.md, LOG-15 to LOG-19).

In this order, the first failure counts: LOG-15, LOG-16, then leaf by leaf LOG-17 and, after each, LOG-18, then LOG-19.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.second.check import hold_to_keyset
from conformance.second.checkpoint import Checkpoint, check_order, parse_checkpoint
from conformance.second.keyset import Keyset
from conformance.second.merkle import Tree
from conformance.second.receipt import parse_receipt
from conformance.second.strict_json import Refused


@dataclass(frozen=True)
class Whole:
    """A log that holds. `covered` leaves stand under a checkpoint, the rest on their Ed25519 signature alone."""

    log_id: bytes
    leaves: int
    covered: int
    checkpoints: int
    root: bytes
    standing: str


def check_whole(leaves: Iterable[bytes], checkpoints: Sequence[bytes], keysets: Sequence[Keyset], *, live: bool) -> Whole:
    """A log that holds, or the first failure; `first_leaf` in its `where` is the first leaf that breaks."""
    log_id = _log_id(keysets)
    heads = _heads(checkpoints, keysets[0])
    tree = _grow(leaves, heads, {keyset.digest: keyset for keyset in keysets})
    _check_reached(tree, heads)
    closed = any(head.closing for head in heads)
    standing = "closed" if closed else "live" if live else "ended uncleanly"
    covered = heads[-1].size if heads else 0
    return Whole(log_id, tree.size, covered, len(heads), tree.root(), standing)


def _log_id(keysets: Sequence[Keyset]) -> bytes:
    """LOG-15."""
    named = {keyset.log_id for keyset in keysets}
    if len(named) != 1:
        raise Refused("log.id", f"{len(named)} logs in {len(keysets)} keysets")
    return named.pop()


def _heads(checkpoints: Sequence[bytes], keyset: Keyset) -> list[Checkpoint]:
    """LOG-16. Keysets of one log have the same keys, so that any of them will do."""
    heads: list[Checkpoint] = []
    for number, data in enumerate(checkpoints):
        try:
            head = parse_checkpoint(data, keyset)
            if heads:
                check_order(heads[-1], head)
        except Refused as refused:
            raise Refused(refused.code, refused.found, checkpoint=number) from None
        heads.append(head)
    return heads


def _grow(leaves: Iterable[bytes], heads: Sequence[Checkpoint], keysets: dict[bytes, Keyset]) -> Tree:
    """LOG-17 and LOG-18, leaf by leaf."""
    roots: dict[int, list[tuple[int, bytes]]] = {}
    for number, head in enumerate(heads):
        roots.setdefault(head.size, []).append((number, head.root))
    tree = Tree()
    for leaf in leaves:
        try:
            _check_leaf(leaf, tree.size, keysets)
        except Refused as refused:
            raise Refused(refused.code, refused.found, first_leaf=tree.size) from None
        tree.append(leaf)
        for number, root in roots.get(tree.size, ()):
            if root != tree.root():
                raise Refused("log.root", f"of {tree.size} leaves", checkpoint=number)
    return tree


def _check_leaf(leaf: bytes, index: int, keysets: dict[bytes, Keyset]) -> None:
    """LOG-17: a receipt of one of the keysets, which all have the same receipt keys."""
    receipt = parse_receipt(leaf, next(iter(keysets.values())).receipt_keys)
    keyset = keysets.get(receipt.keyset_digest)
    if keyset is None:
        raise Refused("receipt.keyset", receipt.keyset_digest.hex())
    hold_to_keyset(receipt, keyset)
    if receipt.log_index != index:
        raise Refused("log.index", f"{receipt.log_index} at {index}")


def _check_reached(tree: Tree, heads: Sequence[Checkpoint]) -> None:
    """LOG-19."""
    for number, head in enumerate(heads):
        if head.size > tree.size:
            raise Refused("log.missing", f"{head.size} leaves, found {tree.size}", checkpoint=number)
        if head.closing and head.size < tree.size:
            raise Refused("log.closed", f"leaf {head.size} after closing", first_leaf=head.size)
