"""The `accept` entries of Nitro Enclaves and NitroTPM: members in their types, what refuses, and entries of what was seen."""

from datetime import timedelta
from typing import Any

import pytest
from tests.attest.nitro.world import genuine
from tests.attest.tpm.world import genuine as tpm_genuine
from tests.support import refused

from confide.attest import verifiers
from confide.attest.checks import Checks
from confide.attest.constraints import Ignored
from confide.attest.evidence import Kind
from confide.attest.nitro.validate import NitroConstraints, NitroTpmConstraints
from confide.codes import Code
from confide.policy.accept import table
from confide.policy.accept.nitro import ENCLAVES, INSTANCES, NitroEntries

ONE = b"\x01" * 48
SKIP = Ignored.UNSAFE_IGNORED
ENTRIES: dict[NitroEntries, dict[str, Any]] = {
    ENCLAVES: {"tee": "nitro", "pcrs": {"0": [ONE.hex()]}},
    INSTANCES: {"tee": "nitrotpm", "pcrs": {"4": [ONE.hex()]}},
}
BOTH = pytest.mark.parametrize("entries", ENTRIES, ids=lambda each: each.kind.value)


def test_absent_members_take_the_strict_defaults() -> None:
    assert ENCLAVES.constraints(ENTRIES[ENCLAVES]) == NitroConstraints(pcrs={0: (ONE,)})
    found = INSTANCES.constraints(ENTRIES[INSTANCES])
    assert found == NitroTpmConstraints(pcrs={4: (ONE,)})
    assert (found.allow_debug, found.instance_ids, found.regions, found.maximum_age) == (None, None, None, None)


@BOTH
def test_every_member_arrives_in_its_type(entries: NitroEntries) -> None:
    members = {"instance_ids": ["i-0123456789abcdef0"], "regions": ["eu-central-1"], "maximum_age_minutes": 5}
    found = entries.constraints({**ENTRIES[entries], **members})
    assert (found.instance_ids, found.regions, found.maximum_age) == (
        ("i-0123456789abcdef0",),
        ("eu-central-1",),
        timedelta(minutes=5),
    )
    assert entries.constraints({**ENTRIES[entries], "pcrs": "unsafe_ignored"}).pcrs is SKIP


def test_debug_mode_is_allowed_by_the_word_that_says_so_and_for_enclaves_alone() -> None:
    assert ENCLAVES.constraints({**ENTRIES[ENCLAVES], "allow_debug": "unsafe_ignored"}).allow_debug is SKIP
    with refused(Code.POLICY_SHAPE):
        INSTANCES.constraints({**ENTRIES[INSTANCES], "allow_debug": "unsafe_ignored"})


@pytest.mark.parametrize("registers", [(), ("1", "2"), ("3", "4"), ("16",)], ids=str)
def test_registers_that_name_no_software_refuse(registers: tuple[str, ...]) -> None:
    for pcrs in ({"pcrs": {index: [ONE.hex()] for index in registers}} if registers else {},):
        with refused(Code.POLICY_UNCONSTRAINED):
            ENCLAVES.constraints({"tee": "nitro", **pcrs})
    with refused(Code.POLICY_UNCONSTRAINED):
        INSTANCES.constraints({"tee": "nitrotpm", "pcrs": {"7": [ONE.hex()]}})


WRONG: list[dict[str, Any]] = [
    {"pcrs": {}},
    {"pcrs": {"0": []}},
    {"pcrs": {"0": ONE.hex()}},
    {"pcrs": {"00": [ONE.hex()]}},
    {"pcrs": {"32": [ONE.hex()]}},
    {"pcrs": {"0": [ONE.hex()[:-2]]}},
    {"pcrs": {"0": [ONE.hex().replace("01", "0A")]}},
    {"pcrs": "ignored"},
    {"instance_ids": []},
    {"instance_ids": ["i-0123"]},
    {"instance_ids": ["i-0123456789abcdef0\n"]},
    {"regions": ["europe"]},
    {"regions": "unsafe_ignored"},
    {"allow_debug": True},
    {"maximum_age_minutes": 0},
    {"maximum_age_minutes": 181},
    {"measurements": [ONE.hex()]},
]


@pytest.mark.parametrize("members", WRONG, ids=str)
def test_members_of_another_shape_are_refused(members: dict[str, Any]) -> None:
    with refused(Code.POLICY_SHAPE):
        ENCLAVES.constraints({**ENTRIES[ENCLAVES], **members})


@pytest.mark.parametrize("kind", [Kind.NITRO, Kind.NITROTPM], ids=str)
def test_what_was_observed_is_accepted_by_its_own_entry_and_nothing_else_is(kind: Kind) -> None:
    found = genuine(kind)
    _, entries = table.of(kind.value)
    members = entries.observed(found)
    verifiers.validate(found, entries.constraints(members), checks=Checks())
    for index in members["pcrs"]:
        name = "pcrs" if kind is Kind.NITRO else "nitrotpm_pcrs"
        changed: dict[str, Any] = {name: {**found.document.pcrs, int(index): ONE}}
        other = genuine(kind, **changed)
        with refused(Code.NITRO_PCR):
            verifiers.validate(other, entries.constraints(members), checks=Checks())


def test_evidence_is_shown_to_people_without_a_policy_whatever_it_runs_but_not_in_debug_mode() -> None:
    checks = Checks()
    verifiers.validate(genuine(), ENCLAVES.without_references(genuine()), checks=checks)
    assert {each.setting for each in checks.relaxations} == {"pcrs"}
    debugged = genuine(pcrs={index: bytes(48) for index in range(16)})
    with refused(Code.NITRO_DEBUG):
        verifiers.validate(debugged, ENCLAVES.without_references(debugged), checks=Checks())
    verifiers.validate(genuine(Kind.NITROTPM), INSTANCES.without_references(genuine(Kind.NITROTPM)), checks=Checks())


@BOTH
def test_claims_of_another_kind_are_refused(entries: NitroEntries) -> None:
    other = Kind.NITROTPM if entries.kind is Kind.NITRO else Kind.NITRO
    for claims in (tpm_genuine(), genuine(other)):
        for door in (entries.observed, entries.without_references):
            with refused(Code.POLICY_TEE):
                door(claims)
