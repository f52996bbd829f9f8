"""A verifier's key from a file: its three forms, and everything else."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from tests.policy.ear.tokens import ED25519, P256, encoded, members, token

from confide.client.keyfiles import public_json
from confide.codes import Code
from confide.errors import PolicyError
from confide.formats import dsse
from confide.policy.ear import jws
from confide.policy.ear.keys import MAX_KEY, verifier_key


def pem(key: Any) -> bytes:
    data: bytes = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return data


def jwk(**overrides: Any) -> bytes:
    """P-256's, with overrides; None removes."""
    numbers = P256.public_key().public_numbers()
    whole = {"kty": "EC", "crv": "P-256", "x": encoded(numbers.x.to_bytes(32)), "y": encoded(numbers.y.to_bytes(32))} | overrides
    return json.dumps({name: value for name, value in whole.items() if value is not None}).encode()


def okp(**overrides: Any) -> bytes:
    return json.dumps({"kty": "OKP", "crv": "Ed25519", "x": encoded(ED25519.public_key().public_bytes_raw())} | overrides).encode()


OURS = public_json(dsse.PublicKey(dsse.SignatureAlgorithm.ED25519, ED25519.public_key().public_bytes_raw()))


@pytest.mark.parametrize(
    ("data", "private"),
    [(pem(ED25519.public_key()), ED25519), (pem(P256.public_key()), P256), (jwk(), P256), (okp(), ED25519), (OURS, ED25519)],
    ids=["pem ed25519", "pem p-256", "jwk p-256", "jwk ed25519", "ours"],
)
def test_a_key_is_read_from_each_form(data: bytes, private: jws.PrivateKey) -> None:
    assert jws.verify(token(members(), key=private), verifier_key(data))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"ed25519:00",
        b"[]",
        b"{}",
        b'{"kty":"EC","kty":"EC"}',
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        P256.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        jwk(d="AAAA"),
        okp(d="AAAA"),
        jwk(x=None),
        jwk(x=7),
        jwk(x="A" * 44),
        jwk(x="é" * 43),
        jwk(y="A" * 43),
        okp(x="AAAA"),
        b'{"alg":"ed25519","public_key":"AAAA"}',
        b'{"alg":"ed25519","public_key":"AAAA","use":"x"}',
        b" " * (MAX_KEY + 1),
    ],
    ids=range(18),
)
def test_what_is_no_public_key_is_refused(data: bytes) -> None:
    with pytest.raises(PolicyError) as caught:
        verifier_key(data)
    assert caught.value.code is Code.EAR_KEY


@pytest.mark.parametrize(
    "data",
    [
        pem(rsa.generate_private_key(65537, 2048).public_key()),
        pem(ec.generate_private_key(ec.SECP384R1()).public_key()),
        jwk(crv="P-384"),
        okp(crv="X25519"),
        jwk(kty="RSA"),
        jwk(crv=None),
        public_json(dsse.SigningKey(dsse.SignatureAlgorithm.ML_DSA_65, MLDSA65PrivateKey.generate()).public),
    ],
    ids=["rsa", "p-384", "jwk p-384", "jwk x25519", "jwk rsa", "jwk without a curve", "ml-dsa"],
)
def test_a_key_of_another_algorithm_is_refused(data: bytes) -> None:
    with pytest.raises(PolicyError) as caught:
        verifier_key(data)
    assert caught.value.code is Code.EAR_ALGORITHM


def test_a_coordinate_has_one_spelling() -> None:
    x = base64.urlsafe_b64encode(ED25519.public_key().public_bytes_raw()).decode()  # with padding
    with pytest.raises(PolicyError, match=r"ear\.key"):
        verifier_key(okp(x=x))
