"""A small file system in user space (Linux include/uapi/linux/fuse.h, protocol 7.31), for playing kernel interfaces in tests.

Files are read and written past the page cache; what a file does when it is closed happens before `close` returns, as in configfs.
One thread serves one mount. Needs /dev/fuse and the right to mount: without them tests skip, loudly.
"""

import contextlib
import ctypes
import errno
import os
import stat
import struct
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

LOOKUP, FORGET, GETATTR, SETATTR, MKDIR, RMDIR, OPEN, READ, WRITE, RELEASE = 1, 2, 3, 4, 9, 11, 14, 15, 16, 18
FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, INTERRUPT, DESTROY, IOCTL, BATCH_FORGET = 25, 26, 27, 28, 29, 36, 38, 39, 42
DIRECT_IO = 1
_HEADER, _REPLY, _ATTR = struct.Struct("<IIQQIIIHH"), struct.Struct("<IiQ"), struct.Struct("<QQQQQQIIIIIIIIII")
BUFFER = (1 << 17) + 4096


class RefusalError(Exception):
    """A system call that fails with this errno."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class File:
    """One file. Subclasses say what reading, writing and closing mean."""

    mode = stat.S_IFREG | 0o600

    def read(self, offset: int, size: int) -> bytes:  # noqa: ARG002 - what a file may refuse
        raise RefusalError(errno.EINVAL)

    def write(self, offset: int, data: bytes) -> None:  # noqa: ARG002
        raise RefusalError(errno.EINVAL)

    def closed(self) -> None:
        """One descriptor of it is being closed."""

    def ioctl(self, command: int, argument: bytes) -> tuple[int, bytes]:  # noqa: ARG002
        raise RefusalError(errno.ENOTTY)


@dataclass(eq=False)
class Folder:
    """A directory; `make` answers mkdir with what appears there."""

    children: dict[str, "File | Folder"] = field(default_factory=dict)
    make: Callable[[str], "Folder"] | None = None
    removed: Callable[[str], None] = lambda _: None
    changed: float = field(default_factory=time.time)
    mode = stat.S_IFDIR | 0o700


class Mount:
    """A mounted tree, served by a thread until `close`."""

    def __init__(self, root: Folder) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="confide-fuse-"))
        self._nodes: dict[int, File | Folder] = {1: root}
        self._numbers: dict[int, int] = {id(root): 1}
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self._device},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()}".encode()
        if self._libc.mount(b"confide-tests", str(self.path).encode(), b"fuse", 0, options):
            os.close(self._device)
            raise OSError(ctypes.get_errno(), "mount")
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._libc.umount2(str(self.path).encode(), 2)  # MNT_DETACH
        self._thread.join(10)
        os.close(self._device)
        self.path.rmdir()

    def _serve(self) -> None:
        while True:
            try:
                message = os.read(self._device, BUFFER)
            except OSError as error:
                if error.errno in {errno.ENOENT, errno.EINTR}:
                    continue
                return  # ENODEV: unmounted
            _, operation, unique, node, *_ = _HEADER.unpack_from(message)
            if operation in {FORGET, BATCH_FORGET, INTERRUPT, DESTROY}:
                continue
            try:
                number, answer = 0, self._answer(operation, node, message[_HEADER.size :])
            except RefusalError as refusal:
                number, answer = refusal.number, b""
            except Exception:  # noqa: BLE001 - a double with a fault must fail its test, not hang it
                traceback.print_exc()
                number, answer = errno.EREMOTEIO, b""
            with contextlib.suppress(OSError):  # the caller was interrupted
                os.write(self._device, _REPLY.pack(_REPLY.size + len(answer), -number, unique) + answer)

    def _answer(self, operation: int, node: int, body: bytes) -> bytes:  # noqa: C901 - one line per operation
        if operation == INIT:
            flags = 1 << 5  # big writes
            return struct.pack("<IIIIHHIIHHI28x", 7, 31, 1 << 16, flags, 8, 8, 1 << 17, 1, 0, 0, 0)
        here = self._nodes[node]
        if operation == GETATTR:
            return struct.pack("<QII", 0, 0, 0) + self._attributes(here)
        if operation == SETATTR:  # O_TRUNC of an attribute changes nothing
            return struct.pack("<QII", 0, 0, 0) + self._attributes(here)
        if operation in {OPEN, OPENDIR}:
            return struct.pack("<QII", 0, DIRECT_IO if operation == OPEN else 0, 0)
        if operation in {RELEASE, RELEASEDIR}:
            return b""
        if isinstance(here, Folder):
            return self._folder(operation, here, body)
        if operation == READ:
            _, offset, size = struct.unpack_from("<QQI", body)
            return here.read(offset, size)
        if operation == WRITE:
            _, offset, size = struct.unpack_from("<QQI", body)
            here.write(offset, body[40 : 40 + size])
            return struct.pack("<II", size, 0)
        if operation == FLUSH:
            here.closed()
            return b""
        if operation == IOCTL:
            _, _, command, _, size, _ = struct.unpack_from("<QIIQII", body)
            result, data = here.ioctl(command, body[32 : 32 + size])
            return struct.pack("<iIII", result, 0, 0, 0) + data
        raise RefusalError(errno.ENOSYS)

    def _folder(self, operation: int, here: Folder, body: bytes) -> bytes:
        if operation == LOOKUP:
            found = here.children.get(_name(body))
            if found is None:
                raise RefusalError(errno.ENOENT)
            return self._entry(found)
        if operation == MKDIR:
            name = _name(body[8:])
            if name in here.children:
                raise RefusalError(errno.EEXIST)
            if here.make is None:
                raise RefusalError(errno.EPERM)
            here.children[name] = made = here.make(name)
            return self._entry(made)
        if operation == RMDIR:
            name = _name(body)
            if not isinstance(here.children.get(name), Folder):
                raise RefusalError(errno.ENOENT)
            del here.children[name]
            here.removed(name)
            return b""
        if operation == READDIR:
            _, offset, _ = struct.unpack_from("<QQI", body)
            return b"".join(_listed(at + 1, name) for at, name in enumerate(list(here.children)[offset:], offset))[:4096]
        raise RefusalError(errno.ENOSYS)

    def _entry(self, found: File | Folder) -> bytes:
        return struct.pack("<QQQQII", self._number(found), 0, 0, 0, 0, 0) + self._attributes(found)

    def _number(self, found: File | Folder) -> int:
        number = self._numbers.setdefault(id(found), len(self._numbers) + 1)
        self._nodes[number] = found
        return number

    def _attributes(self, found: File | Folder) -> bytes:
        changed = int(found.changed if isinstance(found, Folder) else time.time())
        links = 2 if isinstance(found, Folder) else 1
        times = (changed, changed, changed, 0, 0, 0)
        return _ATTR.pack(self._number(found), 0, 0, *times, found.mode, links, os.getuid(), os.getgid(), 0, 4096, 0)


def _name(body: bytes) -> str:
    return body.split(b"\x00", 1)[0].decode()


def _listed(offset: int, name: str) -> bytes:
    entry = struct.pack("<QQII", offset, offset, len(name.encode()), 0) + name.encode()
    return entry + bytes(-len(entry) % 8)


@contextlib.contextmanager
def mounted(root: Folder) -> Iterator[Path]:
    """The tree as a folder of this machine; without FUSE the test is skipped, or fails where `CONFIDE_REQUIRE` lists `fuse`."""
    try:
        mount = Mount(root)
    except OSError as error:
        reason = f"no FUSE mount for playing kernel interfaces: {error.strerror}"
        if "fuse" in os.environ.get("CONFIDE_REQUIRE", ""):
            pytest.fail(reason)
        pytest.skip(reason)
    try:
        yield mount.path
    finally:
        mount.close()
