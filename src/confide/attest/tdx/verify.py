"""Is a TDX quote genuine? The chain and the TCB are DCAP's (`attest.dcap.verify`); the body is a TD's report.

An event log beside the quote, in TCG's format (CCEL data), is replayed to RTMR0 to RTMR3: one that does not lead there refuses,
since nothing in it could be believed. Without one the registers stand for themselves. Left to others: what the TD is (`validate`),
REPORTDATA (`binding`).
"""

from datetime import datetime

from confide.attest import eventlog
from confide.attest.checks import Checks
from confide.attest.dcap import verify as dcap
from confide.attest.dcap.quote import TeeType
from confide.attest.dcap.tcb import TdxTcb
from confide.attest.dcap.verify import DcapQuote
from confide.attest.evidence import Endorsements, Evidence, Kind, Roots
from confide.attest.tdx.claims import TdxClaims
from confide.attest.tdx.layout import TdReport, parse_body
from confide.attest.x509 import Revocation
from confide.codes import Code


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
    replayed = _replay(evidence, report, checks)
    return claims_of(proven, report, kind=Kind.TDX, replayed=replayed)


def authenticate_td(
    data: bytes, endorsements: Endorsements, *, roots: Roots, now: datetime, revocation: Revocation, checks: Checks
) -> tuple[DcapQuote, TdReport]:
    """A TD quote by itself: also the hardware half of Azure's evidence."""
    quote = dcap.read_quote(data, tee=TeeType.TDX, checks=checks)
    report = parse_body(quote.body)
    tcb = TdxTcb(report.tee_tcb_svn, report.tee_tcb_svn2, report.mr_signer_seam, report.seam_attributes)
    proven = dcap.authenticate_quote(quote, endorsements, tdx=tcb, roots=roots, now=now, revocation=revocation, checks=checks)
    return proven, report


def claims_of(proven: DcapQuote, report: TdReport, *, kind: Kind, replayed: bool) -> TdxClaims:
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
    )


def _replay(evidence: Evidence, report: TdReport, checks: Checks) -> bool:
    """CCEL measurement registers 1 to 4 are RTMR0 to RTMR3 (UEFI 2.10 section 38.4.1, Intel TDX mapping)."""
    data = evidence.items.get("event-log")
    if data is None:
        checks.skip("event log", "none was given: the registers are compared, not what led to them")
        return False
    if "ccel-table" in evidence.items:
        eventlog.parse_ccel(evidence.items["ccel-table"])
    log = eventlog.parse_event_log(data)
    found = eventlog.replay(log, eventlog.Algorithm.SHA384)
    for index, register in enumerate(report.rtmrs):
        replayed = found.get(index + 1, bytes(48))
        checks.require(
            replayed == register, Code.TDX_EVENT_LOG, f"replay of RTMR{index}", found=replayed.hex(), wanted=register.hex()
        )
    return True
