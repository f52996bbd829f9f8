"""A valid keyset, document and admission of one imaginary node, as JSON members that vectors and tests change one at a time.

Every key comes from a seed that is a hash of its name, so everything here is the same on each run.
"""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

from confide.attest.keyset import Keyset, parse_keyset
from confide.formats.dsse import SignatureAlgorithm, SigningKey
from confide.seal.hpke import Aead
from confide.seal.kem import Kem, PrivateKey
from confide.seal.keyconfig import build_key_config

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SUITES = bytes.fromhex("000c 0001 0001 0001 0002 0001 0003")  # length, then HKDF-SHA256 with three AEADs


def bytes_of(name: str, size: int = 32) -> bytes:
    """Bytes that are different for each name."""
    return hashlib.shake_256(name.encode()).digest(size)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def ed25519(name: str) -> SigningKey:
    return SigningKey(SignatureAlgorithm.ED25519, Ed25519PrivateKey.from_private_bytes(bytes_of(name)))


def ml_dsa_65(name: str) -> SigningKey:
    return SigningKey(SignatureAlgorithm.ML_DSA_65, MLDSA65PrivateKey.from_seed_bytes(bytes_of(name)))


RECEIPT, LOG, AUTHORITY = ed25519("receipt"), ml_dsa_65("log"), ed25519("authority")
PLATFORM = bytes_of("chip", 64).hex()


def key_config(key_id: int, kem: int, size: int, suites: bytes = SUITES) -> bytes:
    """RFC 9458 section 3.1, around public-key bytes that no KEM would make: only their length counts here."""
    return bytes([key_id]) + kem.to_bytes(2) + bytes_of(f"kem {kem} {key_id}", size) + suites


def real_key_config(key_id: int, kem: Kem) -> bytes:
    """A key configuration that can be sealed to."""
    public = PrivateKey.from_bytes(kem, bytes_of(f"content key {key_id}")).public_bytes
    return build_key_config(key_id, kem, public, tuple(Aead)).raw


XWING, X25519 = real_key_config(1, Kem.XWING), real_key_config(2, Kem.X25519)


def key_members(key: SigningKey) -> dict[str, str]:
    return {"alg": key.alg.value, "public_key": b64(key.public.raw)}


def keyset_members(**changes: Any) -> dict[str, Any]:
    """Version 1, with every optional member in use except extensions."""
    return {
        "version": 1,
        "node_id": bytes_of("node").hex(),
        "role": "node",
        "ohttp_key_configs": [b64(XWING), b64(X25519)],
        "receipt_keys": [key_members(RECEIPT), key_members(LOG)],
        "tls_spki_sha256": bytes_of("tls").hex(),
        "tpm_ak_spki_sha256": bytes_of("ak").hex(),
        "gpu_leaf_key_sha256": [bytes_of("gpu 0").hex(), bytes_of("gpu 1").hex()],
        "authority_key": key_members(AUTHORITY),
        "software_digest": bytes_of("software").hex(),
        "config_digest": bytes_of("config").hex(),
        "policy": {"digest": bytes_of("policy").hex(), "serial": 7},
        "pool": {"id": "eu-1", "epoch": 3},
        "isolation": "worker-process",
        "models": {"minilm": bytes_of("minilm").hex()},
        "not_before": "2026-11-25T00:00:00Z",
        "not_after": "2026-12-02T00:00:00Z",
        "extensions": {},
        "critical": [],
    } | changes


def encode(members: Any) -> bytes:
    return json.dumps(members).encode()


def keyset(**changes: Any) -> Keyset:
    return parse_keyset(encode(keyset_members(**changes)))


def document_members(**changes: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "keyset": b64(encode(keyset_members())),
        "nonces": {"root": bytes_of("root").hex(), "index": 1, "size": 2, "path": [bytes_of("sibling").hex()]},
        "evidence": [{"type": "sev-snp-report", "value": b64(bytes_of("report", 1184))}],
        "collateral": [{"type": "vcek", "value": b64(bytes_of("vcek", 1300))}, {"type": "crl", "value": b64(bytes_of("crl", 900))}],
        "admission": b64(b"{}"),
        "issued_at": "2026-11-25T12:00:00Z",
    } | changes


def admission_members(**changes: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "node_id": bytes_of("node").hex(),
        "node_key": RECEIPT.public.keyid,
        "platform_id": PLATFORM,
        "place": "Paris, rack 4",
        "not_before": "2026-11-25T00:00:00Z",
        "not_after": "2026-11-26T00:00:00Z",
    } | changes
