"""Is it acceptable: each constraint accepts what it names and refuses the rest; absence is strict or listed as not checked."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.attest.tdx.world import FMSPC, MR_TD, PLATFORM, SKIP, claims, judge, pck, strict
from tests.support import refused

from confide.attest import verifiers
from confide.attest.checks import Checks
from confide.attest.dcap.tcb import TcbStatus
from confide.attest.eventlog.content import variable_data
from confide.attest.tdx.layout import KNOWN_XFAM, TdAttributes
from confide.codes import Code
from confide.errors import EvidenceError, PolicyError
from confide_sim import td

SEPT = TdAttributes.SEPT_VE_DISABLE
ONE, TWO = b"\x01" * 48, b"\x02" * 48
EX, TD_15 = td.TD_15_EX, td.TD_15
ON, OFF = (hashlib.sha384(variable_data("SecureBoot", value)).digest() for value in (b"\x01", b"\x00"))


def svn(*first: int) -> bytes:
    return bytes(first).ljust(16, b"\x00")


def events(*digests: bytes, register: int = 0) -> tuple[tuple[bytes, ...] | None, ...]:
    return tuple(digests if index == register else None for index in range(4))


def registers(value: Any, index: int) -> tuple[Any, ...]:
    return tuple(value if at == index else None for at in range(4))


def test_a_td_that_satisfies_strict_constraints_is_accepted() -> None:
    checks = judge(claims())
    assert all(check.ok for check in checks.done)
    assert checks.relaxations == []


# what is accepted: fields of the report and arguments of claims, constraints
ACCEPTED: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "one of several MRTDs": ({}, {"mr_tds": (ONE, MR_TD)}),
    "all harmless attributes": (
        {"td_attributes": SEPT | TdAttributes.LASS | TdAttributes.PKS | TdAttributes.KL | TdAttributes.TPA | TdAttributes.PERFMON},
        {},
    ),
    "a defence against single-stepping": ({"td_attributes": SEPT | TdAttributes.ICSSD}, {}),
    "x87 and SSE alone": ({"xfam": 3}, {}),
    "every known extended feature": ({"xfam": KNOWN_XFAM}, {}),
    "APX where the policy adds it": ({"xfam": KNOWN_XFAM | 1 << 19}, {"allowed_xfam": KNOWN_XFAM | 1 << 19}),
    "TDX 1.5": ({"size": TD_15}, {}),
    "a listed service TD": ({"size": TD_15, "mr_service_td": ONE}, {"mr_service_tds": (TWO, ONE)}),
    "the longest body": ({"size": EX}, {}),
    "listed service TDs, first and now": (
        {"size": EX, "mr_service_td": ONE, "init_servtd_hash": TWO, "curr_servtd_hash": ONE},
        {"mr_service_tds": (ONE, TWO)},
    ),
    "an inner VM where allowed": ({"size": EX, "vmid": 2}, {"max_vmid": 2}),
    "a listed MRSEAM": ({"mr_seam": ONE}, {"mr_seams": (ONE,)}),
    "TEE_TCB_SVN at its minimum": ({"tee_tcb_svn": svn(5, 1, 2)}, {"minimum_tee_tcb_svn": svn(5, 1, 2)}),
    "a later version of the module with a lower SVN": ({"tee_tcb_svn": svn(0, 2, 2)}, {"minimum_tee_tcb_svn": svn(5, 1, 2)}),
    "a first TCB below the minimum that means nothing": (
        {"size": EX, "init_tee_tcb_svn": svn()},
        {"minimum_tee_tcb_svn": svn(5, 1, 2)},
    ),
    "RTMR0": ({"rtmr0": ONE}, {"rtmrs": registers((ONE,), 0)}),
    "RTMR3": ({"rtmr3": ONE}, {"rtmrs": registers((TWO, ONE), 3)}),
    "MRCONFIGID": ({"mr_config_id": ONE}, {"mr_config_ids": (ONE,)}),
    "MROWNER": ({"mr_owner": ONE}, {"mr_owners": (ONE,)}),
    "MROWNERCONFIG": ({"mr_owner_config": ONE}, {"mr_owner_configs": (ONE,)}),
    "events of RTMR1": ({"events": events(ONE, TWO, register=1)}, {"rtmr_events": registers((TWO, ONE), 1)}),
    "no event where some may be": ({"events": events(register=2)}, {"rtmr_events": registers((ONE,), 2)}),
    "Secure Boot": ({"events": events(ONE, ON)}, {"secure_boot": True}),
    "a listed platform": ({}, {"platform_ids": (PLATFORM,)}),
    "a listed kind of platform": ({}, {"fmspcs": (FMSPC,)}),
    "the minimum evaluation number": ({"number": 17}, {"minimum_evaluation_number": 17}),
    "a status with its advisories": (
        {"status": TcbStatus.SW_HARDENING_NEEDED, "advisories": ("INTEL-SA-1",)},
        {"tcb": {TcbStatus.SW_HARDENING_NEEDED: ("INTEL-SA-1", "INTEL-SA-2")}},
    ),
}

REFUSED: Mapping[str, tuple[Code, dict[str, Any], dict[str, Any]]] = {
    "debug": (Code.TDX_DEBUG, {"td_attributes": SEPT | 1}, {}),
    **{f"bit {bit} of TUD": (Code.TDX_DEBUG, {"td_attributes": SEPT | 1 << bit}, {}) for bit in (1, 4, 5, 6, 7)},
    **{f"attribute bit {bit}": (Code.TDX_ATTRIBUTES, {"td_attributes": SEPT | 1 << bit}, {}) for bit in (8, 15, 18, 26, 32, 61)},
    "migratable": (Code.TDX_MIGRATABLE, {"td_attributes": SEPT | TdAttributes.MIGRATABLE}, {}),
    "a service TD": (Code.TDX_SERVICE_TD, {"size": TD_15, "mr_service_td": ONE}, {}),
    "another service TD": (Code.TDX_SERVICE_TD, {"size": TD_15, "mr_service_td": ONE}, {"mr_service_tds": (TWO,)}),
    "the first service TD": (Code.TDX_SERVICE_TD, {"size": EX, "init_servtd_hash": ONE}, {}),
    "the current service TD": (Code.TDX_SERVICE_TD, {"size": EX, "curr_servtd_hash": ONE}, {}),
    "SEPT_VE_DISABLE clear": (Code.TDX_SEPT_VE, {"td_attributes": 0}, {}),
    "XFAM without SSE": (Code.TDX_XFAM, {"xfam": 1}, {}),
    "XFAM without x87": (Code.TDX_XFAM, {"xfam": 6}, {}),
    **{f"XFAM bit {bit}": (Code.TDX_XFAM, {"xfam": 3 | 1 << bit}, {}) for bit in (3, 4, 10, 13, 16, 19, 63)},
    "XFAM beyond what is allowed": (Code.TDX_XFAM, {"xfam": 7}, {"allowed_xfam": 3}),
    "an inner VM": (Code.TDX_VMID, {"size": EX, "vmid": 1}, {}),
    "SEAMATTRIBUTES": (Code.TDX_SEAM_ATTRIBUTES, {"seam_attributes": 1}, {}),
    "MRSIGNERSEAM": (Code.TDX_MR_SIGNER_SEAM, {"mr_signer_seam": ONE}, {}),
    "MRSEAM": (Code.TDX_MR_SEAM, {"mr_seam": ONE}, {"mr_seams": (TWO,)}),
    "the module's SVN": (Code.TDX_TEE_TCB_SVN, {"tee_tcb_svn": svn(4, 1, 2)}, {"minimum_tee_tcb_svn": svn(5, 1, 2)}),
    "the module's version": (Code.TDX_TEE_TCB_SVN, {"tee_tcb_svn": svn(9, 0, 2)}, {"minimum_tee_tcb_svn": svn(5, 1, 2)}),
    "another component": (Code.TDX_TEE_TCB_SVN, {"tee_tcb_svn": svn(9, 9, 1)}, {"minimum_tee_tcb_svn": svn(5, 1, 2)}),
    "the module that runs now": (
        Code.TDX_TEE_TCB_SVN,
        {"size": TD_15, "tee_tcb_svn2": svn(4, 1, 2)},
        {"minimum_tee_tcb_svn": svn(5, 1, 2)},
    ),
    "the module on which the TD began": (
        Code.TDX_TEE_TCB_SVN,
        {"size": EX, "td_attributes": SEPT | TdAttributes.SERVTD_EXT, "init_tee_tcb_svn": svn(4, 1, 2)},
        {"minimum_tee_tcb_svn": svn(5, 1, 2)},
    ),
    "a minimum cut short": (Code.TDX_TEE_TCB_SVN, {}, {"minimum_tee_tcb_svn": b""}),
    "MRTD": (Code.TDX_MR_TD, {}, {"mr_tds": (ONE,)}),
    "no MRTD listed": (Code.TDX_MR_TD, {}, {"mr_tds": ()}),
    "MRTD cut short": (Code.TDX_MR_TD, {}, {"mr_tds": (MR_TD[:47],)}),
    **{f"RTMR{index}": (Code.TDX_RTMR, {f"rtmr{index}": ONE}, {"rtmrs": registers((TWO,), index)}) for index in range(4)},
    **{
        f"RTMR{index} beside events that are listed": (
            Code.TDX_RTMR,
            {f"rtmr{index}": ONE, "events": events(ONE, register=index)},
            {"rtmrs": registers((TWO,), index), "rtmr_events": registers((ONE,), index)},
        )
        for index in range(4)
    },
    "a zero RTMR": (Code.TDX_RTMR, {}, {"rtmrs": registers((ONE,), 2)}),
    "MRCONFIGID": (Code.TDX_CONFIG, {}, {"mr_config_ids": (ONE,)}),
    "MROWNER": (Code.TDX_CONFIG, {}, {"mr_owners": (ONE,)}),
    "MROWNERCONFIG": (Code.TDX_CONFIG, {}, {"mr_owner_configs": (ONE,)}),
    "an event that is not listed": (
        Code.TDX_EVENT,
        {"events": events(ONE, TWO, register=1)},
        {"rtmr_events": registers((ONE,), 1)},
    ),
    "events without a log": (Code.TDX_EVENT, {}, {"rtmr_events": registers((ONE,), 1)}),
    "events of another register": (Code.TDX_EVENT, {"events": events(ONE)}, {"rtmr_events": registers((ONE,), 1)}),
    "Secure Boot off": (Code.TDX_SECURE_BOOT, {"events": events(OFF)}, {"secure_boot": True}),
    "Secure Boot without a log": (Code.TDX_SECURE_BOOT, {}, {"secure_boot": True}),
    "Secure Boot in another register": (Code.TDX_SECURE_BOOT, {"events": events(ON, register=1)}, {"secure_boot": True}),
    "Secure Boot on and off": (Code.TDX_SECURE_BOOT, {"events": events(OFF, ON)}, {"secure_boot": True}),
    "platform": (Code.DCAP_PLATFORM, {}, {"platform_ids": (bytes(16),)}),
    "kind of platform": (Code.DCAP_FMSPC_UNLISTED, {}, {"fmspcs": (bytes(6),)}),
    "evaluation number": (Code.DCAP_EVALUATION_NUMBER, {"number": 16}, {"minimum_evaluation_number": 17}),
    "advisory": (
        Code.DCAP_ADVISORY,
        {"status": TcbStatus.SW_HARDENING_NEEDED, "advisories": ("INTEL-SA-3",)},
        {"tcb": {TcbStatus.SW_HARDENING_NEEDED: ("INTEL-SA-1",)}},
    ),
    **{
        f"status {status.value}": (Code.DCAP_TCB_STATUS, {"status": status}, {})
        for status in TcbStatus
        if status is not TcbStatus.UP_TO_DATE
    },
    "no status": (Code.DCAP_TCB_UNKNOWN, {"status": None}, {}),
}


@pytest.mark.parametrize(("fields", "constraints"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_a_constraint_names_is_accepted(fields: dict[str, Any], constraints: dict[str, Any]) -> None:
    judge(claims(**fields), **constraints)


@pytest.mark.parametrize(("code", "fields", "constraints"), REFUSED.values(), ids=REFUSED.keys())
def test_what_a_constraint_does_not_name_is_refused(code: Code, fields: dict[str, Any], constraints: dict[str, Any]) -> None:
    found = claims(**fields)
    with refused(code):
        judge(found, **constraints)
    lenient = judge(found, checks=Checks(strict=False), **constraints)
    assert next(check.code for check in lenient.done if not check.ok) is code
    assert lenient.failure is not None


IGNORED: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "mr_tds": ({"mr_tds": SKIP}, {"mr_td": ONE}),
    "rtmr1": ({"rtmrs": registers(SKIP, 1)}, {"rtmr1": ONE}),
    "mr_service_tds": ({"mr_service_tds": SKIP}, {"size": TD_15, "mr_service_td": ONE}),
    "allow_debug": ({"allow_debug": SKIP}, {"td_attributes": SEPT | 1}),
    "allow_migration": ({"allow_migration": SKIP}, {"td_attributes": SEPT | TdAttributes.MIGRATABLE}),
    "allow_sept_ve": ({"allow_sept_ve": SKIP}, {"td_attributes": 0}),
    "allow_any_tcb": ({"allow_any_tcb": SKIP}, {"status": TcbStatus.OUT_OF_DATE}),
}


@pytest.mark.parametrize(("setting", "constraints", "fields"), [(name, *row) for name, row in IGNORED.items()], ids=IGNORED.keys())
def test_an_ignored_constraint_accepts_and_shows_as_a_relaxation(
    setting: str, constraints: dict[str, Any], fields: dict[str, Any]
) -> None:
    checks = judge(claims(**fields), **constraints)
    assert [item.setting for item in checks.relaxations] == [setting]
    assert strict(**constraints).ignored == (setting,)


def test_debug_does_not_excuse_bits_of_unknown_meaning() -> None:
    with refused(Code.TDX_ATTRIBUTES):
        judge(claims(td_attributes=SEPT | 1 | 1 << 9), allow_debug=SKIP)


def test_what_the_policy_does_not_name_is_listed_as_not_checked() -> None:
    listed = {item.what for item in judge(claims()).not_checked}
    fields = {"RTMR0", "RTMR1", "RTMR2", "RTMR3", "MRSEAM", "MRCONFIGID", "MROWNER", "MROWNERCONFIG"}
    assert listed == fields | {"Secure Boot", "platform id", "FMSPC"}


def test_a_register_whose_events_are_listed_is_not_said_to_be_unchecked() -> None:
    checks = judge(claims(events=events(ONE, register=1)), rtmr_events=registers((ONE,), 1))
    assert "RTMR1" not in {item.what for item in checks.not_checked}


def test_a_first_platform_is_said_not_to_be_judged_by_intels_levels() -> None:
    checks = judge(claims(size=EX, td_attributes=SEPT | TdAttributes.SERVTD_EXT))
    assert "first platform" in {item.what for item in checks.not_checked}


def test_how_many_are_listed_is_told() -> None:
    assert (strict().references, strict(mr_tds=SKIP).references) == (1, None)
    assert (strict().platforms, strict(platform_ids=(PLATFORM,)).platforms) == (None, 1)


def test_the_kind_of_error_tells_whose_fault_it_is() -> None:
    for fields, error in (({"td_attributes": SEPT | 1}, EvidenceError), ({"td_attributes": 0}, PolicyError)):
        with pytest.raises(error):
            judge(claims(**fields))


def test_the_door_of_all_kinds_leads_here() -> None:
    record = Checks()
    verifiers.validate(claims(), strict(), checks=record)
    assert any(check.code is Code.TDX_MR_TD for check in record.done)


PCK = {"smt": Code.DCAP_SMT, "dynamic_platform": Code.DCAP_DYNAMIC_PLATFORM, "cached_keys": Code.DCAP_CACHED_KEYS}


@pytest.mark.parametrize(("name", "code"), PCK.items(), ids=PCK.keys())
def test_what_the_certificate_says_of_the_platform_can_be_required(name: str, code: Code) -> None:
    wanted: dict[str, Any] = {name: False}
    judge(replace(claims(), pck=pck(smt_enabled=False, dynamic_platform=False, cached_keys=False)), **wanted)
    with refused(code):
        judge(claims(), **wanted)
