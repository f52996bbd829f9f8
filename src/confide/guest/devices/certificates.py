"""The host's certificate table, beside a SEV-SNP report (GHCB specification, "SNP Extended Guest Request").

Entries of 24 bytes (GUID, offset, length; integers little-endian, GUIDs in the order in which they are printed), ended by one of
zeros, then the certificates. The host wrote it, so all of it is bounded and nothing in it is trusted: the verifier checks every
certificate. Left to others: what is missing (`collateral`).
"""

import struct
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from confide.codes import Code
from confide.guest import GuestError

MAX_TABLE = 128 << 10  # bytes
MAX_ENTRIES = 32
ROLES = {  # GHCB specification, table of GUIDs -> role in `Endorsements`
    uuid.UUID("63da758d-e664-4564-adc5-f4b93be8accd"): "vcek",
    uuid.UUID("a8074bc2-a25a-483e-aae6-39c045a0b8a1"): "vlek",
    uuid.UUID("4ab7b379-bbac-4fe4-a02f-05aef327c782"): "ask",
    uuid.UUID("c0b406a4-a803-4952-9743-3fb6014cd0ae"): "ark",
    uuid.UUID("92f81bc3-5811-4d3d-97ff-d19f88dc67ea"): "crl",
}
_ENTRY = struct.Struct("<16sII")


@dataclass(frozen=True)
class Table:
    """Roles to bytes, and the GUIDs of what has no role here."""

    items: Mapping[str, bytes] = field(repr=False)
    unknown: tuple[str, ...] = ()


def parse_table(data: bytes) -> Table:
    """The certificates of a table. Nothing but zeros is a table without any: the host gives none.

    Raises:
        GuestError: `guest.certificates`.
    """
    if not any(data):
        return Table({})
    if len(data) > MAX_TABLE:
        raise _malformed(f"{len(data)} bytes", f"at most {MAX_TABLE}")
    entries = list(_entries(data))
    header = (len(entries) + 1) * _ENTRY.size
    items: dict[str, bytes] = {}
    unknown: list[str] = []
    for guid, offset, length in entries:
        if not (header <= offset and length > 0 and offset + length <= len(data)):
            raise _malformed(f"{length} bytes at {offset} for {guid}", f"a place from {header} to {len(data)}")
        role = ROLES.get(guid)
        if role is None:
            unknown.append(str(guid))
        elif role in items:
            raise _malformed(f"{role} twice", "each once")
        else:
            items[role] = data[offset : offset + length]
    return Table(items, tuple(unknown))


def _entries(data: bytes) -> Iterator[tuple[uuid.UUID, int, int]]:
    """Up to the entry of zeros, which must come."""
    for index in range(MAX_ENTRIES + 1):
        place = index * _ENTRY.size
        if place + _ENTRY.size > len(data):
            raise _malformed(f"{index} entries and no end", "an entry of zeros behind them")
        guid, offset, length = _ENTRY.unpack_from(data, place)
        if not any(guid):
            return
        yield uuid.UUID(bytes=guid), offset, length
    raise _malformed(f"over {MAX_ENTRIES} entries", f"at most {MAX_ENTRIES}")


def _malformed(found: str, wanted: str) -> GuestError:
    hint = "ask the host's operator to set the table anew, or to set none and use the node's collateral_dir"
    return GuestError(Code.GUEST_CERTIFICATES, found=found, wanted=wanted, hint=hint)
