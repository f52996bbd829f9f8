"""Makes `vectors/02-keyset.json`: one keyset in which one thing at a time is different. Nothing in it is random."""

from collections.abc import Iterator
from typing import Any

from confide.attest.keyset import MAX_KEYSET
from confide.codes import Code
from scripts.vectors._cases import accept, reject
from scripts.vectors._node import (
    RECEIPT,
    X25519,
    b64,
    bytes_of,
    ed25519,
    encode,
    key_config,
    key_members,
    keyset_members,
)

OP = "keyset.parse"
UNKNOWN_KEM = bytes.fromhex("090050") + bytes(64)  # ML-KEM-1024 of draft-ietf-hpke-pq, cut
UNKNOWN_AEAD = key_config(8, 0x0020, 32, bytes.fromhex("00040001ffff"))
UNKNOWN_KDF = key_config(7, 0x0020, 32, bytes.fromhex("000400030001"))
UNKNOWN_ALG = {"alg": "slh-dsa-sha2-128s", "public_key": b64(bytes_of("slh-dsa"))}
SMALL: dict[str, Any] = {
    "ohttp_key_configs": [b64(X25519)],
    "receipt_keys": [key_members(RECEIPT)],
    "tls_spki_sha256": None,
    "tpm_ak_spki_sha256": None,
    "gpu_leaf_key_sha256": [],
    "authority_key": None,
    "policy": None,
    "pool": None,
    "models": {},
}


def small(**changes: Any) -> dict[str, Any]:
    """A keyset in which everything optional is absent."""
    return keyset_members(**SMALL | changes)


def text(**changes: Any) -> dict[str, Any]:
    """The input for a small keyset with changes."""
    return {"keyset": encode(small(**changes)).hex()}


def build(previous: dict[str, Any] | None) -> dict[str, Any]:  # noqa: ARG001 - nothing is random here
    """The whole file."""
    return {
        "spec": "spec/02-keyset.md",
        "generator": "scripts/vectors/keyset.py",
        "provenance": "Keysets of one imaginary node. Keys come from seeds SHAKE-256(name); only public halves are here. "
        "Every rejecting case differs from an accepted one in the one thing its id names.",
        "cases": [*_accepted(), *_form(), *_members(), *_extensions(), *_content_keys(), *_receipt_keys(), *_times()],
    }


def _accepted() -> Iterator[dict[str, Any]]:
    everything = " ".join(f"KEYSET-{number}" for number in range(1, 11))
    yield accept("keyset-accept-full", everything, OP, {"keyset": encode(keyset_members()).hex()})
    yield accept("keyset-accept-minimal", everything, OP, text())
    yield accept("keyset-accept-compact-spelling", "KEYSET-1", OP, {"keyset": encode(small()).replace(b" ", b"").hex()})
    yield accept("keyset-accept-largest", "KEYSET-1", OP, text() | {"spaces": MAX_KEYSET - len(encode(small()))})
    roles = {"broker": "in-process", "trainer": "worker-process", "aggregator": "worker-process"}
    for role, isolation in roles.items():
        yield accept(f"keyset-accept-role-{role}", "KEYSET-3", OP, text(role=role, isolation=isolation))
    yield accept("keyset-accept-unknown-extension", "KEYSET-3 KEYSET-4", OP, text(extensions={"com.example/x": {"a": [None, 1]}}))
    skipped = [b64(config) for config in (UNKNOWN_KEM, UNKNOWN_AEAD, X25519, UNKNOWN_KDF)]
    yield accept("keyset-accept-skips-content-keys", "KEYSET-5 KEYSET-6 KEYSET-7", OP, text(ohttp_key_configs=skipped))
    mixed = key_config(2, 0x0020, 32, bytes.fromhex("0008ffffffff00010003"))
    yield accept("keyset-accept-one-known-suite", "KEYSET-7", OP, text(ohttp_key_configs=[b64(mixed)]))
    yield accept("keyset-accept-skips-receipt-keys", "KEYSET-7", OP, text(receipt_keys=[UNKNOWN_ALG, key_members(RECEIPT)]))
    yield accept("keyset-accept-one-second", "KEYSET-10", OP, text(not_after="2026-11-25T00:00:01Z"))


