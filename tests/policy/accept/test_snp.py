"""The `accept` entries of SEV-SNP: what the guest asked its firmware for, and what that had verified (spec/06-policy.md)."""

from typing import Any

import pytest
from tests.attest.snp.world import MEASUREMENT, genuine
from tests.support import refused

from confide.attest.checks import Checks
from confide.attest.snp.layout import GuestPolicy
from confide.attest.snp.validate import HARDENING, validate
from confide.codes import Code
from confide.policy.accept.snp import constraints, observed, without_references

ENTRY: dict[str, Any] = {"tee": "snp", "measurements": [MEASUREMENT.hex()], "minimum_tcb": "unsafe_ignored"}
PROTECTIONS = ["single_socket", "mem_aes_256_xts", "rapl_dis", "ciphertext_hiding_dram", "page_swap_disable"]
ASKED = int(HARDENING) | GuestPolicy.RESERVED_ONE


def judge(report: dict[str, Any], **members: Any) -> None:
    validate(genuine(report=report), constraints({**ENTRY, **members}), checks=Checks())


def test_protections_are_named_one_by_one() -> None:
    judge({"policy": ASKED}, guest_policy=PROTECTIONS)
    assert constraints({**ENTRY, "guest_policy": PROTECTIONS}).guest_policy == HARDENING
    assert constraints(ENTRY).guest_policy == GuestPolicy(0)


@pytest.mark.parametrize("name", PROTECTIONS)
def test_a_protection_that_the_guest_did_not_ask_for_is_refused(name: str) -> None:
    bit = GuestPolicy[name.upper()]
    judge({"policy": int(bit | GuestPolicy.RESERVED_ONE)}, guest_policy=[name])
    with refused(Code.SNP_GUEST_POLICY):
        judge({"policy": ASKED & ~bit}, guest_policy=[name])


@pytest.mark.parametrize("member", ["launch_mit_vector", "current_mit_vector"])
def test_mitigations_are_told_by_the_numbers_of_their_bits(member: str) -> None:
    judge({"version": 5, member: 1 | 1 << 63}, **{member: [0, 63]})
    with refused(Code.SNP_MIT_VECTOR):
        judge({"version": 5, member: 1}, **{member: [0, 63]})
    with refused(Code.SNP_MIT_VECTOR):
        judge({"version": 3}, **{member: [0]})


WRONG: dict[str, Any] = {
    "an unknown protection": {"guest_policy": ["smt"]},
    "no protection": {"guest_policy": []},
    "a protection as text": {"guest_policy": "rapl_dis"},
    "protections ignored": {"guest_policy": "unsafe_ignored"},
    "bit 64": {"launch_mit_vector": [64]},
    "a negative bit": {"launch_mit_vector": [-1]},
    "bits as a number": {"current_mit_vector": 3},
    "no bits": {"current_mit_vector": []},
    "65 bits": {"current_mit_vector": [0] * 65},
    "a bit that is true": {"current_mit_vector": [True]},
    "an unknown member": {"guest_policies": ["rapl_dis"]},
    "another kind": {"tee": "sgx"},
    "debug allowed by a flag": {"allow_debug": True},
    "VMPL 4": {"max_vmpl": 4},
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_member_refuses(what: str) -> None:
    with refused(Code.POLICY_SHAPE):
        constraints({**ENTRY, **WRONG[what]})


def test_what_was_observed_is_demanded_again() -> None:
    report = {"version": 5, "policy": ASKED, "launch_mit_vector": 5, "current_mit_vector": 1 << 40}
    entry = observed(genuine(report=report))
    assert sorted(entry["guest_policy"]) == sorted(PROTECTIONS)
    assert (entry["launch_mit_vector"], entry["current_mit_vector"]) == ([0, 2], [40])
    validate(genuine(report=report), constraints(entry), checks=Checks())
    for lie, code in (({"policy": 0x30000}, Code.SNP_GUEST_POLICY), ({"launch_mit_vector": 1}, Code.SNP_MIT_VECTOR)):
        with refused(code):
            validate(genuine(report={**report, **lie}), constraints(entry), checks=Checks())


def test_evidence_can_be_shown_without_references() -> None:
    checks, claims = Checks(strict=False), genuine()
    validate(claims, without_references(claims), checks=checks)
    assert {"measurements", "minimum_tcb"} <= {item.setting for item in checks.relaxations}
