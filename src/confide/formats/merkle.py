"""Merkle trees of RFC 9162 section 2.1 with SHA-256: roots, inclusion and consistency proofs, and their verification.

Used for nonce gathering (spec/03-binding.md) and for the receipt log (spec/10-log.md). Left to others: signing roots.
"""

import hashlib
import hmac
from collections.abc import Sequence

from confide.codes import Code
from confide.errors import ConfideError

HASH_SIZE = 32
MAX_PATH = 63  # a tree of 2^63 leaves


class ProofError(ConfideError):
    """An inclusion or consistency proof does not lead to the root."""


def leaf_hash(data: bytes) -> bytes:
    """`HASH(0x00 || data)` (RFC 9162 section 2.1.1)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """`HASH(0x01 || left || right)` (RFC 9162 section 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """The Merkle tree head; SHA-256 of nothing for an empty list (RFC 9162 section 2.1.1)."""
    if not leaf_hashes:
        return hashlib.sha256(b"").digest()
    level = list(leaf_hashes)
    while len(level) > 1:
        level = _parents(level)
    return level[0]


def inclusion_path(leaf_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path of leaf `index`, leaf side first (RFC 9162 section 2.1.3.1); `merkle.inclusion` if there is no such leaf."""
    if not 0 <= index < len(leaf_hashes):
        raise ProofError(Code.MERKLE_INCLUSION, found=f"index {index}", wanted=f"a leaf of {len(leaf_hashes)}")
    path, level = [], list(leaf_hashes)
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        level = _parents(level)
        index >>= 1
    return path


def root_from_path(leaf: bytes, *, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that `path` proves for a leaf hash (RFC 9162 section 2.1.3.2).

    Raises:
        ProofError: `merkle.inclusion` when index, size and path length do not fit each other.
    """
    if not 0 <= index < size or len(path) > MAX_PATH or any(len(node) != HASH_SIZE for node in path):
        raise ProofError(Code.MERKLE_INCLUSION, found=f"index {index}, {len(path)} nodes", wanted=f"a path in {size} leaves")
    fn, sn, result = index, size - 1, leaf
    for node in path:
        if sn == 0:
            raise ProofError(Code.MERKLE_INCLUSION, found=f"{len(path)} nodes", wanted="a shorter path")
        if fn & 1 or fn == sn:
            result = node_hash(node, result)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            result = node_hash(result, node)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise ProofError(Code.MERKLE_INCLUSION, found=f"{len(path)} nodes", wanted="a longer path")
    return result


def verify_inclusion(leaf: bytes, *, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Raise `merkle.inclusion` unless `path` leads from the leaf hash to `root`."""
    if not hmac.compare_digest(root_from_path(leaf, index=index, size=size, path=path), root):
        raise ProofError(Code.MERKLE_INCLUSION, found="another root", wanted=root.hex())


def consistency_path(leaf_hashes: Sequence[bytes], first: int) -> list[bytes]:
    """`PROOF(first, D_n)`: what joins the tree of the first `first` leaves to the whole (RFC 9162 section 2.1.4.1).

    Raises:
        ProofError: `merkle.consistency` when there are fewer than `first` leaves.
    """
    if not 0 <= first <= len(leaf_hashes):
        raise ProofError(Code.MERKLE_CONSISTENCY, found=f"size {first}", wanted=f"0 to {len(leaf_hashes)}")
    return _subproof(leaf_hashes, first, whole=True) if first else []


def verify_consistency(*, first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]) -> None:
    """Raise `merkle.consistency` unless the tree of `second` leaves begins with that of `first` (RFC 9162 section 2.1.4.2).

    The RFC leaves `first = 0` and `first = second` open: an empty tree precedes every tree, and equal sizes need equal roots; both
    have an empty path.
    """
    if not 0 <= first <= second or len(path) > MAX_PATH + 1 or any(len(node) != HASH_SIZE for node in path):
        raise ProofError(Code.MERKLE_CONSISTENCY, found=f"{first} leaves, {len(path)} nodes", wanted=f"a path to {second} leaves")
    if first in (0, second):
        ends = (first_root, first_root) if first else (root(()), second_root if second else root(()))
        found = ends if not path else None
    else:
        found = _both_roots(first, second, [first_root, *path] if first & (first - 1) == 0 else list(path))
    if found is None or not _equal(found[0], first_root) or not _equal(found[1], second_root):
        raise ProofError(Code.MERKLE_CONSISTENCY, found="other roots", wanted=f"{first_root.hex()} and {second_root.hex()}")


def _both_roots(first: int, second: int, path: list[bytes]) -> tuple[bytes, bytes] | None:
    """Steps 3 to 6 of RFC 9162 section 2.1.4.2: the two roots that a path proves, or None when its length is wrong."""
    if not path:
        return None
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for node in path[1:]:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            fr, sr = node_hash(node, fr), node_hash(node, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, node)
        fn, sn = fn >> 1, sn >> 1
    return None if sn else (fr, sr)


def _subproof(leaf_hashes: Sequence[bytes], first: int, *, whole: bool) -> list[bytes]:
    """`SUBPROOF(first, D_n, whole)`: `whole` while the subtree of `first` leaves is one whose root the verifier has."""
    size = len(leaf_hashes)
    if first == size:
        return [] if whole else [root(leaf_hashes)]
    split = 1 << (size - 1).bit_length() - 1  # the largest power of two smaller than size
    if first <= split:
        return [*_subproof(leaf_hashes[:split], first, whole=whole), root(leaf_hashes[split:])]
    return [*_subproof(leaf_hashes[split:], first - split, whole=False), root(leaf_hashes[:split])]


def _parents(level: list[bytes]) -> list[bytes]:
    """Pairing from the left with a promoted odd node equals the recursive split at a power of two."""
    return [node_hash(*level[i : i + 2]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]


def _equal(found: bytes, wanted: bytes) -> bool:
    return hmac.compare_digest(found, wanted)
