"""`formats/strictjson.py`: one spelling for one meaning, and every refusal by its code."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confide.codes import Code
from confide.formats import strictjson
from confide.formats.strictjson import MAX_DEPTH, MAX_SAFE_INTEGER, JsonError

TEXTS = st.text(st.characters(codec="utf-8"))
NUMBERS = st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


class Point(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    x: int
    name: str = ""


def code_of(data: bytes, *, limit: int = 1000) -> Code:
    with pytest.raises(JsonError) as caught:
        strictjson.loads(data, limit=limit)
    return caught.value.code


@given(VALUES)
@settings(max_examples=50, deadline=None)
def test_what_is_written_reads_back(value: Any) -> None:
    data = strictjson.dumps(value)
    assert strictjson.loads(data, limit=len(data)) == value


@given(VALUES)
@settings(max_examples=50, deadline=None)
def test_it_accepts_nothing_that_the_standard_library_reads_otherwise(value: Any) -> None:
    data = json.dumps(value).encode()
    assert strictjson.loads(data, limit=len(data)) == json.loads(data)


def test_writing_is_compact_in_utf_8_and_keeps_the_order() -> None:
    assert strictjson.dumps({"b": [1, True, None], "a": "é"}) == '{"b":[1,true,null],"a":"é"}'.encode()


def test_writing_takes_structs() -> None:
    assert strictjson.dumps(Point(1, "a")) == b'{"x":1,"name":"a"}'


def test_the_bound_is_on_bytes_and_includes_itself() -> None:
    assert strictjson.loads(b"[1]", limit=3) == [1]
    assert code_of(b"[1 ]", limit=3) is Code.JSON_TOO_LARGE


@pytest.mark.parametrize("text", ['{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '[{"b":{"a":null,"c":0,"a":null}}]'])
def test_a_member_given_twice_is_refused(text: str) -> None:
    assert code_of(text.encode()) is Code.JSON_DUPLICATE_MEMBER


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b"[1,]",
        b"{'a':1}",
        b"[1] [2]",
        b"[1]x",
        b"[1]\x00",
        b"\xef\xbb\xbf[]",
        b'"\xff"',
        b"[1]".decode().encode("utf-16"),
        b'"\x01"',
        b"[NaN]",
        b"[Infinity]",
        b"[-Infinity]",
        b"[1e999]",
        b"[-1e999]",
        b"[01]",
        b"[9007199254740992]",
        b"[-9007199254740992]",
        b"[" + b"9" * 500 + b"]",
        b'["\\ud800"]',
        b'{"\\udfff":1}',
        b'"\\ud800\\u0041"',
        b"nul",
    ],
    ids=repr,
)
def test_what_is_not_strict_json_is_refused(data: bytes) -> None:
    assert code_of(data) is Code.JSON_MALFORMED


@pytest.mark.parametrize("text", ['"\\ud83d\\ude00"', "9007199254740991", "-9007199254740991", "1e-400", '"[[[[{{{{"'])
def test_what_stands_beside_the_line_is_accepted(text: str) -> None:
    assert strictjson.loads(text.encode(), limit=100) == json.loads(text)


def test_nesting_is_bounded_before_the_parser_recurses() -> None:
    def deep(depth: int) -> bytes:
        return b"[" * depth + b"]" * depth

    assert strictjson.loads(deep(MAX_DEPTH), limit=1000)
    assert code_of(deep(MAX_DEPTH + 1)) is Code.JSON_MALFORMED
    assert code_of(b'{"a":' * (MAX_DEPTH + 1)) is Code.JSON_MALFORMED
    assert code_of(b"[" * 1_000_000, limit=1_000_000) is Code.JSON_MALFORMED


@pytest.mark.parametrize("end", [b"", b"\\", b'"', b'\\"'])
def test_a_string_of_escaped_quotes_that_never_ends_takes_linear_time(end: bytes) -> None:
    """The square of the length would be twenty minutes for a document of 1 MiB, and this suite's patience is shorter."""
    data = b"[" * 32 + b'{"' + b'\\"' * 500_000 + end
    with pytest.raises(JsonError) as caught:
        strictjson.loads(data, limit=1 << 21)
    assert caught.value.code is Code.JSON_MALFORMED


def test_many_brackets_side_by_side_or_in_strings_are_not_nesting() -> None:
    flat: list[Any] = [[] for _ in range(100)] + ["[" * 100, '\\"[[' * 20]
    assert strictjson.loads(strictjson.dumps(flat), limit=1000) == flat


def test_members_become_a_struct() -> None:
    assert strictjson.load_as(b'{"x":1}', Point, limit=100) == Point(1)


@pytest.mark.parametrize("text", ["[]", "{}", '{"x":"1"}', '{"x":true}', '{"x":1.0}', '{"x":1,"y":2}', '{"x":1,"name":null}'])
def test_other_members_or_types_are_refused(text: str) -> None:
    with pytest.raises(JsonError) as caught:
        strictjson.load_as(text.encode(), Point, limit=100)
    assert caught.value.code is Code.JSON_SHAPE


def test_a_refused_shape_names_the_place_and_not_the_content() -> None:
    with pytest.raises(JsonError) as caught:
        strictjson.load_as(b'[{"x":"secret"}]', list[Point], limit=100)
    assert (caught.value.found, caught.value.wanted) == ("`$[0].x`", "list")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b'{"secret":\n tru}', "no JSON from line 2, column 2 on"),
        (b'{"secret": "\xff"}', "no UTF-8 at byte 12"),
        (b'{"secret": NaN}', "a number or a string that strict JSON leaves out"),
    ],
    ids=["syntax", "encoding", "NaN"],
)
def test_what_is_no_json_is_told_by_its_place_and_not_quoted(data: bytes, found: str) -> None:
    with pytest.raises(JsonError) as caught:
        strictjson.loads(data, limit=100)
    assert (caught.value.code, caught.value.found) == (Code.JSON_MALFORMED, found)


@pytest.mark.parametrize("name", ["secret", "a - at secret", "a - at `$.secret\x1b[2J"])
def test_an_unknown_member_is_not_quoted(name: str) -> None:
    with pytest.raises(JsonError) as caught:
        strictjson.load_as(json.dumps({"x": 1, name: 1}).encode(), Point, limit=100)
    assert (caught.value.found, caught.value.wanted) == ("the top level", "Point")


@given(st.binary(max_size=64))
@settings(max_examples=50, deadline=None)
def test_base_64_reads_back(data: bytes) -> None:
    assert strictjson.unb64(strictjson.b64(data), limit=len(data)) == data


@pytest.mark.parametrize("text", ["QQ", "QQ=", "QR==", "QQ==\n", " QQ==", "QQ==QQ==", "Q-_=", "Q!==", "=", "QQ==é", "QUI=="])
def test_a_second_spelling_of_base_64_is_refused(text: str) -> None:
    with pytest.raises(JsonError) as caught:
        strictjson.unb64(text, limit=100)
    assert caught.value.code is Code.JSON_BASE64


@pytest.mark.parametrize("text", ["AAAAAAAA", "AAAA", "AAA="])
def test_base_64_is_bounded_to_the_byte(text: str) -> None:
    with pytest.raises(JsonError) as caught:
        strictjson.unb64(text, limit=1)
    assert caught.value.code is Code.JSON_TOO_LARGE
