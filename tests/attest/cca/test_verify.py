"""Tokens of the false platform through the real verifier: what is genuine, and each way of lying."""

from datetime import datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests.attest.cca.world import CHALLENGE, NOW, OTHER, OTHER_ROOT, REALM, genuine, verify
from tests.support import need_recorded_vectors, refused

from confide.attest.cca.verify import BY_CHALLENGE, FALSE_KEYS, PLATFORM_PROFILES, REALM_PROFILES
from confide.attest.checks import Checks
from confide.attest.evidence import Evidence, Kind, Root
from confide.codes import Code
from confide.errors import MisuseError
from confide_sim import arm, x509
from confide_sim.arm import FalseRealm, cmw, collection
from confide_sim.aws import Raw, cbor, head


@pytest.mark.parametrize("newer", [False, True], ids=["2023", "2026"])
def test_a_token_of_a_pinned_platform_is_genuine(newer: bool) -> None:
    checks = Checks()
    found = genuine(newer=newer, arguments={"checks": checks})
    assert found.report_data == CHALLENGE
    assert found.simulated
    assert dict(found.measurements)["rim"] == arm.RIM
    assert [name for name, _ in found.measurements][5:] == ["firmware 0 BL1", "firmware 1 BL2", "firmware 2 BL31", "firmware 3 RMM"]
    assert found.platform_key == arm.root().der
    assert {"revocation", "age"} <= {item.what for item in checks.not_checked}


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: str(curve.name))
@pytest.mark.parametrize("hashed", ["sha-256", "sha-384", "sha-512"])
def test_a_realm_key_of_each_curve_is_bound_by_each_hash(curve: ec.EllipticCurve, hashed: str) -> None:
    realm = FalseRealm(seed=b"other", curve=curve)
    assert verify(realm.evidence(report_data=CHALLENGE, realm={44240: hashed})).realm.public_key_hash == hashed


def test_a_realm_key_may_name_the_algorithm_of_its_curve() -> None:
    assert genuine(realm={44237: REALM.cose_key(alg=-35)}).simulated


def test_a_root_that_is_marked_simulated_gives_simulated_claims() -> None:
    marked = Root(Kind.CCA, "another emulator", OTHER_ROOT.der, simulated=True)
    assert genuine(platform_message={"key": OTHER}, arguments={"roots": (marked,)}).simulated


def test_a_raw_point_is_a_realm_key_of_older_tokens() -> None:
    found = genuine(realm={44237: REALM.raw_key(), 265: ...}, platform={265: "http://arm.com/CCA-SSD/1.0.0"})
    assert found.realm.profile is None


@pytest.mark.parametrize("profile", sorted(PLATFORM_PROFILES))
def test_every_known_platform_profile_is_read(profile: str) -> None:
    newer = profile not in BY_CHALLENGE
    challenge = {10: CHALLENGE} if profile.endswith("HESRAK") else {}
    assert genuine(newer=newer, platform={265: profile, **challenge}).platform.profile == profile


@pytest.mark.parametrize("profile", sorted(REALM_PROFILES))
def test_every_known_realm_profile_is_read(profile: str) -> None:
    assert genuine(realm={265: profile}).realm.profile == profile


def test_either_wrapper_may_stand_around_either_profile() -> None:
    assert genuine(wrapped=cmw).platform.profile == arm.OLD
    assert genuine(newer=True, wrapped=collection).platform.profile == arm.NEW


def test_claims_that_are_not_known_are_counted_and_not_refused() -> None:
    checks = Checks()
    genuine(platform={70000: "x", 2406: [b"x"]}, realm={70001: 1}, arguments={"checks": checks})
    assert [item.why for item in checks.not_checked if item.what == "unknown claims"] == ["2 that this version does not know"]


def test_headers_that_name_a_key_choose_none() -> None:
    other = {"unprotected": {4: b"kid", 33: b"certificate"}}
    assert genuine(platform_message=other, realm_message=other).simulated


def test_a_policy_that_pins_the_false_key_still_gets_simulated_claims() -> None:
    """The private half is public: whoever pins it must not get anything that looks real."""
    pinned = Root(Kind.CCA, "pinned by a policy", arm.root().der, simulated=False)
    assert genuine(arguments={"roots": (pinned,)}).simulated
    assert len(FALSE_KEYS) == 1


def test_a_real_platform_is_not_simulated() -> None:
    found = genuine(platform_message={"key": OTHER}, arguments={"roots": (arm.root(), OTHER_ROOT)})
    assert not found.simulated
    assert found.platform_key == OTHER_ROOT.der


@pytest.mark.parametrize("roots", [(), (Root(Kind.NITRO, "of another kind", arm.root().der),)], ids=["none", "of another kind"])
def test_without_a_pinned_key_nothing_is_genuine(roots: Any) -> None:
    with refused(Code.CCA_ANCHOR):
        genuine(arguments={"roots": roots})


