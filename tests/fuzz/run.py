"""Fuzzes one target or all of them for a time: `python -m tests.fuzz.run [TARGET]... [--minutes 10] [--seed 0] [--into FOLDER]`.

With `--results FILE` the counts of each target take the place of its last ones there (`docs/explanation/verification.md` shows
them). Prints a line for each: runs, how many were believed and refused, inputs kept, lines of ours reached, the slowest run. What
fails is told with its place, and the input is written to `--into`. Exit status 1 if anything failed.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.fuzzing import Outcome, fuzz
from tests.fuzz.targets import TARGETS


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; see the module docstring."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description="Fuzz parsers and verifiers of evidence.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all by default")
    parser.add_argument("--minutes", type=float, default=10.0, help="for each target (default 10)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed changes the same (default 0)")
    parser.add_argument("--into", type=Path, default=Path("fuzz-failures"), help="where inputs that fail are written")
    parser.add_argument("--results", type=Path, help="a JSON file of counts by target, such as bench/results/fuzz.json")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.targets if name not in TARGETS]
    if unknown:
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    failed = False
    for name in options.targets or TARGETS:
        outcome = _session(name, options.minutes * 60, options.seed)
        print(as_text(name, outcome), flush=True)
        failed |= bool(outcome.failures)
        if options.results:
            record(options.results, name, outcome, minutes=options.minutes)
        for place, (what, data) in outcome.failures.items():
            path = options.into / f"{name}-{hashlib.sha256(data).hexdigest()[:16]}"
            options.into.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            print(f"  FAILED {place}: {what}; input {path}", flush=True)
    return int(failed)


def _session(name: str, seconds: float, seed: int) -> Outcome:
    """One session, so that what was kept is changed on to its end; at a terminal a long one shows that it lives."""

    def watch(outcome: Outcome) -> None:
        print(f"\r{name}: {outcome.runs:,} runs, {len(outcome.failures)} failures", end="", file=sys.stderr, flush=True)

    if not sys.stderr.isatty():
        return fuzz(TARGETS[name](), seed=seed, seconds=seconds)
    outcome = fuzz(TARGETS[name](), seed=seed, seconds=seconds, watch=watch)
    print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    return outcome


def record(path: Path, name: str, outcome: Outcome, *, minutes: float) -> None:
    """What one target's last session saw, among those of the others."""
    known = json.loads(path.read_text("utf-8")) if path.exists() else {}
    known[name] = {
        "minutes": minutes,
        "runs": outcome.runs,
        "believed": outcome.believed,
        "lines": outcome.lines,
        "failures": len(outcome.failures),
    }
    path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def as_text(name: str, outcome: Outcome) -> str:
    """One line for people."""
    counts = f"{outcome.runs:>10,} runs  {outcome.believed:>9,} believed  {outcome.refused:>10,} refused  {outcome.kept:>6,} kept"
    rest = f"{outcome.lines:>5} lines  slowest {outcome.slowest * 1e3:.0f} ms  {len(outcome.failures)} failures"
    return f"{name:<20}{counts}  {rest}"


if __name__ == "__main__":
    sys.exit(main())
