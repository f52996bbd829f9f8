"""Is a DCAP quote genuine, and what does Intel say of its platform's TCB? Shared by SGX, TDX and Azure's TDX.

1. Read the quote: `quote.parse_quote`.
2. PCK chain: from certification data 5, or beside the quote; to the pinned root: `endorsed`, `chain.pck_chain`, `pck.decode`.
3. Revocation: the root's list for the CAs and signers, the PCK CA's list for the leaf: `endorsed`.
4. The QE report is signed by the PCK key, and vouches for the attestation key: `_qe`.
5. The body is signed by the attestation key: `_body`.
6. TCB info and QE identity: signers, signatures over the exact bytes: `endorsed`.
7. They are about this platform and this quoting enclave: `_about`.
8. Windows of certificates, lists and collateral at `now`: `_windows`.
9. The TCB status: `tcb.evaluate`.

Steps 2, 3 and 6 come first. Where no TCB collateral is given and revocation is not required, the quote can be genuine with an
unknown TCB: `tcb_status` is then None, which no default constraints accept. Left to others: what stands in the body, and which
statuses are good enough.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime

from confide.attest import x509
from confide.attest.checks import Checks
from confide.attest.dcap.collateral import Identity, Signed
from confide.attest.dcap.endorsed import Collateral, Endorsed, endorsed
from confide.attest.dcap.pck import Pck
from confide.attest.dcap.quote import Quote, TeeType, parse_quote
from confide.attest.dcap.report import EnclaveReport
from confide.attest.dcap.signatures import certified, signed_by_point
from confide.attest.dcap.tcb import Evaluation, TdxTcb, evaluate
from confide.attest.evidence import Endorsements, Evidence, Root, Roots
from confide.attest.revocation import check_list_windows, expiry
from confide.attest.x509 import Certificate, Revocation
from confide.codes import Code
from confide.errors import CollateralError, EvidenceError
from confide.formats.fields import format_time


@dataclass(frozen=True)
class DcapQuote:
    """A quote that Intel's chain proves.

    Attributes:
        quote: its parts; `quote.body` is what the TEE's own layout reads.
        tcb: None where no TCB collateral was given and none was required.
        evaluation_number: `tcbEvaluationDataNumber`, the lower one of TCB info and QE identity.
        not_before, not_after: the intersection of the windows of everything used; UTC.
    """

    quote: Quote = field(repr=False)
    pck: Pck
    qe: EnclaveReport = field(repr=False)
    root: Root
    tcb: Evaluation | None
    evaluation_number: int | None
    not_before: datetime
    not_after: datetime

    @property
    def tcb_status(self) -> str | None:
        """Intel's word."""
        return None if self.tcb is None else self.tcb.status.value

    @property
    def advisories(self) -> tuple[str, ...]:
        """Intel's advisory identifiers of the levels that were matched."""
        return () if self.tcb is None else self.tcb.advisories

    @property
    def platform_id(self) -> str:
        """The platform instance id, or PPID where the certificate has none, in hex."""
        return (self.pck.platform_instance_id or self.pck.ppid).hex()


def read_quote(data: bytes, *, tee: TeeType, checks: Checks) -> Quote:
    """Step 1 alone, for callers that need the body before the chain."""
    return parse_quote(data, tee=tee, checks=checks)


def quote_bytes(evidence: Evidence, role: str = "quote") -> bytes:
    """The quote among the evidence; `evidence.missing` without one."""
    found = evidence.items.get(role)
    if found is None:
        raise EvidenceError(Code.EVIDENCE_MISSING, found=", ".join(sorted(evidence.items)) or "nothing", wanted=role)
    return found


def authenticate_quote(
    quote: Quote,
    endorsements: Endorsements,
    *,
    tdx: TdxTcb | None,
    roots: Roots,
    now: datetime,
    revocation: Revocation,
    checks: Checks,
) -> DcapQuote:
    """Steps 2 to 9. `tdx`: what of the TD's report decides its TCB; None for an enclave.

    Raises:
        EvidenceError: `dcap.*`, `x509.*`: not genuine.
        CollateralError: certificates, lists or TCB data are missing, malformed, stale or about something else.
    """
    x509.require_clock(now)
    found = endorsed(quote, endorsements, roots=roots, required=revocation.required, checks=checks)
    collateral, pck = found.collateral, found.pck
    qe = _qe(quote, found.chain.leaf, checks)
    _body(quote, checks)
    if collateral is not None:
        _about(collateral, pck, qe, checks)
    _windows(found, now=now, revocation=revocation, checks=checks)
    tcb = None if collateral is None else evaluate(collateral.info, pck, qe.isv_svn, collateral.identity, tdx=tdx)
    checks.conclude()
    starts, ends = _bounds(found, revocation)
    number = None if collateral is None else collateral.evaluation_number
    return DcapQuote(quote, pck, qe, found.chain.root, tcb, number, max(starts), min(ends))


# --- 4, 5: signatures of the quote ------------------------------------------------------------------------------------------------


