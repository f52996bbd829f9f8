"""DSSE envelopes (secure-systems-lab/dsse, protocol v1.0.2) with Ed25519 and ML-DSA-65.

Receipts, signed policies and admissions are DSSE envelopes. The payload is verified before it is parsed; only the accepted payload
type is returned. Left to others: which keys are accepted, and what the payload says.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey

from confide.codes import Code
from confide.errors import ConfideError
from confide.formats import strictjson

MAX_SIGNATURES = 8
MAX_ENVELOPE = 1 << 20  # bytes; receipts are about 4 KiB, policies under 256 KiB


# What `strictjson.dumps` would write: of these members only the payload type can need escaping, and receipts are signed all day.
_ENVELOPE = b'{"payload":"%b","payloadType":%b,"signatures":[%b]}'
_SIGNATURE = b'{"keyid":"%b","sig":"%b"}'


class DsseError(ConfideError):
    """The envelope is malformed, of another type, or signed by no accepted key."""


class SignatureAlgorithm(StrEnum):
    """Names as in the keyset's `receipt_keys[].alg`."""

    ED25519 = "ed25519"  # RFC 8032
    ML_DSA_65 = "ml-dsa-65"  # FIPS 204


@dataclass(frozen=True)
class PublicKey:
    """A verification key: algorithm and its raw public bytes (32 for Ed25519, 1952 for ML-DSA-65)."""

    alg: SignatureAlgorithm
    raw: bytes

    def __repr__(self) -> str:
        return f"PublicKey({self.alg.value}, {self.keyid[:16]}…)"

    @cached_property
    def keyid(self) -> str:
        """SHA-256 over `alg || 0x00 || raw`, as hex: a hint only, never trusted (DSSE protocol, KEYID)."""
        return hashlib.sha256(self.alg.encode() + b"\x00" + self.raw).hexdigest()

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raise `dsse.signature` unless the signature over `message` is this key's."""
        try:
            _VERIFIERS[self.alg](self.raw, signature, message)
        except (InvalidSignature, ValueError):
            raise DsseError(Code.DSSE_SIGNATURE, found=f"a bad {self.alg.value} signature", wanted=self.keyid) from None


@dataclass(frozen=True)
class SigningKey:
    """A private signing key; its repr shows the public half only."""

    alg: SignatureAlgorithm
    private: Ed25519PrivateKey | MLDSA65PrivateKey

    @classmethod
    def generate(cls, alg: SignatureAlgorithm = SignatureAlgorithm.ED25519) -> "SigningKey":
        """A fresh key from the operating system's randomness."""
        return cls(alg, Ed25519PrivateKey.generate() if alg is SignatureAlgorithm.ED25519 else MLDSA65PrivateKey.generate())

    @cached_property
    def public(self) -> PublicKey:
        """The verification half."""
        return PublicKey(self.alg, self.private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """A signature over `message` (pure mode, no context)."""
        return self.private.sign(message)

    def __repr__(self) -> str:
        return f"SigningKey({self.alg.value}, {self.public.keyid[:16]}…)"


class _Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sig: str
    keyid: str = ""


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    payload: str
    payloadType: str  # noqa: N815 - the specification's spelling
    signatures: list[_Signature]


def pae(payload_type: str, payload: bytes) -> bytes:
    """Pre-authentication encoding (DSSE protocol, "Signature Definition")."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(payload: bytes, *, payload_type: str, keys: tuple[SigningKey, ...]) -> bytes:
    """A serialised envelope over `payload`, signed with each key."""
    message = pae(payload_type, payload)
    signatures = b",".join([_SIGNATURE % (key.public.keyid.encode(), strictjson.b64_bytes(key.sign(message))) for key in keys])
    return _ENVELOPE % (strictjson.b64_bytes(payload), _json(payload_type), signatures)


def verify(
    envelope: bytes, *, payload_type: str, keys: tuple[PublicKey, ...], limit: int = MAX_ENVELOPE
) -> tuple[bytes, PublicKey]:
    """The payload bytes and the first accepted key that signed them.

    Raises:
        DsseError: `dsse.malformed`, `dsse.payload_type`, or `dsse.signature` when no key in `keys` verifies.
    """
    payload, kind, signatures = _parse(envelope, limit=limit)
    if kind != payload_type:
        raise DsseError(Code.DSSE_PAYLOAD_TYPE, found=f"{kind[:80]!a}", wanted=payload_type)
    message = pae(payload_type, payload)
    for key in keys:
        for signature in signatures:
            try:
                key.verify(signature, message)
            except DsseError:
                continue
            return payload, key
    raise DsseError(Code.DSSE_SIGNATURE, found=f"{len(signatures)} signatures", wanted=f"one by any of {len(keys)} accepted keys")


def unverified_payload(envelope: bytes, *, payload_type: str, limit: int = MAX_ENVELOPE) -> bytes:
    """The payload before any signature is checked: only for finding out which key to look up."""
    payload, kind, _ = _parse(envelope, limit=limit)
    if kind != payload_type:
        raise DsseError(Code.DSSE_PAYLOAD_TYPE, found=f"{kind[:80]!a}", wanted=payload_type)
    return payload


@lru_cache(maxsize=16)
def _json(payload_type: str) -> bytes:
    return strictjson.dumps(payload_type)


def _parse(envelope: bytes, *, limit: int) -> tuple[bytes, str, list[bytes]]:
    try:
        parsed = strictjson.load_as(envelope, _Envelope, limit=limit)
        payload = strictjson.unb64(parsed.payload, limit=limit)
        signatures = [strictjson.unb64(item.sig, limit=4096) for item in parsed.signatures[: MAX_SIGNATURES + 1]]
    except strictjson.JsonError as error:
        raise DsseError(Code.DSSE_MALFORMED, found=f"{error.code.value} {error.found}".strip(), wanted="a DSSE envelope") from None
    if not 1 <= len(signatures) <= MAX_SIGNATURES:
        raise DsseError(Code.DSSE_MALFORMED, found=f"{len(parsed.signatures)} signatures", wanted=f"1 to {MAX_SIGNATURES}")
    return payload, parsed.payloadType, signatures


def _verify_ed25519(raw: bytes, signature: bytes, message: bytes) -> None:
    Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)


def _verify_ml_dsa_65(raw: bytes, signature: bytes, message: bytes) -> None:
    MLDSA65PublicKey.from_public_bytes(raw).verify(signature, message)


_VERIFIERS: Mapping[SignatureAlgorithm, Callable[[bytes, bytes, bytes], None]] = {
    SignatureAlgorithm.ED25519: _verify_ed25519,
    SignatureAlgorithm.ML_DSA_65: _verify_ml_dsa_65,
}
