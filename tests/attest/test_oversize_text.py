"""Texts that are too deep, too many, too long or say that they are: JSON, TOML, tokens and XML of every format here.

No parser sees more than its format's bound, and none takes much memory to refuse. Left to others: CBOR and binary structures
(`test_oversize.py`), each bound at the last byte that is taken (`tests/formats`, `tests/policy/test_load.py`).
"""

from collections.abc import Callable, Mapping

import pytest
from tests.policy.ear import tokens
from tests.support import frugal, refused

from confide.attest import admission
from confide.attest.dcap import collateral
from confide.attest.document import parse_document
from confide.attest.keyset import parse_keyset
from confide.attest.nvidia import xml
from confide.attest.tpm.quote import parse_pcrs
from confide.codes import Code
from confide.errors import ConfideError
from confide.formats import dsse
from confide.policy.ear import jws
from confide.policy.load import load_policy
from confide.policy.reference import plain
from confide.policy.rollback import RollbackState

DEEP = 100_000
WIDE = 300_000
EVERYTHING = 64 << 20  # bytes that 1 MiB of the smallest values takes

# --- JSON -------------------------------------------------------------------------------------------------------------------------

FORMATS: Mapping[str, tuple[Callable[[bytes], object], frozenset[Code]]] = {
    "document": (parse_document, frozenset({Code.DOCUMENT_MALFORMED, Code.DOCUMENT_TOO_LARGE})),
    "keyset": (parse_keyset, frozenset({Code.KEYSET_MALFORMED, Code.KEYSET_TOO_LARGE})),
    "admission": (admission.parse_admission, frozenset({Code.ADMISSION_MALFORMED})),
    "TCB info": (collateral.parse_tcb_info, frozenset({Code.DCAP_COLLATERAL})),
    "QE identity": (collateral.parse_identity, frozenset({Code.DCAP_COLLATERAL})),
    "PCRs": (parse_pcrs, frozenset({Code.TPM_STRUCTURE})),
    "policy": (load_policy, frozenset({Code.POLICY_MALFORMED})),
    "references": (lambda data: plain.read(data, limit=1 << 20), frozenset({Code.REFERENCE_MALFORMED})),
    "rollback state": (RollbackState.from_json, frozenset({Code.VERDICT_STATE})),
    "envelope": (lambda data: dsse.verify(data, payload_type="x", keys=()), frozenset({Code.DSSE_MALFORMED})),
}


def nested(opening: bytes, closing: bytes, count: int) -> bytes:
    return b'{"version":1,"a":' + opening * count + b"1" + closing * count + b"}"


JSON: Mapping[str, bytes] = {
    "arrays in arrays": nested(b"[", b"]", DEEP),
    "objects in objects": nested(b'{"a":', b"}", DEEP),
    "beginnings alone": b'{"a":' * DEEP,
    "a string of brackets that never ends": b'{"a":"' + b"[" * DEEP,
    "a string of escapes that never ends": b'{"a":"' + b'\\"' * DEEP,
    "a member twice": b'{"version":1,"version":1}',
    "a member twice, spelled otherwise": b'{"version":1,"versio\\u006e":1}',
    "a member twice within": b'{"version":1,"a":{"b":{"c":1,"c":2}}}',
    "a member again and again": b'{"version":1' + b',"a":1' * 50_000 + b"}",
    "a long number": b'{"version":' + b"1" * DEEP + b"}",
    "a long fraction": b'{"version":0.' + b"1" * DEEP + b"e999999}",
    "a number beyond all": b'{"version":1e999}',
    "no number": b'{"version":NaN}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"version":1}'.encode("utf-16"),
    "half a character": b'{"version":1,"a":"\\ud800"}',
    "something behind": b'{"version":1} {}',
    "one byte too many": b" " * (2 << 20) + b"{}",
}


@pytest.mark.parametrize("what", JSON)
@pytest.mark.parametrize("name", FORMATS)
def test_json_beyond_its_bounds_is_refused(name: str, what: str) -> None:
    read, codes = FORMATS[name]
    with frugal(), pytest.raises(ConfideError) as caught:
        read(JSON[what])
    assert caught.value.code in codes


@pytest.mark.parametrize("name", FORMATS)
def test_json_that_is_wide_takes_what_it_takes(name: str) -> None:
    """As many values as fit; a list of them is of no format here."""
    read, _ = FORMATS[name]
    with frugal(EVERYTHING), pytest.raises(ConfideError):
        read(b'{"version":1,"a":[' + b"[]," * WIDE + b"1]}")


@pytest.mark.parametrize(
    "text", ["[" * DEEP, "a." * 50_000 + "a = 1", "a = " + "{a = " * DEEP, "[a]\n" * 50_000, "a = '''" + "x" * DEEP]
)
def test_toml_beyond_its_bounds_is_refused(text: str) -> None:
    with frugal(), refused(Code.POLICY_MALFORMED):
        load_policy(text.encode())


@pytest.mark.parametrize("token", ["a" * (jws.MAX_TOKEN + 1), "." * 10_000, "e30." * 1000, "." + "A" * 1_000_000 + "."])
def test_a_token_beyond_its_bounds_is_refused(token: str) -> None:
    with frugal(), refused(Code.EAR_MALFORMED):
        jws.verify(token, tokens.ED25519.public_key())


# --- XML --------------------------------------------------------------------------------------------------------------------------


def declared(count: int, inner: bytes = b"") -> bytes:
    return b"<r " + b" ".join(b'xmlns:n%d="u"' % number for number in range(count)) + b">" + inner + b"</r>"


XML: Mapping[str, bytes] = {
    "elements in elements": b"<a>" * DEEP,
    "many elements": b"<a>" + b"<b/>" * 200_000 + b"</a>",
    "many attributes": b"<a " + b" ".join(b'a%d=""' % number for number in range(50_000)) + b"/>",
    "many namespaces": declared(40_000),
    "many namespaces for many elements": declared(20_000, b"<b/>" * 4000),
    "a namespace more at each step": b"".join(b'<a xmlns:n%d="u" xmlns:m%d="u">' % (step, step) for step in range(16)),
    "a long name": b"<" + b"a" * 500_000 + b">",
    "a long prefix": b"<" + b"a" * 500_000 + b":a/>",
    "an entity of entities": b'<!DOCTYPE a [<!ENTITY b "' + b"x" * 1000 + b'"><!ENTITY c "' + b"&b;" * 1000 + b'">]><a>&c;</a>',
    "many instructions": b"<?a?>" * 100_000 + b"<a/>",
    "one byte too many": b"<a>" + b" " * xml.MAX_XML + b"</a>",
}


@pytest.mark.parametrize("what", XML)
def test_xml_beyond_its_bounds_is_refused(what: str) -> None:
    with frugal(), refused(Code.NVIDIA_XML):
        xml.parse(XML[what])


def test_the_canonical_form_of_the_largest_tree_is_small() -> None:
    root = xml.parse(declared(xml.MAX_NAMESPACES, b"<b/>" * (xml.MAX_ELEMENTS - 1)))
    with frugal():
        assert len(xml.canonical(root)) < 100_000
