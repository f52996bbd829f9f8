"""Strict JSON and the scalars of the formats (spec/README.md, "Conventions"; RFC 8259, RFC 7493).

A `Reader` carries the code that its page gives to whatever is not of the form, so that the pages' parsers read like their tables.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

MAX_INTEGER = 2**53 - 1
MAX_LEVELS = 32
NAME = r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}"  # 02-keyset.md, "A name is"

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_HEX_32 = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z")


class Refused(Exception):  # noqa: N818 - the word of the specification
    """Something does not hold. `code` is one of spec/codes.json."""

    def __init__(self, code: str, found: str = "", **where: int) -> None:
        super().__init__(f"{code}: {found}" if found else code)
        self.code = code
        self.found = found
        self.where = where


def _integer(text: str) -> int:
    value = int(text) if len(text) <= 17 else MAX_INTEGER + 1
    if abs(value) > MAX_INTEGER:
        raise ValueError("an integer beyond 2^53 - 1")
    return value


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number beyond binary64")
    return value


def _constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member occurs twice")
    return members


def _check_levels(text: str) -> None:
    level = 0
    for char in _STRING.sub("", text):
        level += (char in "[{") - (char in "]}")
        if level > MAX_LEVELS:
            raise ValueError("more than 32 levels")


def _check_unicode(value: object) -> None:
    """RFC 7493 section 2.1: no unpaired surrogates, in names and in values."""
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, dict):
        for name, member in value.items():
            _check_unicode(name)
            _check_unicode(member)
    elif isinstance(value, list):
        for item in value:
            _check_unicode(item)


def loads(data: bytes) -> object:
    """The value of a strict JSON text, or ValueError."""
    text = data.decode()
    _check_levels(text)
    value: object = json.loads(text, object_pairs_hook=_pairs, parse_int=_integer, parse_float=_float, parse_constant=_constant)
    _check_unicode(value)
    return value


@dataclass(frozen=True)
class Reader:
    """Reads values of one format; whatever is not of the form is refused with `code`."""

    code: str

    def refuse(self, found: str) -> NoReturn:
        raise Refused(self.code, found)

    def json(self, data: bytes, limit: int) -> object:
        """The value of a text of at most `limit` bytes."""
        if len(data) > limit:
            self.refuse(f"{len(data)} bytes, at most {limit}")
        try:
            return loads(data)
        except ValueError as error:
            raise Refused(self.code, str(error)) from None

    def versioned(self, value: object, version_code: str) -> dict[str, object]:
        """An object whose `version` is 1, told before other members are looked at."""
        if not isinstance(value, dict):
            self.refuse("no object")
        version = value.get("version")
        if not isinstance(version, int) or isinstance(version, bool):
            self.refuse("no version")
        if version != 1:
            raise Refused(version_code, str(version))
        return value

    def members(self, value: object, required: Collection[str], optional: Collection[str] = ()) -> dict[str, object]:
        if not isinstance(value, dict):
            self.refuse("no object")
        names = set(value)
        if not set(required) <= names <= set(required) | set(optional):
            self.refuse(f"members {sorted(names)}")
        return value

    def array(self, value: object, low: int, high: int) -> list[object]:
        if not isinstance(value, list) or not low <= len(value) <= high:
            self.refuse(f"no list of {low} to {high}")
        return value

    def table(self, value: object, high: int, names: str) -> dict[str, object]:
        """An object of at most `high` members whose names match a pattern."""
        if not isinstance(value, dict) or len(value) > high or not all(re.fullmatch(names, name) for name in value):
            self.refuse(f"no object of at most {high} names")
        return value

    def text(self, value: object, pattern: str) -> str:
        if not isinstance(value, str) or re.fullmatch(pattern, value) is None:
            self.refuse(f"{value!r:.80} is not {pattern}")
        return value

    def integer(self, value: object) -> int:
        """A count or an index: written without fraction or exponent, from 0 to 2^53 - 1."""
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            self.refuse(f"{value!r:.80} is no count")
        return value

    def boolean(self, value: object) -> bool:
        if not isinstance(value, bool):
            self.refuse("no boolean")
        return value

    def digest(self, value: object) -> bytes:
        """32 bytes as 64 lower-case hex digits."""
        if not isinstance(value, str) or _HEX_32.fullmatch(value) is None:
            self.refuse(f"{value!r:.80} is no digest")
        return bytes.fromhex(value)

    def base64(self, value: object, limit: int) -> bytes:
        """RFC 4648 section 4, padded, in its one canonical spelling."""
        try:
            data = base64.b64decode(value, validate=True) if isinstance(value, str) else None
        except (binascii.Error, ValueError):
            data = None
        if data is None or len(data) > limit or base64.b64encode(data).decode() != value:
            self.refuse(f"no canonical base 64 of at most {limit} bytes")
        return data

    def time(self, value: object) -> str:
        """A UTC time that exists. Its one spelling sorts as times do, so it stays a text."""
        match = _TIME.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            self.refuse(f"{value!r:.80} is no time")
        try:
            datetime(*map(int, match.groups()), tzinfo=UTC)  # type: ignore[arg-type,misc]
        except ValueError:
            self.refuse(f"{value!r:.80} does not exist")
        return match.group()
