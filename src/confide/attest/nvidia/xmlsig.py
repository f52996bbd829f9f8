"""One enveloped XML signature over a whole document (W3C XML Signature 1.1), by exactly the algorithms that NVIDIA's manifests use.

There is one `Signature`, a child of the root; it has one reference, to the whole document (`URI=""`), with the transforms
"enveloped" and Canonical XML; digest SHA-384, signature ECDSA with SHA-384 as r || s (RFC 9231 section 2.3.6). Anything else
refuses: what is read afterwards is the very tree that was hashed, so there is no other element to look at. Left to others: whose
certificates these are.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from confide.attest import x509
from confide.attest.checks import Checks
from confide.attest.nvidia.xml import Element, canonical
from confide.attest.x509 import UNREADABLE, Certificate
from confide.codes import Code
from confide.errors import CollateralError

DS = "http://www.w3.org/2000/09/xmldsig#"
ENVELOPED = DS + "enveloped-signature"
C14N = frozenset({"http://www.w3.org/2006/12/xml-c14n11", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"})
ECDSA_SHA384 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
SHA384_DIGEST = "http://www.w3.org/2001/04/xmldsig-more#sha384"
MAX_CERTIFICATES = 8


@dataclass(frozen=True)
class Signed:
    """A document whose digest and signature are read, not yet trusted. `certificates`: leaf first, as they stand there."""

    root: Element = field(repr=False)
    info: Element = field(repr=False)
    signature: Element = field(repr=False)
    value: bytes = field(repr=False)
    digest: bytes
    certificates: tuple[Certificate, ...] = field(repr=False)


def read(root: Element) -> Signed:
    """The signature of a document.

    Raises:
        CollateralError: `nvidia.xml` for any other form.
    """
    signatures = [element for element in root.walk() if element.tag == (DS, "Signature")]
    if len(signatures) != 1 or signatures[0] not in root.elements:
        raise _form(f"{len(signatures)} signatures", "one, in the root element")
    signature = signatures[0]
    info, value, keys = _children(signature, ("SignedInfo", "SignatureValue", "KeyInfo"))
    method, algorithm, reference = _children(info, ("CanonicalizationMethod", "SignatureMethod", "Reference"))
    transforms, digest_method, digest = _children(reference, ("Transforms", "DigestMethod", "DigestValue"))
    chosen = [each.attribute("", "Algorithm") for each in transforms.elements]
    fits = (
        method.attribute("", "Algorithm") in C14N
        and algorithm.attribute("", "Algorithm") == ECDSA_SHA384
        and reference.attribute("", "URI") == ""
        and len(chosen) == 2
        and chosen[0] == ENVELOPED
        and chosen[1] in C14N
        and digest_method.attribute("", "Algorithm") == SHA384_DIGEST
        and not any(each.elements for each in (method, algorithm, digest_method, *transforms.elements))
    )
    if not fits:
        raise _form("other algorithms or references", "the whole document, Canonical XML, SHA-384, ECDSA")
    return Signed(root, info, signature, _base64(value.text), _base64(digest.text), _certificates(keys))


def require_signed(signed: Signed, leaf: Certificate, *, title: str, checks: Checks) -> None:
    """The document's digest is the signed one, and the signature is one by `leaf`: `nvidia.rim_signature` otherwise."""
    found = hashlib.sha384(canonical(signed.root, without=signed.signature)).digest()
    checks.require(
        hmac.compare_digest(found, signed.digest),
        Code.NVIDIA_RIM_SIGNATURE,
        f"{title} digest",
        found=found.hex(),
        wanted=signed.digest.hex(),
    )
    good = _verifies(leaf, signed.value, canonical(signed.info))
    checks.require(good, Code.NVIDIA_RIM_SIGNATURE, f"{title} signature", found=x509.told(good), wanted="a good one")


def _children(element: Element, names: Sequence[str]) -> list[Element]:
    """Exactly these children, in order."""
    found = element.elements
    if [child.tag for child in found] != [(DS, name) for name in names]:
        raise _form(f"other members of {element.tag[1]}", ", ".join(names))
    return found


def _certificates(keys: Element) -> tuple[Certificate, ...]:
    data = [each for element in keys.elements if element.tag == (DS, "X509Data") for each in element.elements]
    texts = [each.text for each in data if each.tag == (DS, "X509Certificate")]
    if not 1 <= len(texts) <= MAX_CERTIFICATES:
        raise _form(f"{len(texts)} certificates", f"1 to {MAX_CERTIFICATES}")
    return tuple(x509.load_certificate(_base64(text)) for text in texts)


def _verifies(leaf: Certificate, value: bytes, data: bytes) -> bool:
    try:
        key = leaf.public_key()
    except UNREADABLE:
        return False
    r, s = int.from_bytes(value[:48]), int.from_bytes(value[48:])
    if (
        not isinstance(key, ec.EllipticCurvePublicKey)
        or not isinstance(key.curve, ec.SECP384R1)
        or len(value) != 96
        or not r
        or not s
    ):
        return False
    try:
        key.verify(encode_dss_signature(r, s), data, ec.ECDSA(SHA384()))
    except InvalidSignature:
        return False
    return True


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise _form("a value that is no base 64", "base 64") from None


def _form(found: str, wanted: str) -> CollateralError:
    return CollateralError(Code.NVIDIA_XML, found=found, wanted=wanted)
