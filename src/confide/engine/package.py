"""Model packages: open, hash, verify, write (spec/11-package.md).

A package is a folder or one `.confide` file, on a disk or behind anything that reads like one (`open_source`). Its digest covers
every byte: the SHA-256 of a listing of all files, the manifest included, each line `<sha256> <size> <path>`. Opening one reads
and hashes all of it, a piece at a time; whoever uses a file hashes it again, so that bytes are never used that differ from those
that were judged.

Left to others: the meaning of the manifest (`manifest.py`), the container's layout (`container.py`), making packages (`pack.py`).
"""

import contextlib
import hashlib
import hmac
import os
import stat
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from confide.codes import Code
from confide.engine import container
from confide.engine.manifest import MANIFEST_NAME, MAX_FILES, MAX_MANIFEST, Manifest, check_paths, parse_manifest
from confide.errors import PackageError

MAX_PACKAGE = container.MAX_CONTAINER
_CHUNK = 1 << 20
_HEADER = "confide-package-v1\n"


@dataclass(frozen=True)
class FileDigest:
    """Size and SHA-256 of one file."""

    size: int
    sha256: bytes


Source = Callable[[], BinaryIO]
"""Opens a container anew: a seekable binary file of its own for each reader."""


@dataclass(frozen=True)
class Package:
    """A package whose every byte was hashed when it was opened."""

    location: Path  # for people, where it was opened from a source
    manifest: Manifest
    digest: bytes
    parts: Mapping[str, bytes]  # path -> SHA-256, the manifest included
    _members: Mapping[str, container.Member] = field(repr=False)  # empty for a folder
    _source: Source | None = field(repr=False, default=None)  # of a container

    def read(self, name: str) -> bytes:
        """The bytes of one file, verified again against its part digest.

        Raises:
            PackageError: `package.missing_file` or `package.file_digest`.
        """
        pieces: list[bytes] = []
        self.copy(name, pieces.append)
        return b"".join(pieces)

    def copy(self, name: str, write: Callable[[bytes], object]) -> None:
        """Hand the bytes of one file to `write`, a piece at a time; they may be used only after this has returned.

        Raises:
            PackageError: `package.missing_file` or `package.file_digest`.
        """
        if name not in self.parts:
            raise PackageError(Code.PACKAGE_MISSING_FILE, found=ascii(name)[:80], wanted="a file of the package")
        sha = hashlib.sha256()
        with _reading(self.location):
            for chunk in self._chunks(name):
                sha.update(chunk)
                write(chunk)
        _require_file(name, sha.digest(), self.parts[name])

    def size(self, name: str) -> int:
        """The size of one file as the manifest states it.

        Raises:
            PackageError: `package.missing_file`; the manifest does not list itself.
        """
        if name not in self.manifest.files:
            raise PackageError(Code.PACKAGE_MISSING_FILE, found=ascii(name)[:80], wanted="a file that confide.toml names")
        return self.manifest.files[name].size

    def _chunks(self, name: str) -> Iterator[bytes]:
        if self._source is not None:
            with self._source() as file:
                yield from _slices(file, self._members[name])
        else:
            yield from _file_chunks(self.location / name)


def package_digest(files: Mapping[str, FileDigest]) -> bytes:
    """SHA-256 over the listing of all files in byte order of their paths (spec/11-package.md, PKG-11)."""
    lines = (f"{entry.sha256.hex()} {entry.size} {path}\n" for path, entry in sorted(files.items()))
    return hashlib.sha256((_HEADER + "".join(lines)).encode("ascii")).digest()


def open_package(path: Path, *, expected_digest: bytes | None = None) -> Package:
    """Open a folder or `.confide` file and verify all of it.

    Raises:
        PackageError: one `package.*` code for each way in which it can be broken; `package.digest` when it is whole but not the
            expected one.
    """
    with _reading(path):
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return _judge(path, _walk(path), members={}, expected=expected_digest)
        if not stat.S_ISREG(mode):
            raise PackageError(Code.PACKAGE_LINK, found="a special file", wanted="a folder or a .confide file")
    return open_source(lambda: path.open("rb"), path, expected_digest=expected_digest)


def open_source(source: Source, name: Path, *, expected_digest: bytes | None = None) -> Package:
    """Open a container that lies anywhere, and verify all of it. `name` stands in messages; `source` is called again to use it.

    Raises:
        PackageError: as `open_package`.
        ConfideError: whatever the source's own reader raises.
    """
    with _reading(name), source() as file:
        members = {member.path: member for member in container.read_members(file)}
        files = {path: _slice_chunks(file, member) for path, member in members.items()}
        return _judge(name, files, members=members, expected=expected_digest, source=source)


def write_package(source: Path, out: Path) -> Package:
    """Verify the folder `source` and write it as the `.confide` file `out`: all of it or nothing.

    Raises:
        PackageError: as `open_package`, or `package.write` when the disk is full or the place cannot be written.
    """
    package = open_package(source)
    with _replacing(out) as file:
        members = []
        for name in container.order(list(package.parts)):
            data = package.read(name)
            _require_room(file.tell() + len(data))  # headers hold 32-bit sizes and offsets
            member = container.Member(name, size=len(data), crc=zlib.crc32(data))
            file.write(container.local_header(member))
            file.write(data)
            members.append(member)
        file.write(container.directory(members))
        _require_room(file.tell())
    return open_package(out, expected_digest=package.digest)


Chunks = Callable[[], Iterator[bytes]]


