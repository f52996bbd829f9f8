"""The status of a TCB: which level, which merge, whose advisories. Tables by Intel's own words."""

import dataclasses
from typing import Any

import pytest
from tests.attest.dcap.world import NOW, genuine, platform

from confide.attest.dcap.collateral import Identity, TcbInfo, parse_identity, parse_tcb_info
from confide.attest.dcap.pck import Pck
from confide.attest.dcap.tcb import Evaluation, TdxTcb, evaluate
from confide.attest.evidence import Kind
from confide_sim import intel, td
from confide_sim.intel import level, module, svn_level

BEST = (5,) * 16
SGX_STATUSES = (
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
    "Revoked",
)


def pck(**changes: Any) -> Pck:
    return dataclasses.replace(genuine().pck, **changes)


def info(kind: Kind = Kind.SGX, **members: Any) -> TcbInfo:
    return parse_tcb_info(intel.tcb_info(kind, at=NOW, **members))


def identity(status: str = "UpToDate", advisories: tuple[str, ...] = ()) -> Identity:
    return parse_identity(intel.qe_identity(at=NOW, tcbLevels=[svn_level(8, status, advisories)]))


def judged(levels: list[Any], qe: Identity | None = None, **changes: Any) -> Evaluation:
    return evaluate(info(tcbLevels=levels), pck(**changes), 8, qe or identity(), tdx=None)


def tdx_tcb(launched: bytes = bytes((5, 1, 2)), running: bytes | None = None, **changes: Any) -> TdxTcb:
    usual = {"mr_signer_seam": bytes(48), "seam_attributes": bytes(8)}
    return TdxTcb(launched.ljust(16, b"\x00"), None if running is None else running.ljust(16, b"\x00"), **{**usual, **changes})


# --- the level of a platform ---


@pytest.mark.parametrize("index", range(16))
def test_one_component_below_makes_the_platform_lower(index: int) -> None:
    components = tuple(4 if at == index else 9 for at in range(16))
    found = judged([level(), level("OutOfDate", sgx=(4,) * 16, pce_svn=5)], components=components)
    assert found.status == "OutOfDate"


def test_a_pcesvn_below_makes_the_platform_lower() -> None:
    assert judged([level(), level("OutOfDate", pce_svn=5)], pce_svn=12).status == "OutOfDate"


def test_higher_than_every_level_is_the_first_level() -> None:
    assert judged([level(), level("OutOfDate", sgx=(4,) * 16)], components=(255,) * 16, pce_svn=65535).status == "UpToDate"


def test_no_level_is_not_out_of_date() -> None:
    assert judged([level()], pce_svn=12).status == "TCBNotSupported"


def test_levels_are_walked_from_the_highest_whatever_their_order() -> None:
    assert judged([level("OutOfDate", sgx=(4,) * 16), level()]).status == "UpToDate"


def test_advisories_of_the_matched_levels_are_gathered_once() -> None:
    levels = [level("SWHardeningNeeded", advisories=("A-1", "A-2")), level("OutOfDate", sgx=(4,) * 16, advisories=("A-9",))]
    assert judged(levels, identity("OutOfDate", ("A-2", "A-3"))).advisories == ("A-1", "A-2", "A-3")


def test_a_word_that_intel_does_not_define_supports_nothing() -> None:
    assert judged([level("Excellent")]).status == "TCBNotSupported"
    assert judged([level("TDRelaunchAdvised")]).status == "TCBNotSupported"  # no level can say so
    assert judged([level()], identity("Fine")).status == "TCBNotSupported"


# --- merging ---

WORSE = {
    "UpToDate": "OutOfDate",
    "SWHardeningNeeded": "OutOfDate",
    "ConfigurationNeeded": "OutOfDateConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded": "OutOfDateConfigurationNeeded",
}


@pytest.mark.parametrize("status", SGX_STATUSES)
def test_a_qe_of_each_status_is_merged_as_intel_defines(status: str) -> None:
    assert judged([level(status)]).status == status
    assert judged([level(status)], identity("OutOfDate")).status == WORSE.get(status, status)
    assert judged([level(status)], identity("Revoked")).status == "Revoked"


