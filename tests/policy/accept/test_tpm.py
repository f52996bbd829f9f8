"""The `accept` entries of a cloud's TPM: what is absent, what arrives, what is wrong, and what is written from claims."""

from typing import Any

import pytest
from tests.attest.azure.world import genuine as azure_genuine
from tests.attest.tpm.world import SKIP, genuine
from tests.support import refused

from confide.attest.checks import Checks
from confide.attest.tpm.ak import Authority
from confide.attest.tpm.platform import Technology
from confide.attest.tpm.validate import TpmConstraints, validate
from confide.codes import Code
from confide.policy.accept import table
from confide.policy.accept.tpm import constraints, observed, without_references
from confide_sim.tpm import AZURE

ZERO = "00" * 32
ENTRY: dict[str, Any] = {"tee": "tpm", "pcrs": {"4": [ZERO]}}


def test_absent_members_take_the_strict_defaults() -> None:
    assert constraints(ENTRY) == TpmConstraints(pcrs={4: (bytes(32),)})
    assert constraints(ENTRY).allow_host_trusted is None


def test_every_member_arrives_in_its_type() -> None:
    entry = {
        "tee": "tpm",
        "pcrs": {"0": [ZERO], "31": ["11" * 48, "22" * 64]},
        "banks": ["sha384"],
        "allow_host_trusted": "unsafe_ignored",
        "authorities": ["google", "azure"],
        "projects": ["p"],
        "zones": ["z"],
        "instances": ["18446744073709551615"],
        "technologies": ["amd_sev", "amd_sev_es"],
        "secure_boot": True,
    }
    assert constraints(entry) == TpmConstraints(
        pcrs={0: (bytes(32),), 31: (b"\x11" * 48, b"\x22" * 64)},
        banks=(0x000C,),
        allow_host_trusted=SKIP,
        authorities=(Authority.GOOGLE, Authority.AZURE),
        projects=("p",),
        zones=("z",),
        instances=(2**64 - 1,),
        technologies=(Technology.AMD_SEV, Technology.AMD_SEV_ES),
        secure_boot=True,
    )


def test_any_software_takes_the_word_that_says_so() -> None:
    assert constraints({"tee": "tpm", "pcrs": "unsafe_ignored"}).pcrs is SKIP


def test_pcrs_must_be_constrained() -> None:
    with refused(Code.POLICY_UNCONSTRAINED):
        constraints({"tee": "tpm"})


WRONG: list[dict[str, Any]] = [
    {"pcrs": {}},
    {"pcrs": {"32": [ZERO]}},
    {"pcrs": {"04": [ZERO]}},
    {"pcrs": {"4": []}},
    {"pcrs": {"4": ["00" * 20]}},
    {"pcrs": {"4": ["AA" * 32]}},
    {"pcrs": "ignored"},
    {"banks": ["sha1"]},
    {"banks": []},
    {"allow_host_trusted": True},
    {"allow_host_trusted": "yes"},
    {"authorities": ["other"]},
    {"projects": [""]},
    {"instances": [7]},
    {"instances": ["07"]},
    {"technologies": ["AMD_SEV"]},
    {"secure_boot": "unsafe_ignored"},
    {"unknown": 1},
]


@pytest.mark.parametrize("members", WRONG, ids=str)
def test_a_wrong_member_refuses(members: dict[str, Any]) -> None:
    with refused(Code.POLICY_SHAPE):
        constraints({**ENTRY, **members})


@pytest.mark.parametrize("cloud", [None, AZURE], ids=["google", "azure"])
def test_what_was_observed_is_accepted_and_nothing_else(cloud: Any) -> None:
    claims = genuine() if cloud is None else genuine(cloud)
    entry = observed(claims)
    assert entry["allow_host_trusted"] == "unsafe_ignored"
    assert sorted(map(int, entry["pcrs"])) == [0, 4, 7, 8, 9]
    validate(claims, constraints(entry), checks=Checks())
    other = genuine(indexes=(0, 4, 7), items={"event-log": None})
    with refused(Code.TPM_PCR):
        validate(other, constraints(entry), checks=Checks())


def test_a_quote_of_other_registers_is_observed_as_it_is() -> None:
    claims = genuine(indexes=(5, 23), items={"event-log": None})
    assert sorted(observed(claims)["pcrs"]) == ["23", "5"]


def test_evidence_can_be_shown_without_references() -> None:
    checks = Checks()
    validate(genuine(), without_references(genuine()), checks=checks)
    assert [item.setting for item in checks.relaxations] == ["allow_host_trusted", "pcrs"]


def test_claims_of_another_kind_are_refused() -> None:
    with refused(Code.POLICY_TEE):
        observed(azure_genuine())


def test_the_table_of_kinds_names_it() -> None:
    assert table.of("tpm")[1].constraints(ENTRY) == constraints(ENTRY)
