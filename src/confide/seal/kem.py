"""The two KEMs of the channel: DHKEM(X25519, HKDF-SHA256) 0x0020 and MLKEM768-X25519 (X-Wing) 0x647a.

DHKEM is RFC 9180 section 4.1. X-Wing is draft-connolly-cfrg-xwing-kem-06 and later, the same bytes as MLKEM768-X25519 of
draft-ietf-hpke-pq: the private key is a 32-byte seed, the public key ML-KEM-768 (1184) then X25519 (32), the encapsulated key
ML-KEM-768 (1088) then X25519 (32). Left to others: the key schedule (`hpke`). Keys are never derived from ikm: the drafts differ.
"""

import hashlib
import os
from enum import IntEnum
from functools import lru_cache
from typing import Self

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from confide.codes import Code
from confide.errors import ChannelError
from confide.seal.kdf import labeled_expand, labeled_extract

_X25519 = 32
_MLKEM_PUBLIC, _MLKEM_CIPHERTEXT = 1184, 1088  # FIPS 203 table 3
_XWING_LABEL = b"\\.//^\\"  # 5c2e2f2f5e5c, draft-connolly-cfrg-xwing-kem section 5.3
_DHKEM_SUITE_ID = b"KEM\x00\x20"  # RFC 9180 section 4.1


class Kem(IntEnum):
    """KEM identifiers of the IANA HPKE registry."""

    X25519 = 0x0020
    XWING = 0x647A

    @property
    def n_enc(self) -> int:
        """Length of an encapsulated key."""
        return _X25519 if self is Kem.X25519 else _MLKEM_CIPHERTEXT + _X25519

    @property
    def n_pk(self) -> int:
        """Length of a public key."""
        return _X25519 if self is Kem.X25519 else _MLKEM_PUBLIC + _X25519

    @property
    def post_quantum(self) -> bool:
        """Whether recorded traffic stays sealed against a quantum computer."""
        return self is Kem.XWING


class PublicKey:
    """A parsed public key. Parse once: X-Wing costs 13 us."""

    __slots__ = ("_mlkem", "_x25519", "kem", "raw")

    def __init__(self, kem: Kem, raw: bytes) -> None:
        if len(raw) != kem.n_pk:
            raise ChannelError(Code.HPKE_PUBLIC_KEY, found=f"{len(raw)} bytes", wanted=f"{kem.n_pk} for {kem.name}")
        self.kem, self.raw = kem, bytes(raw)
        self._x25519 = X25519PublicKey.from_public_bytes(self.raw[-_X25519:])
        self._mlkem: MLKEM768PublicKey | None = None
        if kem is Kem.XWING:
            try:  # the modulus check of FIPS 203 section 7.2
                self._mlkem = MLKEM768PublicKey.from_public_bytes(self.raw[:_MLKEM_PUBLIC])
            except ValueError:
                raise ChannelError(Code.HPKE_PUBLIC_KEY, found="a bad ML-KEM-768 key", wanted="FIPS 203 7.2") from None

    def encapsulate(self, *, _ephemeral: X25519PrivateKey | None = None) -> tuple[bytes, bytes]:
        """`(shared_secret, enc)`. `_ephemeral` fixes the X25519 half, for published vectors only."""
        ephemeral = _ephemeral or X25519PrivateKey.generate()
        enc = ephemeral.public_key().public_bytes_raw()
        try:
            dh = ephemeral.exchange(self._x25519)
        except ValueError:  # RFC 9180 section 7.1.4: an all-zero result aborts
            raise ChannelError(Code.HPKE_PUBLIC_KEY, found="a point of small order", wanted="RFC 9180 7.1.4") from None
        if self._mlkem is None:
            return _dhkem_secret(dh, enc=enc, public=self.raw), enc
        ss_m, ct_m = self._mlkem.encapsulate()
        return _xwing_secret(ss_m, dh, ct_x=enc, pk_x=self.raw[_MLKEM_PUBLIC:]), ct_m + enc


@lru_cache(maxsize=64)
def parse_public_key(kem: Kem, raw: bytes) -> PublicKey:
    """`PublicKey(kem, raw)`, remembered: a client seals many requests to one key."""
    return PublicKey(kem, raw)


