"""ECDSA with P-256 and SHA-256 over r || s, as quotes, QE reports and collateral are signed (QuoteLibReference, appendix A).

Memoised where the same bytes come again: collateral serves many quotes, and a QE's report every quote of its attestation key.
"""

import functools

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from confide.attest import x509
from confide.attest.x509 import Certificate

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # NIST SP 800-186


@functools.lru_cache(maxsize=64)
def certified(certificate: Certificate, signature: bytes, data: bytes) -> bool:
    """Whether the certificate's key, one of P-256, signed `data`."""
    try:
        key = certificate.public_key()
    except x509.UNREADABLE:
        return False
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1) and _verifies(key, signature, data)


def signed_by_point(point: bytes, signature: bytes, data: bytes) -> bool:
    """Whether the key x || y signed `data`; one that is not on the curve signs nothing (NIST SP 800-186)."""
    key = _key(point)
    return key is not None and _verifies(key, signature, data)


@functools.lru_cache(maxsize=64)
def _key(point: bytes) -> ec.EllipticCurvePublicKey | None:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + point)  # SEC 1 section 2.3.4
    except ValueError:
        return None


def _verifies(key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> bool:
    """r and s are from 1 to the order less one (FIPS 186-5 section 6.4.2)."""
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    if len(signature) != 64 or not (0 < r < P256_ORDER and 0 < s < P256_ORDER):
        return False
    try:
        key.verify(encode_dss_signature(r, s), data, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
