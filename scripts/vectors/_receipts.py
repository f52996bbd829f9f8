"""A small fixed world for receipt and log vectors and their tests: keys from seeds, a keyset, an exchange, a receipt of it.

The seeds are public and sign nothing else. Left to others: what is done to these values (`receipt`, `log`).
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

from confide.attest.keyset import Keyset, build_keyset
from confide.formats import dsse, strictjson
from confide.receipt import statement
from confide.receipt.commit import Label, Salts, commit
from confide.receipt.issue import sign_receipt
from confide.receipt.model import COMPLETED, EngineRef, ModelRef, Receipt

AT = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)


def digest(name: str) -> bytes:
    """32 bytes that stand for something by this name."""
    return hashlib.sha256(b"confide vectors: " + name.encode()).digest()


def ed25519(name: str) -> dsse.SigningKey:
    """An Ed25519 key from a public seed."""
    return dsse.SigningKey(dsse.SignatureAlgorithm.ED25519, Ed25519PrivateKey.from_private_bytes(digest(name)))


def ml_dsa_65(name: str) -> dsse.SigningKey:
    """An ML-DSA-65 key from a public seed (FIPS 204, algorithm 6)."""
    return dsse.SigningKey(dsse.SignatureAlgorithm.ML_DSA_65, MLDSA65PrivateKey.from_seed_bytes(digest(name)))


def key_config(key_id: int, name: str) -> bytes:
    """An RFC 9458 key configuration for X25519 whose public key nobody has the private half of."""
    return bytes((key_id,)) + b"\x00\x20" + digest(name) + b"\x00\x08\x00\x01\x00\x02\x00\x01\x00\x01"


RECEIPT_KEY = ed25519("receipt key")
LOG_KEY = ml_dsa_65("log key")
OTHER_KEY = ed25519("receipt key of another boot")
OTHER_LOG_KEY = ml_dsa_65("log key of another boot")
KEY_CONFIG = key_config(1, "content key")
SECOND_KEY_CONFIG = key_config(2, "second content key")
SOFTWARE = digest("software")
ENC = digest("enc")
REQUEST = b"\x00\x04POST\x05https\x0fenclave.invalid\x17/v1/pipelines/minilm\x00" + bytes(64)
RESPONSE = b'\x01\x40\xc8\x00\x12{"outputs":[[1.0]]}'
TEXT = b'{"stop":["a secret"]}'


def keyset(*keys: dsse.SigningKey, **changes: Any) -> Keyset:
    """The keyset of the boot that owns these receipt keys."""
    members: dict[str, Any] = {
        "node_id": digest("node"),
        "ohttp_key_configs": [KEY_CONFIG, SECOND_KEY_CONFIG],
        "receipt_keys": [key.public for key in keys],
        "software_digest": SOFTWARE,
        "config_digest": digest("configuration"),
        "models": {"minilm": digest("package")},
        "not_before": AT - timedelta(hours=1),
        "not_after": AT + timedelta(hours=23),
    }
    return build_keyset(**{**members, **changes})


KEYSET = keyset(RECEIPT_KEY)  # without the ML-DSA-65 key, which receipts do not need, the vectors are a third as long
LOG_KEYSET = keyset(RECEIPT_KEY, LOG_KEY)
OTHER_KEYSET = keyset(OTHER_KEY, OTHER_LOG_KEY)
MODEL = ModelRef("minilm", digest("package"), {name: digest(name) for name in ("weights", "tokenizer", "post/0")})
ENGINE = EngineRef("onnxruntime", "1.23.0", digest("engine"))
SALTS = Salts(digest("request salt"), digest("response salt"))
SALTS_WITH_TEXT = Salts(SALTS.request, SALTS.response, digest("parameters salt"), TEXT)

RECEIPT = Receipt(
    keyset_digest=KEYSET.digest,
    key_config_digest=hashlib.sha256(KEY_CONFIG).digest(),
    enc_digest=hashlib.sha256(ENC).digest(),
    request_commitment=commit(SALTS.request, Label.REQUEST, REQUEST),
    response_commitment=commit(SALTS.response, Label.RESPONSE, RESPONSE),
    model=MODEL,
    engine=ENGINE,
    software_digest=SOFTWARE,
    parameters={"normalize": True, "top_p": 0.5, "n": 2, "pooling": "mean"},
    parameters_commitment=None,
    outcome=COMPLETED,
    log_index=2,
    issued_at=AT,
    signer=RECEIPT_KEY.public,
)


def signed(key: dsse.SigningKey = RECEIPT_KEY, **changes: Any) -> bytes:
    """The envelope of the receipt with some fields changed: well formed and properly signed."""
    return sign_receipt(replace(RECEIPT, **changes), key=key)


def payload(receipt: Receipt = RECEIPT) -> dict[str, Any]:
    """The statement as a JSON object, for taking it apart."""
    value: dict[str, Any] = json.loads(statement.encode(receipt))
    return value


def envelope(value: bytes | Mapping[str, Any], *, key: dsse.SigningKey = RECEIPT_KEY, kind: str = statement.PAYLOAD_TYPE) -> bytes:
    """An envelope over any payload, properly signed."""
    data = value if isinstance(value, bytes) else strictjson.dumps(dict(value))
    return dsse.sign(data, payload_type=kind, keys=(key,))


def changed(value: dict[str, Any], path: str, change: Callable[[dict[str, Any], str], None]) -> dict[str, Any]:
    """A copy of a JSON object after `change(parent, last)` at a dotted path."""
    copy: dict[str, Any] = json.loads(json.dumps(value))
    *parents, last = path.split(".")
    place: Any = copy
    for name in parents:
        place = place[int(name) if isinstance(place, list) else name]
    change(place, last)
    return copy


def put(new: Any) -> Callable[[dict[str, Any], str], None]:
    """A change: set the member."""

    def change(parent: dict[str, Any], last: str) -> None:
        parent[last] = new

    return change


def drop(parent: dict[str, Any], last: str) -> None:
    """A change: take the member away."""
    del parent[last]
