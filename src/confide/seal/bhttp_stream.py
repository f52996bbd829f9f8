"""Binary HTTP messages piece by piece (RFC 9292): readers that are fed as bytes arrive.

    feed(bytes) -> [RequestHead | ResponseHead, Content, Content, ..., End]      close() -> the rest, or `bhttp.truncated`

A reader takes both framings and holds at most one field section, however it is fed: content is handed on as it comes. It gives
what `bhttp.decode_*` would give of the whole message, or the same code. A receipt commits to a message's bytes: `digest` is SHA-256
of all of a request, and of a response through its content, terminator included (spec/09-receipt.md).

Left to others: writing in pieces (`bhttp_write`), whole messages (`bhttp`), which fields are allowed (`fields`).
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass, field

from confide.codes import Code
from confide.errors import ChannelError
from confide.seal import varint
from confide.seal.bhttp import DEFAULT_MAX_CONTENT, MAX_INFORMATIONAL, Informational
from confide.seal.fields import (
    MAX_FIELD_SECTION,
    MAX_FIELDS,
    Fields,
    check_content_length,
    check_control,
    check_field,
    check_status,
)

_REQUEST, _RESPONSE, _REQUEST_INDETERMINATE, _RESPONSE_INDETERMINATE = range(4)  # RFC 9292 section 3.3


@dataclass(frozen=True, slots=True, repr=False)
class RequestHead:
    """Control data and header section of a request; its repr shows no content."""

    method: bytes
    scheme: bytes
    authority: bytes
    path: bytes
    headers: Fields = ()

    def __repr__(self) -> str:
        return f"RequestHead({len(self.headers)} headers)"


@dataclass(frozen=True, slots=True, repr=False)
class ResponseHead:
    """Status and header section of the final response, and the interim ones before it."""

    status: int
    headers: Fields = ()
    informational: tuple[Informational, ...] = ()

    def __repr__(self) -> str:
        return f"ResponseHead({self.status}, {len(self.headers)} headers)"


@dataclass(frozen=True, slots=True)
class Content:
    """Some of the content, never empty."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class End:
    """The message is whole."""

    trailers: Fields = field(default=(), repr=False)


Event = RequestHead | ResponseHead | Content | End
_Steps = Generator[None, None, None]


