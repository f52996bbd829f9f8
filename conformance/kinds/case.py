"""A recorded case as a verifier may know it, and what a kind's adapter offers (DESIGN section 14).

Left to others: reading manifests and counting (`recorded.py`), undoing wrappings (`unwrap.py`).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.evidence import Endorsements, Evidence, Roots


@dataclass(frozen=True)
class Case:
    """What the verifier may know of a case: no expectation."""

    name: str
    kind: str
    evidence: Evidence
    endorsements: Endorsements
    as_of: datetime
    nonce: bytes | None
    policy_inputs: Mapping[str, Any]


class File(NamedTuple):
    """One file of a case's `use` list: its role in the manifest, its name, its bytes."""

    role: str
    name: str
    data: bytes


class Parts(NamedTuple):
    """Files sorted into what the verifier takes: role (`attest`'s input names) to bytes."""

    evidence: dict[str, bytes]
    endorsements: dict[str, bytes]


def no_roots(case: Case) -> Roots:  # noqa: ARG001 - most kinds have a vendor's
    """No anchors beside the vendors'."""
    return ()


@dataclass(frozen=True)
class Adapter:
    """What the harness knows about one kind.

    Attributes:
        sort: files to parts, a source project's wrappings undone.
        judge: `recorded-v1`, then the nonce, then the policy inputs of the case; raises what refuses.
        alone: the fields of a case that is about no machine, such as a reference manifest by itself, and is genuine; None for other
            cases. Raises what refuses.
        roots: anchors of the case's own, of kinds without a vendor's root.
        starts: the beginnings of validity of certificates and lists among the parts, for cases without a clock.
    """

    sort: Callable[[Sequence[File]], Parts]
    judge: Callable[[Claims, Case, Checks], None]
    starts: Callable[[Parts], list[datetime]]
    alone: Callable[[Case, Checks], Mapping[str, Any] | None] | None = None
    roots: Callable[[Case], Roots] = no_roots


class UnknownDialectError(Exception):
    """The file is well formed, but nothing in it looks like evidence of its kind."""


class RefusedInputError(Exception):
    """The nonce or an extra expectation of the case does not hold, or cannot be enforced; the argument is a harness code."""


def require_nonce(case: Case, found: bytes, forms: set[bytes]) -> None:
    """The evidence carries the case's nonce in one of the `forms` that relying parties use; `recorded.nonce` otherwise."""
    if case.nonce is not None and found not in forms:
        raise RefusedInputError("recorded.nonce")


def require_inputs(case: Case, known: Mapping[str, Any]) -> None:
    """Every policy input is a known field that has (one of) the wanted value(s); `recorded.policy_input...` otherwise."""
    for name, wanted in case.policy_inputs.items():
        if name not in known:
            raise RefusedInputError(f"recorded.policy_input_unknown:{name}")
        if not same(known[name], wanted) and not any(same(known[name], value) for value in _listed(known[name], wanted)):
            raise RefusedInputError(f"recorded.policy_input:{name}")


def _listed(found: Any, wanted: Any) -> Sequence[Any]:
    """What a list of accepted values accepts; for a field that is a list itself, only a list of lists is one."""
    values = wanted if isinstance(wanted, list) else []
    return [value for value in values if isinstance(value, list) or not isinstance(found, list | tuple)]


def same(found: Any, wanted: Any) -> bool:
    """Equality across spellings: hex for bytes (short ones zero-extended), hex or decimal for numbers, any case for names.

    Of nested fields, those that are wanted; a name that is not known here is not the same. Lists are compared element by element;
    long bytes may be given by their length and digest.
    """
    if isinstance(found, list | tuple):
        return isinstance(wanted, list) and len(wanted) == len(found) and all(map(same, found, wanted))
    if isinstance(found, bytes) and isinstance(wanted, dict):
        return wanted == {"len": len(found), "sha256": hashlib.sha256(found).hexdigest()}
    if isinstance(found, dict):
        return (
            isinstance(wanted, dict)
            and bool(wanted)
            and all(key in found and same(found[key], item) for key, item in wanted.items())
        )
    if isinstance(found, bytes):
        text = str(wanted).lower().removeprefix("0x")
        return text.ljust(2 * len(found), "0") == found.hex() and len(text) % 2 == 0 and bool(text) == bool(found)
    if isinstance(found, int) and not isinstance(found, bool) and isinstance(wanted, str):
        return wanted.isascii() and wanted.removeprefix("0x").isalnum() and _integer(wanted) == found
    if isinstance(found, str) and isinstance(wanted, str):
        return found.lower() == wanted.lower()
    return bool(type(found) is type(wanted) and found == wanted)


def _integer(text: str) -> int | None:
    try:
        return int(text, 0)
    except ValueError:
        return None
