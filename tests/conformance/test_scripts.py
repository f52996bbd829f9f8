"""The scripts that make vectors and code pages: what is current passes, what differs or is missing is named."""

import json
import shutil
from pathlib import Path

import pytest
from scripts import make_vectors, spec_codes

from confide.codes import Code, Exit

ROOT = make_vectors.ROOT


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of one vector file, with the script pointed at it."""
    (tmp_path / "vectors").mkdir()
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    shutil.copy(ROOT / "vectors" / "10-log.json", tmp_path / "vectors")
    monkeypatch.setattr(make_vectors, "ROOT", tmp_path)
    return tmp_path / "vectors" / "10-log.json"


def test_current_vectors_pass_the_check(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make_vectors.main(["--check", "log"]) == 0
    assert "all current" in capsys.readouterr().out


def test_a_changed_vector_file_is_named_and_left_alone(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed = copied.read_text().replace('"size": 3', '"size": 4', 1)
    copied.write_text(changed)
    assert make_vectors.main(["--check", "log"]) == 1
    assert "differs: vectors/10-log.json" in capsys.readouterr().out
    assert copied.read_text() == changed


def test_a_changed_vector_file_is_made_anew_byte_for_byte(copied: Path) -> None:
    before = copied.read_text()
    copied.write_text(before.replace('"size": 3', '"size": 4', 1))
    assert make_vectors.main(["log"]) == 0
    assert copied.read_text() == before


def test_a_missing_vector_file_is_made_with_fresh_signatures(copied: Path) -> None:
    before = json.loads(copied.read_text())
    copied.unlink()
    assert make_vectors.main(["--check", "log"]) == 1
    assert make_vectors.main(["log"]) == 0
    after = json.loads(copied.read_text())
    assert after != before
    assert [case["expected"] for case in after["cases"]] == [case["expected"] for case in before["cases"]]


def test_generators_are_found_and_helpers_are_not() -> None:
    assert {"log", "receipt"} <= set(make_vectors.generators())
    assert not [name for name in make_vectors.generators() if name.startswith("_")]


def test_pages_of_codes_are_written_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {tmp_path / path.relative_to(ROOT): make for path, make in spec_codes.FILES.items()}
    monkeypatch.setattr(spec_codes, "FILES", files)
    monkeypatch.setattr(spec_codes, "ROOT", tmp_path)
    assert spec_codes.main(["--check"]) == 1
    assert spec_codes.main([]) == 0
    assert spec_codes.main(["--check"]) == 0
    next(iter(files)).write_text("{}")
    assert spec_codes.main(["--check"]) == 1


def test_the_list_for_other_sdks_holds_every_code() -> None:
    listed = json.loads(spec_codes.codes_json())
    assert [item["code"] for item in listed["codes"]] == [code.value for code in Code]
    assert [item["exit"] for item in listed["exits"]] == [int(item) for item in Exit]


def test_every_exit_code_says_how_to_resolve() -> None:
    assert set(spec_codes.RESOLVE) == set(Exit)
    page = spec_codes.exits_page()
    assert page.count("How to resolve: ") == len(Exit)
    assert all(f"`{code.value}`" in page for code in Code)