class _Reader(ABC):
    """The parser is a generator that gives way where bytes are missing; every length is bounded before they are waited for."""

    _commits_to_all: bool  # or through the content only

    def __init__(self, *, max_content: int) -> None:
        self._max_content = max_content
        self._buffer = bytearray()
        self._ended = self._failed = False
        self._events: list[Event] = []
        self._committing = True
        self._hash = hashlib.sha256()
        self._content_size = 0
        self._steps = self._parse()
        next(self._steps)

    def feed(self, data: bytes) -> list[Event]:
        """What these bytes complete. After an error a reader takes nothing more: `ohttp.state`."""
        if self._ended or self._failed:
            raise ChannelError(Code.OHTTP_STATE, found="a message that ended", wanted="a new one")
        self._buffer += data
        return self._advance()

    def close(self) -> list[Event]:
        """The bytes have ended: what is left of the message, `End` last; `bhttp.truncated` when it is not whole."""
        if self._ended or self._failed:
            raise ChannelError(Code.OHTTP_STATE, found="a message that ended", wanted="a new one")
        self._ended = True
        return self._advance()

    def _advance(self) -> list[Event]:
        try:
            next(self._steps)
        except StopIteration:
            pass
        except ChannelError:
            self._failed = True
            raise
        events, self._events = self._events, []
        return events

    @property
    def digest(self) -> bytes:
        """SHA-256 of the bytes that a receipt commits to, as far as they have come."""
        return self._hash.digest()

    @abstractmethod
    def _parse(self) -> _Steps:
        """The steps of a message."""

    def _body(self, *, known: bool) -> Generator[None, None, Fields]:
        """Content, trailers and padding; those at the end that are empty may be missing (RFC 9292 section 3.8)."""
        if not (yield from self._at_end()):
            yield from self._known_content() if known else self._chunked_content()
        self._committing = self._commits_to_all
        trailers: Fields = ()
        if not (yield from self._at_end()):
            trailers = yield from self._fields(known=known)
        while not (yield from self._at_end()):
            padding = self._consume(len(self._buffer))
            if padding.count(0) != len(padding):
                raise ChannelError(Code.BHTTP_PADDING, found=f"{len(padding)} bytes", wanted="zeros (RFC 9292 section 3.8)")
        return trailers

    def _known_content(self) -> _Steps:
        left = yield from self._integer()
        self._bound(left)
        yield from self._pass_on(left)

    def _chunked_content(self) -> _Steps:
        while size := (yield from self._integer()):
            self._bound(size)
            yield from self._pass_on(size)

    def _bound(self, size: int) -> None:
        self._content_size += size
        if self._content_size > self._max_content:
            raise ChannelError(Code.BHTTP_LIMIT, found=f"{self._content_size} bytes", wanted=f"at most {self._max_content}")

    def _pass_on(self, left: int) -> _Steps:
        while left:
            if not self._buffer:
                yield from self._more(1)
            piece = self._consume(min(left, len(self._buffer)))
            left -= len(piece)
            self._events.append(Content(piece))

    def _fields(self, *, known: bool) -> Generator[None, None, Fields]:
        """A field section (RFC 9292 section 3.6): by its length, or to its terminator."""
        found: list[tuple[bytes, bytes]] = []
        if known:
            size = yield from self._integer()
            if size > MAX_FIELD_SECTION:
                raise section_too_long(size)
            yield from self._more(size)
            section = self._consume(size)
            at = 0
            while at < size:
                name, at = _line_part(section, at)
                value, at = _line_part(section, at)
                _append(found, name, value)
            return tuple(found)
        total = 0
        while name := (yield from self._counted(MAX_FIELD_SECTION)):
            value = yield from self._counted(MAX_FIELD_SECTION)
            total += len(name) + len(value)
            _append(found, name, value)
            if total > MAX_FIELD_SECTION:
                raise section_too_long(total)
        return tuple(found)

    def _counted(self, limit: int) -> Generator[None, None, bytes]:
        """A length and as many bytes."""
        size = yield from self._integer()
        if size > limit:
            raise ChannelError(Code.BHTTP_LIMIT, found=f"{size} bytes", wanted=f"at most {limit}")
        yield from self._more(size)
        return self._consume(size)

    def _integer(self) -> Generator[None, None, int]:
        yield from self._more(1)
        size = varint.length_of(self._buffer[0])
        yield from self._more(size)
        return varint.decode(self._consume(size), 0)[0]

    def _more(self, size: int) -> _Steps:
        """Give way until so many bytes are there."""
        while len(self._buffer) < size:
            if self._ended:
                raise ChannelError(Code.BHTTP_TRUNCATED, found=f"{len(self._buffer)} bytes", wanted=f"{size}")
            yield

    def _at_end(self) -> Generator[None, None, bool]:
        """Whether the message ends here."""
        while not self._buffer and not self._ended:
            yield
        return not self._buffer

    def _consume(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        if self._committing:
            self._hash.update(data)
        return data


class RequestReader(_Reader):
    """Reads a request. `content-length` of its headers is compared when it ends."""

    _commits_to_all = True

    def __init__(self, *, max_content: int = DEFAULT_MAX_CONTENT) -> None:
        super().__init__(max_content=max_content)

    def _parse(self) -> _Steps:
        yield
        framing = yield from self._integer()
        if framing not in (_REQUEST, _REQUEST_INDETERMINATE):
            raise ChannelError(Code.BHTTP_FRAMING, found=str(framing), wanted="0 or 2, a request")
        known = framing == _REQUEST
        method = yield from self._counted(MAX_FIELD_SECTION)
        scheme = yield from self._counted(MAX_FIELD_SECTION)
        authority = yield from self._counted(MAX_FIELD_SECTION)
        path = yield from self._counted(MAX_FIELD_SECTION)
        check_control(method, scheme, authority, path)
        headers = () if (yield from self._at_end()) else (yield from self._fields(known=known))
        self._events.append(RequestHead(method, scheme, authority, path, headers))
        trailers = yield from self._body(known=known)
        check_content_length(headers, self._content_size)
        self._events.append(End(trailers))


class ResponseReader(_Reader):
    """Reads a response."""

    _commits_to_all = False

    def __init__(self, *, max_content: int = DEFAULT_MAX_CONTENT) -> None:
        super().__init__(max_content=max_content)

    def _parse(self) -> _Steps:
        yield
        framing = yield from self._integer()
        if framing not in (_RESPONSE, _RESPONSE_INDETERMINATE):
            raise ChannelError(Code.BHTTP_FRAMING, found=str(framing), wanted="1 or 3, a response")
        known = framing == _RESPONSE
        interim: list[Informational] = []
        status = yield from self._integer()
        while 100 <= status <= 199:
            check_status(status, informational=True)
            if len(interim) == MAX_INFORMATIONAL:
                raise ChannelError(Code.BHTTP_LIMIT, found="more interim responses", wanted=f"at most {MAX_INFORMATIONAL}")
            interim.append(Informational(status, (yield from self._fields(known=known))))
            status = yield from self._integer()
        check_status(status)
        headers = () if (yield from self._at_end()) else (yield from self._fields(known=known))
        self._events.append(ResponseHead(status, headers, tuple(interim)))
        trailers = yield from self._body(known=known)
        self._events.append(End(trailers))


def _line_part(section: bytes, at: int) -> tuple[bytes, int]:
    """A name or a value inside a section of known length."""
    size, at = varint.decode(section, at)
    if at + size > len(section):
        raise ChannelError(Code.BHTTP_TRUNCATED, found="a field line that crosses the end of its section", wanted="whole lines")
    return section[at : at + size], at + size


def _append(found: list[tuple[bytes, bytes]], name: bytes, value: bytes) -> None:
    check_field(name, value)
    if len(found) == MAX_FIELDS:
        raise ChannelError(Code.BHTTP_LIMIT, found="more fields", wanted=f"at most {MAX_FIELDS}")
    found.append((name, value))


def section_too_long(size: int) -> ChannelError:
    """`bhttp.limit` for a field section."""
    return ChannelError(Code.BHTTP_LIMIT, found=f"a field section of {size} bytes", wanted=f"at most {MAX_FIELD_SECTION}")
