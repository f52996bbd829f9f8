"""Recorded quotes of real clouds: what the manifest tells beside the cases, such as the launcher's challenge, is used here too."""

import gzip
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from conformance.kinds import quotes
from conformance.kinds.case import Case, File, RefusedInputError
from conformance.kinds.tpm import judge, launcher_nonce, launcher_report_data, sort, spki_of
from conformance.recorded import main
from tests.support import need_recorded_vectors, refused

from confide.attest import verifiers
from confide.attest.checks import Checks
from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.attest.roots import TPM_ROOTS, VENDOR_ROOTS
from confide.attest.tpm.claims import TpmClaims
from confide.attest.tpm.platform import Technology
from confide.attest.tpm.quote import parse_attest
from confide.codes import Code

LAUNCHED = {
    "layr-intel-tdx-debug": ("INTEL_TDX", Technology.INTEL_TDX),
    "layr-amd-sev-snp-debug": ("AMD_SEV_SNP", Technology.AMD_SEV_SNP),
    "layr-gcp-shielded-vm-debug": ("GCP_SHIELDED_VM", Technology.NONE),
    "layr-gcp-shielded-vm-hardened": ("GCP_SHIELDED_VM", Technology.NONE),
}


def entry(folder: Path, name: str) -> dict[str, Any]:
    manifest = json.loads((folder / "MANIFEST.json").read_text("utf-8"))
    return next(each for each in manifest["vectors"] if each["id"] == f"tpm--{name}")


def case(folder: Path, name: str, **inputs: Any) -> tuple[Case, dict[str, Any]]:
    one = entry(folder, name)
    judged = one["judge"][0]
    roles = {file["name"]: file["role"] for file in one["files"]}
    parts = sort([File(roles[used], used, (folder / one["path"] / used).read_bytes()) for used in judged["use"]])
    given = Case(
        name=name,
        kind="tpm",
        evidence=Evidence("tpm", parts.evidence),
        endorsements=Endorsements(parts.endorsements),
        as_of=datetime.fromisoformat(judged["as_of"]),
        nonce=bytes.fromhex(one["expected"]["extra_data"]),
        policy_inputs=inputs,
    )
    return given, one["expected"]


def claims_of(given: Case) -> TpmClaims:
    claims = verifiers.authenticate(
        given.evidence,
        given.endorsements,
        roots=VENDOR_ROOTS,
        now=given.as_of,
        revocation=verifiers.Revocation(required=False),
        checks=Checks(),
    )
    assert isinstance(claims, TpmClaims)
    return claims


@pytest.mark.parametrize("kind", [Kind.TPM, Kind.AZ_SNP_VTPM, Kind.AZ_TDX_VTPM])
def test_all_recorded_cases_are_judged_right(kind: Kind, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(need_recorded_vectors()), "--kind", kind.value]) == 0
    assert "'wrong_accepts': 0" in capsys.readouterr().out


@pytest.mark.parametrize("name", LAUNCHED)
def test_quote_and_tee_report_are_bound_to_the_launchers_challenge(name: str) -> None:
    tag, technology = LAUNCHED[name]
    given, expected = case(need_recorded_vectors(), name)
    claims = claims_of(given)
    challenge, extra = bytes.fromhex(expected["challenge"]), bytes.fromhex(expected["extra_data"])
    assert claims.report_data == launcher_nonce(challenge, tag, extra)
    assert claims.report_data != launcher_nonce(challenge, "GCP_SHIELDED_VM" if technology else "INTEL_TDX", extra)  # no downgrade
    assert claims.platform.technology is technology


def test_the_snp_report_beside_a_quote_names_its_attestation_key() -> None:
    given, expected = case(need_recorded_vectors(), "layr-amd-sev-snp-debug")
    challenge, extra = bytes.fromhex(expected["challenge"]), bytes.fromhex(expected["extra_data"])
    wanted = launcher_report_data(challenge, spki_of(given), extra)
    assert wanted in given.evidence.items["tee-report"]
    assert launcher_report_data(challenge, spki_of(given)[:-1] + b"\x00", extra) not in given.evidence.items["tee-report"]


def test_a_case_that_records_the_challenge_has_it_enforced() -> None:
    folder = need_recorded_vectors()
    given, expected = case(folder, "layr-amd-sev-snp-debug")
    right, _ = case(folder, "layr-amd-sev-snp-debug", challenge=expected["challenge"])
    wrong, _ = case(folder, "layr-amd-sev-snp-debug", challenge="00" * 32)
    claims = claims_of(given)
    judge(claims, right, Checks())
    with pytest.raises(RefusedInputError, match=r"recorded\.nonce"):
        judge(claims, wrong, Checks())


def test_the_launchers_extra_data_without_its_challenge_is_told_as_not_checked() -> None:
    given, _ = case(need_recorded_vectors(), "layr-amd-sev-snp-debug")
    checks = Checks()
    judge(claims_of(given), given, checks)
    assert {"extraData", "REPORT_DATA of the TEE"} <= {item.what for item in checks.not_checked}


def test_a_td_quote_out_of_protobuf_is_the_recorded_one() -> None:
    folder = need_recorded_vectors() / "tpm" / "layr-intel-tdx-debug"
    parts = quotes.from_attestation(gzip.decompress((folder / "attestation.pb.gz").read_bytes()))
    assert parts.evidence["tee-quote"] == (folder / "td-quote.bin").read_bytes()


def test_a_machine_of_before_2022_ends_in_googles_older_root_by_the_shipped_intermediate() -> None:
    folder = need_recorded_vectors()
    one = entry(folder, "gotpmtools-cos85-nonce9009")
    parts = sort([File("attestation-protobuf", "a", (folder / one["path"] / "attestation.pb.gz").read_bytes())])
    assert "ak-chain" not in parts.endorsements
    given = Case(
        "",
        "tpm",
        Evidence("tpm", parts.evidence),
        Endorsements(parts.endorsements),
        datetime.fromisoformat(one["judge"][0]["as_of"]),
        None,
        {},
    )
    claims = claims_of(given)
    assert (claims.authority, claims.report_data.hex()) == ("google", "9009")
    assert claims.instance is not None
    assert claims.instance.instance_name == "cos-test"
    later = Case("", "tpm", given.evidence, given.endorsements, datetime.fromisoformat("2060-01-01T00:00:00+00:00"), None, {})
    with refused(Code.X509_EXPIRED):
        claims_of(later)


def test_roots_of_another_cloud_do_not_stand_in() -> None:
    given, _ = case(need_recorded_vectors(), "layr-gcp-shielded-vm-hardened")
    azure = tuple(root for root in TPM_ROOTS if root.name.startswith("Azure"))
    with refused(Code.X509_ROOT):
        verifiers.authenticate(
            given.evidence,
            given.endorsements,
            roots=azure,
            now=given.as_of,
            revocation=verifiers.Revocation(required=False),
            checks=Checks(),
        )


def test_every_recorded_quote_parses() -> None:
    folder = need_recorded_vectors()
    files = [*folder.glob("az-*/*/tpm-quote.msg")]
    assert files
    for path in files:
        assert parse_attest(path.read_bytes()).selection
