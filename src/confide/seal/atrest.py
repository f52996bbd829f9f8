"""Bytes that lie outside the TEE's memory and that only this process can read: numbered sealed chunks with a final mark.

    chunk i = AES-256-GCM(key, nonce = i, plaintext i, aad = "confide/v1/at-rest" || 0x00 || i (8 bytes) || final (1 byte))

All chunks but the last hold exactly 1 MiB, and the last one, which alone has the final mark, holds less (perhaps nothing): so a
length has one form. A key is made for one file, never leaves this object, and no index is sealed twice: the writer's tail stays in
memory until it is a whole chunk, and what was written is never written again, however often an upload resumes.

No I/O: the writer returns bytes, the reader asks a function for them. Left to others: files and their places (`server.uploads`).
"""

import io
import os
from collections.abc import Callable
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from confide.codes import Code
from confide.errors import ChannelError
from confide.seal.aead import N_N, N_T, Buffer

CHUNK = 1 << 20  # plaintext
SEALED_CHUNK = CHUNK + N_T
MAX_CHUNKS = 1 << 32  # far under the 2^32 random nonces of NIST SP 800-38D: ours count, and a file is bounded elsewhere
_LABEL = b"confide/v1/at-rest\x00"
_KEY = 32


class FileKey:
    """The key of one file. Shows nothing, cannot be pickled, and ends with `wipe`."""

    __slots__ = ("_cipher", "_raw")

    def __init__(self, raw: bytearray) -> None:
        if len(raw) != _KEY:
            raise ChannelError(Code.ATREST_STATE, found=f"{len(raw)} bytes", wanted=f"a key of {_KEY}")
        self._raw = raw  # the cipher may read it again, so it is ours to zero at the end
        self._cipher: AESGCM | None = AESGCM(raw)

    @classmethod
    def generate(cls) -> Self:
        """A fresh key from the operating system's randomness."""
        return cls(bytearray(os.urandom(_KEY)))

    @property
    def wiped(self) -> bool:
        """Whether `wipe` was called."""
        return self._cipher is None

    def wipe(self) -> None:
        """Zero the key: what was sealed under it is noise from now on."""
        self._cipher = None
        self._raw[:] = bytes(_KEY)

    def seal(self, index: int, plaintext: Buffer, *, final: bool) -> bytes:
        """Chunk `index`. Only `Writer` calls this: it must happen once per index."""
        return self._live().encrypt(index.to_bytes(N_N, "big"), plaintext, _aad(index, final=final))

    def open_into(self, index: int, sealed: Buffer, out: memoryview, *, final: bool) -> int:
        """Open chunk `index` into `out`, and say how long it is; `atrest.chunk` if it is not that chunk of this file."""
        size = len(sealed) - N_T
        try:
            self._live().decrypt_into(index.to_bytes(N_N, "big"), sealed, _aad(index, final=final), out[:size])
        except InvalidTag:
            raise ChannelError(Code.ATREST_CHUNK, found=f"another chunk {index}", wanted="what was written there") from None
        return size

    def require_live(self) -> None:
        """Raise `atrest.wiped` after `wipe`."""
        self._live()

    def _live(self) -> AESGCM:
        if self._cipher is None:
            raise ChannelError(Code.ATREST_WIPED, found="a wiped key", wanted="a live one")
        return self._cipher

    def __repr__(self) -> str:
        return f"FileKey({'wiped' if self.wiped else 'redacted'})"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise ChannelError(Code.ATREST_STATE, found="an attempt to pickle", wanted="file keys stay in memory")


