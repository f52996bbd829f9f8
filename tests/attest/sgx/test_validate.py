"""Is it acceptable: what is strict by default, what each constraint refuses, and what every relaxation shows."""

import dataclasses
from typing import Any

import pytest
from tests.attest.dcap.world import NOW, genuine, platform
from tests.support import refused

from confide.attest.checks import Checks
from confide.attest.constraints import Ignored
from confide.attest.dcap.pck import Pck
from confide.attest.dcap.tcb import TcbStatus
from confide.attest.sgx.claims import SgxClaims
from confide.attest.sgx.validate import SgxConstraints, validate
from confide.attest.x509 import Revocation
from confide.codes import Code
from confide_sim import intel
from confide_sim.intel import level

SKIP = Ignored.UNSAFE_IGNORED
MR_ENCLAVE, MR_SIGNER = b"\xe1" * 32, b"\x51" * 32
KSS = 1 << 7


def enclave(*, beside: dict[str, Any] | None = None, revocation: Revocation | None = None, **fields: Any) -> SgxClaims:
    claims = genuine(quote=fields, endorsements=beside, revocation=revocation or Revocation())
    assert isinstance(claims, SgxClaims)
    return claims


def status(word: str, *advisories: str) -> SgxClaims:
    return enclave(beside={"tcb_info": intel.tcb_info(at=NOW, tcbLevels=[level(word, advisories=advisories)])})


def judge(claims: SgxClaims, **constraints: Any) -> Checks:
    record = Checks()
    validate(claims, SgxConstraints(**{"mr_enclaves": (MR_ENCLAVE,), **constraints}), checks=record)
    return record


def test_a_listed_enclave_on_an_up_to_date_platform_is_accepted_and_says_what_was_not_looked_at() -> None:
    record = judge(enclave())
    assert record.relaxations == []
    assert {item.what for item in record.not_checked} == {
        "platform id",
        "FMSPC",
        "MRSIGNER",
        "ISVPRODID",
        "CONFIGID",
        "ISVEXTPRODID",
        "ISVFAMILYID",
    }


def test_every_constraint_that_names_the_right_value_holds() -> None:
    fields: dict[str, Any] = {
        "config_id": b"\x0c" * 64,
        "config_svn": 4,
        "isv_ext_prod_id": b"\x0e" * 16,
        "isv_family_id": b"\x0f" * 16,
    }
    record = judge(
        enclave(flags=KSS | 5, **fields),
        mr_signers=(bytes(32), MR_SIGNER),
        isv_prod_ids=(6, 7),
        minimum_isv_svn=3,
        minimum_config_svn=4,
        config_ids=(b"\x0c" * 64,),
        ext_prod_ids=(b"\x0e" * 16,),
        family_ids=(b"\x0f" * 16,),
        attributes=bytes((KSS | 1,)).ljust(16, b"\x00"),
        attributes_mask=bytes((KSS | 3,)).ljust(16, b"\x00"),
        misc_select=(0,),
        xfrm=(0xE7,),
        minimum_evaluation_number=17,
        platform_ids=(platform().instance_id,),
        fmspcs=(intel.FMSPC,),
        smt=False,
    )
    assert record.not_checked == []


def test_a_signer_with_its_product_stands_in_for_the_code() -> None:
    record = judge(enclave(), mr_enclaves=None, mr_signers=(MR_SIGNER,), isv_prod_ids=(7,), minimum_isv_svn=2)
    assert "MRENCLAVE" in {item.what for item in record.not_checked}


def test_constraints_that_name_neither_code_nor_signer_accept_nothing() -> None:
    with refused(Code.SGX_MR_ENCLAVE):
        judge(enclave(), mr_enclaves=None)


def test_a_signer_without_a_product_accepts_nothing() -> None:
    with refused(Code.SGX_ISV_PROD_ID):
        judge(enclave(), mr_enclaves=None, mr_signers=(MR_SIGNER,))


REFUSALS: dict[str, tuple[Code, dict[str, Any], dict[str, Any]]] = {
    "debug": (Code.SGX_DEBUG, {"flags": 7}, {}),
    "not initialised": (Code.SGX_INIT, {"flags": 4}, {}),
    "an unknown attribute": (Code.SGX_INIT, {"flags": 5 | 1 << 3}, {}),
    "an attribute of the far end": (Code.SGX_INIT, {"flags": 5 | 1 << 63}, {}),
    "provisioning key": (Code.SGX_PROVISION_KEY, {"flags": 0x15}, {}),
    "launch key": (Code.SGX_PROVISION_KEY, {"flags": 0x25}, {}),
    "MISCSELECT": (Code.SGX_MISC_SELECT, {"misc_select": 2}, {}),
    "MISCSELECT of a list": (Code.SGX_MISC_SELECT, {"misc_select": 1}, {"misc_select": (0,)}),
    "XFRM without SSE": (Code.SGX_XFRM, {"xfrm": 1}, {}),
    "ATTRIBUTES": (Code.SGX_ATTRIBUTES, {}, {"attributes": bytes(16)}),
    "XFRM of a list": (Code.SGX_XFRM, {}, {"xfrm": (3,)}),
    "MRENCLAVE": (Code.SGX_MR_ENCLAVE, {"mr_enclave": bytes(32)}, {}),
    "MRSIGNER": (Code.SGX_MR_SIGNER, {"mr_signer": bytes(32)}, {"mr_signers": (MR_SIGNER,), "isv_prod_ids": (7,)}),
    "ISVPRODID": (Code.SGX_ISV_PROD_ID, {"isv_prod_id": 8}, {"isv_prod_ids": (7,)}),
    "ISVSVN": (Code.SGX_ISV_SVN, {"isv_svn": 2}, {"minimum_isv_svn": 3}),
    "CONFIGSVN": (Code.SGX_CONFIG_SVN, {}, {"minimum_config_svn": 1}),
    "CONFIGID": (Code.SGX_CONFIG_ID, {}, {"config_ids": (b"\x01" * 64,)}),
    "ISVEXTPRODID": (Code.SGX_EXT_PROD_ID, {}, {"ext_prod_ids": (b"\x01" * 16,)}),
    "ISVFAMILYID": (Code.SGX_FAMILY_ID, {}, {"family_ids": (b"\x01" * 16,)}),
    "evaluation number": (Code.DCAP_EVALUATION_NUMBER, {}, {"minimum_evaluation_number": 18}),
    "platform": (Code.DCAP_PLATFORM, {}, {"platform_ids": (bytes(16),)}),
    "FMSPC": (Code.DCAP_FMSPC_UNLISTED, {}, {"fmspcs": (bytes(6),)}),
    "dynamic platform": (Code.DCAP_DYNAMIC_PLATFORM, {}, {"dynamic_platform": False}),
    "cached keys": (Code.DCAP_CACHED_KEYS, {}, {"cached_keys": False}),
}


