"""Compact JWS: the two algorithms with RFC vectors, and every way a token may be malformed or signed otherwise."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from tests.policy.ear.tokens import ED25519, P256, encoded, token

from confide.codes import Code
from confide.errors import PolicyError
from confide.policy.ear import jws

PAYLOAD = b'{"a":1}'


def refused(code: Code, text: str, key: jws.PublicKey | None = None) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        jws.verify(text, key or ED25519.public_key())
    assert caught.value.code is code
    return caught.value


@pytest.mark.parametrize("key", [ED25519, P256], ids=["EdDSA", "ES256"])
def test_what_is_signed_verifies_by_its_own_key_only(key: jws.PrivateKey) -> None:
    text = jws.sign(PAYLOAD, key)
    assert jws.verify(text, key.public_key()) == PAYLOAD
    other = Ed25519PrivateKey.generate() if key is ED25519 else ec.generate_private_key(ec.SECP256R1())
    refused(Code.EAR_SIGNATURE, text, other.public_key())


def test_the_token_of_rfc_8037_verifies() -> None:
    """RFC 8037, appendix A.4."""
    raw = base64.urlsafe_b64decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    text = (
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )
    assert jws.verify(text, Ed25519PublicKey.from_public_bytes(raw)) == b"Example of Ed25519 signing"


def test_the_token_of_rfc_7515_verifies() -> None:
    """RFC 7515, appendix A.3: ES256."""
    x = int("7fcdce2770f6c45d4183cbee6fdb4b7b580733357be9ef13bacf6e3c7bd15445", 16)
    y = int("c7f144cd1bbd9b7e872cdfedb9eeb9f4b3695d6ea90b24ad8a4623288588e5ad", 16)
    text = (
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    )
    assert b"joe" in jws.verify(text, ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key())


@pytest.mark.parametrize("alg", ["none", "HS256", "ES256", "ES384", "RS256", "eddsa", "Ed25519", "", None, 7], ids=repr)
def test_the_key_and_not_the_token_says_the_algorithm(alg: Any) -> None:
    refused(Code.EAR_ALGORITHM, token(PAYLOAD, header={"alg": alg}))
    assert jws.verify(token(PAYLOAD, header={"alg": "EdDSA"}), ED25519.public_key()) == PAYLOAD


def test_a_header_without_algorithm_is_refused() -> None:
    refused(Code.EAR_ALGORITHM, token(PAYLOAD, header={"typ": "JWT"}))


def test_a_public_key_used_as_a_shared_secret_is_refused() -> None:
    """The oldest attack on JWT: the token says HMAC, and the verifier's public key is the secret."""
    head, body = encoded(b'{"alg":"HS256"}'), encoded(PAYLOAD)
    refused(Code.EAR_ALGORITHM, f"{head}.{body}.{encoded(bytes(32))}")


@pytest.mark.parametrize("key", [ec.SECP384R1(), ec.SECP256K1()], ids=lambda curve: str(curve.name))
def test_other_curves_sign_and_verify_nothing(key: ec.EllipticCurve) -> None:
    private = ec.generate_private_key(key)
    refused(Code.EAR_ALGORITHM, token(PAYLOAD), private.public_key())
    with pytest.raises(PolicyError, match=r"ear\.algorithm"):
        jws.sign(PAYLOAD, private)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "EdDSA", "crit": ["exp"]},
        {"alg": "EdDSA", "crit": []},
        {"alg": "EdDSA", "b64": False},
        b'["EdDSA"]',
        b'{"alg":"EdDSA","alg":"EdDSA"}',
        b'{"alg":"EdDSA"',
        b"\xff",
        b"",
    ],
    ids=repr,
)
def test_a_header_that_is_not_understood_whole_is_refused(header: Any) -> None:
    refused(Code.EAR_MALFORMED, token(PAYLOAD, header=header))


@pytest.mark.parametrize(
    "change",
    [
        "",
        ".",
        "A.{t}",
        "AAAAA.AAAA.AAAA",
        "AAAA.AAAAA.AAAA",
        "..",
        "{t}.",
        ".{t}",
        "{t}.x",
        "{t}=",
        "{t} ",
        "{t}\n",
        "é{t}",
        "{t}+",
        "{t}/",
    ],
    ids=repr,
)
def test_another_form_is_refused(change: str) -> None:
    refused(Code.EAR_MALFORMED, change.replace("{t}", token(PAYLOAD)))


def test_bits_left_over_in_the_last_character_are_refused() -> None:
    """64 bytes end in a character with four spare bits."""
    text = token(PAYLOAD)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    refused(Code.EAR_MALFORMED, text[:-1] + alphabet[alphabet.index(text[-1]) ^ 1])


def test_a_huge_token_is_refused_before_it_is_read() -> None:
    assert "characters" in refused(Code.EAR_MALFORMED, "a" * (jws.MAX_TOKEN + 1)).found


@pytest.mark.parametrize("part", [0, 1, 2], ids=["header", "payload", "signature"])
@pytest.mark.parametrize("key", [ED25519, P256], ids=["EdDSA", "ES256"])
def test_one_character_more_or_less_is_noticed(key: jws.PrivateKey, part: int) -> None:
    parts = jws.sign(PAYLOAD, key).split(".")
    for changed in (parts[part][:-4], "AAAA" + parts[part]):
        text = ".".join([*parts[:part], changed, *parts[part + 1 :]])
        with pytest.raises(PolicyError) as caught:
            jws.verify(text, key.public_key())
        assert caught.value.code in {Code.EAR_SIGNATURE, Code.EAR_MALFORMED}


@pytest.mark.parametrize("values", [(0, 1), (1, 0), (0, 0), (1, 1), (2**256 - 1, 2**256 - 1)], ids=repr)
def test_an_ecdsa_signature_out_of_range_is_refused(values: tuple[int, int]) -> None:
    head, body, _ = jws.sign(PAYLOAD, P256).split(".")
    forged = encoded(b"".join(value.to_bytes(32) for value in values))
    refused(Code.EAR_SIGNATURE, f"{head}.{body}.{forged}", P256.public_key())


def test_a_der_signature_is_not_the_raw_one() -> None:
    """RFC 7518 section 3.4: R and S, 64 octets."""
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    whole = f"{encoded(json.dumps({'alg': 'ES256'}).encode())}.{encoded(PAYLOAD)}"
    der = P256.sign(whole.encode(), ec.ECDSA(SHA256()))
    refused(Code.EAR_SIGNATURE, f"{whole}.{encoded(der)}", P256.public_key())
