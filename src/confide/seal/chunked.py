"""Chunked Oblivious HTTP (draft-ietf-ohai-chunked-ohttp-08): four sans-IO machines, two for each end.

    request    hdr(7) || enc || chunk* || final        sealed by an HPKE context, info "message/bhttp chunked request" || 0 || hdr
    response   response_nonce || chunk* || final       sealed under nonce XOR counter
    chunk      varint(length of ct) || ct, aad ""      final: varint(0) || ct to the end of the stream, aad "final"

    START --header--> CHUNKS --length 0--> FINAL --close()--> DONE        any error: FAILED, and nothing more comes out

A reader is fed any pieces of the stream, whole or byte by byte, and returns the chunks that are complete and authentic; `close()`
says that the stream has ended, and returns the last chunk or raises: without an authentic final chunk the message is truncated. Act
on a request with side effects only after `close()`. Lengths are bounded before anything is buffered. Left to others: what chunks say.
"""

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum, auto

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from confide.codes import Code
from confide.errors import ChannelError
from confide.seal import varint
from confide.seal.aead import N_T, Aead, Buffer, NonceSequence
from confide.seal.encapsulation import (
    DEFAULT_MAX_MESSAGE,
    HEADER_SIZE,
    decapsulate,
    find_key,
    open_first,
    request_header,
    request_info,
    response_keys,
)
from confide.seal.hpke import ReceiverContext, SenderContext, Suite, setup_sender
from confide.seal.keyconfig import KeyConfig
from confide.seal.keystore import HeldKey, KeyStore
from confide.seal.replay import request_id

OHTTP_CHUNKED_REQUEST = "message/ohttp-chunked-req"
OHTTP_CHUNKED_RESPONSE = "message/ohttp-chunked-res"
MAX_CHUNK = 1 << 14  # plaintext; receivers must take this much, senders should send no more (section 3)

_REQUEST_LABEL = b"message/bhttp chunked request"
_RESPONSE_LABEL = b"message/bhttp chunked response"
_FINAL = b"final"


class State(Enum):
    """Where a machine stands."""

    START = auto()
    CHUNKS = auto()
    FINAL = auto()
    DONE = auto()
    FAILED = auto()


class _Writer:
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
        view = memoryview(data)
        return [view[at : at + self.max_chunk] for at in range(0, len(view), self.max_chunk)] or [view]

    def _chunk(self, piece: memoryview) -> bytes:
        ciphertext = self._messages.seal(piece)
        return varint.encode(len(ciphertext)) + ciphertext


class _Reader(ABC):
    """Turns a stream into authentic chunks; the subclass knows what comes before them and how they open."""

    def __init__(self, *, header_size: int, max_chunk: int, max_message: int) -> None:
        self._state = State.START
        self._buffer = bytearray()
        self._need, self._length_known = header_size, False
        self._max_chunk, self._max_message, self._total = max_chunk, max_message, 0

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
            return self._consume(memoryview(data))
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
            self._need = self._header(bytes(piece))
            if not self._need:
                self._state, self._need = State.CHUNKS, 1
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
        if length <= N_T:  # section 3: a chunk that is not final is never empty
            raise ChannelError(Code.OHTTP_CHUNK_LENGTH, found=f"{length} bytes", wanted=f"more than {N_T}")
        self._bound(length)
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
    def _header(self, piece: bytes) -> int:
        """Take one part of what precedes the chunks; the length of the next part, or 0."""

    @abstractmethod
    def _open_chunk(self, ciphertext: Buffer, aad: bytes) -> bytes:
        """The plaintext of the next chunk, or the exact error."""


class ChunkedRequestSealer(_Writer):
    """The client's sending end."""

    __slots__ = ("_context", "enc", "request_id")

    def __init__(
        self,
        config: KeyConfig,
        *,
        aead: Aead | None = None,
        max_chunk: int = MAX_CHUNK,
        _ephemeral: X25519PrivateKey | None = None,
    ) -> None:
        suite = config.suite(aead)
        header = request_header(config, suite)
        self.enc, self._context = setup_sender(
            suite, config.parsed_key, request_info(_REQUEST_LABEL, header), _ephemeral=_ephemeral
        )
        self.request_id = request_id(config.raw, self.enc)
        super().__init__(self._context, header + self.enc, max_chunk)

    def opener(self, *, max_chunk: int = MAX_CHUNK, max_message: int = DEFAULT_MAX_MESSAGE) -> "ChunkedResponseOpener":
        """What opens the answer."""
        return ChunkedResponseOpener(self._context, self.enc, max_chunk=max_chunk, max_message=max_message)


