"""Oblivious HTTP, one message at a time (RFC 9458 section 4): the client's half and the gateway's half.

    seal_request -> body ......> Gateway.open -> message      hdr(7) || enc || ct, info "message/bhttp request" || 0x00 || hdr
    opener.open  <- body <...... sealer.seal  <- message      response_nonce || ct, secret exported from the request's context

Errors are exact here; `problems` says what a stranger may see. Left to others: chunks (`chunked`), binary HTTP (`bhttp`), routes.
"""

import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from confide.codes import Code
from confide.errors import ChannelError, ConfideError
from confide.seal.aead import N_T, Aead, Buffer, require_sealable
from confide.seal.chunked import ChunkedRequestOpener
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
from confide.seal.hpke import ReceiverContext, SenderContext, setup_sender
from confide.seal.keyconfig import KeyConfig
from confide.seal.keystore import KeyStore
from confide.seal.replay import request_id

__all__ = [
    "DEFAULT_MAX_MESSAGE",
    "INNER_AUTHORITY",
    "OHTTP_REQUEST",
    "OHTTP_RESPONSE",
    "Gateway",
    "OpenedError",
    "OpenedRequest",
    "ResponseOpener",
    "ResponseSealer",
    "SealedRequest",
    "seal_request",
]

OHTTP_REQUEST = "message/ohttp-req"
OHTTP_RESPONSE = "message/ohttp-res"
INNER_AUTHORITY = b"enclave.invalid"  # RFC 6761 section 6.4: resolves nowhere, so a misrouted message goes nowhere

_REQUEST_LABEL = b"message/bhttp request"
_RESPONSE_LABEL = b"message/bhttp response"


@dataclass(frozen=True, slots=True)
class SealedRequest:
    """What the client sends, and what opens the answer to it."""

    body: bytes
    request_id: bytes
    enc: bytes
    opener: "ResponseOpener"


@dataclass(frozen=True, slots=True, repr=False)
class OpenedRequest:
    """What the gateway opened, and what seals the answer to it."""

    message: bytes
    key_config: KeyConfig
    enc: bytes
    request_id: bytes
    sealer: "ResponseSealer"


class OpenedError(ChannelError):
    """A refusal after the request was opened: `sealer` carries the error to the client, inside the seal."""

    def __init__(self, cause: ConfideError, sealer: "ResponseSealer") -> None:
        super().__init__(cause.code, found=cause.found, wanted=cause.wanted, hint=cause.hint)
        self.sealer = sealer


def seal_request(
    config: KeyConfig, message: Buffer, *, aead: Aead | None = None, _ephemeral: X25519PrivateKey | None = None
) -> SealedRequest:
    """Encapsulate a request (RFC 9458 section 4.3). `_ephemeral` is for published examples only."""
    suite = config.suite(aead)
    header = request_header(config, suite)
    enc, context = setup_sender(suite, config.parsed_key, request_info(_REQUEST_LABEL, header), _ephemeral=_ephemeral)
    body = b"".join((header, enc, context.seal(message)))
    return SealedRequest(body, request_id(config.raw, enc), enc, ResponseOpener(context, enc))


class ResponseOpener:
    """Opens the answer to one request."""

    __slots__ = ("_aead", "_enc", "_secret")

    def __init__(self, context: SenderContext, enc: bytes) -> None:
        self._aead, self._enc = context.suite.aead, enc
        self._secret = context.export(_RESPONSE_LABEL, self._aead.n_response)

    def open(self, body: bytes) -> bytes:
        """The message (RFC 9458 section 4.4); `ohttp.truncated` if it is too short, `ohttp.response` if it is not authentic."""
        size = self._aead.n_response
        if len(body) < size + N_T:
            raise ChannelError(Code.OHTTP_TRUNCATED, found=f"{len(body)} bytes", wanted=f"at least {size + N_T}")
        key, nonce = response_keys(self._aead, secret=self._secret, enc=self._enc, response_nonce=body[:size])
        try:
            return self._aead.cipher(key).decrypt(nonce, memoryview(body)[size:], b"")
        except InvalidTag:
            raise ChannelError(Code.OHTTP_RESPONSE, found=f"{len(body)} bytes", wanted="the answer to this request") from None


class ResponseSealer:
    """Seals the answer to one request."""

    __slots__ = ("_aead", "_enc", "_secret")

    def __init__(self, context: ReceiverContext, enc: bytes) -> None:
        self._aead, self._enc = context.suite.aead, enc
        self._secret = context.export(_RESPONSE_LABEL, self._aead.n_response)

    def seal(self, message: Buffer, *, _response_nonce: bytes | None = None) -> bytes:
        """Encapsulate the response (RFC 9458 section 4.4), each time under a fresh nonce."""
        require_sealable(message)
        response_nonce = _response_nonce or os.urandom(self._aead.n_response)
        key, nonce = response_keys(self._aead, secret=self._secret, enc=self._enc, response_nonce=response_nonce)
        return response_nonce + self._aead.cipher(key).encrypt(nonce, message, b"")


class Gateway:
    """The opening end: finds the key, opens, and records the request before anyone processes it."""

    __slots__ = ("keys", "max_message")

    def __init__(self, keys: KeyStore, *, max_message: int = DEFAULT_MAX_MESSAGE) -> None:
        self.keys, self.max_message = keys, max_message

    def open(self, body: Buffer) -> OpenedRequest:
        """Open one encapsulated request.

        Raises:
            ChannelError: `ohttp.truncated`, `ohttp.too_large`, `ohttp.key_id`, `ohttp.suite` or `ohttp.decapsulation`.
            OpenedError: `ohttp.replayed` or `ohttp.replay_store_full`, which may be answered inside.
        """
        view = memoryview(body)
        if len(view) < HEADER_SIZE:
            raise ChannelError(Code.OHTTP_TRUNCATED, found=f"{len(view)} bytes", wanted=f"at least {HEADER_SIZE}")
        header = bytes(view[:HEADER_SIZE])
        held, suite = find_key(self.keys, header)
        start = HEADER_SIZE + suite.kem.n_enc
        if len(view) < start + N_T:
            raise ChannelError(Code.OHTTP_TRUNCATED, found=f"{len(view)} bytes", wanted=f"at least {start + N_T}")
        if len(view) - start - N_T > self.max_message:
            raise ChannelError(Code.OHTTP_TOO_LARGE, found=f"{len(view)} bytes", wanted=f"a message of at most {self.max_message}")
        enc = bytes(view[HEADER_SIZE:start])
        context = decapsulate(held, suite, enc, info=request_info(_REQUEST_LABEL, header))
        message = open_first(context, view[start:])
        sealer = ResponseSealer(context, enc)
        identifier = request_id(held.config.raw, enc)
        try:
            held.replay.record(identifier)
        except ChannelError as error:
            raise OpenedError(error, sealer) from None
        return OpenedRequest(message, held.config, enc, identifier, sealer)

    def open_chunked(self) -> ChunkedRequestOpener:
        """A machine for one chunked request (`chunked`)."""
        return ChunkedRequestOpener(self.keys, max_message=self.max_message)
