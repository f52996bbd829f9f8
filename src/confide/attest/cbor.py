"""A strict, bounded reader of CBOR (RFC 8949) for signed evidence.

Integers, byte and text strings, arrays, maps, tags, false, true and null. Both definite and indefinite lengths, since some signers
use the latter. Refused: floats, other simple values, map keys that are not integers or text, keys that occur twice (section 5.6),
invalid UTF-8, depth over `MAX_DEPTH`, bytes behind the end. Lengths are compared with the bytes that are left before anything is
allocated. A library would have to be talked out of most of this; a verifier's parser should do what it says and nothing more.
"""

from dataclasses import dataclass
from typing import Any

from confide.codes import Code
from confide.errors import EvidenceError

MAX_INPUT = 1 << 18  # bytes; a Nitro document is 5 KiB, a CCA token 3
MAX_DEPTH = 16
MAX_ITEMS = 4096  # of one array or map
_BREAK = object()


@dataclass(frozen=True)
class Tagged:
    """A value with its tag (RFC 8949 section 3.4)."""

    tag: int
    value: Any


def loads(data: bytes, *, limit: int = MAX_INPUT) -> Any:
    """The one value that `data` holds: int, bytes, str, list, dict, bool, None or `Tagged`.

    Raises:
        EvidenceError: `cbor.too_large` or `cbor.malformed`.
    """
    if len(data) > limit:
        raise EvidenceError(Code.CBOR_TOO_LARGE, found=f"{len(data)} bytes", wanted=f"at most {limit}")
    reader = _Reader(data)
    value = reader.item(0)
    if value is _BREAK:
        raise _malformed("a break", "a value")
    if reader.at != len(data):
        raise _malformed(f"{len(data) - reader.at} bytes behind the value", "none")
    return value


def first(data: bytes, *, limit: int = MAX_INPUT) -> Any:
    """The first value, whatever stands behind it: of buffers that are longer than what they hold. Errors as `loads`."""
    if len(data) > limit:
        raise EvidenceError(Code.CBOR_TOO_LARGE, found=f"{len(data)} bytes", wanted=f"at most {limit}")
    value = _Reader(data).item(0)
    if value is _BREAK:
        raise _malformed("a break", "a value")
    return value


def dump_head(major: int, value: int) -> bytes:
    """The shortest head of an item (RFC 8949 section 4.2.1)."""
    if value < 24:
        return bytes([major << 5 | value])
    for extra, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if value < 1 << (8 * size):
            return bytes([major << 5 | extra]) + value.to_bytes(size)
    raise _malformed("a number beyond 64 bits", "less")


def dump_bytes(data: bytes) -> bytes:
    """A byte string, deterministically encoded: for what signatures cover."""
    return dump_head(2, len(data)) + data


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0

    def item(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise EvidenceError(Code.CBOR_TOO_LARGE, found=f"depth over {MAX_DEPTH}", wanted="less")
        first = self._take(1)[0]
        major, info = first >> 5, first & 31
        if major == 7:
            return self._simple(info)
        if info == 31:
            return self._indefinite(major, depth)
        value = self._argument(info)
        if major == 0:
            return value
        if major == 1:
            return -1 - value
        if major in {2, 3}:
            return self._string(major, value)
        if major == 4:
            return [self._value(depth) for _ in range(self._count(value))]
        if major == 5:
            return self._map((self._value(depth), self._value(depth)) for _ in range(self._count(value)))
        return Tagged(value, self._value(depth))

    def _value(self, depth: int) -> Any:
        value = self.item(depth + 1)
        if value is _BREAK:
            raise _malformed("a break", "a value")
        return value

    def _indefinite(self, major: int, depth: int) -> Any:
        """RFC 8949 section 3.2: items, or chunks of a string, until a break."""
        if major in {2, 3}:
            return self._chunks(major)
        if major == 4:
            return list(self._until_break(depth))
        if major == 5:
            values = list(self._until_break(depth))
            if len(values) % 2:
                raise _malformed("a key without a value", "pairs")
            return self._map(zip(values[::2], values[1::2], strict=True))
        raise _malformed(f"an indefinite length of major type {major}", "strings, arrays or maps")

    def _until_break(self, depth: int) -> Any:
        for _ in range(2 * MAX_ITEMS + 1):
            value = self.item(depth + 1)
            if value is _BREAK:
                return
            yield value
        raise EvidenceError(Code.CBOR_TOO_LARGE, found=f"over {MAX_ITEMS} items", wanted="less")

    def _chunks(self, major: int) -> Any:
        parts = []
        while True:
            first = self._take(1)[0]
            if first == 0xFF:
                break
            if first >> 5 != major or first & 31 == 31:
                raise _malformed("a chunk of another type", "definite strings")
            parts.append(self._string(major, self._argument(first & 31)))
        return b"".join(parts) if major == 2 else "".join(parts)

    def _string(self, major: int, length: int) -> Any:
        raw = self._take(length)
        if major == 2:
            return raw
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise _malformed("a text that is no UTF-8", "UTF-8") from None

    def _map(self, pairs: Any) -> dict[int | str, Any]:
        found: dict[int | str, Any] = {}
        for key, value in pairs:
            if type(key) not in {int, str} or key in found:
                raise _malformed("a key of another type, or twice", "integers or texts, once each")
            found[key] = value
        return found

    def _simple(self, info: int) -> Any:
        if info == 31:
            return _BREAK
        if info in {20, 21}:
            return info == 21
        if info == 22:
            return None
        raise _malformed(f"simple value or float {info}", "false, true or null")

    def _argument(self, info: int) -> int:
        if info < 24:
            return info
        if info > 27:
            raise _malformed(f"additional information {info}", "0 to 27")
        return int.from_bytes(self._take(1 << (info - 24)))

    def _count(self, count: int) -> int:
        if count > MAX_ITEMS or count > len(self._data) - self.at:
            raise EvidenceError(Code.CBOR_TOO_LARGE, found=f"{count} items", wanted=f"at most {MAX_ITEMS}, and no more than bytes")
        return count

    def _take(self, size: int) -> bytes:
        if size > len(self._data) - self.at:
            raise _malformed(f"{len(self._data) - self.at} bytes left", f"{size}")
        self.at += size
        return self._data[self.at - size : self.at]


def _malformed(found: str, wanted: str) -> EvidenceError:
    return EvidenceError(Code.CBOR_MALFORMED, found=found, wanted=wanted)