@pytest.mark.parametrize(
    "der", [b"", b"\x30", x509.spki(ec.derive_private_key(7, ec.SECP256K1()))], ids=["empty", "cut", "secp256k1"]
)
def test_a_pinned_key_of_another_form_is_told(der: bytes) -> None:
    with refused(Code.CCA_ANCHOR):
        genuine(arguments={"roots": (Root(Kind.CCA, "x", der),)})


def test_only_aware_clocks_are_taken() -> None:
    with pytest.raises(MisuseError):
        genuine(arguments={"now": datetime(2026, 6, 1)})  # noqa: DTZ001 - that is the point
    assert NOW.tzinfo


def test_evidence_without_a_token_is_told() -> None:
    with refused(Code.EVIDENCE_MISSING):
        verify(Evidence("cca", {"quote": b""}))


def flipped(message: dict[str, Any]) -> dict[str, Any]:
    return message | {"signature": lambda value: value[:-1] + bytes([value[-1] ^ 1])}


LIES: dict[str, tuple[Code, dict[str, Any]]] = {
    "another platform's key": (Code.COSE_SIGNATURE, {"platform_message": {"key": OTHER}}),
    "one bit of the platform's signature": (Code.COSE_SIGNATURE, {"platform_message": flipped({})}),
    "one bit of the realm's signature": (Code.COSE_SIGNATURE, {"realm_message": flipped({})}),
    "a realm token by another key": (Code.COSE_SIGNATURE, {"realm_message": {"key": OTHER}}),
    "half a platform signature": (Code.COSE_SIGNATURE, {"platform_message": {"signature": lambda value: value[:48]}}),
    "the platform's token untagged": (Code.COSE_SHAPE, {"platform_message": {"tag": None}}),
    "the realm's token untagged": (Code.COSE_SHAPE, {"realm_message": {"tag": None}}),
    "another tag": (Code.COSE_SHAPE, {"realm_message": {"tag": 17}}),
    "a critical header": (Code.COSE_SHAPE, {"realm_message": {"protected": {1: -35, 2: [1]}}}),
    "an unprotected algorithm": (Code.COSE_SHAPE, {"realm_message": {"protected": {}, "unprotected": {1: -35}}}),
    "no algorithm": (Code.COSE_ALGORITHM, {"platform_message": {"protected": {}}}),
    "an algorithm of another kind": (Code.COSE_ALGORITHM, {"platform_message": {"protected": {1: -37}}}),
    "another curve's algorithm of the platform": (Code.COSE_SIGNATURE, {"platform_message": {"protected": {1: -7}}}),
    "another curve's algorithm of the realm": (Code.COSE_ALGORITHM, {"realm_message": {"protected": {1: -7}}}),
    "the direct model": (Code.CCA_PROFILE, {"platform": {265: arm.NEW + ";direct"}, "newer": True}),
    "an unknown platform profile": (Code.CCA_PROFILE, {"platform": {265: "tag:arm.com,2030:cca_platform#9.0.0"}}),
    "an unknown realm profile": (Code.CCA_PROFILE, {"realm": {265: "tag:arm.com,2030:realm#9.0.0"}}),
    "a platform asked for another realm": (Code.CCA_BINDING, {"platform": {10: bytes(32)}}),
    "no challenge": (Code.CCA_BINDING, {"platform": {10: ...}}),
    "a newer platform asked for another realm": (Code.CCA_BINDING, {"newer": True, "platform": {2408: bytes(32)}}),
    "no workload binding": (Code.CCA_BINDING, {"newer": True, "platform": {2408: ...}}),
    "a challenge in place of the workload binding": (Code.CCA_BINDING, {"newer": True, "platform": {10: bytes(32)}}),
    "a platform in direct touch that answers another": (
        Code.CCA_BINDING,
        {"newer": True, "platform": {265: arm.NEW + ";HESRAK", 10: bytes(64)}},
    ),
    "a platform in direct touch that answers nobody": (Code.CCA_BINDING, {"newer": True, "platform": {265: arm.NEW + ";HESRAK"}}),
    "a hash that is not known": (Code.CCA_BINDING, {"realm": {44240: "sha-1"}}),
    "a hash spelled otherwise": (Code.CCA_BINDING, {"realm": {44240: "SHA-256"}}),
    "a realm key off its curve": (Code.CCA_TOKEN, {"realm": {44237: b"\x04" + bytes(96)}}),
    "a realm key that is compressed": (Code.CCA_TOKEN, {"realm": {44237: REALM.cose_key(y=True)}}),
    "a realm key of another curve": (Code.CCA_TOKEN, {"realm": {44237: REALM.cose_key(crv=8)}}),
    "a realm key that is symmetric": (Code.CCA_TOKEN, {"realm": {44237: REALM.cose_key(kty=4)}}),
    "a realm key for another algorithm": (Code.CCA_TOKEN, {"realm": {44237: REALM.cose_key(alg=-7)}}),
    "a realm key whose curve is true": (Code.CCA_TOKEN, {"realm": {44237: REALM.cose_key(crv=True)}}),
    "a realm key whose curve is text": (Code.CCA_TOKEN, {"realm": {44237: REALM.cose_key(crv="P-384")}}),
    "a realm key with a long coordinate": (Code.CCA_TOKEN, {"realm": {44237: REALM.cose_key(x=bytes(49))}}),
    "a realm key with a coordinate in text": (Code.CCA_TOKEN, {"realm": {44237: REALM.cose_key(x="x" * 48)}}),
    "a realm key with both in one": (Code.CCA_TOKEN, {"realm": {44237: REALM.cose_key(x=REALM.raw_key()[1:], y=b"")}}),
    "a realm key without y": (Code.CCA_TOKEN, {"realm": {44237: REALM.cose_key(y=...)}}),
    "a raw realm key of another beginning": (Code.CBOR_MALFORMED, {"realm": {44237: b"\x05" + REALM.raw_key()[1:]}}),
    "a raw realm key that is compressed": (Code.CBOR_MALFORMED, {"realm": {44237: b"\x02" + REALM.raw_key()[1:49]}}),
    "a realm key with a short coordinate": (Code.CCA_TOKEN, {"realm": {44237: REALM.cose_key(x=bytes(47))}}),
    "a realm key that is no map": (Code.CCA_TOKEN, {"realm": {44237: cbor([1])}}),
    "a realm key that is no CBOR": (Code.CBOR_MALFORMED, {"realm": {44237: b"\xff"}}),
}


