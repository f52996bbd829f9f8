"""Reference values as JSON: `{"version": 1, "name": "...", "references": [{"tee": "snp", "measurements": ["..."]}]}`.

Members are those of an `accept` entry that say what software measures. Refused: every other one, and "unsafe_ignored", so that a
file can add constraints and never loosen one. It is not signed; the policy that comes out may be. Left to others: the spelling of
each value, which the policy's own reader checks.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from confide.attest.evidence import Kind
from confide.formats import strictjson
from confide.policy.members import shown
from confide.policy.reference.model import MAX_REFERENCES, MEMBERS, Reference, References, malformed, unsupported


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    references: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=MAX_REFERENCES)]
    name: Annotated[str, Meta(max_length=200)] = ""


def read(data: bytes, *, limit: int) -> References:
    """The references in a file.

    Raises:
        PolicyError: `reference.malformed`, or `reference.unsupported` for a kind or a member that no reference speaks of.
    """
    try:
        file = strictjson.load_as(data, _File, limit=limit)
    except strictjson.JsonError as error:
        raise malformed(f"{error.code.value} {error.found}"[:200], "version 1 of reference values in JSON") from None
    return References(shown(file.name), False, tuple(map(_reference, file.references)), ())


def _reference(given: Mapping[str, Any]) -> Reference:
    members = dict(given)
    name = members.pop("tee", None)
    tee = next((kind for kind in MEMBERS if kind.value == name), None)
    if tee is None:
        raise unsupported(shown(f"tee = {name!r}", limit=60), ", ".join(kind.value for kind in MEMBERS))
    if not members:
        raise malformed(f"a reference of {tee.value} without values", ", ".join(MEMBERS[tee]))
    return Reference(tee, {key: _value(tee, key, value) for key, value in members.items()})


def _value(tee: Kind, key: str, value: Any) -> Any:
    if key not in MEMBERS[tee]:
        raise unsupported(shown(f"{tee.value}: {key}", limit=60), ", ".join(MEMBERS[tee]))
    tables = value.values() if isinstance(value, dict) else [value]
    if not all(_is_list(each) for each in tables) and type(value) is not int:
        raise malformed(shown(f"{tee.value}: {key} of another type", limit=60), "a list, a number, or a table of PCRs")
    return value


def _is_list(value: Any) -> bool:
    """Of texts or of numbers, and not empty: an empty one would accept nothing, or by mistake anything."""
    return isinstance(value, list) and bool(value) and all(type(item) in {str, int} for item in value)
