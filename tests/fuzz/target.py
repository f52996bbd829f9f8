"""What one target is: whole inputs, and what is done with them.

Left to others: which there are (`targets`, `guest_targets`, `file_targets`), changing bytes (`fuzzing`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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


def facts(claims: Claims) -> tuple[Any, ...]:
    """What a verifier says that somebody signed."""
    return claims.kind, claims.simulated, claims.measurements, claims.report_data, claims.platform_id, claims.tcb_status


def verifier(evidence: Evidence, endorsements: Endorsements, verify: Callable[[Evidence, Endorsements], Claims]) -> Target:
    """A verifier of a kind; roles of evidence and of endorsements have names of their own."""
    whole = facts(verify(evidence, endorsements))

    def run(items: Items) -> object:
        given = Evidence(evidence.kind, {role: items[role] for role in evidence.items})
        found = facts(verify(given, Endorsements({role: items[f"+{role}"] for role in endorsements.items})))
        if found != whole:
            raise AssertionError("changed bytes say something else and were believed")
        return found

    return Target({**evidence.items, **{f"+{role}": value for role, value in endorsements.items.items()}}, run)
