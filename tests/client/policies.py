"""A policy file for tests: everything spelled out, one member at a time replaceable."""

from confide.policy.load import load_policy
from confide.policy.model import Policy

MINILM, OTHER = "ab" * 32, "cd" * 32
TEXT = """
version = 1
name = "tests"
serial = {serial}
expires = "2036-01-01T00:00:00Z"
unsafe_accept_simulated = {simulated}

[[accept]]
tee = "snp"
measurements = "unsafe_ignored"
minimum_tcb = "unsafe_ignored"

[node]
role = "node"
authority_key = "none"
config_digests = "unsafe_ignored"
software_digests = "unsafe_ignored"

[models]
{models}
"""


def text(*, serial: int = 1, simulated: bool = False, models: str = f'minilm = ["{MINILM}", "{OTHER}"]') -> bytes:
    return TEXT.format(serial=serial, simulated=str(simulated).lower(), models=models).encode()


def policy(**members: object) -> Policy:
    return load_policy(text(**members))  # type: ignore[arg-type]
