"""A policy from a file or an object, with the exact bytes, so that an answer can be saved beside what judged it."""

from dataclasses import dataclass, field
from pathlib import Path

from confide.client.files import read_file
from confide.policy.load import load_policy
from confide.policy.model import Policy

MAX_POLICY = 1 << 20  # bytes


@dataclass(frozen=True)
class LoadedPolicy:
    """The policy and its bytes as they stood in the file."""

    policy: Policy
    raw: bytes = field(repr=False)
    file_name: str


def load(policy: str | Path | Policy) -> LoadedPolicy:
    """Read and check a policy file (`load_policy`), or take a `Policy` as it is."""
    if isinstance(policy, Policy):
        return LoadedPolicy(policy, policy.raw, "policy.toml")
    path = Path(policy)
    raw = read_file(path, limit=MAX_POLICY)
    return LoadedPolicy(load_policy(raw, name_hint=path.name), raw, f"policy{path.suffix if path.suffix == '.json' else '.toml'}")
