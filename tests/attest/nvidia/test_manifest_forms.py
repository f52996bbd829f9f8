"""Manifests that are signed as they should be, by NVIDIA's own false signer, and are of another form: one member at a time.

Nothing here is refused for its signature: each document verifies as far as its own words go. Left to others: documents that were
changed after signing (`test_manifests.py`), XML itself (`test_xml.py`).
"""

import hashlib
from collections.abc import Callable

import pytest
from tests.attest.nvidia.world import NOW, genuine, gpu, judge
from tests.support import refused

from confide.attest.nvidia.claims import NvidiaClaims
from confide.codes import Code
from confide_sim import nvidia, nvidia_rim
from confide_sim.nvidia_rim import C14N, DIGEST, DS, ECDSA, ENVELOPED, SHA384

Text = Callable[[str], str]
RESOURCES = [nvidia_rim.resource(index, values) for index, values in gpu().golden("driver").items()]
PIECES = nvidia_rim.body(nvidia.DRIVER, "GH100", RESOURCES)
CERTIFICATES = nvidia.rim_certificates(NOW)
KEY = nvidia.key_of("rim")


def unchanged(text: str) -> str:
    return text


def claims(*, pieces: tuple[str, str] = PIECES, info: Text = unchanged, certificates: list[bytes] | None = None) -> NvidiaClaims:
    """A device beside a driver manifest of these pieces, whose SignedInfo is changed before it is signed."""
    chain = CERTIFICATES if certificates is None else certificates
    said = info(nvidia_rim.signed_info(hashlib.sha384("".join(pieces).encode()).digest()))
    value = nvidia.raw_signature(KEY, f'<SignedInfo xmlns="{DS}" xmlns:SHA384="{SHA384}">{said}</SignedInfo>'.encode())
    whole = "".join((pieces[0], nvidia_rim.signature(said, value, chain), pieces[1])).encode()
    return genuine(endorsements={"rim_driver": whole})


def test_a_manifest_that_is_made_this_way_is_believed() -> None:
    found = claims()
    assert found.manifest_failures == ()
    judge(found)


def replaced(old: str, new: str, count: int = -1) -> Text:
    """The last `count`, or all."""

    def change(text: str) -> str:
        assert old in text
        parts = text.split(old)
        return old.join(parts[:count]) + new + new.join(parts[count:]) if count > 0 else text.replace(old, new)

    return change


EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
METHOD, TRANSFORM = f'<CanonicalizationMethod Algorithm="{C14N}">', f'<Transform Algorithm="{C14N}">'
FIRST = f'<Transform Algorithm="{ENVELOPED}">'
INNER = "<InclusiveNamespaces></InclusiveNamespaces>"
SIGNED_INFO: dict[str, Text] = {
    "another canonical form of SignedInfo": replaced(METHOD, METHOD.replace(C14N, EXCLUSIVE)),
    "canonical form with comments": replaced(METHOD, METHOD.replace(C14N, C14N + "#WithComments")),
    "no canonical form": replaced(f' Algorithm="{C14N}"></CanonicalizationMethod>', "></CanonicalizationMethod>"),
    "a parameter of the canonical form": replaced(METHOD, METHOD + INNER),
    "another first transform": replaced(FIRST, f'<Transform Algorithm="{C14N}">'),
    "another second transform": replaced(TRANSFORM, TRANSFORM.replace(C14N, EXCLUSIVE)),
    "a second transform that cuts again": replaced(TRANSFORM, FIRST),
    "a parameter of a transform": replaced(TRANSFORM, TRANSFORM + INNER),
    "a transform of XPath": replaced(
        "</Transforms>", '<Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"></Transform></Transforms>'
    ),
    "one transform": replaced(FIRST + "</Transform>", ""),
    "no transforms": replaced(f"{FIRST}</Transform>{TRANSFORM}</Transform>", ""),
    "another signature algorithm": replaced(ECDSA, ECDSA.replace("ecdsa", "rsa")),
    "HMAC": replaced(ECDSA, "http://www.w3.org/2001/04/xmldsig-more#hmac-sha384"),
    "a parameter of the signature algorithm": replaced(
        "</SignatureMethod>", "<HMACOutputLength>8</HMACOutputLength></SignatureMethod>"
    ),
    "another digest": replaced(DIGEST, "http://www.w3.org/2000/09/xmldsig#sha1"),
    "a parameter of the digest": replaced("</DigestMethod>", "<X></X></DigestMethod>"),
    "a part of the document": replaced('URI=""', 'URI="#Payload"'),
    "another document": replaced('URI=""', 'URI="http://example.invalid/"'),
    "no reference": replaced(' URI=""', ""),
    "a second reference": lambda text: text + text[text.index("<Reference") :],
    "members in another order": replaced(
        "</CanonicalizationMethod>", f'</CanonicalizationMethod><SignatureMethod Algorithm="{ECDSA}"></SignatureMethod>'
    ),
    "a digest that is no base 64": replaced("<DigestValue>", "<DigestValue>*"),
}


