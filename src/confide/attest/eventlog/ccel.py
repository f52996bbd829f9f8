"""The CCEL ACPI table (ACPI 6.5 section 5.2.34): that the platform keeps a confidential computing event log, and of which kind.

0 "CCEL"   4 length u32   8 revision   9 checksum   36 CC type   37 CC subtype   40 minimum length u64   48 log address u64

The host's firmware writes it and nothing signs it: a table that does not fit the log refuses, and one that fits proves nothing.
"""

from dataclasses import dataclass

from confide.codes import Code
from confide.errors import EvidenceError

SIZE = 56
TDX = 2  # CC type (ACPI 6.5 table 5.142): 1 AMD SEV, 2 Intel TDX


@dataclass(frozen=True)
class Ccel:
    """Type, and how long the area of the log is at least."""

    cc_type: int
    cc_subtype: int
    minimum_length: int


def parse_ccel(data: bytes) -> Ccel:
    """The table in `data`; `eventlog.ccel` for anything but a whole CCEL of TDX with a good checksum."""
    length = int.from_bytes(data[4:8], "little")
    if data[:4] != b"CCEL" or len(data) != SIZE or length != SIZE or sum(data) & 0xFF:
        raise EvidenceError(Code.EVENTLOG_CCEL, found=f"{len(data)} bytes", wanted="a CCEL table of 56 bytes with its checksum")
    if data[36] != TDX:
        raise EvidenceError(Code.EVENTLOG_CCEL, found=f"CC type {data[36]}", wanted="2, TDX")
    return Ccel(data[36], data[37], int.from_bytes(data[40:48], "little"))
