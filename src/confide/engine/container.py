"""The `.confide` container: a ZIP archive (PKWARE APPNOTE 6.3.10) whose every byte follows from the files in it.

Stored, never compressed, so that nothing can expand; no extra fields, comments, data descriptors or ZIP64; times fixed;
`confide.toml` first, then the other names in byte order; nothing before, between or after. The reader takes names, sizes and CRCs
from the central directory, rebuilds all headers from these and compares: a second spelling of the same files is refused.

Left to others: which names are allowed (`manifest.check_paths`) and what the files are (`package.py`).
"""

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from confide.codes import Code
from confide.engine.manifest import MANIFEST_NAME, MAX_FILES, MAX_PATH, check_paths
from confide.errors import PackageError

MAX_CONTAINER = (1 << 32) - 1  # 32-bit offsets; an ONNX file is under 2 GiB anyway (protobuf)
_LOCAL = struct.Struct("<IHHHHHIIIHH")  # APPNOTE 4.3.7
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")  # APPNOTE 4.3.12
_END = struct.Struct("<IHHHHIIH")  # APPNOTE 4.3.16
_VERSION, _MADE_BY, _DATE = 20, 0x0314, 0x0021  # 2.0, Unix, 1980-01-01
_ATTRIBUTES = 0o100644 << 16
_MAX_DIRECTORY = (MAX_FILES + 1) * (_CENTRAL.size + MAX_PATH)


@dataclass(frozen=True)
class Member:
    """One file of a container: where its bytes are."""

    path: str
    size: int
    crc: int
    offset: int = 0  # of the bytes, not of the local header


def order(paths: Sequence[str]) -> list[str]:
    """`confide.toml` first, then byte order."""
    return sorted(paths, key=lambda path: (path != MANIFEST_NAME, path))


def local_header(member: Member) -> bytes:
    """The local file header that stands before the member's bytes."""
    name = member.path.encode("ascii")
    fields = (0x04034B50, _VERSION, 0, 0, 0, _DATE, member.crc, member.size, member.size, len(name), 0)
    return _LOCAL.pack(*fields) + name


def directory(members: Sequence[Member]) -> bytes:
    """Central directory and end record for members in their final order."""
    records, offset = [], 0
    for member in members:
        name = member.path.encode("ascii")
        fields = (0x02014B50, _MADE_BY, _VERSION, 0, 0, 0, _DATE, member.crc, member.size, member.size, len(name), 0, 0, 0, 0)
        records.append(_CENTRAL.pack(*fields, _ATTRIBUTES, offset) + name)
        offset += _LOCAL.size + len(name) + member.size
    central = b"".join(records)
    return central + _END.pack(0x06054B50, 0, 0, len(members), len(members), len(central), offset, 0)


def read_members(file: BinaryIO) -> list[Member]:
    """The members of a container, after its headers have been compared with the canonical ones.

    Raises:
        PackageError: `package.container`, `package.too_large`, `package.path` or `package.duplicate`.
    """
    size = file.seek(0, os.SEEK_END)
    if size > MAX_CONTAINER:
        raise PackageError(Code.PACKAGE_TOO_LARGE, found=f"{size} bytes", wanted=f"at most {MAX_CONTAINER}")
    central, count = _read_directory(file, size)
    members = list(_parse_directory(central, count))
    paths = [member.path for member in members]
    check_paths(paths)
    if paths != order(paths):
        raise _bad("members out of order", "confide.toml first, then byte order")
    end = sum(_LOCAL.size + len(member.path) + member.size for member in members)
    if end > size:  # before offsets are made of it
        raise _bad("more bytes announced than there are", "the canonical container")
    tail = directory(members)
    if end + len(tail) != size or _read_at(file, end, len(tail)) != tail:
        raise _bad("a directory that does not follow from the files", "the canonical one")
    return list(_place(file, members))


def _read_directory(file: BinaryIO, size: int) -> tuple[bytes, int]:
    if size < _END.size:
        raise _bad(f"{size} bytes", "a stored ZIP archive")
    end = _END.unpack(_read_at(file, size - _END.size, _END.size))
    signature, count, length, offset = end[0], end[4], end[5], end[6]
    if signature != 0x06054B50 or offset + length + _END.size != size:
        raise _bad("no end record as the last 22 bytes", "a stored ZIP archive without comment")
    if count > MAX_FILES + 1 or length > _MAX_DIRECTORY:
        raise PackageError(Code.PACKAGE_TOO_LARGE, found=f"{count} files", wanted=f"at most {MAX_FILES} and confide.toml")
    return _read_at(file, offset, length), count


def _parse_directory(central: bytes, count: int) -> Iterator[Member]:
    """Names, sizes and CRCs only; everything else is compared with what `directory` builds from them."""
    at = 0
    for _ in range(count):
        if at + _CENTRAL.size > len(central):
            raise _bad("a short central directory", f"{count} records")
        fields = _CENTRAL.unpack_from(central, at)
        name = central[at + _CENTRAL.size : at + _CENTRAL.size + fields[10]]
        at += _CENTRAL.size + fields[10]
        if len(name) > MAX_PATH or not name.isascii():
            raise PackageError(Code.PACKAGE_PATH, found=ascii(name[:40]), wanted=f"ASCII, at most {MAX_PATH} bytes")
        if fields[4] != 0 or fields[8] != fields[9]:
            raise _bad(f"a compressed member, {ascii(name.decode())[:80]}", "stored members")
        yield Member(name.decode("ascii"), size=fields[9], crc=fields[7])


def _place(file: BinaryIO, members: list[Member]) -> Iterator[Member]:
    """Check every local header, and add where the bytes begin."""
    at = 0
    for member in members:
        header = local_header(member)
        if _read_at(file, at, len(header)) != header:
            raise _bad(f"a local header that is not that of {member.path}", "the canonical one")
        yield Member(member.path, size=member.size, crc=member.crc, offset=at + len(header))
        at += len(header) + member.size


def _read_at(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)


def _bad(found: str, wanted: str) -> PackageError:
    return PackageError(Code.PACKAGE_CONTAINER, found=found, wanted=wanted)