def _qe(quote: Quote, leaf: Certificate, checks: Checks) -> EnclaveReport:
    """Step 4 (QuoteLibReference section "Quote verification"): PCK key over the QE report; REPORTDATA over key and auth data."""
    good = certified(leaf, quote.qe_report_signature, quote.qe_report)
    checks.require(
        good, Code.DCAP_QE_SIGNATURE, "QE report signature", found=x509.told(good), wanted="one by the PCK certificate's key"
    )
    qe = EnclaveReport.parse(quote.qe_report)
    wanted = hashlib.sha256(quote.attestation_key + quote.qe_auth_data).digest() + bytes(32)
    checks.require(
        hmac.compare_digest(qe.report_data, wanted),
        Code.DCAP_QE_REPORT_DATA,
        "QE REPORTDATA",
        found=qe.report_data.hex(),
        wanted=f"SHA-256 of attestation key and authentication data: {wanted.hex()}",
    )
    return qe


def _body(quote: Quote, checks: Checks) -> None:
    """Step 5."""
    good = signed_by_point(quote.attestation_key, quote.signature, quote.signed)
    checks.require(good, Code.DCAP_SIGNATURE, "quote signature", found=x509.told(good), wanted="one by the attestation key")


# --- 7: what the collateral is about ----------------------------------------------------------------------------------------------


def _about(collateral: Collateral, pck: Pck, qe: EnclaveReport, checks: Checks) -> None:
    """Step 7: FMSPC and PCE-ID; the QE's identity under its masks (PCS API, "Enclave Identity"); the QE itself is no debug
    enclave."""
    info, identity = collateral.info, collateral.identity
    pairs = (
        (Code.DCAP_FMSPC, "FMSPC", info.fmspc, pck.fmspc),
        (Code.DCAP_PCE_ID, "PCE-ID", info.pce_id, pck.pce_id),
    )
    for code, title, found, wanted in pairs:
        checks.require(
            found == wanted, code, f"{title} of the TCB info", found=found.hex(), wanted=wanted.hex(), error=CollateralError
        )
    for title, ok, shown, expected in _identity_checks(identity, qe):
        checks.require(ok, Code.DCAP_QE_IDENTITY, f"QE {title}", found=shown, wanted=expected)


def _identity_checks(identity: Identity, qe: EnclaveReport) -> list[tuple[str, bool, str, str]]:
    misc, misc_wanted = qe.misc_select & identity.misc_select_mask, identity.misc_select & identity.misc_select_mask
    mask = int.from_bytes(identity.attributes_mask)
    attributes, attributes_wanted = int.from_bytes(qe.attributes) & mask, int.from_bytes(identity.attributes) & mask
    return [
        ("MRSIGNER", qe.mr_signer == identity.mr_signer, qe.mr_signer.hex(), identity.mr_signer.hex()),
        ("ISVPRODID", qe.isv_prod_id == identity.isv_prod_id, str(qe.isv_prod_id), str(identity.isv_prod_id)),
        ("MISCSELECT", misc == misc_wanted, f"{misc:#x} under its mask", f"{misc_wanted:#x}"),
        ("ATTRIBUTES", attributes == attributes_wanted, f"{attributes:032x} under the mask", f"{attributes_wanted:032x}"),
        ("DEBUG", not qe.debug, str(int(qe.debug)), "0"),
    ]


# --- 8: windows -------------------------------------------------------------------------------------------------------------------


def _windows(found: Endorsed, *, now: datetime, revocation: Revocation, checks: Checks) -> None:
    chain, collateral = found.chain, found.collateral
    for title, certificate in (*chain.named, *(() if collateral is None else collateral.signers)):
        x509.check_window(certificate, now=now, title=title, checks=checks)
    check_list_windows(found.lists.root, issuer=chain.anchor, now=now, revocation=revocation, checks=checks)
    check_list_windows(found.lists.pck, issuer=chain.intermediate, now=now, revocation=revocation, checks=checks)
    if collateral is None:
        return
    for title, signed in (("TCB info", collateral.info), ("QE identity", collateral.identity)):
        _window(signed, title, now, revocation, checks)


def _window(signed: Signed, title: str, now: datetime, revocation: Revocation, checks: Checks) -> None:
    """PCS API: from issueDate to nextUpdate, both of which belong to it, as in Intel's own library; and a grace that was asked."""
    found, end = format_time(now), revocation.extended(signed.next_update)
    checks.require(
        now >= signed.issue_date,
        Code.DCAP_COLLATERAL_EARLY,
        f"{title} issueDate",
        found=found,
        wanted=f"from {format_time(signed.issue_date)}",
        error=CollateralError,
    )
    checks.require(
        now <= end,
        Code.DCAP_COLLATERAL_EXPIRED,
        f"{title} nextUpdate",
        found=found,
        wanted=f"until {format_time(end)}",
        error=CollateralError,
    )
    if signed.next_update < now <= end:
        checks.relax("collateral_grace", f"{title} ended at {format_time(signed.next_update)} and is used for a while")


def _bounds(found: Endorsed, revocation: Revocation) -> tuple[list[datetime], list[datetime]]:
    """Where each window begins and ends."""
    certificates = [certificate for _, certificate in found.chain.named]
    starts, ends = [], []
    if found.collateral is not None:
        info, identity = found.collateral.info, found.collateral.identity
        certificates += [certificate for _, certificate in found.collateral.signers]
        starts += [info.issue_date, identity.issue_date]
        ends += [revocation.extended(signed.next_update) for signed in (info, identity)]
    used = (*found.lists.root, *found.lists.pck)
    starts += [each.not_valid_before_utc for each in certificates] + [crl.last_update_utc for crl in used]
    ends += [each.not_valid_after_utc for each in certificates] + [expiry(crl, revocation) for crl in used]
    return starts, ends
