"""Reference values from files into policies in files. Left to others: how they are read and merged (`policy.reference`)."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from confide.client.files import read_file, write_file
from confide.client.loading import read_policy
from confide.policy.load import plain_members
from confide.policy.members import shown
from confide.policy.reference import corim, plain
from confide.policy.reference.envelope import signer_key
from confide.policy.reference.merge import Merged, merge
from confide.policy.reference.model import References

MAX_FILE = 1 << 18  # bytes
MAX_KEY = 8192


def read(path: Path, *, signer: Path | None, now: datetime) -> References:
    """The references in a JSON file or a CoRIM.

    Raises:
        PolicyError: as `policy.reference.corim.read` and `policy.reference.plain.read`.
        MisuseError: `client.file`.
    """
    data = read_file(path, limit=MAX_FILE)
    if signer is None and data.lstrip()[:1] == b"{":
        return plain.read(data, limit=MAX_FILE)
    key = None if signer is None else signer_key(read_file(signer, limit=MAX_KEY))
    return corim.read(data, signer=key, now=now)


def into(references: References, policy: Path, output: Path, *, keep: bool) -> Merged:
    """The unsigned policy in a file with the references in it, written to another.

    Raises:
        PolicyError: as `policy.reference.merge.merge`; `policy.*` for a policy that does not load, or is signed.
        MisuseError: `client.file`.
    """
    merged = merge(plain_members(read_policy(policy), name_hint=policy.name), references.found, keep=keep)
    write_file(output, merged.policy)
    return merged


def as_dict(references: References, merged: Merged | None) -> Mapping[str, Any]:
    """For `--json`."""
    return {
        "name": references.name,
        "signed": references.signed,
        "references": [{"tee": each.tee.value, **each.members} for each in references.found],
        "left_out": list(references.left_out),
        "entries": {kind.value: count for kind, count in merged.entries.items()} if merged else None,
        "skipped": [kind.value for kind in merged.skipped] if merged else [],
    }


def lines(references: References, merged: Merged | None) -> Iterator[str]:
    """For people: each reference in short, then what became of it."""
    yield f"{references.name or 'a file without a name'}, {'signed' if references.signed else 'NOT SIGNED'}"
    for each in references.found:
        yield f"  {each.tee.value:<14}{', '.join(f'{name} {_short(value)}' for name, value in each.members.items())}"
    if references.left_out:
        yield f"left out: {', '.join(references.left_out)}"
    if merged is not None:
        yield from (f"{count} accept entr{'y' if count == 1 else 'ies'} of {kind.value}" for kind, count in merged.entries.items())
        yield from (f"skipped: the policy accepts no {kind.value}" for kind in merged.skipped)


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{shown(name, limit=20)}: {_short(item)}" for name, item in value.items())
    items = value if isinstance(value, list) else [value]
    texts = [text if len(text) <= 20 else f"{text[:16]}..." for text in (shown(str(item)) for item in items[:3])]
    return ", ".join(texts) + (f" and {len(items) - 3} more" if len(items) > 3 else "")
