"""What one target is: whole inputs, and what is done with them.

Left to others: which there are (`targets`, `guest_targets`, `file_targets`), changing bytes (`fuzzing`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from confide.attest.claims import Claims
from confide.attest.evidence import Endorsements, Evidence

Items = Mapping[str, bytes]


@dataclass(frozen=True)
class Target:
    """One thing to fuzz.

    Attributes:
        items: whole inputs by role; one of them is changed at a time.
        run: takes all of them; raises `AssertionError` where something untrue was believed.
    """

    items: Items
    run: Callable[[Items], object]


def parser(data: bytes, parse: Callable[[bytes], object]) -> Target:
    """A parser of one input."""
    return Target({"data": data}, lambda items: parse(items["data"]))


# Of claims, what nobody signed for this verifier, or what follows from a piece that was found bad.
UNSIGNED = {
    "hcl.hardware_report",  # Azure on TDX: a TDREPORT, whose MAC only its platform checks; what it binds is compared with the quote
    *("hcl.version", "hcl.request_type"),  # Azure: of the report's header, by which nothing is decided
    "manifest_failures",  # NVIDIA: told, and refused by what is wanted of the device (`nvidia.validate`)
    "not_before",  # NVIDIA: without a manifest that was found bad
}


def untrue(found: Any, whole: Any, path: str = "") -> Iterator[str]:
    """Members of claims that say something else than those of the whole. To say nothing, None, is no lie."""
    if found is None or found == whole:
        return
    if is_dataclass(found) and type(found) is type(whole):
        for member in fields(found):
            yield from untrue(getattr(found, member.name), getattr(whole, member.name), f"{path}.{member.name}".lstrip("."))
    elif path not in UNSIGNED:
        yield path


def require_true(found: Claims, whole: Claims) -> None:
    """Raise `AssertionError` where claims were believed that nobody made."""
    lies = list(untrue(found, whole))
    if lies:
        raise AssertionError(f"changed bytes say another {', '.join(lies)} and were believed")


def verifier(evidence: Evidence, endorsements: Endorsements, verify: Callable[[Evidence, Endorsements], Claims]) -> Target:
    """A verifier of a kind; roles of evidence and of endorsements have names of their own."""
    whole = verify(evidence, endorsements)

    def run(items: Items) -> object:
        given = Evidence(evidence.kind, {role: items[role] for role in evidence.items})
        found = verify(given, Endorsements({role: items[f"+{role}"] for role in endorsements.items}))
        require_true(found, whole)
        return found

    return Target({**evidence.items, **{f"+{role}": value for role, value in endorsements.items.items()}}, run)
