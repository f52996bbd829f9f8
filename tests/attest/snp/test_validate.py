"""Is it acceptable: each constraint accepts what it names and refuses the rest; absence is strict or listed as not checked."""

from collections.abc import Mapping
from typing import Any

import pytest
from tests.attest.snp.world import MEASUREMENT, PROVIDER, chip, genuine, judge
from tests.support import refused

from confide.attest.checks import Checks
from confide.attest.constraints import Ignored
from confide.attest.snp.layout import GuestPolicy, PlatformInfo, Product, SigningKey, Tcb
from confide.attest.snp.validate import HARDENING
from confide.codes import Code
from confide.errors import EvidenceError, PolicyError

POLICY = 0x30000  # SMT allowed, bit 17
VLEK = SigningKey.VLEK


def tcb(*, boot_loader: int = 4, snp: int = 24, microcode: int = 219, tee: int = 0) -> bytes:
    return bytes((boot_loader, tee, 0, 0, 0, 0, snp, microcode))


def test_a_report_that_satisfies_strict_constraints_is_accepted() -> None:
    checks = judge(genuine())
    assert all(check.ok for check in checks.done)
    assert checks.relaxations == []


# constraint under test, report, constraints: accepted, then refused with the code
ACCEPTED: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "one of several measurements": ({}, {"measurements": (b"\x01" * 48, MEASUREMENT)}),
    "the minimum itself": ({}, {"minimum_tcb": {Product.MILAN: chip().tcb}}),
    "a listed product": ({}, {"products": (Product.GENOA, Product.MILAN)}),
    "CURRENT above COMMITTED": ({"current_tcb": tcb(microcode=220)}, {}),
    "REPORTED below COMMITTED": ({"committed_tcb": tcb(microcode=220), "current_tcb": tcb(microcode=220)}, {}),
    "current version above the committed one": ({"current_build": 30}, {}),
    "the minimum ABI itself": ({}, {"minimum_abi": (1, 55)}),
    "an older major ABI": ({}, {"minimum_abi": (0, 99)}),
    "VMPL as allowed": ({"vmpl": 2}, {"max_vmpl": 2}),
    "all known POLICY bits but two": ({"policy": 0x3FFFFFF & ~(GuestPolicy.DEBUG | GuestPolicy.MIGRATE_MA)}, {"cxl": True}),
    "every protection asked for": ({"policy": 0x3D20000}, {"guest_policy": HARDENING}),
    "mitigations in place": (
        {"version": 5, "launch_mit_vector": 3, "current_mit_vector": 7},
        {"launch_mit_vector": 1, "current_mit_vector": 6},
    ),
    "no SMT": ({"policy": 0x20000}, {"smt": False}),
    "a required PLATFORM_INFO bit": ({"platform_info": 0x25}, {"platform_info": PlatformInfo.ALIAS_CHECK_COMPLETE}),
    "GUEST_SVN at the minimum": ({"guest_svn": 3}, {"minimum_guest_svn": 3}),
    "HOST_DATA": ({"host_data": b"\x01" * 32}, {"host_data": (b"\x01" * 32,)}),
    "ID_KEY_DIGEST": ({"id_key_digest": b"\x02" * 48}, {"id_key_digests": (b"\x02" * 48,)}),
    "AUTHOR_KEY_DIGEST": ({"author_key_digest": b"\x03" * 48, "author_key_en": 1}, {"author_key_digests": (b"\x03" * 48,)}),
    "FAMILY_ID": ({"family_id": b"\x04" * 16}, {"family_ids": (b"\x04" * 16,)}),
    "IMAGE_ID": ({"image_id": b"\x05" * 16}, {"image_ids": (b"\x05" * 16,)}),
    "REPORT_ID": ({"report_id": b"\x06" * 32}, {"report_ids": (b"\x06" * 32,)}),
    "CHIP_ID": ({}, {"chip_ids": (chip().chip_id,)}),
}

