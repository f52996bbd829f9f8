"""A fixed world for the channel's vectors: a gateway's two keys, a client's ephemeral keys, one exchange of each kind.

Keys come from public seeds and seal nothing else. X-Wing encapsulations are random: they are taken over from the committed file.
"""

import hashlib
from functools import cache, cached_property
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from confide.seal import bhttp
from confide.seal.chunked import ChunkedRequestSealer
from confide.seal.hpke import Aead, Kem, PrivateKey, Suite, setup_sender
from confide.seal.keyconfig import KeyConfig, build_key_config
from confide.seal.ohttp import INNER_AUTHORITY, seal_request
from confide.seal.padding import bucket

Given = dict[str, Any]


def seed(name: str, size: int = 32) -> bytes:
    """Bytes that stand for something by this name."""
    return hashlib.shake_256(b"confide vectors: channel: " + name.encode()).digest(size)


SECRETS = {Kem.X25519: seed("x25519"), Kem.XWING: seed("x-wing")}
PRIVATE = {kem: PrivateKey.from_bytes(kem, secret) for kem, secret in SECRETS.items()}
CONFIGS: dict[Kem, KeyConfig] = {
    kem: build_key_config(key_id, kem, PRIVATE[kem].public_bytes) for key_id, kem in ((1, Kem.X25519), (2, Kem.XWING))
}
KEYS = [{"config": CONFIGS[kem].raw.hex(), "private_key": SECRETS[kem].hex()} for kem in CONFIGS]
EPHEMERAL = seed("ephemeral")
NONCE = seed("response nonce")
SMALL_ORDER = bytes(32)  # RFC 7748 section 6.1: the all-zero point

REQUEST = bhttp.Request(
    b"POST",
    b"https",
    INNER_AUTHORITY,
    b"/v1/pipelines/minilm",
    ((b"content-type", b"application/json"),),
    b'{"inputs": ["a doctor"]}',
)
RESPONSE = bhttp.Response(
    200, ((b"content-type", b"application/json"),), b'{"outputs": []}', ((b"confide-receipt", b"e30="), (b"confide-salts", b"e30="))
)
MESSAGE = bhttp.encode_request(REQUEST, pad_to=bucket)
ANSWER = bhttp.encode_response(RESPONSE, pad_to=bucket)
PIECES = [b"the first chunk", b"the second chunk"]
FINAL = b"the last"


def ephemeral() -> X25519PrivateKey:
    """The client's ephemeral key."""
    return X25519PrivateKey.from_private_bytes(EPHEMERAL)


def flip(data: bytes, position: int, bit: int = 0) -> bytes:
    """`data` with one bit flipped; negative positions count from the end."""
    position %= len(data)
    return data[:position] + bytes((data[position] ^ 1 << bit,)) + data[position + 1 :]


def x25519_body(aead: Aead = Aead.AES_256_GCM, message: bytes = MESSAGE) -> bytes:
    """An encapsulated request, exact."""
    return seal_request(CONFIGS[Kem.X25519], message, aead=aead, _ephemeral=ephemeral()).body


def x25519_stream(final: bytes = FINAL) -> bytes:
    """A chunked request, exact."""
    sealer = ChunkedRequestSealer(CONFIGS[Kem.X25519], _ephemeral=ephemeral())
    return b"".join([*map(sealer.write, PIECES), sealer.finish(final)])


class Random:
    """Random values by name: those of the committed file, or fresh ones made once."""

    def __init__(self, previous: Given | None) -> None:
        self._cases = {case["id"]: case["input"] for case in (previous or {"cases": []})["cases"]}

    @cached_property
    def body(self) -> bytes:
        """An encapsulated X-Wing request."""
        kept = self._cases.get("ohttp-open-xwing")
        return bytes.fromhex(kept["body"]) if kept else seal_request(CONFIGS[Kem.XWING], MESSAGE).body

    @cached_property
    def stream(self) -> bytes:
        """A chunked X-Wing request."""
        kept = self._cases.get("chunked-open-xwing")
        if kept:
            return b"".join(bytes.fromhex(piece) for piece in kept["pieces"])
        sealer = ChunkedRequestSealer(CONFIGS[Kem.XWING])
        return b"".join([*map(sealer.write, PIECES), sealer.finish(FINAL)])

    @cache  # noqa: B019 - one instance per build
    def context(self, suite: Suite, info: bytes, aads: tuple[bytes, ...]) -> tuple[bytes, tuple[bytes, ...]]:
        """An X-Wing `enc` and the ciphertexts of PIECES."""
        kept = self._cases.get(f"hpke-open-xwing-{int(suite.aead)}")
        if kept:
            return bytes.fromhex(kept["enc"]), tuple(bytes.fromhex(item["ciphertext"]) for item in kept["messages"])
        enc, context = setup_sender(suite, CONFIGS[Kem.XWING].parsed_key, info)
        return enc, tuple(context.seal(piece, aad) for piece, aad in zip(PIECES, aads, strict=True))
