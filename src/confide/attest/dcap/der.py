"""A strict reader of the little DER (X.690 section 10) that vendor extensions hold: definite, minimal lengths, nothing left over.

`cryptography` gives unknown extensions as bytes; this reads SEQUENCE, OBJECT IDENTIFIER, INTEGER, BOOLEAN, ENUMERATED and OCTET
STRING. Everything else is returned by its tag. Errors are `ValueError`, which the caller turns into its own.
"""

from collections.abc import Iterator

BOOLEAN, INTEGER, OCTET_STRING, OID, ENUMERATED, SEQUENCE = 0x01, 0x02, 0x04, 0x06, 0x0A, 0x30
MAX_ELEMENTS = 256


def elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element in `data`, to its end."""
    at = 0
    for _ in range(MAX_ELEMENTS):
        if at == len(data):
            return
        tag, start, end = _header(data, at)
        yield tag, data[start:end]
        at = end
    raise ValueError("too many elements")


def only(data: bytes, tag: int) -> bytes:
    """The content of the one element that `data` is."""
    found = list(elements(data))
    if len(found) != 1 or found[0][0] != tag:
        raise ValueError("another element")
    return found[0][1]


def pairs(sequence: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """Of a SEQUENCE OF SEQUENCE { OBJECT IDENTIFIER, ANY }: the name's content, tag and content of the value."""
    for tag, content in elements(sequence):
        parts = list(elements(content))
        if tag != SEQUENCE or len(parts) != 2 or parts[0][0] != OID:
            raise ValueError("no pair")
        yield parts[0][1], parts[1][0], parts[1][1]


def arcs(content: bytes) -> str:
    """Arcs of an object identifier behind its first two, dotted (X.690 section 8.19)."""
    return ".".join(map(str, _arcs(content)))


def _arcs(content: bytes) -> list[int]:
    arcs, value = [], 0
    for index, byte in enumerate(content):
        if value == 0 and byte == 0x80:
            raise ValueError("a padded arc")
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            arcs.append(value)
            value = 0
        elif index == len(content) - 1 or value >> 64:
            raise ValueError("an arc without end")
    if not arcs:
        raise ValueError("no arcs")
    return arcs


def integer(content: bytes) -> int:
    """A non-negative INTEGER or ENUMERATED in its shortest form (X.690 section 8.3)."""
    if not 1 <= len(content) <= 9 or content[0] & 0x80 or (len(content) > 1 and content[0] == 0 and not content[1] & 0x80):
        raise ValueError("a negative, padded or long integer")
    return int.from_bytes(content)


def boolean(content: bytes) -> bool:
    """X.690 section 11.1: FF or 00."""
    if content not in {b"\x00", b"\xff"}:
        raise ValueError("no boolean")
    return content == b"\xff"


def _header(data: bytes, at: int) -> tuple[int, int, int]:
    """Tag, and where the content begins and ends."""
    if len(data) - at < 2 or data[at] & 0x1F == 0x1F:
        raise ValueError("no header")
    tag, length, start = data[at], data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4 or start + size > len(data):
            raise ValueError("an indefinite or long length")
        length, start = int.from_bytes(data[start : start + size]), start + size
        if length < 0x80 or length.bit_length() <= 8 * (size - 1):
            raise ValueError("a padded length")
    if start + length > len(data):
        raise ValueError("an element beyond the end")
    return tag, start, start + length
