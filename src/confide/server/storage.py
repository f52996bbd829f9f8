"""Writes the log of this boot to a folder of its own (spec/10-log.md, "On disk"). The only code that does.

Receipts are handed out before they are on the disk, checkpoints only after. So: `append` remembers a leaf and returns at once;
one task gives what has gathered to one thread; `sync` returns when everything before it is on the disk and flushed. What was not
flushed stays in memory, and is written again from the last flushed byte after any error: a flush that failed may have lost what
was written.

While the disk refuses (`standing`) the node takes no sealed requests, so what waits here is bounded by those in flight; the task
tries again with growing pauses. Left to others: what is written (`server.proof`, `server.heads`), reading (`server.otherlogs`).
"""

import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from confide.codes import Code
from confide.receipt.frames import frame
from confide.server import NodeError

log = logging.getLogger("confide.node")
LEAVES, CHECKPOINTS, KEYSETS, LOCK = "leaves", "checkpoints", "keysets", "lock"
GATHER = 0.05  # seconds that leaves gather into one write; a process that dies loses as much at most, and no checkpoint covers it
MAX_WAITING = 16 << 20  # bytes that may wait for the disk before the node takes no more requests
MAX_UNFLUSHED = 4 << 20  # bytes that are written again after an error; a flush comes after as many
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds between tries
T = TypeVar("T")


class LogStore:
    """The folder of one boot. Lives on one event loop; `open` takes the lock, `close` gives it back."""

    def __init__(self, directory: Path, log_id: bytes) -> None:
        self._folder = _Folder(directory, log_id.hex())
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="confide-log")
        self._waiting: list[tuple[str, bytes]] = []
        self._size = 0  # bytes in `_waiting`
        self._asked = 0  # flushes asked for, and done
        self._done = 0
        self._wake, self._flushed = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failing = False

    async def open(self) -> None:
        """Make and lock the folder.

        Raises:
            NodeError: `node.config`; a node that was told to keep its log does not start without.
        """
        try:
            await self._on_thread(self._folder.open)
        except OSError as error:
            found = f"log_dir {self._folder.path.parent}: {error.strerror}"
            raise NodeError(Code.NODE_CONFIG, found=found, wanted="a folder that the node can write") from None
        self._task = asyncio.create_task(self._run())

    def append(self, leaf: bytes) -> None:
        """Keep one more leaf."""
        self._add(LEAVES, frame(leaf))

    def keep_keyset(self, digest: bytes, document: bytes) -> None:
        """Keep the evidence document of a keyset of this boot."""
        self._add(f"{KEYSETS}/{digest.hex()}.json", document)

    async def keep(self, checkpoint: bytes) -> None:
        """Keep a checkpoint; returns when it is flushed."""
        self._add(CHECKPOINTS, frame(checkpoint))
        await self.sync()

    async def sync(self) -> None:
        """Return when everything that was given so far is on the disk and flushed; not before, however long that takes."""
        self._asked += 1
        asked = self._asked
        self._wake.set()
        while self._done < asked:
            self._flushed.clear()
            await self._flushed.wait()

    def standing(self) -> Code | None:
        """`log.storage` while the disk refuses, or is so slow that too much waits for it."""
        stopped = self._task is None or self._task.done()
        return Code.LOG_STORAGE if stopped or self._failing or self._size > MAX_WAITING else None

    async def close(self) -> None:
        """Write no more and unlock the folder: a log without a closing checkpoint has ended uncleanly from here on."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._on_thread(self._folder.close)
        self._thread.shutdown(wait=False)

    def _add(self, name: str, data: bytes) -> None:
        self._waiting.append((name, data))
        self._size += len(data)
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            if self._done == self._asked:  # nobody waits for a flush: let leaves gather
                await asyncio.sleep(GATHER)
            self._wake.clear()
            await self._write()

    async def _write(self) -> None:
        """Give what waits to the thread, again and again until the disk has taken it."""
        taken, size, asked = self._waiting, self._size, self._asked
        self._waiting, pause = [], FIRST_PAUSE
        self._folder.add(taken)  # the thread is idle: it has one writer, which waits below
        while error := await self._on_thread(self._try, asked > self._done):
            if not self._failing:
                log.error("log.storage: %s: %s: no sealed requests until it can be written", self._folder.path, error)
            self._failing = True
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        if self._failing:
            log.warning("log.storage: %s: written again", self._folder.path)
        self._failing, self._size, self._done = False, self._size - size, asked
        self._flushed.set()

    def _try(self, flush: bool) -> str:
        """What the disk has against it; empty when it has taken everything."""
        try:
            self._folder.write(flush=flush)
        except OSError as error:
            return error.strerror or type(error).__name__
        return ""

    async def _on_thread(self, function: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)


class _Appended:
    """A file that only grows. What is not flushed yet stays in `tail`."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        self.flushed = 0  # bytes
        self.tail = bytearray()
        self._written = 0

    def write(self) -> None:
        """Write what is not written, each byte at its own place: a try that failed half-way is written over."""
        try:
            while self._written < self.flushed + len(self.tail):
                self._written += _write_some(self.descriptor, bytes(self.tail[self._written - self.flushed :]), self._written)
        except OSError:
            self._written = self.flushed
            raise

    def flush(self) -> None:
        """Make the disk keep it."""
        try:
            os.fdatasync(self.descriptor)
        except OSError:
            self._written = self.flushed
            raise
        self.flushed = self._written
        self.tail.clear()

    def is_at(self, path: Path) -> bool:
        """Whether the file of this name is still the one that is written."""
        try:
            return os.path.samestat(path.stat(), os.fstat(self.descriptor))
        except FileNotFoundError:
            return False

    def copy_from(self, other: "_Appended") -> None:
        """Take over another's flushed bytes, also where its name is gone, and its tail."""
        while self.flushed < other.flushed:
            piece = os.pread(other.descriptor, min(1 << 20, other.flushed - self.flushed), self.flushed)
            if not piece:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            self.tail += piece
            self.write()
            self.flush()
        self.tail += other.tail

    def close(self) -> None:
        """Let go of it."""
        os.close(self.descriptor)


