"""The log tree against the recursive definition of RFC 9162 (formats/merkle.py), at every size and index."""

import pytest

from confide.codes import Code
from confide.errors import ReceiptError
from confide.formats import merkle
from confide.receipt.log import EMPTY_ROOT, Log

COUNT = 70
LEAVES = [f"leaf {number}".encode() for number in range(COUNT)]
HASHES = [merkle.leaf_hash(leaf) for leaf in LEAVES]


def log(size: int = COUNT) -> Log:
    made = Log()
    for leaf in LEAVES[:size]:
        made.append(leaf)
    return made


FULL = log()


def test_an_empty_log_has_the_hash_of_nothing() -> None:
    assert Log().size == 0
    assert Log().root() == EMPTY_ROOT == merkle.root([])


@pytest.mark.parametrize("size", range(COUNT + 1))
def test_the_root_of_every_size_is_that_of_the_definition(size: int) -> None:
    assert log(size).root() == FULL.root(size) == merkle.root(HASHES[:size])


@pytest.mark.parametrize("size", range(1, COUNT + 1))
def test_every_inclusion_path_is_that_of_the_definition(size: int) -> None:
    for index in range(size):
        path = FULL.inclusion(index, size)
        assert path == merkle.inclusion_path(HASHES[:size], index)
        merkle.verify_inclusion(HASHES[index], index=index, size=size, path=path, root=FULL.root(size))


@pytest.mark.parametrize("second", range(COUNT + 1))
def test_every_consistency_path_is_that_of_the_definition(second: int) -> None:
    for first in range(second + 1):
        path = FULL.consistency(first, second)
        assert path == merkle.consistency_path(HASHES[:second], first)
        roots = {"first_root": FULL.root(first), "second_root": FULL.root(second)}
        merkle.verify_consistency(first=first, second=second, path=path, **roots)


def test_appending_returns_the_index() -> None:
    made = Log()
    assert [made.append(leaf) for leaf in LEAVES[:5]] == [0, 1, 2, 3, 4]
    assert made.append(LEAVES[5], index=5) == 5


@pytest.mark.parametrize("index", [0, 4, 6])
def test_a_receipt_signed_for_another_place_is_not_appended(index: int) -> None:
    made = log(5)
    with pytest.raises(ReceiptError) as caught:
        made.append(b"x", index=index)
    assert caught.value.code is Code.LOG_INDEX
    assert made.size == 5


def test_a_closed_log_takes_nothing_and_still_proves() -> None:
    made = log(5)
    made.close()
    assert made.closed
    with pytest.raises(ReceiptError) as caught:
        made.append(b"x")
    assert caught.value.code is Code.LOG_CLOSED
    assert made.inclusion(2) == merkle.inclusion_path(HASHES[:5], 2)
    assert not log(1).closed


@pytest.mark.parametrize(("index", "size"), [(5, 5), (-1, 5), (0, 0), (0, 6), (0, -1)])
def test_there_is_no_path_to_what_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ReceiptError) as caught:
        log(5).inclusion(index, size)
    assert caught.value.code is Code.LOG_INDEX


@pytest.mark.parametrize(("first", "second"), [(4, 3), (-1, 3), (0, 6), (6, 6)])
def test_there_is_no_path_between_sizes_that_are_not_there(first: int, second: int) -> None:
    with pytest.raises(ReceiptError) as caught:
        log(5).consistency(first, second)
    assert caught.value.code is Code.LOG_INDEX


def test_there_is_no_root_of_a_size_to_come() -> None:
    with pytest.raises(ReceiptError) as caught:
        log(5).root(6)
    assert caught.value.code is Code.LOG_INDEX
