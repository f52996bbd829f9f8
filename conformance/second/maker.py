"""The rules for who makes receipts and keeps logs that the vectors test: RCP-9, LOG-2, LOG-8.

A verifier needs none of them. They are here because whether a text suffices shows only when somebody writes from it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from conformance.second.merkle import inclusion_path
from conformance.second.receipt import MAX_TEXT
from conformance.second.strict_json import MAX_INTEGER, Refused

_WORDS = {
    "aggregation_strategy": "average first max none simple",
    "encoding_format": "base64 float",
    "pooling": "cls max mean",
    "truncation_direction": "left right",
}
_BOOLEANS = "normalize return_all_scores stream truncate"
_INTEGERS = "dimensions max_tokens n seed top_k top_n"
_NUMBERS = "frequency_penalty min_p presence_penalty repetition_penalty temperature threshold top_p"


def may_stand_in_clear(name: str, value: object) -> bool:
    """The table of RCP-9."""
    if isinstance(value, bool):
        return name in _BOOLEANS.split()
    if isinstance(value, int):
        return name in f"{_INTEGERS} {_NUMBERS}".split() and abs(value) <= MAX_INTEGER
    if isinstance(value, float):
        return name in _NUMBERS.split() and abs(value) <= MAX_INTEGER
    return isinstance(value, str) and value in _WORDS.get(name, "").split() and re.search(r"\s", value) is None


def split_parameters(parameters: Mapping[str, object]) -> tuple[dict[str, object], list[str]]:
    """What stands in clear, and the names of what is committed to."""
    clear = {name: value for name, value in parameters.items() if may_stand_in_clear(name, value)}
    hidden = {name: value for name, value in parameters.items() if name not in clear}
    if hidden and len(json.dumps(hidden, separators=(",", ":"), ensure_ascii=False).encode()) > MAX_TEXT:
        raise Refused("receipt.field", "more than 64 KiB of parameters")
    return clear, list(hidden)


def append(leaves: int, index: int, *, closed: bool) -> int:
    """LOG-2; the index of the leaf."""
    if closed:
        raise Refused("log.closed")
    if index != leaves:
        raise Refused("log.index", f"{index} after {leaves} leaves")
    return index


def prove(leaves: Sequence[bytes], later: Sequence[bytes], index: int, waited: timedelta) -> dict[str, object]:
    """LOG-8: a proof under the last checkpoint, over `leaves`, or where a second has passed under a new one over all of them."""
    every = [*leaves, *later]
    if not 0 <= index < len(every):
        raise Refused("log.index", f"{index} of {len(every)}")
    if index < len(leaves):
        every = list(leaves)
    elif waited < timedelta(seconds=1):
        raise Refused("log.pending")
    return {"index": index, "size": len(every), "path": [node.hex() for node in inclusion_path(index, every)]}


def seconds_between(first: str, second: str) -> timedelta:
    return datetime.fromisoformat(second) - datetime.fromisoformat(first)