@pytest.mark.parametrize("status", SGX_STATUSES)
def test_a_module_of_each_status_is_merged_as_intel_defines(status: str) -> None:
    for word, wanted in (("UpToDate", status), ("OutOfDate", WORSE.get(status, status)), ("Revoked", "Revoked")):
        collateral = info(
            Kind.TDX,
            tcbLevels=[level(status, tdx=(5, 0, 2, *(0,) * 13))],
            tdxModuleIdentities=[module(1, levels=[svn_level(5, word)])],
        )
        assert evaluate(collateral, pck(), 8, identity(), tdx=tdx_tcb()).status == wanted


# --- TDX ---


def tdx(tcb: TdxTcb, qe: Identity | None = None, **members: Any) -> Evaluation:
    return evaluate(info(Kind.TDX, **members), pck(), 8, qe or identity(), tdx=tcb)


def test_the_module_of_a_version_has_levels_of_its_own() -> None:
    assert tdx(tdx_tcb()).status == "UpToDate"
    old = tdx(tdx_tcb(bytes((3, 1, 2))))
    assert (old.status, old.module, old.platform, old.advisories) == ("OutOfDate", "OutOfDate", "UpToDate", ("INTEL-SA-00002",))
    assert tdx(tdx_tcb(bytes((1, 1, 2)))).status == "TCBNotSupported"  # below every level of its module


def test_with_a_version_the_first_two_components_are_the_modules() -> None:
    assert tdx(tdx_tcb(bytes((5, 1, 2)))).platform == "UpToDate"
    assert tdx(tdx_tcb(bytes((5, 1, 1)))).platform == "OutOfDate"
    assert tdx(tdx_tcb(bytes((5, 1, 0)))).status == "TCBNotSupported"


def test_without_a_version_every_component_is_the_platforms() -> None:
    assert tdx(tdx_tcb(bytes((5, 0, 2)))).status == "UpToDate"
    assert tdx(tdx_tcb(bytes((4, 0, 2)))).status == "OutOfDate"
    assert tdx(tdx_tcb(bytes((3, 0, 2)))).status == "TCBNotSupported"


def test_an_unknown_version_or_another_module_does_not_match() -> None:
    assert tdx(tdx_tcb(bytes((5, 2, 2)))).status == "TDXModuleMismatch"
    assert tdx(tdx_tcb(mr_signer_seam=b"\x01" * 48)).status == "TDXModuleMismatch"
    assert tdx(tdx_tcb(seam_attributes=b"\x01" + bytes(7))).status == "TDXModuleMismatch"
    assert tdx(tdx_tcb(bytes((5, 0, 2)), mr_signer_seam=b"\x01" * 48)).status == "TDXModuleMismatch"
    assert tdx(tdx_tcb(bytes((5, 0, 2))), tdxModule=None).status == "TDXModuleMismatch"
    assert tdx(tdx_tcb(), tdxModuleIdentities=None).status == "TDXModuleMismatch"


def test_module_identities_are_named_in_either_case() -> None:
    named = module(0x1A, levels=[svn_level(5)], id="TDX_1a")
    assert tdx(tdx_tcb(bytes((5, 0x1A, 2))), tdxModuleIdentities=[named]).status == "UpToDate"


def test_a_td_on_tcb_info_without_tdx_components_has_no_level() -> None:
    assert tdx(tdx_tcb(), tcbLevels=[level()]).status == "TCBNotSupported"


# --- relaunch ---

OLD, CURRENT = bytes((3, 1, 2)), bytes((5, 1, 2))


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        ("UpToDate", "TDRelaunchAdvised"),
        ("SWHardeningNeeded", "TDRelaunchAdvised"),
        ("ConfigurationNeeded", "TDRelaunchAdvisedConfigurationNeeded"),
        ("ConfigurationAndSWHardeningNeeded", "TDRelaunchAdvisedConfigurationNeeded"),
        ("OutOfDate", "OutOfDate"),
        ("OutOfDateConfigurationNeeded", "OutOfDateConfigurationNeeded"),
        ("Revoked", "Revoked"),
    ],
)
def test_a_td_launched_on_an_old_module_that_was_updated_since_should_be_relaunched(status: str, wanted: str) -> None:
    levels = [level(status, tdx=(5, 0, 2, *(0,) * 13))]
    assert tdx(tdx_tcb(OLD, CURRENT), tcbLevels=levels).status == wanted


