"""Azure machines on TDX, with recorded evidence: no false Intel is needed to edit what Intel does not sign."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from conformance.kinds import azure as harness
from conformance.kinds.case import File
from tests.support import need_recorded_vectors, refused

from confide.attest.azure.claims import AzureTdxClaims
from confide.attest.azure.hcl import TD_REPORT_DATA
from confide.attest.azure.validate import AzureTdxConstraints, validate_tdx
from confide.attest.azure.verify import authenticate_tdx
from confide.attest.checks import Checks
from confide.attest.constraints import Ignored
from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.attest.roots import VENDOR_ROOTS
from confide.attest.tdx.validate import TdxConstraints
from confide.attest.verifiers import ROOMS
from confide.attest.x509 import Revocation
from confide.codes import Code

AT = datetime.fromisoformat("2024-06-01T00:00:00+00:00")
SKIP = Ignored.UNSAFE_IGNORED
OPEN = TdxConstraints(mr_tds=SKIP, allow_any_tcb=SKIP, allow_sept_ve=SKIP)
ROLES = {"hcl-report.bin": "hcl-report", "td-quote.bin": "td-quote", "tpm-quote.msg": "tpm-attest"}
ROLES |= {"tpm-quote.sig": "tpm-signature", "pcrs.json": "pcrs"}


def recorded(name: str) -> dict[str, bytes]:
    folder: Path = need_recorded_vectors() / "az-tdx-vtpm" / name
    files = [File(role, file, (folder / file).read_bytes()) for file, role in ROLES.items() if (folder / file).exists()]
    return dict(harness.sort(files).evidence)


def genuine(items: dict[str, bytes], checks: Checks | None = None) -> AzureTdxClaims:
    return authenticate_tdx(
        Evidence(Kind.AZ_TDX_VTPM, items),
        Endorsements(),
        roots=VENDOR_ROOTS,
        now=AT,
        revocation=Revocation(required=False),
        checks=checks or Checks(),
    )


def judge(claims: AzureTdxClaims, **constraints: Any) -> Checks:
    record = Checks()
    validate_tdx(claims, AzureTdxConstraints(**{"pcrs": SKIP, "tdx": OPEN, **constraints}), checks=record)
    return record


def test_a_machine_with_quotes_of_td_and_tpm_is_genuine() -> None:
    claims = genuine(recorded("trustee-evidence-v1"))
    assert (claims.kind, claims.report_data, claims.hcl.version) == (Kind.AZ_TDX_VTPM, b"challenge", 2)
    assert claims.measurements[0] == ("mr_td", claims.tdx.report.mr_td)
    assert claims.tcb_evaluation_number is None  # no collateral came with it
    assert sorted(claims.pcrs) == list(range(24))


def test_without_a_quote_of_the_tpm_nothing_is_bound() -> None:
    claims = genuine(recorded("intel-aztdx-adapter"))
    assert (claims.attest, claims.report_data) == (None, b"")
    with refused(Code.AZURE_QUOTE):
        judge(claims)
    assert "allow_no_quote" in {item.setting for item in judge(claims, allow_no_quote=SKIP).relaxations}


def test_older_tds_need_their_switch_by_name() -> None:
    claims = genuine(recorded("trustee-evidence-v1"))
    with refused(Code.TDX_SEPT_VE):
        judge(claims, tdx=TdxConstraints(mr_tds=SKIP, allow_any_tcb=SKIP))
    assert "allow_sept_ve" in {item.setting for item in judge(claims).relaxations}


def test_constraints_say_how_many_machines_and_measurements_they_list() -> None:
    one = AzureTdxConstraints(pcrs={4: (bytes(32),)}, tdx=TdxConstraints(mr_tds=(bytes(48),), platform_ids=(bytes(16),)))
    assert (one.references, one.platforms) == (2, 1)


def edited(data: bytes, place: int) -> bytes:
    return data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]


LIES: list[tuple[str, Code, str, int]] = [
    ("the runtime data", Code.AZURE_BINDING, "hcl-report", -1),
    ("the TDREPORT's data", Code.AZURE_TDREPORT, "hcl-report", 0x20 + TD_REPORT_DATA.start),
    ("the quote of the TPM", Code.TPM_SIGNATURE, "tpm-attest", 60),
    ("the quote of the TD", Code.DCAP_SIGNATURE, "td-quote", 600),
]


@pytest.mark.parametrize(("what", "code", "role", "place"), LIES, ids=[what for what, _, _, _ in LIES])
def test_evidence_with_one_byte_edited_is_refused(what: str, code: Code, role: str, place: int) -> None:
    items = recorded("trustee-evidence-v1")
    at = items["hcl-report"].index(b"secure-boot") + 3 if place < 0 else place
    with refused(code):
        genuine({**items, role: edited(items[role], at)})


@pytest.mark.parametrize("role", ["hcl-report", "td-quote"])
def test_parts_of_two_machines_are_refused(role: str) -> None:
    items, other = recorded("trustee-evidence-v1"), recorded("intel-aztdx-adapter")
    with refused(Code.AZURE_BINDING):
        genuine({**items, role: other[role]})


def test_a_td_report_alone_is_refused() -> None:
    with refused(Code.AZURE_TDREPORT):
        genuine(recorded("kinvolk-hcl-report-tdx"))


def test_the_room_of_the_kind_is_this_one() -> None:
    assert ROOMS[Kind.AZ_TDX_VTPM].authenticate == authenticate_tdx
