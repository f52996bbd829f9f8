"""Azure machines on SEV-SNP: three signatures that hang together. In each case one part lies, and the complaint is exact."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.attest.azure.world import DAY, EXTRA, MEASUREMENT, NOW, ROOTS, SKIP, genuine, judge, strict, vm
from tests.support import refused

from confide.attest.azure.hcl import ReportType, parse_hcl_report, report_type_of
from confide.attest.azure.verify import authenticate_snp, authenticate_tdx
from confide.attest.checks import Checks
from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.attest.snp.validate import SnpConstraints
from confide.attest.verifiers import ROOMS
from confide.attest.x509 import Revocation
from confide.codes import Code
from confide_sim import azure, tpm_structures
from confide_sim.azure import FalseVm, jwk, runtime

OTHER = rsa.generate_private_key(65537, 2048)
KEY = vm().key
SHORT = 1024  # bits, fewer than any key may have


def edited(text: str, other: str) -> Any:
    """The HCL report with a piece of its runtime data changed after the hardware signed it."""
    return lambda file: file.replace(text.encode(), other.encode())


# --- what is right ---


def test_a_machine_is_genuine_and_carries_what_hardware_and_tpm_say() -> None:
    claims = genuine()
    assert (claims.kind, claims.simulated, claims.report_data) == (Kind.AZ_SNP_VTPM, True, EXTRA)
    assert claims.measurements[0] == ("measurement", MEASUREMENT)
    assert claims.measurements[5] == ("pcr4", claims.pcrs[4])
    assert claims.platform_id == vm().chip.chip_id.hex()
    assert (claims.hcl.version, claims.hcl.hash_name) == (2, "sha256")
    assert claims.hcl.configuration["secure-boot"] is True
    assert claims.snp.report.vmpl == 0
    assert claims.event_log_replayed


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_runtime_data_is_covered_by_any_of_three_hashes(kind: int) -> None:
    claims = genuine(hcl={"hash_type": kind})
    assert claims.hcl.covered == claims.snp.report_data


@pytest.mark.parametrize("version", [1, 2])
def test_both_versions_of_the_header_are_read(version: int) -> None:
    assert genuine(hcl={"version": version}).hcl.version == version


def test_paravisors_of_2023_say_encrypt_of_all_keys_and_know_no_user_data() -> None:
    keys = [jwk("HCLAkPub", KEY, key_ops=["encrypt"])]
    assert genuine(data=runtime(KEY, keys=keys, user_data=None)).hcl.said.user_data is None


def test_keys_of_other_types_are_left_out() -> None:
    keys = [{"kid": "HCLTransferKey", "kty": "EC"}, jwk("HCLAkPub", KEY)]
    assert list(genuine(data=runtime(KEY, keys=keys)).hcl.keys) == ["HCLAkPub"]


def test_without_a_quote_nothing_is_bound() -> None:
    checks = Checks()
    claims = genuine(items=dict.fromkeys(("tpm-attest", "tpm-signature", "pcrs", "event-log")), checks=checks)
    assert (claims.attest, claims.report_data, dict(claims.pcrs)) == (None, b"", {})
    assert "vTPM quote" in [item.what for item in checks.not_checked]


# --- one part lies ---

HCL: list[tuple[str, Code, dict[str, Any]]] = [
    ("another signature", Code.AZURE_HCL, {"hcl": {"signature": b"HCLB"}}),
    ("version 3", Code.AZURE_HCL, {"hcl": {"version": 3}}),
    ("version 0", Code.AZURE_HCL, {"hcl": {"version": 0}}),
    ("a failed request", Code.AZURE_HCL, {"hcl": {"status": 1}}),
    ("a TDX report", Code.AZURE_HCL, {"hcl": {"report_type": 4}}),
    ("hash type 0", Code.AZURE_HCL, {"edited": lambda file: file[:0x4CC] + bytes(4) + file[0x4D0:]}),
    ("data version 2", Code.AZURE_HCL, {"hcl": {"data_version": 2}}),
    ("another report size", Code.AZURE_HCL, {"hcl": {"report_size": 0}}),
    ("another data size", Code.AZURE_HCL, {"hcl": {"data_size": 0}}),
    ("no runtime data", Code.AZURE_HCL, {"data": b""}),
    ("runtime data beyond the end", Code.AZURE_HCL, {"hcl": {"length": 4000, "size": 2600}}),
    ("too much runtime data", Code.AZURE_HCL, {"hcl": {"length": 4097, "size": 8000}}),
    ("bytes behind the runtime data", Code.AZURE_HCL, {"edited": lambda file: file[:-1] + b"\x01"}),
    ("a short file", Code.AZURE_HCL, {"edited": lambda file: file[:0x4D3]}),
    ("a long file", Code.AZURE_HCL, {"hcl": {"size": 8193}}),
    ("an edited configuration", Code.AZURE_BINDING, {"edited": edited('"secure-boot":true', '"secure-boot":null')}),
    ("another machine's runtime data", Code.AZURE_BINDING, {"report_data": azure.covered(runtime(OTHER))}),
    ("bytes behind the hash", Code.AZURE_BINDING, {"report_data": azure.covered(runtime(KEY))[:32] + b"\x01" * 32}),
    ("a report that is not AMD's", Code.SNP_SIGNATURE, {"hardware": {"edited": {"measurement": bytes(48)}}}),
    ("a quote by another key", Code.TPM_SIGNATURE, {"key": OTHER}),
    (
        "a quote by the key for encryption",
        Code.TPM_SIGNATURE,
        {"data": runtime(KEY, keys=[jwk("HCLAkPub", OTHER), jwk("HCLEkPub", KEY)])},
    ),
    ("another magic", Code.TPM_MAGIC, {"magic": b"XXXX"}),
    ("a PCR edited", Code.TPM_PCR_DIGEST, {"items": {"pcrs": tpm_structures.pcrs_json(vm().tpm.pcrs() | {4: bytes(32)})}}),
    ("an event log of another boot", Code.TPM_EVENT_LOG, {"items": {"event-log": tpm_structures.event_log(())}}),
    ("a bare signature", Code.TPM_SCHEME, {"items": {"tpm-signature": bytes(256)}}),
    ("no HCL report", Code.EVIDENCE_MISSING, {"items": {"hcl-report": None}}),
    ("no signature", Code.EVIDENCE_MISSING, {"items": {"tpm-signature": None}}),
    ("no PCRs", Code.EVIDENCE_MISSING, {"items": {"pcrs": None}}),
    ("no quote beside PCRs", Code.EVIDENCE_MISSING, {"items": {"tpm-attest": None}}),
]


@pytest.mark.parametrize(("what", "code", "lie"), HCL, ids=[what for what, _, _ in HCL])
def test_evidence_in_which_one_part_lies_is_refused(what: str, code: Code, lie: dict[str, Any]) -> None:
    with refused(code):
        genuine(**lie)


def said(**members: Any) -> bytes:
    """Runtime data with one member replaced."""
    return runtime(KEY, **members)


RUNTIME: list[tuple[str, bytes]] = [
    ("no JSON", b"{"),
    ("a list", b"[]"),
    ("a member twice", said()[:-1] + b',"user-data":"00"}'),
    ("no keys", said(keys=None)),
    ("an empty list of keys", said(keys=[])),
    ("no attestation key", said(keys=[jwk("HCLEkPub", KEY)])),
    ("an attestation key of another type", said(keys=[{"kid": "HCLAkPub", "kty": "EC"}])),
    ("a key twice", said(keys=[jwk("HCLAkPub", KEY), jwk("HCLAkPub", OTHER)])),
    ("nine keys", said(keys=[jwk("HCLAkPub", KEY), *({"kid": str(number), "kty": "EC"} for number in range(8))])),
    ("a name of 65 characters", said(keys=[jwk("HCLAkPub", KEY), {"kid": "k" * 65, "kty": "EC"}])),
    ("a key of 8192 bits", said(keys=[jwk("HCLAkPub", KEY, n="_" * 1365 + "8")])),
    ("a key twice, of two types", said(keys=[jwk("HCLAkPub", KEY), jwk("x", KEY), jwk("x", OTHER)])),
    ("a key without a name", said(keys=[{"kty": "RSA"}])),
    ("a key that is text", said(keys=["HCLAkPub"])),
    ("a modulus that is a number", said(keys=[jwk("HCLAkPub", KEY, n=1)])),
    ("a modulus that is missing", said(keys=[{"kid": "HCLAkPub", "kty": "RSA", "e": "AQAB"}])),
    ("a modulus in another alphabet", said(keys=[jwk("HCLAkPub", KEY, n="!!!!")])),
    ("an exponent of 0", said(keys=[jwk("HCLAkPub", KEY, e="AA")])),
    ("a short key", said(keys=[jwk("HCLAkPub", rsa.generate_private_key(65537, SHORT))])),
    ("a configuration that is a list", said(vm_configuration=[])),
    ("short user data", said(user_data="00" * 63)),
    ("user data that is no hex", said(user_data="xx" * 64)),
    ("user data that is a number", said(user_data=1)),
]


@pytest.mark.parametrize(("what", "data"), RUNTIME, ids=[what for what, _ in RUNTIME])
def test_runtime_data_is_read_strictly(what: str, data: bytes) -> None:
    with refused(Code.AZURE_RUNTIME):
        genuine(data=data)


def test_bytes_behind_the_hardware_report_are_refused() -> None:
    report = azure.hcl_report(bytes(1024), runtime(KEY), report_type=4, behind=b"\x01")
    with refused(Code.AZURE_HCL):
        parse_hcl_report(report, wanted=ReportType.TDX)


def test_parts_of_two_machines_are_refused() -> None:
    other = FalseVm(at=NOW, chip=vm().chip, key=OTHER).items(extra_data=EXTRA)
    for roles in (("hcl-report",), ("tpm-attest", "tpm-signature"), ("hcl-report", "pcrs")):
        with refused(Code.TPM_SIGNATURE):
            genuine(items={role: other[role] for role in roles})


def test_an_expired_endorsement_is_refused() -> None:
    with refused(Code.X509_EXPIRED):
        genuine(endorsements={"vcek": vm().chip.issue(not_after=NOW - DAY)})


def test_snp_evidence_is_no_tdx_evidence() -> None:
    with refused(Code.AZURE_HCL):
        _tdx(vm().items(extra_data=EXTRA))


def test_a_td_report_alone_is_refused() -> None:
    report = azure.hcl_report(bytes(1024), runtime(KEY), report_type=4)
    with refused(Code.AZURE_TDREPORT):
        _tdx({"hcl-report": report})


def _tdx(items: dict[str, bytes]) -> None:
    evidence = Evidence(Kind.AZ_TDX_VTPM, items)
    authenticate_tdx(evidence, Endorsements(), roots=ROOTS, now=NOW, revocation=Revocation(), checks=Checks())


# --- acceptance ---


def test_listed_measurements_and_pcrs_are_accepted_and_the_rest_is_told() -> None:
    record = judge(genuine())
    assert not record.relaxations
    told = {item.what for item in record.not_checked}
    assert {"vmUniqueId", "console-enabled"} <= told
    assert "secure-boot" not in told


def test_a_listed_machine_is_accepted_in_any_case_of_letters() -> None:
    record = judge(genuine(), vm_ids=("00000000-0000-4000-8000-51ed51ed51ed",))
    assert "vmUniqueId" not in {item.what for item in record.not_checked}


CASES: list[tuple[str, Code, dict[str, Any], dict[str, Any]]] = [
    ("another measurement", Code.SNP_MEASUREMENT, {"hardware": {"measurement": bytes(48)}}, {}),
    ("a debug guest", Code.SNP_DEBUG, {"hardware": {"policy": 0xB0000}}, {}),
    ("a report of the guest's own level", Code.SNP_VMPL, {"hardware": {"vmpl": 2}}, {}),
    ("another PCR", Code.TPM_PCR, {}, {"pcrs": {4: (bytes(32),)}}),
    ("no PCR named", Code.TPM_PCR, {}, {"pcrs": {}}),
    ("a bank of SHA-1", Code.TPM_BANK, {"bank": 0x0004, "items": {"event-log": None}}, {"pcrs": SKIP}),
    ("Secure Boot off", Code.AZURE_SECURE_BOOT, {"data": runtime(KEY, configuration={"secure-boot": False})}, {}),
    ("Secure Boot not told", Code.AZURE_SECURE_BOOT, {"data": runtime(KEY, vm_configuration={"tpm-enabled": True})}, {}),
    ("Secure Boot as text", Code.AZURE_SECURE_BOOT, {"data": runtime(KEY, configuration={"secure-boot": "true"})}, {}),
    ("the TPM off", Code.AZURE_SECURE_BOOT, {"data": runtime(KEY, configuration={"tpm-enabled": False})}, {}),
    ("the console on", Code.AZURE_SECURE_BOOT, {}, {"console": False}),
    ("another machine", Code.AZURE_VM_ID, {}, {"vm_ids": ("x",)}),
    ("no quote", Code.AZURE_QUOTE, {"items": dict.fromkeys(("tpm-attest", "tpm-signature", "pcrs", "event-log"))}, {}),
]


@pytest.mark.parametrize(("what", "code", "evidence", "constraints"), CASES, ids=[what for what, _, _, _ in CASES])
def test_what_is_not_acceptable_is_refused(what: str, code: Code, evidence: dict[str, Any], constraints: dict[str, Any]) -> None:
    claims = genuine(**evidence)
    with refused(code):
        judge(claims, **constraints)


def test_secure_boot_may_be_left_open_and_is_told() -> None:
    record = judge(genuine(data=runtime(KEY, configuration={"secure-boot": False})), secure_boot=False)
    assert "secure-boot" in {item.what for item in record.not_checked}


def test_no_quote_is_accepted_by_name_and_told() -> None:
    claims = genuine(items=dict.fromkeys(("tpm-attest", "tpm-signature", "pcrs", "event-log")))
    record = judge(claims, allow_no_quote=SKIP)
    assert [item.setting for item in record.relaxations] == ["allow_no_quote"]


def test_constraints_say_how_many_machines_and_measurements_they_list() -> None:
    claims = genuine()
    assert (strict(claims).platforms, strict(claims).references) == (None, 4)
    assert strict(claims, vm_ids=("a", "b")).platforms == 2
    assert strict(claims, snp=SnpConstraints((MEASUREMENT,), SKIP, chip_ids=(bytes(64),))).platforms == 1
    assert strict(claims, pcrs=SKIP).references is None
    assert strict(claims, snp=SnpConstraints(SKIP, SKIP)).references is None


def test_the_room_of_the_kind_is_this_one() -> None:
    assert ROOMS[Kind.AZ_SNP_VTPM].authenticate == authenticate_snp
    assert json.loads(runtime(KEY))["vm-configuration"]["vmUniqueId"]


@pytest.mark.parametrize("data", [b"", b"HCLA", b"HCLA" + bytes(8189), b"HCLB" + bytes(2596)], ids=["none", "cut", "long", "other"])
def test_what_is_no_hcl_report_names_no_hardware(data: bytes) -> None:
    assert report_type_of(data) is None
    whole = vm().items(extra_data=EXTRA)["hcl-report"]
    assert report_type_of(whole) == ReportType.SNP
