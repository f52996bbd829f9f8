"""The two doors of every kind: `authenticate` (is it genuine) and `validate` (is it acceptable), by the kind of the evidence.

A new kind of TEE adds a row to each table. Left to others: what a policy says (`policy`), and binding (`binding.py`).
"""

from datetime import datetime

from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.evidence import Endorsements, Evidence, Kind, Roots
from confide.attest.snp import validate as snp_validate
from confide.attest.snp import verify as snp_verify
from confide.attest.snp.claims import SnpClaims
from confide.attest.snp.validate import SnpConstraints
from confide.attest.x509 import Revocation
from confide.codes import Code
from confide.errors import EvidenceError

__all__ = ["Revocation", "authenticate", "validate"]


def authenticate(
    evidence: Evidence, endorsements: Endorsements, *, roots: Roots, now: datetime, revocation: Revocation, checks: Checks
) -> Claims:
    """Claims that the vendor's chain proves at `now`.

    Raises:
        EvidenceError: `evidence.kind` where there is no verifier, and whatever the verifier of the kind refuses.
        CollateralError: vendor certificates or lists are missing or out of their windows.
    """
    if evidence.kind == Kind.SNP:
        return snp_verify.authenticate(evidence, endorsements, roots=roots, now=now, revocation=revocation, checks=checks)
    wanted = ", ".join(kind.value for kind in Kind)
    raise EvidenceError(Code.EVIDENCE_KIND, found=evidence.kind[:40], wanted=wanted)


def validate(claims: Claims, constraints: SnpConstraints, *, checks: Checks) -> None:
    """Compare claims with the constraints of their own kind.

    Raises:
        EvidenceError: `evidence.kind` when claims and constraints are of different kinds; and what the kind refuses.
        PolicyError: a value is not what the constraints name.
    """
    if isinstance(claims, SnpClaims) and isinstance(constraints, SnpConstraints):
        snp_validate.validate(claims, constraints, checks=checks)
        return
    raise EvidenceError(Code.EVIDENCE_KIND, found=claims.kind.value, wanted=type(constraints).__name__)
