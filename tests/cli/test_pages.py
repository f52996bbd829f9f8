"""The pages of docs/platforms: each says what is proven, by whom, and what is not; its commands run as they are written, and its
policy entries load. Commands of all other pages exist, with these options.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from tests.cli.kinds import LAB
from tests.client.policies import text

from confide.attest.evidence import Kind
from confide.cli.app import confide, run
from confide.codes import Code
from confide.policy.load import load_policy
from confide.policy.meaning import MEANINGS
from confide_sim import arm

DOCS = Path(__file__).parents[2] / "docs"
PLATFORMS = DOCS / "platforms"
KINDS = {
    "snp": ["snp"],
    "sgx": ["sgx"],
    "tdx": ["tdx"],
    "nitro": ["nitro", "nitrotpm"],
    "tpm": ["tpm"],
    "azure": ["az-snp-vtpm", "az-tdx-vtpm"],
    "gcp": ["snp+tpm", "tpm"],
    "nvidia": ["snp+nvidia", "tdx+nvidia+nvidia+tpm"],
    "cca": ["cca"],
}
DEVICES = {"serve", "doctor"}  # ask the hardware of the platform
CASES = [(page, kind) for page, kinds in KINDS.items() for kind in kinds]
ASKED = re.compile(r"https?://\S+")
BLOCK = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODES = {code.value for code in Code}


def blocks(page: Path, language: str) -> list[str]:
    """The text of the fenced blocks in one language, `""` for what is typed."""
    return [body for named, body in BLOCK.findall(page.read_text()) if named == language]


def commands(page: Path) -> Iterator[list[str]]:
    """What a page has people type, as words behind `confide`."""
    for body in blocks(page, ""):
        for line in body.splitlines():
            typed = re.sub(r"^(\$ )?(\.venv/bin/)?", "", line)
            if typed.startswith("confide "):
                yield shlex.split(re.split(r" (?:\|\|?|>) ", typed)[0], comments=True)[1:]


def test_every_page_and_every_kind_is_here() -> None:
    assert {page.stem for page in PLATFORMS.glob("*.md")} == set(KINDS)
    assert {kind for kinds in KINDS.values() for each in kinds for kind in each.split("+")} == {kind.value for kind in Kind}


@pytest.mark.parametrize("page", KINDS)
def test_a_page_says_what_is_proven_by_whom_and_what_is_not(page: str) -> None:
    found = (PLATFORMS / f"{page}.md").read_text()
    head = next(line for line in found.splitlines() if line.startswith("|"))
    assert re.search(r"proven|Answer", head), head
    assert "\n## What is not shown\n\n* " in found
    for kind in {part for each in KINDS[page] for part in each.split("+")} if page != "nvidia" else {"nvidia"}:
        vendor = re.split(r"[, ]", MEANINGS[Kind(kind)].vendor.removeprefix("the "))[0]
        assert (vendor if kind != "cca" else "your policy pins") in found, vendor
        assert f"`{kind}`" in found or f'"{kind}"' in found, kind


@pytest.mark.parametrize("page", KINDS)
def test_a_page_names_only_codes_that_exist(page: str) -> None:
    areas = {code.partition(".")[0] for code in CODES}
    named = re.findall(r"`([a-z0-9]+\.[a-z0-9_]+)`", (PLATFORMS / f"{page}.md").read_text())
    members = {"snp.measurements", "tdx.mr_tds", "snp.id_key_digests"}  # of entries with tables
    assert not [code for code in named if code.partition(".")[0] in areas and code not in CODES | members]


@pytest.mark.parametrize("page", KINDS)
def test_the_entries_of_a_page_load(page: str) -> None:
    base = re.sub(r"\[\[accept\]\].*?(?=\[node\])", "", text().decode(), flags=re.DOTALL)
    before, after = base.split("[node]")
    entries = [body for body in blocks(PLATFORMS / f"{page}.md", "toml") if "[[accept]]" in body]  # the rest is a node's
    assert entries or page == "gcp"  # as on the page of TPM quotes
    for body in entries:
        entry = re.sub(r"<(\d+) hex digits[^>]*>", lambda match: "ab" * (int(match[1]) // 2), body)
        entry = re.sub(r"<SubjectPublicKeyInfo[^>]*>", arm.root().der.hex(), entry)
        entry = re.sub(r"<[^>\"]*measurement[^>\"]*>|<those of the next release>", "cd" * 32, entry)
        policy = load_policy(f"{before}\n{entry}\n[node]{after}".encode())
        assert policy.accept


@pytest.mark.parametrize(("page", "kind"), CASES)
def test_the_commands_of_a_page_run_as_they_are_written(
    page: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bundle.json").write_bytes(LAB.genuine(kind))
    (tmp_path / "policy.toml").write_bytes(LAB.policy(kind))
    at = ["--at", "2026-11-25T12:00:00Z"]
    typed = [words for words in commands(PLATFORMS / f"{page}.md") if words[0] not in DEVICES]
    assert {words[0] for words in typed} >= {"explain", "verify"}
    for words in typed:
        given = words if "--at" in words else [*words, *at]  # the page's reader judges a bundle of today
        assert run(given) == 0, (words, capsys.readouterr())
    assert f"({kind.partition('+')[0]})" in capsys.readouterr().out


PAGES = sorted(page for page in DOCS.glob("**/*.md") if page.name != "cli.md" and any(commands(page)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_every_command_of_a_page_exists_with_its_options(page: Path) -> None:
    for words in commands(page):
        parsed(words)


def parsed(words: list[str]) -> None:
    """Options, values and required arguments, as far as can be told without running anything."""
    command: click.Command = confide
    rest = list(words)
    context = click.Context(confide)
    while isinstance(command, click.Group):
        found = command.get_command(context, rest.pop(0))
        assert found is not None, words
        command = found
    command.make_context(command.name, rest)


def test_a_command_that_does_not_exist_is_noticed() -> None:
    wrong: list[Any] = [["verify", "x", "--polcy", "y"], ["verify", "x"], ["bundle", "save", "x"]]
    for words in wrong:
        with pytest.raises(click.UsageError):
            parsed(words)
