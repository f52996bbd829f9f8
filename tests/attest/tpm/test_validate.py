"""Is it acceptable: absent means strict, what is skipped is told, and each constraint has its own complaint."""

from typing import Any

import pytest
from tests.attest.tpm.world import SKIP, genuine, judge, strict
from tests.support import refused

from confide.attest.checks import Checks
from confide.attest.tpm.ak import Authority
from confide.attest.tpm.platform import Technology
from confide.attest.tpm.validate import TpmConstraints, validate
from confide.attest.verifiers import ROOMS
from confide.codes import Code
from confide_sim.tpm import AZURE

INSTANCE = 0x0123456789ABCDEF


def test_a_host_that_is_trusted_by_name_and_listed_pcrs_are_accepted_and_told() -> None:
    record = judge(genuine())
    assert [item.setting for item in record.relaxations] == ["allow_host_trusted"]
    assert "host-trusted" in record.relaxations[0].effect
    told = {item.what for item in record.not_checked}
    assert {"cloud of the TPM", "project", "zone", "instance", "Secure Boot"} <= told
    assert any(what.startswith("PCRs 1, 2, 3") for what in told)


def test_absent_constraints_are_strict() -> None:
    with refused(Code.TPM_HOST_TRUSTED):
        validate(genuine(), TpmConstraints(), checks=Checks())
    with refused(Code.TPM_PCR):
        validate(genuine(), TpmConstraints(allow_host_trusted=SKIP), checks=Checks())


def test_everything_that_can_be_listed_is_accepted_where_it_is() -> None:
    record = judge(
        genuine(),
        authorities=(Authority.GOOGLE,),
        projects=("simulated-project",),
        zones=("nowhere1-a",),
        instances=(INSTANCE,),
        technologies=(Technology.NONE,),
        secure_boot=True,
    )
    assert not {"cloud of the TPM", "project", "zone", "instance", "Secure Boot"} & {item.what for item in record.not_checked}


def test_ignored_pcrs_are_a_relaxation() -> None:
    record = judge(genuine(), pcrs=SKIP)
    assert [item.setting for item in record.relaxations] == ["allow_host_trusted", "pcrs"]


CASES: list[tuple[str, Code, dict[str, Any]]] = [
    ("a PCR of another value", Code.TPM_PCR, {"pcrs": {4: (bytes(32),)}}),
    ("a PCR for which nothing is listed", Code.TPM_PCR, {"pcrs": {4: ()}}),
    ("the cloud", Code.TPM_AUTHORITY, {"authorities": (Authority.AZURE,)}),
    ("the project", Code.TPM_INSTANCE, {"projects": ("another",)}),
    ("the zone", Code.TPM_INSTANCE, {"zones": ("a", "b", "c", "d", "e")}),
    ("the instance", Code.TPM_INSTANCE, {"instances": (1,)}),
    ("no instance at all", Code.TPM_INSTANCE, {"instances": ()}),
    ("the technology", Code.TPM_TECHNOLOGY, {"technologies": (Technology.AMD_SEV_SNP,)}),
    ("the bank", Code.TPM_BANK, {"banks": (0x000C,)}),
]


@pytest.mark.parametrize(("what", "code", "constraints"), CASES, ids=[what for what, _, _ in CASES])
def test_what_is_not_listed_is_refused(what: str, code: Code, constraints: dict[str, Any]) -> None:
    with refused(code):
        judge(genuine(), **constraints)


def test_a_pcr_that_was_not_quoted_is_refused() -> None:
    claims = genuine(indexes=(0, 7), items={"event-log": None})
    with refused(Code.TPM_PCR):
        judge(claims, pcrs={4: (bytes(32),)})


def test_a_bank_of_sha_1_is_refused() -> None:
    with refused(Code.TPM_BANK):
        judge(genuine(bank=0x0004), pcrs=SKIP)


@pytest.mark.parametrize("constraint", [{"projects": ("x",)}, {"zones": ("x",)}, {"instances": (INSTANCE,)}])
def test_a_machine_without_a_name_is_no_listed_one(constraint: dict[str, Any]) -> None:
    with refused(Code.TPM_INSTANCE):
        judge(genuine(AZURE), **constraint)


@pytest.mark.parametrize("lie", [{"items": {"event-log": None}}, {"indexes": (0, 4), "items": {"event-log": None}}])
def test_secure_boot_is_shown_by_a_log_or_not_at_all(lie: dict[str, Any]) -> None:
    with refused(Code.TPM_SECURE_BOOT):
        judge(genuine(**lie), pcrs=SKIP, secure_boot=True)


def test_constraints_say_how_many_machines_and_measurements_they_list() -> None:
    claims = genuine()
    one = strict(claims)
    assert (one.platforms, one.references) == (None, 5)
    assert strict(claims, instances=(1, 2), pcrs=SKIP).platforms == 2
    assert strict(claims, pcrs=SKIP).references is None
    assert strict(claims, pcrs=SKIP).ignored == ("pcrs", "allow_host_trusted")


def test_the_room_of_the_kind_is_this_one() -> None:
    room = ROOMS[genuine().kind]
    assert (room.constraints, room.validate) == (TpmConstraints, validate)
