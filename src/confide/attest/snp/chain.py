"""Finding the three certificates of a report: by name only. Every name is then checked by signature (`verify.py`, step 2).

What came with the evidence goes first. The intermediates that this package ships stand in only where none came, so that a chain of
another product or a changed one is refused, not passed over. Roots that came are compared with the pinned ones, never trusted.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from confide.attest import x509
from confide.attest.checks import Checks
from confide.attest.evidence import Endorsements, Kind, Root, Roots
from confide.attest.roots import AMD_INTERMEDIATES
from confide.attest.snp.layout import Product, SigningKey
from confide.attest.x509 import Certificate
from confide.codes import Code
from confide.errors import CollateralError, ConfideError, EvidenceError

LEAF_ROLES = ("vcek", "vlek")
CHAIN_ROLES = ("ask", "asvk", "ark", "cert-chain")
SUBJECTS = {SigningKey.VCEK: "SEV-VCEK", SigningKey.VLEK: "SEV-VLEK"}  # AMD 57230, certificate subjects
ISSUERS = {SigningKey.VCEK: "SEV-", SigningKey.VLEK: "SEV-VLEK-"}  # followed by the product
INTERMEDIATES = {SigningKey.VCEK: "ASK", SigningKey.VLEK: "ASVK"}


@dataclass(frozen=True)
class Chain:
    """Endorsement certificate, intermediate, and the pinned root that both must lead to."""

    key: SigningKey
    leaf: Certificate
    intermediate: Certificate
    root: Root
    anchor: Certificate
    product: Product

    @property
    def named(self) -> tuple[tuple[str, Certificate], ...]:
        """Each with AMD's name for it."""
        return (self.key.name, self.leaf), (INTERMEDIATES[self.key], self.intermediate), ("ARK", self.anchor)


def find_chain(key: SigningKey, endorsements: Endorsements, *, roots: Roots, checks: Checks) -> Chain:
    """The certificates for a report signed by `key`.

    Raises:
        CollateralError: `x509.missing`, or a certificate is malformed.
        EvidenceError: `snp.signing_key`, `x509.root`, or `snp.subject` for a root of an unknown product.
    """
    leaf = _endorsed(key, endorsements, checks)
    supplied = tuple(_supplied(endorsements, (*CHAIN_ROLES, *LEAF_ROLES)))
    intermediate = _issuer_of(leaf, supplied, what=INTERMEDIATES[key], checks=checks)
    root, anchor = _anchor_of(intermediate, _offered_roots(endorsements, supplied), roots, checks)
    return Chain(key, leaf, intermediate, root, anchor, _product_of(anchor, checks))


def refuse(error: ConfideError, title: str, checks: Checks) -> NoReturn:
    """Note a check that failed and that leaves nothing to go on with."""
    checks.require(False, error.code, title, found=error.found, wanted=error.wanted, error=type(error))
    raise error


def _supplied(endorsements: Endorsements, roles: tuple[str, ...]) -> Iterator[Certificate]:
    for role in roles:
        if role in endorsements.items:
            yield from x509.load_certificates(endorsements.items[role])


def _endorsed(key: SigningKey, endorsements: Endorsements, checks: Checks) -> Certificate:
    """The certificate whose subject is that of the report's SIGNING_KEY; the other kind does not stand in for it."""
    subject = SUBJECTS.get(key, "none: such a report is not signed")
    given = tuple(_supplied(endorsements, (*LEAF_ROLES, "cert-chain")))
    if not given:
        refuse(CollateralError(Code.X509_MISSING, found="no endorsement certificate", wanted=subject), "endorsement", checks)
    found = next((certificate for certificate in given if x509.common_name(certificate) == subject), None)
    if found is None:
        names = _told(given)
        refuse(EvidenceError(Code.SNP_SIGNING_KEY, found=f"{key.name} beside {names}", wanted=subject), "SIGNING_KEY", checks)
    checks.require(True, Code.SNP_SIGNING_KEY, "SIGNING_KEY", found=key.name, wanted=subject)
    return found


def _issuer_of(leaf: Certificate, supplied: tuple[Certificate, ...], *, what: str, checks: Checks) -> Certificate:
    """The certificate named as the leaf's issuer. Of several (AMD has re-issued some), the one whose key fits."""
    came = tuple(certificate for certificate in supplied if _is_intermediate(certificate))
    wanted = x509.names(leaf).issuer
    named = [certificate for certificate in came or _shipped() if x509.names(certificate).subject == wanted]
    if not named:
        issuer = x509.names(leaf).issuer_text
        among = _told(came) or "none"
        refuse(CollateralError(Code.X509_MISSING, found=among, wanted=f"the {what} certificate of {issuer}"), what, checks)
    fitting = (certificate for certificate in named if x509.is_rsa_4096(certificate) and x509.signed_by(leaf, certificate))
    return next(fitting, named[0])


def _told(certificates: tuple[Certificate, ...]) -> str:
    """The first few common names."""
    more = f" and {len(certificates) - x509.SHOWN} more" if len(certificates) > x509.SHOWN else ""
    return ", ".join(map(x509.common_name, certificates[: x509.SHOWN])) + more


def _is_intermediate(certificate: Certificate) -> bool:
    names = x509.names(certificate)
    return names.issuer != names.subject and names.common_name not in SUBJECTS.values()


def _offered_roots(endorsements: Endorsements, supplied: tuple[Certificate, ...]) -> tuple[Certificate, ...]:
    """Whatever came as `ark`, and every self-issued certificate."""
    self_issued = (certificate for certificate in supplied if x509.names(certificate).issuer == x509.names(certificate).subject)
    return (*_supplied(endorsements, ("ark",)), *self_issued)


def _anchor_of(
    intermediate: Certificate, offered: tuple[Certificate, ...], roots: Roots, checks: Checks
) -> tuple[Root, Certificate]:
    """The pinned root that the intermediate names; it is among those offered, if any were, and nothing else was offered."""
    name = x509.names(intermediate).issuer
    pinned = _pinned(tuple(roots))
    named = [(root, anchor) for root, anchor in pinned if x509.names(anchor).subject == name]
    foreign = [certificate for certificate in offered if all(certificate != anchor for _, anchor in pinned)]
    ours = not foreign and (not offered or any(anchor in offered for _, anchor in named))
    found = x509.names(foreign[0]).subject_text + ", another certificate" if foreign else x509.names(intermediate).issuer_text
    wanted = "a pinned root: " + ", ".join(root.name for root, _ in pinned)
    if not named or not ours:
        refuse(EvidenceError(Code.X509_ROOT, found=found, wanted=wanted), "ARK", checks)
    checks.require(True, Code.X509_ROOT, "ARK", found=found, wanted=wanted)
    return next((pair for pair in named if x509.signed_by(intermediate, pair[1])), named[0])


@functools.lru_cache(maxsize=1)
def _shipped() -> tuple[Certificate, ...]:
    return tuple(x509.load_certificate(der) for der in AMD_INTERMEDIATES)


@functools.lru_cache(maxsize=16)
def _pinned(roots: Roots) -> tuple[tuple[Root, Certificate], ...]:
    amd = (root for root in roots if root.kind is Kind.SNP)
    return tuple((root, x509.load_certificate(root.der)) for root in amd)


def _product_of(anchor: Certificate, checks: Checks) -> Product:
    name = x509.common_name(anchor)
    product = next((product for product in Product if name == f"ARK-{product}"), None)
    wanted = ", ".join(f"ARK-{product}" for product in Product)
    if product is None:
        refuse(EvidenceError(Code.SNP_SUBJECT, found=name, wanted=wanted), "ARK subject", checks)
    return product