REFUSED: Mapping[str, tuple[Code, dict[str, Any], dict[str, Any]]] = {
    "measurement": (Code.SNP_MEASUREMENT, {}, {"measurements": (b"\x01" * 48,)}),
    "no measurement listed": (Code.SNP_MEASUREMENT, {}, {"measurements": ()}),
    "measurement cut short": (Code.SNP_MEASUREMENT, {}, {"measurements": (MEASUREMENT[:47],)}),
    "product": (Code.SNP_PRODUCT, {}, {"products": (Product.GENOA,)}),
    "no product listed": (Code.SNP_PRODUCT, {}, {"products": ()}),
    "signing key": (Code.SNP_SIGNING_KEY_TYPE, {}, {"signing_keys": (VLEK,)}),
    "no minimum for the product": (Code.SNP_MINIMUM_TCB_MISSING, {}, {"minimum_tcb": {Product.TURIN: Tcb()}}),
    "REPORTED_TCB boot loader": (Code.SNP_MINIMUM_REPORTED_TCB, {}, {"minimum_tcb": {Product.MILAN: Tcb(boot_loader=5)}}),
    "REPORTED_TCB tee": (Code.SNP_MINIMUM_REPORTED_TCB, {}, {"minimum_tcb": {Product.MILAN: Tcb(tee=1)}}),
    "REPORTED_TCB snp": (Code.SNP_MINIMUM_REPORTED_TCB, {}, {"minimum_tcb": {Product.MILAN: Tcb(snp=25)}}),
    "REPORTED_TCB microcode": (Code.SNP_MINIMUM_REPORTED_TCB, {}, {"minimum_tcb": {Product.MILAN: Tcb(microcode=220)}}),
    "COMMITTED_TCB": (
        Code.SNP_MINIMUM_COMMITTED_TCB,
        {"committed_tcb": tcb(microcode=218)},
        {"minimum_tcb": {Product.MILAN: Tcb(microcode=219)}},
    ),
    "CURRENT_TCB in one component": (Code.SNP_CURRENT_TCB, {"current_tcb": tcb(boot_loader=255, microcode=218)}, {}),
    "current version": (Code.SNP_CURRENT_VERSION, {"current_build": 28}, {}),
    "current minor version": (Code.SNP_CURRENT_VERSION, {"current_minor": 54, "current_build": 255}, {}),
    "ABI minor": (Code.SNP_MINIMUM_ABI, {}, {"minimum_abi": (1, 56)}),
    "ABI major": (Code.SNP_MINIMUM_ABI, {}, {"minimum_abi": (2, 0)}),
    "committed ABI though the current one is newer": (Code.SNP_MINIMUM_ABI, {"current_minor": 57}, {"minimum_abi": (1, 57)}),
    "VMPL 1": (Code.SNP_VMPL, {"vmpl": 1}, {}),
    "a report that the host asked for": (Code.SNP_VMPL, {"vmpl": 0xFFFFFFFF}, {"max_vmpl": 3}),
    "POLICY bit 17 clear": (Code.SNP_POLICY, {"policy": 0x10000}, {}),
    "POLICY bit 26": (Code.SNP_POLICY, {"policy": POLICY | 1 << 26}, {}),
    "POLICY bit 63": (Code.SNP_POLICY, {"policy": POLICY | 1 << 63}, {}),
    "debug": (Code.SNP_DEBUG, {"policy": POLICY | GuestPolicy.DEBUG}, {}),
    "migration": (Code.SNP_MIGRATION, {"policy": POLICY | GuestPolicy.MIGRATE_MA}, {}),
    "a migration agent": (Code.SNP_REPORT_ID_MA, {"report_id_ma": b"\xff" * 31 + b"\xfe"}, {}),
    "SMT": (Code.SNP_SMT, {}, {"smt": False}),
    "CXL": (Code.SNP_CXL, {"policy": POLICY | GuestPolicy.CXL_ALLOW}, {}),
    "a protection not asked for": (Code.SNP_GUEST_POLICY, {}, {"guest_policy": GuestPolicy.RAPL_DIS}),
    "a mitigation not in place": (Code.SNP_MIT_VECTOR, {"version": 5, "current_mit_vector": 1}, {"current_mit_vector": 3}),
    "no mitigations in version 3": (Code.SNP_MIT_VECTOR, {}, {"launch_mit_vector": 1}),
    "PLATFORM_INFO": (Code.SNP_PLATFORM_INFO, {"platform_info": 0x05}, {"platform_info": PlatformInfo.ALIAS_CHECK_COMPLETE}),
    "one of two PLATFORM_INFO bits": (
        Code.SNP_PLATFORM_INFO,
        {"platform_info": 0x20},
        {"platform_info": PlatformInfo.ALIAS_CHECK_COMPLETE | PlatformInfo.TSME_EN},
    ),
    "GUEST_SVN": (Code.SNP_GUEST_SVN, {"guest_svn": 2}, {"minimum_guest_svn": 3}),
    "HOST_DATA": (Code.SNP_HOST_DATA, {}, {"host_data": (b"\x01" * 32,)}),
    "ID_KEY_DIGEST": (Code.SNP_ID_KEY_DIGEST, {}, {"id_key_digests": (b"\x02" * 48,)}),
    "AUTHOR_KEY_DIGEST": (Code.SNP_AUTHOR_KEY_DIGEST, {"author_key_en": 1}, {"author_key_digests": (b"\x03" * 48,)}),
    "AUTHOR_KEY_DIGEST without AUTHOR_KEY_EN": (
        Code.SNP_AUTHOR_KEY_DIGEST,
        {"author_key_digest": b"\x03" * 48},
        {"author_key_digests": (b"\x03" * 48,)},
    ),
    "FAMILY_ID": (Code.SNP_FAMILY_ID, {}, {"family_ids": (b"\x04" * 16,)}),
    "IMAGE_ID": (Code.SNP_IMAGE_ID, {}, {"image_ids": (b"\x05" * 16,)}),
    "REPORT_ID": (Code.SNP_REPORT_ID, {}, {"report_ids": (b"\x06" * 32,)}),
    "CHIP_ID": (Code.SNP_CHIP_ID, {}, {"chip_ids": tuple(bytes((number,)) * 64 for number in range(6))}),
    "a masked CHIP_ID, even when zeros are listed": (Code.SNP_CHIP_ID, {"chip_id": bytes(64)}, {"chip_ids": (bytes(64),)}),
}


