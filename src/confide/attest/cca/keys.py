"""The two keys of a token: the platform's (CPAK), which a policy pins; the realm's (RAK), which the platform's token vouches for.

A RAK stands in its claim as a raw point of P-384 (Arm DEN0137 up to 1.0) or as a COSE_Key (RFC 9052 section 7, RFC 9053 section
7.1). A key's curve says its algorithm: nothing in a message does.
"""

from collections.abc import Mapping
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from confide.attest import cbor
from confide.attest.cca.layout import malformed
from confide.attest.cose import Algorithm
from confide.attest.x509 import UNREADABLE
from confide.codes import Code
from confide.errors import CollateralError

RAW_SIZE, UNCOMPRESSED = 97, 4  # SEC 1 section 2.3.3, P-384
KTY, ALG, CRV, X, Y = 1, 3, -1, -2, -3  # labels (RFC 9052 table 4, RFC 9053 table 19)
EC2 = 2
CURVES: Mapping[int, ec.EllipticCurve] = MappingProxyType({1: ec.SECP256R1(), 2: ec.SECP384R1(), 3: ec.SECP521R1()})
ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType(
    {"secp256r1": Algorithm.ES256, "secp384r1": Algorithm.ES384, "secp521r1": Algorithm.ES512}
)


def realm_key(claim: bytes) -> ec.EllipticCurvePublicKey:
    """The RAK in claim 44237.

    Raises:
        EvidenceError: `cca.token`, `cbor.*`.
    """
    if len(claim) == RAW_SIZE and claim[0] == UNCOMPRESSED:
        return _point(ec.SECP384R1(), claim)
    key = cbor.loads(claim)
    if not isinstance(key, dict) or key.get(KTY) != EC2 or type(key.get(CRV)) is not int or key[CRV] not in CURVES:
        raise malformed("a realm key of another form", "an EC2 COSE_Key of P-256, P-384 or P-521")
    curve = CURVES[key[CRV]]
    size = (curve.key_size + 7) // 8
    x, y = key.get(X), key.get(Y)
    if not (isinstance(x, bytes) and isinstance(y, bytes) and len(x) == len(y) == size):
        raise malformed("a realm key with coordinates of another form", f"{size} bytes each")
    if ALG in key and key[ALG] != ALGORITHMS[curve.name].value:
        raise malformed("a realm key for another algorithm", ALGORITHMS[curve.name].name)
    return _point(curve, bytes([UNCOMPRESSED]) + x + y)


def _point(curve: ec.EllipticCurve, point: bytes) -> ec.EllipticCurvePublicKey:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
    except ValueError:
        raise malformed("a realm key that is no point of its curve", curve.name) from None


def platform_key(spki: bytes) -> ec.EllipticCurvePublicKey:
    """A pinned CPAK: SubjectPublicKeyInfo in DER; `cca.anchor` for anything else."""
    try:
        key = load_der_public_key(spki)
    except UNREADABLE:
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in ALGORITHMS:
        raise CollateralError(Code.CCA_ANCHOR, found="something else", wanted="a platform key of P-256, P-384 or P-521")
    return key


def algorithm_of(key: ec.EllipticCurvePublicKey) -> Algorithm:
    """The COSE algorithm of the curve of a key from `realm_key` or `platform_key`."""
    return ALGORITHMS[key.curve.name]
