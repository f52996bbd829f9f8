"""Recorded quotes with their event logs, whole and edited: nothing signs a log, so each lie in it must be found by the replay."""

import gzip
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from conformance.kinds import intel, tdlogs, tdx
from conformance.kinds.case import Case, File, RefusedInputError, UnknownDialectError
from conformance.recorded import main
from tests.support import need_recorded_vectors, refused

from confide.attest import verifiers
from confide.attest.checks import Checks
from confide.attest.constraints import Ignored
from confide.attest.eventlog import Algorithm, parse_event_log
from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.attest.roots import VENDOR_ROOTS
from confide.attest.tdx.claims import TdxClaims
from confide.attest.tdx.validate import TdxConstraints, validate
from confide.attest.x509 import Revocation
from confide.codes import Code
from confide_sim import td, tpm_structures

AT = datetime.fromisoformat("2025-02-24T16:56:01+00:00")
SKIP = Ignored.UNSAFE_IGNORED


def cos() -> Path:
    return need_recorded_vectors() / "tdx" / "gotdx-cos113-ccel"


def log() -> bytes:
    return gzip.decompress((cos() / "ccel_data.dat.gz").read_bytes())


def genuine(checks: Checks | None = None, **items: bytes | None) -> TdxClaims:
    """The machine with Container-Optimized OS; `event_log` and `ccel_table` replace what was recorded, or None leaves it out."""
    given: dict[str, bytes | None] = {
        "quote": (cos() / "quote.bin").read_bytes(),
        "event-log": log(),
        "ccel-table": (cos() / "ccel_table.dat").read_bytes(),
        **{name.replace("_", "-"): value for name, value in items.items()},
    }
    found = verifiers.authenticate(
        Evidence(Kind.TDX, {role: value for role, value in given.items() if value is not None}),
        Endorsements(intel.unwrap_collateral((cos() / "collateral-20250224.json").read_bytes())),
        roots=VENDOR_ROOTS,
        now=AT,
        revocation=Revocation(),
        checks=checks or Checks(),
    )
    assert isinstance(found, TdxClaims)
    return found


def events() -> list[dict[str, Any]]:
    """The recorded log in a form that is easily edited; made into a log again by the harness."""
    return [
        {
            "imr": event.register - 1,
            "event_type": event.kind,
            "digest": event.digests[Algorithm.SHA384].hex(),
            "event_payload": event.data.hex(),
        }
        for event in parse_event_log(log()).events[1:]
    ]


def test_all_recorded_cases_are_judged_right(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(need_recorded_vectors()), "--kind", "tdx", "--json"]) == 0
    totals = json.loads(capsys.readouterr().out.splitlines()[-1])["totals"]["tdx"]
    assert (totals["wrong"], totals["wrong_accepts"], totals["unsupported"]) == (0, 0, 0)


def test_a_recorded_log_leads_to_the_registers() -> None:
    checks = Checks()
    claims = genuine(checks)
    assert claims.event_log_replayed
    assert [len(each or ()) for each in claims.events] == [16, 7, 20, 0]
    assert claims.measurements[1] == ("rtmr0", claims.report.rtmrs[0])
    assert not [item for item in checks.not_checked if "event" in item.what]


def test_without_a_log_the_registers_stand_for_themselves() -> None:
    checks = Checks()
    claims = genuine(checks, event_log=None)
    assert (claims.event_log_replayed, claims.events) == (False, (None,) * 4)
    assert "event log" in {item.what for item in checks.not_checked}


def test_a_log_without_a_table_counts() -> None:
    assert genuine(ccel_table=None).event_log_replayed


def test_what_was_measured_can_be_required() -> None:
    claims = genuine()
    known = tuple(tuple(each or ()) for each in claims.events)
    checks = Checks()
    validate(claims, TdxConstraints(mr_tds=(claims.report.mr_td,), rtmr_events=known), checks=checks)
    assert not [item for item in checks.not_checked if item.what.startswith("RTMR")]
    for index in range(3):
        others = tuple(digest for digest in known[index] if digest != known[index][0])
        less = (*known[:index], others, *known[index + 1 :])
        with refused(Code.TDX_EVENT):
            validate(claims, TdxConstraints(mr_tds=SKIP, rtmr_events=less), checks=Checks())
    with refused(Code.TDX_SECURE_BOOT):  # this machine was started without it
        validate(claims, TdxConstraints(mr_tds=SKIP, secure_boot=True), checks=Checks())


def edited(index: int, **members: Any) -> list[dict[str, Any]]:
    found = events()
    return [{**found[index], **members} if at == index else each for at, each in enumerate(found)]


