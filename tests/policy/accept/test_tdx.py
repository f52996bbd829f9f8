"""The `accept` entries of TDX: members in their types, what refuses when absent, and entries that accept exactly what was seen."""

from typing import Any

import pytest
from tests.attest.tdx.world import FMSPC, MR_TD, PLATFORM, SKIP, claims
from tests.attest.tpm.world import genuine as tpm_genuine
from tests.support import refused

from confide.attest import verifiers
from confide.attest.checks import Checks
from confide.attest.dcap.tcb import TcbStatus
from confide.attest.tdx.layout import KNOWN_XFAM, TdAttributes
from confide.attest.tdx.validate import TdxConstraints, validate
from confide.codes import Code
from confide.errors import ConfideError
from confide.policy.accept import table
from confide.policy.accept.tdx import constraints, observed, without_references
from confide_sim import td

ONE, TWO = b"\x01" * 48, b"\x02" * 48
ZERO = bytes(48)
BOOT = {"rtmr0": [ZERO.hex()], "rtmr1": [ONE.hex(), TWO.hex()], "rtmr2": "unsafe_ignored"}
ENTRY: dict[str, Any] = {"tee": "tdx", "mr_tds": [MR_TD.hex()], **BOOT}
SEPT = TdAttributes.SEPT_VE_DISABLE


def test_absent_members_take_the_strict_defaults() -> None:
    found = constraints(ENTRY)
    assert found == TdxConstraints(mr_tds=(MR_TD,), rtmrs=((ZERO,), (ONE, TWO), SKIP, None))
    assert found.tcb == {TcbStatus.UP_TO_DATE: SKIP}
    assert (found.mr_service_tds, found.max_vmid, found.allowed_xfam, found.secure_boot) == ((), 0, KNOWN_XFAM, False)
    assert (found.allow_debug, found.allow_migration, found.allow_sept_ve, found.allow_any_tcb) == (None, None, None, None)


def test_every_member_arrives_in_its_type() -> None:
    members = {
        "rtmr3": [TWO.hex()],
        "rtmr1_events": [ONE.hex(), TWO.hex()],
        "secure_boot": True,
        "mr_config_ids": [ONE.hex()],
        "mr_owners": [TWO.hex()],
        "mr_owner_configs": [ZERO.hex()],
        "mr_seams": [ONE.hex()],
        "mr_service_tds": [TWO.hex()],
        "minimum_tee_tcb_svn": "05010200000000000000000000000000",
        "max_vmid": 3,
        "allowed_xfam": 7,
        "tcb": {"SWHardeningNeeded": ["INTEL-SA-00615"], "OutOfDate": "unsafe_ignored"},
        "minimum_evaluation_number": 17,
        "platform_ids": [PLATFORM.hex()],
        "fmspcs": [FMSPC.hex()],
        "smt": False,
        "dynamic_platform": False,
        "cached_keys": False,
    }
    found = constraints({**ENTRY, **members})
    assert (found.rtmrs[3], found.rtmr_events) == ((TWO,), (None, (ONE, TWO), None, None))
    assert (found.secure_boot, found.max_vmid, found.allowed_xfam) == (True, 3, 7)
    assert (found.mr_config_ids, found.mr_owners, found.mr_owner_configs) == ((ONE,), (TWO,), (ZERO,))
    assert (found.mr_seams, found.mr_service_tds) == ((ONE,), (TWO,))
    assert found.minimum_tee_tcb_svn == bytes((5, 1, 2)).ljust(16, b"\x00")
    assert found.tcb == {
        TcbStatus.UP_TO_DATE: SKIP,
        TcbStatus.SW_HARDENING_NEEDED: ("INTEL-SA-00615",),
        TcbStatus.OUT_OF_DATE: SKIP,
    }
    assert (found.minimum_evaluation_number, found.platform_ids, found.fmspcs) == (17, (PLATFORM,), (FMSPC,))
    assert (found.smt, found.dynamic_platform, found.cached_keys) == (False, False, False)


SWITCHES = ["allow_debug", "allow_migration", "allow_sept_ve", "allow_any_tcb", "mr_service_tds", "mr_tds"]


@pytest.mark.parametrize("name", SWITCHES)
def test_a_check_is_switched_off_by_the_word_that_says_so(name: str) -> None:
    assert getattr(constraints({**ENTRY, name: "unsafe_ignored"}), name) is SKIP


@pytest.mark.parametrize("missing", ["mr_tds", "rtmr0", "rtmr1", "rtmr2"])
def test_what_must_be_constrained_refuses_when_absent(missing: str) -> None:
    with refused(Code.POLICY_UNCONSTRAINED):
        constraints({name: value for name, value in ENTRY.items() if name != missing})


@pytest.mark.parametrize("register", ["rtmr0", "rtmr1", "rtmr2"])
def test_listed_events_constrain_a_register_too(register: str) -> None:
    entry = {name: value for name, value in ENTRY.items() if name != register}
    found = constraints({**entry, f"{register}_events": [ONE.hex()]})
    assert found.rtmrs[int(register[4])] is None
    assert found.rtmr_events[int(register[4])] == (ONE,)


