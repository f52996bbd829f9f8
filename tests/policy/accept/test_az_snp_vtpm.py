"""The `accept` entries of Azure's VMs on SEV-SNP: members of the vTPM and the machine, and a table of the hardware's own."""

from typing import Any

import pytest
from tests.attest.azure.world import genuine, vm
from tests.attest.tpm.world import SKIP
from tests.attest.tpm.world import genuine as tpm_genuine
from tests.support import refused

from confide.attest.azure.validate import AzureSnpConstraints, validate_snp
from confide.attest.checks import Checks
from confide.codes import Code
from confide.policy.accept import snp, table
from confide.policy.accept.az_snp_vtpm import constraints, observed, without_references
from confide_sim.azure import runtime

ZERO = "00" * 32
HARDWARE: dict[str, Any] = {"measurements": ["5a" * 48], "minimum_tcb": "unsafe_ignored"}
ENTRY: dict[str, Any] = {"tee": "az-snp-vtpm", "pcrs": {"4": [ZERO]}, "snp": HARDWARE}
NO_QUOTE = dict.fromkeys(("tpm-attest", "tpm-signature", "pcrs", "event-log"))


def test_absent_members_take_the_strict_defaults() -> None:
    found = constraints(ENTRY)
    assert found == AzureSnpConstraints(pcrs={4: (bytes(32),)}, snp=snp.constraints({"tee": "snp", **HARDWARE}))
    assert (found.secure_boot, found.allow_no_quote, found.snp.max_vmpl) == (True, None, 0)


def test_every_member_arrives_in_its_type() -> None:
    members = {
        "banks": ["sha256"],
        "secure_boot": False,
        "console": False,
        "vm_ids": ["26F8BC30-774E-4290-8E7A-535F3B672AEE"],
        "allow_no_quote": "unsafe_ignored",
    }
    found = constraints({**ENTRY, **members})
    assert (found.banks, found.secure_boot, found.console) == ((0x000B,), False, False)
    assert (found.vm_ids, found.allow_no_quote) == (("26F8BC30-774E-4290-8E7A-535F3B672AEE",), SKIP)


@pytest.mark.parametrize("missing", ["pcrs", "snp"])
def test_what_must_be_constrained_refuses_when_absent(missing: str) -> None:
    with refused(Code.POLICY_UNCONSTRAINED):
        constraints({name: value for name, value in ENTRY.items() if name != missing})


def test_the_hardwares_own_members_must_be_constrained_too() -> None:
    with refused(Code.POLICY_UNCONSTRAINED):
        constraints({**ENTRY, "snp": {}})


def test_what_the_hardwares_table_switches_off_is_told_too() -> None:
    assert constraints(ENTRY).ignored == ("snp.minimum_tcb",)
    assert constraints({**ENTRY, "allow_no_quote": "unsafe_ignored"}).ignored == ("allow_no_quote", "snp.minimum_tcb")


WRONG: list[dict[str, Any]] = [
    {"snp": []},
    {"snp": {**HARDWARE, "tee": "snp"}},
    {"snp": {**HARDWARE, "unknown": 1}},
    {"vm_ids": ["not a uuid"]},
    {"console": "unsafe_ignored"},
    {"secure_boot": "unsafe_ignored"},
    {"allow_host_trusted": "unsafe_ignored"},
    {"tdx": {}},
]


@pytest.mark.parametrize("members", WRONG, ids=str)
def test_a_wrong_member_refuses(members: dict[str, Any]) -> None:
    with refused(Code.POLICY_SHAPE):
        constraints({**ENTRY, **members})


@pytest.mark.parametrize(
    "evidence",
    [{}, {"items": NO_QUOTE}, {"data": None}],
    ids=["a quote", "no quote", "as it is"],
)
def test_what_was_observed_is_accepted(evidence: dict[str, Any]) -> None:
    claims = genuine(**evidence)
    entry = observed(claims)
    assert "tee" not in entry["snp"]
    validate_snp(claims, constraints(entry), checks=Checks())


def test_secure_boot_that_is_off_is_observed_as_off() -> None:
    claims = genuine(data=runtime(vm().key, configuration={"secure-boot": False}))
    assert observed(claims)["secure_boot"] is False
    validate_snp(claims, constraints(observed(claims)), checks=Checks())


@pytest.mark.parametrize("evidence", [{}, {"items": NO_QUOTE}], ids=["a quote", "no quote"])
def test_evidence_can_be_shown_without_references(evidence: dict[str, Any]) -> None:
    claims = genuine(**evidence)
    checks = Checks()
    validate_snp(claims, without_references(claims), checks=checks)
    assert "measurements" in {item.setting for item in checks.relaxations}


def test_claims_of_another_kind_are_refused() -> None:
    with refused(Code.POLICY_TEE):
        observed(tpm_genuine())


def test_the_table_of_kinds_names_it() -> None:
    assert table.of("az-snp-vtpm")[1].constraints(ENTRY) == constraints(ENTRY)
