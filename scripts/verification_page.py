"""Writes the tables of `docs/explanation/verification.md`: how recorded evidence is judged, kind by kind, and what it costs.

Run it where `CONFIDE_VECTORS` names the recorded evidence, after `python -m bench.kinds`: `python scripts/verification_page.py`.
With `--check` it compares the counts of the recorded cases with the page and writes nothing. Times come from
`bench/results/kinds.json`, other verifiers' opinions from `bench/results/oracles.json` (`python -m conformance.oracles.run DIR
--write`), counts of fuzzing from `bench/results/fuzz.json` (`python -m tests.fuzz.run --results FILE`).
"""

import argparse
import ast
import contextlib
import inspect
import io
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src"), str(ROOT / "sim" / "src")]

from tests.support import recorded_vectors  # noqa: E402 - a bare checkout works too

from conformance import recorded  # noqa: E402

PAGE = ROOT / "docs" / "explanation" / "verification.md"
TIMES = ROOT / "bench" / "results" / "kinds.json"
ORACLES = ROOT / "bench" / "results" / "oracles.json"
FUZZED = ROOT / "bench" / "results" / "fuzz.json"
ATTEST = ROOT / "src" / "confide" / "attest"
TESTS = ("tests/attest", "tests/policy/accept")
# A line that says where a rule is from.
CITED = re.compile(
    r"RFC \d|sections? \d|tables? \d|[Cc]hapter \d|figure \d|annex|[Aa]ppendix|AMD \d{5}|DEN\d|DSP\d|draft-[a-z]|FIPS \d|SEC 1|"
    r"SP 800|NIST IR|ISO/IEC|ACPI|PC Client|TPM 2\.0 Library|User Guide|QuoteLibReference|SDM|X\.690|W3C|"
    r"Linux (?:Documentation|include)"
)


def counts(folder: Path) -> tuple[str, dict[str, Counter[str]]]:
    """The table of recorded cases, and what was not checked of the accepted ones, by kind."""
    manifest = json.loads((folder / "MANIFEST.json").read_text("utf-8"))
    done = list(recorded.rows(folder, manifest, kinds=(), excluded=()))
    table = recorded.totals(done)
    skipped: dict[str, Counter[str]] = {}
    for row in done:
        if row["default"] == "accept":
            names = {text.split(":", 1)[0] for text in row["not_checked"]}
            skipped.setdefault(row["kind"], Counter()).update(names)
    lines = ["| Kind | Cases | Judged right | Wrong accepts | Accepted | Refused |", "|---|---|---|---|---|---|"]
    for kind, row in table.items():
        own = [each for each in done if each["kind"] == kind]
        accepted = sum(each["default"] == "accept" for each in own)
        lines.append(f"| {kind} | {len(own)} | {row['right']} | {row['wrong_accepts']} | {accepted} | {len(own) - accepted} |")
    right, wrong = sum(row["right"] for row in table.values()), sum(row["wrong_accepts"] for row in table.values())
    accepted = sum(row["default"] == "accept" for row in done)
    lines.append(f"| **all** | **{len(done)}** | **{right}** | **{wrong}** | {accepted} | {len(done) - accepted} |")
    return "\n".join(lines), skipped


def not_checked(skipped: Mapping[str, Counter[str]]) -> Iterator[str]:
    """Per kind, what most accepted cases were not asked, most frequent first."""
    for kind, names in skipped.items():
        frequent = sorted(names.items(), key=lambda each: (-each[1], each[0]))[:12]
        told = ", ".join(f"{name} ({number})" for name, number in frequent)
        more = f", and {len(names) - 12} more" if len(names) > 12 else ""
        yield f"* **{kind}**: {told}{more}"


def times(path: Path) -> Iterator[str]:
    """The table of `bench.kinds`."""
    written = json.loads(path.read_text("utf-8"))
    yield "| Kind | Cases | Nothing remembered, ms | Slowest case, ms | Vendor's part remembered, us | Target |"
    yield "|---|---|---|---|---|---|"
    for kind, row in written["kinds"].items():
        target = {"snp": "2 ms", "sgx": "2 ms", "tdx": "2 ms", "nitro": "6 ms"}.get(kind, "")
        yield (
            f"| {kind} | {row['cases']} | {row['cold_ms']:.2f} | {row['slowest_ms']:.2f} | {row['cached_us']:.0f} "
            f"| {f'{target}, 150 us' if target else ''} |"
        )


