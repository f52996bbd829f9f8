"""`keyset.parse`: the exact bytes of a keyset (plus `spaces` blanks, so that bounds need no large vectors) to what it says."""

from collections.abc import Callable
from typing import Any

from confide.attest.keyset import Keyset, OhttpKey, parse_keyset
from confide.formats.fields import format_time


def _parse(given: dict[str, Any]) -> dict[str, Any]:
    keyset = parse_keyset(bytes.fromhex(given["keyset"]) + b" " * given.get("spaces", 0))
    return {
        "digest": keyset.digest.hex(),
        "node_id": keyset.node_id.hex(),
        "role": keyset.role.value,
        "isolation": keyset.isolation.value,
        "software_digest": keyset.software_digest.hex(),
        "config_digest": keyset.config_digest.hex(),
        **_keys(keyset),
        "policy": {"digest": keyset.policy_digest.hex(), "serial": keyset.policy_serial} if keyset.policy_digest else None,
        "pool": {"id": keyset.pool.id, "epoch": keyset.pool.epoch} if keyset.pool else None,
        "models": {alias: digest.hex() for alias, digest in keyset.models.items()},
        "not_before": format_time(keyset.not_before),
        "not_after": format_time(keyset.not_after),
        "extensions": dict(keyset.extensions),
    }


def _keys(keyset: Keyset) -> dict[str, Any]:
    return {
        "ohttp_keys": [_content_key(key) for key in keyset.ohttp_keys],
        "receipt_keys": [{"alg": key.alg.value, "keyid": key.keyid} for key in keyset.receipt_keys],
        "authority_key": keyset.authority_key.keyid if keyset.authority_key else None,
        "tls_spki_sha256": keyset.tls_spki_sha256.hex() if keyset.tls_spki_sha256 else None,
        "tpm_ak_spki_sha256": keyset.tpm_ak_spki_sha256.hex() if keyset.tpm_ak_spki_sha256 else None,
        "gpu_leaf_key_sha256": [digest.hex() for digest in keyset.gpu_leaf_key_sha256],
        "skipped": len(keyset.skipped),
    }


def _content_key(key: OhttpKey) -> dict[str, Any]:
    suites = [list(pair) for pair in key.suites]
    return {"key_id": key.key_id, "kem_id": key.kem_id, "public_key": key.public_key.hex(), "suites": suites}


OPS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"keyset.parse": _parse}