def _judge(
    path: Path,
    files: Mapping[str, Chunks],
    *,
    members: Mapping[str, container.Member],
    expected: bytes | None,
    source: Source | None = None,
) -> Package:
    """Manifest first, then the set of files, then every byte."""
    if MANIFEST_NAME not in files:
        raise PackageError(Code.PACKAGE_MANIFEST, found=f"{len(files)} files without {MANIFEST_NAME}", wanted=MANIFEST_NAME)
    text = _bounded(files[MANIFEST_NAME](), MAX_MANIFEST)
    manifest = parse_manifest(text)
    for name in sorted(manifest.files.keys() - files.keys()):
        raise PackageError(Code.PACKAGE_MISSING_FILE, found=f"no {name}", wanted="every file that confide.toml names")
    for name in sorted(files.keys() - manifest.files.keys() - {MANIFEST_NAME}):
        raise PackageError(Code.PACKAGE_UNLISTED_FILE, found=name, wanted="only files that confide.toml names")
    digests = {name: _digest_file(name, files[name](), manifest) for name in manifest.files}
    for name, member in members.items():
        _require_crc(member, text if name == MANIFEST_NAME else None, digests)
    hashed = {name: FileDigest(manifest.files[name].size, digest) for name, (digest, _) in digests.items()}
    hashed[MANIFEST_NAME] = FileDigest(len(text), hashlib.sha256(text).digest())
    digest = package_digest(hashed)
    if expected is not None and not hmac.compare_digest(digest, expected):
        raise PackageError(Code.PACKAGE_DIGEST, found=digest.hex(), wanted=expected.hex())
    parts = MappingProxyType({name: entry.sha256 for name, entry in sorted(hashed.items())})
    return Package(path, manifest, digest, parts, MappingProxyType(dict(members)), source)


def _digest_file(name: str, chunks: Iterator[bytes], manifest: Manifest) -> tuple[bytes, int]:
    """SHA-256 and CRC-32 of one file, which must be those that the manifest states, read no further than its size."""
    entry, sha, crc, size = manifest.files[name], hashlib.sha256(), 0, 0
    for chunk in chunks:
        size += len(chunk)
        if size > entry.size:
            break
        sha.update(chunk)
        crc = zlib.crc32(chunk, crc)
    if size != entry.size:
        raise PackageError(Code.PACKAGE_FILE_DIGEST, found=f"{name} of another size", wanted=f"{entry.size} bytes")
    _require_file(name, sha.digest(), bytes.fromhex(entry.sha256))
    return sha.digest(), crc


def _require_file(name: str, found: bytes, wanted: bytes) -> None:
    if not hmac.compare_digest(found, wanted):
        raise PackageError(Code.PACKAGE_FILE_DIGEST, found=f"{name} {found.hex()}", wanted=wanted.hex())


def _require_crc(member: container.Member, text: bytes | None, digests: Mapping[str, tuple[bytes, int]]) -> None:
    crc = zlib.crc32(text) if text is not None else digests[member.path][1]
    if crc != member.crc:
        raise PackageError(Code.PACKAGE_CONTAINER, found=f"CRC-32 {member.crc:08x} of {member.path}", wanted=f"{crc:08x}")


def _require_room(size: int) -> None:
    if size > MAX_PACKAGE:
        raise PackageError(Code.PACKAGE_TOO_LARGE, found=f"{size} bytes", wanted=f"at most {MAX_PACKAGE}")


def _walk(root: Path) -> dict[str, Chunks]:
    """Every plain file under `root`; links, devices and sockets are refused, not followed."""
    found: dict[str, Chunks] = {}
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir(follow_symlinks=False):
                    pending.append(path)
                elif entry.is_file(follow_symlinks=False):
                    found[path] = _whole_file(root / path)
                else:
                    raise PackageError(Code.PACKAGE_LINK, found=ascii(path)[:80], wanted="plain files and folders")
                if len(found) + len(pending) > 2 * MAX_FILES:
                    raise PackageError(Code.PACKAGE_TOO_LARGE, found="too many files", wanted=f"at most {MAX_FILES}")
    check_paths(list(found))
    return found


def _whole_file(path: Path) -> Chunks:
    return lambda: _file_chunks(path)


def _slice_chunks(file: BinaryIO, member: container.Member) -> Chunks:
    return lambda: _slices(file, member)


def _file_chunks(path: Path) -> Iterator[bytes]:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _slices(file: BinaryIO, member: container.Member) -> Iterator[bytes]:
    file.seek(member.offset)
    left = member.size
    while left and (chunk := file.read(min(left, _CHUNK))):
        left -= len(chunk)
        yield chunk


def _bounded(chunks: Iterator[bytes], limit: int) -> bytes:
    data = b""
    for chunk in chunks:
        data += chunk
        if len(data) > limit:
            raise PackageError(Code.PACKAGE_TOO_LARGE, found=f"{MANIFEST_NAME} over {limit} bytes", wanted=f"at most {limit}")
    return data


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """The file system's errors as ours; the message names the place, never the content."""
    try:
        yield
    except FileNotFoundError:
        raise PackageError(Code.PACKAGE_NOT_FOUND, found=str(path), wanted="a package folder or .confide file") from None
    except OSError as error:
        raise PackageError(Code.PACKAGE_NOT_FOUND, found=f"{path}: {error.strerror}", wanted="a readable package") from None


@contextlib.contextmanager
def _replacing(out: Path) -> Iterator[BinaryIO]:
    """A temporary file beside `out` that takes its name only when all is written and synced; removed otherwise."""
    temporary: Path | None = None
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(out)
        temporary = None
    except OSError as error:
        raise PackageError(Code.PACKAGE_WRITE, found=f"{out}: {error.strerror}", wanted="room and permission to write") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