def oracles(path: Path) -> Iterator[str]:
    """The table of `conformance.oracles.run`, and what only one side refuses."""
    tallies = json.loads(path.read_text("utf-8"))
    yield "| Kind | Referee | Cases | Both accept | Both refuse | Only we refuse | Only they refuse | Not judged by them |"
    yield "|---|---|---|---|---|---|---|---|"
    for each in tallies:
        ours, theirs = sum(each["only_we_refuse"].values()), sum(each["only_they_refuse"].values())
        yield (
            f"| {each['kind']} | {each['library']} | {each['cases']} | {each['both_accept']} | {each['both_refuse']} | {ours} "
            f"| {theirs} | {each['not_judged']} |"
        )
    yield ""
    for each in tallies:
        told = "; ".join(f"{reason} ({count})" for reason, count in each["only_they_refuse"].items())
        if told:
            yield f"* {each['kind']}, only {each['library']} refuses: {told}."
        told = ", ".join(f"`{code}` ({count})" for code, count in each["only_we_refuse"].items())
        if told:
            yield f"* {each['kind']}, only this verifier refuses what {each['library']} accepts: {told}."


def fuzzed(path: Path) -> Iterator[str]:
    """The table of `tests.fuzz.run`: what each target's last session saw."""
    written: Mapping[str, Mapping[str, float]] = json.loads(path.read_text("utf-8"))
    yield "| Target | Minutes | Runs | Believed | Lines reached | Failures |"
    yield "|---|---|---|---|---|---|"
    for name, row in sorted(written.items()):
        yield f"| {name} | {row['minutes']:g} | {row['runs']:,} | {row['believed']:,} | {row['lines']:,} | {row['failures']} |"
    minutes, runs, failures = (sum(row[member] for row in written.values()) for member in ("minutes", "runs", "failures"))
    yield f"| **all {len(written)}** | {minutes:g} | **{runs:,}** | | | **{failures}** |"


# --- the code itself --------------------------------------------------------------------------------------------------------------


def citations() -> tuple[int, int]:
    """Lines that cite, and lines, of `attest`."""
    lines = [line for path in sorted(ATTEST.rglob("*.py")) for line in path.read_text("utf-8").splitlines()]
    return sum(bool(CITED.search(line)) for line in lines), len(lines)


def refusals() -> int:
    """Places in `attest` that can refuse: raised errors, and `require`."""
    found = 0
    for path in ATTEST.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            called = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
            found += isinstance(node, ast.Raise) or called == "require"
    return found


class _Collected:
    """Test cases whose function says that something is refused."""

    def __init__(self) -> None:
        self.all = self.negative = 0

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        sources: dict[Any, bool] = {}
        for item in session.items:
            function: Any = getattr(item, "function", None)
            if function not in sources:
                sources[function] = bool(re.search(r"\b(?:refused|raises|wrong)\(", inspect.getsource(function)))
            self.all += 1
            self.negative += sources[function]


def tests() -> tuple[int, int]:
    """Cases, and those that expect a refusal, of the suites of `attest` and of `accept` entries."""
    seen = _Collected()
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *TESTS], plugins=[seen])
    return seen.all, seen.negative


def code() -> Iterator[str]:
    """The table about the code."""
    cited, lines = citations()
    sites, (cases, negative) = refusals(), tests()
    vectors = sum(len(json.loads(path.read_text("utf-8"))["cases"]) for path in (ROOT / "vectors").glob("*.json"))
    yield from ("| | |", "|---|---|")
    yield f"| lines in `attest` that cite their source, per thousand | {1000 * cited / lines:.0f} ({cited} of {lines}) |"
    yield f"| places that can refuse | {sites} |"
    yield f"| test cases of `attest` and of accept entries; of these expect a refusal | {cases}; {negative} |"
    yield f"| refusing places per refusing test | {sites / max(negative, 1):.2f} |"
    yield f"| cases in `vectors/` | {vectors} |"


def replaced(text: str, parts: Mapping[str, str]) -> str:
    """The page with what stands between marks replaced."""
    for name, part in parts.items():
        before, start, rest = text.partition(f"<!-- {name} -->")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        if not start or not end:
            raise ValueError(f"no marks for {name} in {PAGE}")
        text = f"{before}{start}\n{part}\n{end}{after}"
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; see the module docstring."""
    parser = argparse.ArgumentParser(description="Write docs/explanation/verification.md.")
    parser.add_argument("--check", action="store_true", help="compare the counts of recorded cases, write nothing")
    options = parser.parse_args(arguments)
    folder = recorded_vectors()
    if folder is None:
        parser.error("no recorded vendor evidence: set CONFIDE_VECTORS to a folder with a MANIFEST.json")
    table, skipped = counts(folder)
    text = PAGE.read_text("utf-8")
    if options.check:
        if replaced(text, {"counts": table}) == text:
            return 0
        name = PAGE.relative_to(ROOT)
        print(f"error: the counts in {name} are others\nhint: python scripts/verification_page.py", file=sys.stderr)
        return 1
    parts = {
        "counts": [table],
        "not-checked": not_checked(skipped),
        "oracles": oracles(ORACLES),
        "times": times(TIMES),
        "code": code(),
        "fuzzed": fuzzed(FUZZED),
    }
    PAGE.write_text(replaced(text, {name: "\n".join(lines) for name, lines in parts.items()}), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
