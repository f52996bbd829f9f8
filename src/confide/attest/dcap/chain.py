"""Intel's chains: PCK leaf -> Processor or Platform CA -> pinned root, and TCB Signing -> pinned root (PCK Certificate and CRL
Profile).

Certificates come with the quote or beside it, in any order; names find them, signatures decide. A root that came is compared with
the pinned one and never trusted. Left to others: windows of collateral and lists (`verify`).
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from confide.attest import x509
from confide.attest.checks import Checks
from confide.attest.evidence import Kind, Root, Roots
from confide.attest.x509 import P256, Certificate
from confide.codes import Code
from confide.errors import CollateralError, EvidenceError

PCK = "Intel SGX PCK Certificate"
PCK_CAS = {"Intel SGX PCK Platform CA": "platform", "Intel SGX PCK Processor CA": "processor"}
TCB_SIGNING = "Intel SGX TCB Signing"


@dataclass(frozen=True)
class PckChain:
    """A PCK certificate, its CA and the pinned root, their links checked."""

    leaf: Certificate
    intermediate: Certificate
    anchor: Certificate
    root: Root

    @property
    def named(self) -> tuple[tuple[str, Certificate], ...]:
        """Each with a title."""
        return ("PCK", self.leaf), ("PCK CA", self.intermediate), ("Intel root", self.anchor)

    @property
    def ca(self) -> str:
        """`platform` or `processor`: which revocation list is its."""
        return PCK_CAS[x509.common_name(self.intermediate)]


def pck_chain(given: Sequence[Certificate], *, roots: Roots, checks: Checks) -> PckChain:
    """The chain of a PCK certificate among `given`.

    Raises:
        CollateralError: `x509.missing`.
        EvidenceError: `x509.*` for what does not hold, `dcap.subject`.
    """
    leaf = _named(given, {PCK}, "PCK certificate", checks)
    intermediate = _named(given, set(PCK_CAS), "PCK CA certificate", checks, subject=x509.names(leaf).issuer)
    root, anchor = _anchor(intermediate, given, roots, "PCK CA", checks)
    x509.check_authority(anchor, path_length=None, crl_sign=True, title="Intel root", checks=checks)
    x509.check_authority(intermediate, path_length=0, crl_sign=True, title="PCK CA", checks=checks)
    x509.check_end_entity(leaf, title="PCK", checks=checks)
    x509.check_link(intermediate, anchor, title="PCK CA", checks=checks, algorithms=P256)
    x509.check_link(leaf, intermediate, title="PCK", checks=checks, algorithms=P256)
    checks.conclude()  # nothing below can be said about a leaf that the root does not vouch for
    return PckChain(leaf, intermediate, anchor, root)


def signing_chain(given: Sequence[Certificate], *, title: str, roots: Roots, checks: Checks) -> tuple[Certificate, Certificate]:
    """The TCB signing certificate among `given`, and the pinned root that issued it. Raises as `pck_chain`."""
    leaf = _named(given, {TCB_SIGNING}, f"{title} signing certificate", checks)
    _, anchor = _anchor(leaf, given, roots, f"{title} signer", checks)
    x509.check_end_entity(leaf, title=f"{title} signer", checks=checks)
    x509.check_link(leaf, anchor, title=f"{title} signer", checks=checks, algorithms=P256)
    checks.conclude()
    return leaf, anchor


def _named(given: Sequence[Certificate], wanted: set[str], what: str, checks: Checks, subject: bytes | None = None) -> Certificate:
    """The one certificate of that common name (and subject)."""
    found = [each for each in given if x509.common_name(each) in wanted]
    found = [each for each in found if subject is None or x509.names(each).subject == subject]
    names = " or ".join(sorted(wanted))
    if not found:
        among = ", ".join(x509.common_name(each) for each in given[: x509.SHOWN]) or "no certificates"
        raise CollateralError(Code.X509_MISSING, found=among, wanted=f"the {what}: {names}")
    if any(each != found[0] for each in found):
        raise EvidenceError(Code.DCAP_SUBJECT, found=f"{len(found)} certificates named {x509.common_name(found[0])}", wanted="one")
    checks.require(True, Code.DCAP_SUBJECT, f"{what} subject", found=x509.common_name(found[0]), wanted=names)
    return found[0]


def _anchor(child: Certificate, given: Sequence[Certificate], roots: Roots, title: str, checks: Checks) -> tuple[Root, Certificate]:
    """The pinned root that the child names as its issuer; a root that came must be that one, or an edition of it with its key."""
    pinned = _pinned(tuple(roots))
    offered = [each for each in given if x509.names(each).issuer == x509.names(each).subject]
    named = [pair for pair in pinned if x509.names(pair[1]).subject == x509.names(child).issuer]
    fitting = [pair for pair in named if x509.signed_by(child, pair[1])] or named
    foreign = [each for each in offered if not any(_same(each, anchor) for _, anchor in pinned)]
    found = f"{x509.names(foreign[0]).subject_text}, another certificate" if foreign else x509.names(child).issuer_text
    wanted = "a pinned root: " + ", ".join(root.name for root, _ in pinned)
    if foreign or not fitting or not all(_same(each, fitting[0][1]) for each in offered):
        raise EvidenceError(Code.X509_ROOT, found=found, wanted=wanted)
    checks.require(True, Code.X509_ROOT, f"root of the {title}", found=found, wanted=wanted)
    return fitting[0]


def _same(offered: Certificate, anchor: Certificate) -> bool:
    """Intel has issued its root twice, with one name and one key; what a chain proves is the key."""
    return x509.names(offered).subject == x509.names(anchor).subject and x509.same_key(offered, anchor)


@functools.lru_cache(maxsize=16)
def _pinned(roots: Roots) -> tuple[tuple[Root, Certificate], ...]:
    return tuple((root, x509.load_certificate(root.der)) for root in roots if root.kind is Kind.SGX)