def _form() -> Iterator[dict[str, Any]]:
    raw = encode(small())
    yield reject("keyset-reject-too-large", "KEYSET-1", OP, text() | {"spaces": MAX_KEYSET - len(raw) + 1}, Code.KEYSET_TOO_LARGE)
    broken = {
        "empty": b"",
        "truncated": raw[:-1],
        "trailing": raw + b"{}",
        "byte-order-mark": b"\xef\xbb\xbf" + raw,
        "duplicate-member": raw[:-1] + b',"role":"node"}',
        "duplicate-inner-member": encode(small(extensions={"a": 1})).replace(b'{"a": 1}', b'{"a": 1, "a": 1}'),
        "duplicate-escaped-member": raw[:-1] + b',"\\u0072ole":"node"}',
        "not-a-number": encode(small(extensions={"a": float("nan")})),
        "infinite": encode(small(extensions={"a": 1})).replace(b'{"a": 1}', b'{"a": 1e999}'),
        "big-integer": encode(small(extensions={"a": 2**53})),
        "surrogate": encode(small(extensions={"a": "\ud800"})),
        "invalid-utf-8": encode(small(extensions={"a": "b"})).replace(b'"b"', b'"\xff"'),
        "too-deep": encode(small(extensions={"a": 1})).replace(b": 1}", b": " + b"[" * 31 + b"]" * 31 + b"}"),
    }
    for name, value in broken.items():
        yield reject(f"keyset-reject-{name}", "KEYSET-1", OP, {"keyset": value.hex()}, Code.KEYSET_MALFORMED)
    deepest = broken["too-deep"].replace(b"[" * 31 + b"]" * 31, b"[" * 30 + b"]" * 30)
    yield accept("keyset-accept-deepest", "KEYSET-1", OP, {"keyset": deepest.hex()})
    yield reject("keyset-reject-version-2", "KEYSET-2", OP, {"keyset": encode({"version": 2, "new": 1}).hex()}, Code.KEYSET_VERSION)
    yield reject("keyset-reject-version-0", "KEYSET-2", OP, text(version=0), Code.KEYSET_VERSION)
    for name, version in {"text": "1", "true": True, "float": 1.0, "null": None}.items():
        yield reject(f"keyset-reject-version-{name}", "KEYSET-2", OP, text(version=version), Code.KEYSET_MALFORMED)
    yield reject("keyset-reject-array", "KEYSET-2", OP, {"keyset": b"[]".hex()}, Code.KEYSET_MALFORMED)


def _members() -> Iterator[dict[str, Any]]:
    for name in small():
        members = small()
        del members[name]
        must = "KEYSET-2" if name == "version" else "KEYSET-3"
        yield reject(f"keyset-reject-without-{name}", must, OP, {"keyset": encode(members).hex()}, Code.KEYSET_MALFORMED)
    digest = bytes_of("digest").hex()
    wrong: dict[str, dict[str, Any]] = {
        "unknown-member": {"unknown": 1},
        "unknown-inner-member": {"pool": {"id": "eu-1", "epoch": 3, "unknown": 1}},
        "role": {"role": "admin"},
        "isolation": {"isolation": "none"},
        "upper-case-digest": {"software_digest": digest.upper()},
        "short-digest": {"config_digest": digest[:-2]},
        "digest-with-line-feed": {"node_id": digest[:-1] + "\n"},
        "null-node-id": {"node_id": None},
        "no-content-keys": {"ohttp_key_configs": []},
        "17-content-keys": {"ohttp_key_configs": [b64(key_config(i, 0x0020, 32)) for i in range(17)]},
        "no-receipt-keys": {"receipt_keys": []},
        "9-receipt-keys": {"receipt_keys": [key_members(ed25519(str(i))) for i in range(9)]},
        "33-gpus": {"gpu_leaf_key_sha256": [bytes_of(str(i)).hex() for i in range(33)]},
        "policy-without-serial": {"policy": {"digest": digest}},
        "negative-serial": {"policy": {"digest": digest, "serial": -1}},
        "fractional-epoch": {"pool": {"id": "eu-1", "epoch": 1.5}},
        "pool-name": {"pool": {"id": "eu 1", "epoch": 1}},
        "model-name": {"models": {"a\nb": digest}},
        "model-digest": {"models": {"minilm": "latest"}},
        "257-models": {"models": {f"m{i}": "0" * 64 for i in range(257)}},
        "33-extensions": {"extensions": {f"e{i}": 1 for i in range(33)}},
    }
    for name, changes in wrong.items():
        yield reject(f"keyset-reject-{name}", "KEYSET-3", OP, text(**changes), Code.KEYSET_MALFORMED)


def _extensions() -> Iterator[dict[str, Any]]:
    extensions = {"x": 1}
    for name, changes, code in (
        ("critical", {"extensions": extensions, "critical": ["x"]}, Code.KEYSET_CRITICAL),
        ("critical-absent", {"critical": ["x"]}, Code.KEYSET_MALFORMED),
        ("critical-twice", {"extensions": extensions, "critical": ["x", "x"]}, Code.KEYSET_DUPLICATE),
    ):
        yield reject(f"keyset-reject-{name}", "KEYSET-4", OP, text(**changes), code)