@pytest.mark.parametrize(("code", "lie"), LIES.values(), ids=LIES.keys())
def test_a_token_that_lies_is_refused(code: Code, lie: dict[str, Any]) -> None:
    with refused(code):
        genuine(**lie)


def test_the_platform_token_of_one_and_the_realm_token_of_another_are_no_token() -> None:
    parts: list[tuple[bytes, bytes]] = []

    def kept(platform: bytes, realm: bytes) -> bytes:
        parts.append((platform, realm))
        return b""

    for seed in (b"1", b"2"):
        FalseRealm(seed=seed).token(CHALLENGE, wrapped=kept)
    with refused(Code.CCA_BINDING):
        verify(Evidence("cca", {"token": collection(parts[0][0], parts[1][1])}))


WRAPPERS: dict[str, tuple[Code, Any]] = {
    "no tag": (Code.CCA_TOKEN, lambda a, b: cbor({44234: a, 44241: b})),
    "another tag around": (Code.CCA_TOKEN, lambda a, b: head(6, 400) + cbor({44234: a, 44241: b})),
    "a list": (Code.CCA_TOKEN, lambda a, b: head(6, 399) + cbor([a, b])),
    "no realm": (Code.CCA_TOKEN, lambda a, _: head(6, 399) + cbor({44234: a})),
    "no platform": (Code.CCA_TOKEN, lambda _, b: head(6, 399) + cbor({44241: b})),
    "a realm that is text": (Code.CCA_TOKEN, lambda a, _: head(6, 399) + cbor({44234: a, 44241: "x"})),
    "a record in the old wrapper": (Code.CCA_TOKEN, lambda a, b: head(6, 399) + cbor({44234: [263, a], 44241: [263, b]})),
    "bytes in the new wrapper": (Code.CCA_TOKEN, lambda a, b: head(6, 907) + cbor({44234: a, 44241: b})),
    "another content format": (Code.CCA_TOKEN, lambda a, b: head(6, 907) + cbor({44234: [60, a], 44241: [60, b]})),
    "a record of three": (Code.CCA_TOKEN, lambda a, b: head(6, 907) + cbor({44234: [263, a, 0], 44241: [263, b, 0]})),
    "the realm twice": (
        Code.CBOR_MALFORMED,
        lambda a, b: head(6, 399) + b"\xa3" + b"".join(map(cbor, (44234, a, 44241, b, 44241, b))),
    ),
    "bytes behind": (Code.CBOR_MALFORMED, lambda a, b: collection(a, b) + b"\x00"),
    "nothing": (Code.CBOR_MALFORMED, lambda _a, _b: b""),
    "too much": (Code.CBOR_TOO_LARGE, lambda _a, _b: bytes(1 << 19)),
    "the two exchanged": (Code.COSE_SIGNATURE, lambda a, b: collection(b, a)),
}


@pytest.mark.parametrize(("code", "wrapped"), WRAPPERS.values(), ids=WRAPPERS.keys())
def test_another_wrapper_is_refused(code: Code, wrapped: Any) -> None:
    with refused(code):
        genuine(wrapped=wrapped)
    assert Raw(b"x").data


def test_recorded_tokens_of_emulators_are_judged_right() -> None:
    from conformance import recorded  # noqa: PLC0415

    assert recorded.main([str(need_recorded_vectors()), "--kind", "cca"]) == 0


def test_a_lenient_record_makes_no_claims_of_what_nobody_signed() -> None:
    checks = Checks(strict=False)
    with refused(Code.COSE_SIGNATURE):
        genuine(platform_message={"key": OTHER}, arguments={"checks": checks})
    assert [check.title for check in checks.done if not check.ok] == ["platform token signature"]
