"""Chunked Oblivious HTTP (draft-ietf-ohai-chunked-ohttp-08): four sans-IO machines, two for each end.

    request    hdr(7) || enc || chunk* || final        sealed by an HPKE context, info "message/bhttp chunked request" || 0 || hdr
    response   response_nonce || chunk* || final       sealed under nonce XOR counter
    chunk      varint(length of ct) || ct, aad ""      final: varint(0) || ct to the end of the stream, aad "final"

    START --header--> CHUNKS --length 0--> FINAL --close()--> DONE        any error: FAILED, and nothing more comes out

A reader is fed any pieces of the stream, whole or byte by byte, and returns the chunks that are complete and authentic; `close()`
says that the stream has ended, and returns the last chunk or raises: without an authentic final chunk the message is truncated. Act
on a request with side effects only after `close()`. Left to others: the machines' common half (`stream`), and what chunks say.
"""

import os
from dataclasses import dataclass
from functools import partial

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from confide.codes import Code
from confide.errors import ChannelError
from confide.seal.aead import Aead, Buffer, NonceSequence
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
from confide.seal.replay import ReplayStore, request_id
from confide.seal.stream import MAX_CHUNK, ChunkReader, ChunkWriter, Opener

OHTTP_CHUNKED_REQUEST = "message/ohttp-chunked-req"
OHTTP_CHUNKED_RESPONSE = "message/ohttp-chunked-res"

SMALL_CHUNKS, AVERAGE_CHUNK = 64, 256  # a request has at most 64 chunks and one more for every 256 bytes of the bound on its length

_REQUEST_LABEL = b"message/bhttp chunked request"
_RESPONSE_LABEL = b"message/bhttp chunked response"


class ChunkedRequestSealer(ChunkWriter):
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


@dataclass(frozen=True, slots=True)
class Encapsulation:
    """Who a chunked request is sealed to, known once its header is in. Nothing here is authentic before the first chunk opened."""

    key_config: KeyConfig
    enc: bytes
    request_id: bytes


class ChunkedRequestOpener(ChunkReader):
    """The gateway's receiving end. Once a chunk has opened, `sealer` answers inside the seal, errors too."""

    def __init__(self, keys: KeyStore, *, max_chunk: int = MAX_CHUNK, max_message: int = DEFAULT_MAX_MESSAGE) -> None:
        chunks = SMALL_CHUNKS + max_message // AVERAGE_CHUNK  # each costs as much as hundreds of its bytes
        super().__init__(header_size=HEADER_SIZE, max_chunk=max_chunk, max_message=max_message, max_chunks=chunks)
        self._keys = keys
        self._named: tuple[HeldKey, Suite, bytes] | None = None
        self.encapsulation: Encapsulation | None = None
        self.sealer: ChunkedResponseSealer | None = None

    def allow(self, max_message: int) -> None:
        """Take a message of so many bytes, now that it is known what it is for. A bound never shrinks."""
        self._max_message = max(self._max_message, max_message)
        self._max_chunks = SMALL_CHUNKS + self._max_message // AVERAGE_CHUNK

    def _header(self, piece: bytes) -> int | Opener:
        if self._named is None:
            held, suite = find_key(self._keys, piece)
            self._named = held, suite, piece
            return suite.kem.n_enc
        held, suite, header = self._named
        context = decapsulate(held, suite, piece, info=request_info(_REQUEST_LABEL, header))
        self.encapsulation = Encapsulation(held.config, piece, request_id(held.config.raw, piece))
        return partial(self._open_first, held.replay, context, self.encapsulation)

    def _open_first(
        self, replay: ReplayStore, context: ReceiverContext, encapsulation: Encapsulation, ciphertext: Buffer, aad: bytes
    ) -> bytes:
        plaintext = open_first(context, ciphertext, aad)
        replay.require_open()  # before there is a sealer: to a dead key nothing is answered inside
        self._open_chunk = partial(_open_later, context)
        self.sealer = ChunkedResponseSealer(context, encapsulation.enc)
        replay.record(encapsulation.request_id)  # before anyone sees the plaintext
        return plaintext


class ChunkedResponseSealer(ChunkWriter):
    """The gateway's sending end."""

    __slots__ = ()

    def __init__(
        self, context: ReceiverContext, enc: bytes, *, max_chunk: int = MAX_CHUNK, _response_nonce: bytes | None = None
    ) -> None:
        response_nonce = _response_nonce or os.urandom(context.suite.aead.n_response)
        super().__init__(_response_messages(context, enc, response_nonce), response_nonce, max_chunk)


class ChunkedResponseOpener(ChunkReader):
    """The client's receiving end."""

    def __init__(self, context: SenderContext, enc: bytes, *, max_chunk: int, max_message: int) -> None:
        super().__init__(header_size=context.suite.aead.n_response, max_chunk=max_chunk, max_message=max_message)
        self._context, self._enc = context, enc

    def _header(self, piece: bytes) -> Opener:
        return partial(_open_later, _response_messages(self._context, self._enc, piece))


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
