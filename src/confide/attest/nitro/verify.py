"""Is an attestation document genuine? AWS's chain, the signature, and the times; nothing about what is acceptable.

1. Read the COSE_Sign1 (ES384 in the protected header) and its payload: `cose`, `layout`.
2. Chain: `cabundle` from the pinned root down, then the leaf `certificate`: names, P-384 signatures, CA fields: `_chain`.
3. The windows of all of them at `now`; the document's own time inside the leaf's window and not after `now`: `_times`.
4. The signature by the leaf: `cose.require_signed`.

AWS publishes no revocation lists for these certificates: leaves live three hours, and that is what is relied on. Left to others:
measurements, debug mode, age (`validate`).
"""

import re
from datetime import datetime, timedelta

from confide.attest import cose, x509
from confide.attest.checks import Checks
from confide.attest.evidence import Endorsements, Evidence, Kind, Root, Roots
from confide.attest.nitro.claims import NitroClaims
from confide.attest.nitro.layout import AttestationDocument, parse_payload
from confide.attest.x509 import P384, Certificate, Revocation
from confide.codes import Code
from confide.errors import EvidenceError
from confide.formats.fields import format_time

SKEW = timedelta(minutes=5)  # that the signing host's clock may be ahead of ours
DIGEST = "SHA384"
_REGION = re.compile(r"\b([a-z]{2}(?:-[a-z]+)+-\d)\b")


def authenticate(
    evidence: Evidence,
    endorsements: Endorsements,  # noqa: ARG001 - every kind is called alike; the document carries its chain
    *,
    roots: Roots,
    now: datetime,
    revocation: Revocation,  # noqa: ARG001 - AWS publishes no lists
    checks: Checks,
) -> NitroClaims:
    """Verify `evidence["document"]` of kind `nitro` or `nitrotpm` at `now`. It carries its own chain; `endorsements` are not
    needed.

    Raises:
        EvidenceError: not genuine, or of the other kind.
        CollateralError: a certificate is malformed or out of its window.
    """
    x509.require_clock(now)
    kind = Kind(evidence.kind)
    message = cose.parse_sign1(_document(evidence), algorithms=(cose.Algorithm.ES384,), tagged=False, checks=checks)
    document = parse_payload(message.payload, kind=kind)
    checks.require(True, Code.NITRO_KIND, "kind of document", found=document.module_id, wanted=kind.value)
    checks.require(document.digest == DIGEST, Code.NITRO_DIGEST, "digest", found=document.digest[:20], wanted=DIGEST)
    root, chain = _chain(document, roots, checks)
    _times(document, chain, now, checks)
    cose.require_signed(message, chain[-1], title="document", checks=checks)
    checks.skip("revocation", "AWS publishes no lists for these certificates; the leaf lives three hours")
    checks.conclude()
    return NitroClaims(
        kind=kind,
        simulated=root.simulated,
        measurements=tuple((f"pcr{index}", value) for index, value in document.pcrs.items()),
        report_data=document.user_data or b"",
        platform_id=document.instance_id.encode().hex(),
        tcb_status=None,
        advisories=(),
        not_before=max(each.not_valid_before_utc for each in chain),
        not_after=min(each.not_valid_after_utc for each in chain),
        document=document,
        age=now - document.timestamp,
        region=_region(chain),
    )


def _document(evidence: Evidence) -> bytes:
    found = evidence.items.get("document")
    if found is None:
        raise EvidenceError(Code.EVIDENCE_MISSING, found=", ".join(sorted(evidence.items)) or "nothing", wanted="document")
    return found


def _chain(document: AttestationDocument, roots: Roots, checks: Checks) -> tuple[Root, tuple[Certificate, ...]]:
    """Step 2: root first, leaf last (AWS, "Certificates validation")."""
    bundle = [x509.load_certificate(der) for der in document.cabundle]
    leaf = x509.load_certificate(document.certificate)
    pinned = [(root, x509.load_certificate(root.der)) for root in roots if root.kind is Kind.NITRO]
    root = next((root for root, anchor in pinned if anchor == bundle[0]), None)
    names = ", ".join(root.name for root, _ in pinned)
    if root is None:
        raise EvidenceError(Code.X509_ROOT, found=x509.names(bundle[0]).subject_text, wanted=f"a pinned root: {names}")
    checks.require(True, Code.X509_ROOT, "root", found=x509.names(bundle[0]).subject_text, wanted=names)
    x509.check_distinct((*bundle, leaf), title="document", checks=checks)
    for depth, certificate in enumerate(bundle):
        title = "root" if depth == 0 else f"intermediate {depth}"
        x509.check_authority(certificate, path_length=None, crl_sign=False, title=title, checks=checks)
        x509.check_path(certificate, below=len(bundle) - 1 - depth, title=title, checks=checks)
        if depth:
            x509.check_link(certificate, bundle[depth - 1], title=title, checks=checks, algorithms=P384)
    x509.check_end_entity(leaf, title="leaf", checks=checks)
    x509.check_link(leaf, bundle[-1], title="leaf", checks=checks, algorithms=P384)
    checks.conclude()
    return root, (*bundle, leaf)


def _times(document: AttestationDocument, chain: tuple[Certificate, ...], now: datetime, checks: Checks) -> None:
    """Step 3."""
    for depth, certificate in enumerate(chain):
        title = "leaf" if depth == len(chain) - 1 else "root" if depth == 0 else f"intermediate {depth}"
        x509.check_window(certificate, now=now, title=title, checks=checks)
    leaf, made = chain[-1], document.timestamp
    inside = leaf.not_valid_before_utc <= made <= leaf.not_valid_after_utc and made <= now + SKEW
    start, end = format_time(leaf.not_valid_before_utc), format_time(min(leaf.not_valid_after_utc, now + SKEW))
    checks.require(inside, Code.NITRO_TIMESTAMP, "timestamp", found=format_time(made), wanted=f"from {start} to {end}")


def _region(chain: tuple[Certificate, ...]) -> str:
    """Intermediates are named after their region, such as `...zonal.eu-central-1.aws.nitro-enclaves`; AWS's chain vouches for
    it."""
    found = {match for certificate in chain[1:-1] for match in _REGION.findall(x509.common_name(certificate))}
    return found.pop() if len(found) == 1 else ""