def test_without_the_update_it_is_out_of_date() -> None:
    assert tdx(tdx_tcb(OLD, OLD)).status == "OutOfDate"
    assert tdx(tdx_tcb(OLD, bytes((4, 1, 2)))).status == "OutOfDate"  # an update, not to the latest
    assert tdx(tdx_tcb(OLD, bytes((5, 1, 1)))).status == "OutOfDate"  # the module, not the loader
    assert tdx(tdx_tcb(OLD)).status == "OutOfDate"  # a report of TDX 1.0 does not say


def test_a_module_without_a_version_is_compared_with_the_platforms_level() -> None:
    assert tdx(tdx_tcb(OLD, bytes((5, 0, 2)))).status == "TDRelaunchAdvised"
    assert tdx(tdx_tcb(OLD, bytes((4, 0, 2)))).status == "OutOfDate"


def test_a_module_that_runs_and_has_no_identity_does_not_match() -> None:
    assert tdx(tdx_tcb(OLD, bytes((5, 9, 2)))).status == "TDXModuleMismatch"


@pytest.mark.parametrize(("word", "wanted"), [("OutOfDate", "OutOfDate"), ("Revoked", "Revoked"), ("Odd", "TCBNotSupported")])
def test_a_qe_that_is_not_up_to_date_leaves_no_advice(word: str, wanted: str) -> None:
    assert tdx(tdx_tcb(OLD, CURRENT), identity(word)).status == wanted


def test_advice_needs_the_module_to_be_the_only_part_out_of_date() -> None:
    levels = [level(tdx=(5, 0, 3, *(0,) * 13)), level("OutOfDate", tdx=(5, 0, 2, *(0,) * 13))]
    assert tdx(tdx_tcb(bytes((5, 1, 2)), bytes((5, 1, 3))), tcbLevels=levels).status == "OutOfDate"


def levels_of(sgx: str, tdx: str) -> list[Any]:
    """The platform reaches the first by its SGX components alone, and the second by all of them."""
    return [level(sgx, tdx=(5, 0, 3, *(0,) * 13)), level(tdx, tdx=(5, 0, 2, *(0,) * 13))]


UPDATED = bytes((5, 1, 3))


@pytest.mark.parametrize(
    ("sgx", "word", "wanted"),
    [
        ("UpToDate", "UpToDate", "TDRelaunchAdvised"),
        ("UpToDate", "ConfigurationNeeded", "TDRelaunchAdvisedConfigurationNeeded"),
        ("ConfigurationNeeded", "UpToDate", "TDRelaunchAdvisedConfigurationNeeded"),
        ("UpToDate", "Revoked", "Revoked"),
        ("UpToDate", "Odd", "TCBNotSupported"),
    ],
)
def test_advice_looks_at_both_levels_of_the_platform(sgx: str, word: str, wanted: str) -> None:
    """A level that is revoked, or that nobody knows, is not made better by a module that runs."""
    assert tdx(tdx_tcb(OLD, UPDATED), tcbLevels=levels_of(sgx, word)).status == wanted


def test_advice_needs_the_latest_level_to_be_one_of_tdx() -> None:
    best = (9,) * 16
    levels = [level(sgx=best), level(tdx=(5, 0, 2, *(0,) * 13))]
    assert tdx(tdx_tcb(OLD, CURRENT), tcbLevels=levels).status == "OutOfDate"


def test_what_supports_nothing_is_not_called_revoked() -> None:
    assert judged([level("Odd")], identity("Revoked")).status == "TCBNotSupported"


def test_the_advice_reaches_the_claims_of_a_quote() -> None:
    claims = genuine(Kind.TDX, quote={"size": td.TD_15, "tee_tcb_svn": OLD.ljust(16, b"\x00")})
    assert claims.tcb_status == "TDRelaunchAdvised"
    assert claims.advisories == ("INTEL-SA-00002",)
    assert platform(Kind.TDX).kind is Kind.TDX
