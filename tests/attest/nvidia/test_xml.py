"""XML of NVIDIA's manifests: what a signature could be wrapped or hidden in is refused."""

import pytest

from confide.attest.nvidia import xml
from confide.codes import Code
from confide.errors import CollateralError

REFUSED = {
    "nothing": b"",
    "no XML": b"manifest",
    "an open element": b"<a><b></a>",
    "two roots": b"<a/><b/>",
    "a document type": b"<!DOCTYPE a><a/>",
    "an entity": b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
    "an external entity": b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>',
    "an unknown entity": b"<a>&e;</a>",
    "an instruction": b"<?php x?><a/>",
    "an undeclared prefix": b"<p:a/>",
    "an undeclared prefix of an attribute": b'<a p:b="1"/>',
    "an attribute of xml:": b'<a xml:id="1"/>',
    "the same attribute twice": b'<a b="1" b="2"/>',
    "the same attribute by two prefixes": b'<a xmlns:p="u" xmlns:q="u" p:b="1" q:b="2"/>',
    "too deep": b"<a>" * (xml.MAX_DEPTH + 1) + b"</a>" * (xml.MAX_DEPTH + 1),
    "too many elements": b"<a>" + b"<b/>" * xml.MAX_ELEMENTS + b"</a>",
    "no UTF-8": b"<a>\xff</a>",
    "too large": b"<a>" + b" " * xml.MAX_XML + b"</a>",
}


@pytest.mark.parametrize("name", REFUSED)
def test_xml_that_could_mislead_is_refused(name: str) -> None:
    with pytest.raises(CollateralError) as caught:
        xml.parse(REFUSED[name])
    assert caught.value.code is Code.NVIDIA_XML


def test_elements_are_found_by_namespace_and_name() -> None:
    root = xml.parse(b'<p:a xmlns:p="u" xmlns="v" p:x="1" y="2"><b>text</b><c/></p:a>')
    assert root.tag == ("u", "a")
    assert (root.attribute("u", "x"), root.attribute("", "y"), root.attribute("v", "y")) == ("1", "2", None)
    assert [child.tag for child in root.elements] == [("v", "b"), ("v", "c")]
    assert [each.tag[1] for each in root.walk()] == ["a", "b", "c"]
    assert root.elements[0].text == "text"
