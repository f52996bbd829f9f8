"""Only allow-listed scalars stand in clear; the specification holds the same table."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from confide.codes import Code
from confide.errors import ReceiptError
from confide.receipt.parameters import ALLOWED, split

SPEC = Path(__file__).resolve().parents[2] / "spec" / "09-receipt.md"
KINDS = {"integer": (int,), "number": (int, float), "boolean": (bool,)}


def test_the_specification_has_the_same_table() -> None:
    section = SPEC.read_text("utf-8").split("**RCP-9**")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([a-z_]+)` \| (.+?) \|$", section, re.MULTILINE)
    words = {name: frozenset(re.findall(r"`(\w+)`", text)) for name, text in rows}
    assert {name: KINDS.get(text) or words[name] for name, text in rows} == dict(ALLOWED)


@pytest.mark.parametrize(
    ("name", "value"),
    [("normalize", False), ("n", 0), ("seed", -(2**53) + 1), ("top_p", 0), ("top_p", 0.5), ("pooling", "mean")],
)
def test_an_allowed_scalar_stands_in_clear(name: str, value: Any) -> None:
    assert split({name: value}) == ({name: value}, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stop", ["secret"]),
        ("normalize", 1),
        ("normalize", "true"),
        ("n", True),
        ("n", 1.0),
        ("n", 2**53),
        ("top_p", "0.5"),
        ("top_p", 1e300),
        ("pooling", "secret"),
        ("pooling", 3),
        ("pooling", None),
        ("Normalize", True),
    ],
)
def test_anything_else_is_content(name: str, value: Any) -> None:
    clear, text = split({name: value, "n": 1} if name != "n" else {name: value})
    assert name not in clear
    assert text is not None
    assert json.loads(text) == {name: value}


def test_no_parameters_are_no_text() -> None:
    assert split({}) == ({}, None)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), b"\xff" * 70_000, "x" * 70_000])
def test_what_is_no_json_or_too_long_is_refused(value: Any) -> None:
    with pytest.raises(ReceiptError) as caught:
        split({"stop": value})
    assert caught.value.code is Code.RECEIPT_FIELD


def test_a_bottomless_parameter_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(ReceiptError) as caught:
        split({"stop": value})
    assert caught.value.code is Code.RECEIPT_FIELD
