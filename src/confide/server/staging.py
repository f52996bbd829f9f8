"""Where uploads lie while they come: a folder per boot, and in it sealed files that nobody but this process can read.

    <upload_dir>/start.lock         held for a moment by a node that starts
    <upload_dir>/<32 hex>/lock      held as long as that boot lives
    <upload_dir>/<32 hex>/<id>      a sealed file (`seal.atrest`), its key in memory only

A boot that died left files that nothing can open any more. Whoever starts next removes them; a folder whose lock is held is another
node's and stays. Left to others: which uploads there are (`server.uploads`).
"""

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self, cast

from confide.codes import Code
from confide.seal.atrest import CHUNK, FileKey, Reader, Writer
from confide.server import NodeError

_BOOT = re.compile(r"[0-9a-f]{32}\Z")


class Staging:
    """The folder of this boot."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder, self._lock = folder, lock

    @classmethod
    def open(cls, root: Path) -> Self:
        """Remove what dead boots left, and make a folder for this one; blocks for a moment. `upload.storage` if that fails."""
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(root / "start.lock"):
                _remove_leftovers(root)
                folder = root / os.urandom(16).hex()
                folder.mkdir(mode=0o700)
                return cls(folder, _take_lock(folder / "lock"))
        except OSError as error:
            raise NodeError(Code.UPLOAD_STORAGE, found=f"{root}: {error.strerror}", wanted="a folder to write to") from None

    @property
    def free(self) -> int:
        """Bytes that the file system has left for us."""
        return shutil.disk_usage(self.folder).free

    def create(self, name: str) -> "StagedFile":
        """An empty sealed file under a fresh key."""
        return StagedFile(self.folder / name)

    def close(self) -> None:
        """The end of the boot: nothing of it stays."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)


class StagedFile:
    """One upload's bytes. Its methods block; `failed` says that it cannot be written any more."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._key = FileKey.generate()
        self._writer = Writer(self._key)
        self._written = 0  # sealed bytes on the disk
        self.failed = self.dropped = False

    @property
    def size(self) -> int:
        """Plaintext bytes taken so far."""
        return self._writer.size

    def completes_chunk(self, size: int) -> bool:
        """Whether taking so many bytes writes to the disk; if not, it only fills memory."""
        return self._writer.size % CHUNK + size >= CHUNK

    def append(self, data: bytes) -> None:
        """Take more bytes. An `OSError` leaves a file that can only be dropped: what was sealed is not sealed again."""
        for chunk in self._writer.write(data):
            self._write(chunk)

    def finish(self) -> None:
        """The last chunk."""
        self._write(self._writer.finish())

    def open(self) -> BinaryIO:
        """A reader of the finished file, of its own; any number of them."""
        reader = Reader(self._key, self._read_at, sealed_size=self._written)
        reader.verify_end()
        return cast("BinaryIO", reader.buffered())

    def drop(self) -> None:
        """Wipe the key, remove the file. Twice is as good as once."""
        if self.dropped:
            return
        self.dropped = True
        self._key.wipe()
        self._writer.wipe()
        os.close(self._file)
        self._file = -1  # the number may be another file's soon
        self._path.unlink(missing_ok=True)

    def _write(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        try:
            while view:
                taken = os.pwrite(self._file, view, self._written)
                self._written += taken
                view = view[taken:]
        except OSError:
            self.failed = True
            raise

    def _read_at(self, offset: int, length: int) -> bytes:
        pieces = []
        while length and (piece := os.pread(self._file, length, offset)):
            pieces.append(piece)
            offset, length = offset + len(piece), length - len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _remove_leftovers(root: Path) -> None:
    for folder in root.iterdir():
        if not _BOOT.match(folder.name) or folder.is_symlink() or not folder.is_dir():
            continue  # nothing that we made
        try:
            lock = _take_lock(folder / "lock")
        except BlockingIOError:
            continue  # it lives
        shutil.rmtree(folder)
        os.close(lock)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One node starts at a time, so that none takes a folder for dead whose lock is about to be taken."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _take_lock(path: Path) -> int:
    """A descriptor that holds the lock (man 2 flock); `BlockingIOError` when another process has it."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock
