"""Field types that several formats share: digests in lower-case hex, names, UTC times. One spelling each.

The annotated types are for `msgspec` structs; a value outside its pattern is `json.shape`. Left to others: what the values mean.
"""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

from confide.codes import Code
from confide.formats.strictjson import JsonError

# `\A...\Z`, because `$` also matches before a final line feed.
Hex32 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
"""32 bytes, such as a SHA-256 digest, in lower-case hex."""

Name = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}\Z")]
"""An alias or identifier that is safe to print, log and put into a URL."""

Line = Annotated[str, msgspec.Meta(pattern=r"\A[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?\Z")]
"""One line of printable ASCII that is safe on a terminal, without spaces around it."""

Count = Annotated[int, msgspec.Meta(ge=0)]
"""A number from 0 to 2^53 - 1 (the upper bound is that of strict JSON)."""

_TIME = re.compile(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")


def parse_time(text: str) -> datetime:
    """The UTC time of the one accepted RFC 3339 spelling, `2026-11-25T00:00:00Z`; `json.time` otherwise."""
    if _TIME.match(text):
        with suppress(ValueError):  # the 30th of February, and the leap second 60, which RFC 3339 would allow
            return datetime.fromisoformat(text)
    raise JsonError(Code.JSON_TIME, found="another spelling, or no such time", wanted="UTC, such as 2026-11-25T00:00:00Z")


def format_time(time: datetime) -> str:
    """The one spelling of an aware time, cut to the second."""
    if time.tzinfo is None or time.utcoffset() is None:
        raise JsonError(Code.JSON_TIME, found="a time without a zone", wanted="an aware datetime")
    try:
        return time.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
    except OverflowError:
        raise JsonError(Code.JSON_TIME, found="a time beyond the calendar in UTC", wanted="a time in UTC") from None


def format_span(span: timedelta) -> str:
    """A length of time for people, to the second: `1d 2h`, `90d`, `5min 1s`, `0s`; a negative one behind a minus."""
    rest, parts = abs(int(span.total_seconds())), []
    for unit, seconds in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, seconds)
        parts += [f"{count}{unit}"] if count else []
    return ("-" if parts and span < timedelta() else "") + (" ".join(parts) or "0s")
