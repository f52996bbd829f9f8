"""Reading the versioned JSON formats of this room: bound, strict JSON, version, then the members of that version.

Left to others: what the members mean (`keyset`, `document`, `admission`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from confide.codes import Code
from confide.errors import EvidenceError
from confide.formats import strictjson

T = TypeVar("T")
VERSION = 1  # of keyset, document and admission alike: they change together (DESIGN section 5, "Versions")


@dataclass(frozen=True)
class Format:
    """One format: its bound in bytes and its codes."""

    limit: int
    too_large: Code
    malformed: Code
    version: Code


def read(raw: bytes, kind: type[T], form: Format) -> T:
    """The members of version 1 as a `msgspec` struct. An unknown version is told before its members are looked at.

    Raises:
        EvidenceError: `too_large`, `malformed` or `version` of the format.
    """
    if len(raw) > form.limit:
        raise EvidenceError(form.too_large, found=f"{len(raw)} bytes", wanted=f"at most {form.limit}")
    with malformed(form):
        value = strictjson.loads(raw, limit=form.limit)
    _require_version(value, form)
    with malformed(form):
        return strictjson.convert(value, kind)


@contextmanager
def malformed(form: Format) -> Iterator[None]:
    """Give a `json` error the format's own code; the cause stays readable in `found`."""
    try:
        yield
    except strictjson.JsonError as error:
        raise EvidenceError(form.malformed, found=f"{error.code.value}: {error.found}", wanted=error.wanted) from None


def _require_version(value: Any, form: Format) -> None:
    version = value.get("version") if isinstance(value, dict) else None
    if type(version) is not int:  # `True` is an `int` too
        raise EvidenceError(form.malformed, found="no version number", wanted="an object with a version")
    if version != VERSION:
        raise EvidenceError(form.version, found=f"version {version}", wanted=f"version {VERSION}")
