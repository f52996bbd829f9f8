"""The `accept` entries of Azure's VMs on TDX: as those on SEV-SNP, with a table of TDX's own members."""

from typing import Any

import pytest
from tests.attest.azure.test_azure_tdx import genuine, recorded
from tests.attest.tpm.world import SKIP
from tests.attest.tpm.world import genuine as tpm_genuine
from tests.support import refused

from confide.attest.azure.validate import AzureTdxConstraints, validate_tdx
from confide.attest.checks import Checks
from confide.codes import Code
from confide.policy.accept import table, tdx
from confide.policy.accept.az_tdx_vtpm import constraints, observed, without_references

ZERO = "00" * 32
HARDWARE: dict[str, Any] = {"mr_tds": ["5a" * 48], **{f"rtmr{index}": ["00" * 48] for index in range(3)}}
ENTRY: dict[str, Any] = {"tee": "az-tdx-vtpm", "pcrs": {"4": [ZERO]}, "tdx": HARDWARE}


def test_absent_members_take_the_strict_defaults() -> None:
    found = constraints(ENTRY)
    assert found == AzureTdxConstraints(pcrs={4: (bytes(32),)}, tdx=tdx.constraints({"tee": "tdx", **HARDWARE}))
    assert (found.secure_boot, found.allow_no_quote, found.tdx.allow_sept_ve) == (True, None, None)


def test_older_tds_take_their_switch_in_the_table() -> None:
    assert constraints({**ENTRY, "tdx": {**HARDWARE, "allow_sept_ve": "unsafe_ignored"}}).tdx.allow_sept_ve is SKIP


def test_what_the_hardwares_table_switches_off_is_told_too() -> None:
    tcb = {"UpToDate": "unsafe_ignored", "SWHardeningNeeded": "unsafe_ignored"}
    given = {**HARDWARE, "allow_sept_ve": "unsafe_ignored", "rtmr0": "unsafe_ignored", "tcb": tcb}
    assert set(constraints({**ENTRY, "tdx": given}).ignored) == {"tdx.allow_sept_ve", "tdx.rtmr0", "tdx.tcb.SWHardeningNeeded"}


@pytest.mark.parametrize("missing", ["pcrs", "tdx"])
def test_what_must_be_constrained_refuses_when_absent(missing: str) -> None:
    with refused(Code.POLICY_UNCONSTRAINED):
        constraints({name: value for name, value in ENTRY.items() if name != missing})


@pytest.mark.parametrize(
    "members", [{"snp": {}}, {"tdx": {**HARDWARE, "tee": "tdx"}}, {"tdx": {**HARDWARE, "unknown": 1}}], ids=str
)
def test_a_wrong_member_refuses(members: dict[str, Any]) -> None:
    with refused(Code.POLICY_SHAPE):
        constraints({**ENTRY, **members})


@pytest.mark.parametrize("name", ["trustee-evidence-v1", "intel-aztdx-adapter"])
def test_what_was_observed_refuses_only_for_what_nothing_proves(name: str) -> None:
    claims = genuine(recorded(name))
    entry = observed(claims)
    assert entry["tdx"]["mr_tds"] == [claims.tdx.report.mr_td.hex()]
    checks = Checks(strict=False)
    validate_tdx(claims, constraints(entry), checks=checks)
    assert {check.code for check in checks.done if not check.ok} <= {Code.DCAP_TCB_UNKNOWN}  # no collateral came with it


def test_evidence_can_be_shown_without_references() -> None:
    checks = Checks(strict=False)
    claims = genuine(recorded("trustee-evidence-v1"))
    validate_tdx(claims, without_references(claims), checks=checks)
    assert {"pcrs", "mr_tds"} <= {item.setting for item in checks.relaxations}


def test_claims_of_another_kind_are_refused() -> None:
    with refused(Code.POLICY_TEE):
        observed(tpm_genuine())


def test_the_table_of_kinds_names_it() -> None:
    assert table.of("az-tdx-vtpm")[1].constraints(ENTRY) == constraints(ENTRY)
