"""The private keys of a node: born here, never written anywhere, wiped at their end.

Two lifetimes (DESIGN section 4). The keys of the *boot* sign: one Ed25519 receipt key for every answer, one ML-DSA-65 key for the
log's checkpoints. The keys of an *epoch* open requests: one OHTTP key per KEM (RFC 9458 section 3). There is no way to load a key:
a restart makes new ones, and requests sealed to the old ones are refused. Left to others: opening requests (`seal`), what is signed
(`receipt`), when epochs begin and end (`guest.epochs`).
"""

import secrets
from collections.abc import Sequence
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
class ContentKey:
    """A key configuration and its private half: it opens requests for one epoch."""

    config: KeyConfig
    private: PrivateKey = field(repr=False)


def content_keys(free: Sequence[int]) -> tuple[ContentKey, ...]:
    """New keys of an epoch, one per KEM, post-quantum first, under ids drawn from those that are free.

    Drawn at random: nothing is kept across boots, so a fresh boot must not always start from the same number.

    Raises:
        GuestError: `guest.key_ids` when there are too few.
    """
    if len(free) < len(KEMS):
        raise GuestError(Code.GUEST_KEY_IDS, found=f"{len(free)} free key ids", wanted=str(len(KEMS)))
    drawn = secrets.SystemRandom().sample(free, len(KEMS))
    return tuple(_content_key(kem, key_id) for kem, key_id in zip(KEMS, drawn, strict=True))


class NodeKeys:
    """The keys of this boot that sign. Its repr shows the node id only."""

    def __init__(self) -> None:
        self.node_id = secrets.token_bytes(NODE_ID_SIZE)
        self._receipt: SigningKey | None = SigningKey.generate(SignatureAlgorithm.ED25519)
        self._log: SigningKey | None = SigningKey.generate(SignatureAlgorithm.ML_DSA_65)

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
        """Forget them (LIMITATIONS: Python and OpenSSL keep copies)."""
        self._receipt = self._log = None

    def __repr__(self) -> str:
        return f"NodeKeys(node_id={self.node_id.hex()[:16]}…, {'wiped' if self._receipt is None else 'live'})"

    def __reduce__(self) -> Never:
        raise GuestError(Code.GUEST_KEYS_WIPED, found="an attempt to serialise", wanted="keys that stay in this process")


def _content_key(kem: Kem, key_id: int) -> ContentKey:
    private = PrivateKey.generate(kem)
    return ContentKey(build_key_config(key_id, kem, private.public_bytes), private)


def _wiped() -> GuestError:
    return GuestError(Code.GUEST_KEYS_WIPED, found="wiped keys", wanted="a running node")
