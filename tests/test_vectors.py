"""The vectors: every case passes, every MUST accepts and rejects, every code is seen, and every file rebuilds byte for byte."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conformance.ops import OPS
from conformance.sdk_python import answer
from scripts import make_vectors, spec_codes

from confide.codes import Code

ROOT = Path(__file__).resolve().parents[1]

FILES: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted((ROOT / "vectors").glob("*.json"))
}
CASES: list[dict[str, Any]] = [case for file in FILES.values() for case in file["cases"]]
SPECS = {path.stem: path.read_text("utf-8") for path in sorted((ROOT / "spec").glob("[0-9]*.md"))}
MUST = re.compile(r"^\*\*([A-Z]+-[0-9]+[a-z]?)\*\*", re.MULTILINE)
REQUIRED = {case_spec: set(MUST.findall(text)) for case_spec, text in SPECS.items()}

VECTORED_AREAS = {
    *("verdict", "policy", "ohttp", "hpke", "bhttp", "receipt", "log", "keyset", "binding", "document", "admission", "snp"),
    *("package", "tpm", "azure", "dcap", "sgx", "tdx", "eventlog", "nitro", "cbor", "cose", "nvidia", "ear", "cca"),
}
EXEMPT: dict[str, str] = {  # code -> why no vector, which is a pure function of its input, can reach it
    "log.unknown": "a log that a node does not keep, not bytes",
    "log.storage": "a full or broken disk, not bytes",
    "package.not_found": "a place in a file system, not bytes",
    "package.write": "a full disk, not bytes",
    "package.extra": "a library that is not installed",
    "package.source": "packing only: a model folder, which spec/11-package.md leaves open",
    "package.architecture": "packing only: a model's configuration",
    "package.weights": "packing only: a model's tensors",
    "package.tokenizer": "packing only: a model's tokenizer",
    "package.graph": "packing only: an exported graph",
}


def _of(file: dict[str, Any], kind: str) -> set[str]:
    return {must for case in file["cases"] if case["kind"] == kind for must in case["musts"]}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_the_python_sdk_gives_the_expected_answer(case: dict[str, Any]) -> None:
    assert answer({"op": case["op"], "input": case["input"]}) == case["expected"]


@pytest.mark.parametrize("stem", FILES)
def test_a_vector_file_is_well_formed(stem: str) -> None:
    file = FILES[stem]
    assert {"spec", "generator", "provenance", "cases"} <= set(file)
    assert file["spec"] == f"spec/{stem}.md"
    assert (ROOT / file["generator"]).exists()
    assert len(file["provenance"]) > 40
    for case in file["cases"]:
        assert {"id", "musts", "kind", "op", "input", "expected"} <= set(case), case["id"]
        assert list(case["expected"]) == [{"accept": "ok", "reject": "error"}[case["kind"]]], case["id"]
        assert case["op"] in OPS, case["id"]
        assert case["kind"] == "accept" or case["expected"]["error"] in {code.value for code in Code}, case["id"]


def test_case_identifiers_are_unique() -> None:
    identifiers = [case["id"] for case in CASES]
    assert len(identifiers) == len(set(identifiers))


def test_vectors_name_only_requirements_that_exist() -> None:
    known = set().union(*REQUIRED.values())
    assert {(case["id"], must) for case in CASES for must in case["musts"] if must not in known} == set()


def test_a_requirement_is_numbered_once() -> None:
    numbers = [must for text in SPECS.values() for must in MUST.findall(text)]
    assert sorted(numbers) == sorted(set(numbers))


@pytest.mark.parametrize("stem", SPECS)
def test_each_requirement_line_says_must(stem: str) -> None:
    lines = [line for line in SPECS[stem].splitlines() if MUST.match(line)]
    assert [line for line in lines if "MUST" not in line] == []


@pytest.mark.parametrize("stem", [stem for stem, musts in REQUIRED.items() if musts])
def test_each_must_has_an_accepting_and_a_rejecting_vector(stem: str) -> None:
    required = REQUIRED[stem]
    file = FILES.get(stem, {"cases": []})
    assert {"no accept": required - _of(file, "accept"), "no reject": required - _of(file, "reject")} == {
        "no accept": set(),
        "no reject": set(),
    }


def _unseen() -> Iterator[str]:
    seen = {case["expected"].get("error") for case in CASES}
    for code in Code:
        if code.area in VECTORED_AREAS and code.value not in seen and code.value not in EXEMPT:
            yield code.value


def test_each_code_of_the_vectored_areas_is_expected_by_a_vector() -> None:
    assert sorted(_unseen()) == []


def test_exemptions_are_real_codes_that_no_vector_reaches() -> None:
    seen = {case["expected"].get("error") for case in CASES}
    assert {code for code in EXEMPT if code in seen or code not in {item.value for item in Code}} == set()


@pytest.mark.parametrize("name", make_vectors.generators())
def test_a_generator_rebuilds_its_file_byte_for_byte(name: str) -> None:
    assert list(make_vectors.differing([name])) == []


def test_each_vector_file_has_a_generator() -> None:
    assert {file["generator"] for file in FILES.values()} == {f"scripts/vectors/{name}.py" for name in make_vectors.generators()}


@pytest.mark.parametrize("path", spec_codes.FILES, ids=lambda path: path.name)
def test_pages_made_from_the_codes_are_current(path: Path) -> None:
    assert path.read_text("utf-8") == spec_codes.FILES[path](), "run scripts/spec_codes.py"


def test_the_index_of_the_specification_lists_every_page() -> None:
    index = (ROOT / "spec" / "README.md").read_text("utf-8")
    assert [stem for stem in SPECS if f"({stem}.md)" not in index] == []
