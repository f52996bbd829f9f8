"""Is a TDX quote genuine? The chain and the TCB are DCAP's (`attest.dcap.verify`); the body is a TD's report.

1. Read the quote, and the TD's report in it: `dcap.read_quote`, `layout.parse_body`.
2. Chain, revocation, signatures, TCB collateral and TCB status: `dcap.authenticate_quote`.
3. The CCEL table, where it came, is one of TDX: `eventlog.parse_ccel`.
4. The event log, where it came, leads to RTMR0 to RTMR3: `replay_registers`.

A log that does not lead there refuses: nothing in it could be believed. RTMR3 is not the firmware's to extend, so a log may be
silent about it; about the others it may be only where they are zero. Without a log the registers stand for themselves. Left to
others: what the TD is (`validate`), REPORTDATA (`binding`).
"""

from datetime import datetime

from confide.attest import eventlog
from confide.attest.checks import Checks
from confide.attest.dcap import verify as dcap
from confide.attest.dcap.quote import TeeType
from confide.attest.dcap.tcb import TdxTcb
from confide.attest.dcap.verify import DcapQuote
from confide.attest.eventlog import Algorithm, EventLog
from confide.attest.evidence import Endorsements, Evidence, Kind, Roots
from confide.attest.tdx.claims import Events, TdxClaims
from confide.attest.tdx.layout import RTMRS, TdReport, parse_body
from confide.attest.x509 import Revocation
from confide.codes import Code

FIRST = 1  # CC measurement register of RTMR0; register 0 is MRTD, which nothing extends (UEFI 2.10 section 38.4.1, table 38.4)
RUNTIME = 3  # RTMR3, "special usage" (Intel TDX Virtual Firmware Design Guide, section 8.1, table "Measurement registers")
NOTHING: tuple[Events | None, ...] = (None,) * RTMRS


def authenticate(
    evidence: Evidence, endorsements: Endorsements, *, roots: Roots, now: datetime, revocation: Revocation, checks: Checks
) -> TdxClaims:
    """Verify `evidence["quote"]` (version 4 or 5) against Intel's chain at `now`, and `event-log` with `ccel-table` where they
    came.

    Endorsement roles: as `sgx.verify.authenticate`.

    Raises:
        EvidenceError: not genuine, or the event log does not lead to the registers.
        CollateralError: Intel's certificates, lists or TCB data are missing, malformed, stale or about something else.
    """
    proven, report = authenticate_td(
        dcap.quote_bytes(evidence), endorsements, roots=roots, now=now, revocation=revocation, checks=checks
    )
    if "ccel-table" in evidence.items:
        eventlog.parse_ccel(evidence.items["ccel-table"])  # step 3
    events = replay_registers(evidence.items.get("event-log"), report, checks)
    checks.conclude()
    return claims_of(proven, report, kind=Kind.TDX, replayed=events != NOTHING, events=events)


def authenticate_td(
    data: bytes, endorsements: Endorsements, *, roots: Roots, now: datetime, revocation: Revocation, checks: Checks
) -> tuple[DcapQuote, TdReport]:
    """Steps 1 and 2, a TD quote by itself: also the hardware half of Azure's evidence."""
    quote = dcap.read_quote(data, tee=TeeType.TDX, checks=checks)
    report = parse_body(quote.body)
    tcb = TdxTcb(report.tee_tcb_svn, report.tee_tcb_svn2, report.mr_signer_seam, report.seam_attributes)
    proven = dcap.authenticate_quote(quote, endorsements, tdx=tcb, roots=roots, now=now, revocation=revocation, checks=checks)
    return proven, report


def claims_of(
    proven: DcapQuote, report: TdReport, *, kind: Kind, replayed: bool, events: tuple[Events | None, ...] = NOTHING
) -> TdxClaims:
    """A proven quote as claims."""
    registers = tuple((f"rtmr{index}", value) for index, value in enumerate(report.rtmrs))
    return TdxClaims(
        kind=kind,
        simulated=proven.root.simulated,
        measurements=(("mr_td", report.mr_td), *registers),
        report_data=report.report_data,
        platform_id=proven.platform_id,
        tcb_status=proven.tcb_status,
        advisories=proven.advisories,
        not_before=proven.not_before,
        not_after=proven.not_after,
        pck=proven.pck,
        tcb=proven.tcb,
        tcb_evaluation_number=proven.evaluation_number,
        quote_version=proven.quote.version,
        report=report,
        event_log_replayed=replayed,
        events=events,
    )


def replay_registers(data: bytes | None, report: TdReport, checks: Checks) -> tuple[Events | None, ...]:
    """Step 4: CC measurement registers 1 to 4 are RTMR0 to RTMR3; an event of any other register leads to nothing signed."""
    if data is None:
        checks.skip("event log", "none was given: the registers are compared, not what led to them")
        return NOTHING
    log = eventlog.parse_event_log(data)
    found = eventlog.replay(log, Algorithm.SHA384)
    foreign = sorted(register for register in found if not FIRST <= register < FIRST + RTMRS)
    checks.require(
        not foreign,
        Code.TDX_EVENT_LOG,
        "registers of the event log",
        found=", ".join(map(str, foreign)) or "1 to 4",
        wanted="measurement registers 1 to 4",
    )
    return tuple(_covered(log, found.get(index + FIRST), index, report, checks) for index in range(RTMRS))


def _covered(log: EventLog, replayed: bytes | None, index: int, report: TdReport, checks: Checks) -> Events | None:
    """The digests that led to one register, once they do."""
    register = report.rtmrs[index]
    if replayed is None and any(register) and index == RUNTIME:
        checks.skip(f"events of RTMR{index}", "the log has none: firmware does not extend it")
        return None
    shown = bytes(len(register)) if replayed is None else replayed
    checks.require(shown == register, Code.TDX_EVENT_LOG, f"replay of RTMR{index}", found=shown.hex(), wanted=register.hex())
    return tuple(event.digests[Algorithm.SHA384] for event in log.extended(index + FIRST))
