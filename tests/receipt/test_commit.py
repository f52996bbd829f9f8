"""confide-commit-v1 and salts. Most refusals of salts are vectors (09-receipt.json)."""

import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confide.codes import Code
from confide.errors import ReceiptError
from confide.receipt.commit import LABELS, Label, Salts, commit, new_salts

SALT = bytes(range(32))


def by_hand(salt: bytes, label: bytes, data: bytes) -> bytes:
    """RFC 2104, written out: the block of SHA-256 is 64 bytes."""
    message = label + b"\x00" + hashlib.sha256(data).digest()
    key = salt.ljust(64, b"\x00")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).digest()


@given(salt=st.binary(min_size=32, max_size=32), label=st.sampled_from(LABELS), data=st.binary(max_size=200))
@settings(max_examples=50)
def test_a_commitment_is_hmac_sha_256_over_label_and_hash(salt: bytes, label: Label, data: bytes) -> None:
    assert commit(salt, label, data) == by_hand(salt, label.value.encode(), data)
    assert commit(salt, label, data) == hmac.new(salt, label.encode() + b"\x00" + hashlib.sha256(data).digest(), "sha256").digest()


@pytest.mark.parametrize("size", [0, 16, 31, 33, 64])
def test_a_salt_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(ReceiptError) as caught:
        commit(bytes(size), Label.REQUEST, b"x")
    assert caught.value.code is Code.RECEIPT_SALTS


def test_label_salt_and_bytes_each_change_the_commitment() -> None:
    base = commit(SALT, Label.REQUEST, b"x")
    others = {commit(SALT, Label.RESPONSE, b"x"), commit(bytes(32), Label.REQUEST, b"x"), commit(SALT, Label.REQUEST, b"y")}
    assert len({base, *others}) == 4


def test_salts_are_fresh() -> None:
    salts = [salt for _ in range(100) for salt in new_salts()]
    assert len(set(salts)) == 300
    assert {len(salt) for salt in salts} == {32}


@given(
    request=st.binary(min_size=32, max_size=32),
    response=st.binary(min_size=32, max_size=32),
    opened=st.none() | st.tuples(st.binary(min_size=32, max_size=32), st.binary(max_size=300)),
)
@settings(max_examples=50)
def test_salts_read_back_as_written(request: bytes, response: bytes, opened: tuple[bytes, bytes] | None) -> None:
    salts = Salts(request, response, *(opened or (None, None)))
    assert Salts.parse(salts.to_bytes()) == salts


@given(st.binary(max_size=300))
@settings(max_examples=50)
def test_any_other_bytes_are_refused_with_one_code(data: bytes) -> None:
    with pytest.raises(ReceiptError) as caught:
        Salts.parse(data)
    assert caught.value.code is Code.RECEIPT_SALTS


def test_every_truncation_of_salts_is_refused() -> None:
    text = Salts(SALT, SALT, SALT, b"{}").to_bytes()
    for size in range(len(text)):
        with pytest.raises(ReceiptError):
            Salts.parse(text[:size])


def test_salts_show_nothing() -> None:
    salts = Salts(b"r" * 32, b"s" * 32, b"p" * 32, b"secret words")
    assert repr(salts) == "Salts()"
    assert "secret" not in str(salts)
