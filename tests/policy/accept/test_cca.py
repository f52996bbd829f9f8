"""The `accept` entries of Arm CCA: members in their types, what refuses, keys that a policy pins, and whole verdicts."""

import json
from typing import Any

import pytest
from tests.attest.cca.world import OTHER, OTHER_ROOT, genuine
from tests.attest.tpm.world import genuine as tpm_genuine
from tests.policy.world import NONCE, NOW, ROOTS, World, members
from tests.support import refused

from confide.attest import verifiers
from confide.attest.binding import binding
from confide.attest.cca.validate import CcaConstraints
from confide.attest.checks import Checks
from confide.attest.constraints import Ignored
from confide.attest.evidence import Endorsements, Kind
from confide.attest.roots import VENDOR_ROOTS
from confide.codes import Code
from confide.policy.accept import table
from confide.policy.accept.cca import anchors, constraints, observed, without_references
from confide.policy.load import load_policy
from confide.policy.model import Policy
from confide.policy.trust import propose_policy
from confide.policy.verify import explain, verify
from confide_sim import arm
from confide_sim.arm import FalseRealm

SKIP = Ignored.UNSAFE_IGNORED
KEY = arm.root().der
ENTRY: dict[str, Any] = {
    "tee": "cca",
    "platform_keys": [KEY.hex()],
    "rims": [arm.RIM.hex()],
    "firmware": [value.hex() for value in arm.FIRMWARE.values()],
}


def test_absent_members_take_the_strict_defaults() -> None:
    assert constraints(ENTRY) == CcaConstraints(platform_keys=(KEY,), rims=(arm.RIM,), firmware=tuple(arm.FIRMWARE.values()))


def test_every_member_arrives_in_its_type() -> None:
    found = constraints(
        {
            **ENTRY,
            "rem0": ["07" * 32],
            "rem3": "unsafe_ignored",
            "firmware_signers": ["01" * 64],
            "personalizations": ["02" * 64],
            "implementation_ids": ["03" * 32],
            "instance_ids": ["01" + "04" * 32],
            "configs": ["cf"],
            "private_memory": True,
            "allow_debug": "unsafe_ignored",
            "allow_live_firmware": "unsafe_ignored",
            "allow_devices": "unsafe_ignored",
        }
    )
    assert found.rems == ((b"\x07" * 32,), None, None, SKIP)
    assert (found.firmware_signers, found.personalizations) == ((b"\x01" * 64,), (b"\x02" * 64,))
    assert (found.instance_ids, found.configs, found.private_memory) == ((b"\x01" + b"\x04" * 32,), (b"\xcf",), True)
    assert found.ignored == ("allow_debug", "allow_live_firmware", "allow_devices", "rem3")


@pytest.mark.parametrize("name", ["platform_keys", "rims", "firmware"])
def test_an_entry_that_leaves_it_open_refuses(name: str) -> None:
    with refused(Code.POLICY_UNCONSTRAINED):
        constraints({key: value for key, value in ENTRY.items() if key != name})


@pytest.mark.parametrize(
    "wrong",
    [
        {"platform_keys": []},
        {"platform_keys": "unsafe_ignored"},
        {"platform_keys": ["00" * 80]},
        {"platform_keys": [KEY.hex()] * 65},
        {"platform_keys": [KEY.hex().upper()]},
        {"rims": ["00" * 33]},
        {"rem0": []},
        {"rem4": ["00" * 48]},
        {"firmware": "ignored"},
        {"firmware_signers": "unsafe_ignored"},
        {"instance_ids": ["02" + "00" * 32]},
        {"private_memory": "yes"},
        {"allow_debug": True},
        {"measurements": ["00" * 48]},
    ],
    ids=str,
)
def test_members_of_another_shape_are_refused(wrong: dict[str, Any]) -> None:
    with refused(Code.POLICY_SHAPE):
        constraints({**ENTRY, **wrong})


def test_what_was_observed_is_accepted_by_its_own_entry_and_nothing_else_is() -> None:
    found = genuine()
    _, entries = table.of("cca")
    verifiers.validate(found, entries.constraints(observed(found)), checks=Checks())
    with refused(Code.CCA_RIM):
        verifiers.validate(genuine(realm={44238: bytes(48)}), entries.constraints(observed(found)), checks=Checks())