@dataclass(frozen=True, slots=True, repr=False)
class _Named:
    """The key that a header named."""

    held: HeldKey
    suite: Suite
    header: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Encapsulation:
    """Who a chunked request is sealed to, known once its header is in. Nothing here is authentic before the first chunk opened."""

    key_config: KeyConfig
    enc: bytes
    request_id: bytes


class ChunkedRequestOpener(_Reader):
    """The gateway's receiving end. Once a chunk has opened, `sealer` answers inside the seal, errors too."""

    def __init__(self, keys: KeyStore, *, max_chunk: int = MAX_CHUNK, max_message: int = DEFAULT_MAX_MESSAGE) -> None:
        super().__init__(header_size=HEADER_SIZE, max_chunk=max_chunk, max_message=max_message)
        self._keys = keys
        self._named: _Named | None = None
        self._context: ReceiverContext | None = None
        self.encapsulation: Encapsulation | None = None
        self.sealer: ChunkedResponseSealer | None = None

    def _header(self, piece: bytes) -> int:
        if self._named is None:
            held, suite = find_key(self._keys, piece)
            self._named = _Named(held, suite, piece)
            return suite.kem.n_enc
        held, suite = self._named.held, self._named.suite
        self._context = decapsulate(held, suite, piece, info=request_info(_REQUEST_LABEL, self._named.header))
        self.encapsulation = Encapsulation(held.config, piece, request_id(held.config.raw, piece))
        return 0

    def _open_chunk(self, ciphertext: Buffer, aad: bytes) -> bytes:
        if self._named is None or self._context is None or self.encapsulation is None:  # chunks come after the header
            raise ChannelError(Code.OHTTP_STATE, found="a chunk", wanted="the header first")
        if self.sealer is not None:
            return _open_later(self._context, ciphertext, aad)
        plaintext = open_first(self._context, ciphertext, aad)
        self.sealer = ChunkedResponseSealer(self._context, self.encapsulation.enc)
        self._named.held.replay.record(self.encapsulation.request_id)  # before anyone sees the plaintext
        return plaintext


class ChunkedResponseSealer(_Writer):
    """The gateway's sending end."""

    __slots__ = ()

    def __init__(
        self, context: ReceiverContext, enc: bytes, *, max_chunk: int = MAX_CHUNK, _response_nonce: bytes | None = None
    ) -> None:
        response_nonce = _response_nonce or os.urandom(context.suite.aead.n_response)
        super().__init__(_response_messages(context, enc, response_nonce), response_nonce, max_chunk)


class ChunkedResponseOpener(_Reader):
    """The client's receiving end."""

    def __init__(self, context: SenderContext, enc: bytes, *, max_chunk: int, max_message: int) -> None:
        super().__init__(header_size=context.suite.aead.n_response, max_chunk=max_chunk, max_message=max_message)
        self._context, self._enc = context, enc
        self._messages: NonceSequence | None = None

    def _header(self, piece: bytes) -> int:
        self._messages = _response_messages(self._context, self._enc, piece)
        return 0

    def _open_chunk(self, ciphertext: Buffer, aad: bytes) -> bytes:
        if self._messages is None:  # chunks come after the nonce
            raise ChannelError(Code.OHTTP_STATE, found="a chunk", wanted="the nonce first")
        return _open_later(self._messages, ciphertext, aad)


def _response_messages(context: SenderContext | ReceiverContext, enc: bytes, response_nonce: bytes) -> NonceSequence:
    """Keys as in RFC 9458 section 4.4, with the chunked label and a counter (section 6.2)."""
    aead = context.suite.aead
    secret = context.export(_RESPONSE_LABEL, aead.n_response)
    key, nonce = response_keys(aead, secret=secret, enc=enc, response_nonce=response_nonce)
    return NonceSequence(aead, key=key, base_nonce=nonce)


def _open_later(messages: ReceiverContext | NonceSequence, ciphertext: Buffer, aad: bytes) -> bytes:
    try:
        return messages.open(ciphertext, aad)
    except ChannelError as error:
        place = "the final chunk" if aad else "the next chunk"
        raise ChannelError(Code.OHTTP_CHUNK, found=f"{error.code.value}: {error.found}", wanted=place) from None
