"""Binary HTTP messages of indeterminate length, written piece by piece (RFC 9292 sections 3.1 and 3.2).

    encode_request_head | encode_response_head, encode_content*, CONTENT_END, encode_end

Known-length messages are written by `bhttp`. Left to others: reading (`bhttp_stream`), how long padding is (`padding`).
"""

from confide.codes import Code
from confide.errors import ChannelError
from confide.seal import varint
from confide.seal.bhttp import Pad
from confide.seal.bhttp_stream import RequestHead, section_too_long
from confide.seal.fields import MAX_FIELD_SECTION, MAX_FIELDS, Fields, check_control, check_field, check_status

CONTENT_END = b"\x00"  # the content terminator: the last byte that a receipt of a response covers


def encode_request_head(head: RequestHead) -> bytes:
    """The beginning of an indeterminate-length request (RFC 9292 section 3.2)."""
    check_control(head.method, head.scheme, head.authority, head.path)
    parts = [b"\x02"]
    for item in (head.method, head.scheme, head.authority, head.path):
        parts += (varint.encode(len(item)), item)
    return b"".join((*parts, *_lines(head.headers)))


def encode_response_head(status: int, headers: Fields) -> bytes:
    """The beginning of an indeterminate-length response."""
    check_status(status)
    return b"".join((b"\x03", varint.encode(status), *_lines(headers)))


def encode_content(piece: bytes) -> bytes:
    """Some content; nothing for an empty piece, which would end it."""
    return varint.encode(len(piece)) + piece if piece else b""


def encode_end(trailers: Fields = (), *, written: int = 0, pad_to: Pad | None = None) -> bytes:
    """What follows the content terminator: trailers, their terminator, and padding.

    Args:
        written: bytes of the message so far, which the padded length counts.
    """
    section = b"".join(_lines(trailers))
    padding = 0 if pad_to is None else max(0, pad_to(written + len(section)) - written - len(section))
    return section + bytes(padding)


def _lines(fields: Fields) -> list[bytes]:
    """A terminated field section, checked."""
    if len(fields) > MAX_FIELDS:
        raise ChannelError(Code.BHTTP_LIMIT, found=f"{len(fields)} fields", wanted=f"at most {MAX_FIELDS}")
    parts: list[bytes] = []
    for name, value in fields:
        check_field(name, value)
        parts += (varint.encode(len(name)), name, varint.encode(len(value)), value)
    if sum(map(len, parts)) > MAX_FIELD_SECTION:
        raise section_too_long(sum(map(len, parts)))
    return [*parts, b"\x00"]
