"""Variable-length integers of RFC 9000 section 16.

We write the shortest form. We accept longer ones, as that section does; RFC 9292 section 3 refers to it without narrowing it, and
draft-ietf-ohai-chunked-ohttp-08 section 6 says that the choice between equivalent forms is not authenticated. Refusing them would
break senders that reserve a fixed width. Nothing that we compare, hash or sign depends on the form.
"""

from confide.codes import Code
from confide.errors import ChannelError

MAX_VARINT = (1 << 62) - 1
_LIMITS = ((1 << 6, 1), (1 << 14, 2), (1 << 30, 4), (1 << 62, 8))
_SHORT = tuple(bytes((value,)) for value in range(64))


def encode(value: int) -> bytes:
    """The shortest form of `value`."""
    if 0 <= value < 64:
        return _SHORT[value]
    for exponent, (limit, length) in enumerate(_LIMITS):
        if 0 <= value < limit:
            return (value | exponent << (8 * length - 2)).to_bytes(length, "big")
    raise ChannelError(Code.BHTTP_LIMIT, found=f"the integer {value}", wanted=f"0 to {MAX_VARINT}")


def length_of(first: int) -> int:
    """How many bytes the integer that starts with this byte has: 1, 2, 4 or 8."""
    return 1 << (first >> 6)


def decode(data: bytes | bytearray | memoryview, offset: int) -> tuple[int, int]:
    """`(value, offset after it)`; `bhttp.truncated` if `data` ends inside."""
    try:
        first = data[offset]
    except IndexError:
        raise ChannelError(Code.BHTTP_TRUNCATED, found="the end of the message", wanted="an integer") from None
    if first < 64:
        return first, offset + 1
    length = length_of(first)
    end = offset + length
    if end > len(data):
        raise ChannelError(Code.BHTTP_TRUNCATED, found=f"{len(data) - offset} bytes", wanted=f"an integer of {length}")
    return int.from_bytes(data[offset:end], "big") & ((1 << (8 * length - 2)) - 1), end
