"""Step 3 of spec/07-verify.md for any number of pieces of evidence: each is the vendor's, or none is believed.

Left to others: how evidence is called in a document (`attest.document`), what each kind checks (`attest`), what follows (`verify`).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.constraints import Ignored
from confide.attest.evidence import Endorsements, Evidence, Roots
from confide.attest.verifiers import authenticate
from confide.attest.x509 import Revocation
from confide.codes import Code
from confide.errors import EvidenceError
from confide.policy.accept import cca
from confide.policy.model import Policy
from confide.policy.record import each_piece

Pieces = Sequence[tuple[Evidence, Endorsements]]


def genuine(pieces: Pieces, policy: Policy | None, *, now: datetime, roots: Roots, checks: Checks) -> tuple[Claims, ...]:
    """Claims of all pieces that are genuine; none is left unlooked at, also where a lenient record met a failure before.

    A lenient record has a failure then, and the caller must `conclude()` before claims count.
    """
    revocation = _revocation(policy, checks)
    if not pieces:  # a document does not parse without; "all of nothing" must not pass if that ever changes
        raise EvidenceError(Code.DOCUMENT_MALFORMED, found="no evidence", wanted="that of a TEE")
    anchors = (*roots, *cca.anchors([entry.constraints for entry in policy.accept] if policy else []))

    def one(piece: tuple[Evidence, Endorsements], checks: Checks) -> Claims:
        return authenticate(*piece, roots=anchors, now=now, revocation=revocation, checks=checks)

    return each_piece([evidence for evidence, _ in pieces], pieces, one, checks=checks)


def _revocation(policy: Policy | None, checks: Checks) -> Revocation:
    age = policy.require.max_crl_age if policy else None
    grace = policy.require.collateral_grace if policy else timedelta()
    if isinstance(age, Ignored):
        checks.relax("require.max_crl_age", "revoked certificates may go unnoticed")
        return Revocation(required=False, grace=grace)
    return Revocation(max_age=age, grace=grace)
