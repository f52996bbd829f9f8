"""Which request parameters may stand in a receipt in clear: a closed list of names with scalars that say nothing about content.

Anything else (stop words, candidate labels, schemas, an unknown name, a known name with another type) is content and goes under a
commitment (spec/09-receipt.md). Left to others: what a parameter does (`engine`).
"""

import math
from collections.abc import Mapping
from typing import Any

from confide.codes import Code
from confide.errors import ReceiptError
from confide.formats import strictjson
from confide.receipt.commit import MAX_CONTENT
from confide.receipt.model import Scalar

# Name -> the types, or the closed set of words, that may stand in clear. spec/09-receipt.md repeats this table (tested).
ALLOWED: Mapping[str, tuple[type, ...] | frozenset[str]] = {
    "aggregation_strategy": frozenset({"none", "simple", "first", "average", "max"}),
    "dimensions": (int,),
    "encoding_format": frozenset({"float", "base64"}),
    "frequency_penalty": (int, float),
    "max_tokens": (int,),
    "min_p": (int, float),
    "n": (int,),
    "normalize": (bool,),
    "pooling": frozenset({"cls", "max", "mean"}),
    "presence_penalty": (int, float),
    "repetition_penalty": (int, float),
    "return_all_scores": (bool,),
    "seed": (int,),
    "stream": (bool,),
    "temperature": (int, float),
    "threshold": (int, float),
    "top_k": (int,),
    "top_n": (int,),
    "top_p": (int, float),
    "truncate": (bool,),
    "truncation_direction": frozenset({"left", "right"}),
}


def split(parameters: Mapping[str, Any]) -> tuple[dict[str, Scalar], bytes | None]:
    """The scalars that may stand in clear, and the JSON text of the rest, or None when nothing is left.

    Raises:
        ReceiptError: `receipt.field` when the rest is not JSON or over 64 KiB.
    """
    if not parameters:
        return {}, None
    clear = {name: value for name, value in parameters.items() if _in_clear(name, value)}
    rest = {name: value for name, value in parameters.items() if name not in clear}
    return clear, _text(rest) if rest else None


def _in_clear(name: str, value: Any) -> bool:
    allowed = ALLOWED.get(name)
    if allowed is None:
        return False
    if isinstance(allowed, frozenset):
        return isinstance(value, str) and value in allowed
    if type(value) not in allowed:  # exactly: a bool is an int to `isinstance`
        return False
    return isinstance(value, bool) or (math.isfinite(value) and abs(value) <= strictjson.MAX_SAFE_INTEGER)


def _text(rest: Mapping[str, Any]) -> bytes:
    try:
        text = strictjson.dumps(rest)
    except (TypeError, ValueError, RecursionError):
        raise ReceiptError(Code.RECEIPT_FIELD, found="parameters that are not JSON", wanted="JSON values") from None
    if len(text) > MAX_CONTENT:
        raise ReceiptError(Code.RECEIPT_FIELD, found=f"{len(text)} bytes of parameters", wanted=f"at most {MAX_CONTENT}")
    return text