class PrivateKey:
    """A private key that shows only its public half and can be wiped.

    The parsed halves live in OpenSSL, which clears them when freed; Python's own copies of a seed cannot be cleared for certain
    (LIMITATIONS.md). After `wipe()` every use refuses with `hpke.key_wiped`.
    """

    __slots__ = ("_mlkem", "_pk_x", "_x25519", "kem", "public_bytes")

    def __init__(self, kem: Kem, x25519: X25519PrivateKey, mlkem: MLKEM768PrivateKey | None) -> None:
        self.kem = kem
        self._x25519: X25519PrivateKey | None = x25519
        self._mlkem = mlkem
        self._pk_x = x25519.public_key().public_bytes_raw()
        self.public_bytes = (mlkem.public_key().public_bytes_raw() if mlkem else b"") + self._pk_x

    @classmethod
    def generate(cls, kem: Kem) -> Self:
        """A fresh key from the operating system's randomness."""
        return cls.from_bytes(kem, os.urandom(_X25519))

    @classmethod
    def from_bytes(cls, kem: Kem, raw: bytes) -> Self:
        """From the 32 bytes of an X25519 key (RFC 9180 7.1.2) or of an X-Wing seed (`expandDecapsulationKey`, section 5.2)."""
        if len(raw) != _X25519:
            raise ChannelError(Code.HPKE_PRIVATE_KEY, found=f"{len(raw)} bytes", wanted="32")
        if kem is Kem.X25519:
            return cls(kem, X25519PrivateKey.from_private_bytes(raw), None)
        expanded = hashlib.shake_256(raw).digest(96)
        mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])  # d || z
        return cls(kem, X25519PrivateKey.from_private_bytes(expanded[64:]), mlkem)

    @property
    def wiped(self) -> bool:
        """Whether `wipe()` was called."""
        return self._x25519 is None

    def wipe(self) -> None:
        """Drop the private halves; OpenSSL clears their memory once nothing else holds them."""
        self._x25519 = self._mlkem = None

    def decapsulate(self, enc: bytes) -> bytes:
        """The shared secret of `enc`; `hpke.enc` if its length or point is wrong."""
        x25519, mlkem = self._x25519, self._mlkem
        if x25519 is None:
            raise ChannelError(Code.HPKE_KEY_WIPED, found="a wiped key", wanted="a live one")
        if len(enc) != self.kem.n_enc:
            raise ChannelError(Code.HPKE_ENC, found=f"{len(enc)} bytes", wanted=f"{self.kem.n_enc} for {self.kem.name}")
        ct_x = enc[-_X25519:]
        try:
            dh = x25519.exchange(X25519PublicKey.from_public_bytes(ct_x))
        except ValueError:
            raise ChannelError(Code.HPKE_ENC, found="a point of small order", wanted="RFC 9180 7.1.4") from None
        if mlkem is None:
            return _dhkem_secret(dh, enc=ct_x, public=self._pk_x)
        return _xwing_secret(mlkem.decapsulate(enc[:_MLKEM_CIPHERTEXT]), dh, ct_x=ct_x, pk_x=self._pk_x)

    def __repr__(self) -> str:
        return f"PrivateKey({self.kem.name}, {'wiped' if self.wiped else 'redacted'})"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise ChannelError(Code.HPKE_PRIVATE_KEY, found="an attempt to pickle", wanted="private keys stay in memory")


def _dhkem_secret(dh: bytes, *, enc: bytes, public: bytes) -> bytes:
    """ExtractAndExpand (RFC 9180 section 4.1)."""
    eae_prk = labeled_extract(_DHKEM_SUITE_ID, salt=b"", label=b"eae_prk", ikm=dh)
    return labeled_expand(_DHKEM_SUITE_ID, prk=eae_prk, label=b"shared_secret", info=enc + public, length=32)


def _xwing_secret(ss_m: bytes, ss_x: bytes, *, ct_x: bytes, pk_x: bytes) -> bytes:
    """The combiner (draft-connolly-cfrg-xwing-kem section 5.3)."""
    return hashlib.sha3_256(b"".join((ss_m, ss_x, ct_x, pk_x, _XWING_LABEL))).digest()
