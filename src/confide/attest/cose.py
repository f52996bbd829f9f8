"""COSE_Sign1 (RFC 9052 section 4.2) as attestation documents use it: one signer, ECDSA, the payload inside.

The signed bytes are `["Signature1", protected, h'', payload]` (section 4.4), with the protected header as the exact bytes that
came. The algorithm stands in the protected header alone and is compared with what the caller wants: nothing in a message chooses
how it is verified. Left to others: who signs (`nitro.verify`, `cca.verify`), what the payload says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from confide.attest import cbor
from confide.attest.cbor import Tagged
from confide.attest.checks import Checks
from confide.attest.x509 import UNREADABLE, Certificate, told
from confide.codes import Code
from confide.errors import EvidenceError

TAG = 18  # RFC 9052 section 4.2
ALG = 1  # header label (RFC 9052 section 3.1)
MAX_MESSAGE = 64 << 10
NO_LABELS: frozenset[int] = frozenset()


class Algorithm(IntEnum):
    """COSE algorithms (RFC 9053 section 2.1)."""

    ES256 = -7
    ES384 = -35
    ES512 = -36


_CURVES: dict[Algorithm, tuple[type[ec.EllipticCurve], type[HashAlgorithm], int]] = {
    Algorithm.ES256: (ec.SECP256R1, SHA256, 32),
    Algorithm.ES384: (ec.SECP384R1, SHA384, 48),
    Algorithm.ES512: (ec.SECP521R1, SHA512, 66),
}


@dataclass(frozen=True)
class Sign1:
    """An unverified message. `payload` is what the signature covers."""

    algorithm: Algorithm
    protected: bytes = field(repr=False)
    payload: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def signed(self) -> bytes:
        """`Sig_structure`, deterministically encoded (RFC 9052 section 4.4)."""
        parts = (cbor.dump_head(4, 4), cbor.dump_head(3, 10), b"Signature1", cbor.dump_bytes(self.protected))
        return b"".join((*parts, cbor.dump_bytes(b""), cbor.dump_bytes(self.payload)))


def parse_sign1(
    data: bytes,
    *,
    algorithms: tuple[Algorithm, ...],
    tagged: bool,
    checks: Checks,
    protected_labels: frozenset[int] = NO_LABELS,
    unprotected_labels: frozenset[int] = NO_LABELS,
) -> Sign1:
    """The message in `data`.

    Args:
        algorithms: the accepted ones.
        tagged: whether tag 18 must stand in front, or may (RFC 9052 section 2).
        protected_labels, unprotected_labels: headers beside the algorithm that the format allows, and that are ignored. `crit`
            (RFC 9052 section 3.1) is never among them.

    Raises:
        EvidenceError: `cbor.*`, `cose.shape` or `cose.algorithm`.
    """
    value = cbor.loads(data, limit=MAX_MESSAGE)
    if isinstance(value, Tagged):
        if value.tag != TAG:
            raise _shape(f"tag {value.tag}", f"tag {TAG}")
        value = value.value
    elif tagged:
        raise _shape("no tag", f"tag {TAG}")
    if not isinstance(value, list) or len(value) != 4:  # RFC 9052 section 4.2
        raise _shape("another item", "an array of 4")
    protected, unprotected, payload, signature = value
    if not (isinstance(protected, bytes) and isinstance(payload, bytes) and isinstance(signature, bytes)):
        raise _shape("members of other types", "byte strings, and a map")
    if not isinstance(unprotected, dict) or set(unprotected) - unprotected_labels:
        raise _shape("unprotected headers", _labels(unprotected_labels))
    header = cbor.loads(protected, limit=MAX_MESSAGE) if protected else {}  # RFC 9052 section 3: an empty one may be h''
    if not isinstance(header, dict) or set(header) - protected_labels - {ALG}:
        raise _shape("other protected headers", _labels(protected_labels | {ALG}))
    return Sign1(_algorithm(header, algorithms, checks), protected, payload, signature)


def _labels(allowed: frozenset[int]) -> str:
    return f"no other than {', '.join(map(str, sorted(allowed)))}" if allowed else "none"


def _algorithm(header: Mapping[Any, Any], algorithms: tuple[Algorithm, ...], checks: Checks) -> Algorithm:
    wanted = " or ".join(f"{each.name} ({each.value})" for each in algorithms)
    found = next((each for each in algorithms if header.get(ALG) == each.value and type(header.get(ALG)) is int), None)
    if found is None:
        raise EvidenceError(Code.COSE_ALGORITHM, found=str(header.get(ALG))[:20], wanted=wanted)
    checks.require(True, Code.COSE_ALGORITHM, "COSE algorithm", found=found.name, wanted=wanted)
    return found


def require_signed(message: Sign1, key: Certificate | ec.EllipticCurvePublicKey, *, title: str, checks: Checks) -> None:
    """The signature is one by `key`: `cose.signature` otherwise."""
    good = verifies(message, key)
    checks.require(good, Code.COSE_SIGNATURE, f"{title} signature", found=told(good), wanted="a good one")


def verifies(message: Sign1, key: Certificate | ec.EllipticCurvePublicKey) -> bool:
    """Whether it is: r || s, both of the curve's size (RFC 9053 section 2.1). The key's curve is that of the algorithm."""
    curve, digest, size = _CURVES[message.algorithm]
    try:
        public = key.public_key() if isinstance(key, Certificate) else key
    except UNREADABLE:
        return False
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, curve):
        return False
    r, s = int.from_bytes(message.signature[:size]), int.from_bytes(message.signature[size:])
    if len(message.signature) != 2 * size or not r or not s:
        return False
    try:
        public.verify(encode_dss_signature(r, s), message.signed, ec.ECDSA(digest()))
    except InvalidSignature:
        return False
    return True


def _shape(found: str, wanted: str) -> EvidenceError:
    return EvidenceError(Code.COSE_SHAPE, found=found, wanted=wanted)
