"""Why an attestation key is trusted: its certificate, by a cloud's authority for virtual TPMs, to a pinned root.

Google: key -> EK/AK CA Intermediate -> EK/AK CA Root; machines of before 2022: key -> tpm_ek_v1_cloud_host signer -> its root
(google/go-tpm-tools, `server/ca-certs`). Azure Trusted Launch: key -> Global Virtual TPM CA - nn -> Azure Virtual TPM Root
Certificate Authority 2023. Both vouch for TPMs that their hypervisors make: what such a TPM says is as true as the host is honest.
Intermediates that this package ships are checked like any other. A key without a certificate is trusted by nothing here: that it
lives in the TPM of an endorsement key (make and activate credential) is shown out of band, and no verdict claims it.
"""

import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NoReturn

from cryptography.x509 import ExtendedKeyUsage, ExtensionNotFound
from cryptography.x509.oid import ExtensionOID

from confide.attest import x509
from confide.attest.checks import Checks
from confide.attest.evidence import Kind, Root, Roots
from confide.attest.revocation import check_revocation
from confide.attest.roots import GOOGLE_INTERMEDIATES
from confide.attest.x509 import Algorithms, Certificate, RevocationList
from confide.codes import Code
from confide.errors import CollateralError, ConfideError, EvidenceError

MAX_DEPTH = 4  # certificates below the root; go-tpm-tools follows as many
# Extensions that may be critical here: read, or harmless.
KNOWN = frozenset({ExtensionOID.SUBJECT_ALTERNATIVE_NAME, ExtensionOID.EXTENDED_KEY_USAGE})
# TCG EK Credential Profile section 3.2.16: tcg-kp-EKCertificate, tcg-kp-AIKCertificate. Google writes the former for signing keys
# too, so usage alone does not tell the two kinds of key apart.
USAGES = frozenset({"2.23.133.8.1", "2.23.133.8.3"})
_PKCS1 = tuple(f"RSASSA-PKCS1-v1_5, SHA-{size}" for size in (256, 384, 512))
ALGORITHMS: Algorithms = MappingProxyType(
    {
        **{f"RSA {size}": _PKCS1 for size in (2048, 3072, 4096)},
        "P-256": ("ECDSA, SHA-256",),
        "P-384": ("ECDSA, SHA-384",),
    }
)


class Authority(StrEnum):
    """The cloud whose root it is."""

    GOOGLE = "google"
    AZURE = "azure"
    OTHER = "other"


# By the beginning of the root's common name; the root itself is pinned whole, so the name is a fact.
_AUTHORITIES = (
    ("EK/AK CA Root", Authority.GOOGLE),
    ("tpm_ek_v1_cloud_host", Authority.GOOGLE),
    ("Azure Virtual TPM Root", Authority.AZURE),
)


@dataclass(frozen=True)
class AkChain:
    """The certificate of an attestation key and those above it, the pinned root last; the lists that were applied."""

    certificates: tuple[Certificate, ...]
    root: Root
    lists: tuple[tuple[Certificate, tuple[RevocationList, ...]], ...]

    @property
    def leaf(self) -> Certificate:
        """The attestation key's own."""
        return self.certificates[0]

    @property
    def named(self) -> Iterator[tuple[str, Certificate]]:
        """Each with a name for it."""
        for depth, certificate in enumerate(self.certificates):
            yield _title(depth, len(self.certificates)), certificate

    @property
    def authority(self) -> Authority:
        """Whose root it is."""
        name = x509.common_name(self.certificates[-1])
        return next((authority for start, authority in _AUTHORITIES if name.startswith(start)), Authority.OTHER)


def ak_chain(
    given: Sequence[Certificate], lists: Sequence[RevocationList], *, roots: Roots, required: bool, checks: Checks
) -> AkChain:
    """The chain from the first certificate of `given` to a pinned root, and nobody in it revoked.

    Args:
        required: the root's list must be there; those of authorities below it are applied where they came.

    Raises:
        CollateralError: `x509.missing`, `x509.crl_*`.
        EvidenceError: `x509.*`, `tpm.usage`.
    """
    pinned = _pinned(tuple(roots))
    _require_no_other(given, pinned, checks)
    path, root, top = _path(given, pinned, checks)
    checks.require(True, Code.X509_ROOT, "AK root", found=x509.names(path[-1]).issuer_text, wanted=root.name)
    certificates = (*path, top)
    _check_authorities(certificates, checks)
    _check_leaf(path[0], checks)
    for depth, (child, issuer) in enumerate(zip(path, certificates[1:], strict=True)):
        x509.check_link(child, issuer, title=_title(depth, len(certificates)), checks=checks, algorithms=ALGORITHMS)
    return AkChain(certificates, root, _revocation(certificates, lists, required=required, checks=checks))


