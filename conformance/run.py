"""Drives every SDK's conformance program over `vectors/*.json` and prints the matrix: what passes, what fails, what is a gap.

    python conformance/run.py [--json] [--sdk NAME]... [--vectors DIR]

A program is a row of `SDKS`: a name and the command that starts it. It reads one `{"op", "input"}` per line and answers one line
each (conformance/sdk_python.py). Exit status 0 only if no case fails; a gap (`unsupported`) is shown and does not fail. Left to
others: what the operations do (`conformance/ops`, `sdk/*`).
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT = 600  # seconds for one vector file; the largest takes a few

SDKS: Mapping[str, Sequence[str]] = {
    "python": (sys.executable, str(ROOT / "conformance" / "sdk_python.py")),
}


@dataclass
class Tally:
    """One cell of the matrix."""

    passed: int = 0
    failed: int = 0
    unsupported: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)

    def add(self, case: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """Count one answer. Equality is exact: the same `ok` object, or the same code."""
        if answer == case["expected"]:
            self.passed += 1
        elif "unsupported" in answer:
            self.unsupported += 1
        else:
            self.failed += 1
            self.failures.append({"id": case["id"], "expected": case["expected"], "found": answer})


def load(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Every vector file of the folder: stem to its cases."""
    return {path.stem: json.loads(path.read_text("utf-8"))["cases"] for path in sorted(folder.glob("*.json"))}


def ask(command: Sequence[str], cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The program's answers, one per case; a program that does not start, stops early or prints something else has crashed."""
    lines = "".join(json.dumps({"op": case["op"], "input": case["input"]}) + "\n" for case in cases)
    try:
        answers = [json.loads(line) for line in ask_text(command, lines).splitlines() if line.strip()]
    except subprocess.CalledProcessError as error:
        return [{"crash": f"exit status {error.returncode}"}] * len(cases)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [{"crash": type(error).__name__}] * len(cases)
    except ValueError:
        return [{"crash": "not a JSON object"}] * len(cases)
    if len(answers) != len(cases):
        return [{"crash": f"{len(answers)} answers to {len(cases)} cases"}] * len(cases)
    return [answer if isinstance(answer, dict) else {"crash": "not a JSON object"} for answer in answers]


def ask_text(command: Sequence[str], lines: str) -> str:
    """Start the program, give it `lines`, return what it printed."""
    done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=TIMEOUT, check=True, cwd=ROOT)
    return done.stdout


def matrix(sdks: Mapping[str, Sequence[str]], vectors: Mapping[str, list[dict[str, Any]]]) -> dict[str, dict[str, Tally]]:
    """SDK to vector file to tally."""
    table: dict[str, dict[str, Tally]] = {}
    for name, command in sdks.items():
        table[name] = {}
        for stem, cases in vectors.items():
            tally = table[name][stem] = Tally()
            for case, answer in zip(cases, ask(command, cases), strict=True):
                tally.add(case, answer)
    return table


def as_json(table: Mapping[str, Mapping[str, Tally]]) -> dict[str, Any]:
    """The matrix and, beside it, each failure in full."""
    return {
        "matrix": {
            sdk: {stem: {"passed": t.passed, "failed": t.failed, "unsupported": t.unsupported} for stem, t in row.items()}
            for sdk, row in table.items()
        },
        "failures": [{"sdk": sdk, **failure} for sdk, row in table.items() for t in row.values() for failure in t.failures],
    }


def as_text(table: Mapping[str, Mapping[str, Tally]]) -> Iterable[str]:
    """One line per vector file, one column per SDK: `passed/cases`, then what failed or is a gap."""
    stems = next(iter(table.values())) if table else {}
    width = max((len(stem) for stem in stems), default=0) + 2
    yield " " * width + "  ".join(f"{sdk:<24}" for sdk in table)
    for stem in stems:
        yield f"{stem:<{width}}" + "  ".join(f"{_cell(row[stem]):<24}" for row in table.values())
    for sdk, row in table.items():
        for tally in row.values():
            yield from (f"FAILED {sdk} {f['id']}: found {json.dumps(f['found'])[:200]}" for f in tally.failures)


def _cell(tally: Tally) -> str:
    text = f"{tally.passed}/{tally.passed + tally.failed + tally.unsupported}"
    return text + (f" FAILED {tally.failed}" if tally.failed else "") + (f" gap {tally.unsupported}" if tally.unsupported else "")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; see the module docstring."""
    parser = argparse.ArgumentParser(description="Drive every SDK over the vectors and print the matrix.")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--sdk", action="append", choices=sorted(SDKS), help="only these programs")
    parser.add_argument("--vectors", type=Path, default=ROOT / "vectors", help="the folder of vector files")
    options = parser.parse_args(arguments)
    sdks = {name: SDKS[name] for name in options.sdk or SDKS}
    table = matrix(sdks, load(options.vectors))
    print(json.dumps(as_json(table), indent=1) if options.json else "\n".join(as_text(table)))
    return 1 if any(tally.failed for row in table.values() for tally in row.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
