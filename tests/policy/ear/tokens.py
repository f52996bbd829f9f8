"""Tokens of an imaginary verifier. `token` signs members as they are; one thing at a time is overridden."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from confide.policy.ear import jws
from confide.policy.ear.export import PROFILE
from confide.policy.ear.result import MAX_AGE, EarResult, check
from confide.policy.ear.vector import Status

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
ED25519 = Ed25519PrivateKey.from_private_bytes(b"\x05" * 32)
P256 = ec.derive_private_key(5, ec.SECP256R1())
NONCE = "bm9uY2U"


def members(**overrides: Any) -> dict[str, Any]:
    """An affirming result; an override of None removes."""
    whole: dict[str, Any] = {
        "eat_profile": PROFILE,
        "iat": int(NOW.timestamp()) - 60,
        "exp": int(NOW.timestamp()) + 600,
        "eat_nonce": NONCE,
        "ear_verifier_id": {"developer": "https://verifier.example", "build": "3.1"},
        "submods": {"cpu": submodule()},
    } | overrides
    return {name: value for name, value in whole.items() if value is not None}


def submodule(status: str | None = "affirming", **vector: int) -> dict[str, Any]:
    """One piece of evidence; names of claims with underscores in place of hyphens."""
    claims = {"hardware": 2, "executables": 3} | {name.replace("_", "-"): value for name, value in vector.items()}
    said = {} if status is None else {"ear_status": status}
    return said | {"ear_trustworthiness_vector": claims}


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(
    payload: Mapping[str, Any] | bytes, *, key: jws.PrivateKey = ED25519, header: Mapping[str, Any] | bytes | None = None
) -> str:
    """Signed over whatever is given, by the key's own algorithm."""
    head = {"alg": jws.algorithm_of(key), "typ": "JWT"} if header is None else header
    parts = [encoded(part if isinstance(part, bytes) else json.dumps(part).encode()) for part in (head, payload)]
    whole = ".".join(parts)
    return f"{whole}.{encoded(signature(whole.encode(), key))}"


def signature(signed: bytes, key: jws.PrivateKey) -> bytes:
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(signed)
    r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


def checked(
    text: str,
    *,
    key: jws.PublicKey | None = None,
    now: datetime = NOW,
    nonce: str | None = NONCE,
    wanted: Status = Status.AFFIRMING,
    max_age: timedelta = MAX_AGE,
) -> EarResult:
    """What a reader gets who wants everything."""
    return check(text, key or ED25519.public_key(), now=now, nonce=nonce, wanted=wanted, max_age=max_age)
