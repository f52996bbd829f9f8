"""DSSE envelopes as 09-receipt.md, "Envelope and statement", uses them (DSSE protocol v1.0.2).

Nothing here parses a payload. `Envelope.signed_by` answers which of the given keys made one of the signatures; a caller asks that
before it looks into the payload. Keyids in an envelope are never looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey

from conformance.second.strict_json import Reader

KIB = 1024
MAX_SIGNATURES = 8
MAX_SIGNATURE = 4096
ED25519 = "ed25519"
ML_DSA_65 = "ml-dsa-65"
KEY_SIZES = {ED25519: 32, ML_DSA_65: 1952}
_SIGNATURE_SIZES = {ED25519: 64, ML_DSA_65: 3309}


@dataclass(frozen=True)
class SigningKey:
    """A public key of a keyset's `receipt_keys`: its `alg` and the raw key."""

    alg: str
    public_key: bytes

    @property
    def keyid(self) -> bytes:
        """SHA-256(alg || 0x00 || public key)."""
        return hashlib.sha256(self.alg.encode("ascii") + b"\0" + self.public_key).digest()

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Ed25519 of RFC 8032, pure; ML-DSA-65 of FIPS 204, pure, with the empty context."""
        if len(signature) != _SIGNATURE_SIZES[self.alg]:
            return False
        try:
            if self.alg == ED25519:
                Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
            else:
                MLDSA65PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """PAE: "DSSEv1" SP LEN(type) SP type SP LEN(payload) SP payload."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


@dataclass(frozen=True)
class Envelope:
    """An envelope of the right form. Nothing about its signatures is known yet."""

    payload_type: str
    payload: bytes
    signatures: tuple[bytes, ...]

    def signed_by(self, keys: Iterable[SigningKey]) -> SigningKey | None:
        """The first of these keys under which any of the signatures verifies."""
        message = pre_authentication_encoding(self.payload_type, self.payload)
        for key in keys:
            if any(key.verifies(signature, message) for signature in self.signatures):
                return key
        return None


def parse_envelope(data: bytes, *, limit: int, payload_type: str, reader: Reader) -> Envelope:
    """The envelope in `data`: strict JSON with exactly the members of the page, of this payload type."""
    members = reader.members(reader.json(data, limit), {"payload", "payloadType", "signatures"})
    if members["payloadType"] != payload_type:
        reader.refuse(f"payload type {members['payloadType']!r:.80}")
    payload = reader.base64(members["payload"], limit)
    listed = reader.array(members["signatures"], 1, MAX_SIGNATURES)
    return Envelope(payload_type, payload, tuple(_signature(item, reader) for item in listed))


def _signature(value: object, reader: Reader) -> bytes:
    members = reader.members(value, {"sig"}, {"keyid"})
    reader.text(members.get("keyid", ""), r"(?s:.*)")
    return reader.base64(members["sig"], MAX_SIGNATURE)
