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
    while len(level) > 1:  # pairing from the left with a promoted odd node equals the recursive split at a power of two
        level = [node_hash(*level[i : i + 2]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
    return level[0]


def inclusion_path(leaf_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path of leaf `index`, leaf side first (RFC 9162 section 2.1.3.1)."""
    if not 0 <= index < len(leaf_hashes):
        raise IndexError(index)
    path, level = [], list(leaf_hashes)
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        level = [node_hash(*level[i : i + 2]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
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