def _path(
    given: Sequence[Certificate], pinned: Sequence[tuple[Root, Certificate]], checks: Checks
) -> tuple[tuple[Certificate, ...], Root, Certificate]:
    """By name first; of several with one name (Google has re-issued intermediates) the one whose key fits."""
    path = [given[0]]
    while len(path) <= MAX_DEPTH:
        wanted = x509.names(path[-1]).issuer
        anchors = [pair for pair in pinned if x509.names(pair[1]).subject == wanted]
        if anchors:
            root, top = next((pair for pair in anchors if x509.signed_by(path[-1], pair[1])), anchors[0])
            return tuple(path), root, top
        named = [each for each in (*given, *_shipped()) if x509.names(each).subject == wanted and each not in path]
        if not named:
            roots = ", ".join(root.name for root, _ in pinned) or "none"
            above = f"the certificate of {x509.names(path[-1]).issuer_text}, or a pinned root: {roots}"
            _refuse(CollateralError(Code.X509_MISSING, found="none", wanted=above), "AK chain", checks)
        path.append(next((each for each in named if x509.signed_by(path[-1], each)), named[0]))
    wanted_root = f"a pinned root above {MAX_DEPTH}"
    return _refuse(CollateralError(Code.X509_MISSING, found=f"{len(path)} certificates", wanted=wanted_root), "AK chain", checks)


def _require_no_other(given: Sequence[Certificate], pinned: Sequence[tuple[Root, Certificate]], checks: Checks) -> None:
    """A self-issued certificate that came is a pinned one, whole."""
    for each in given:
        if x509.names(each).issuer == x509.names(each).subject and all(each != anchor for _, anchor in pinned):
            found = f"{x509.names(each).subject_text}, another certificate"
            wanted = "a pinned root: " + (", ".join(root.name for root, _ in pinned) or "none")
            _refuse(EvidenceError(Code.X509_ROOT, found=found, wanted=wanted), "AK root", checks)


def _check_authorities(certificates: Sequence[Certificate], checks: Checks) -> None:
    """RFC 5280 section 6.1.4 (k) to (n), for all but the key's own."""
    for depth, certificate in enumerate(certificates[1:], 1):
        title, root = _title(depth, len(certificates)), certificate is certificates[-1]
        x509.check_authority(certificate, path_length=None, crl_sign=root, title=title, checks=checks, known=KNOWN)
        x509.check_path(certificate, below=depth - 1, title=title, checks=checks)
        _check_usage(certificate, title, checks)


def _check_leaf(leaf: Certificate, checks: Checks) -> None:
    """An end entity that may sign."""
    if x509.check_end_entity(leaf, title="AK", checks=checks, known=KNOWN):
        _check_usage(leaf, "AK", checks)


def _check_usage(certificate: Certificate, title: str, checks: Checks) -> None:
    """Where a certificate names usages, one of a TPM's keys is among them (RFC 5280 section 4.2.1.12)."""
    try:
        named = x509.extensions_of(certificate).get_extension_for_class(ExtendedKeyUsage).value
    except (ExtensionNotFound, *x509.UNREADABLE):  # unreadable ones have been told by `check_extensions`
        return
    found = [usage.dotted_string for usage in named]
    fits = any(usage in USAGES for usage in found)
    wanted = " or ".join(sorted(USAGES))
    checks.require(fits, Code.TPM_USAGE, f"{title} extendedKeyUsage", found=", ".join(found[: x509.SHOWN]), wanted=wanted)


def _revocation(
    certificates: Sequence[Certificate], lists: Sequence[RevocationList], *, required: bool, checks: Checks
) -> tuple[tuple[Certificate, tuple[RevocationList, ...]], ...]:
    """The list of each authority for the certificate below it (RFC 5280 section 6.3)."""
    found = []
    for depth, (child, issuer) in enumerate(itertools.pairwise(certificates)):
        mine = ((_title(depth, len(certificates)), child),)
        needed = required and issuer is certificates[-1]
        used = check_revocation(mine, lists, issuer=issuer, required=needed, checks=checks, algorithms=ALGORITHMS)
        found.append((issuer, used))
    return tuple(found)


def _title(depth: int, count: int) -> str:
    return "AK" if depth == 0 else "AK root" if depth == count - 1 else f"AK intermediate {depth}"


def _refuse(error: ConfideError, title: str, checks: Checks) -> NoReturn:
    """Note a check that failed and that leaves nothing to go on with."""
    checks.require(False, error.code, title, found=error.found, wanted=error.wanted, error=type(error))
    raise error


@functools.lru_cache(maxsize=16)
def _pinned(roots: Roots) -> tuple[tuple[Root, Certificate], ...]:
    return tuple((root, x509.load_certificate(root.der)) for root in roots if root.kind is Kind.TPM)


@functools.lru_cache(maxsize=1)
def _shipped() -> tuple[Certificate, ...]:
    return tuple(x509.load_certificate(data) for data in GOOGLE_INTERMEDIATES)
