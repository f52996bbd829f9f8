"""What is around a CoRIM: its signature, its times, and the tags and maps that all of it is made of (draft-ietf-rats-corim-10)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from confide.attest import cbor, cose
from confide.attest.cbor import Tagged
from confide.attest.checks import Checks
from confide.codes import Code
from confide.errors import EvidenceError, PolicyError
from confide.formats.fields import format_time
from confide.policy.reference.model import malformed

EPOCH = 1  # tag (RFC 8949 section 3.4.2)
CONTENT_TYPE, META = 3, 8  # protected headers (draft section 4.2.1)
HEADERS = frozenset({CONTENT_TYPE, META, 4, 15, 33, 34})  # with kid, CWT claims, x5chain, x5t: none chooses how to verify
RIM = "application/rim+cbor"
ALGORITHMS: Mapping[type[ec.EllipticCurve], cose.Algorithm] = MappingProxyType(
    {ec.SECP256R1: cose.Algorithm.ES256, ec.SECP384R1: cose.Algorithm.ES384, ec.SECP521R1: cose.Algorithm.ES512}
)


def signer_key(data: bytes) -> ec.EllipticCurvePublicKey:
    """The key that must have signed: PEM of P-256, P-384 or P-521; `reference.key` otherwise."""
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, tuple(ALGORITHMS)):
        raise PolicyError(Code.REFERENCE_KEY, found="something else", wanted="a public key in PEM of P-256, P-384 or P-521")
    return key


def verified(data: bytes, signer: ec.EllipticCurvePublicKey, now: datetime) -> bytes:
    """Draft section 4.2: the payload of a `signed-corim`. The signer's curve says the algorithm.

    Raises:
        PolicyError: `reference.malformed`, `reference.signature` or `reference.time`.
    """
    algorithm, checks = ALGORITHMS[type(signer.curve)], Checks()
    try:
        message = cose.parse_sign1(
            data, algorithms=(algorithm,), tagged=True, checks=checks, protected_labels=HEADERS, unprotected_labels=HEADERS
        )
        cose.require_signed(message, signer, title="manifest", checks=checks)
    except EvidenceError as error:
        code = Code.REFERENCE_SIGNATURE if error.code in {Code.COSE_SIGNATURE, Code.COSE_ALGORITHM} else Code.REFERENCE_MALFORMED
        raise PolicyError(code, found=f"{error.code.value} {error.found}"[:200], wanted="a CoRIM signed by the key given") from None
    header = mapping(cbor.loads(message.protected), "protected header")
    if header.get(CONTENT_TYPE, RIM) != RIM:
        raise malformed("another content type", RIM)
    if isinstance(header.get(META), bytes):
        require_valid(mapping(cbor.loads(header[META]), "corim-meta-map").get(1), now)
    return message.payload


def require_valid(validity: Any, now: datetime) -> None:
    """Draft section 7.3, `validity-map`: `reference.time` outside of it; none is no limit."""
    if validity is None:
        return
    begin, end = (_instant(mapping(validity, "validity-map").get(key)) for key in (0, 1))
    if end is None:
        raise malformed("a validity without an end", "not-after")
    if (begin is not None and now < begin) or now >= end:
        window = f"{format_time(begin) if begin else '...'} to {format_time(end)}"
        raise PolicyError(Code.REFERENCE_TIME, found=format_time(now), wanted=window)


def _instant(value: Any) -> datetime | None:
    if value is None:
        return None
    seconds = untagged(value, EPOCH, "a time")
    if type(seconds) is not int or not 0 <= seconds < 1 << 37:
        raise malformed("a time of another form", "seconds since 1970, tagged")
    return datetime.fromtimestamp(seconds, UTC)


def untagged(value: Any, tag: int, what: str) -> Any:
    """What a tag holds; `reference.malformed` without it."""
    if not isinstance(value, Tagged) or value.tag != tag:
        raise malformed(f"something else than {what}", f"tag {tag}")
    return value.value


def mapping(value: Any, what: str) -> Mapping[Any, Any]:
    """A map; `reference.malformed` for anything else."""
    if not isinstance(value, dict):
        raise malformed(f"no {what}", "a map")
    return value
