"""JSON for bytes from outside: one spelling for one meaning, bounded before it is parsed (RFC 8259, RFC 7493 I-JSON).

Refused: more bytes than the caller allows, anything but UTF-8, a byte order mark, duplicate members, NaN and infinities, integers
beyond 2^53 - 1, lone surrogates, nesting deeper than 32, trailing data. Left to others: which members exist (`msgspec` structs).
"""

import base64
import binascii
import json
import math
import re
from typing import Any, TypeVar

import msgspec

from confide.codes import Code
from confide.errors import ConfideError

MAX_DEPTH = 32
MAX_SAFE_INTEGER = 2**53 - 1  # RFC 7493 section 2.2

T = TypeVar("T")
# A string that never ends runs to the end of the data: were it no match, the search would start again at each escaped quote in it,
# which takes the square of the length.
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_PATH = re.compile(r" - at (`\$[A-Za-z0-9_.\[\]]*`)\Z")


class JsonError(ConfideError):
    """The bytes are not strict JSON, or not of the expected shape."""


def loads(data: bytes, *, limit: int) -> Any:
    """Parse `data` of at most `limit` bytes.

    Raises:
        JsonError: `json.too_large`, `json.duplicate_member` or `json.malformed`.
    """
    if len(data) > limit:
        raise JsonError(Code.JSON_TOO_LARGE, found=f"{len(data)} bytes", wanted=f"at most {limit}")
    _bound_depth(data)
    try:
        text = data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_members, parse_constant=_no_constant, parse_int=_integer, parse_float=_finite)
        if "\\u" in text:
            _no_surrogates(value)
    except (ValueError, RecursionError) as error:
        raise JsonError(Code.JSON_MALFORMED, found=_complaint(error), wanted="strict JSON") from None
    return value


def _complaint(error: ValueError | RecursionError) -> str:
    """What is wrong, in words that hold nothing of the text."""
    if isinstance(error, json.JSONDecodeError):
        return f"no JSON from line {error.lineno}, column {error.colno} on"
    if isinstance(error, UnicodeDecodeError):
        return f"no UTF-8 at byte {error.start}"
    return "a number or a string that strict JSON leaves out" if isinstance(error, ValueError) else "nested too deeply"


def load_as(data: bytes, kind: type[T], *, limit: int) -> T:
    """Parse strictly and convert to a `msgspec.Struct` type, whose unknown members refuse if it says so.

    Raises:
        JsonError: as `loads`, and `json.shape` when the members are not those of `kind`.
    """
    return convert(loads(data, limit=limit), kind)


def convert(value: Any, kind: type[T]) -> T:
    """Convert parsed JSON to `kind`; `json.shape` names the place, never the content."""
    try:
        return msgspec.convert(value, kind, strict=True)
    except (msgspec.ValidationError, ValueError) as error:
        raise JsonError(Code.JSON_SHAPE, found=_place(error), wanted=kind.__name__) from None


def dumps(value: Any) -> bytes:
    """Serialise once, compactly, in the order given. Never called twice for bytes that were hashed or signed."""
    return json.dumps(msgspec.to_builtins(value), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def b64(data: bytes) -> str:
    """Base 64 with padding (RFC 4648 section 4)."""
    return b64_bytes(data).decode("ascii")


def b64_bytes(data: bytes) -> bytes:
    """The same as ASCII bytes."""
    return binascii.b2a_base64(data, newline=False)


def unb64(text: str, *, limit: int) -> bytes:
    """The one canonical base 64 spelling of at most `limit` bytes; `json.base64` otherwise (RFC 4648 section 3.5)."""
    if len(text) > (limit + 2) // 3 * 4:
        raise JsonError(Code.JSON_TOO_LARGE, found=f"{len(text)} base 64 characters", wanted=f"at most {limit} bytes")
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise JsonError(Code.JSON_BASE64, found="not base 64", wanted="padded base 64, RFC 4648 section 4") from None
    if len(data) > limit:  # four characters stand for one to three bytes
        raise JsonError(Code.JSON_TOO_LARGE, found=f"{len(data)} bytes", wanted=f"at most {limit} bytes")
    # Four characters are three bytes, so no other spelling has this length but in the unused bits of the last four characters.
    if len(text) != (len(data) + 2) // 3 * 4 or b64(data[-1 - (len(data) - 1) % 3 :] if data else data) != text[-4:]:
        raise JsonError(Code.JSON_BASE64, found="a second spelling", wanted="canonical base 64")
    return data


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JsonError(Code.JSON_DUPLICATE_MEMBER, found="a member given twice", wanted="each member once")
    return members


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _finite(text: str) -> float:
    """`json` reads "1e999" as infinity."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("number out of range")
    return value


def _integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > MAX_SAFE_INTEGER:
        raise ValueError("integer out of range")
    return int(text)


def _bound_depth(data: bytes) -> None:
    """Brackets outside strings, counted before the parser recurses."""
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _STRINGS.sub(b"", data).translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise JsonError(Code.JSON_MALFORMED, found=f"nesting over {MAX_DEPTH}", wanted=f"at most {MAX_DEPTH}")


def _no_surrogates(value: Any) -> None:
    """`json` accepts "\\ud800" and yields a string that cannot be encoded; RFC 7493 section 2.1 forbids it."""
    json.dumps(value, ensure_ascii=False).encode("utf-8")


def _place(error: Exception) -> str:
    """The path that ends a `msgspec` message. The rest may quote names and values of the input, which must not reach a message."""
    found = _PATH.search(str(error))
    return found[1] if found else "the top level"
