"""The PCK certificate's own extension (Intel SGX PCK Certificate and Certificate Revocation List Profile Specification, section
1.3.5).

    1.2.840.113741.1.13.1   .1 PPID   .2 TCB (.1-.16 component SVNs, .17 PCESVN, .18 CPUSVN)   .3 PCE-ID   .4 FMSPC   .5 SGX type
                            .6 platform instance id   .7 configuration (.1 dynamic platform, .2 cached keys, .3 SMT enabled)

.6 and .7 stand only in certificates of the Platform CA. Unknown members are left out: Intel may add some. Left to others: the
chain.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from cryptography.x509 import ExtensionNotFound, ObjectIdentifier, UnrecognizedExtension

from confide.attest.dcap import der
from confide.attest.x509 import UNREADABLE, Certificate, extensions_of
from confide.codes import Code
from confide.errors import EvidenceError

BASE = "1.2.840.113741.1.13.1"
_BASE = bytes.fromhex("2a864886f84d010d01")  # the same, encoded (X.690 section 8.19)
COMPONENTS = 16
_SIZES = {"1": 16, "3": 2, "4": 6, "6": 16}  # OCTET STRINGs, bytes
_FLAGS = ("1", "2", "3")


class SgxType(IntEnum):
    """How the memory of the platform is protected (section 1.3.5.5)."""

    STANDARD = 0
    SCALABLE = 1
    SCALABLE_WITH_INTEGRITY = 2


@dataclass(frozen=True)
class Pck:
    """What Intel certified about a platform.

    Attributes:
        ppid: the platform's provisioning identifier, 16 bytes: the same for each PCK certificate of a processor package.
        components, pce_svn: the TCB that the certificate was issued for.
        dynamic_platform, cached_keys, smt_enabled: None where the certificate does not say.
    """

    ppid: bytes = field(repr=False)
    components: tuple[int, ...]
    pce_svn: int
    cpu_svn: bytes
    pce_id: bytes
    fmspc: bytes
    sgx_type: SgxType
    platform_instance_id: bytes | None = field(repr=False)
    dynamic_platform: bool | None
    cached_keys: bool | None
    smt_enabled: bool | None


def decode(certificate: Certificate) -> Pck:
    """The extension of a PCK certificate.

    Raises:
        EvidenceError: `dcap.pck_extension`.
    """
    try:
        value = extensions_of(certificate).get_extension_for_oid(ObjectIdentifier(BASE)).value
        return _decode(value.value if isinstance(value, UnrecognizedExtension) else b"")
    except (*UNREADABLE, ExtensionNotFound, IndexError) as error:
        found = "none" if isinstance(error, ExtensionNotFound) else f"one that does not decode: {type(error).__name__}"
        wanted = "the SGX extension of a PCK certificate"
        raise EvidenceError(Code.DCAP_PCK_EXTENSION, found=found, wanted=wanted) from None


def _decode(data: bytes) -> Pck:
    members = _members(der.only(data, der.SEQUENCE), _BASE)
    tcb = _members(_content(members["2"], der.SEQUENCE), _BASE + b"\x02")
    octets = {name: _content(members[name], der.OCTET_STRING) for name in _SIZES if name in members}
    if any(len(value) != _SIZES[name] for name, value in octets.items()):
        raise ValueError
    components = tuple(der.integer(_content(tcb[str(index)], der.INTEGER)) for index in range(1, COMPONENTS + 1))
    cpu_svn = _content(tcb["18"], der.OCTET_STRING)
    if len(cpu_svn) != COMPONENTS or max(components) > 0xFF:
        raise ValueError
    configuration = _configuration(members)
    return Pck(
        ppid=octets["1"],
        components=components,
        pce_svn=der.integer(_content(tcb["17"], der.INTEGER)),
        cpu_svn=cpu_svn,
        pce_id=octets["3"],
        fmspc=octets["4"],
        sgx_type=SgxType(der.integer(_content(members["5"], der.ENUMERATED))),
        platform_instance_id=octets.get("6"),
        dynamic_platform=configuration.get("1"),
        cached_keys=configuration.get("2"),
        smt_enabled=configuration.get("3"),
    )


def _configuration(members: dict[str, tuple[int, bytes]]) -> dict[str, bool]:
    if "7" not in members:
        return {}
    found = _members(_content(members["7"], der.SEQUENCE), _BASE + b"\x07")
    return {name: der.boolean(_content(found[name], der.BOOLEAN)) for name in _FLAGS if name in found}


def _members(sequence: bytes, base: bytes) -> dict[str, tuple[int, bytes]]:
    """Members by the last arcs of their names, below `base`; one that occurs twice refuses."""
    members: dict[str, tuple[int, bytes]] = {}
    for name, tag, content in der.pairs(sequence):
        last = name[len(base) :]
        if not name.startswith(base) or not last:
            raise ValueError
        arc = str(last[0]) if len(last) == 1 and last[0] < 0x80 else der.arcs(last)
        if arc in members:
            raise ValueError
        members[arc] = tag, content
    return members


def _content(value: tuple[int, bytes], tag: int) -> bytes:
    if value[0] != tag:
        raise TypeError
    return value[1]
