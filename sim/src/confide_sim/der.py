"""A small DER writer (X.690): enough to write certificates and revocation lists in which any single field can lie.

`cryptography`'s builders refuse what a false vendor must be able to say, such as serial number 0 or a repeated extension.
"""

from datetime import datetime

PRINTABLE, UTF8, IA5 = 0x13, 0x0C, 0x16


def tlv(tag: int, content: bytes) -> bytes:
    """Tag, definite length in the shortest form, content."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def seq(*items: bytes) -> bytes:
    """SEQUENCE of encoded items."""
    return tlv(0x30, b"".join(items))


def set_of(*items: bytes) -> bytes:
    """SET OF encoded items."""
    return tlv(0x31, b"".join(items))


def integer(value: int) -> bytes:
    """INTEGER in the shortest form (X.690 section 8.3)."""
    size = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return tlv(0x02, value.to_bytes(size, "big", signed=True))


def boolean(value: bool) -> bytes:
    """BOOLEAN."""
    return tlv(0x01, b"\xff" if value else b"\x00")


def null() -> bytes:
    """NULL."""
    return b"\x05\x00"


def octets(content: bytes) -> bytes:
    """OCTET STRING."""
    return tlv(0x04, content)


def bits(content: bytes, unused: int = 0) -> bytes:
    """BIT STRING."""
    return tlv(0x03, bytes((unused,)) + content)


def text(value: str, tag: int = UTF8) -> bytes:
    """A string type, by tag."""
    return tlv(tag, value.encode())


def explicit(number: int, content: bytes) -> bytes:
    """[number] EXPLICIT."""
    return tlv(0xA0 | number, content)


def oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER (X.690 section 8.19)."""
    first, second, *rest = map(int, dotted.split("."))
    return tlv(0x06, b"".join(_base128(arc) for arc in (first * 40 + second, *rest)))


def time(moment: datetime) -> bytes:
    """UTCTime up to 2049, GeneralizedTime from 2050 on (RFC 5280 section 4.1.2.5)."""
    if moment.year < 2050:
        return tlv(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())
    return tlv(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode())


def name(attributes: tuple[tuple[str, str], ...]) -> bytes:
    """A distinguished name: one attribute in each relative name; country is printable (RFC 5280 appendix A.1)."""
    return seq(*(set_of(seq(oid(kind), text(value, PRINTABLE if kind == "2.5.4.6" else UTF8))) for kind, value in attributes))


def extension(dotted: str, value: bytes, *, critical: bool = False) -> bytes:
    """An Extension; DEFAULT FALSE is left out (RFC 5280 section 4.1)."""
    return seq(oid(dotted), *([boolean(True)] if critical else []), octets(value))


def _base128(arc: int) -> bytes:
    digits = [arc & 0x7F]
    while arc := arc >> 7:
        digits.append(arc & 0x7F | 0x80)
    return bytes(reversed(digits))
