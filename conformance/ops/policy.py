"""`policy.load`: the exact bytes of a policy (plus `spaces` blanks) and the keys that may sign it, to what it says."""

from collections.abc import Callable, Mapping
from typing import Any

from confide.attest.constraints import Ignored
from confide.attest.snp.layout import PlatformInfo, SigningKey
from confide.formats import dsse
from confide.formats.fields import format_time
from confide.policy.load import load_policy
from confide.policy.model import AcceptEntry, NodeRules, Policy, Requirements
from confide.policy.schema import parse_key


def _load(given: dict[str, Any]) -> dict[str, Any]:
    keys = tuple(parse_key(key) for key in given["keys"])
    return _members(load_policy(bytes.fromhex(given["policy"]) + b" " * given.get("spaces", 0), keys=keys))


def _members(policy: Policy) -> dict[str, Any]:
    return {
        "name": policy.name,
        "serial": policy.serial,
        "expires": format_time(policy.expires),
        "digest": policy.digest.hex(),
        "origin": policy.origin.value,
        "signer": policy.signer or None,
        "unsafe_accept_simulated": policy.unsafe_accept_simulated,
        "accept": [_entry(entry) for entry in policy.accept],
        "node": _node(policy.node),
        "require": _require(policy.require),
        "models": {alias: [digest.hex() for digest in digests] for alias, digests in policy.models.items()},
    }


def _entry(entry: AcceptEntry) -> dict[str, Any]:
    """Every constraint, absent ones with their defaults."""
    names = type(entry.constraints).__dataclass_fields__
    return {"tee": entry.tee.value} | {name: _plain(getattr(entry.constraints, name)) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, Ignored):
        return value.value
    if isinstance(value, PlatformInfo | SigningKey):
        return int(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(name): list(tcb.components()) for name, tcb in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _node(node: NodeRules) -> dict[str, Any]:
    key = node.authority_key
    return {
        "role": node.role.value,
        "authority_key": f"{key.alg.value}:{key.raw.hex()}" if isinstance(key, dsse.PublicKey) else key and key.value,
        "config_digests": _plain(node.config_digests),
        "software_digests": _plain(node.software_digests),
        "isolation": [mode.value for mode in node.isolation],
    }


def _require(require: Requirements) -> dict[str, Any]:
    age = require.max_crl_age
    return {
        "post_quantum": require.post_quantum,
        "receipts": require.receipts,
        "log_proof": require.log_proof,
        "client_nonce": require.client_nonce,
        "admission": require.admission,
        "places": None if require.places is None else list(require.places),
        "pool": require.pool.value,
        "max_crl_age_s": age.value if isinstance(age, Ignored) else age and int(age.total_seconds()),
        "collateral_grace_s": int(require.collateral_grace.total_seconds()),
    }


OPS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"policy.load": _load}
