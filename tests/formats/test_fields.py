"""`formats/fields.py`: the one spelling of times, digests and names."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confide.codes import Code
from confide.formats.fields import Count, Hex32, Line, Name, format_span, format_time, parse_time
from confide.formats.strictjson import JsonError, convert


@given(st.datetimes(timezones=st.just(UTC)))
@settings(max_examples=50, deadline=None)
def test_times_read_back_to_the_second(time: datetime) -> None:
    assert parse_time(format_time(time)) == time.replace(microsecond=0)


def test_times_of_other_zones_are_written_in_utc() -> None:
    assert format_time(datetime(2026, 11, 25, 1, tzinfo=timezone(timedelta(hours=2)))) == "2026-11-24T23:00:00Z"


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-25T00:00:00+00:00",
        "2026-11-25T00:00:00z",
        "2026-11-25t00:00:00Z",
        "2026-11-25 00:00:00Z",
        "2026-11-25T00:00:00.0Z",
        "2026-11-25T00:00Z",
        "2026-11-25T00:00:00",
        "20261125T000000Z",
        "2026-11-25T00:00:00Z\n",
        "2026-02-30T00:00:00Z",
        "2026-11-25T24:00:00Z",
        "2016-12-31T23:59:60Z",
        "0000-01-01T00:00:00Z",
        "２026-11-25T00:00:00Z",
        "",
    ],
)
def test_any_other_spelling_of_a_time_is_refused(text: str) -> None:
    with pytest.raises(JsonError) as caught:
        parse_time(text)
    assert caught.value.code is Code.JSON_TIME


def test_a_time_without_a_zone_is_not_written() -> None:
    with pytest.raises(JsonError) as caught:
        format_time(datetime(2026, 11, 25))  # noqa: DTZ001 - the point of the test
    assert caught.value.code is Code.JSON_TIME


class Record(msgspec.Struct, kw_only=True):
    digest: Hex32 = "0" * 64
    name: Name = "a"
    line: Line = "a"
    count: Count = 0


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("digest", "0123456789abcdef" * 4),
        ("name", "BAAI/bge-small_en:v1.5"),
        ("name", "a" * 128),
        ("line", "Paris, rack 4"),
        ("line", "~" * 128),
        ("count", 0),
        ("count", 2**53 - 1),
    ],
)
def test_the_one_spelling_is_accepted(member: str, value: Any) -> None:
    assert getattr(convert({member: value}, Record), member) == value


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("digest", "0" * 63),
        ("digest", "0" * 66),
        ("digest", "0" * 63 + "\n"),
        ("digest", "0" * 64 + "\n"),
        ("digest", "A" * 64),
        ("digest", "٠" * 64),
        ("name", ""),
        ("name", "-a"),
        ("name", "a b"),
        ("name", "a" * 129),
        ("name", "a\n"),
        ("line", ""),
        ("line", " a"),
        ("line", "a "),
        ("line", "a\x1b[2J"),
        ("line", "é"),
        ("line", "a" * 129),
        ("count", -1),
        ("count", True),
        ("count", 1.0),
        ("count", "1"),
    ],
)
def test_other_spellings_are_refused(member: str, value: Any) -> None:
    with pytest.raises(JsonError) as caught:
        convert({member: value}, Record)
    assert caught.value.code is Code.JSON_SHAPE


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(), "0s"),
        (timedelta(milliseconds=900), "0s"),
        (timedelta(seconds=61), "1min 1s"),
        (timedelta(hours=1), "1h"),
        (timedelta(hours=24), "1d"),
        (timedelta(days=1, minutes=5), "1d 5min"),
        (timedelta(days=90, hours=3, seconds=5), "90d 3h 5s"),
        (timedelta(minutes=-5), "-5min"),
    ],
)
def test_a_length_of_time_is_told_to_the_second(span: timedelta, text: str) -> None:
    assert format_span(span) == text
