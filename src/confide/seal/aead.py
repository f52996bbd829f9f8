"""The three AEADs of RFC 9180 section 7.3, and a key whose nonces count up.

`NonceSequence` is used by HPKE contexts (RFC 9180 section 5.2) and by chunked responses (draft-ietf-ohai-chunked-ohttp-08 section
6.2): nonce = base XOR counter, and an error before any nonce could repeat. Left to others: where keys and base nonces come from.
"""

from collections.abc import Callable, Mapping
from enum import IntEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from confide.codes import Code
from confide.errors import ChannelError

N_N = 12  # nonce length of all three
N_T = 16  # tag length of all three
MAX_PLAINTEXT = (1 << 31) - 1 - N_T  # an int in OpenSSL
SEQUENCE_LIMIT = (1 << (8 * N_N)) - 1  # RFC 9180 section 5.2, IncrementSeq

Buffer = bytes | bytearray | memoryview  # what `cryptography` reads without copying


class Aead(IntEnum):
    """AEAD identifiers of the IANA HPKE registry. Export-only (0xffff) is not one of ours."""

    AES_128_GCM = 1
    AES_256_GCM = 2
    CHACHA20_POLY1305 = 3

    @property
    def n_k(self) -> int:
        """Key length."""
        return 16 if self is Aead.AES_128_GCM else 32

    @property
    def n_response(self) -> int:
        """`max(Nn, Nk)`: length of response nonces and secrets (RFC 9458 section 4.4)."""
        return max(N_N, self.n_k)

    def cipher(self, key: bytes) -> AESGCM | ChaCha20Poly1305:
        """The cipher under `key`."""
        return _CIPHERS[self](key)


_CIPHERS: Mapping[Aead, Callable[[bytes], AESGCM | ChaCha20Poly1305]] = {
    Aead.AES_128_GCM: AESGCM,
    Aead.AES_256_GCM: AESGCM,
    Aead.CHACHA20_POLY1305: ChaCha20Poly1305,
}


def require_sealable(plaintext: Buffer) -> None:
    """Raise `ohttp.too_large` for what OpenSSL could not seal in one call; reported before it is tried."""
    if len(plaintext) > MAX_PLAINTEXT:
        raise ChannelError(Code.OHTTP_TOO_LARGE, found=f"{len(plaintext)} bytes", wanted=f"at most {MAX_PLAINTEXT}")


class NonceSequence:
    """An AEAD key and its counter, for one direction. A failed `open` leaves the counter where it was."""

    __slots__ = ("_base", "_cipher", "_sequence")

    def __init__(self, aead: Aead, *, key: bytes, base_nonce: bytes) -> None:
        self._cipher = aead.cipher(key)
        self._base = int.from_bytes(base_nonce, "big")
        self._sequence = 0

    def _nonce(self) -> bytes:
        """ComputeNonce, refusing at the limit (RFC 9180 section 5.2)."""
        if self._sequence >= SEQUENCE_LIMIT:
            raise ChannelError(Code.HPKE_MESSAGE_LIMIT, found="the last sequence number", wanted="a new context")
        return (self._base ^ self._sequence).to_bytes(N_N, "big")

    def seal(self, plaintext: Buffer, aad: bytes = b"") -> bytes:
        """Ciphertext and tag under the next nonce."""
        require_sealable(plaintext)
        ciphertext = self._cipher.encrypt(self._nonce(), plaintext, aad)
        self._sequence += 1
        return ciphertext

    def open(self, ciphertext: Buffer, aad: bytes = b"") -> bytes:
        """The plaintext; `hpke.open` if it is not authentic under the next nonce."""
        try:
            plaintext = self._cipher.decrypt(self._nonce(), ciphertext, aad)
        except InvalidTag:
            raise ChannelError(Code.HPKE_OPEN, found=f"message {self._sequence}", wanted="an authentic ciphertext") from None
        self._sequence += 1
        return plaintext