class Writer:
    """Seals a file from its beginning to its end. What `write` and `finish` return is to be appended, in that order."""

    __slots__ = ("_finished", "_index", "_key", "_tail")

    def __init__(self, key: FileKey) -> None:
        self._key, self._tail = key, bytearray()
        self._index, self._finished = 0, False

    @property
    def size(self) -> int:
        """Plaintext bytes taken so far, those of the tail in memory included."""
        return self._index * CHUNK + len(self._tail)

    def write(self, data: Buffer) -> list[bytes]:
        """The chunks that `data` completes.

        Raises:
            ChannelError: `atrest.state` after `finish`, `atrest.wiped`.
        """
        self._require_open()
        view, sealed = memoryview(data).cast("B"), []
        while len(view):
            taken = min(CHUNK - len(self._tail), len(view))
            self._tail += view[:taken]
            view = view[taken:]
            if len(self._tail) == CHUNK:
                sealed.append(self._seal(final=False))
        return sealed

    def finish(self) -> bytes:
        """The last chunk. Nothing can be written afterwards."""
        self._require_open()
        last = self._seal(final=True)
        self._finished = True
        return last

    def wipe(self) -> None:
        """Drop the tail; the key is its owner's to wipe."""
        self._tail[:] = bytes(len(self._tail))
        self._tail.clear()
        self._finished = True

    def _seal(self, *, final: bool) -> bytes:
        if self._index >= MAX_CHUNKS:
            raise ChannelError(Code.ATREST_SIZE, found=f"{MAX_CHUNKS} chunks", wanted="fewer")
        index, self._index = self._index, self._index + 1  # counted first: a failure burns the index, it is not used again
        sealed = self._key.seal(index, self._tail, final=final)
        self._tail[:] = bytes(len(self._tail))
        self._tail.clear()
        return sealed

    def _require_open(self) -> None:
        if self._finished:
            raise ChannelError(Code.ATREST_STATE, found="a finished file", wanted="one that is being written")


ReadAt = Callable[[int, int], bytes]  # (offset, length) -> what lies there, shorter only at the end


class Reader(io.RawIOBase):
    """A sealed file as a seekable binary file of its plaintext. Holds one chunk; use it through `buffered`.

    Raises:
        ChannelError: `atrest.size` when made, if the length cannot be that of a finished file; `atrest.chunk`, `atrest.size` or
            `atrest.wiped` when a chunk is read.
    """

    def __init__(self, key: FileKey, read_at: ReadAt, *, sealed_size: int) -> None:
        super().__init__()
        self._chunk = memoryview(bytearray(CHUNK))  # first: `close` runs even when the rest refuses
        self.full, rest = divmod(sealed_size, SEALED_CHUNK)
        if rest < N_T or self.full >= MAX_CHUNKS:
            raise ChannelError(Code.ATREST_SIZE, found=f"{sealed_size} bytes", wanted="whole chunks and a final one")
        self.size = self.full * CHUNK + rest - N_T
        self._key, self._read_at, self._sealed_size = key, read_at, sealed_size
        self._at = 0
        self._held, self._length = -1, 0

    def buffered(self) -> io.BufferedReader:
        """As `open(path, "rb")` gives it: `read(n)` returns `n` bytes unless the file ends."""
        return io.BufferedReader(self, buffer_size=1 << 16)

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def seekable(self) -> bool:
        """Any place can be read first."""
        return True

    def tell(self) -> int:
        """The place of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a place; beyond the end there is nothing to read."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Buffer, /) -> int:  # type: ignore[override] # typeshed's WriteableBuffer is not at hand at run time
        """Up to the end of one chunk."""
        view = memoryview(buffer).cast("B")
        index, inside = divmod(self._at, CHUNK)
        if self._at >= self.size or not len(view):
            return 0
        self._hold(index)
        taken = min(len(view), self._length - inside)
        view[:taken] = self._chunk[inside : inside + taken]
        self._at += taken
        return taken

    def verify_end(self) -> None:
        """Open the last chunk, which nobody reads when it is empty: the file ends where its writer ended it."""
        self._hold(self.full)

    def close(self) -> None:
        """Zero the chunk at hand."""
        if not self.closed:
            self._chunk[:] = bytes(CHUNK)
            self._held = -1
        super().close()

    def _hold(self, index: int) -> None:
        if index == self._held:
            return
        self._held = -1  # until it is authentic
        final = index == self.full
        wanted = self._sealed_size - index * SEALED_CHUNK if final else SEALED_CHUNK
        self._key.require_live()  # before anything is read: where the key is gone, the file may be too
        sealed = self._read_at(index * SEALED_CHUNK, wanted)
        if len(sealed) != wanted:
            raise ChannelError(Code.ATREST_SIZE, found=f"{len(sealed)} bytes of chunk {index}", wanted=f"{wanted}")
        self._length = self._key.open_into(index, sealed, self._chunk, final=final)
        self._held = index


def _aad(index: int, *, final: bool) -> bytes:
    return _LABEL + index.to_bytes(8, "big") + bytes([final])
