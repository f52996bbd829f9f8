"""A verifier's public key from a file's bytes: PEM (RFC 7468), a JWK (RFC 7517, RFC 8037), or the JSON that `confide key` writes.

What is refused: private keys, curves other than P-256 and Ed25519, points that are not on their curve. Left to others: whom a key
belongs to, which no file says.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from confide.attest.publickeys import KeyMembers, public_key
from confide.codes import Code
from confide.errors import EvidenceError, PolicyError
from confide.formats import dsse, strictjson
from confide.policy.ear import jws

MAX_KEY = 16 << 10  # bytes of a file
PRIVATE_MEMBER = "d"  # RFC 7518 section 6.2.2, RFC 8037 section 2
_SIZE = 32  # bytes of a coordinate


def verifier_key(data: bytes) -> jws.PublicKey:
    """The key in a file.

    Raises:
        PolicyError: `ear.key` unless it is one of the three forms, `ear.algorithm` for a curve that signs no token here.
    """
    if len(data) > MAX_KEY:
        raise _no_key(f"{len(data)} bytes")
    key = _from_pem(data) if data.lstrip().startswith(b"-----BEGIN") else _from_json(data)
    jws.algorithm_of(key)
    return key


def _from_pem(data: bytes) -> jws.PublicKey:
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise _no_key("PEM of something else") from None
    if not isinstance(key, Ed25519PublicKey | ec.EllipticCurvePublicKey):
        raise PolicyError(Code.EAR_ALGORITHM, found=type(key).__name__, wanted="Ed25519 or P-256")
    return key


def _from_json(data: bytes) -> jws.PublicKey:
    try:
        members: Any = strictjson.loads(data, limit=MAX_KEY)
    except strictjson.JsonError:
        raise _no_key("neither PEM nor JSON") from None
    if not isinstance(members, dict):
        raise _no_key("JSON that is no object")
    return _from_jwk(members) if "kty" in members else _from_ours(members)


def _from_ours(members: Mapping[str, Any]) -> jws.PublicKey:
    """`{"alg", "public_key"}`, as in a keyset."""
    try:
        key = public_key(strictjson.convert(members, KeyMembers))
    except (strictjson.JsonError, EvidenceError):
        raise _no_key("JSON of something else") from None
    if key.alg is not dsse.SignatureAlgorithm.ED25519:
        raise PolicyError(Code.EAR_ALGORITHM, found="another algorithm", wanted="Ed25519 or P-256")
    return Ed25519PublicKey.from_public_bytes(key.raw)


def _from_jwk(members: Mapping[str, Any]) -> jws.PublicKey:
    if PRIVATE_MEMBER in members:
        raise _no_key("a private key")
    kind = members["kty"], members.get("crv")
    x, y = _coordinate(members.get("x")), _coordinate(members.get("y", "A" * 43))
    try:
        if kind == ("OKP", "Ed25519"):
            return Ed25519PublicKey.from_public_bytes(x)
        if kind == ("EC", "P-256"):
            return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + x + y)
    except ValueError:
        raise _no_key("a point that is not on its curve") from None
    raise PolicyError(Code.EAR_ALGORITHM, found="a JWK of another curve", wanted="Ed25519 or P-256")


def _coordinate(text: object) -> bytes:
    """32 bytes in base64url (RFC 7518 section 6.2.1.2)."""
    try:
        data = base64.b64decode(text + "=", altchars=b"-_", validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        data = b""
    if len(data) != _SIZE:
        raise _no_key("a JWK with a coordinate of another length")
    return data


def _no_key(found: str) -> PolicyError:
    return PolicyError(Code.EAR_KEY, found=found, wanted="a public key in PEM, as a JWK, or as `confide key public` writes it")