class _Folder:
    """The folder and its files. Runs on the thread only, but for `add`."""

    def __init__(self, directory: Path, name: str) -> None:
        self.path = directory / name
        self._files: dict[str, _Appended] = {}
        self._documents: dict[str, bytes] = {}  # of this boot's keysets, a few KiB each
        self._unkept: list[str] = []
        self._lock: int | None = None

    def open(self) -> None:
        """Make the folder under another name, lock it, then give it its own: nobody sees it unlocked."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._files, self._lock = self._make()

    def add(self, items: Iterable[tuple[str, bytes]]) -> None:
        """Take what `write` is to write."""
        for name, data in items:
            if name in self._files:
                self._files[name].tail += data
            else:
                self._documents[name] = data
                self._unkept.append(name)

    def write(self, *, flush: bool) -> None:
        """Write everything that is not written; flush it where asked, or where much is not flushed."""
        if not all(file.is_at(self.path / file.name) for file in self._files.values()):
            self._restore()
        for file in self._files.values():
            file.write()
            if flush or len(file.tail) > MAX_UNFLUSHED:
                file.flush()
        while self._unkept:
            _write_whole(self.path / self._unkept[-1], self._documents[self._unkept[-1]])
            self._unkept.pop()

    def close(self) -> None:
        """Close the files; the lock goes last."""
        for file in self._files.values():
            file.close()
        if self._lock is not None:
            os.close(self._lock)
        self._files, self._lock = {}, None

    def _make(self) -> tuple[dict[str, _Appended], int]:
        made = Path(tempfile.mkdtemp(dir=self.path.parent, prefix=f".{self.path.name[:16]}."))
        opened: list[int] = []
        try:
            made.chmod(0o755)
            (made / KEYSETS).mkdir()
            opened.append(os.open(made / LOCK, os.O_RDWR | os.O_CREAT, 0o644))
            fcntl.flock(opened[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
            files = {}
            for name in (LEAVES, CHECKPOINTS):
                files[name] = _Appended(made / name)
                opened.append(files[name].descriptor)
            _flush_folder(made)
            made.rename(self.path)
            _flush_folder(self.path.parent)
        except OSError:
            for descriptor in opened:
                os.close(descriptor)
            shutil.rmtree(made, ignore_errors=True)
            raise
        return files, opened[0]

    def _restore(self) -> None:
        """The folder was taken away while the directory is there: make it anew from the files that are still open.

        Where something else is in its place nothing is touched, and the node waits.
        """
        if self.path.exists() or not self.path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "the log's files are not where they were")
        files, lock = self._make()
        try:
            for name, file in files.items():
                file.copy_from(self._files[name])
        except OSError:
            for descriptor in (*(file.descriptor for file in files.values()), lock):
                os.close(descriptor)
            shutil.rmtree(self.path, ignore_errors=True)
            raise
        self.close()
        self._files, self._lock, self._unkept = files, lock, list(self._documents)
        log.warning("log.storage: %s was gone and is written anew", self.path)


def _write_some(descriptor: int, data: bytes, offset: int) -> int:
    count = os.pwrite(descriptor, data, offset)
    if count == 0:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return count


def _write_whole(path: Path, data: bytes) -> None:
    """All of it or nothing."""
    part = path.with_name(f".{path.name}")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    _flush_folder(path.parent)


def _flush_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