def _content_keys() -> Iterator[dict[str, Any]]:
    wrong = {
        "empty": b"",
        "header-only": X25519[:3],
        "truncated": X25519[:-1],
        "trailing": X25519 + b"\0",
        "short-public-key": key_config(2, 0x0020, 31),
        "long-public-key": key_config(2, 0x0020, 33),
        "short-xwing-key": key_config(2, 0x647A, 1215),
        "no-suites": key_config(2, 0x0020, 32, bytes.fromhex("0000")),
        "half-a-suite": key_config(2, 0x0020, 32, bytes.fromhex("000600010001" + "0001")),
        "unknown-kem-alone": UNKNOWN_KEM[:3],
    }
    for name, config in wrong.items():
        configs = [b64(config), b64(key_config(200, 0x0020, 32))]
        yield reject(f"keyset-reject-key-config-{name}", "KEYSET-5", OP, text(ohttp_key_configs=configs), Code.KEYSET_KEY)
    twice = {"same": X25519, "other-kem": key_config(2, 0x647A, 1216), "unknown-kem": b"\x02" + UNKNOWN_KEM[1:]}
    for name, config in twice.items():
        configs = [b64(X25519), b64(config)]
        yield reject(f"keyset-reject-key-id-twice-{name}", "KEYSET-6", OP, text(ohttp_key_configs=configs), Code.KEYSET_DUPLICATE)
    for name, config in {"kem": UNKNOWN_KEM, "aead": UNKNOWN_AEAD, "kdf": UNKNOWN_KDF}.items():
        given = text(ohttp_key_configs=[b64(config)])
        yield reject(f"keyset-reject-only-unknown-{name}", "KEYSET-7", OP, given, Code.KEYSET_NO_USABLE_KEY)
    for name, value in {"line-feed": b64(X25519) + "\n", "second-spelling": "QR==", "too-long": "A" * 5468}.items():
        given = text(ohttp_key_configs=[value])
        yield reject(f"keyset-reject-base64-{name}", "KEYSET-9", OP, given, Code.KEYSET_MALFORMED)


def _receipt_keys() -> Iterator[dict[str, Any]]:
    keys = [key_members(RECEIPT)] * 2
    yield reject("keyset-reject-receipt-key-twice", "KEYSET-6", OP, text(receipt_keys=keys), Code.KEYSET_DUPLICATE)
    gpus = [bytes_of("gpu").hex()] * 2
    yield reject("keyset-reject-gpu-twice", "KEYSET-6", OP, text(gpu_leaf_key_sha256=gpus), Code.KEYSET_DUPLICATE)
    unknown = text(receipt_keys=[UNKNOWN_ALG])
    yield reject("keyset-reject-only-unknown-receipt-key", "KEYSET-7", OP, unknown, Code.KEYSET_NO_USABLE_KEY)
    for alg, size in (("ed25519", 31), ("ed25519", 33), ("ml-dsa-65", 1951)):
        key = {"alg": alg, "public_key": b64(bytes(size))}
        yield reject(f"keyset-reject-receipt-key-{alg}-{size}", "KEYSET-8", OP, text(receipt_keys=[key]), Code.KEYSET_KEY)
        yield reject(f"keyset-reject-authority-key-{alg}-{size}", "KEYSET-8", OP, text(authority_key=key), Code.KEYSET_KEY)
    yield reject("keyset-reject-unknown-authority-key", "KEYSET-8", OP, text(authority_key=UNKNOWN_ALG), Code.KEYSET_KEY)
    keys = [key_members(RECEIPT), UNKNOWN_ALG | {"public_key": "QR=="}]
    yield reject("keyset-reject-base64-of-skipped-key", "KEYSET-9", OP, text(receipt_keys=keys), Code.KEYSET_MALFORMED)


def _times() -> Iterator[dict[str, Any]]:
    spellings = {
        "offset": "2026-11-26T00:00:00+00:00",
        "lower-case": "2026-11-26t00:00:00z",
        "fraction": "2026-11-26T00:00:00.0Z",
        "no-seconds": "2026-11-26T00:00Z",
        "no-such-day": "2027-02-29T00:00:00Z",
        "leap-second": "2026-12-31T23:59:60Z",
        "hour-24": "2026-11-26T24:00:00Z",
    }
    for name, value in spellings.items():
        yield reject(f"keyset-reject-time-{name}", "KEYSET-9", OP, text(not_after=value), Code.KEYSET_MALFORMED)
    for name, value in {"empty": "2026-11-25T00:00:00Z", "backwards": "2026-11-24T23:59:59Z"}.items():
        yield reject(f"keyset-reject-window-{name}", "KEYSET-10", OP, text(not_after=value), Code.KEYSET_WINDOW)
