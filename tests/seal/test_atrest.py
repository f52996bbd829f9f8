"""Sealed files: what was written is read back, from any place; anything else in its place is refused."""

import os
import pickle
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import refused

from confide.codes import Code
from confide.seal.atrest import CHUNK, SEALED_CHUNK, FileKey, ReadAt, Reader, Writer


def sealed(data: bytes, key: FileKey, *, step: int = 1 << 30) -> bytes:
    writer = Writer(key)
    chunks = [chunk for at in range(0, len(data), step) for chunk in writer.write(data[at : at + step])]
    assert writer.size == len(data)
    return b"".join((*chunks, writer.finish()))


def from_bytes(file: bytes) -> ReadAt:
    return lambda offset, length: file[offset : offset + length]


def reader(key: FileKey, file: bytes) -> Reader:
    return Reader(key, from_bytes(file), sealed_size=len(file))


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_what_was_written_is_read_back(size: int) -> None:
    key, data = FileKey.generate(), os.urandom(size)
    file = sealed(data, key, step=333_333)
    assert len(file) == size + 16 * (size // CHUNK + 1)
    opened = reader(key, file)
    opened.verify_end()
    with opened.buffered() as plain:
        assert plain.read() == data
        assert plain.read(1) == b""


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3 * CHUNK), st.integers(0, 2 * CHUNK)), max_size=8))
def test_any_place_can_be_read(places: list[tuple[int, int]]) -> None:
    with reader(KEY, FILE).buffered() as plain:
        for offset, length in places:
            assert plain.seek(offset) == offset
            assert plain.read(length) == DATA[offset : offset + length]
        assert plain.seek(-3, os.SEEK_END) == len(DATA) - 3
        assert plain.read() == DATA[-3:]


def test_nothing_but_noise_is_written_and_the_tail_stays_in_memory() -> None:
    key, writer = FileKey.generate(), None
    writer = Writer(key)
    assert writer.write(b"a" * (CHUNK - 1)) == []
    (chunk,) = writer.write(b"bb")
    assert len(chunk) == SEALED_CHUNK
    assert b"aaaa" not in chunk
    assert writer.size == CHUNK + 1
    assert b"b" * 2 not in writer.finish()


KEY = FileKey.generate()
DATA = bytes(range(256)) * 4096 * 2 + b"the tail"
FILE = sealed(DATA, KEY)
ONE, TWO, LAST = FILE[:SEALED_CHUNK], FILE[SEALED_CHUNK : 2 * SEALED_CHUNK], FILE[2 * SEALED_CHUNK :]


def flipped(file: bytes, at: int) -> bytes:
    return file[:at] + bytes([file[at] ^ 1]) + file[at + 1 :]


@pytest.mark.parametrize(
    ("name", "file", "code"),
    [
        ("altered", flipped(FILE, 10), Code.ATREST_CHUNK),
        ("altered tag", flipped(FILE, SEALED_CHUNK - 1), Code.ATREST_CHUNK),
        ("altered tail", flipped(FILE, len(FILE) - 20), Code.ATREST_CHUNK),
        ("exchanged", TWO + ONE + LAST, Code.ATREST_CHUNK),
        ("repeated", ONE + ONE + LAST, Code.ATREST_CHUNK),
        ("one dropped", ONE + LAST, Code.ATREST_CHUNK),
        ("one more", ONE + TWO + TWO + LAST, Code.ATREST_CHUNK),
        ("cut at a chunk", ONE + TWO, Code.ATREST_SIZE),
        ("cut in a chunk", FILE[: SEALED_CHUNK + 100], Code.ATREST_CHUNK),
        ("cut in the tag", ONE + TWO + LAST[:9], Code.ATREST_SIZE),
        ("longer", FILE + b"\x00", Code.ATREST_CHUNK),
        ("nothing", b"", Code.ATREST_SIZE),
        ("of another key", sealed(DATA, FileKey.generate()), Code.ATREST_CHUNK),
        ("an unfinished file", b"".join(Writer(FileKey.generate()).write(DATA)), Code.ATREST_SIZE),
    ],
)
def test_anything_else_is_refused(name: str, file: bytes, code: Code) -> None:
    with refused(code):
        reader(KEY, file).buffered().read()


def test_an_empty_last_chunk_is_verified_too() -> None:
    key = FileKey.generate()
    file = sealed(bytes(CHUNK), key)
    reader(key, file).verify_end()
    with refused(Code.ATREST_CHUNK):
        reader(key, flipped(file, len(file) - 1)).verify_end()
    with refused(Code.ATREST_CHUNK):  # a chunk that is not final cannot be made the last one
        reader(key, Writer(key).write(bytes(CHUNK))[0][:-17]).verify_end()


def test_a_file_that_shrinks_while_it_is_read_is_refused() -> None:
    def shrunk(offset: int, length: int) -> bytes:
        return FILE[offset : min(offset + length, 2 * SEALED_CHUNK + 5)]

    with refused(Code.ATREST_SIZE):
        Reader(KEY, shrunk, sealed_size=len(FILE)).buffered().read()


def test_a_wiped_key_opens_and_seals_nothing() -> None:
    key = FileKey.generate()
    file = sealed(b"secret", key)
    key.wipe()
    assert key.wiped
    assert repr(key) == "FileKey(wiped)"
    with refused(Code.ATREST_WIPED):
        reader(key, file).buffered().read()
    with refused(Code.ATREST_WIPED):
        Writer(key).finish()


@pytest.mark.parametrize("call", [lambda writer: writer.write(b"x"), lambda writer: writer.finish()])
def test_a_finished_file_takes_no_more(call: Callable[[Writer], object]) -> None:
    writer = Writer(FileKey.generate())
    writer.finish()
    with refused(Code.ATREST_STATE):
        call(writer)
    dropped = Writer(FileKey.generate())
    dropped.write(b"abc")
    dropped.wipe()
    assert dropped.size == 0
    with refused(Code.ATREST_STATE):
        call(dropped)


def test_a_key_shows_nothing_and_stays_in_memory() -> None:
    assert repr(KEY) == "FileKey(redacted)"
    with refused(Code.ATREST_STATE):
        pickle.dumps(KEY)
    with refused(Code.ATREST_STATE):
        FileKey(bytearray(16))
