"""Policies from files or objects, and the keys that may sign them."""

from collections.abc import Sequence
from pathlib import Path

from confide.attest.publickeys import KeyMembers, public_key
from confide.client.files import read_file
from confide.formats import dsse, strictjson
from confide.policy.load import MAX_ENVELOPE, load_policy
from confide.policy.model import Policy

MAX_KEY = 8192  # bytes of one signer file; ML-DSA-65 in base 64 is 2.6 KB


def load(policy: str | Path | Policy, *, signers: Sequence[dsse.PublicKey] = ()) -> Policy:
    """A policy file, read and checked (`load_policy`), or a `Policy` as it is."""
    if isinstance(policy, Policy):
        return policy
    path = Path(policy)
    return load_policy(read_policy(path), name_hint=path.name, keys=tuple(signers))


def read_policy(path: Path) -> bytes:
    """The bytes of a policy file, bounded and not yet looked at."""
    return read_file(path, limit=MAX_ENVELOPE)


def read_signers(paths: Sequence[Path]) -> tuple[dsse.PublicKey, ...]:
    """Public keys that may sign policies, one file each: `{"alg": "ed25519", "public_key": "<base 64>"}`, as in a keyset."""
    return tuple(public_key(strictjson.load_as(read_file(path, limit=MAX_KEY), KeyMembers, limit=MAX_KEY)) for path in paths)


def file_name(policy: Policy) -> str:
    """What a copy of the policy is called."""
    return "policy.json" if policy.raw.lstrip().startswith(b"{") else "policy.toml"
