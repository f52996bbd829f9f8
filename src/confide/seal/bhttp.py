"""Binary HTTP messages (RFC 9292): known-length encoding with trailers and zero padding; both framings decoded.

    framing indicator | control data | header section | content | trailer section | zero padding
    0 request, 1 response (known length, written here); 2 and 3 the indeterminate forms (read here; streamed by a later room)

A receipt commits to a response's bytes through the content (`DecodedResponse.content_end`), so a response is written in two steps:
`encode_response_prefix`, then `finish_response` with the trailers that hold the receipt. Left to others: which fields and control
data are allowed (`fields`), how long padding is (`padding`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from confide.codes import Code
from confide.errors import ChannelError
from confide.seal import varint
from confide.seal.fields import (
    MAX_FIELD_SECTION,
    MAX_FIELDS,
    Fields,
    check_content_length,
    check_control,
    check_field,
    check_status,
)

DEFAULT_MAX_CONTENT = 64 << 20
MAX_INFORMATIONAL = 8
_REQUEST, _RESPONSE, _REQUEST_INDETERMINATE, _RESPONSE_INDETERMINATE = range(4)  # RFC 9292 section 3.3
Pad = Callable[[int], int]


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """A request; its repr shows no content (DESIGN rule 10)."""

    method: bytes
    scheme: bytes
    authority: bytes
    path: bytes
    headers: Fields = ()
    content: bytes = b""
    trailers: Fields = ()

    def __repr__(self) -> str:
        return f"Request({len(self.headers)} headers, {len(self.content)} bytes)"


@dataclass(frozen=True, slots=True)
class Informational:
    """An interim response (RFC 9292 section 3.5.1)."""

    status: int
    headers: Fields = ()


@dataclass(frozen=True, slots=True, repr=False)
class Response:
    """A final response; its repr shows no content."""

    status: int
    headers: Fields = ()
    content: bytes = b""
    trailers: Fields = ()
    informational: tuple[Informational, ...] = ()

    def __repr__(self) -> str:
        return f"Response({self.status}, {len(self.headers)} headers, {len(self.content)} bytes)"


@dataclass(frozen=True, slots=True)
class DecodedResponse:
    """A response, and where its content ends: a receipt commits to `data[:content_end]`."""

    response: Response
    content_end: int


def encode_request(request: Request, *, pad_to: Pad | None = None) -> bytes:
    """The known-length form; `pad_to` maps its length to the padded length."""
    check_control(request.method, request.scheme, request.authority, request.path)
    check_content_length(request.headers, len(request.content))
    parts = [b"\x00"]
    for item in (request.method, request.scheme, request.authority, request.path):
        parts += (varint.encode(len(item)), item)
    parts += _section(request.headers)
    parts += (varint.encode(len(request.content)), request.content)
    parts += _section(request.trailers)
    return _padded(parts, pad_to)


def encode_response(response: Response, *, pad_to: Pad | None = None) -> bytes:
    """The known-length form, with its interim responses."""
    interim: list[bytes] = []
    for item in response.informational:
        check_status(item.status, informational=True)
        interim += (varint.encode(item.status), *_section(item.headers))
    prefix = _response_prefix(interim, response.status, response.headers, response.content)
    return _padded([*prefix, *_section(response.trailers)], pad_to)


def encode_response_prefix(status: int, headers: Fields, content: bytes) -> bytes:
    """A response through its content: what a receipt commits to."""
    return b"".join(_response_prefix([], status, headers, content))


def finish_response(prefix: bytes, trailers: Fields = (), pad_to: Pad | None = None) -> bytes:
    """`prefix`, its trailers, and padding."""
    return _padded([prefix, *_section(trailers)], pad_to)


def decode_request(data: bytes, *, max_content: int = DEFAULT_MAX_CONTENT) -> Request:
    """A request in either framing.

    Raises:
        ChannelError: `bhttp.framing`, `bhttp.truncated`, `bhttp.padding`, `bhttp.control`, `bhttp.field` or `bhttp.limit`.
    """
    framing, at = varint.decode(data, 0)
    if framing not in (_REQUEST, _REQUEST_INDETERMINATE):
        raise ChannelError(Code.BHTTP_FRAMING, found=str(framing), wanted="0 or 2, a request")
    method, at = _take(data, at)
    scheme, at = _take(data, at)
    authority, at = _take(data, at)
    path, at = _take(data, at)
    check_control(method, scheme, authority, path)
    body = _body(data, at, known=framing == _REQUEST, max_content=max_content)
    check_content_length(body.headers, len(body.content))
    return Request(method, scheme, authority, path, body.headers, body.content, body.trailers)


def decode_response(data: bytes, *, max_content: int = DEFAULT_MAX_CONTENT) -> DecodedResponse:
    """A response in either framing; errors as `decode_request`."""
    framing, at = varint.decode(data, 0)
    if framing not in (_RESPONSE, _RESPONSE_INDETERMINATE):
        raise ChannelError(Code.BHTTP_FRAMING, found=str(framing), wanted="1 or 3, a response")
    known = framing == _RESPONSE
    interim: list[Informational] = []
    status, at = varint.decode(data, at)
    while 100 <= status <= 199:
        check_status(status, informational=True)
        if len(interim) == MAX_INFORMATIONAL:
            raise ChannelError(Code.BHTTP_LIMIT, found="more interim responses", wanted=f"at most {MAX_INFORMATIONAL}")
        headers, at = _fields(data, at, known=known)
        interim.append(Informational(status, headers))
        status, at = varint.decode(data, at)
    check_status(status)
    body = _body(data, at, known=known, max_content=max_content)
    return DecodedResponse(Response(status, body.headers, body.content, body.trailers, tuple(interim)), body.content_end)


class _Body(NamedTuple):
    headers: Fields
    content: bytes
    trailers: Fields
    content_end: int


def _body(data: bytes, at: int, *, known: bool, max_content: int) -> _Body:
    """Header section, content, trailers and padding; those at the end that are empty may be missing (RFC 9292 section 3.8)."""
    size = len(data)
    headers, at = ((), at) if at == size else _fields(data, at, known=known)
    content, content_end = (b"", at) if at == size else _content(data, at, known=known, limit=max_content)
    trailers, at = ((), content_end) if content_end == size else _fields(data, content_end, known=known)
    if at != size and data.count(0, at) != size - at:
        raise ChannelError(Code.BHTTP_PADDING, found=f"{size - at} bytes", wanted="zeros (RFC 9292 section 3.8)")
    return _Body(headers, content, trailers, content_end)


def _content(data: bytes, at: int, *, known: bool, limit: int) -> tuple[bytes, int]:
    if known:
        return _take(data, at, limit=limit)
    chunks: list[bytes] = []
    total = 0
    while True:
        chunk, at = _take(data, at, limit=limit - total)
        if not chunk:  # the content terminator
            return b"".join(chunks), at
        total += len(chunk)
        chunks.append(chunk)


def _fields(data: bytes, at: int, *, known: bool) -> tuple[Fields, int]:
    """A field section (RFC 9292 section 3.6): by its length, or to its terminator."""
    return _counted_fields(data, at) if known else _terminated_fields(data, at)


def _counted_fields(data: bytes, at: int) -> tuple[Fields, int]:
    size, at = varint.decode(data, at)
    if size > MAX_FIELD_SECTION:
        raise ChannelError(Code.BHTTP_LIMIT, found=f"a field section of {size} bytes", wanted=f"at most {MAX_FIELD_SECTION}")
    end = at + size
    if end > len(data):
        raise ChannelError(Code.BHTTP_TRUNCATED, found=f"{len(data) - at} bytes", wanted=f"a field section of {size}")
    fields: list[tuple[bytes, bytes]] = []
    while at < end:
        name, at = _take(data, at)
        at = _append_field(fields, name, data, at)
    if at != end:
        raise ChannelError(Code.BHTTP_TRUNCATED, found="a field line that crosses the end of its section", wanted="whole lines")
    return tuple(fields), end


def _terminated_fields(data: bytes, at: int) -> tuple[Fields, int]:
    start = at
    fields: list[tuple[bytes, bytes]] = []
    while True:
        name, at = _take(data, at)
        if not name:  # the terminator
            return tuple(fields), at
        at = _append_field(fields, name, data, at)
        if at - start > MAX_FIELD_SECTION:
            raise ChannelError(Code.BHTTP_LIMIT, found="a longer field section", wanted=f"at most {MAX_FIELD_SECTION} bytes")


def _append_field(fields: list[tuple[bytes, bytes]], name: bytes, data: bytes, at: int) -> int:
    value, at = _take(data, at)
    check_field(name, value)
    if len(fields) == MAX_FIELDS:
        raise ChannelError(Code.BHTTP_LIMIT, found="more fields", wanted=f"at most {MAX_FIELDS}")
    fields.append((name, value))
    return at


def _take(data: bytes, at: int, *, limit: int = MAX_FIELD_SECTION) -> tuple[bytes, int]:
    """A length and as many bytes."""
    if at < len(data) and data[at] < 64:  # one byte, as nearly always: a call less for each name and value
        size, at = data[at], at + 1
    else:
        size, at = varint.decode(data, at)
    end = at + size
    if size > limit:
        raise ChannelError(Code.BHTTP_LIMIT, found=f"{size} bytes", wanted=f"at most {limit}")
    if end > len(data):
        raise ChannelError(Code.BHTTP_TRUNCATED, found=f"{len(data) - at} bytes", wanted=f"{size}")
    return data[at:end], end


def _response_prefix(interim: list[bytes], status: int, headers: Fields, content: bytes) -> list[bytes]:
    check_status(status)
    return [b"\x01", *interim, varint.encode(status), *_section(headers), varint.encode(len(content)), content]


def _section(fields: Fields) -> tuple[bytes, bytes]:
    """A known-length field section: its length and its lines."""
    if not fields:
        return b"\x00", b""
    if len(fields) > MAX_FIELDS:
        raise ChannelError(Code.BHTTP_LIMIT, found=f"{len(fields)} fields", wanted=f"at most {MAX_FIELDS}")
    parts: list[bytes] = []
    for name, value in fields:
        check_field(name, value)
        parts += (_counted_name(name), varint.encode(len(value)), value)
    lines = b"".join(parts)
    if len(lines) > MAX_FIELD_SECTION:
        raise ChannelError(Code.BHTTP_LIMIT, found=f"a field section of {len(lines)} bytes", wanted=f"at most {MAX_FIELD_SECTION}")
    return varint.encode(len(lines)), lines


@lru_cache(maxsize=256)
def _counted_name(name: bytes) -> bytes:
    """A checked name as it stands in a field line; there are few of them."""
    return varint.encode(len(name)) + name


def _padded(parts: list[bytes], pad_to: Pad | None) -> bytes:
    if pad_to is not None:
        length = sum(map(len, parts))
        parts.append(bytes(max(0, pad_to(length) - length)))
    return b"".join(parts)
