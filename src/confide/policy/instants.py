"""Times that are arguments: always with a zone, compared in UTC."""

from datetime import UTC, datetime

from confide.codes import Code
from confide.errors import MisuseError


def aware(now: datetime) -> datetime:
    """The same instant in UTC; `verdict.time` for a time without a zone, which could be hours off."""
    if now.tzinfo is None or now.utcoffset() is None:
        raise MisuseError(Code.VERDICT_TIME, found="a time without a zone", wanted="an aware datetime, such as datetime.now(UTC)")
    try:
        return now.astimezone(UTC)
    except OverflowError:  # the first and the last hours that a datetime can say, in another zone
        raise MisuseError(Code.VERDICT_TIME, found="a time beyond the calendar in UTC", wanted="a time in UTC") from None
