"""One worker process as the engine sees it: start it, send, receive, read and wipe the shared regions, end it.

The child gets one socket and two memory files and nothing else: a fixed environment, no standard streams, `/` as its folder, Python
in isolated mode. Left to others: what is said (`wire.py`), when (`lane.py`), how the child confines itself (`sandbox.py`).
"""

import contextlib
import fcntl
import io
import mmap
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import confide
from confide.engine import wire
from confide.engine.limits import EngineLimits

_ROOT = str(Path(confide.__file__).resolve().parent.parent)
# Isolated mode ignores PYTHONPATH and the working folder; the place of our own package comes first, then the interpreter's own.
_BOOT = "import sys; sys.path.insert(0, sys.argv.pop(1)); from confide.engine.worker import main; main(sys.argv[1:])"
_ENVIRONMENT = {  # the whole of it
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "MALLOC_ARENA_MAX": "1",
    "ORT_DISABLE_TELEMETRY": "1",  # 1.32 otherwise opens a database and a sender thread
}
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW


def memory_file(fill: Callable[[Callable[[bytes], object]], None]) -> tuple[int, int]:
    """A sealed, read-only memory file of what `fill` writes, and its size (man 2 memfd_create); none if `fill` raises."""
    descriptor = os.memfd_create("confide", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with os.fdopen(os.dup(descriptor), "wb", buffering=0) as file:
            fill(partial(_write_all, file))
            size = file.tell()
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS | fcntl.F_SEAL_WRITE)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, size


def _write_all(file: io.FileIO, data: bytes) -> None:
    """An unbuffered write may take less than all."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


class WorkerProcess:
    """The engine's end of one worker."""

    def __init__(self, limits: EngineLimits) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket = ours
        self._size = limits.region_bytes
        requests, responses = _region(self._size), _region(self._size)
        self._requests, self._responses = mmap.mmap(requests, self._size), mmap.mmap(responses, self._size)
        fds = (theirs.fileno(), requests, responses)
        numbers = (*fds, self._size, limits.batch_tokens, limits.worker_memory)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-c", _BOOT, _ROOT, *map(str, numbers)],
            pass_fds=fds,
            env=_ENVIRONMENT,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches the front only, which stops its workers in order
        )
        theirs.close()
        os.close(requests)
        os.close(responses)
        ours.setblocking(False)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def fileno(self) -> int:
        """For the event loop."""
        return self._socket.fileno()

    def send(self, message: bytes, fds: Sequence[int] = ()) -> bool:
        """Send one control message; False if the worker is gone or does not listen."""
        try:
            if fds:
                return socket.send_fds(self._socket, [message], list(fds)) == len(message)
            return self._socket.send(message) == len(message)
        except OSError:
            return False

    def receive(self) -> bytes | None:
        """One control message; empty at the worker's end; None if there is none yet."""
        try:
            return self._socket.recv(wire.MAX_CONTROL)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def write(self, payload: bytes) -> None:
        """Put a batch at the start of the request region."""
        self._requests[: len(payload)] = payload

    def take(self, offset: int, length: int) -> bytes | None:
        """A private copy of part of the response region, which is wiped; None if it lies outside."""
        if offset + length > self._size:
            return None
        data = self._responses[offset : offset + length]
        self._responses[offset : offset + length] = bytes(length)
        return data

    def wipe(self, length: int) -> None:
        """Zero the first `length` bytes of the request region."""
        self._requests[:length] = bytes(length)

    def wait(self, seconds: float) -> bool:
        """Block until the worker has ended, at most `seconds`."""
        try:
            self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End the worker now. A thread waits for the kernel to take large models apart, so that nobody else does."""
        with contextlib.suppress(OSError):
            self._process.kill()
        self.close()
        threading.Thread(target=self._process.wait, daemon=True).start()

    def close(self) -> None:
        """Close our end; an idle worker then ends by itself."""
        self._socket.close()
        self._requests.close()
        self._responses.close()


def _region(size: int) -> int:
    """A memory file of `size` zero bytes that neither side can shrink under the other (man 2 memfd_create, sealing)."""
    descriptor = os.memfd_create("confide", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, size)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    return descriptor
