"""`formats/merkle.py` against the known answers of Certificate Transparency, against the RFC's own recursion, and against lies."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confide.codes import Code
from confide.formats import merkle

# Leaves, roots and proofs of google/certificate-transparency cpp/merkletree/merkle_tree_test.cc (Apache-2.0)
LEAVES = [
    bytes.fromhex(x) for x in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
A, B, C = (
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
)
D, E, F = (
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
)
INCLUSIONS = {(0, 1): [], (0, 8): [A, B, C], (5, 8): [D, E, ROOTS[3]], (2, 3): [ROOTS[1]], (1, 5): [ROOTS[0], B, D]}
CONSISTENCIES = {(1, 1): [], (1, 8): [A, B, C], (6, 8): [F, E, ROOTS[3]], (2, 5): [B, D]}

HASHES = [merkle.leaf_hash(leaf) for leaf in LEAVES]


def hashes(count: int) -> list[bytes]:
    return [merkle.leaf_hash(b"%d" % i) for i in range(count)]


def recursive_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162 section 2.1.1, as it stands there."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return merkle.node_hash(recursive_root(leaves[:split]), recursive_root(leaves[split:]))


def hexes(path: list[bytes]) -> list[str]:
    return [node.hex() for node in path]


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert merkle.root(HASHES[:size]).hex() == ROOTS[size - 1]


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert merkle.root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(("place", "path"), INCLUSIONS.items(), ids=str)
def test_inclusion_paths_are_those_of_certificate_transparency(place: tuple[int, int], path: list[str]) -> None:
    index, size = place
    assert hexes(merkle.inclusion_path(HASHES[:size], index)) == path
    proof = [bytes.fromhex(node) for node in path]
    merkle.verify_inclusion(HASHES[index], index=index, size=size, path=proof, root=bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize(("sizes", "path"), CONSISTENCIES.items(), ids=str)
def test_consistency_paths_are_those_of_certificate_transparency(sizes: tuple[int, int], path: list[str]) -> None:
    first, second = sizes
    assert hexes(merkle.consistency_path(HASHES[:second], first)) == path
    prove(first, second, [bytes.fromhex(node) for node in path], HASHES)


@pytest.mark.parametrize("size", range(66))
def test_the_root_is_that_of_the_recursive_definition(size: int) -> None:
    assert merkle.root(hashes(size)) == recursive_root(hashes(size))


@pytest.mark.parametrize("size", range(1, 18))
def test_each_leaf_is_proven_and_no_other_leaf_index_or_size_is(size: int) -> None:
    leaves = hashes(size)
    for index in range(size):
        path = merkle.inclusion_path(leaves, index)
        merkle.verify_inclusion(leaves[index], index=index, size=size, path=path, root=merkle.root(leaves))
        others = [(merkle.leaf_hash(b"other"), index, size), (leaves[index], size, size), (leaves[index], -1, size)]
        others += [(leaves[index], (index + 1) % size, size)] * (size > 1)
        for leaf, at, of in others:
            refuse_inclusion(leaf, at, of, path, merkle.root(leaves))


@pytest.mark.parametrize("change", ["drop", "repeat", "shift", "flip", "short", "long"])
def test_a_changed_inclusion_path_is_refused(change: str) -> None:
    leaves = hashes(13)
    refuse_inclusion(leaves[4], 4, 13, changed(merkle.inclusion_path(leaves, 4), change), merkle.root(leaves))


@pytest.mark.parametrize("index", [-1, 8])
def test_there_is_no_path_for_a_leaf_outside_the_tree(index: int) -> None:
    with pytest.raises(merkle.ProofError) as caught:
        merkle.inclusion_path(HASHES, index)
    assert caught.value.code is Code.MERKLE_INCLUSION


@pytest.mark.parametrize("second", range(18))
def test_each_earlier_tree_is_consistent_with_each_later_one(second: int) -> None:
    leaves = hashes(second)
    for first in range(second + 1):
        prove(first, second, merkle.consistency_path(leaves, first), leaves)


@pytest.mark.parametrize("change", ["drop", "repeat", "shift", "flip", "short", "long"])
@pytest.mark.parametrize("first", [3, 4, 7, 8, 12])
def test_a_changed_consistency_path_is_refused(first: int, change: str) -> None:
    leaves = hashes(13)
    with pytest.raises(merkle.ProofError) as caught:
        prove(first, 13, changed(merkle.consistency_path(leaves, first), change), leaves)
    assert caught.value.code is Code.MERKLE_CONSISTENCY


@pytest.mark.parametrize(("first", "second"), [(0, 5), (3, 5), (4, 5), (5, 5)])
def test_a_rewritten_history_is_refused(first: int, second: int) -> None:
    leaves, path = hashes(second), merkle.consistency_path(hashes(second), first)
    old, new = merkle.root(leaves[:first]), merkle.root(leaves)
    for roots in ((bytes(32), new), (old, bytes(32)))[: 2 if first else 1]:
        refuse_consistency(first, second, *roots, path)


@pytest.mark.parametrize(("first", "second"), [(4, 3), (-1, 3), (3, 0)])
def test_a_tree_does_not_shrink(first: int, second: int) -> None:
    refuse_consistency(first, second, bytes(32), bytes(32), [])


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 3), (3, 3)])
def test_no_path_belongs_to_an_empty_or_equal_tree(first: int, second: int) -> None:
    leaves = hashes(second)
    refuse_consistency(first, second, merkle.root(leaves[:first]), merkle.root(leaves), [bytes(32)])


def test_the_empty_tree_before_the_empty_tree_has_the_hash_of_nothing() -> None:
    refuse_consistency(0, 0, merkle.root([]), bytes(32), [])


@pytest.mark.parametrize("first", [3, 4])
def test_a_missing_consistency_path_is_refused(first: int) -> None:
    leaves = hashes(7)
    refuse_consistency(first, 7, merkle.root(leaves[:first]), merkle.root(leaves), [])


@pytest.mark.parametrize("first", [-1, 9])
def test_there_is_no_consistency_path_from_a_larger_tree(first: int) -> None:
    with pytest.raises(merkle.ProofError) as caught:
        merkle.consistency_path(HASHES, first)
    assert caught.value.code is Code.MERKLE_CONSISTENCY


def test_a_path_longer_than_any_tree_is_refused_before_it_is_hashed() -> None:
    endless = [bytes(32)] * 10_000
    refuse_inclusion(bytes(32), 0, 2**63, endless, bytes(32))
    refuse_consistency(1, 2**63, bytes(32), bytes(32), endless)


@given(st.integers(0, 40), st.integers(0, 40), st.lists(st.binary(min_size=32, max_size=32), max_size=8))
@settings(max_examples=50, deadline=None)
def test_a_made_up_consistency_path_is_never_accepted(first: int, second: int, path: list[bytes]) -> None:
    leaves = hashes(max(first, second))
    if path != (merkle.consistency_path(leaves[:second], first) if first <= second else None):
        refuse_consistency(first, second, merkle.root(leaves[:first]), merkle.root(leaves[:second]), path)


def prove(first: int, second: int, path: list[bytes], leaves: list[bytes]) -> None:
    roots = {"first_root": merkle.root(leaves[:first]), "second_root": merkle.root(leaves[:second])}
    merkle.verify_consistency(first=first, second=second, path=path, **roots)


def changed(path: list[bytes], change: str) -> list[bytes]:
    match change:
        case "drop":
            return path[:-1]
        case "repeat":
            return [*path, path[-1]]
        case "shift":
            return [*path[1:], merkle.leaf_hash(b"2"), path[0]][: len(path)]
        case "flip":
            return [bytes([path[0][0] ^ 1]) + path[0][1:], *path[1:]]
        case "short":
            return [path[0][:-1], *path[1:]]
        case _:
            return [path[0] + b"\0", *path[1:]]


def refuse_inclusion(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> None:
    with pytest.raises(merkle.ProofError) as caught:
        merkle.verify_inclusion(leaf, index=index, size=size, path=path, root=root)
    assert caught.value.code is Code.MERKLE_INCLUSION


def refuse_consistency(first: int, second: int, first_root: bytes, second_root: bytes, path: list[bytes]) -> None:
    with pytest.raises(merkle.ProofError) as caught:
        merkle.verify_consistency(first=first, second=second, first_root=first_root, second_root=second_root, path=path)
    assert caught.value.code is Code.MERKLE_CONSISTENCY
