"""Merkle trees of RFC 9162 section 2.1 with SHA-256: roots, paths, and the two verification algorithms.

Paths are made only to try the verification on them; the variables of the verification are the RFC's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """Grows leaf by leaf and knows its root at each size: the roots of the whole subtrees, larger ones first (section 2.1.2)."""

    def __init__(self) -> None:
        self.size = 0
        self._subtrees: list[tuple[int, bytes]] = []

    def append(self, entry: bytes) -> None:
        width, digest = 1, leaf_hash(entry)
        while self._subtrees and self._subtrees[-1][0] == width:
            digest = node_hash(self._subtrees.pop()[1], digest)
            width *= 2
        self._subtrees.append((width, digest))
        self.size += 1

    def root(self) -> bytes:
        if not self._subtrees:
            return EMPTY_ROOT
        digest = self._subtrees[-1][1]
        for _, left in reversed(self._subtrees[:-1]):
            digest = node_hash(left, digest)
        return digest


def root_of(entries: Sequence[bytes]) -> bytes:
    """MTH of section 2.1.1."""
    tree = Tree()
    for entry in entries:
        tree.append(entry)
    return tree.root()


def _split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_path(index: int, entries: Sequence[bytes]) -> list[bytes]:
    """PATH of section 2.1.3.1."""
    if len(entries) == 1:
        return []
    k = _split(len(entries))
    if index < k:
        return [*inclusion_path(index, entries[:k]), root_of(entries[k:])]
    return [*inclusion_path(index - k, entries[k:]), root_of(entries[:k])]


def consistency_path(first: int, entries: Sequence[bytes]) -> list[bytes]:
    """PROOF of section 2.1.4.1; empty from an empty tree, which the RFC leaves out."""
    return [] if first == 0 else _subproof(first, entries, whole=True)


def _subproof(first: int, entries: Sequence[bytes], *, whole: bool) -> list[bytes]:
    if first == len(entries):
        return [] if whole else [root_of(entries)]
    k = _split(len(entries))
    if first <= k:
        return [*_subproof(first, entries[:k], whole=whole), root_of(entries[k:])]
    return [*_subproof(first - k, entries[k:], whole=False), root_of(entries[:k])]


def inclusion_holds(*, leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Section 2.1.3.2, steps 1 to 5; `leaf` is the hash of the entry."""
    if index >= size:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def consistency_holds(*, first: int, first_root: bytes, second: int, second_root: bytes, path: Sequence[bytes]) -> bool:
    """Section 2.1.4.2, and 10-log.md, "Growth", for equal sizes and the empty log."""
    if first > second:
        return False
    if first == second:
        return not path and first_root == second_root
    if first == 0:
        return not path
    return bool(path) and _consistent(first, first_root, second, second_root, list(path))


def _consistent(first: int, first_root: bytes, second: int, second_root: bytes, path: list[bytes]) -> bool:
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == first_root and sr == second_root
