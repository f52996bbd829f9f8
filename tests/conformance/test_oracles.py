"""Comparing with other verifiers: what counts as agreement, what needs a reason, and that a referee's silence is no agreement."""

import json
import sys
from pathlib import Path

import pytest
from conformance.oracles import run
from conformance.oracles.cases import Case, false, flipped
from conformance.oracles.run import NotHereError, Referee, compare

from confide.attest.evidence import Endorsements, Evidence

NITRO = frozenset({"nitro"})
ANSWER = """
import json, sys
for line in sys.stdin:
    q = json.loads(line)
    said = {said}
    if said != "nothing":
        print(json.dumps({{"id": q["id"], "accepted": said, "why": "because"}}))
"""


def referee(folder: Path, said: str) -> list[str]:
    """A program that gives its opinion as this expression of `q`."""
    path = folder / "referee.py"
    path.write_text(ANSWER.format(said=said))
    return [sys.executable, str(path)]


def tally(folder: Path, said: str, cases: list[Case]) -> run.Tally:
    command = referee(folder, said)
    (found,) = compare(Referee("somebody", {"nitro": "theirs 1.0"}, lambda: command), command, cases)
    return found


def test_the_same_opinion_is_agreement(tmp_path: Path) -> None:
    cases = [*false(NITRO), *flipped(false(NITRO), count=5)]
    found = tally(tmp_path, 'q["id"].startswith("false/")', cases)
    assert (found.cases, found.both_accept, found.both_refuse) == (6, 1, 5)
    assert not found.unexplained
    assert not found.only_we_refuse


def test_what_only_they_refuse_needs_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = list(false(NITRO))
    found = tally(tmp_path, "False", cases)
    assert found.unexplained == {"false/nitro": "because"}
    monkeypatch.setitem(run.EXPLAINED, "nitro", (("false/", "beca", "a reason"),))
    found = tally(tmp_path, "False", cases)
    assert (found.unexplained, dict(found.only_they_refuse)) == ({}, {"a reason": 1})


def test_what_only_we_refuse_is_counted_by_code(tmp_path: Path) -> None:
    found = tally(tmp_path, "True", list(flipped(false(NITRO), count=8)))
    assert sum(found.only_we_refuse.values()) == 8
    assert all("." in code for code in found.only_we_refuse)


def test_what_they_cannot_judge_is_no_agreement(tmp_path: Path) -> None:
    found = tally(tmp_path, "None", list(false(NITRO)))
    assert (found.not_judged, found.both_accept) == (1, 0)


def test_silence_is_told(tmp_path: Path) -> None:
    assert tally(tmp_path, '"nothing"', list(false(NITRO))).unexplained == {"false/nitro": "no answer"}


def test_a_question_holds_the_roots_of_its_kind() -> None:
    (case,) = false(NITRO)
    asked = json.loads(case.line())
    assert set(asked) == {"id", "kind", "evidence", "endorsements", "now", "roots"}
    assert len(asked["roots"]) == 1
    assert case.ours() is None
    broken = Case("x/y", Evidence("nitro", {"document": b"\xff"}), Endorsements(), case.now, case.roots)
    assert (broken.ours() or "").partition(".")[0] == "cbor"


@pytest.mark.parametrize("reasons", [{}, {"nitro": (("", "", "a reason"),)}])
def test_the_exit_status_says_whether_all_has_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], reasons: dict[str, object]
) -> None:
    command = referee(tmp_path, "False")
    monkeypatch.setattr(run, "REFEREES", (Referee("one", {"nitro": "theirs 1.0"}, lambda: command),))
    monkeypatch.setattr(run, "EXPLAINED", reasons)
    assert run.main(["--flips", "0"]) == (0 if reasons else 1)
    assert ("UNEXPLAINED" in capsys.readouterr().out) == (not reasons)


def test_a_referee_that_does_not_build_is_left_out_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> list[str]:
        run.need("a-compiler-that-nobody-has")
        return []

    monkeypatch.setattr(run, "REFEREES", (Referee("one", {"nitro": "theirs 1.0"}, missing),))
    assert run.main(["--flips", "0"]) == 1, "nobody was asked"
    assert "one: left out: no a-compiler-that-nobody-has" in capsys.readouterr().err
    with pytest.raises(NotHereError, match="false failed"):
        run.run_tool("false")


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.main([str(tmp_path)])
    assert "no MANIFEST.json" in capsys.readouterr().err
