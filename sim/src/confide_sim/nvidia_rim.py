"""Reference manifests of a false NVIDIA: SWID tags with an XML signature, written in canonical form from the start.

So nothing here canonicalises: what is hashed is the text itself, without its signature. Left to others: keys (`nvidia`).
"""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

SWID: Final = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd"
SHA384: Final = "http://www.w3.org/2001/04/xmlenc#sha384"
DS: Final = "http://www.w3.org/2000/09/xmldsig#"
C14N: Final = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
ENVELOPED: Final = DS + "enveloped-signature"
ECDSA: Final = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
DIGEST: Final = "http://www.w3.org/2001/04/xmldsig-more#sha384"
Golden = Mapping[int, Sequence[bytes]]


def resource(index: int, values: Sequence[bytes], *, active: bool = True) -> str:
    """One measurement with its alternatives."""
    named = {f"Hash{place}": value.hex() for place, value in enumerate(values)}
    hashes = "".join(f' SHA384:{name}="{named[name]}"' for name in sorted(named))
    return (
        f'<Resource active="{active}" alternatives="{len(values)}" index="{index}" name="Measurement_{index}" size="48" '
        f'type="Measurement"{hashes}></Resource>'
    )


def body(version: str, product: str, resources: Sequence[str]) -> tuple[str, str]:
    """The document in two pieces: the signature goes in between."""
    head = f'<SoftwareIdentity xmlns="{SWID}" xmlns:SHA384="{SHA384}" name="{product}" tagId="simulated" version="1.0">'
    entity = '<Entity name="SIMULATED - NOT NVIDIA" role="softwareCreator tagCreator"></Entity>'
    meta = f'<Meta colloquialVersion="{version}" edition="GPU" product="{product}"></Meta>'
    return f"{head}{entity}{meta}<Payload>{''.join(resources)}</Payload>", "</SoftwareIdentity>"


def signed(pieces: tuple[str, str], *, sign: Callable[[bytes], bytes], certificates: Sequence[bytes]) -> bytes:
    """The document with its enveloped signature. `sign` gives r || s over SignedInfo."""
    digest = hashlib.sha384("".join(pieces).encode()).digest()
    info = signed_info(digest)
    value = sign(f'<SignedInfo xmlns="{DS}" xmlns:SHA384="{SHA384}">{info}</SignedInfo>'.encode())
    return "".join((pieces[0], signature(info, value, certificates), pieces[1])).encode()


def signed_info(digest: bytes) -> str:
    """What SignedInfo holds: Canonical XML, ECDSA with SHA-384, one reference to the whole document."""
    return (
        f'<CanonicalizationMethod Algorithm="{C14N}"></CanonicalizationMethod>'
        f'<SignatureMethod Algorithm="{ECDSA}"></SignatureMethod>'
        f'<Reference URI=""><Transforms><Transform Algorithm="{ENVELOPED}"></Transform>'
        f'<Transform Algorithm="{C14N}"></Transform></Transforms>'
        f'<DigestMethod Algorithm="{DIGEST}"></DigestMethod><DigestValue>{_text(digest)}</DigestValue></Reference>'
    )


def signature(info: str, value: bytes, certificates: Sequence[bytes]) -> str:
    """The element Signature."""
    chain = "".join(f"<X509Certificate>{_text(der)}</X509Certificate>" for der in certificates)
    return (
        f'<Signature xmlns="{DS}"><SignedInfo>{info}</SignedInfo><SignatureValue>{_text(value)}</SignatureValue>'
        f"<KeyInfo><X509Data>{chain}</X509Data></KeyInfo></Signature>"
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