@pytest.mark.parametrize(("report", "constraints"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_a_constraint_names_is_accepted(report: dict[str, Any], constraints: dict[str, Any]) -> None:
    judge(genuine(report=report), **constraints)


@pytest.mark.parametrize(("code", "report", "constraints"), REFUSED.values(), ids=REFUSED.keys())
def test_what_a_constraint_does_not_name_is_refused(code: Code, report: dict[str, Any], constraints: dict[str, Any]) -> None:
    claims = genuine(report=report)
    with refused(code):
        judge(claims, **constraints)
    lenient = judge(claims, checks=Checks(strict=False), **constraints)
    assert next(check.code for check in lenient.done if not check.ok) is code
    assert lenient.failure is not None


def test_turins_fmc_counts_in_the_minimum() -> None:
    claims = genuine(Product.TURIN)
    judge(claims, minimum_tcb={Product.TURIN: chip(Product.TURIN).tcb})
    with refused(Code.SNP_MINIMUM_REPORTED_TCB):
        judge(claims, minimum_tcb={Product.TURIN: Tcb(fmc=1)})


def test_a_vlek_is_refused_by_default_and_needs_its_provider_listed() -> None:
    claims = genuine(key=VLEK)
    with refused(Code.SNP_SIGNING_KEY_TYPE):
        judge(claims)
    with refused(Code.SNP_CSP_ID_UNKNOWN):
        judge(claims, signing_keys=(VLEK,))
    with refused(Code.SNP_CSP_ID_UNKNOWN):
        judge(claims, signing_keys=(VLEK,), csp_ids=("CN=other",))
    judge(claims, signing_keys=(SigningKey.VCEK, VLEK), csp_ids=(PROVIDER,))


@pytest.mark.parametrize(
    ("setting", "constraints", "report", "key"),
    [
        ("measurements", {"measurements": Ignored.UNSAFE_IGNORED}, {"measurement": b"\x01" * 48}, SigningKey.VCEK),
        ("minimum_tcb", {"minimum_tcb": Ignored.UNSAFE_IGNORED}, {"committed_tcb": bytes(8)}, SigningKey.VCEK),
        ("allow_debug", {"allow_debug": Ignored.UNSAFE_IGNORED}, {"policy": POLICY | GuestPolicy.DEBUG}, SigningKey.VCEK),
        ("allow_migration", {"allow_migration": Ignored.UNSAFE_IGNORED}, {"report_id_ma": bytes(32)}, SigningKey.VCEK),
        ("csp_ids", {"csp_ids": Ignored.UNSAFE_IGNORED, "signing_keys": (VLEK,)}, {}, VLEK),
    ],
)
def test_an_ignored_constraint_accepts_and_shows_as_a_relaxation(
    setting: str, constraints: dict[str, Any], report: dict[str, Any], key: SigningKey
) -> None:
    checks = judge(genuine(key=key, report=report), **constraints)
    assert [item.setting for item in checks.relaxations] == [setting]


def test_what_the_policy_does_not_name_is_listed_as_not_checked() -> None:
    listed = {item.what for item in judge(genuine()).not_checked}
    fields = {"HOST_DATA", "ID_KEY_DIGEST", "AUTHOR_KEY_DIGEST", "FAMILY_ID", "IMAGE_ID", "REPORT_ID", "CHIP_ID"}
    hardening = "POLICY SINGLE_SOCKET, MEM_AES_256_XTS, RAPL_DIS, CIPHERTEXT_HIDING_DRAM, PAGE_SWAP_DISABLE"
    assert listed == fields | {"product", "PLATFORM_INFO", hardening, "LAUNCH_MIT_VECTOR", "CURRENT_MIT_VECTOR"}


def test_dangerous_guests_are_bad_evidence_and_unlisted_values_are_policy() -> None:
    with pytest.raises(EvidenceError):
        judge(genuine(report={"policy": POLICY | GuestPolicy.DEBUG}))
    with pytest.raises(PolicyError):
        judge(genuine(), measurements=(b"\x01" * 48,))
