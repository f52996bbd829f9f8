"""The binding: known answers computed by hand, and a different value for each part that differs (spec/03-binding.md)."""

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripts.vectors._node import bytes_of

from confide.attest.binding import MAX_NONCES, NO_NONCES, binding, join_device_evidence, nonce_path, nonces_root, require_binding
from confide.attest.checks import Checks
from confide.codes import Code
from confide.errors import EvidenceError, MisuseError
from confide.formats import merkle

PARTS: dict[str, Any] = {"nonces": bytes_of("nonces"), "keyset": b"{}", "device_evidence": b"gpu"}
NONCES = [bytes_of(f"nonce {i}") for i in range(5)]


def test_it_is_sha_512_over_label_nonces_keyset_and_devices() -> None:
    message = b"confide/v1/report-data\x00" + bytes_of("nonces") + hashlib.sha256(b"{}").digest() + hashlib.sha256(b"gpu").digest()
    assert binding(**PARTS) == hashlib.sha512(message).digest()


def test_no_devices_are_the_empty_string() -> None:
    assert binding(nonces=NO_NONCES, keyset=b"{}") == binding(nonces=NO_NONCES, keyset=b"{}", device_evidence=b"")


@pytest.mark.parametrize(
    "change", [{"nonces": NO_NONCES}, {"keyset": b"{ }"}, {"device_evidence": b""}], ids=lambda c: next(iter(c))
)
def test_each_part_changes_it(change: dict[str, bytes]) -> None:
    assert binding(**PARTS | change) != binding(**PARTS)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_nonce_root_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(MisuseError) as caught:
        binding(nonces=bytes(size), keyset=b"{}")
    assert caught.value.code is Code.BINDING_LENGTH


def test_device_evidence_is_length_prefixed_in_order() -> None:
    assert join_device_evidence([]) == b""
    assert join_device_evidence([b"ab", b"", b"c"]) == bytes.fromhex("00000002 6162 00000000 00000001 63")


@given(st.lists(st.binary(max_size=8), max_size=4), st.lists(st.binary(max_size=8), max_size=4))
@settings(max_examples=50, deadline=None)
def test_different_devices_never_join_to_the_same_bytes(one: list[bytes], other: list[bytes]) -> None:
    assert (join_device_evidence(one) == join_device_evidence(other)) == (one == other)


def test_the_root_of_one_nonce_is_its_leaf_hash() -> None:
    assert nonces_root(NONCES[:1]) == hashlib.sha256(b"\x00" + NONCES[0]).digest()
    assert nonce_path(NONCES[:1], 0) == []


@pytest.mark.parametrize("index", range(5))
def test_each_nonce_has_a_path_to_the_root(index: int) -> None:
    path, root = nonce_path(NONCES, index), nonces_root(NONCES)
    merkle.verify_inclusion(merkle.leaf_hash(NONCES[index]), index=index, size=5, path=path, root=root)


def test_a_root_depends_on_the_order_of_the_nonces() -> None:
    assert nonces_root(NONCES) != nonces_root(NONCES[::-1])


@pytest.mark.parametrize("nonces", [[], [bytes(31)], [bytes(32), bytes(33)], [bytes(32)] * (MAX_NONCES + 1)], ids=len)
def test_no_too_many_or_odd_nonces_are_refused(nonces: list[bytes]) -> None:
    with pytest.raises(MisuseError) as caught:
        nonces_root(nonces)
    assert caught.value.code is Code.BINDING_LENGTH


def test_an_equal_binding_is_noted() -> None:
    checks, value = Checks(), binding(**PARTS)
    require_binding(value, expected=value, checks=checks)
    assert [(check.code, check.ok, check.found, check.wanted) for check in checks.done] == [
        (Code.BINDING_MISMATCH, True, value.hex(), value.hex())
    ]


@pytest.mark.parametrize("cut", [slice(0, 63), slice(0, 32), slice(0, 0), slice(1, 64)], ids=str)
def test_a_part_of_the_binding_is_not_the_binding(cut: slice) -> None:
    value = binding(**PARTS)
    for found, expected in ((value[cut], value), (value, value[cut]), (value[cut], value[cut])):
        with pytest.raises(EvidenceError) as caught:
            require_binding(found, expected=expected, checks=Checks())
        assert caught.value.code is Code.BINDING_MISMATCH


@pytest.mark.parametrize("bit", [0, 255, 511])
def test_one_flipped_bit_is_refused(bit: int) -> None:
    value = binding(**PARTS)
    flipped = (int.from_bytes(value) ^ 1 << bit).to_bytes(64)
    with pytest.raises(EvidenceError) as caught:
        require_binding(flipped, expected=value, checks=Checks())
    assert (caught.value.code, caught.value.found, caught.value.wanted) == (Code.BINDING_MISMATCH, flipped.hex(), value.hex())


def test_a_lenient_record_notes_a_wrong_binding_and_concludes_with_it() -> None:
    checks = Checks(strict=False)
    require_binding(bytes(64), expected=binding(**PARTS), checks=checks)
    with pytest.raises(EvidenceError) as caught:
        checks.conclude()
    assert caught.value.code is Code.BINDING_MISMATCH
