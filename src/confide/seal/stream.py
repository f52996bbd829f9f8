"""A stream of sealed chunks, without its keys: cutting and framing, and the bounded incremental parser of it.

The wire form is draft-ietf-ohai-chunked-ohttp-08 sections 4 and 5. Every length is bounded before its chunk is buffered, so
a reader holds at most one chunk, however it is fed. Left to others: headers and keys (`chunked`).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum, auto

from confide.codes import Code
from confide.errors import ChannelError
from confide.seal import varint
from confide.seal.aead import N_T, Buffer, NonceSequence
from confide.seal.hpke import SenderContext

MAX_CHUNK = 1 << 14  # plaintext; receivers must take this much, senders should send no more (section 3)
_FINAL = b"final"
Opener = Callable[[Buffer, bytes], bytes]  # (ciphertext, aad) -> plaintext


class State(Enum):
    """Where a machine stands."""

    START = auto()
    CHUNKS = auto()
    FINAL = auto()
    DONE = auto()
    FAILED = auto()


class ChunkWriter:
    """Turns plaintext into chunks. `write` as often as wanted, `finish` once; anything else is `ohttp.state`."""

    __slots__ = ("_messages", "_prefix", "_state", "max_chunk")

    def __init__(self, messages: SenderContext | NonceSequence, prefix: bytes, max_chunk: int) -> None:
        self._messages, self._prefix, self.max_chunk = messages, prefix, max_chunk
        self._state = State.START

    def write(self, data: Buffer) -> bytes:
        """Everything that goes before the first chunk, if it has not gone yet, and `data` in chunks of at most `max_chunk`."""
        pieces = self._pieces(data)
        return b"".join([self._start(), *(self._chunk(piece) for piece in pieces if len(piece))])

    def finish(self, data: Buffer = b"") -> bytes:
        """As `write`, with the end of `data` in the final chunk. Do not call it after a failure: truncation must show."""
        *pieces, last = self._pieces(data)
        start = self._start()
        out = [start, *(self._chunk(piece) for piece in pieces), b"\x00", self._messages.seal(last, _FINAL)]
        self._state = State.DONE
        return b"".join(out)

    def _start(self) -> bytes:
        if self._state is State.START:
            self._state = State.CHUNKS
            return self._prefix
        if self._state is not State.CHUNKS:
            raise ChannelError(Code.OHTTP_STATE, found="a finished stream", wanted="a new one")
        return b""

    def _pieces(self, data: Buffer) -> list[memoryview]:
        view = memoryview(data).cast("B")
        return [view[at : at + self.max_chunk] for at in range(0, len(view), self.max_chunk)] or [view]

    def _chunk(self, piece: memoryview) -> bytes:
        ciphertext = self._messages.seal(piece)
        return varint.encode(len(ciphertext)) + ciphertext


class ChunkReader(ABC):
    """Turns a stream into authentic chunks; the subclass knows what comes before them and how they open."""

    _open_chunk: Opener

    def __init__(self, *, header_size: int, max_chunk: int, max_message: int, max_chunks: int | None = None) -> None:
        self._state = State.START
        self._buffer = bytearray()
        self._need, self._length_known = header_size, False
        self._max_chunk, self._max_message, self._total = max_chunk, max_message, 0
        self._max_chunks, self._count = max_chunks, 0

    @property
    def finished(self) -> bool:
        """Whether the final chunk was opened."""
        return self._state is State.DONE

    def feed(self, data: Buffer) -> list[bytes]:
        """The chunks that `data` completes, in order.

        Raises:
            ChannelError: `ohttp.chunk`, `ohttp.chunk_length`, `ohttp.too_large`; from the header and first chunk of a request also
                what `Gateway.open` raises; `ohttp.state` after an error or `close`.
        """
        self._require_live()
        try:
            return self._consume(memoryview(data).cast("B"))
        except ChannelError:
            self._state = State.FAILED
            raise

    def close(self) -> bytes:
        """The final chunk's plaintext, now that the stream has ended; `ohttp.truncated` if it ended before the final mark."""
        self._require_live()
        state, self._state = self._state, State.FAILED
        if state is not State.FINAL or len(self._buffer) < N_T:
            raise ChannelError(Code.OHTTP_TRUNCATED, found=f"the end of the stream in {state.name}", wanted="a final chunk")
        plaintext = self._open(self._buffer, _FINAL)
        self._state = State.DONE
        return plaintext

    def _require_live(self) -> None:
        if self._state in (State.DONE, State.FAILED):
            raise ChannelError(Code.OHTTP_STATE, found=self._state.name, wanted="a live stream")

    def _consume(self, view: memoryview) -> list[bytes]:
        chunks: list[bytes] = []
        while len(view):
            if self._state is State.FINAL:
                self._bound(len(self._buffer) + len(view))
                self._buffer += view
                break
            missing = self._need - len(self._buffer)
            if len(view) < missing:
                self._buffer += view
                break
            piece = view[:missing] if not self._buffer else bytes(self._buffer) + view[:missing]
            self._buffer.clear()
            view = view[missing:]
            self._step(piece, chunks)
        return chunks

    def _step(self, piece: Buffer, chunks: list[bytes]) -> None:
        """One header part, length or chunk is complete."""
        if self._state is State.START:
            following = self._header(bytes(piece))
            if isinstance(following, int):
                self._need = following
            else:
                self._open_chunk, self._state, self._need = following, State.CHUNKS, 1
        elif self._length_known:
            chunks.append(self._open(piece, b""))
            self._need, self._length_known = 1, False
        else:
            self._length(piece)

    def _length(self, piece: Buffer) -> None:
        size = varint.length_of(piece[0])
        if len(piece) < size:  # the rest of the integer
            self._buffer += piece
            self._need = size
            return
        length, _ = varint.decode(piece, 0)
        if length == 0:
            self._state = State.FINAL
            return
        if length <= N_T:  # a chunk that is not final is never empty: it would carry nothing but a sign of life
            raise ChannelError(Code.OHTTP_CHUNK_LENGTH, found=f"{length} bytes", wanted=f"more than {N_T}")
        self._bound(length)
        self._count += 1
        if self._max_chunks is not None and self._count > self._max_chunks:
            raise ChannelError(Code.OHTTP_TOO_LARGE, found="more chunks", wanted=f"at most {self._max_chunks}")
        self._need, self._length_known = length, True

    def _bound(self, length: int) -> None:
        """Refuse a chunk by its length, before it is buffered."""
        if length > self._max_chunk + N_T:
            raise ChannelError(Code.OHTTP_CHUNK_LENGTH, found=f"{length} bytes", wanted=f"at most {self._max_chunk + N_T}")
        if self._total + length - N_T > self._max_message:
            raise ChannelError(Code.OHTTP_TOO_LARGE, found="a longer stream", wanted=f"at most {self._max_message} bytes")

    def _open(self, ciphertext: Buffer, aad: bytes) -> bytes:
        plaintext = self._open_chunk(ciphertext, aad)
        self._total += len(plaintext)
        return plaintext

    @abstractmethod
    def _header(self, piece: bytes) -> int | Opener:
        """Take one part of what precedes the chunks: the length of the next part, or what opens the chunks."""
