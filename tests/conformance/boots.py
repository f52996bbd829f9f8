"""A boot made by hand from the specification: keys, keysets, receipts, checkpoints and a log folder, without the package.

Everything is deterministic but the ML-DSA signatures. Content stands in for content; no evidence is made, and none is judged.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conformance.second import merkle
from conformance.second.keyset import parse_keyset
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

PACKAGE = hashlib.sha256(b"package").hexdigest()
REQUEST, RESPONSE, ENC = b"request", b"response", b"enc"
SALTS = {"request": b"q" * 32, "response": b"r" * 32}


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def text(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def commitment(label: str, data: bytes) -> str:
    return hmac.digest(SALTS[label], label.encode() + b"\0" + hashlib.sha256(data).digest(), "sha256").hex()


def salts() -> bytes:
    return text({"version": 1, **{label: b64(salt) for label, salt in SALTS.items()}})


class Boot:
    """Receipt keys and what they sign."""

    def __init__(self, name: str = "boot") -> None:
        seed = hashlib.sha256(name.encode()).digest()
        self.ed25519 = Ed25519PrivateKey.from_private_bytes(seed)
        self.ml_dsa = MLDSA65PrivateKey.from_seed_bytes(seed)
        self.keyset = self.make_keyset()
        self.log_id = parse_keyset(self.keyset).log_id.hex()

    def make_keyset(self, epoch: int = 1, **changes: Any) -> bytes:
        """A keyset; another epoch has another content key."""
        config = bytes([epoch]) + b"\x00\x20" + bytes([epoch]) * 32 + b"\x00\x04\x00\x01\x00\x01"
        keys = (("ed25519", self.ed25519.public_key()), ("ml-dsa-65", self.ml_dsa.public_key()))
        members: dict[str, Any] = {
            "version": 1,
            "node_id": digest("node"),
            "role": "node",
            "ohttp_key_configs": [b64(config)],
            "receipt_keys": [{"alg": alg, "public_key": b64(key.public_bytes_raw())} for alg, key in keys],
            "tls_spki_sha256": None,
            "tpm_ak_spki_sha256": None,
            "gpu_leaf_key_sha256": [],
            "authority_key": None,
            "software_digest": digest("software"),
            "config_digest": digest("config"),
            "policy": None,
            "pool": None,
            "isolation": "worker-process",
            "models": {},
            "extensions": {},
            "critical": [],
            "not_before": "2026-11-25T00:00:00Z",
            "not_after": "2026-11-26T00:00:00Z",
        }
        return text({**members, **changes})

    def document(self, keyset: bytes | None = None) -> bytes:
        evidence = {"nonces": None, "evidence": [{"type": "sev-snp-report", "value": ""}], "collateral": [], "admission": None}
        return text({"version": 1, "keyset": b64(keyset or self.keyset), **evidence, "issued_at": "2026-11-25T00:00:00Z"})

    def seal(self, kind: str, payload: bytes, *keys: Ed25519PrivateKey | MLDSA65PrivateKey) -> bytes:
        message = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
        signatures = [{"keyid": "", "sig": b64(key.sign(message))} for key in keys]
        return text({"payload": b64(payload), "payloadType": kind, "signatures": signatures})

    def receipt(self, index: int, keyset: bytes | None = None, **changes: Any) -> bytes:
        """A receipt at an index; `changes` are to its predicate."""
        used = keyset or self.keyset
        config = parse_keyset(used).key_configs[0]
        predicate: dict[str, Any] = {
            "keyset_digest": hashlib.sha256(used).hexdigest(),
            "key_config_digest": hashlib.sha256(config).hexdigest(),
            "enc_digest": hashlib.sha256(ENC).hexdigest(),
            "model": {"alias": "minilm", "package": PACKAGE, "parts": {"weights": digest("weights")}},
            "engine": {"name": "engine", "version": "1", "digest": digest("engine")},
            "software_digest": digest("software"),
            "parameters": {"normalize": True},
            "outcome": {"status": "completed"},
            "log_index": index,
            "issued_at": "2026-11-25T12:00:00Z",
        }
        subjects = [(label, commitment(label, data)) for label, data in (("request", REQUEST), ("response", RESPONSE))]
        statement = {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": label, "digest": {"confide-commit-v1": made}} for label, made in subjects],
            "predicateType": "https://confide.dev/receipt/v1",
            "predicate": {**predicate, **changes},
        }
        return self.seal("application/vnd.in-toto+json", text(statement), self.ed25519)

    def checkpoint(self, leaves: Sequence[bytes], **changes: Any) -> bytes:
        """A head of these leaves; `changes` are to its payload."""
        payload = {"version": 1, "log_id": self.log_id, "size": len(leaves), "root": merkle.root_of(leaves).hex()}
        payload |= {"time": "2026-11-25T12:00:01Z", "closing": False} | changes
        return self.seal("application/vnd.confide.checkpoint+json", text(payload), self.ed25519, self.ml_dsa)

    def proof(self, index: int, leaves: Sequence[bytes]) -> bytes:
        path = [node.hex() for node in merkle.inclusion_path(index, leaves)]
        return text({"version": 1, "index": index, "size": len(leaves), "path": path, "checkpoint": b64(self.checkpoint(leaves))})

    def batch(self, indices: Sequence[int], leaves: Sequence[bytes]) -> bytes:
        proofs = [{"index": index, "path": [node.hex() for node in merkle.inclusion_path(index, leaves)]} for index in indices]
        return text({"version": 1, "size": len(leaves), "checkpoint": b64(self.checkpoint(leaves)), "proofs": proofs})


def records(envelopes: Sequence[bytes]) -> bytes:
    return b"".join(len(envelope).to_bytes(4) + envelope for envelope in envelopes)


def write_folder(
    folder: Path, boot: Boot, *, leaves: Sequence[bytes], checkpoints: Sequence[bytes], keysets: Sequence[bytes]
) -> None:
    (folder / "keysets").mkdir(parents=True)
    (folder / "lock").touch()
    (folder / "leaves").write_bytes(records(leaves))
    (folder / "checkpoints").write_bytes(records(checkpoints))
    for keyset in keysets:
        (folder / "keysets" / f"{hashlib.sha256(keyset).hexdigest()}.json").write_bytes(boot.document(keyset))
