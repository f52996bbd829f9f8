"""Claims: each one's type and bounds, on both sides of the token."""

from typing import Any

import pytest
from tests.attest.cca.world import CHALLENGE, REALM, genuine
from tests.support import refused

from confide.attest.cca.layout import MAX_BYTES, MAX_COMPONENTS, MAX_TEXT, parse_platform, parse_realm
from confide.codes import Code
from confide_sim import arm
from confide_sim.aws import cbor

PART = {2: bytes(32), 5: bytes(32)}


def platform(**_: Any) -> bytes:
    return cbor(REALM.platform(bytes(32)))


@pytest.mark.parametrize("size", [32, 48, 64])
def test_digests_have_one_of_three_sizes(size: int) -> None:
    found = genuine(realm={44238: bytes(size), 44239: [bytes(size)] * 4}, platform={2399: [{2: bytes(size), 5: bytes(size)}]})
    assert len(found.realm.initial_measurement) == len(found.platform.components[0].signer) == size


def test_a_component_may_have_no_name_and_more_than_is_read() -> None:
    found = parse_platform(cbor(REALM.platform(bytes(32), {2399: [{**PART, 7: True, 8: [bytes(32)], 99: "x"}]})))
    assert (found.components[0].kind, found.components[0].version) == ("", "")


def test_what_may_be_absent_is_none() -> None:
    found = parse_realm(cbor(REALM.realm(CHALLENGE, {265: ...})))
    assert (found.profile, found.private_memory, found.live_firmware, found.devices) == (None, None, False, None)
    newer = parse_realm(cbor(REALM.realm(CHALLENGE, {44257: bytes(48)}, newer=True)))
    assert (newer.private_memory, newer.live_firmware, newer.devices) == (True, False, bytes(48))
    assert parse_platform(cbor(REALM.platform(bytes(32), newer=True))).client == 1


PLATFORM: list[dict[int, Any]] = [
    {265: ...},
    {265: ""},
    {265: 7},
    {265: "x" * (MAX_TEXT + 1)},
    {265: "new\nline"},
    {265: "é"},
    {10: bytes(31)},
    {10: "text"},
    {10: [bytes(32)]},
    {2408: bytes(33)},
    {2396: ...},
    {2396: bytes(31)},
    {256: ...},
    {256: bytes(33)},
    {256: b"\x02" + bytes(32)},
    {256: b"\x01" + bytes(31)},
    {2395: ...},
    {2395: -1},
    {2395: 0x10000},
    {2395: True},
    {2395: "secured"},
    {2401: ...},
    {2401: bytes(MAX_BYTES + 1)},
    {2402: ...},
    {2399: ...},
    {2399: []},
    {2399: {}},
    {2399: [PART] * (MAX_COMPONENTS + 1)},
    {2399: [[]]},
    {2399: [{2: bytes(32)}]},
    {2399: [{5: bytes(32)}]},
    {2399: [{**PART, 2: bytes(20)}]},
    {2399: [{**PART, 1: 7}]},
    {2399: [{**PART, 4: "\x1b[2J"}]},
    {2394: 0},
    {2394: 2},
    {2394: True},
]


@pytest.mark.parametrize("claims", PLATFORM, ids=str)
def test_a_platform_claim_of_another_form_is_refused(claims: dict[int, Any]) -> None:
    with refused(Code.CCA_TOKEN):
        parse_platform(cbor(REALM.platform(bytes(32), claims)))


REALMS: list[dict[int, Any]] = [
    {265: 7},
    {10: ...},
    {10: bytes(32)},
    {10: [bytes(64)]},
    {44235: ...},
    {44235: bytes(63)},
    {44238: ...},
    {44238: bytes(47)},
    {44239: ...},
    {44239: [bytes(48)] * 3},
    {44239: [bytes(48)] * 5},
    {44239: [bytes(48)] * 3 + [b""]},
    {44236: ...},
    {44237: ...},
    {44237: "key"},
    {44237: bytes(MAX_BYTES + 1)},
    {44240: ...},
    {44243: 2},
    {44243: True},
    {44244: -1},
    {44257: bytes(1)},
    {256: b"\x02" + bytes(32)},
]


@pytest.mark.parametrize("claims", REALMS, ids=str)
def test_a_realm_claim_of_another_form_is_refused(claims: dict[int, Any]) -> None:
    with refused(Code.CCA_TOKEN):
        parse_realm(cbor(REALM.realm(CHALLENGE, claims)))


@pytest.mark.parametrize("payload", [cbor([]), cbor(1), cbor("x")], ids=["list", "number", "text"])
def test_a_payload_that_is_no_map_is_refused(payload: bytes) -> None:
    for parse in (parse_platform, parse_realm):
        with refused(Code.CCA_TOKEN):
            parse(payload)


def test_nothing_of_a_machine_shows_in_reprs() -> None:
    found = genuine()
    shown = repr(found) + repr(found.realm) + repr(found.platform)
    for secret in (CHALLENGE, found.realm.public_key, found.platform.instance_id):
        assert secret.hex() not in shown
        assert repr(secret) not in shown
    assert arm.OLD in shown
