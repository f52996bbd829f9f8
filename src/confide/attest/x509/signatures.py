"""Keys and signatures of certificates: which there are, in words, and whether one verifies.

Left to others: which are wanted of a chain (`checks`).
"""

import functools
from collections.abc import Mapping
from types import MappingProxyType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA384

from confide.attest.x509.decoded import UNREADABLE, Certificate, RevocationList, quietly

PSS_SHA384 = "RSASSA-PSS, SHA-384, MGF1 SHA-384, salt 48"
Algorithms = Mapping[str, tuple[str, ...]]  # issuing key as `key_name` calls it, to signatures as `signature_name` does
AMD: Algorithms = MappingProxyType({"RSA 4096": (PSS_SHA384,)})  # AMD 57230
P256: Algorithms = MappingProxyType({"P-256": ("ECDSA, SHA-256",)})  # Intel's chains (PCK Certificate and CRL Specification)
P384: Algorithms = MappingProxyType({"P-384": ("ECDSA, SHA-384",)})  # AWS's and NVIDIA's chains
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


@functools.lru_cache(maxsize=256)
def signed_by(child: Certificate, issuer: Certificate) -> bool:
    """Whether the signature of `child` verifies with the key of `issuer`, whose subject it names. Equality is that of the bytes."""
    try:
        with quietly():
            child.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def is_rsa_4096(certificate: Certificate) -> bool:
    """Whether the key is of the kind that AMD's ARK, ASK and ASVK have."""
    try:
        key = certificate.public_key()
    except UNREADABLE:
        return False
    return isinstance(key, rsa.RSAPublicKey) and key.key_size == 4096


@functools.lru_cache(maxsize=128)
def same_key(one: Certificate, other: Certificate) -> bool:
    """Whether two certificates hold one public key; never for keys that do not decode."""
    try:
        return one.public_key() == other.public_key()
    except UNREADABLE:
        return False


def key_name(certificate: Certificate) -> str:
    """The key in words: `RSA 4096`, `P-256`, `P-384`, or its type."""
    try:
        key = certificate.public_key()
    except UNREADABLE:
        return "an unknown key"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _CURVES.get(key.curve.name, key.curve.name)
    return type(key).__name__.lstrip("_")


def signature_name(signed: Certificate | RevocationList) -> str:
    """Scheme and hash in words: `PSS_SHA384` for exactly these parameters (RFC 4055 section 3.1), `ECDSA, SHA-256` (RFC 5758),
    `RSASSA-PKCS1-v1_5, SHA-256` (RFC 4055 section 5); otherwise the object identifier."""
    oid = signed.signature_algorithm_oid.dotted_string
    try:
        parameters, digest = signed.signature_algorithm_parameters, signed.signature_hash_algorithm
    except UNREADABLE:
        return f"{oid} with unknown parameters"
    named = "" if digest is None else digest.name.upper().replace("SHA", "SHA-")
    if isinstance(parameters, ec.ECDSA):
        return f"ECDSA, {named}"
    if isinstance(parameters, padding.PKCS1v15):
        return f"RSASSA-PKCS1-v1_5, {named}"
    if not isinstance(parameters, padding.PSS):
        return oid
    mgf, salt = parameters.mgf._algorithm, parameters._salt_length  # no public accessors (cryptography 48 to 50)
    if isinstance(digest, SHA384) and isinstance(mgf, SHA384) and salt == 48:
        return PSS_SHA384
    return f"RSASSA-PSS, {getattr(digest, 'name', '?')}, MGF1 {mgf.name}, salt {salt}"


def told(good: bool) -> str:
    """A signature in words."""
    return "a good one" if good else "a bad one"
