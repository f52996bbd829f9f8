"""Claims of a false TD, as the verifier would make them, and validation with strict arguments."""

from datetime import UTC, datetime
from typing import Any

from confide.attest.checks import Checks
from confide.attest.constraints import Ignored
from confide.attest.dcap.pck import Pck, SgxType
from confide.attest.dcap.tcb import Evaluation, TcbStatus
from confide.attest.evidence import Kind
from confide.attest.tdx.claims import Events, TdxClaims
from confide.attest.tdx.layout import RTMRS, parse_body
from confide.attest.tdx.validate import TdxConstraints, validate
from confide_sim import td

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MR_TD = b"\x7d" * 48
PLATFORM = bytes(range(16))
FMSPC = bytes.fromhex("00806f050000")
SKIP = Ignored.UNSAFE_IGNORED
NO_EVENTS: tuple[Events | None, ...] = (None,) * RTMRS


def claims(
    *,
    size: int = td.TD_10,
    status: TcbStatus | None = TcbStatus.UP_TO_DATE,
    advisories: tuple[str, ...] = (),
    number: int | None = 17,
    events: tuple[Events | None, ...] = NO_EVENTS,
    **fields: Any,
) -> TdxClaims:
    """What is known of a TD whose report has these fields."""
    report = parse_body(td.body(fields, size))
    return TdxClaims(
        kind=Kind.TDX,
        simulated=True,
        measurements=(("mr_td", report.mr_td), *((f"rtmr{index}", value) for index, value in enumerate(report.rtmrs))),
        report_data=report.report_data,
        platform_id=PLATFORM.hex(),
        tcb_status=None if status is None else status.value,
        advisories=advisories,
        not_before=NOW,
        not_after=NOW,
        pck=pck(),
        tcb=None if status is None else Evaluation(status, advisories, status, None, TcbStatus.UP_TO_DATE),
        tcb_evaluation_number=number,
        quote_version=4 if size == td.TD_10 else 5,
        report=report,
        event_log_replayed=events != NO_EVENTS,
        events=events,
    )


def pck(**fields: Any) -> Pck:
    """What Intel would certify about the platform."""
    usual: dict[str, Any] = {
        "ppid": bytes(16),
        "components": (5,) * 16,
        "pce_svn": 13,
        "cpu_svn": b"\x05" * 16,
        "pce_id": bytes(2),
        "fmspc": FMSPC,
        "sgx_type": SgxType.SCALABLE,
        "platform_instance_id": PLATFORM,
        "dynamic_platform": True,
        "cached_keys": True,
        "smt_enabled": True,
    }
    return Pck(**{**usual, **fields})


def strict(**constraints: Any) -> TdxConstraints:
    """Constraints that the false TD satisfies, without anything ignored."""
    return TdxConstraints(**{"mr_tds": (MR_TD,), **constraints})


def judge(found: TdxClaims, *, checks: Checks | None = None, **constraints: Any) -> Checks:
    """Validate; the record that was kept."""
    record = checks or Checks()
    validate(found, strict(**constraints), checks=record)
    return record