def test_evidence_is_shown_to_people_without_a_policy_whatever_it_runs_but_not_debugged() -> None:
    found = genuine(realm={44239: [b"\x01" * 48] * 4})
    verifiers.validate(found, without_references(found), checks=Checks())
    debugged = genuine(platform={2395: 0x4000})
    with refused(Code.CCA_LIFECYCLE):
        verifiers.validate(debugged, without_references(debugged), checks=Checks())


def test_claims_of_another_kind_are_refused() -> None:
    for door in (observed, without_references):
        with refused(Code.POLICY_TEE):
            door(tpm_genuine())


# --- whole documents: the policy's keys are the anchors


def policy(*, simulated: bool = True, **overrides: Any) -> Policy:
    tables = members()
    tables["accept"] = [{**ENTRY, **overrides}]
    tables |= {} if simulated else {"unsafe_accept_simulated": False}
    return load_policy(json.dumps(tables).encode())


def document(**overrides: Any) -> bytes:
    world = World()
    root, _ = world._nonces()
    bound = overrides.pop("bound", None) or binding(nonces=root, keyset=world.keyset.raw)
    evidence = FalseRealm(seed=b"node").evidence(report_data=bound, **overrides)
    return world.document(evidence=evidence, endorsements=Endorsements({}))


@pytest.mark.parametrize("newer", [False, True], ids=["2023", "2026"])
def test_a_realm_gets_a_verdict(newer: bool) -> None:
    verdict = verify(document(newer=newer), policy(), now=NOW, nonce=NONCE, roots=ROOTS)
    assert [claims.kind for claims in verdict.claims] == [Kind.CCA]
    assert verdict.simulated


def test_a_key_that_the_policy_pins_makes_evidence_genuine_without_any_vendor() -> None:
    real = policy(simulated=False, platform_keys=[OTHER_ROOT.der.hex()])
    verdict = verify(document(platform_message={"key": OTHER}), real, now=NOW, nonce=NONCE, roots=VENDOR_ROOTS)
    assert not verdict.simulated
    assert anchors([entry.constraints for entry in real.accept])[0].der == OTHER_ROOT.der


def test_the_false_platform_stays_simulated_for_a_policy_that_pins_it() -> None:
    with refused(Code.POLICY_SIMULATED):
        verify(document(), policy(simulated=False), now=NOW, nonce=NONCE, roots=VENDOR_ROOTS)


def test_a_platform_that_no_entry_pins_is_not_genuine() -> None:
    with refused(Code.COSE_SIGNATURE):
        verify(document(platform_message={"key": OTHER}), policy(), now=NOW, nonce=NONCE, roots=ROOTS)


def test_a_token_for_another_keyset_is_refused() -> None:
    with refused(Code.BINDING_MISMATCH):
        verify(document(bound=bytes(64)), policy(), now=NOW, nonce=NONCE, roots=ROOTS)


def test_keys_of_one_entry_do_not_open_another() -> None:
    tables = members()
    tables["accept"] = [{**ENTRY, "rims": ["00" * 48]}, {**ENTRY, "platform_keys": [OTHER_ROOT.der.hex()]}]
    both = load_policy(json.dumps(tables).encode())
    with pytest.raises(Exception, match=r"cca\.(rim|platform_key)"):
        verify(document(), both, now=NOW, nonce=NONCE, roots=ROOTS)


def test_without_a_policy_a_platform_is_unknown_and_the_hint_says_what_to_do() -> None:
    shown = explain(document(), None, now=NOW, nonce=NONCE, roots=VENDOR_ROOTS)
    assert shown.failure is not None
    assert shown.failure.code is Code.CCA_ANCHOR
    assert "platform_keys" in shown.failure.hint


def test_trust_on_first_use_works_for_the_false_platform_alone() -> None:
    proposal = propose_policy(document(), now=NOW, nonce=NONCE, roots=ROOTS, name="realm", unsafe_accept_simulated=True)
    assert verify(document(), load_policy(proposal.policy), now=NOW, nonce=NONCE, roots=ROOTS).simulated
