"""TOML for bytes from outside: bounded, and with short keys (TOML 1.0.0; parsed by the standard library's `tomllib`).

`tomllib` takes memory that grows with the square of the parts of a dotted key: 32 KB of `a.a.a...` take a gigabyte. No format here
has keys of more than three parts, so longer ones are refused before it sees them. Left to others: which members exist.
"""

import re
import tomllib
from typing import Any

from confide.codes import Code
from confide.errors import ConfideError

MAX_KEY_PARTS = 8
# Strings and comments (TOML 1.0.0, "String", "Comment"). An unterminated one reaches to where `tomllib` would give up, so that each
# byte is looked at once.
_TEXT = re.compile(
    r'"""(?:\\.|[^\\])*?(?:"""|\Z)'
    r"|'''.*?(?:'''|\Z)"
    r'|"(?:\\.|[^"\\\n])*+(?:"|(?=\n)|\Z)'
    r"|'[^'\n]*+(?:'|(?=\n)|\Z)"
    r"|#[^\n]*+",
    re.DOTALL,
)
_RUN = re.compile(r"[A-Za-z0-9_\-. \t]+")


class TomlError(ConfideError):
    """The bytes are not TOML, or not within the bounds."""


def loads(data: bytes, *, limit: int) -> dict[str, Any]:
    """Parse `data` of at most `limit` bytes; raises `toml.malformed` for anything else than bounded TOML."""
    if len(data) > limit:
        raise TomlError(Code.TOML_MALFORMED, found=f"{len(data)} bytes", wanted=f"at most {limit}")
    try:
        text = data.decode("utf-8").replace("\r\n", "\n")
        _bound_keys(text)
        members = tomllib.loads(text)
        _bound_integers(members)
    except UnicodeDecodeError:
        raise _malformed("not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise _malformed(ascii(str(error)[:120])[1:-1]) from None
    except (ValueError, OverflowError, RecursionError):
        raise _malformed("nesting, numbers or times out of bounds") from None
    return members


def _bound_integers(members: dict[str, Any]) -> None:
    """64 bits (TOML 1.0.0, "Integer"); `tomllib` takes any, and printing a huge one is an error of its own."""
    left: list[Any] = [members]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
        elif type(value) is int and not -(2**63) <= value < 2**63:
            raise OverflowError


def _bound_keys(text: str) -> None:
    """Outside strings and comments a dot separates parts of a key, or stands in a number, once."""
    if text.count(".") < MAX_KEY_PARTS:
        return
    if max((run.count(".") for run in _RUN.findall(_TEXT.sub("s", text))), default=0) >= MAX_KEY_PARTS:
        raise _malformed(f"a key of more than {MAX_KEY_PARTS} parts")


def _malformed(found: str) -> TomlError:
    return TomlError(Code.TOML_MALFORMED, found=found, wanted="TOML")
