"""`formats/dsse.py`: known answers of the DSSE specification, both algorithms, and each way to fail."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from confide.codes import Code
from confide.formats import dsse
from confide.formats.dsse import DsseError, PublicKey, SignatureAlgorithm, SigningKey

TYPE = "application/vnd.test+json"
KEYS = {alg: SigningKey.generate(alg) for alg in SignatureAlgorithm}
ED, ML = KEYS[SignatureAlgorithm.ED25519], KEYS[SignatureAlgorithm.ML_DSA_65]
ENVELOPE = dsse.sign(b'{"a":1}', payload_type=TYPE, keys=(ED,))


def code_of(envelope: bytes, *, keys: tuple[PublicKey, ...] = (ED.public,), limit: int = dsse.MAX_ENVELOPE) -> Code:
    with pytest.raises(DsseError) as caught:
        dsse.verify(envelope, payload_type=TYPE, keys=keys, limit=limit)
    return caught.value.code


def changed(**members: Any) -> bytes:
    """The envelope with members replaced, or removed where None."""
    value = json.loads(ENVELOPE) | members
    return json.dumps({name: member for name, member in value.items() if member is not None}).encode()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_the_pre_authentication_encoding_is_that_of_the_specification() -> None:
    # secure-systems-lab/dsse protocol.md, "Signature Definition" and test vectors
    assert dsse.pae("http://example.com/HelloWorld", b"hello world") == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert dsse.pae("", b"") == b"DSSEv1 0  0 "


def test_lengths_in_the_pre_authentication_encoding_count_bytes() -> None:
    assert dsse.pae("é", b"") == b"DSSEv1 2 \xc3\xa9 0 "


@pytest.mark.parametrize("alg", SignatureAlgorithm)
def test_a_signed_payload_comes_back_with_its_key(alg: SignatureAlgorithm) -> None:
    envelope = dsse.sign(b"payload", payload_type=TYPE, keys=(KEYS[alg],))
    assert dsse.verify(envelope, payload_type=TYPE, keys=(KEYS[alg].public,)) == (b"payload", KEYS[alg].public)


@given(st.binary(max_size=200))
@settings(max_examples=50, deadline=None)
def test_any_payload_comes_back_exactly(payload: bytes) -> None:
    envelope = dsse.sign(payload, payload_type=TYPE, keys=(ED,))
    assert dsse.verify(envelope, payload_type=TYPE, keys=(ED.public,))[0] == payload
    assert dsse.unverified_payload(envelope, payload_type=TYPE) == payload


def test_one_accepted_signature_among_several_is_enough() -> None:
    stranger = SigningKey.generate()
    envelope = dsse.sign(b"p", payload_type=TYPE, keys=(stranger, ML, ED))
    assert dsse.verify(envelope, payload_type=TYPE, keys=(ED.public,))[1] == ED.public


def test_key_ids_are_hints_that_decide_nothing() -> None:
    signature = json.loads(ENVELOPE)["signatures"][0]["sig"]
    for entry in ({"sig": signature}, {"sig": signature, "keyid": "of somebody else"}):
        assert dsse.verify(changed(signatures=[entry]), payload_type=TYPE, keys=(ED.public,))[0] == b'{"a":1}'


def test_a_key_id_depends_on_the_algorithm_and_the_key() -> None:
    raw = bytes(32)
    ids = {PublicKey(alg, key).keyid for alg in SignatureAlgorithm for key in (raw, b"\1" + raw[1:])}
    assert len(ids) == 4


@pytest.mark.parametrize("alg", SignatureAlgorithm)
def test_a_signature_by_another_key_is_refused(alg: SignatureAlgorithm) -> None:
    envelope = dsse.sign(b"p", payload_type=TYPE, keys=(SigningKey.generate(alg),))
    assert code_of(envelope, keys=(KEYS[alg].public,)) is Code.DSSE_SIGNATURE


@pytest.mark.parametrize("alg", SignatureAlgorithm)
def test_a_key_of_another_length_verifies_nothing(alg: SignatureAlgorithm) -> None:
    envelope = dsse.sign(b"p", payload_type=TYPE, keys=(KEYS[alg],))
    assert code_of(envelope, keys=(PublicKey(alg, KEYS[alg].public.raw[:-1]),)) is Code.DSSE_SIGNATURE


def test_no_accepted_key_accepts_nothing() -> None:
    assert code_of(ENVELOPE, keys=()) is Code.DSSE_SIGNATURE


def test_a_changed_payload_is_refused() -> None:
    assert code_of(changed(payload=b64(b'{"a":2}'))) is Code.DSSE_SIGNATURE


def test_a_signature_over_another_payload_type_is_refused() -> None:
    other = dsse.sign(b"p", payload_type=TYPE + "2", keys=(ED,))
    moved = json.loads(other) | {"payloadType": TYPE}
    assert code_of(json.dumps(moved).encode()) is Code.DSSE_SIGNATURE


def test_another_payload_type_is_refused() -> None:
    assert code_of(changed(payloadType="text/plain")) is Code.DSSE_PAYLOAD_TYPE
    with pytest.raises(DsseError) as caught:
        dsse.verify(changed(payloadType="a\x1b[2J" + "b" * 100), payload_type=TYPE, keys=())
    assert caught.value.found == repr("a\x1b[2J" + "b" * 75)
    with pytest.raises(DsseError) as caught:
        dsse.unverified_payload(ENVELOPE, payload_type="text/plain")
    assert caught.value.code is Code.DSSE_PAYLOAD_TYPE


@pytest.mark.parametrize(
    "envelope",
    [
        b"",
        b"[]",
        b"{}",
        changed(payload=None),
        changed(payloadType=None),
        changed(signatures=None),
        changed(signatures=[]),
        changed(signatures=[{"sig": ""}] * (dsse.MAX_SIGNATURES + 1)),
        changed(signatures=[{"keyid": ""}]),
        changed(signatures=[{"sig": b64(bytes(4097))}]),
        changed(signatures=[{"sig": "QQ"}]),
        changed(signatures=[{"sig": "QQ==", "more": 1}]),
        changed(payload="QR=="),
        changed(payload=1),
        changed(more=1),
        ENVELOPE + b"x",
        ENVELOPE[:-1],
        b'{"payload":"",' + ENVELOPE[1:],
    ],
    ids=range(18),
)
def test_what_is_not_an_envelope_is_refused(envelope: bytes) -> None:
    assert code_of(envelope) is Code.DSSE_MALFORMED


def test_the_bound_is_on_the_envelope() -> None:
    assert dsse.verify(ENVELOPE, payload_type=TYPE, keys=(ED.public,), limit=len(ENVELOPE))
    assert code_of(ENVELOPE, limit=len(ENVELOPE) - 1) is Code.DSSE_MALFORMED


def test_a_signing_key_shows_only_its_public_half() -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    shown = repr(SigningKey(SignatureAlgorithm.ED25519, private))
    assert shown == f"SigningKey(ed25519, {SigningKey(SignatureAlgorithm.ED25519, private).public.keyid[:16]}…)"


def test_signing_a_test_vector_of_rfc_8032_gives_its_signature() -> None:
    # RFC 8032 section 7.1, TEST 1: the empty message
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    key = SigningKey(SignatureAlgorithm.ED25519, Ed25519PrivateKey.from_private_bytes(seed))
    assert key.public.raw.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert key.sign(b"").hex().startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155")
    key.public.verify(key.sign(b""), b"")


@settings(max_examples=50)
@given(st.binary(max_size=200), st.text(max_size=40), st.lists(st.sampled_from([ED, ML]), min_size=1, max_size=2))
def test_an_envelope_is_the_json_that_a_serialiser_writes(payload: bytes, kind: str, keys: list[SigningKey]) -> None:
    envelope = dsse.sign(payload, payload_type=kind, keys=tuple(keys))
    value = json.loads(envelope)
    assert list(value) == ["payload", "payloadType", "signatures"]
    assert [list(item) for item in value["signatures"]] == [["keyid", "sig"]] * len(keys)
    assert json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() == envelope
    assert (value["payload"], value["payloadType"]) == (b64(payload), kind)