EDITS: dict[str, Any] = {
    "an event left out": lambda: events()[:-1],
    "an event more": lambda: [*events(), events()[-1]],
    "two events in another order": lambda: [*events()[1::-1], *events()[2:]],
    "a digest": lambda: edited(3, digest="00" * 48),
    "an event in another register": lambda: edited(3, imr=1),
    "an event of MRTD, which nothing extends": lambda: [*events(), {**events()[0], "imr": -1}],
    "an event of a register that TDX lacks": lambda: [*events(), {**events()[0], "imr": 4}],
    "an event of a register that is zero": lambda: [*events(), {**events()[0], "imr": 3}],
    "no event of RTMR0": lambda: [each for each in events() if each["imr"] != 0],
    "no event of RTMR2": lambda: [each for each in events() if each["imr"] != 2],
    "no event at all": list,
    "an event said to extend nothing": lambda: edited(4, event_type=3),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_an_edited_log_does_not_lead_there(edit: Any) -> None:
    with refused(Code.TDX_EVENT_LOG):
        genuine(event_log=tdlogs.from_events(edit()))


def test_what_an_event_says_of_itself_is_not_bound_and_changes_nothing() -> None:
    plain, renamed = genuine(), genuine(event_log=tdlogs.from_events(edited(30, event_payload=b"other".hex(), event_type=13)))
    assert renamed.events == plain.events


def test_an_explanation_goes_on_after_a_register_that_does_not_fit() -> None:
    checks = Checks(strict=False)
    with refused(Code.TDX_EVENT_LOG):
        genuine(checks, event_log=tdlogs.from_events(edited(3, digest="00" * 48)))
    assert [check.ok for check in checks.done if check.title.startswith("replay")] == [False, True, True, True]


def test_a_log_that_is_none_and_a_table_that_is_none_are_refused() -> None:
    with refused(Code.EVENTLOG_MALFORMED):
        genuine(event_log=log()[32:])
    with refused(Code.EVENTLOG_CCEL):
        genuine(ccel_table=td.ccel_table(cc_type=1))
    with refused(Code.EVENTLOG_ALGORITHM):  # a TPM's log, whose banks are others
        genuine(event_log=tpm_structures.event_log(td.boot_events(), (0x000B,)))


def test_a_runtime_that_keeps_its_own_log_leaves_rtmr3_unexplained() -> None:
    folder = need_recorded_vectors() / "tdx" / "dstack-quote-report"
    told = json.loads((folder / "quote-report.json").read_bytes())
    firmware = [each for each in json.loads(told["event_log"]) if each["imr"] < 3]
    checks = Checks()
    parts = tdx.sort([File("quote", "", (folder / "quote.bin").read_bytes()), File("event-log", "", json.dumps(firmware).encode())])
    claims = verifiers.authenticate(
        Evidence(Kind.TDX, parts.evidence),
        Endorsements(intel.unwrap_collateral((folder / "collateral-20260112.json").read_bytes())),
        roots=VENDOR_ROOTS,
        now=datetime.fromisoformat("2026-01-12T15:57:37+00:00"),
        revocation=Revocation(),
        checks=checks,
    )
    assert isinstance(claims, TdxClaims)
    assert claims.events[3] is None
    assert "events of RTMR3" in {item.what for item in checks.not_checked}


# --- the harness ------------------------------------------------------------------------------------------------------------------

CONTAINERS = [
    ("dstack-quote-report", "quote-report.json", "attestation-json"),
    ("dstack-guest-agent", "attestation.bin", "container"),
    ("oak-tdx_oc", "tdx_oc_evidence.binarypb", "attestation-protobuf"),
]


@pytest.mark.parametrize(("name", "file", "role"), CONTAINERS, ids=[row[0] for row in CONTAINERS])
def test_quotes_are_found_in_the_containers_of_other_projects(name: str, file: str, role: str) -> None:
    folder = need_recorded_vectors() / "tdx" / name
    found = tdx.sort([File(role, file, (folder / file).read_bytes())]).evidence["quote"]
    assert found == (folder / "quote.bin").read_bytes()


def test_a_quote_inside_another_message_is_cut_out_and_one_with_bytes_behind_it_is_left() -> None:
    quote = (cos() / "quote.bin").read_bytes()
    assert tdx.sort([File("quote", "", b"\x01" * 24 + quote)]).evidence["quote"] == quote
    assert tdx.sort([File("quote", "", quote + b"more")]).evidence["quote"] == quote + b"more"
    assert tdx.sort([File("quote", "", quote.hex().encode())]).evidence["quote"] == quote


def test_a_container_without_a_quote_is_a_gap_and_not_a_verdict() -> None:
    for data in (b"{}", b"nothing", b"[" * 100_000):
        with pytest.raises(UnknownDialectError):
            tdx.sort([File("attestation-json", "", data)])


def case(**inputs: Any) -> Case:
    return Case("x", "tdx", Evidence(Kind.TDX, {}), Endorsements(), AT, None, inputs)


def test_policy_inputs_are_enforced() -> None:
    claims = genuine()
    values = [value.hex() for value in claims.report.rtmrs]
    good: dict[str, Any] = {
        "expected_mrtd": claims.report.mr_td.hex(),
        "rtmr": values,
        "expected_rtmr1": values[1],
        "xfam": "e700060000000000",
        "td_attributes": "0x10000000",
        "tee_type": "0x81",
        "debug": False,
        "advisory_ids": [],
    }
    for name, value in good.items():
        tdx.judge(claims, case(**{name: value}), Checks())
    wrong = {"expected_mrtd": "00" * 48, "rtmr": values[::-1], "xfam": "00", "debug": True, "unknown": 1, "advisory_ids": ["x"]}
    for name, value in wrong.items():
        with pytest.raises(RefusedInputError):
            tdx.judge(claims, case(**{name: value}), Checks())
