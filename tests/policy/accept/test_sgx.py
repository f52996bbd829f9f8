"""The `accept` entries of SGX: members in their types, what refuses when absent, and entries that accept exactly what was seen."""

from typing import Any

import pytest
from tests.attest.dcap.world import NOW, genuine, platform
from tests.support import refused

from confide.attest import verifiers
from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.constraints import Ignored
from confide.attest.dcap.tcb import TcbStatus
from confide.attest.evidence import Kind
from confide.attest.sgx.validate import SgxConstraints
from confide.codes import Code
from confide.policy.accept import table
from confide.policy.accept.sgx import constraints, observed, without_references
from confide_sim import intel
from confide_sim.intel import level

SKIP = Ignored.UNSAFE_IGNORED
ONE = b"\xe1" * 32
ENTRY: dict[str, Any] = {"tee": "sgx", "mr_enclaves": [ONE.hex()]}
SIGNED: dict[str, Any] = {"tee": "sgx", "mr_signers": ["51" * 32], "isv_prod_ids": [7], "minimum_isv_svn": 2}


def accepts(entry: dict[str, Any], claims: Claims) -> Checks:
    record = Checks()
    verifiers.validate(claims, constraints(entry), checks=record)
    return record


def test_absent_members_take_the_strict_defaults() -> None:
    assert constraints(ENTRY) == SgxConstraints(mr_enclaves=(ONE,))


def test_every_member_arrives_in_its_type() -> None:
    members = {
        "mr_signers": ["51" * 32],
        "isv_prod_ids": [7, 8],
        "minimum_isv_svn": 3,
        "minimum_config_svn": 4,
        "config_ids": ["0c" * 64],
        "ext_prod_ids": ["0e" * 16],
        "family_ids": ["0f" * 16],
        "attributes": "05" + "00" * 15,
        "attributes_mask": "ff" * 8 + "00" * 8,
        "misc_select": [0],
        "xfrm": [0xE7, 0x2E7],
        "allow_debug": "unsafe_ignored",
        "allow_provision_key": "unsafe_ignored",
        "tcb": {"SWHardeningNeeded": ["INTEL-SA-00615"]},
        "platform_ids": ["aa" * 16],
        "smt": False,
    }
    assert constraints({**ENTRY, **members}) == SgxConstraints(
        mr_enclaves=(ONE,),
        mr_signers=(b"\x51" * 32,),
        isv_prod_ids=(7, 8),
        minimum_isv_svn=3,
        minimum_config_svn=4,
        config_ids=(b"\x0c" * 64,),
        ext_prod_ids=(b"\x0e" * 16,),
        family_ids=(b"\x0f" * 16,),
        attributes=b"\x05" + bytes(15),
        attributes_mask=b"\xff" * 8 + bytes(8),
        misc_select=(0,),
        xfrm=(0xE7, 0x2E7),
        allow_debug=SKIP,
        allow_provision_key=SKIP,
        tcb={TcbStatus.UP_TO_DATE: SKIP, TcbStatus.SW_HARDENING_NEEDED: ("INTEL-SA-00615",)},
        platform_ids=(b"\xaa" * 16,),
        smt=False,
    )
    assert constraints({"tee": "sgx", "mr_enclaves": "unsafe_ignored"}).mr_enclaves is SKIP


@pytest.mark.parametrize(
    "members",
    [
        {"mr_enclaves": []},
        {"mr_enclaves": ["E1" * 32]},
        {"mr_enclaves": ["e1" * 31]},
        {"mr_signers": "unsafe_ignored"},
        {"isv_prod_ids": [65536]},
        {"minimum_isv_svn": -1},
        {"attributes": "05"},
        {"attributes_mask": "ff" * 16},
        {"allow_debug": True},
        {"tcb": {"Revoked": "unsafe_ignored"}},
        {"mr_tds": []},
    ],
    ids=lambda members: next(iter(members)),
)
def test_a_wrong_member_is_refused(members: dict[str, Any]) -> None:
    with refused(Code.POLICY_SHAPE):
        constraints({**ENTRY, **members})


@pytest.mark.parametrize("left_out", ["mr_signers", "isv_prod_ids", "minimum_isv_svn"])
def test_an_entry_names_its_code_or_a_signer_with_product_and_version(left_out: str) -> None:
    with refused(Code.POLICY_UNCONSTRAINED):
        constraints({name: value for name, value in SIGNED.items() if name != left_out})


def test_a_signer_with_product_and_version_is_enough() -> None:
    accepts(SIGNED, genuine())
    with refused(Code.SGX_ISV_PROD_ID):
        accepts({**SIGNED, "isv_prod_ids": [8]}, genuine())


def test_what_was_observed_is_accepted_again_and_nothing_else() -> None:
    claims = genuine()
    entry = observed(claims)
    assert accepts(entry, claims).relaxations == []
    assert entry["minimum_evaluation_number"] == 17
    for fields, code in (({"mr_enclave": bytes(32)}, Code.SGX_MR_ENCLAVE), ({"isv_svn": 2}, Code.SGX_ISV_SVN)):
        with refused(code):
            accepts(entry, genuine(quote=fields))


def test_an_enclave_with_kss_is_observed_with_its_configuration() -> None:
    claims = genuine(quote={"flags": 0x85, "config_id": b"\x0c" * 64, "config_svn": 2})
    entry = observed(claims)
    accepts(entry, claims)
    with refused(Code.SGX_CONFIG_ID):
        accepts(entry, genuine(quote={"flags": 0x85, "config_svn": 2}))


def test_a_status_that_was_observed_is_named_with_its_advisories() -> None:
    beside = {"tcb_info": intel.tcb_info(at=NOW, tcbLevels=[level("SWHardeningNeeded", advisories=("INTEL-SA-00615",))])}
    claims = genuine(endorsements=beside)
    entry = observed(claims)
    assert entry["tcb"] == {"SWHardeningNeeded": ["INTEL-SA-00615"]}
    accepts(entry, claims)
    accepts(entry, genuine())


def test_without_references_the_state_is_judged_and_software_is_not() -> None:
    record = Checks()
    verifiers.validate(genuine(), without_references(genuine()), checks=record)
    assert [item.setting for item in record.relaxations] == ["mr_enclaves"]
    with refused(Code.SGX_DEBUG):
        verifiers.validate(genuine(quote={"flags": 7}), without_references(genuine()), checks=Checks())


def test_the_table_knows_the_kind_and_others_are_refused() -> None:
    assert table.of("sgx")[0] is Kind.SGX
    with refused(Code.POLICY_TEE):
        observed(genuine(Kind.TDX))
    assert platform().kind is Kind.SGX
