"""The strict reader of CBOR (RFC 8949): what it takes, and what it refuses."""

import pytest
from tests.support import refused

from confide.attest import cbor
from confide.attest.cbor import MAX_DEPTH, MAX_ITEMS, Tagged, dump_bytes, dump_head, loads
from confide.codes import Code
from confide.errors import EvidenceError

# RFC 8949 appendix A, as far as evidence needs it: hexadecimal encoding -> value.
TAKEN = {
    "00": 0,
    "17": 23,
    "1818": 24,
    "1903e8": 1000,
    "1a000f4240": 1000000,
    "1b000000e8d4a51000": 1000000000000,
    "1bffffffffffffffff": 18446744073709551615,
    "20": -1,
    "3863": -100,
    "3903e7": -1000,
    "f4": False,
    "f5": True,
    "f6": None,
    "40": b"",
    "4401020304": bytes([1, 2, 3, 4]),
    "60": "",
    "6449455446": "IETF",
    "62c3bc": "\u00fc",
    "80": [],
    "83010203": [1, 2, 3],
    "8301820203820405": [1, [2, 3], [4, 5]],
    "a0": {},
    "a201020304": {1: 2, 3: 4},
    "a26161016162820203": {"a": 1, "b": [2, 3]},
    "c11a514b67b0": Tagged(1, 1363896240),
    "5f42010243030405ff": bytes([1, 2, 3, 4, 5]),
    "7f657374726561646d696e67ff": "streaming",
    "9fff": [],
    "9f018202039f0405ffff": [1, [2, 3], [4, 5]],
    "bf61610161629f0203ffff": {"a": 1, "b": [2, 3]},
}
MALFORMED = {
    "nothing": "",
    "bytes behind the value": "0000",
    "half float": "f90000",
    "single float": "fa47c35000",
    "double float": "fb3ff199999999999a",
    "undefined": "f7",
    "simple value 16": "f0",
    "simple value 24": "f818",
    "reserved additional information 28": "1c",
    "reserved additional information 30": "1e",
    "argument that ends early": "19ff",
    "byte string that ends early": "4401",
    "text that is no UTF-8": "61ff",
    "surrogate in a text": "63eda080",
    "a break by itself": "ff",
    "a break in an array": "81ff",
    "a break as a key": "a1ff00",
    "a break as a value": "a100ff",
    "a tag around a break": "c1ff",
    "integer of indefinite length": "1f",
    "negative integer of indefinite length": "3f",
    "tag of indefinite length": "df00ff",
    "a text in chunks of a byte string": "5f6161ff",
    "a number in chunks of a byte string": "5f00ff",
    "chunks in chunks": "5f5f4100ffff",
    "chunks that end early": "5f4100",
    "array of indefinite length that ends early": "9f01",
    "array that ends early": "821818",
    "map of indefinite length with a key alone": "bf01ff",
    "the same key twice": "a201000101",
    "the same key twice, in two lengths": "a20100180100",
    "the same key twice in a map of indefinite length": "bf01000101ff",
    "byte string as a key": "a1410000",
    "true as a key": "a1f500",
    "null as a key": "a1f600",
    "array as a key": "a18000",
}
TOO_LARGE = {
    "array of more items than bytes": "9affffffff",
    "map of more pairs than bytes": "bb7fffffffffffffff",
    "over the items of one array": dump_head(4, MAX_ITEMS + 1).hex() + "00" * (MAX_ITEMS + 1),
    "over the items of one array of indefinite length": "9f" + "00" * (2 * MAX_ITEMS + 1) + "ff",
    "too deep": "81" * (MAX_DEPTH + 1) + "00",
    "too deep, by tags": "c1" * (MAX_DEPTH + 1) + "00",
    "too deep, of indefinite length": "9f" * (MAX_DEPTH + 1) + "00" + "ff" * (MAX_DEPTH + 1),
}


@pytest.mark.parametrize("text", TAKEN)
def test_values_are_read_as_the_standard_says(text: str) -> None:
    found = loads(bytes.fromhex(text))
    assert found == TAKEN[text]
    assert type(found) is type(TAKEN[text])


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_malformed_is_refused(name: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        loads(bytes.fromhex(MALFORMED[name]))
    assert caught.value.code is Code.CBOR_MALFORMED


@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_is_too_large_is_refused_before_it_is_made(name: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        loads(bytes.fromhex(TOO_LARGE[name]))
    assert caught.value.code is Code.CBOR_TOO_LARGE


def test_an_input_over_its_limit_is_not_read() -> None:
    assert loads(b"\x41\x00", limit=2) == b"\x00"
    with pytest.raises(EvidenceError) as caught:
        loads(b"\x41\x00", limit=1)
    assert caught.value.code is Code.CBOR_TOO_LARGE


@pytest.mark.parametrize("value", [0, 23, 24, 255, 256, 65535, 65536, (1 << 32) - 1, 1 << 32, (1 << 64) - 1])
def test_heads_are_the_shortest(value: int) -> None:
    head = dump_head(0, value)
    assert loads(head) == value
    sizes = {1: 24, 2: 1 << 8, 3: 1 << 16, 5: 1 << 32, 9: 1 << 64}
    assert len(head) == next(size for size, end in sizes.items() if value < end)


def test_a_head_beyond_64_bits_is_refused() -> None:
    with pytest.raises(EvidenceError) as caught:
        dump_head(0, 1 << 64)
    assert caught.value.code is Code.CBOR_MALFORMED


@pytest.mark.parametrize("size", [0, 1, 23, 24, 300])
def test_byte_strings_come_back(size: int) -> None:
    assert loads(dump_bytes(bytes(size))) == bytes(size)


def test_every_prefix_of_a_value_is_refused() -> None:
    whole = bytes.fromhex("a26161016162820203")
    for end in range(len(whole)):
        with pytest.raises(EvidenceError):
            cbor.loads(whole[:end])


def test_the_first_value_of_a_buffer_is_read_whatever_follows() -> None:
    assert cbor.first(b"\x01\xff\xff") == 1
    for data in (b"", b"\xff"):
        with refused(Code.CBOR_MALFORMED):
            cbor.first(data)
    with refused(Code.CBOR_TOO_LARGE):
        cbor.first(b"\x82\x01")
    with refused(Code.CBOR_TOO_LARGE):
        cbor.first(b"\x01" * 9, limit=8)