WRONG: list[dict[str, Any]] = [
    {"mr_tds": []},
    {"mr_tds": [MR_TD.hex().upper()]},
    {"mr_tds": [MR_TD.hex()[:-2]]},
    {"mr_tds": ["00" * 48] * 1025},
    {"mr_td": [MR_TD.hex()]},
    {"rtmr0": "ignored"},
    {"rtmr4": [ZERO.hex()]},
    {"rtmr0_events": "unsafe_ignored"},
    {"secure_boot": "unsafe_ignored"},
    {"mr_seams": "unsafe_ignored"},
    {"minimum_tee_tcb_svn": "0501"},
    {"max_vmid": 256},
    {"max_vmid": -1},
    {"allowed_xfam": 1 << 60},
    {"allowed_xfam": 4},
    {"allow_debug": True},
    {"tcb": {}},
    {"tcb": {"Revoked": "unsafe_ignored"}},
    {"tcb": {"TCBNotSupported": []}},
    {"tcb": {"Good": []}},
    {"tcb": {"OutOfDate": ["sa\n"]}},
    {"tcb": ["OutOfDate"]},
    {"minimum_evaluation_number": "17"},
    {"platform_ids": [PLATFORM.hex()[:-2]]},
    {"fmspcs": [PLATFORM.hex()]},
    {"smt": "unsafe_ignored"},
]


@pytest.mark.parametrize("members", WRONG, ids=str)
def test_members_of_another_shape_are_refused(members: dict[str, Any]) -> None:
    with refused(Code.POLICY_SHAPE):
        constraints({**ENTRY, **members})


SEEN: dict[str, dict[str, Any]] = {
    "TDX 1.0": {"rtmr1": ONE},
    "TDX 1.5 with a service TD": {"size": td.TD_15, "mr_service_td": ONE},
    "SEPT_VE_DISABLE clear": {"td_attributes": 0},
    "a status that is not UpToDate": {"status": TcbStatus.SW_HARDENING_NEEDED, "advisories": ("INTEL-SA-00615",)},
    "no TCB collateral": {"status": None, "number": None},
}


@pytest.mark.parametrize("fields", SEEN.values(), ids=SEEN.keys())
def test_what_was_observed_is_accepted_by_its_own_entry(fields: dict[str, Any]) -> None:
    found = claims(**fields)
    members = observed(found)
    kind, module = table.of(members["tee"])
    assert kind == "tdx"
    verifiers.validate(found, module.constraints(members), checks=Checks())


CHANGED: dict[str, tuple[Code, dict[str, Any]]] = {
    "MRTD": (Code.TDX_MR_TD, {"mr_td": ONE}),
    **{f"RTMR{index}": (Code.TDX_RTMR, {f"rtmr{index}": TWO}) for index in range(4)},
    "MRCONFIGID": (Code.TDX_CONFIG, {"mr_config_id": ONE}),
    "MROWNER": (Code.TDX_CONFIG, {"mr_owner": ONE}),
    "MROWNERCONFIG": (Code.TDX_CONFIG, {"mr_owner_config": ONE}),
    "the module": (Code.TDX_TEE_TCB_SVN, {"tee_tcb_svn": bytes((4, 1, 2)) + bytes(13)}),
    "the evaluation number": (Code.DCAP_EVALUATION_NUMBER, {"number": 16}),
    "the status": (Code.DCAP_TCB_STATUS, {"status": TcbStatus.OUT_OF_DATE}),
    "SEPT_VE_DISABLE": (Code.TDX_SEPT_VE, {"td_attributes": 0}),
    "a service TD": (Code.TDX_SERVICE_TD, {"size": td.TD_15, "mr_service_td": ONE}),
}


@pytest.mark.parametrize(("code", "fields"), CHANGED.values(), ids=CHANGED.keys())
def test_anything_else_than_what_was_observed_is_refused(code: Code, fields: dict[str, Any]) -> None:
    entry = constraints(observed(claims()))
    with refused(code):
        validate(claims(**fields), entry, checks=Checks())


def test_evidence_is_shown_to_people_without_a_policy_whatever_it_runs() -> None:
    found = claims(mr_td=ONE, rtmr2=TWO, status=TcbStatus.OUT_OF_DATE)
    checks = Checks()
    validate(found, without_references(found), checks=checks)
    assert {item.setting for item in checks.relaxations} == {"mr_tds", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "allow_any_tcb"}
    for fields, code in (({"td_attributes": SEPT | 1}, Code.TDX_DEBUG), ({"status": TcbStatus.REVOKED}, Code.DCAP_TCB_STATUS)):
        with refused(code):
            validate(claims(**fields), without_references(claims(**fields)), checks=Checks())


def test_claims_of_another_kind_are_refused() -> None:
    for door in (observed, without_references):
        with pytest.raises(ConfideError) as caught:
            door(tpm_genuine())
        assert caught.value.code is Code.POLICY_TEE
