"""Operations of vectors/07c-tdx.json: `tdx.parse`, `tdx.replay`, `tdx.validate`, `eventlog.replay`, `eventlog.ccel`.

Bytes are hex; a log is a list of pieces `[hex, times]`, so that long ones stay short. Left to others: signed quotes (07b).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from confide.attest import eventlog
from confide.attest.checks import Checks
from confide.attest.constraints import Ignored
from confide.attest.dcap.pck import Pck, SgxType
from confide.attest.dcap.tcb import Evaluation, TcbStatus
from confide.attest.eventlog import Algorithm
from confide.attest.evidence import Kind
from confide.attest.tdx.claims import TdxClaims
from confide.attest.tdx.layout import RTMRS, History, TdReport, parse_body
from confide.attest.tdx.validate import TdxConstraints, validate
from confide.attest.tdx.verify import replay_registers

BANKS = {"sha1": Algorithm.SHA1, "sha256": Algorithm.SHA256, "sha384": Algorithm.SHA384, "sm3": Algorithm.SM3_256}
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_LISTS = ("mr_tds", "mr_config_ids", "mr_owners", "mr_owner_configs", "mr_seams", "mr_service_tds")
_SKIPS = ("allow_debug", "allow_migration", "allow_sept_ve")
_PLAIN = ("secure_boot", "max_vmid", "allowed_xfam")


def _parse(given: dict[str, Any]) -> dict[str, Any]:
    """The fields, bytes as hex."""
    report = parse_body(bytes.fromhex(given["report"]))
    return {name: _shown(getattr(report, name)) for name in report.__dataclass_fields__}


def _shown(value: Any) -> Any:
    if isinstance(value, History):
        return {name: _shown(getattr(value, name)) for name in value.__dataclass_fields__}
    return value.hex() if isinstance(value, bytes) else [_shown(item) for item in value] if isinstance(value, tuple) else value


def _log(pieces: list[list[Any]]) -> bytes:
    return b"".join(bytes.fromhex(piece) * times for piece, times in pieces)


def _eventlog_replay(given: dict[str, Any]) -> dict[str, Any]:
    """Registers that a log extends, and how many records it has."""
    log = eventlog.parse_event_log(_log(given["log"]))
    found = eventlog.replay(log, BANKS[given["bank"]])
    return {"records": len(log.events), "registers": {str(index): value.hex() for index, value in sorted(found.items())}}


def _ccel(given: dict[str, Any]) -> dict[str, Any]:
    return {"minimum_length": eventlog.parse_ccel(bytes.fromhex(given["table"])).minimum_length}


def _replay(given: dict[str, Any]) -> dict[str, Any]:
    """What led to the registers of a report; None for a register that no log covers."""
    checks = Checks()
    data = None if given["log"] is None else _log(given["log"])
    events = replay_registers(data, parse_body(bytes.fromhex(given["report"])), checks)
    shown = [None if each is None else [digest.hex() for digest in each] for each in events]
    return {"events": shown, "not_checked": [item.what for item in checks.not_checked]}


def _validate(given: dict[str, Any]) -> dict[str, Any]:
    """Constraints against a report that is taken as genuine, on a platform that is up to date."""
    checks = Checks()
    validate(_claims(given), _constraints(given["constraints"]), checks=checks)
    return {
        "not_checked": [item.what for item in checks.not_checked],
        "relaxations": [item.setting for item in checks.relaxations],
    }


def _claims(given: dict[str, Any]) -> TdxClaims:
    report: TdReport = parse_body(bytes.fromhex(given["report"]))
    told = given.get("events") or [None] * RTMRS
    events = tuple(None if each is None else tuple(map(bytes.fromhex, each)) for each in told)
    current = TcbStatus.UP_TO_DATE
    return TdxClaims(
        kind=Kind.TDX,
        simulated=True,
        measurements=(("mr_td", report.mr_td),),
        report_data=report.report_data,
        platform_id=bytes(16).hex(),
        tcb_status=current.value,
        advisories=(),
        not_before=EPOCH,
        not_after=EPOCH,
        pck=Pck(bytes(16), (0,) * 16, 0, bytes(16), bytes(2), bytes(6), SgxType.SCALABLE, None, None, None, None),
        tcb=Evaluation(current, (), current, None, current),
        tcb_evaluation_number=0,
        quote_version=5,
        report=report,
        event_log_replayed=any(each is not None for each in events),
        events=events,
    )


def _constraints(given: dict[str, Any]) -> TdxConstraints:
    known: dict[str, Any] = {name: given[name] for name in _PLAIN if name in given}
    known |= {name: _digests(given[name]) for name in (*_LISTS, *_SKIPS) if name in given}
    known["rtmrs"] = tuple(_digests(given.get(f"rtmr{index}")) for index in range(RTMRS))
    known["rtmr_events"] = tuple(_digests(given.get(f"rtmr{index}_events")) for index in range(RTMRS))
    if "minimum_tee_tcb_svn" in given:
        known["minimum_tee_tcb_svn"] = bytes.fromhex(given["minimum_tee_tcb_svn"])
    return TdxConstraints(**known)


def _digests(value: Any) -> Any:
    if value is None:
        return None
    return Ignored(value) if isinstance(value, str) else tuple(map(bytes.fromhex, value))


OPS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "tdx.parse": _parse,
    "tdx.replay": _replay,
    "tdx.validate": _validate,
    "eventlog.replay": _eventlog_replay,
    "eventlog.ccel": _ccel,
}
