"""The harness: quotes in the containers of other projects, and policy inputs that are enforced."""

import base64
import dataclasses
import json
import struct
from datetime import UTC, datetime
from typing import Any

import pytest
from conformance.kinds import ADAPTERS, intel, sgx
from conformance.kinds.case import Case, File, UnknownDialectError
from tests.attest.dcap.world import NOW, REPORT_DATA, genuine, platform
from tests.support import need_recorded_vectors

from confide.attest.checks import Checks
from confide.attest.evidence import Endorsements, Evidence
from confide.attest.sgx.claims import SgxClaims
from conformance import recorded

QUOTE = platform().quote(report_data=REPORT_DATA)
HEADER = struct.pack("<IIQ", 1, 2, len(QUOTE))  # Open Enclave's remote report


@pytest.mark.parametrize(
    "data",
    [
        QUOTE,
        QUOTE.hex().encode(),
        b"0x" + QUOTE.hex().upper().encode() + b"\n",
        base64.b64encode(QUOTE),
        base64.urlsafe_b64encode(QUOTE).rstrip(b"="),
        base64.encodebytes(QUOTE),
        HEADER + QUOTE,
        base64.b64encode(HEADER + QUOTE),
        (HEADER + QUOTE).hex().encode(),
    ],
    ids=["plain", "hex", "0x", "base64", "base64url", "base64 in lines", "open enclave", "the same in base64", "the same in hex"],
)
def test_a_quote_is_found_in_each_spelling(data: bytes) -> None:
    assert sgx.sort([File("quote", "quote", data)]).evidence == {"quote": QUOTE}


@pytest.mark.parametrize(
    "data",
    [
        json.dumps({"source": "sgx", "evidence": base64.b64encode(QUOTE).decode()}).encode(),
        json.dumps({"a": [{"quote": list(QUOTE)}]}).encode(),
        b"-- a certificate request --" + QUOTE + b"-- and its end --",
        HEADER + QUOTE,
    ],
    ids=["json", "numbers", "other bytes", "open enclave"],
)
def test_a_quote_is_found_in_each_container(data: bytes) -> None:
    assert sgx.sort([File("container", "file", data)]).evidence == {"quote": QUOTE}


def test_a_container_without_a_quote_is_a_gap() -> None:
    with pytest.raises(UnknownDialectError):
        sgx.sort([File("container", "file", b"nothing")])


def case(**inputs: Any) -> Case:
    return Case("one", "sgx", Evidence("sgx", {"quote": QUOTE}), Endorsements(), NOW, None, inputs)


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("mrenclave", "e1" * 32, "e2" * 32),
        ("isvsvn", 3, 4),
        ("attributes_flags", "0x5", "0x7"),
        ("debug", False, True),
        ("cert_data_type", 5, 6),
        ("tee_type", "0x0", "0x81"),
        ("pck_ca", "platform", "processor"),
        ("pck_serial", hex(platform().serial), "0x1"),
        ("pck_not_before", "2026-05-02T00:00:00+00:00", "2026-05-03T00:00:00+00:00"),
        ("fmspc", "00806F050000", "00806F050001"),
        ("tcb_status", "UpToDate", "OutOfDate"),
        ("unheard_of", None, 1),
    ],
)
def test_each_policy_input_is_enforced(name: str, value: Any, wrong: Any) -> None:
    claims = genuine()
    assert isinstance(claims, SgxClaims)
    if value is not None:
        ADAPTERS["sgx"].judge(claims, case(**{name: value}), Checks())
    with pytest.raises(Exception, match=r"recorded\.policy_input"):
        ADAPTERS["sgx"].judge(claims, case(**{name: wrong}), Checks())


def test_recorded_evidence_has_the_fields_that_its_manifest_lists() -> None:
    folder = need_recorded_vectors()
    manifest = json.loads((folder / "MANIFEST.json").read_text("utf-8"))
    entry = next(each for each in manifest["vectors"] if each["id"] == "sgx--automata-quotev3")
    given = recorded.read_case(folder, entry, entry["judge"][0])
    found = recorded.judge_case(dataclasses.replace(given, policy_inputs=entry["expected"]["fields"]))
    assert found.code == "dcap.tcb_status"  # SWHardeningNeeded is told before any input is looked at
    known = intel.quote_fields(given)
    assert known["pck_ca"] == "platform"
    assert datetime.fromisoformat(known["pck_not_before"]) < datetime.now(UTC)
