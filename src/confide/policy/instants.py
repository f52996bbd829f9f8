"""Times that are arguments: always with a zone, compared in UTC."""

from datetime import UTC, datetime

from confide.codes import Code
from confide.errors import MisuseError


def aware(now: datetime) -> datetime:
    """The same instant in UTC; `verdict.time` for a time without a zone, which could be hours off."""
    if now.tzinfo is None or now.utcoffset() is None:
        raise MisuseError(Code.VERDICT_TIME, found="a time without a zone", wanted="an aware datetime, such as datetime.now(UTC)")
    return now.astimezone(UTC)
