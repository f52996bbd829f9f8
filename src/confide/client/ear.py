"""Attestation results in files: a verdict for others, signed with an owner's key, and others' tokens, checked. No network.

Left to others: what a verdict is worth (`policy.ear.vector`) and what a token must hold (`policy.ear.result`).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from confide.client.files import read_file, write_file
from confide.client.keyfiles import read_key_file
from confide.codes import Code
from confide.errors import MisuseError, PolicyError
from confide.formats.fields import format_time
from confide.policy.ear import export, jws, keys, result
from confide.policy.ear.result import EarResult
from confide.policy.ear.vector import Status
from confide.policy.members import shown
from confide.policy.verdict import HistoricVerdict, Verdict


def read_signing_key(path: Path, *, passphrase_file: Path | None = None) -> Ed25519PrivateKey:
    """The key that signs results; `ear.algorithm` for one that JWTs have no name for here."""
    key = read_key_file(path, passphrase_file=passphrase_file).private
    if not isinstance(key, Ed25519PrivateKey):
        raise PolicyError(Code.EAR_ALGORITHM, found="ML-DSA-65", wanted="Ed25519", hint="make one: confide key new FILE")
    return key


def write(path: Path, verdict: Verdict | HistoricVerdict, key: Ed25519PrivateKey, *, now: datetime) -> None:
    """The verdict as a signed token in a file.

    Raises:
        MisuseError: `client.input` for a verdict as of another time: a reader would take the token for news. `client.file`.
    """
    if not isinstance(verdict, Verdict):
        raise MisuseError(Code.CLIENT_INPUT, found="a file's evidence", wanted="a live node", hint="give the address of the node")
    write_file(path, export.export(verdict, key, now=now).encode() + b"\n")


def check(path: Path, *, key: Path, now: datetime, nonce: str | None, accept: str, max_age: timedelta) -> EarResult:
    """What the token in a file says, by the verifier's public key in another.

    Raises:
        PolicyError: what `policy.ear.result.check` and `policy.ear.keys.verifier_key` raise.
        MisuseError: `client.file`.
    """
    public = keys.verifier_key(read_file(key, limit=keys.MAX_KEY))
    token = read_file(path, limit=jws.MAX_TOKEN + 2).strip().decode("ascii", "replace")
    return result.check(token, public, now=now, nonce=nonce, wanted=Status(accept), max_age=max_age)


def as_dict(checked: EarResult) -> Mapping[str, Any]:
    """For `--json`: what was checked, then everything that was signed."""
    return {
        "status": checked.status.value,
        "submods": {name: status.value for name, status in checked.submods.items()},
        "verifier": checked.verifier,
        "issued": format_time(checked.issued),
        "ends": format_time(checked.ends) if checked.ends else None,
        "nonce": checked.nonce,
        "claims": checked.claims,
    }


def rows(checked: EarResult) -> list[tuple[str, str]]:
    """For people: names and values of a table. Text of the verifier's cannot steer a terminal."""
    pairs = [
        ("status", checked.status.value),
        *((f"  {name}", status.value) for name, status in checked.submods.items()),
        ("verifier", checked.verifier),
        ("issued", format_time(checked.issued)),
        ("ends", format_time(checked.ends) if checked.ends else "not said"),
        ("nonce", checked.nonce or "none"),
    ]
    return [(shown(name, limit=60), shown(value, limit=200)) for name, value in pairs]
