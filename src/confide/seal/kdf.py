"""HKDF-SHA256 (RFC 5869) and the labeled functions of RFC 9180 section 4, on `cryptography`'s HKDF."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

N_H = 32  # SHA-256
MAX_EXPAND = 255 * N_H  # RFC 5869 section 2.3

_SHA256 = SHA256()


def extract(salt: bytes, ikm: bytes) -> bytes:
    """HKDF-Extract."""
    return HKDF.extract(_SHA256, salt, ikm)


def expand(prk: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand to `length` bytes."""
    return HKDFExpand(_SHA256, length, info).derive(prk)


def labeled_extract(suite_id: bytes, *, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    """LabeledExtract (RFC 9180 section 4)."""
    return extract(salt, b"".join((b"HPKE-v1", suite_id, label, ikm)))


def labeled_expand(suite_id: bytes, *, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    """LabeledExpand (RFC 9180 section 4): I2OSP(L, 2) comes first."""
    return expand(prk, b"".join((length.to_bytes(2, "big"), b"HPKE-v1", suite_id, label, info)), length)
