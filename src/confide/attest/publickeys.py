"""The public keys in a keyset: RFC 9458 key configurations for content, signature keys for receipts.

A key configuration is read far enough to know key id, KEM, public key and that all lengths fit; `seal/keyconfig.py` reads the same
bytes to use them. `attest` does not import it, so that evidence can be judged without a channel. Left to others: everything else in
a keyset (`keyset`).
"""

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec import Meta

from confide.codes import Code
from confide.errors import EvidenceError
from confide.formats import dsse, strictjson

MAX_KEY_CONFIG = 4096  # bytes; an X-Wing configuration with three suites has 1233
MAX_PUBLIC_KEY = 4096  # bytes; ML-DSA-87 has 2592
# RFC 9180 section 7.1 and draft-connolly-cfrg-xwing-kem: KEM to length of its public key, Npk
KEM_PUBLIC_KEY_SIZES = {0x0020: 32, 0x647A: 1216}
KNOWN_KDFS = frozenset({0x0001})  # HKDF-SHA256
KNOWN_AEADS = frozenset({0x0001, 0x0002, 0x0003})  # AES-128-GCM, AES-256-GCM, ChaCha20-Poly1305
# RFC 8032 section 5.1.5; FIPS 204 table 2
PUBLIC_KEY_SIZES = {dsse.SignatureAlgorithm.ED25519: 32, dsse.SignatureAlgorithm.ML_DSA_65: 1952}
_ALGORITHMS = {alg.value: alg for alg in dsse.SignatureAlgorithm}
_PREFIX = 3  # bytes of key id and KEM
_KEY_TEXT = re.compile(r"\A([a-z0-9-]{1,32}):((?:[0-9a-f]{2}){1,4096})\Z")


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


class KeyMembers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`{"alg", "public_key"}` in JSON."""

    alg: Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9-]{0,31}\Z")]
    public_key: str


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
    if len(rest) < 6 or length != len(rest) - 2 or length % 4:  # at least one whole pair of KDF and AEAD
        raise EvidenceError(
            Code.KEYSET_KEY, found=f"{len(config)} bytes for KEM 0x{kem_id:04x}", wanted=f"Npk = {size}, whole suites"
        )
    return OhttpKey(key_id, kem_id, public_key, _suites(rest[2:]), config)


def read_ohttp_keys(texts: Sequence[str]) -> tuple[tuple[OhttpKey, ...], tuple[str, ...]]:
    """Usable keys, and words for those skipped. A key of unknown suite takes its key id too: it stands in the header of requests.

    Raises:
        EvidenceError: `keyset.key`, `keyset.duplicate` or `keyset.no_usable_key`.
        JsonError: `json.base64` or `json.too_large`.
    """
    keys = [read_key_config(strictjson.unb64(text, limit=MAX_KEY_CONFIG)) for text in texts]
    require_distinct("key_id", [key.key_id for key in keys])
    usable = tuple(key for key in keys if key.usable)
    skipped = tuple(f"content key {key.key_id} of KEM 0x{key.kem_id:04x}" for key in keys if not key.usable)
    if not usable:
        raise EvidenceError(Code.KEYSET_NO_USABLE_KEY, found=", ".join(skipped), wanted="one of known KEM, KDF and AEAD")
    return usable, skipped


def read_receipt_keys(listed: Sequence[KeyMembers]) -> tuple[tuple[dsse.PublicKey, ...], tuple[str, ...]]:
    """Usable keys, and words for those skipped. Raises as `read_ohttp_keys`."""
    require_distinct("receipt_keys", listed)
    for key in listed:
        strictjson.unb64(key.public_key, limit=MAX_PUBLIC_KEY)  # one spelling also for algorithms that are skipped
    usable = tuple(public_key(key) for key in listed if key.alg in _ALGORITHMS)
    skipped = tuple(f"receipt key {key.alg}" for key in listed if key.alg not in _ALGORITHMS)
    if not usable:
        raise EvidenceError(Code.KEYSET_NO_USABLE_KEY, found=", ".join(skipped), wanted=f"one of {', '.join(_ALGORITHMS)}")
    return usable, skipped


def public_key(key: KeyMembers) -> dsse.PublicKey:
    """A signature key of known algorithm and right length.

    Raises:
        EvidenceError: `keyset.key`.
        JsonError: `json.base64` or `json.too_large`.
    """
    raw, alg = strictjson.unb64(key.public_key, limit=MAX_PUBLIC_KEY), _ALGORITHMS.get(key.alg)
    if alg is None or len(raw) != PUBLIC_KEY_SIZES[alg]:
        raise EvidenceError(Code.KEYSET_KEY, found=f"{key.alg}, {len(raw)} bytes", wanted="a known algorithm and its length")
    return dsse.PublicKey(alg, raw)


def key_text(key: dsse.PublicKey) -> str:
    """A key as policies, settings and people write it: `ed25519:<hex>`."""
    return f"{key.alg.value}:{key.raw.hex()}"


def parse_key_text(text: str) -> dsse.PublicKey:
    """`ed25519:<64 hex>` or `ml-dsa-65:<3904 hex>`, in lower case; `keyset.key` otherwise."""
    match = _KEY_TEXT.match(text)
    alg = _ALGORITHMS.get(match[1]) if match else None
    if match is None or alg is None or len(match[2]) != 2 * PUBLIC_KEY_SIZES[alg]:
        wanted = "ed25519:<64 hex> or ml-dsa-65:<3904 hex>"
        raise EvidenceError(Code.KEYSET_KEY, found=f"{len(text)} characters of another form", wanted=wanted)
    return dsse.PublicKey(alg, bytes.fromhex(match[2]))


def require_distinct(what: str, values: Sequence[Hashable]) -> None:
    """Raise `keyset.duplicate` when something is listed twice."""
    if len(set(values)) != len(values):
        raise EvidenceError(Code.KEYSET_DUPLICATE, found=f"{len(values)} in {what}, some twice", wanted="each once")


def _suites(pairs: bytes) -> tuple[tuple[int, int], ...]:
    return tuple((int.from_bytes(pairs[i : i + 2]), int.from_bytes(pairs[i + 2 : i + 4])) for i in range(0, len(pairs), 4))
