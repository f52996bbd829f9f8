"""COSE_Sign1 (RFC 9052 section 4.2): the shapes that are refused, and signatures that are not good."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from confide.attest.cbor import dump_bytes, dump_head
from confide.attest.checks import Checks
from confide.attest.cose import Algorithm, Sign1, parse_sign1, require_signed
from confide.codes import Code
from confide.errors import EvidenceError

PAYLOAD = b"a payload"
ES384 = bytes.fromhex("a1013822")
ALGORITHMS: dict[Algorithm, tuple[ec.EllipticCurve, HashAlgorithm, int, str]] = {
    Algorithm.ES256: (ec.SECP256R1(), SHA256(), 32, "a10126"),
    Algorithm.ES384: (ec.SECP384R1(), SHA384(), 48, "a1013822"),
    Algorithm.ES512: (ec.SECP521R1(), SHA512(), 66, "a1013823"),
}


def message(
    *,
    tag: bytes = b"\xd2",
    protected: bytes = dump_bytes(ES384),
    unprotected: bytes = b"\xa0",
    payload: bytes = dump_bytes(PAYLOAD),
    signature: bytes = dump_bytes(bytes(96)),
) -> bytes:
    return b"".join((tag, b"\x84", protected, unprotected, payload, signature))


def parse(data: bytes, *, tagged: bool = True) -> Sign1:
    return parse_sign1(data, algorithms=(Algorithm.ES384,), tagged=tagged, checks=Checks())


SHAPES = {
    "no tag where one is demanded": message(tag=b""),
    "tag of COSE_Mac0": message(tag=b"\xd1"),
    "a tag in the tag": message(tag=b"\xd2\xd2"),
    "a map": b"\xd2\xa0",
    "an array of 3": b"\xd2\x83" + dump_bytes(ES384) + b"\xa0" + dump_bytes(PAYLOAD),
    "an array of 5": message().replace(b"\xd2\x84", b"\xd2\x85", 1) + b"\x00",
    "a protected header that is no byte string": message(protected=ES384),
    "a detached payload": message(payload=b"\xf6"),
    "a signature that is a text": message(signature=b"\x61a"),
    "an unprotected header that is no map": message(unprotected=b"\x80"),
    "an unprotected algorithm": message(unprotected=ES384),
    "a protected header that is no map": message(protected=dump_bytes(b"\x80")),
    "critical headers": message(protected=dump_bytes(bytes.fromhex("a20138220281182a"))),
    "a key id": message(protected=dump_bytes(bytes.fromhex("a2013822044101"))),
}
OTHER_ALGORITHMS = {
    "none": message(protected=b"\x40"),
    "an empty map": message(protected=dump_bytes(b"\xa0")),
    "ES256": message(protected=dump_bytes(bytes.fromhex("a10126"))),
    "HMAC": message(protected=dump_bytes(bytes.fromhex("a10105"))),
    "by name": message(protected=dump_bytes(b"\xa1\x01\x65ES384")),
    "true": message(protected=dump_bytes(bytes.fromhex("a101f5"))),
}


def test_a_message_is_read_with_and_without_its_tag() -> None:
    assert parse(message()) == parse(message(tag=b""), tagged=False) == parse(message(), tagged=False)


def test_headers_that_the_format_allows_are_ignored() -> None:
    data = message(protected=dump_bytes(bytes.fromhex("a2013822044101")), unprotected=bytes.fromhex("a1044101"))
    labels = frozenset({4})
    options = {"algorithms": (Algorithm.ES384,), "tagged": True, "protected_labels": labels, "unprotected_labels": labels}
    assert parse_sign1(data, checks=Checks(), **options).payload == PAYLOAD  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SHAPES)
def test_another_shape_is_refused(name: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        parse(SHAPES[name])
    assert caught.value.code is Code.COSE_SHAPE


@pytest.mark.parametrize("name", OTHER_ALGORITHMS)
def test_another_algorithm_is_refused(name: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        parse(OTHER_ALGORITHMS[name])
    assert caught.value.code is Code.COSE_ALGORITHM


def signed(algorithm: Algorithm, key: ec.EllipticCurvePrivateKey) -> Sign1:
    """One that `key` has signed, as section 4.4 says."""
    _, digest, size, header = ALGORITHMS[algorithm]
    protected = bytes.fromhex(header)
    covered = b"".join((dump_head(4, 4), b"\x6aSignature1", dump_bytes(protected), dump_bytes(b""), dump_bytes(PAYLOAD)))
    r, s = decode_dss_signature(key.sign(covered, ec.ECDSA(digest)))
    return Sign1(algorithm, protected, PAYLOAD, r.to_bytes(size) + s.to_bytes(size))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_good_signature_verifies(algorithm: Algorithm) -> None:
    key = ec.generate_private_key(ALGORITHMS[algorithm][0])
    require_signed(signed(algorithm, key), key.public_key(), title="test", checks=Checks())


LIES: dict[str, Callable[[Sign1], Sign1]] = {
    "another payload": lambda was: Sign1(was.algorithm, was.protected, b"another", was.signature),
    "another header": lambda was: Sign1(was.algorithm, b"\xa0", was.payload, was.signature),
    "a byte less": lambda was: Sign1(was.algorithm, was.protected, was.payload, was.signature[:-1]),
    "a byte more": lambda was: Sign1(was.algorithm, was.protected, was.payload, was.signature + b"\x00"),
    "none": lambda was: Sign1(was.algorithm, was.protected, was.payload, b""),
    "r of 0": lambda was: Sign1(was.algorithm, was.protected, was.payload, bytes(48) + was.signature[48:]),
    "s of 0": lambda was: Sign1(was.algorithm, was.protected, was.payload, was.signature[:48] + bytes(48)),
    "r beyond the order": lambda was: Sign1(was.algorithm, was.protected, was.payload, b"\xff" * 48 + was.signature[48:]),
    "another algorithm": lambda was: Sign1(Algorithm.ES256, was.protected, was.payload, was.signature),
}


@pytest.mark.parametrize("name", LIES)
def test_a_bad_signature_is_refused(name: str) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    with pytest.raises(EvidenceError) as caught:
        require_signed(LIES[name](signed(Algorithm.ES384, key)), key.public_key(), title="test", checks=Checks())
    assert caught.value.code is Code.COSE_SIGNATURE


def test_a_signature_of_another_key_is_refused() -> None:
    key, other = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP384R1())
    with pytest.raises(EvidenceError) as caught:
        require_signed(signed(Algorithm.ES384, key), other.public_key(), title="test", checks=Checks())
    assert caught.value.code is Code.COSE_SIGNATURE
