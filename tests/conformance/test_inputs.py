"""Every field that the manifest tells of an accepted case may be an extra expectation: the value told holds, any other refuses."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from conformance.kinds import ADAPTERS
from conformance.kinds.case import Case, same
from tests.support import need_recorded_vectors

from conformance import recorded


@cache
def accepted() -> tuple[tuple[Case, dict[str, Any]], ...]:
    """Recorded cases that are accepted and tell their fields."""
    return tuple(_accepted(need_recorded_vectors()))


def _accepted(folder: Path) -> Iterator[tuple[Case, dict[str, Any]]]:
    for entry in json.loads((folder / "MANIFEST.json").read_text("utf-8"))["vectors"]:
        fields = entry.get("expected", {}).get("fields")
        for judge in entry.get("judge", ()) if fields and entry["kind"] in ADAPTERS else ():
            case = recorded.read_case(folder, entry, judge)
            if recorded.judge_case(case).default == "accept":
                yield case, fields


def other(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, list):
        return [*value[:-1], other(value[-1])] if value else ["one"]
    if isinstance(value, dict):
        name = next(iter(value))
        return {**value, name: other(value[name])}
    return f"{value[:-1]}{'1' if value[-1:] == '0' else '0'}" if value else "11"


def test_every_field_holds_as_told() -> None:
    kinds = set()
    for case, fields in accepted():
        finding = recorded.judge_case(replace(case, policy_inputs=fields))
        assert finding.default == "accept", (case.name, finding.code)
        kinds.add(case.kind)
    assert kinds >= {"snp", "tdx", "nitro", "nitrotpm", "tpm", "nvidia", "az-snp-vtpm"}


def test_no_field_holds_as_another_value() -> None:
    for case, fields in accepted():
        for name, value in fields.items():
            finding = recorded.judge_case(replace(case, policy_inputs={name: other(value)}))
            assert finding.code == f"recorded.policy_input:{name}", (case.name, name, finding.code)


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (b"", ""),
        (b"\x01\x02", "0x0102"),
        (b"\x01\x00", "01"),
        (b"ab", {"len": 2, "sha256": "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603"}),
        ([1, b"\x02"], [1, "02"]),
        ((1, 2), [1, 2]),
        (7, "0x7"),
        (None, None),
    ],
)
def test_values_are_the_same_across_spellings(found: Any, wanted: Any) -> None:
    assert same(found, wanted)


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (b"", "00"),
        (b"\x00", ""),
        (b"ab", {"len": 2}),
        (b"ab", {"len": 3, "sha256": "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603"}),
        ([1, 2], [1]),
        ([1, 2], [2, 1]),
        ([1], 1),
        ([], {}),
        (None, ""),
        (1, True),
    ],
)
def test_other_values_are_not(found: Any, wanted: Any) -> None:
    assert not same(found, wanted)
