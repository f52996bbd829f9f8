"""Hostile bytes into every parser of `formats` and of keyset, document and admission.

The invariant: a parser gives a value or raises `ConfideError`, and nothing else ever comes out; no changed signature or proof is
accepted.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripts.vectors import _node as node

from confide.attest.admission import PAYLOAD_TYPE, parse_admission, verify_admission
from confide.attest.checks import Checks
from confide.attest.document import parse_document
from confide.attest.keyset import parse_keyset
from confide.attest.publickeys import read_key_config
from confide.errors import ConfideError
from confide.formats import dsse, merkle, strictjson

KEYSET, DOCUMENT = node.encode(node.keyset_members()), node.encode(node.document_members())
STATEMENT = node.encode(node.admission_members())
ENVELOPE = dsse.sign(STATEMENT, payload_type=PAYLOAD_TYPE, keys=(node.AUTHORITY,))
ADMITTED = node.keyset()

Parser = Callable[[bytes], object]


def read_json(data: bytes) -> object:
    return strictjson.loads(data, limit=1 << 20)


def read_base_64(data: bytes) -> object:
    return strictjson.unb64(data.decode("latin-1"), limit=1 << 16)


def read_envelope(data: bytes) -> object:
    return dsse.verify(data, payload_type=PAYLOAD_TYPE, keys=(node.AUTHORITY.public, node.LOG.public))


def read_admission(data: bytes) -> object:
    given: dict[str, Any] = {"authority_key": node.AUTHORITY.public, "now": node.NOW, "platform_id": node.PLATFORM}
    return verify_admission(data, keyset=ADMITTED, checks=Checks(), **given)


PARSERS: dict[str, tuple[Parser, bytes]] = {
    "json": (read_json, KEYSET),
    "base64": (read_base_64, node.b64(node.XWING).encode()),
    "dsse": (read_envelope, ENVELOPE),
    "key_config": (read_key_config, node.XWING),
    "keyset": (parse_keyset, KEYSET),
    "document": (parse_document, DOCUMENT),
    "statement": (parse_admission, STATEMENT),
    "admission": (read_admission, ENVELOPE),
}
EACH = pytest.mark.parametrize("name", PARSERS)
JSON = [name for name in PARSERS if name not in {"base64", "key_config"}]
MEMBERS = {"keyset": node.keyset_members(), "document": node.document_members(), "statement": node.admission_members()}
TOKENS = [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"1e999", b"-1", b"\\ud800", b"\xff", b"\0"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def survives(name: str, data: bytes) -> bool:
    """Whether the parser accepted; any error but ours fails the test by itself."""
    try:
        PARSERS[name][0](data)
    except ConfideError:
        return False
    return True


def mutations(valid: bytes) -> st.SearchStrategy[bytes]:
    """One to four spans of the valid bytes replaced, removed or repeated."""
    span = st.tuples(st.integers(0, len(valid)), st.integers(0, 12), st.binary(max_size=12) | st.sampled_from(TOKENS))

    def apply(spans: list[tuple[int, int, bytes]]) -> bytes:
        data = valid
        for start, length, new in spans:
            data = data[:start] + new + data[start + length :]
        return data

    return st.lists(span, min_size=1, max_size=4).map(apply)


@EACH
def test_the_valid_bytes_are_accepted(name: str) -> None:
    assert survives(name, PARSERS[name][1])


@EACH
@given(st.binary(max_size=300))
@settings(max_examples=50, deadline=None)
def test_garbage_is_a_value_or_our_own_error(name: str, data: bytes) -> None:
    survives(name, data)


@EACH
@given(st.data())
@settings(max_examples=50, deadline=None)
def test_broken_bytes_are_a_value_or_our_own_error(name: str, data: st.DataObject) -> None:
    survives(name, data.draw(mutations(PARSERS[name][1])))


@EACH
@pytest.mark.deep
@given(st.data())
@settings(max_examples=5000, deadline=None)
def test_broken_bytes_at_length(name: str, data: st.DataObject) -> None:
    survives(name, data.draw(mutations(PARSERS[name][1])))


@pytest.mark.parametrize("name", sorted(PARSERS.keys() - {"base64"}))  # there a cut after four characters is a shorter value
def test_every_truncation_is_refused(name: str) -> None:
    valid = PARSERS[name][1]
    step = max(1, len(valid) // 400)
    assert [cut for cut in range(0, len(valid), step) if survives(name, valid[:cut])] == []


@pytest.mark.parametrize("name", JSON)
@given(VALUES)
@settings(max_examples=50, deadline=None)
def test_other_json_is_a_value_or_our_own_error(name: str, value: Any) -> None:
    survives(name, json.dumps(value).encode())


@pytest.mark.parametrize(("name", "members"), MEMBERS.items(), ids=MEMBERS)
@given(st.data())
@settings(max_examples=50, deadline=None)
def test_a_member_of_any_other_value_is_a_value_or_our_own_error(name: str, members: dict[str, Any], data: st.DataObject) -> None:
    member = data.draw(st.sampled_from(sorted(members)))
    survives(name, json.dumps(members | {member: data.draw(VALUES)}).encode())


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_an_accepted_keyset_keeps_its_exact_bytes(data: st.DataObject) -> None:
    raw = data.draw(mutations(KEYSET))
    if survives("keyset", raw):
        assert parse_keyset(raw).raw == raw


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_a_changed_admission_is_never_another_admission(data: st.DataObject) -> None:
    raw = data.draw(mutations(ENVELOPE))
    if survives("admission", raw):
        assert read_admission(raw) == read_admission(ENVELOPE)


NODES = st.lists(st.binary(max_size=40), max_size=70)


@given(st.binary(max_size=40), st.integers(-2, 2**64), st.integers(-2, 2**64), NODES, st.binary(max_size=40))
@settings(max_examples=50, deadline=None)
def test_no_made_up_proof_is_accepted(leaf: bytes, first: int, second: int, path: list[bytes], root: bytes) -> None:
    roots = {"first_root": leaf, "second_root": root}
    with suppress(ConfideError):
        merkle.verify_inclusion(leaf, index=first, size=second, path=path, root=root)
        assert (leaf, path) == (root, [])
    with suppress(ConfideError):
        merkle.verify_consistency(first=first, second=second, path=path, **roots)
        assert first == 0 or (leaf, path) == (root, [])
