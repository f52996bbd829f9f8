"""The little DER of vendor extensions (X.690): what is read, and each spelling that is refused."""

from collections.abc import Callable
from typing import Any

import pytest

from confide.attest.dcap import der

READ: dict[str, tuple[Callable[[bytes], Any], str, Any]] = {
    "no element": (lambda data: list(der.elements(data)), "", []),
    "two elements": (lambda data: list(der.elements(data)), "02010504020102", [(2, b"\x05"), (4, b"\x01\x02")]),
    "a long element": (lambda data: list(der.elements(data)), "048180" + "00" * 128, [(4, bytes(128))]),
    "arcs of an identifier": (der.arcs, "864886f84d010d01", "840.113741.1.13.1"),
    "zero": (der.integer, "00", 0),
    "255": (der.integer, "00ff", 255),
    "true": (der.boolean, "ff", True),
    "false": (der.boolean, "00", False),
}
REFUSED: dict[str, tuple[Callable[[bytes], Any], str]] = {
    "a tag alone": (lambda data: list(der.elements(data)), "02"),
    "a tag in several bytes": (lambda data: list(der.elements(data)), "1f8101"),
    "an indefinite length": (lambda data: list(der.elements(data)), "30800000"),
    "a length of 5 bytes": (lambda data: list(der.elements(data)), "04850000000001ff"),
    "a length that is not there": (lambda data: list(der.elements(data)), "0482ff"),
    "a short length in long form": (lambda data: list(der.elements(data)), "048101ff"),
    "a padded length": (lambda data: list(der.elements(data)), "04820080" + "00" * 128),
    "an element beyond the end": (lambda data: list(der.elements(data)), "040200"),
    "257 elements": (lambda data: list(der.elements(data)), "0500" * 257),
    "two for one": (lambda data: der.only(data, der.INTEGER), "020100020100"),
    "another for one": (lambda data: der.only(data, der.INTEGER), "040100"),
    "none for one": (lambda data: der.only(data, der.INTEGER), ""),
    "a pair of one": (lambda data: list(der.pairs(data)), "300306012a"),
    "a pair that is no sequence": (lambda data: list(der.pairs(data)), "310606012a020100"),
    "a pair without a name": (lambda data: list(der.pairs(data)), "3006020100020100"),
    "no arcs": (der.arcs, ""),
    "a padded arc": (der.arcs, "2a8001"),
    "an arc without end": (der.arcs, "2a86"),
    "an arc of 77 bits": (der.arcs, "2a" + "ff" * 11 + "7f"),
    "no integer": (der.integer, ""),
    "a negative integer": (der.integer, "80"),
    "a padded integer": (der.integer, "0001"),
    "an integer of 10 bytes": (der.integer, "01" * 10),
    "a boolean of 01": (der.boolean, "01"),
    "a boolean of two bytes": (der.boolean, "ffff"),
}


@pytest.mark.parametrize("name", READ)
def test_der_is_read(name: str) -> None:
    read, data, wanted = READ[name]
    assert read(bytes.fromhex(data)) == wanted


@pytest.mark.parametrize("name", REFUSED)
def test_a_second_spelling_is_refused(name: str) -> None:
    read, data = REFUSED[name]
    with pytest.raises(ValueError, match=r"\w"):
        read(bytes.fromhex(data))
