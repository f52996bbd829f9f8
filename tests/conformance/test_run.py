"""The conformance driver: real programs over real vector files, in small."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from conformance.sdk_python import answer

from conformance import run

ECHO = "import sys, json\nfor line in sys.stdin: print(json.dumps(ANSWER), flush=True)\n"
CASE = {"id": "a-case", "op": "test.op", "input": {"x": 1}, "expected": {"ok": {"y": 2}}}


def program(tmp_path: Path, reply: dict[str, Any], name: str = "sdk.py") -> tuple[str, ...]:
    path = tmp_path / name
    path.write_text(ECHO.replace("ANSWER", repr(reply)))
    return (sys.executable, str(path))


def tally(command: tuple[str, ...], case: dict[str, Any] = CASE) -> run.Tally:
    return run.matrix({"some": command}, {"00-test": [case]})["some"]["00-test"]


def test_the_expected_answer_passes(tmp_path: Path) -> None:
    assert tally(program(tmp_path, {"ok": {"y": 2}})).passed == 1


@pytest.mark.parametrize("reply", [{"ok": {"y": 3}}, {"ok": {"y": 2, "z": 1}}, {"error": "json.shape"}, {"crash": "KeyError"}, {}])
def test_any_other_answer_fails(tmp_path: Path, reply: dict[str, Any]) -> None:
    found = tally(program(tmp_path, reply))
    assert (found.failed, found.passed, found.unsupported) == (1, 0, 0)
    assert found.failures == [{"id": "a-case", "expected": CASE["expected"], "found": reply}]


def test_an_acceptance_where_a_refusal_is_expected_fails(tmp_path: Path) -> None:
    assert tally(program(tmp_path, {"ok": {}}), {**CASE, "expected": {"error": "json.shape"}}).failed == 1


def test_a_gap_is_counted_apart(tmp_path: Path) -> None:
    assert tally(program(tmp_path, {"unsupported": "test.op"})).unsupported == 1


def test_a_program_that_stops_early_fails_the_cases_it_left_out(tmp_path: Path) -> None:
    path = tmp_path / "sdk.py"
    path.write_text("raise SystemExit(3)")
    assert tally((sys.executable, str(path))).failures[0]["found"] == {"crash": "exit status 3"}


def test_a_program_that_does_not_start_fails(tmp_path: Path) -> None:
    assert tally((str(tmp_path / "missing"),)).failures[0]["found"] == {"crash": "FileNotFoundError"}


def test_a_program_that_prints_something_else_fails(tmp_path: Path) -> None:
    path = tmp_path / "sdk.py"
    path.write_text("print('hello')\nprint('[1]')")
    assert tally((sys.executable, str(path))).failures[0]["found"] == {"crash": "not a JSON object"}


def test_a_program_that_answers_too_often_fails(tmp_path: Path) -> None:
    path = tmp_path / "sdk.py"
    path.write_text("""print('{"ok": {"y": 2}}\\n' * 2)""")
    assert tally((sys.executable, str(path))).failed == 1


def test_two_programs_are_two_columns_and_a_failure_is_told_in_text_and_json(tmp_path: Path) -> None:
    table = run.matrix(
        {"good": program(tmp_path, {"ok": {"y": 2}}, "a.py"), "bad": program(tmp_path, {"ok": {}}, "b.py")}, {"00-test": [CASE]}
    )
    text = "\n".join(run.as_text(table))
    assert "good" in text.splitlines()[0]
    assert "0/1 FAILED 1" in text
    assert "FAILED bad a-case" in text
    assert run.as_json(table)["matrix"]["good"]["00-test"] == {"passed": 1, "failed": 0, "unsupported": 0}
    assert run.as_json(table)["failures"][0]["sdk"] == "bad"


def test_the_command_drives_the_python_sdk_over_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit = {"salt": "00" * 32, "label": "request", "data": "6869"}
    case = {"id": "c", "op": "receipt.commit", "input": commit, "expected": {"ok": {"commitment": "0" * 64}}}
    (tmp_path / "00-test.json").write_text(json.dumps({"cases": [case]}))
    assert run.main(["--json", "--sdk", "python", "--vectors", str(tmp_path)]) == 1
    printed = json.loads(capsys.readouterr().out)
    assert printed["failures"][0]["found"]["ok"]["commitment"] != "0" * 64
    case["expected"] = printed["failures"][0]["found"]
    (tmp_path / "00-test.json").write_text(json.dumps({"cases": [case]}))
    assert run.main(["--vectors", str(tmp_path)]) == 0
    assert "1/1" in capsys.readouterr().out


def test_the_python_program_names_an_operation_it_lacks() -> None:
    assert answer({"op": "no.such", "input": {}}) == {"unsupported": "no.such"}


def test_the_python_program_shows_a_crash_as_one() -> None:
    assert answer({"op": "receipt.commit", "input": {}}) == {"crash": "KeyError"}


def test_the_python_program_answers_a_refusal_with_its_code() -> None:
    assert answer({"op": "receipt.commit", "input": {"salt": "00", "label": "request", "data": ""}}) == {"error": "receipt.salts"}


@pytest.mark.parametrize("indent", [None, 1])
def test_the_python_program_reads_one_object_on_one_or_several_lines(indent: int | None) -> None:
    question = json.dumps({"op": "no.such", "input": {}}, indent=indent)
    assert run.ask_text(run.SDKS["python"], question) == '{"unsupported": "no.such"}\n'
