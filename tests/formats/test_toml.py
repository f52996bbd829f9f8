"""TOML from outside: bounded memory, one error."""

import tomllib

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from confide.codes import Code
from confide.formats import toml

LIMIT = 1 << 18


def refused(data: bytes) -> toml.TomlError:
    with pytest.raises(toml.TomlError) as caught:
        toml.loads(data, limit=LIMIT)
    assert caught.value.code is Code.TOML_MALFORMED
    return caught.value


values = st.recursive(
    st.text() | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=50)
@given(st.dictionaries(st.text(min_size=1), values, max_size=5))
def test_what_a_writer_writes_is_read_as_the_standard_library_reads_it(value: dict[str, object]) -> None:
    try:
        text = tomli_w.dumps(value)
        wanted = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeEncodeError):
        return
    if text.count(".") < toml.MAX_KEY_PARTS:
        assert toml.loads(text.encode(), limit=LIMIT) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "a.b.c.d.e.f.g.h = 1",
        "[a.b.c]\nd.e = 1.5",
        'hosts = ["' + ".".join("abcdefghijkl") + '"]',
        "hosts = ['" + "." * 50 + "']",
        'text = """' + "a.b\n" * 50 + '\\""""',
        "text = '''" + "." * 50 + "'''",
        "# " + "." * 100 + "\nnumbers = [" + "1.5, " * 50 + "]",
        'text = "\\"' + "." * 50 + '"\r\nb = 1\r\n',
    ],
)
def test_dots_in_short_keys_numbers_strings_and_comments_are_fine(text: str) -> None:
    assert toml.loads(text.encode(), limit=LIMIT) == tomllib.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        "a" + ".a" * 8 + " = 1",
        "[a" + " . a" * 8 + "]",
        "[[a" + "\t.\ta" * 8 + "]]",
        "x = { a" + ".a" * 8 + " = 1 }",
        '"a"' + ".'a'" * 8 + " = 1",
        '# " \na' + ".a" * 100 + " = 1",
        'x = "\'"\na' + ".a" * 100 + " = 1 # '",
        'x = """ " """\na' + ".a" * 100 + " = 1",
    ],
)
def test_a_key_of_many_parts_is_refused_before_it_is_parsed(text: str) -> None:
    assert "parts" in refused(text.encode()).found


@pytest.mark.parametrize(
    "data",
    [b"\xff", b"a", b"a = 1\na = 2", b"a = 0x" + b"f" * 5000, b"a = " + b"[" * 5000, b'"""', b"'''", b'a = "', b"a = 1979-13-01"],
    ids=lambda data: data[:12].hex(),
)
def test_anything_else_is_one_error(data: bytes) -> None:
    refused(data)


def test_the_error_has_no_control_characters_of_the_file() -> None:
    assert refused(b'"\\u001b[31m" = 1\n"\\u001b[31m" = 2').found.isprintable()


def test_more_bytes_than_the_limit_are_refused_unread() -> None:
    with pytest.raises(toml.TomlError) as caught:
        toml.loads(b"a = 1", limit=4)
    assert caught.value.found == "5 bytes"


@pytest.mark.parametrize("piece", [b'"\\', b'"""\\', b"'", b'"', b"a.", b".", b'#\n"', b"' ", b'"\n', b"[a]\n", b"'''\n'"])
def test_a_hostile_file_of_the_largest_size_costs_little(piece: bytes) -> None:
    """With work that grows with the square of the size, this takes minutes or gigabytes."""
    with pytest.raises(toml.TomlError):
        toml.loads((piece * LIMIT)[:LIMIT], limit=LIMIT)
