"""What an owner does with policies: sign them, and see in short what one demands. Left to others: admitting nodes (`admission`)."""

from pathlib import Path

from confide.attest.constraints import Ignored
from confide.attest.evidence import Kind
from confide.attest.publickeys import key_text
from confide.client.files import write_file
from confide.client.keyfiles import read_key_file
from confide.client.loading import read_policy
from confide.formats import dsse
from confide.formats.fields import format_time
from confide.policy.load import load_policy, sign_policy
from confide.policy.meaning import MEANINGS
from confide.policy.model import AcceptEntry, Policy, PolicyRef


def sign_policy_file(policy: Path, *, key_file: Path, passphrase_file: Path | None = None, output: Path) -> PolicyRef:
    """Sign the unsigned policy in a file; what was written loads with the public half of the key.

    Raises:
        PolicyError: what `load_policy` raises for the policy.
        MisuseError: `client.key_file`, `client.file`.
    """
    key = read_key_file(key_file, passphrase_file=passphrase_file)
    signed = sign_policy(read_policy(policy), keys=(key,))
    loaded = load_policy(signed, name_hint=output.name, keys=(key.public,))
    write_file(output, signed)
    return loaded.ref


def demands(policy: Policy) -> dict[str, str | list[str]]:
    """A policy in short, for people and machines: what it accepts and what it leaves open."""
    require, key = policy.require, policy.node.authority_key
    custody = [f"admission by {key_text(key)}"] if require.admission and isinstance(key, dsse.PublicKey) else []
    listed = [entry.constraints.platforms for entry in policy.accept]
    if listed and all(listed):
        custody.append(f"platform allow-list of {sum(number or 0 for number in listed)}")
    return {
        "policy": str(policy.ref),
        "digest": policy.digest.hex(),
        "signer": policy.signer or "nobody: a local file",
        "expires": format_time(policy.expires),
        "accepts": [_accepts(entry) for entry in policy.accept],
        "custody": custody or ["not checked"],
        "places": list(require.places or ()) or ["anywhere"],
        "models": sorted(policy.models) or ["none"],
        "relaxed": _relaxed(policy) or ["nothing"],
    }


def _accepts(entry: AcceptEntry) -> str:
    """The kind, in words and by its name, and how much of what runs there is named."""
    kind = f"{MEANINGS[entry.tee].name} ({entry.tee.value})"
    if entry.tee is Kind.NVIDIA:  # its firmware is compared with NVIDIA's manifests, not with values of the policy
        return f"{kind}: what NVIDIA's manifests describe"
    count = entry.constraints.references
    return f"{kind}: ANY software" if count is None else f"{kind}: {count} reference value{'' if count == 1 else 's'}"


def _relaxed(policy: Policy) -> list[str]:
    """What the policy switches off, by its own names; verdicts say what that means."""
    require, node = policy.require, policy.node
    accept = {f"accept.{name}": True for entry in policy.accept for name in entry.constraints.ignored}
    off = {
        "unsafe_accept_simulated": policy.unsafe_accept_simulated,
        **accept,
        "node.authority_key": isinstance(node.authority_key, Ignored),
        "node.config_digests": isinstance(node.config_digests, Ignored),
        "node.software_digests": isinstance(node.software_digests, Ignored),
        "require.post_quantum": not require.post_quantum,
        "require.receipts": not require.receipts,
        "require.client_nonce": not require.client_nonce,
        "require.admission": isinstance(node.authority_key, dsse.PublicKey) and not require.admission,
        "require.max_crl_age": isinstance(require.max_crl_age, Ignored),
    }
    return [name for name, is_off in off.items() if is_off]
