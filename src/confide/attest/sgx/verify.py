"""Is an SGX quote genuine? Everything is DCAP's (`attest.dcap.verify`); the body is the enclave's REPORT.

Left to others: what the enclave is (`validate`), REPORTDATA (`binding`).
"""

from datetime import datetime

from confide.attest.checks import Checks
from confide.attest.dcap import verify as dcap
from confide.attest.dcap.quote import TeeType
from confide.attest.dcap.report import EnclaveReport
from confide.attest.evidence import Endorsements, Evidence, Kind, Roots
from confide.attest.sgx.claims import SgxClaims
from confide.attest.x509 import Revocation


def authenticate(
    evidence: Evidence, endorsements: Endorsements, *, roots: Roots, now: datetime, revocation: Revocation, checks: Checks
) -> SgxClaims:
    """Verify `evidence["quote"]` (version 3, or 4 and 5 with an enclave's body) against Intel's chain at `now`.

    Endorsement roles: `tcb-info`, `tcb-info-chain`, `qe-identity`, `qe-identity-chain`, `pck-crl`, `root-crl`; `pck-chain` where
    the quote does not carry its own.

    Raises:
        EvidenceError: not genuine.
        CollateralError: Intel's certificates, lists or TCB data are missing, malformed, stale or about something else.
    """
    quote = dcap.read_quote(dcap.quote_bytes(evidence), tee=TeeType.SGX, checks=checks)
    proven = dcap.authenticate_quote(quote, endorsements, tdx=None, roots=roots, now=now, revocation=revocation, checks=checks)
    enclave = EnclaveReport.parse(quote.body)
    return SgxClaims(
        kind=Kind.SGX,
        simulated=proven.root.simulated,
        measurements=(("mr_enclave", enclave.mr_enclave), ("mr_signer", enclave.mr_signer)),
        report_data=enclave.report_data,
        platform_id=proven.platform_id,
        tcb_status=proven.tcb_status,
        advisories=proven.advisories,
        not_before=proven.not_before,
        not_after=proven.not_after,
        pck=proven.pck,
        tcb=proven.tcb,
        tcb_evaluation_number=proven.evaluation_number,
        quote_version=quote.version,
        enclave=enclave,
    )
