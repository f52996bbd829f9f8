"""Reference integrity manifests: NVIDIA's own word on what a driver and a VBIOS measure (NIST IR 8060 SWID tags; TCG RIM
information model).

    Meta colloquialVersion   Payload Resource type="Measurement" index active alternatives Hash0..n (SHA-384)

A manifest is believed when its signature leads to the pinned root, every certificate holds at `now`, and OCSP says of none that it
is revoked or on hold. Left to others: which
manifest belongs to a device, and comparing (`compare`).
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from confide.attest import x509
from confide.attest.checks import Checks
from confide.attest.evidence import Kind, Roots
from confide.attest.nvidia import xml, xmlsig
from confide.attest.nvidia.ocsp import Response, check_status
from confide.attest.nvidia.xml import Element
from confide.attest.x509 import P384, Certificate, Revocation
from confide.codes import Code
from confide.errors import CollateralError, EvidenceError

SWID = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd"
SHA384 = "http://www.w3.org/2001/04/xmlenc#sha384"
RIM_ROOT = "CoRIM"  # what the name of its pinned root contains
MAX_ALTERNATIVES = 32
_DIGEST = re.compile(r"[0-9a-fA-F]{96}\Z")


@dataclass(frozen=True)
class Manifest:
    """A manifest that NVIDIA signed. `golden`: measurement index to the accepted values, active ones only."""

    version: str
    product: str
    golden: dict[int, tuple[bytes, ...]]
    not_before: datetime
    not_after: datetime


def verify_manifest(
    data: bytes,
    *,
    title: str,
    roots: Roots,
    now: datetime,
    responses: Sequence[Response],
    revocation: Revocation,
    checks: Checks,
) -> Manifest:
    """The manifest in `data`, if NVIDIA signed it and its certificates hold at `now`.

    Raises:
        EvidenceError: `x509.*`, `nvidia.rim_signature`, `nvidia.revoked`, `nvidia.hold`.
        CollateralError: `nvidia.xml`, `nvidia.rim`, `x509.*`: malformed, or out of a window; `nvidia.ocsp`, `nvidia.ocsp_stale`.
    """
    signed = xmlsig.read(xml.parse(data))
    chain = _chain(signed.certificates, title, roots, checks)
    xmlsig.require_signed(signed, chain[0], title=title, checks=checks)
    for certificate in chain:
        x509.check_window(certificate, now=now, title=f"{title} {x509.common_name(certificate)}", checks=checks)
    start, ends = max(each.not_valid_before_utc for each in chain), [each.not_valid_after_utc for each in chain]
    for certificate, issuer in itertools.pairwise(chain):
        name = f"{title} {x509.common_name(certificate)}"
        hold, end = check_status(certificate, issuer, responses, title=name, now=now, revocation=revocation, checks=checks)
        if hold:
            raise EvidenceError(Code.NVIDIA_HOLD, found=f"{name} on hold", wanted="not on hold")
        ends += [end] if end is not None else []
    return _manifest(signed.root, start, min(ends))


def _chain(given: tuple[Certificate, ...], title: str, roots: Roots, checks: Checks) -> tuple[Certificate, ...]:
    """Leaf first, in order, to the pinned root, which may be left out."""
    pinned = [x509.load_certificate(root.der) for root in roots if root.kind is Kind.NVIDIA and RIM_ROOT in root.name]
    chain = given if given[-1] in pinned else (*given, *(each for each in pinned if _issued(given[-1], each)))
    if chain[-1] not in pinned:
        raise EvidenceError(Code.X509_ROOT, found=x509.names(given[-1]).issuer_text, wanted="NVIDIA's pinned root of manifests")
    checks.require(True, Code.X509_ROOT, f"{title} root", found=x509.common_name(chain[-1]), wanted="pinned")
    x509.check_distinct(chain, title=title, checks=checks)
    x509.check_end_entity(chain[0], title=f"{title} signer", checks=checks)
    for depth, certificate in enumerate(chain[1:]):
        name = f"{title} authority {depth + 1}"
        x509.check_authority(certificate, path_length=None, crl_sign=False, title=name, checks=checks)
        x509.check_path(certificate, below=depth, title=name, checks=checks)
        x509.check_link(chain[depth], certificate, title=f"{title} certificate {depth}", checks=checks, algorithms=P384)
    return chain


def _issued(child: Certificate, issuer: Certificate) -> bool:
    return x509.names(child).issuer == x509.names(issuer).subject


def _manifest(root: Element, start: datetime, end: datetime) -> Manifest:
    meta = [element for element in root.elements if element.tag == (SWID, "Meta")]
    payload = [element for element in root.elements if element.tag == (SWID, "Payload")]
    if root.tag != (SWID, "SoftwareIdentity") or len(meta) != 1 or len(payload) != 1:
        raise _malformed("other elements", "one Meta, one Payload")
    version, product = (meta[0].attribute("", name) or "" for name in ("colloquialVersion", "product"))
    golden: dict[int, tuple[bytes, ...]] = {}
    for resource in payload[0].elements:
        if resource.tag != (SWID, "Resource") or resource.attribute("", "type") != "Measurement":
            raise _malformed("another resource", "measurements")
        index = _number(resource.attribute("", "index"))
        if index in golden or index < 0:
            raise _malformed(f"measurement {index} twice", "once")
        if resource.attribute("", "active") != "False":
            golden[index] = _hashes(resource)
    return Manifest(version.upper(), product, golden, start, end)


def _hashes(resource: Element) -> tuple[bytes, ...]:
    count = _number(resource.attribute("", "alternatives"))
    if not 1 <= count <= MAX_ALTERNATIVES:
        raise _malformed(f"{count} alternatives", f"1 to {MAX_ALTERNATIVES}")
    values = [resource.attribute(SHA384, f"Hash{place}") or "" for place in range(count)]
    if not all(map(_DIGEST.match, values)):
        raise _malformed("a digest of another form", "48 bytes in hex")
    return tuple(bytes.fromhex(value) for value in values)


def _number(value: str | None) -> int:
    return int(value) if value is not None and value.isascii() and value.isdigit() and len(value) < 5 else -1


def _malformed(found: str, wanted: str) -> CollateralError:
    return CollateralError(Code.NVIDIA_RIM, found=found, wanted=wanted)
