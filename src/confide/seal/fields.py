"""Which field lines and control data a binary HTTP message may hold (RFC 9292 sections 3.4 to 3.6; RFC 9113 section 8.2).

The rules of HTTP/2: lower-case names that are tokens, values without controls at all or white space at the ends, nothing that
belongs to a connection. Left to others: what fields mean (`server`, `client`).
"""

import re
from functools import lru_cache

from confide.codes import Code
from confide.errors import ChannelError

Fields = tuple[tuple[bytes, bytes], ...]

MAX_FIELDS = 128
MAX_FIELD_SECTION = 1 << 16  # bytes; the receipt trailer is about 4 KiB

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch  # token of RFC 9110 section 5.6.2, in lower case
_VALUE = re.compile(rb"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?").fullmatch
_METHOD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}").fullmatch
_SCHEME = re.compile(rb"[a-z][a-z0-9+\-.]{0,15}").fullmatch
_AUTHORITY = re.compile(rb"[!-.0-~]{0,255}").fullmatch  # visible ASCII but "/"
_PATH = re.compile(rb"/[!-~]{0,8191}|\*|").fullmatch
# RFC 9113 section 8.2.2: these would belong to a connection that is not there.
_CONNECTION = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))


@lru_cache(maxsize=512)
def _name_ok(name: bytes) -> bool:
    return len(name) <= 256 and _NAME(name) is not None and name not in _CONNECTION


def check_field(name: bytes, value: bytes) -> None:
    """Raise `bhttp.field` unless HTTP/2 would carry this line. Neither name nor value is quoted: both are content."""
    if not _name_ok(name):
        raise ChannelError(Code.BHTTP_FIELD, found=f"a name of {len(name)} bytes", wanted="a lower-case token, not of a connection")
    if _VALUE(value) is None:
        raise ChannelError(
            Code.BHTTP_FIELD, found=f"a value of {len(value)} bytes", wanted="no controls, no white space at the ends"
        )


def check_control(method: bytes, scheme: bytes, authority: bytes, path: bytes) -> None:
    """Raise `bhttp.control` unless the request's control data is well formed (RFC 9292 section 3.4)."""
    for name, valid in (
        ("method", _METHOD(method)),
        ("scheme", _SCHEME(scheme)),
        ("authority", _AUTHORITY(authority)),
        ("path", _PATH(path)),
    ):
        if valid is None:
            raise ChannelError(Code.BHTTP_CONTROL, found=f"a bad {name}", wanted=f"a {name} as in RFC 9110")


def check_status(status: int, *, informational: bool = False) -> None:
    """Raise `bhttp.control` unless `status` is final, or informational (RFC 9292 section 3.5) and not 101: nothing can upgrade."""
    if not (100 <= status <= 199 and status != 101 if informational else 200 <= status <= 599):
        raise ChannelError(Code.BHTTP_CONTROL, found=f"status {status}", wanted="200 to 599, or 1xx before it and not 101")


def check_content_length(fields: Fields, length: int) -> None:
    """Raise `bhttp.field` if a content-length field contradicts the content (RFC 9110 section 8.6)."""
    for name, value in fields:
        if name == b"content-length" and value != b"%d" % length:
            raise ChannelError(Code.BHTTP_FIELD, found="another content-length", wanted=f"{length}")
