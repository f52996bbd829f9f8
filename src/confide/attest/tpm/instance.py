"""What Google's certificate says of the virtual machine: the extension 1.3.6.1.4.1.11129.2.1.21.

    GceInstanceInfo ::= SEQUENCE {
        zone UTF8String, projectNumber INTEGER, projectId UTF8String, instanceId INTEGER, instanceName UTF8String,
        securityProperties [0] EXPLICIT SEQUENCE { securityVersion [0] INTEGER, isProduction [1] BOOLEAN, ... } OPTIONAL }

(google/go-tpm-tools, `server/verify.go`, `gceInstanceInfo`.) Later security properties are not known here and left out. Left to
others: whether anyone wants this machine (`validate`).
"""

from dataclasses import dataclass

from cryptography.x509 import ExtensionNotFound, ObjectIdentifier, UnrecognizedExtension

from confide.attest import x509
from confide.attest.dcap import der
from confide.attest.x509 import UNREADABLE, Certificate
from confide.codes import Code
from confide.errors import EvidenceError

GCE_INSTANCE = ObjectIdentifier("1.3.6.1.4.1.11129.2.1.21")
MAX_EXTENSION = 1024  # bytes; seen: about 110
UTF8, CONTEXT = 0x0C, 0xA0
_TAGS = (UTF8, der.INTEGER, UTF8, der.INTEGER, UTF8)
_SECURITY_VERSION, _IS_PRODUCTION = CONTEXT, CONTEXT + 1


@dataclass(frozen=True)
class Instance:
    """A virtual machine of Google's, by its cloud's word; texts are printable."""

    zone: str
    project_number: int
    project_id: str
    instance_id: int
    instance_name: str
    security_version: int
    production: bool


def instance_of(leaf: Certificate) -> Instance | None:
    """The machine that the certificate names; None where it names none.

    Raises:
        EvidenceError: `tpm.extension` for an extension that does not decode.
    """
    try:
        value = x509.extensions_of(leaf).get_extension_for_oid(GCE_INSTANCE).value
    except (ExtensionNotFound, *UNREADABLE):  # unreadable extensions have been refused where the chain was checked
        return None
    try:
        return _read(value.value if isinstance(value, UnrecognizedExtension) else b"")
    except ValueError:
        wanted = "GceInstanceInfo"
        raise EvidenceError(Code.TPM_EXTENSION, found="a malformed extension 11129.2.1.21", wanted=wanted) from None


def _read(data: bytes) -> Instance:
    if len(data) > MAX_EXTENSION:
        raise ValueError("too long")
    parts = list(der.elements(der.only(data, der.SEQUENCE)))
    if tuple(tag for tag, _ in parts[:5]) != _TAGS or len(parts) > 6:
        raise ValueError("other members")
    zone, number, project, instance, name = (content for _, content in parts[:5])
    version, production = _security(parts[5:])
    return Instance(
        x509.printable(zone.decode("utf-8")),
        der.integer(number),
        x509.printable(project.decode("utf-8")),
        der.integer(instance),
        x509.printable(name.decode("utf-8")),
        version,
        production,
    )


def _security(parts: list[tuple[int, bytes]]) -> tuple[int, bool]:
    """Absent members have the zero of their type, as in Go's encoding: no production TPM."""
    if not parts:
        return 0, False
    if parts[0][0] != CONTEXT:
        raise ValueError("another member")
    members = dict(der.elements(der.only(parts[0][1], der.SEQUENCE)))
    version = der.integer(der.only(members[_SECURITY_VERSION], der.INTEGER)) if _SECURITY_VERSION in members else 0
    return version, _IS_PRODUCTION in members and der.boolean(der.only(members[_IS_PRODUCTION], der.BOOLEAN))
