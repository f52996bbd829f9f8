"""The pages that people read first keep their promises: commands exist, links and named files lead somewhere."""

import re
from pathlib import Path

import pytest

from confide.cli.app import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("spec/*.md"), *ROOT.glob("models/**/*.md")])
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
NAMED = re.compile(r"`((?:src|sim|tests|docs|spec|scripts|conformance|bench|models|requirements)/[A-Za-z0-9_./-]*)`")


def test_something_can_be_run_by_line_15_of_the_readme() -> None:
    head = (ROOT / "README.md").read_text().splitlines()[:15]
    assert any("make demo" in line for line in head[head.index("```") :])


def test_every_command_of_the_readme_exists() -> None:
    named = set(re.findall(r"^confide (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert named == set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_named_files_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    missing = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    missing += [name for name in NAMED.findall(text) if not (ROOT / name).exists() and "NN" not in name]
    assert not missing


def test_every_decision_has_its_four_parts() -> None:
    for page in (ROOT / "docs" / "adr").glob("*.md"):
        text = page.read_text().lower()
        assert all(part in text for part in ("drivers", "options", "outcome", "cost")), page.name
