"""What a node says inside the seal besides outputs: its errors, with their codes, and its timings."""

import re
from typing import Never

import msgspec

from confide.codes import Code
from confide.errors import ChannelError, RemoteError
from confide.formats import strictjson

MAX_ERROR = 64 << 10  # bytes
MAX_TEXT = 400  # characters of found, wanted, hint: shown to people
TIMING_HEADER = b"confide-timing"
CODES = {str(code.value): code for code in Code}
PARTS = ("queue", "pre", "core", "post")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\u00a0-\ufffd]")


class _Error(msgspec.Struct, frozen=True):
    code: str
    found: str = ""
    wanted: str = ""
    hint: str = ""


class _Body(msgspec.Struct, frozen=True):
    error: _Error


def raise_remote(status: int, content: bytes) -> Never:
    """Raise the node's error under the node's code; under `client.remote` when this version does not know that code."""
    try:
        error = strictjson.load_as(content, _Body, limit=MAX_ERROR).error
    except strictjson.JsonError as bad:
        found = f"HTTP {status} inside the seal, {bad.code.value}"
        raise ChannelError(Code.CLIENT_ANSWER, found=found, wanted="an error with a code") from None
    found, wanted, hint = (_clean(text) for text in (error.found, error.wanted, error.hint))
    code = CODES.get(error.code)
    if code is None:
        found = f"{_clean(error.code)} {found}".strip()
        raise RemoteError(Code.CLIENT_REMOTE, found=found, wanted=wanted, hint=hint or "update confide")
    raise RemoteError(code, found=found, wanted=wanted, hint=hint)


def error_code(status: int, content: bytes) -> Code | None:
    """The code of the node's error, where it is one that this version knows."""
    if status < 400:
        return None
    try:
        return CODES.get(strictjson.load_as(content, _Body, limit=MAX_ERROR).error.code)
    except strictjson.JsonError:
        return None


def parse_timing(headers: tuple[tuple[bytes, bytes], ...]) -> dict[str, float]:
    """`confide-timing: queue=0.1,pre=..,core=..,post=..` in milliseconds, as seconds; what does not parse is left out."""
    text = next((value for name, value in headers if name == TIMING_HEADER), b"")
    found = re.findall(rb"([a-z]{1,16})=([0-9]{1,9}(?:\.[0-9]{1,9})?)", text[:256])
    return {name.decode(): float(value) / 1000 for name, value in found if name.decode() in PARTS}


def _clean(text: str) -> str:
    """Safe for a terminal: no control characters, bounded."""
    return _UNPRINTABLE.sub("?", text[:MAX_TEXT])
