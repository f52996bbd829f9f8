"""CoRIM: what is read from each profile, and everything that is refused."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.policy.reference.manifests import (
    KEY,
    KEYS,
    MEASURED,
    NOW,
    SECONDS,
    VLEK,
    amd,
    corim,
    digest,
    launch,
    launched,
    signed,
    tagged,
)
from tests.support import refused

from confide.attest.evidence import Kind
from confide.codes import Code
from confide.errors import PolicyError
from confide.policy.reference.corim import read
from confide.policy.reference.envelope import signer_key
from confide.policy.reference.model import Reference, References
from confide_sim.aws import cbor

# Written by the `corim` crate 0.1.4: two CoMIDs, SEV-SNP and TDX, in the profile for launch measurements.
PEERS = bytes.fromhex(
    "d901f5a300781e414d442f5345562d534e502f6c61756e63682d6d6561737572656d656e740182d901fa5887a201a10078243737653830363165"
    "2d343633342d356535332d613834382d64316430396539393638343304a1008182a100a20163414d4402675345562d534e5081a2006b4d454153"
    "5552454d454e5401a10281820758305a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"
    "5a5a5a5a5ad901fa585ca201a1006374647804a1008182a100a20165496e74656c026354445881a200644d52544401a10281820758306b6b6b6b"
    "6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b03782c7461673a6d6963726f736f"
    "66742e636f6d2c323032363a6c61756e63682d6d6561737572656d656e742f7631"
)


def unsigned(data: bytes) -> References:
    return read(data, signer=None, now=NOW)


def snp(**members: Any) -> Reference:
    return Reference(Kind.SNP, members)


def test_a_manifest_of_another_implementation_is_read() -> None:
    found = unsigned(PEERS)
    assert found.found == (snp(measurements=["5a" * 48]), Reference(Kind.TDX, {"mr_tds": ["6b" * 48]}))
    assert (found.name, found.signed, found.left_out) == ("AMD/SEV-SNP/launch-measurement", False, ())


@pytest.mark.parametrize("which", [None, VLEK], ids=["vcek", "vlek"])
def test_everything_of_amds_profile_arrives(which: bytes | None) -> None:
    guest = {0: {0: "AB" * 16}, 1: tagged(553, 7), 2: digest(), 4: tagged(560, b"\x01" * 16)}
    raws = (
        {0: 5, 1: {4: tagged(560, b"\x02" * 48)}},
        {0: 6, 1: {4: tagged(560, b"\x03" * 48)}},
        {0: 8, 1: {4: tagged(560, b"\x04" * 32)}},
    )
    environment = None if which is None else {0: {0: tagged(37, which)}}
    found = unsigned(corim(amd({0: 0, 1: guest}, *raws, environment=environment))).found
    assert found == (
        snp(
            image_ids=["ab" * 16],
            minimum_guest_svn=7,
            measurements=[MEASURED.hex()],
            family_ids=["01" * 16],
            id_key_digests=["02" * 48],
            author_key_digests=["03" * 48],
            host_data=["04" * 32],
        ),
    )


def test_a_measurement_without_a_key_is_the_guests() -> None:
    assert unsigned(corim(amd({1: {2: digest()}}))).found == (snp(measurements=[MEASURED.hex()]),)


@pytest.mark.parametrize("profile", ["text", "tagged"])
def test_a_uri_may_be_tagged(profile: str) -> None:
    name: Any = "tag:microsoft.com,2026:launch-measurement/v1"
    assert unsigned(corim(launch(), profile=name if profile == "text" else tagged(32, name))).found


def test_what_is_no_reference_is_named_and_left_out() -> None:
    assert unsigned(corim(more={8: [], 1: [], 99: []})).left_out == (
        "conditional endorsement series",
        "endorsed values",
        "triples of number 99",
    )


@pytest.mark.parametrize("alg", list(KEYS))
def test_a_signed_manifest_is_its_signers(alg: str) -> None:
    data = signed(corim(), alg=alg)
    assert read(data, signer=KEYS[alg].public_key(), now=NOW).signed
    other = ec.generate_private_key(KEYS[alg].curve)
    with refused(Code.REFERENCE_SIGNATURE):
        read(data, signer=other.public_key(), now=NOW)


SIGNATURES: dict[str, tuple[Code, bytes]] = {
    "one bit": (Code.REFERENCE_SIGNATURE, signed(corim())[:-1] + bytes([signed(corim())[-1] ^ 1])),
    "another curve's algorithm": (Code.REFERENCE_SIGNATURE, signed(corim(), alg="ES256")),
    "nobody's": (Code.REFERENCE_MALFORMED, corim()),
    "a critical header": (Code.REFERENCE_MALFORMED, signed(corim(), header={2: [1]})),
    "another content type": (Code.REFERENCE_MALFORMED, signed(corim(), header={3: "application/json"})),
    "a signature that ended": (Code.REFERENCE_TIME, signed(corim(), header={8: cbor({1: {1: tagged(1, SECONDS)}})})),
    "another payload": (Code.REFERENCE_MALFORMED, signed(cbor({0: "x"}))),
    "empty": (Code.REFERENCE_MALFORMED, b""),
}


@pytest.mark.parametrize(("code", "data"), SIGNATURES.values(), ids=SIGNATURES.keys())
def test_a_signature_that_does_not_hold_is_refused(code: Code, data: bytes) -> None:
    with refused(code):
        read(data, signer=KEY.public_key(), now=NOW)


def test_a_signature_that_nobody_checks_does_not_pass_for_none() -> None:
    with refused(Code.REFERENCE_MALFORMED):
        unsigned(signed(corim()))


@pytest.mark.parametrize(
    "validity", [{1: tagged(1, SECONDS + 1)}, {0: tagged(1, SECONDS), 1: tagged(1, SECONDS + 1)}], ids=["end", "both"]
)
def test_a_manifest_is_read_while_it_is_valid(validity: Any) -> None:
    assert unsigned(corim(validity=validity)).found


VALIDITIES: dict[str, tuple[Code, Any]] = {
    "ended": (Code.REFERENCE_TIME, {1: tagged(1, SECONDS)}),
    "not begun": (Code.REFERENCE_TIME, {0: tagged(1, SECONDS + 1), 1: tagged(1, SECONDS + 9)}),
    "no end": (Code.REFERENCE_MALFORMED, {0: tagged(1, 0)}),
    "no tag": (Code.REFERENCE_MALFORMED, {1: SECONDS + 1}),
    "text": (Code.REFERENCE_MALFORMED, {1: tagged(1, "tomorrow")}),
    "beyond every calendar": (Code.REFERENCE_MALFORMED, {1: tagged(1, 1 << 60)}),
    "before 1970": (Code.REFERENCE_MALFORMED, {1: tagged(1, -1)}),
    "no map": (Code.REFERENCE_MALFORMED, []),
}


@pytest.mark.parametrize(("code", "validity"), VALIDITIES.values(), ids=VALIDITIES.keys())
def test_other_times_are_refused(code: Code, validity: Any) -> None:
    with refused(code):
        unsigned(corim(validity=validity))


BROKEN: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "another tag": lambda: corim(tag=502),
    "no tags": lambda: corim(tags=[]),
    "tags that are no list": lambda: corim(tags={}),
    "too many tags": lambda: corim(tags=[1] * 1025),
    "a broken comid": lambda: corim(tags=[tagged(506, b"\xff")]),
    "a comid that is a list": lambda: corim(comid=[]),
    "no triples": lambda: corim(comid={1: {0: "x"}}),
    "no reference triple": lambda: corim(comid={4: {}}),
    "a triple that is no pair": lambda: corim([{0: {}}]),
    "an environment that is a list": lambda: corim([[], []]),
    "a reference without measurements": lambda: corim([{0: {0: tagged(37, VLEK)}}, []]),
    "a digest twice": lambda: corim(amd({0: 0, 1: {2: digest()}}, {0: 0, 1: {2: digest()}})),
    "a digest that is short": lambda: corim(amd({0: 0, 1: {2: digest(b"x")}})),
    "a digest of SHA-256": lambda: corim(amd({0: 0, 1: {2: digest(bytes(32), 1)}})),
    "two digests": lambda: corim(amd({0: 0, 1: {2: digest() + digest()}})),
    "no digest": lambda: corim(amd({0: 0, 1: {2: []}})),
    "raw bytes untagged": lambda: corim(amd({0: 5, 1: {4: bytes(48)}})),
    "raw bytes that are short": lambda: corim(amd({0: 5, 1: {4: tagged(560, bytes(32))}})),
    "an image of no text": lambda: corim(amd({0: 0, 1: {0: {0: 7}}})),
    "an svn below zero": lambda: corim(amd({0: 0, 1: {1: tagged(553, -1)}})),
    "a key twice": lambda: b"\xd9\x01\xf5\xa2\x00\x00\x00\x00",
    "bytes behind": lambda: corim() + b"\x00",
}


@pytest.mark.parametrize("make", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_manifest_is_refused(make: Callable[[], bytes]) -> None:
    with refused(Code.REFERENCE_MALFORMED):
        unsigned(make())


OTHERS: dict[str, Callable[[], bytes]] = {
    "a coswid": lambda: corim(tags=[tagged(505, b"")]),
    "a tag that is no tag": lambda: corim(tags=[b""]),
    "an instance": lambda: corim(amd(environment={0: {0: tagged(37, VLEK)}, 1: tagged(560, b"chip")})),
    "another class": lambda: corim(amd(environment={0: {0: tagged(37, bytes(16))}})),
    "a class-id of another type": lambda: corim(amd(environment={0: {0: tagged(37, [1])}})),
    "a class-id and a vendor": lambda: corim(amd(environment={0: {0: tagged(37, VLEK), 1: "AMD"}})),
    "vendor and model without the profile": lambda: corim(launch()),
    "vendor and model of another": lambda: launched(launch("Microsoft", "VBS")),
    "another field": lambda: launched(launch(field="HOST_DATA")),
    "a field of another type": lambda: launched(launch(field=[1])),
    "a digest and an svn": lambda: launched(launch(values={2: digest(), 1: 7})),
    "an authority": lambda: corim(amd({0: 0, 1: {2: digest()}, 2: []})),
    "flags": lambda: corim(amd({0: 0, 1: {2: digest(), 3: {}}})),
    "an exact svn": lambda: corim(amd({0: 0, 1: {1: tagged(552, 7)}})),
    "reported tcb": lambda: corim(amd({0: 7, 1: {1: tagged(552, 7)}})),
    "a key of another type": lambda: corim(amd({0: [0], 1: {2: digest()}})),
    "false for a key": lambda: corim(amd({0: False, 1: {2: digest()}})),
}


@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS.keys())
def test_a_constraint_that_no_entry_could_say_is_refused(make: Callable[[], bytes]) -> None:
    with refused(Code.REFERENCE_UNSUPPORTED):
        unsigned(make())


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_changed_bytes_give_a_result_or_our_error(data: st.DataObject) -> None:
    whole = bytearray(corim(amd({0: 0, 1: {0: {0: "ab" * 16}, 1: tagged(553, 7), 2: digest()}})))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with suppress(PolicyError):
        unsigned(bytes(whole))


def test_a_signers_key_is_read_from_pem() -> None:
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert signer_key(pem).public_numbers() == KEY.public_key().public_numbers()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        rsa.generate_private_key(65537, 2048).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        ec.generate_private_key(ec.SECP256K1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    ],
    ids=["empty", "broken", "private", "rsa", "secp256k1"],
)
def test_other_keys_are_refused(data: bytes) -> None:
    with refused(Code.REFERENCE_KEY):
        signer_key(data)
