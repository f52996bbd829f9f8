"""The page about recorded evidence: its counts are those of today, and the verifier goes on citing its sources."""

import pytest
from scripts import verification_page
from tests.support import need_recorded_vectors


def test_the_counts_on_the_page_are_those_of_the_harness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFIDE_VECTORS", str(need_recorded_vectors()))
    assert verification_page.main(["--check"]) == 0


def test_other_counts_are_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CONFIDE_VECTORS", str(need_recorded_vectors()))
    monkeypatch.setattr(verification_page, "counts", lambda _: ("another table", {}))
    assert verification_page.main(["--check"]) == 1
    assert "python scripts/verification_page.py" in capsys.readouterr().err


def test_ten_lines_of_a_thousand_cite_where_a_rule_is_from() -> None:
    cited, lines = verification_page.citations()
    assert 1000 * cited / lines >= 10


def test_a_page_without_marks_is_not_written() -> None:
    with pytest.raises(ValueError, match="no marks"):
        verification_page.replaced("text", {"counts": "x"})
    assert verification_page.replaced("<!-- a -->old<!-- /a -->", {"a": "new"}) == "<!-- a -->\nnew\n<!-- /a -->"
