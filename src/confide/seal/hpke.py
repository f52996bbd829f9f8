"""HPKE base-mode contexts (RFC 9180 section 5.1.1): sender and receiver, seal, open, export.

KEMs 0x0020 and 0x647a, HKDF-SHA256, three AEADs. `cryptography` has HPKE single-shot only; OHTTP needs the context's exporter, so
the key schedule is here and every primitive is `cryptography`'s. Left to others: KEMs (`kem`), AEADs and nonces (`aead`), messages
(`ohttp`, `chunked`). Modes with PSK or sender authentication are not implemented.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from confide.codes import Code
from confide.errors import ChannelError
from confide.seal.aead import N_N, N_T, Aead, Buffer, NonceSequence
from confide.seal.kdf import MAX_EXPAND, labeled_expand, labeled_extract
from confide.seal.kem import Kem, PrivateKey, PublicKey, parse_public_key

__all__ = [
    "N_T",
    "Aead",
    "Kdf",
    "Kem",
    "PrivateKey",
    "PublicKey",
    "ReceiverContext",
    "SenderContext",
    "Suite",
    "parse_public_key",
    "parse_suite",
    "setup_receiver",
    "setup_sender",
]


class Kdf(IntEnum):
    """KDF identifiers of the IANA HPKE registry."""

    HKDF_SHA256 = 1


@dataclass(frozen=True, slots=True)
class Suite:
    """One algorithm of each kind."""

    kem: Kem
    kdf: Kdf
    aead: Aead

    @property
    def suite_id(self) -> bytes:
        """`"HPKE" || kem_id || kdf_id || aead_id` (RFC 9180 section 5.1)."""
        return b"HPKE" + self.identifiers

    @property
    def identifiers(self) -> bytes:
        """The three identifiers, six bytes, as in an OHTTP header (RFC 9458 section 4.3)."""
        return b"".join(value.to_bytes(2, "big") for value in (self.kem, self.kdf, self.aead))


@lru_cache(maxsize=64)
def parse_suite(kem: int, kdf: int, aead: int) -> Suite:
    """The suite of three registry numbers; `hpke.suite` if one is not ours."""
    try:
        return Suite(Kem(kem), Kdf(kdf), Aead(aead))
    except ValueError:
        found = f"0x{kem:04x}, 0x{kdf:04x}, 0x{aead:04x}"
        raise ChannelError(Code.HPKE_SUITE, found=found, wanted="KEM 0020 or 647a, KDF 0001, AEAD 0001 to 0003") from None


class _Context:
    """What both roles share: the exporter and the numbered cipher (RFC 9180 section 5.1)."""

    __slots__ = ("_exporter_secret", "_messages", "_suite_id", "suite")

    def __init__(self, suite: Suite, shared_secret: bytes, info: bytes) -> None:
        schedule = _schedule(suite, info)
        self.suite, self._suite_id = suite, schedule.suite_id
        secret = labeled_extract(schedule.suite_id, salt=shared_secret, label=b"secret", ikm=b"")
        key = _expand(schedule, secret, b"key", suite.aead.n_k)
        self._messages = NonceSequence(suite.aead, key=key, base_nonce=_expand(schedule, secret, b"base_nonce", N_N))
        self._exporter_secret = _expand(schedule, secret, b"exp", 32)

    def export(self, exporter_context: bytes, length: int) -> bytes:
        """A secret of `length` bytes that both ends can derive (RFC 9180 section 5.3)."""
        if not 0 < length <= MAX_EXPAND:
            raise ChannelError(Code.HPKE_EXPORT_LENGTH, found=f"{length} bytes", wanted=f"1 to {MAX_EXPAND}")
        return labeled_expand(self._suite_id, prk=self._exporter_secret, label=b"sec", info=exporter_context, length=length)


class SenderContext(_Context):
    """ContextS."""

    __slots__ = ()

    def seal(self, plaintext: Buffer, aad: bytes = b"") -> bytes:
        """The next message of this context; `hpke.message_limit` when there is none left."""
        return self._messages.seal(plaintext, aad)


class ReceiverContext(_Context):
    """ContextR."""

    __slots__ = ()

    def open(self, ciphertext: Buffer, aad: bytes = b"") -> bytes:
        """The next message; `hpke.open` if it is altered or out of order, and then the context still waits for it."""
        return self._messages.open(ciphertext, aad)


def setup_sender(
    suite: Suite, public_key: PublicKey, info: bytes, *, _ephemeral: X25519PrivateKey | None = None
) -> tuple[bytes, SenderContext]:
    """SetupBaseS: `(enc, context)`. `_ephemeral` is for published vectors only."""
    if public_key.kem is not suite.kem:
        raise ChannelError(Code.HPKE_PUBLIC_KEY, found=public_key.kem.name, wanted=suite.kem.name)
    shared_secret, enc = public_key.encapsulate(_ephemeral=_ephemeral)
    return enc, SenderContext(suite, shared_secret, info)


def setup_receiver(suite: Suite, private_key: PrivateKey, enc: bytes, info: bytes) -> ReceiverContext:
    """SetupBaseR."""
    if private_key.kem is not suite.kem:
        raise ChannelError(Code.HPKE_PRIVATE_KEY, found=private_key.kem.name, wanted=suite.kem.name)
    return ReceiverContext(suite, private_key.decapsulate(enc), info)


@dataclass(frozen=True, slots=True)
class _Schedule:
    suite_id: bytes
    context: bytes


@lru_cache(maxsize=256)
def _schedule(suite: Suite, info: bytes) -> _Schedule:
    """`key_schedule_context` of mode_base; a node sees one per key and suite, so it is computed once."""
    suite_id = suite.suite_id
    psk_id_hash = labeled_extract(suite_id, salt=b"", label=b"psk_id_hash", ikm=b"")
    info_hash = labeled_extract(suite_id, salt=b"", label=b"info_hash", ikm=info)
    return _Schedule(suite_id, b"\x00" + psk_id_hash + info_hash)


def _expand(schedule: _Schedule, secret: bytes, label: bytes, length: int) -> bytes:
    return labeled_expand(schedule.suite_id, prk=secret, label=label, info=schedule.context, length=length)
