"""RFC 9458 key configurations, read far enough for a keyset: key id, KEM, public key, and that all lengths fit.

`seal/keyconfig.py` reads the same bytes to use them; `attest` does not import it, so that evidence can be judged without a channel.
"""

from dataclasses import dataclass, field

from confide.codes import Code
from confide.errors import EvidenceError

MAX_KEY_CONFIG = 4096  # bytes; an X-Wing configuration with three suites has 1233
# RFC 9180 section 7.1 and draft-connolly-cfrg-xwing-kem: KEM to length of its public key, Npk
KEM_PUBLIC_KEY_SIZES = {0x0020: 32, 0x647A: 1216}
KNOWN_KDFS = frozenset({0x0001})  # HKDF-SHA256
KNOWN_AEADS = frozenset({0x0001, 0x0002, 0x0003})  # AES-128-GCM, AES-256-GCM, ChaCha20-Poly1305
_PREFIX = 3  # key id, KEM


@dataclass(frozen=True)
class OhttpKey:
    """One content key.

    Attributes:
        key_id: the header byte of requests sealed to it.
        kem_id: 0x0020 (X25519) or 0x647a (X-Wing).
        public_key: `Npk` bytes; empty when the KEM is unknown here.
        suites: pairs of KDF and AEAD in the node's order.
        config: the exact `key_config` bytes, which go into request identifiers and receipts.
    """

    key_id: int
    kem_id: int
    public_key: bytes = field(repr=False)
    suites: tuple[tuple[int, int], ...]
    config: bytes = field(repr=False)

    @property
    def usable(self) -> bool:
        """Whether KEM and at least one pair of KDF and AEAD are known here."""
        return bool(self.public_key) and any(kdf in KNOWN_KDFS and aead in KNOWN_AEADS for kdf, aead in self.suites)

    def describe(self) -> str:
        """For lists of what was skipped."""
        return f"key {self.key_id} of KEM 0x{self.kem_id:04x}"


def read_key_config(config: bytes) -> OhttpKey:
    """`key_id(8) kem_id(16) public_key(Npk) length(16) (kdf(16) aead(16))*` (RFC 9458 section 3.1, without the list's prefix).

    With an unknown KEM the length of its public key is unknown too, so nothing behind the KEM is read.

    Raises:
        EvidenceError: `keyset.key` when the lengths do not fit.
    """
    if len(config) <= _PREFIX:
        raise EvidenceError(Code.KEYSET_KEY, found=f"{len(config)} bytes of key configuration", wanted="key id, KEM and public key")
    key_id, kem_id = config[0], int.from_bytes(config[1:_PREFIX])
    size = KEM_PUBLIC_KEY_SIZES.get(kem_id)
    if size is None:
        return OhttpKey(key_id, kem_id, b"", (), config)
    public_key, rest = config[_PREFIX : _PREFIX + size], config[_PREFIX + size :]
    length = int.from_bytes(rest[:2])
    if len(rest) < 6 or length != len(rest) - 2 or length % 4:  # an empty or partial list of algorithms is refused with the rest
        raise EvidenceError(
            Code.KEYSET_KEY, found=f"{len(config)} bytes for KEM 0x{kem_id:04x}", wanted=f"Npk = {size} and whole suites"
        )
    return OhttpKey(key_id, kem_id, public_key, _suites(rest[2:]), config)


def _suites(pairs: bytes) -> tuple[tuple[int, int], ...]:
    return tuple((int.from_bytes(pairs[i : i + 2]), int.from_bytes(pairs[i + 2 : i + 4])) for i in range(0, len(pairs), 4))
