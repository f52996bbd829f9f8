"""The private keys of one boot: born here, never written anywhere, wiped when the node stops.

One OHTTP key per KEM (RFC 9458 section 3), one Ed25519 receipt key for every answer, one ML-DSA-65 key for the log's checkpoints
(DESIGN section 6). There is no way to load a key: a restart makes new ones, and requests sealed to the old ones are refused.
Left to others: opening requests (`seal`), what is signed (`receipt`), rotation within a boot.
"""

import secrets
from dataclasses import dataclass, field
from typing import Never

from confide.codes import Code
from confide.formats.dsse import SignatureAlgorithm, SigningKey
from confide.guest import GuestError
from confide.seal.hpke import Kem, PrivateKey
from confide.seal.keyconfig import KeyConfig, build_key_config

NODE_ID_SIZE = 32
# Post-quantum first: the order of a list of key configurations is the server's preference (RFC 9458 section 3.1).
KEMS = (Kem.XWING, Kem.X25519)


@dataclass(frozen=True)
class OhttpKeyPair:
    """A key configuration and its private half."""

    config: KeyConfig
    private: PrivateKey = field(repr=False)


class NodeKeys:
    """All private keys of this boot. Its repr shows the node id and key ids only."""

    def __init__(self) -> None:
        self.node_id = secrets.token_bytes(NODE_ID_SIZE)
        self._ohttp = tuple(_pair(kem, key_id) for kem, key_id in zip(KEMS, _key_ids(len(KEMS)), strict=True))
        self._receipt: SigningKey | None = SigningKey.generate(SignatureAlgorithm.ED25519)
        self._log: SigningKey | None = SigningKey.generate(SignatureAlgorithm.ML_DSA_65)

    @property
    def ohttp(self) -> tuple[OhttpKeyPair, ...]:
        """The OHTTP keys, post-quantum first."""
        if not self._ohttp:
            raise _wiped()
        return self._ohttp

    @property
    def receipt(self) -> SigningKey:
        """The Ed25519 key that signs receipts and checkpoints."""
        if self._receipt is None:
            raise _wiped()
        return self._receipt

    @property
    def log(self) -> SigningKey:
        """The ML-DSA-65 key that signs checkpoints."""
        if self._log is None:
            raise _wiped()
        return self._log

    def wipe(self) -> None:
        """Overwrite what can be overwritten and forget the rest (LIMITATIONS: Python and OpenSSL keep copies)."""
        for pair in self._ohttp:
            pair.private.wipe()
        self._ohttp, self._receipt, self._log = (), None, None

    def __repr__(self) -> str:
        return f"NodeKeys(node_id={self.node_id.hex()[:16]}…, {'wiped' if self._receipt is None else 'live'})"

    def __reduce__(self) -> Never:
        raise GuestError(Code.GUEST_KEYS_WIPED, found="an attempt to serialise", wanted="keys that stay in this process")


def _pair(kem: Kem, key_id: int) -> OhttpKeyPair:
    private = PrivateKey.generate(kem)
    return OhttpKeyPair(build_key_config(key_id, kem, private.public_bytes), private)


def _key_ids(count: int) -> list[int]:
    """Random and distinct: nothing is kept across boots, so a fresh boot must not always start from the same number."""
    return secrets.SystemRandom().sample(range(256), count)


def _wiped() -> GuestError:
    return GuestError(Code.GUEST_KEYS_WIPED, found="wiped keys", wanted="a running node")
