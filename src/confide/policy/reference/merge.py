"""Reference values into the `accept` entries of a policy.

An entry's members that a reference speaks of are replaced, all others (minimum firmware, switches) stay the policy's. References
that differ in nothing but what names the software become one list; each other one an entry of its own, since values of two
references must not be combined. What comes out is loaded again: nothing is written that would not load.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from confide.attest.evidence import Kind
from confide.codes import Code
from confide.errors import PolicyError
from confide.formats import strictjson
from confide.policy.load import load_policy
from confide.policy.reference.model import MEMBERS, Reference
from confide.policy.trust import dump_policy_toml


@dataclass(frozen=True)
class Merged:
    """A policy with references in it.

    Attributes:
        policy: the TOML.
        entries: how many `accept` entries were written for each kind.
        skipped: kinds that the file has references for and the policy no entry.
    """

    policy: bytes = field(repr=False)
    entries: Mapping[Kind, int]
    skipped: tuple[Kind, ...]


def merge(members: Mapping[str, Any], references: Sequence[Reference], *, keep: bool = False) -> Merged:
    """The policy of these members with the references in its entries.

    Args:
        members: of a policy that loads, as plain values.
        keep: whether entries stay as they are, and those with references are added behind them.

    Raises:
        PolicyError: `reference.no_entry` where the policy has no entry of any of the kinds; what `load_policy` raises for the
            result.
    """
    kinds = {each.tee for each in references}
    listed = [entry["tee"] for entry in members["accept"]]
    if not any(kind.value in listed for kind in kinds):
        wanted = " or ".join(sorted(kind.value for kind in kinds))
        hint = "add an entry with the minimum firmware that you accept, and any measurement for now"
        raise PolicyError(Code.REFERENCE_NO_ENTRY, found=", ".join(listed), wanted=f"an accept entry of {wanted}", hint=hint)
    accept = [made for entry in members["accept"] for made in _entries(entry, references, keep=keep)]
    text = dump_policy_toml({**members, "accept": accept}).encode()
    load_policy(text)
    counts = {
        kind: sum(entry["tee"] == kind.value for entry in accept) for kind in MEMBERS if kind in kinds and kind.value in listed
    }
    return Merged(text, counts, tuple(kind for kind in MEMBERS if kind in kinds and kind.value not in listed))


def _entries(entry: Mapping[str, Any], references: Sequence[Reference], *, keep: bool) -> Iterator[Mapping[str, Any]]:
    own = [each for each in references if each.tee.value == entry["tee"]]
    if keep or not own:
        yield entry
    for group in _grouped(own):
        yield {**entry, **group}


def _grouped(references: Sequence[Reference]) -> list[dict[str, Any]]:
    """Members of one entry each: lists of what names the software are joined where all else is alike."""
    groups: dict[bytes, dict[str, Any]] = {}
    for each in references:
        first = MEMBERS[each.tee][0]
        rest = {name: each.members[name] for name in sorted(each.members) if name != first}
        joins = isinstance(each.members.get(first), list)
        key = strictjson.dumps(rest if joins else dict(each.members))
        group = groups.setdefault(key, {**rest, **({first: []} if joins else dict(each.members))})
        if joins:
            group[first] += [value for value in each.members[first] if value not in group[first]]
    return list(groups.values())