@pytest.mark.parametrize("case", REFUSALS.values(), ids=REFUSALS.keys())
def test_one_wrong_value_is_refused_with_its_own_code(case: tuple[Code, dict[str, Any], dict[str, Any]]) -> None:
    code, fields, constraints = case
    with refused(code):
        judge(enclave(**fields), **constraints)


def test_what_a_certificate_does_not_say_is_not_taken_for_no() -> None:
    claims = genuine(ca="processor")
    assert isinstance(claims, SgxClaims)
    for member, code in (("smt", Code.DCAP_SMT), ("dynamic_platform", Code.DCAP_DYNAMIC_PLATFORM)):
        with refused(code):
            judge(claims, **{member: False})


def test_hyperthreading_that_is_enabled_is_refused_where_it_may_not_be() -> None:
    claims = enclave()
    pck: Pck = dataclasses.replace(claims.pck, smt_enabled=True)
    with refused(Code.DCAP_SMT):
        judge(dataclasses.replace(claims, pck=pck), smt=False)


# --- TCB ---


@pytest.mark.parametrize(
    "word", ["SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded", "OutOfDate", "Revoked", "Odd"]
)
def test_only_up_to_date_is_accepted_unless_a_status_is_named(word: str) -> None:
    with refused(Code.DCAP_TCB_STATUS):
        judge(status(word))


def test_a_named_status_is_accepted_with_the_named_advisories() -> None:
    named = {TcbStatus.SW_HARDENING_NEEDED: ("INTEL-SA-00615", "INTEL-SA-00657")}
    judge(status("SWHardeningNeeded", "INTEL-SA-00615"), tcb=named)
    with refused(Code.DCAP_ADVISORY):
        judge(status("SWHardeningNeeded", "INTEL-SA-00615", "INTEL-SA-00334"), tcb=named)
    with refused(Code.DCAP_TCB_STATUS):
        judge(status("UpToDate"), tcb=named)


def test_a_status_with_any_advisory_is_a_relaxation() -> None:
    record = judge(status("OutOfDate", "INTEL-SA-00615"), tcb={TcbStatus.OUT_OF_DATE: SKIP})
    assert [item.setting for item in record.relaxations] == ["tcb.OutOfDate"]


@pytest.mark.parametrize("word", ["Revoked", "Odd"])
def test_no_policy_accepts_what_intel_revoked_or_does_not_know(word: str) -> None:
    claims = status(word)
    assert claims.standing is not None
    with refused(Code.DCAP_TCB_STATUS):
        judge(claims, tcb={claims.standing: SKIP})
    with refused(Code.DCAP_TCB_STATUS):
        judge(claims, allow_any_tcb=SKIP)


def test_an_unknown_status_is_refused_as_missing_collateral() -> None:
    nothing = dict.fromkeys(("tcb_info", "tcb_info_chain", "qe_identity", "qe_identity_chain"))
    claims = enclave(beside=nothing, revocation=Revocation(required=False))
    with refused(Code.DCAP_TCB_UNKNOWN):
        judge(claims)
    record = judge(claims, allow_any_tcb=SKIP)
    assert [item.setting for item in record.relaxations] == ["allow_any_tcb"]


def test_an_evaluation_number_that_is_wanted_needs_collateral() -> None:
    nothing = dict.fromkeys(("tcb_info", "tcb_info_chain", "qe_identity", "qe_identity_chain"))
    claims = enclave(beside=nothing, revocation=Revocation(required=False))
    with refused(Code.DCAP_EVALUATION_NUMBER):
        judge(claims, allow_any_tcb=SKIP, minimum_evaluation_number=1)


# --- relaxations ---


def test_debug_and_any_software_are_accepted_by_name_only_and_show() -> None:
    record = judge(enclave(flags=7), allow_debug=SKIP, mr_enclaves=SKIP)
    assert [item.setting for item in record.relaxations] == ["allow_debug", "mr_enclaves"]
    assert judge(enclave(flags=0x15), allow_provision_key=SKIP).relaxations[0].setting == "allow_provision_key"


def test_platforms_and_references_are_counted() -> None:
    assert SgxConstraints(mr_enclaves=SKIP).references is None
    assert SgxConstraints(mr_enclaves=(MR_ENCLAVE,), mr_signers=(MR_SIGNER,)).references == 2
    assert (SgxConstraints().platforms, SgxConstraints(platform_ids=(bytes(16),)).platforms) == (None, 1)
