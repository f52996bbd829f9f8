"""Crypto-agile event logs (TCG PC Client Platform Firmware Profile 1.06, section 10): bytes to events.

The first record is a TCG_PCClientPCREvent of type EV_NO_ACTION whose data is TCG_EfiSpecIDEvent: it names the digest algorithms and
their sizes. All others are TCG_PCR_EVENT2. Integers are little-endian. A log ends with its bytes, or with an unused rest of FF or
00 bytes, as ACPI areas have it. Only digests are bound to registers: what an event says of itself is believed only as far as its
digest covers it. Left to others: replaying (`replay`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType

from confide.codes import Code
from confide.errors import EvidenceError

MAX_LOG = 1 << 20  # bytes; real ones are 20 to 200 KiB
MAX_EVENTS = 8192
MAX_EVENT = 1 << 18  # bytes of one event's data
MAX_ALGORITHMS = 8
MAX_REGISTER = 31
FIRST_REGISTERS = frozenset({0, 1})  # of the header: PCR 0, or measurement register 1 where the log is a CCEL
EV_NO_ACTION = 3
SIGNATURE = b"Spec ID Event03\x00"
SPEC_VERSION = (2, 0)  # specVersionMajor, specVersionMinor (section 10.4.5.1, table "TCG_EfiSpecIDEvent")


class Algorithm(IntEnum):
    """TPM_ALG_ID of digests (TCG Algorithm Registry, table 3)."""

    SHA1 = 0x0004
    SHA256 = 0x000B
    SHA384 = 0x000C
    SHA512 = 0x000D
    SM3_256 = 0x0012


SIZES = {Algorithm.SHA1: 20, Algorithm.SHA256: 32, Algorithm.SHA384: 48, Algorithm.SHA512: 64, Algorithm.SM3_256: 32}


@dataclass(frozen=True)
class Event:
    """One event.

    Attributes:
        register: PCR index, or CC measurement register where the log is a CCEL.
        kind: event type (section 10.4.1). Neither kind nor register is covered by the digests: whoever hands over a log may change
            them, as far as the replay allows.
        digests: what was extended, by bank; none in the header and, often, zeros in other EV_NO_ACTION events.
        data: what the event says of itself. `content.covers` tells whether a digest is over exactly that.
    """

    register: int
    kind: int
    digests: Mapping[Algorithm, bytes]
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class EventLog:
    """A parsed log: algorithms it has digests of, events in order, the header among them."""

    algorithms: tuple[Algorithm, ...]
    events: tuple[Event, ...] = field(repr=False)

    def extended(self, register: int) -> tuple[Event, ...]:
        """The events that extend one register; EV_NO_ACTION extends none (section 10.4.5)."""
        return tuple(event for event in self.events if event.register == register and event.kind != EV_NO_ACTION)


def parse_event_log(data: bytes) -> EventLog:
    """The log in `data`.

    Raises:
        EvidenceError: `eventlog.too_large`, `eventlog.malformed` or `eventlog.algorithm`.
    """
    if len(data) > MAX_LOG:
        raise EvidenceError(Code.EVENTLOG_TOO_LARGE, found=f"{len(data)} bytes", wanted=f"at most {MAX_LOG}")
    reader = _Reader(data)
    sizes, first = _header(reader)
    events = [first]
    while not reader.at_rest():
        if len(events) == MAX_EVENTS:
            raise EvidenceError(Code.EVENTLOG_TOO_LARGE, found=f"over {MAX_EVENTS} events", wanted=f"at most {MAX_EVENTS}")
        events.append(_event(reader, sizes))
    return EventLog(tuple(sizes), tuple(events))


def _header(reader: "_Reader") -> tuple[Mapping[Algorithm, int], Event]:
    """Section 10.2.1: the record in SHA-1 form, then TCG_EfiSpecIDEvent (section 10.4.5.1)."""
    register, kind = reader.number(4), reader.number(4)
    digest = reader.take(20)
    said = reader.take(reader.length(MAX_EVENT))
    if register not in FIRST_REGISTERS or kind != EV_NO_ACTION or any(digest) or said[:16] != SIGNATURE:
        raise _malformed("no Spec ID event at the beginning", "a crypto-agile log")
    inner = _Reader(said)
    inner.take(16 + 4)  # signature, platform class: 0 client, 1 server
    minor, major, _ = inner.number(1), inner.number(1), inner.take(2)  # errata and size of UINTN behind them
    if (major, minor) != SPEC_VERSION:
        raise _malformed(f"specification version {major}.{minor}", "2.0")
    count = inner.number(4)
    if not 1 <= count <= MAX_ALGORITHMS:
        raise _malformed(f"{count} algorithms", f"1 to {MAX_ALGORITHMS}")
    sizes: dict[Algorithm, int] = {}
    known = {each.value: each for each in Algorithm}
    for _ in range(count):
        number, size = inner.number(2), inner.number(2)
        algorithm = known.get(number)
        if algorithm is None or SIZES[algorithm] != size or algorithm in sizes:
            found = f"algorithm {number:#x} of {size} bytes"
            raise EvidenceError(Code.EVENTLOG_ALGORITHM, found=found, wanted="known ones, once each")
        sizes[algorithm] = size
    inner.take(inner.number(1))  # vendor information
    if any(inner.take(inner.left)):
        raise _malformed("bytes behind the vendor information", "none")
    return MappingProxyType(sizes), Event(register, kind, MappingProxyType({}), said)


def _event(reader: "_Reader", sizes: Mapping[Algorithm, int]) -> Event:
    """TCG_PCR_EVENT2 (section 10.2.2): every event has a digest of each algorithm that the header names."""
    register, kind, count = reader.number(4), reader.number(4), reader.number(4)
    if register > MAX_REGISTER or count != len(sizes):
        raise _malformed(f"register {register} with {count} digests", f"up to {MAX_REGISTER}, {len(sizes)} digests")
    digests: dict[Algorithm, bytes] = {}
    for _ in range(count):
        number = reader.number(2)
        algorithm = next((each for each in sizes if each == number), None)
        if algorithm is None or algorithm in digests:
            raise _malformed(f"algorithm {number:#x}", "each that the header names, once")
        digests[algorithm] = reader.take(sizes[algorithm])
    return Event(register, kind, MappingProxyType(digests), reader.take(reader.length(MAX_EVENT)))


class _Reader:
    """A cursor that never passes the end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        self._used = {filler: len(data.rstrip(filler)) for filler in (b"\x00", b"\xff")}

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise _malformed(f"{self.left} bytes left", f"{size}")
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def length(self, limit: int) -> int:
        length = self.number(4)
        if length > limit:
            raise _malformed(f"an event of {length} bytes", f"at most {limit}")
        return length

    def at_rest(self) -> bool:
        """The end, or nothing but an unused rest from here on. No event begins with FFFFFFFF, and none is zero throughout."""
        return self._at >= min(self._used.values())


def _malformed(found: str, wanted: str) -> EvidenceError:
    return EvidenceError(Code.EVENTLOG_MALFORMED, found=found, wanted=wanted)
