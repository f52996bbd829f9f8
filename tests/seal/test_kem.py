import os
import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tests.seal.fixtures import KEMS, flipped, refused

from confide.codes import Code
from confide.seal.hpke import Kem, PrivateKey, PublicKey, parse_public_key

SMALL_ORDER = bytes(32), bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")  # RFC 7748 section 6.1


@pytest.mark.parametrize("kem", KEMS)
def test_both_ends_derive_one_secret(kem: Kem) -> None:
    private = PrivateKey.generate(kem)
    secret, enc = PublicKey(kem, private.public_bytes).encapsulate()
    assert (len(enc), len(private.public_bytes)) == (kem.n_enc, kem.n_pk)
    assert private.decapsulate(enc) == secret


@pytest.mark.parametrize("kem", KEMS)
def test_a_key_is_its_32_bytes(kem: Kem) -> None:
    raw = os.urandom(32)
    assert PrivateKey.from_bytes(kem, raw).public_bytes == PrivateKey.from_bytes(kem, raw).public_bytes


@pytest.mark.parametrize("kem", KEMS)
@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_private_key_of_another_length_is_refused(kem: Kem, length: int) -> None:
    with refused(Code.HPKE_PRIVATE_KEY):
        PrivateKey.from_bytes(kem, bytes(length))


@pytest.mark.parametrize("kem", KEMS)
@pytest.mark.parametrize("change", [-1, 1])
def test_public_and_encapsulated_keys_of_another_length_are_refused(kem: Kem, change: int) -> None:
    private = PrivateKey.generate(kem)
    with refused(Code.HPKE_PUBLIC_KEY):
        PublicKey(kem, bytes(kem.n_pk + change))
    with refused(Code.HPKE_ENC):
        private.decapsulate(bytes(kem.n_enc + change))


def test_an_ml_kem_key_with_a_coefficient_beyond_the_modulus_is_refused() -> None:
    public = b"\xff" * 1184 + PrivateKey.generate(Kem.X25519).public_bytes
    with refused(Code.HPKE_PUBLIC_KEY):
        PublicKey(Kem.XWING, public)


@pytest.mark.parametrize("point", SMALL_ORDER)
@pytest.mark.parametrize("kem", KEMS)
def test_points_of_small_order_are_refused_on_both_sides(kem: Kem, point: bytes) -> None:
    private = PrivateKey.generate(kem)
    secret, enc = PublicKey(kem, private.public_bytes).encapsulate()
    with refused(Code.HPKE_PUBLIC_KEY):
        PublicKey(kem, private.public_bytes[:-32] + point).encapsulate()
    with refused(Code.HPKE_ENC):
        private.decapsulate(enc[:-32] + point)
    assert private.decapsulate(enc) == secret


@pytest.mark.parametrize("position", [0, 1087, 1088, 1119])
def test_a_changed_x_wing_encapsulation_gives_another_secret(position: int) -> None:
    """ML-KEM rejects implicitly (FIPS 203 section 6.3), so the change shows at the first open."""
    private = PrivateKey.generate(Kem.XWING)
    secret, enc = PublicKey(Kem.XWING, private.public_bytes).encapsulate()
    assert private.decapsulate(flipped(enc, position)) != secret


@pytest.mark.parametrize("kem", KEMS)
def test_a_wiped_key_opens_nothing(kem: Kem) -> None:
    private = PrivateKey.generate(kem)
    _, enc = PublicKey(kem, private.public_bytes).encapsulate()
    private.wipe()
    assert private.wiped
    with refused(Code.HPKE_KEY_WIPED):
        private.decapsulate(enc)


def test_a_private_key_shows_neither_itself_nor_a_copy() -> None:
    raw = os.urandom(32)
    private = PrivateKey.from_bytes(Kem.X25519, raw)
    assert repr(private) == "PrivateKey(X25519, redacted)"
    private.wipe()
    assert repr(private) == "PrivateKey(X25519, wiped)"
    with refused(Code.HPKE_PRIVATE_KEY):
        pickle.dumps(private)


def test_parsed_public_keys_are_remembered() -> None:
    raw = PrivateKey.generate(Kem.XWING).public_bytes
    assert parse_public_key(Kem.XWING, raw) is parse_public_key(Kem.XWING, bytes(raw))


def test_an_injected_ephemeral_key_is_the_encapsulated_key() -> None:
    ephemeral = X25519PrivateKey.generate()
    private = PrivateKey.generate(Kem.X25519)
    _, enc = PublicKey(Kem.X25519, private.public_bytes).encapsulate(_ephemeral=ephemeral)
    assert enc == ephemeral.public_key().public_bytes_raw()


def test_only_x_wing_is_post_quantum() -> None:
    assert [kem for kem in KEMS if kem.post_quantum] == [Kem.XWING]