@pytest.mark.parametrize("what", SIGNED_INFO)
def test_a_signature_that_covers_something_else_is_of_another_form(what: str) -> None:
    found = claims(info=SIGNED_INFO[what])
    assert [each.code for each in found.manifest_failures] == [Code.NVIDIA_XML]
    with refused(Code.NVIDIA_XML):
        judge(found)


def test_more_certificates_than_a_chain_has_are_of_another_form() -> None:
    found = claims(certificates=CERTIFICATES * 3)
    assert [each.code for each in found.manifest_failures] == [Code.NVIDIA_XML]


HEAD, TAIL = PIECES
META = HEAD[HEAD.index("<Meta") : HEAD.index("<Payload>")]
PAYLOAD = HEAD[HEAD.index("<Payload>") :]
ONE = nvidia_rim.resource(7, [gpu().measurements()[8]])


def body(old: str, new: str) -> tuple[str, str]:
    assert old in HEAD + TAIL
    return HEAD.replace(old, new), TAIL.replace(old, new)


def resource(old: str, new: str) -> tuple[str, str]:
    assert old in ONE
    return nvidia_rim.body(nvidia.DRIVER, "GH100", [ONE.replace(old, new)])


BODIES: dict[str, tuple[str, str]] = {
    "another root element": body("SoftwareIdentity", "SoftwareManifest"),
    "another namespace": body(nvidia_rim.SWID, "urn:simulated"),
    "no Meta": body(META, ""),
    "two of Meta": body(META, META + META),
    "no Payload": body(PAYLOAD, ""),
    "two of Payload": body(PAYLOAD, PAYLOAD + PAYLOAD),
    "measurements elsewhere": body("Payload>", "Evidence>"),
    "a measurement of another element": resource("Resource", "File"),
    "a resource of another type": resource('type="Measurement"', 'type="measurement"'),
    "a resource without a type": resource(' type="Measurement"', ""),
    "no index": resource(' index="7"', ""),
    "no number of alternatives": resource(' alternatives="1"', ""),
    "an index with a sign": resource('index="7"', 'index="+7"'),
    "an index in other digits": resource('index="7"', 'index="７"'),
    "an index with a space": resource('index="7"', 'index=" 7"'),
    "an index in words": resource('index="7"', 'index="seven"'),
    "an index with an underline": resource('index="7"', 'index="1_0"'),
    "an empty index": resource('index="7"', 'index=""'),
    "more alternatives than digests": resource('alternatives="1"', 'alternatives="2"'),
    "a digest under another name": resource("SHA384:Hash0", "SHA384:Hash1"),
    "no digest": resource(f' SHA384:Hash0="{gpu().measurements()[8].hex()}"', ""),
    "a digest with a space": resource('Hash0="', 'Hash0=" '),
}


@pytest.mark.parametrize("what", BODIES)
def test_a_document_of_another_form_is_no_manifest(what: str) -> None:
    found = claims(pieces=BODIES[what])
    assert [each.code for each in found.manifest_failures] == [Code.NVIDIA_RIM]
    with refused(Code.NVIDIA_RIM):
        judge(found)


@pytest.mark.parametrize("version", ["", "570.124.07"])
def test_a_manifest_that_names_another_version_or_none_is_not_this_drivers(version: str) -> None:
    with refused(Code.NVIDIA_RIM_VERSION):
        judge(claims(pieces=nvidia_rim.body(version, "GH100", RESOURCES)))
    with refused(Code.NVIDIA_RIM_VERSION):
        judge(claims(pieces=body(f' colloquialVersion="{nvidia.DRIVER}"', "")))
