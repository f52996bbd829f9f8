"""Why an attestation key is trusted: its certificate, by a cloud's vTPM authority, to a pinned root.

Google: AK -> EK/AK CA Intermediate -> EK/AK CA Root, before 2022 -> tpm_ek_v1_cloud_host -> its root (go-tpm-tools,
`server/ca-certs`). Azure Trusted Launch: AK -> Global Virtual TPM CA - nn -> Azure Virtual TPM Root Certificate Authority 2023.
Both vouch for a TPM that their hypervisor makes: what it says is as true as the host is. Intermediates that this package ships are
checked like any other. Google's instance extension is read here; a key without a certificate is not trusted by anything in this
module.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from cryptography.x509 import ExtensionNotFound, ObjectIdentifier, UnrecognizedExtension
from cryptography.x509.oid import ExtensionOID

from confide.attest import x509
from confide.attest.checks import Checks
from confide.attest.dcap import der
from confide.attest.evidence import Kind, Root, Roots
from confide.attest.roots import GOOGLE_INTERMEDIATES
from confide.attest.x509 import UNREADABLE, Algorithms, Certificate, extensions_of
from confide.codes import Code
from confide.errors import CollateralError, EvidenceError

MAX_DEPTH = 4
GCE_INSTANCE = ObjectIdentifier("1.3.6.1.4.1.11129.2.1.21")
NAMES = frozenset({ExtensionOID.SUBJECT_ALTERNATIVE_NAME, ExtensionOID.EXTENDED_KEY_USAGE})
_PKCS1 = tuple(f"RSASSA-PKCS1-v1_5, SHA-{size}" for size in (256, 384, 512))
ALGORITHMS: Algorithms = MappingProxyType(
    {
        **{f"RSA {size}": _PKCS1 for size in (2048, 3072, 4096)},
        "P-256": ("ECDSA, SHA-256",),
        "P-384": ("ECDSA, SHA-384",),
    }
)


@dataclass(frozen=True)
class Instance:
    """What Google's certificate says of the VM: zone, project, instance; empty where the certificate says nothing."""

    zone: str = ""
    project: str = ""
    instance_id: int = 0
    name: str = ""


@dataclass(frozen=True)
class AkChain:
    """The certificate of an attestation key and those above it, the pinned root last."""

    certificates: tuple[Certificate, ...]
    root: Root
    instance: Instance

    @property
    def leaf(self) -> Certificate:
        """The attestation key's own."""
        return self.certificates[0]


def ak_chain(given: Sequence[Certificate], *, roots: Roots, checks: Checks) -> AkChain:
    """The chain from the first certificate of `given` to a pinned root.

    Raises:
        CollateralError: `x509.missing`.
        EvidenceError: `x509.*`, `tpm.key`.
    """
    pinned = _pinned(tuple(roots))
    path = [given[0]]
    for _ in range(MAX_DEPTH):
        anchor = next((pair for pair in pinned if x509.names(pair[1]).subject == x509.names(path[-1]).issuer), None)
        if anchor is not None:
            break
        path.append(_issuer(path[-1], given, pinned))
    else:
        raise CollateralError(Code.X509_MISSING, found=f"{MAX_DEPTH} certificates", wanted="a chain to a pinned root")
    root, top = anchor
    _require_no_other(given, top)
    checks.require(True, Code.X509_ROOT, "AK root", found=x509.names(path[-1]).issuer_text, wanted=root.name)
    _check(path, top, checks)
    return AkChain((*path, top), root, _instance(path[0]))


def _check(path: Sequence[Certificate], top: Certificate, checks: Checks) -> None:
    """Authorities, links, leaf."""
    x509.check_authority(top, path_length=None, crl_sign=False, title="AK root", checks=checks)
    for depth, certificate in enumerate(path[1:], 1):
        title = f"AK intermediate {depth}"
        x509.check_authority(certificate, path_length=None, crl_sign=False, title=title, checks=checks, known=NAMES)
        x509.check_path(certificate, below=depth - 1, title=title, checks=checks)
    x509.check_end_entity(path[0], title="AK", checks=checks, known=NAMES)
    for child, issuer in zip(path, (*path[1:], top), strict=True):
        title = "AK" if child is path[0] else "AK intermediate"
        x509.check_link(child, issuer, title=title, checks=checks, algorithms=ALGORITHMS)
    checks.conclude()


def _issuer(child: Certificate, given: Sequence[Certificate], pinned: Sequence[tuple[Root, Certificate]]) -> Certificate:
    """The certificate named as issuer: among those that came, or shipped."""
    named = [each for each in (*given, *_shipped()) if x509.names(each).subject == x509.names(child).issuer and each != child]
    if not named:
        wanted = (
            f"the certificate of {x509.names(child).issuer_text}, or a pinned root: {', '.join(root.name for root, _ in pinned)}"
        )
        raise CollateralError(Code.X509_MISSING, found="none", wanted=wanted)
    return next((each for each in named if x509.signed_by(child, each)), named[0])


def _require_no_other(given: Sequence[Certificate], top: Certificate) -> None:
    """A self-issued certificate that came is the pinned one."""
    for each in given:
        if x509.names(each).issuer == x509.names(each).subject and each != top:
            raise EvidenceError(Code.X509_ROOT, found=x509.names(each).subject_text, wanted=x509.names(top).subject_text)


def _instance(leaf: Certificate) -> Instance:
    """GceInstanceInfo ::= SEQUENCE { zone UTF8String, projectNumber INTEGER, projectId UTF8String, instanceId INTEGER, instanceName
    UTF8String, ... } (go-tpm-tools, `internal/cert.go`)."""
    try:
        value = extensions_of(leaf).get_extension_for_oid(GCE_INSTANCE).value
        if not isinstance(value, UnrecognizedExtension):
            return Instance()
        parts = list(der.elements(der.only(value.value, der.SEQUENCE)))
        zone, project, name = (parts[index][1].decode("utf-8") for index in (0, 2, 4))
        return Instance(x509.printable(zone), x509.printable(project), int.from_bytes(parts[3][1]), x509.printable(name))
    except ExtensionNotFound:
        return Instance()
    except (*UNREADABLE, IndexError):
        raise EvidenceError(Code.TPM_KEY, found="an instance extension that does not decode", wanted="Google's") from None


@functools.lru_cache(maxsize=16)
def _pinned(roots: Roots) -> tuple[tuple[Root, Certificate], ...]:
    return tuple((root, x509.load_certificate(root.der)) for root in roots if root.kind is Kind.TPM)


@functools.lru_cache(maxsize=1)
def _shipped() -> tuple[Certificate, ...]:
    return tuple(x509.load_certificate(data) for data in GOOGLE_INTERMEDIATES)
