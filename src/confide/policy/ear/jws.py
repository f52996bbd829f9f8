"""Compact JWS (RFC 7515) of two algorithms, each pinned by the key that is used and never by the token.

Ed25519 is `EdDSA` (RFC 8037), P-256 is `ES256` (RFC 7518 section 3.4). Refused: any other `alg` than the key's, `crit` of any
kind, two members of one name, padding and other alphabets, more than `MAX_TOKEN` bytes. Left to others: what the payload says
(`result`).
"""

import base64
import binascii
import re
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from confide.codes import Code
from confide.errors import PolicyError
from confide.formats import strictjson

MAX_TOKEN = 1 << 20  # characters
TYPE = "JWT"  # RFC 7519 section 5.1
PrivateKey = Ed25519PrivateKey | ec.EllipticCurvePrivateKey
PublicKey = Ed25519PublicKey | ec.EllipticCurvePublicKey
_PART = re.compile(r"[A-Za-z0-9_-]*\Z")
_SIZE = 32  # bytes of r and of s


def algorithm_of(key: PrivateKey | PublicKey) -> str:
    """The one `alg` of a key; `ear.algorithm` for a curve without one here."""
    if isinstance(key, Ed25519PrivateKey | Ed25519PublicKey):
        return "EdDSA"
    if isinstance(key.curve, ec.SECP256R1):
        return "ES256"
    raise PolicyError(Code.EAR_ALGORITHM, found=key.curve.name, wanted="Ed25519 or P-256")


def sign(payload: bytes, key: PrivateKey) -> str:
    """The compact token over a payload."""
    header = strictjson.dumps({"alg": algorithm_of(key), "typ": TYPE})
    signed = f"{_encoded(header)}.{_encoded(payload)}"
    return f"{signed}.{_encoded(_signature(signed.encode(), key))}"


def verify(token: str, key: PublicKey) -> bytes:
    """The payload, once the token is the key's.

    Raises:
        PolicyError: `ear.malformed`, `ear.algorithm` or `ear.signature`.
    """
    if len(token) > MAX_TOKEN:
        raise _malformed(f"{len(token)} characters")
    parts = token.split(".")
    if len(parts) != 3:
        raise _malformed(f"{len(parts)} parts")
    header, payload, signature = map(_decoded, parts)
    _require_header(header, algorithm_of(key))
    if not _verifies(f"{parts[0]}.{parts[1]}".encode(), signature, key):
        raise PolicyError(Code.EAR_SIGNATURE, found="a bad signature", wanted="one by the key that was given")
    return payload


def _require_header(header: bytes, wanted: str) -> None:
    """RFC 7515 section 4.1: an extension that must be understood is not, and refuses."""
    try:
        members: Any = strictjson.loads(header, limit=MAX_TOKEN)
    except strictjson.JsonError:
        raise _malformed("a header that is no strict JSON") from None
    if not isinstance(members, dict) or "crit" in members or "b64" in members:
        raise _malformed("critical headers" if isinstance(members, dict) else "a header that is no object")
    if members.get("alg") != wanted:
        raise PolicyError(Code.EAR_ALGORITHM, found=f"alg {str(members.get('alg'))[:20]!r}", wanted=wanted)


def _signature(signed: bytes, key: PrivateKey) -> bytes:
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(signed)
    r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(SHA256())))
    return r.to_bytes(_SIZE) + s.to_bytes(_SIZE)


def _verifies(signed: bytes, signature: bytes, key: PublicKey) -> bool:
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, signed)
            return True
        r, s = int.from_bytes(signature[:_SIZE]), int.from_bytes(signature[_SIZE:])
        if len(signature) != 2 * _SIZE or not r or not s:
            return False
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    """One spelling: no padding, and no bits left over (RFC 7515 section 2; RFC 4648 section 3.5)."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if _PART.match(text) else None
    except (binascii.Error, ValueError):
        data = None
    if data is None or _encoded(data) != text:
        raise _malformed("a part that is no base64url")
    return data


def _malformed(found: str) -> PolicyError:
    return PolicyError(Code.EAR_MALFORMED, found=found, wanted="a compact JWS of an attestation result")
