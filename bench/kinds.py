"""CPU of authenticating evidence, kind by kind, on recorded evidence at its own clock: `python -m bench.kinds`.

Every recorded case that is genuine is verified with everything forgotten, then again with what the first time left:
certificates and collateral that were read and found good. Interleaved, so that a slow moment of the machine hits both. The evidence
lies where `CONFIDE_VECTORS` says.
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
from conformance.kinds import ADAPTERS
from conformance.kinds.case import Case
from tests.support import recorded_vectors

from bench.verification import _forget
from confide.attest import verifiers
from confide.attest.checks import Checks
from confide.attest.roots import VENDOR_ROOTS
from conformance import recorded

mpl.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).resolve().parent
TARGETS_COLD = {"snp": 2.0, "sgx": 2.0, "tdx": 2.0, "nitro": 6.0}  # ms
TARGET_CACHED = 150.0  # us


@dataclass(frozen=True)
class Timed:
    """One case: medians of `samples`, CPU."""

    case: str
    kind: str
    cold_ms: float
    cached_us: float
    samples: int


def cases(folder: Path) -> list[Case]:
    """Those that are genuine; references by themselves are no evidence and left out."""
    manifest = json.loads((folder / "MANIFEST.json").read_text("utf-8"))
    found: list[Case] = []
    for entry in manifest["vectors"]:
        for judge in entry.get("judge", ()):
            if judge.get("genuine") is not False:
                case = recorded.read_case(folder, entry, judge)
                alone = ADAPTERS[case.kind].alone
                evidence = recorded.judge_case(case).genuine and (alone is None or alone(case, Checks()) is None)
                found += [case] if evidence else []
    return found


def verify(case: Case) -> None:
    """Is it genuine: the part that costs. Whether it is acceptable compares a few values more."""
    checks = Checks()
    roots = (*VENDOR_ROOTS, *ADAPTERS[case.kind].roots(case))
    revocation = verifiers.Revocation(required=False)
    verifiers.authenticate(case.evidence, case.endorsements, roots=roots, now=case.as_of, revocation=revocation, checks=checks)


def measure(case: Case, *, samples: int) -> Timed:
    """Interleaved."""
    cold: list[float] = []
    cached: list[float] = []
    for _ in range(samples):
        _forget()
        for times in (cold, cached):
            start = time.process_time_ns()
            verify(case)
            times.append((time.process_time_ns() - start) / 1e3)
    return Timed(case.name, case.kind, round(median(cold) / 1e3, 4), round(median(cached), 1), samples)


def by_kind(timed: Sequence[Timed]) -> Mapping[str, Mapping[str, float]]:
    """Medians over the cases of a kind, and the slowest case."""
    table: dict[str, dict[str, float]] = {}
    for kind in dict.fromkeys(item.kind for item in timed):
        own = [item for item in timed if item.kind == kind]
        table[kind] = {
            "cases": len(own),
            "cold_ms": round(median(item.cold_ms for item in own), 3),
            "slowest_ms": round(max(item.cold_ms for item in own), 3),
            "cached_us": round(median(item.cached_us for item in own), 1),
        }
    return table


def plot(timed: Sequence[Timed], path: Path) -> None:
    """One dot a case; a dash for each target."""
    kinds = list(dict.fromkeys(item.kind for item in timed))
    figure, axes = plt.subplots(1, 2, figsize=(11, 3.8), constrained_layout=True)
    for axis, name, unit in (
        (axes[0], "cold_ms", "CPU ms, nothing remembered"),
        (axes[1], "cached_us", "CPU us, vendor's part remembered"),
    ):
        for at, kind in enumerate(kinds):
            values: list[float] = [getattr(item, name) for item in timed if item.kind == kind]
            axis.plot([at + (index % 9 - 4) * 0.05 for index in range(len(values))], values, "o", alpha=0.5, color=f"C{at}")
            target = TARGETS_COLD.get(kind) if name == "cold_ms" else TARGET_CACHED
            if target is not None:
                axis.hlines(target, at - 0.35, at + 0.35, colors="black", linestyles="dashed")
        axis.set(xticks=range(len(kinds)), yscale="log", ylabel=unit)
        axis.set_xticklabels(kinds, rotation=35, ha="right")
    axes[0].set(title="recorded evidence, one dot a case (dashed: target)")
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def as_text(table: Mapping[str, Mapping[str, float]]) -> str:
    """For the terminal."""
    lines = [f"{'kind':<14}{'cases':>6}{'cold ms':>10}{'slowest ms':>12}{'cached us':>11}"]
    for kind, row in table.items():
        cold = TARGETS_COLD.get(kind)
        missed = [
            name
            for name, bad in (("cold", cold is not None and row["cold_ms"] > cold), ("cached", row["cached_us"] > TARGET_CACHED))
            if bad
        ]
        note = f"  MISSED {', '.join(missed)}" if missed else ""
        lines.append(f"{kind:<14}{row['cases']:>6}{row['cold_ms']:>10}{row['slowest_ms']:>12}{row['cached_us']:>11}{note}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; see the module docstring."""
    parser = argparse.ArgumentParser(prog="python -m bench.kinds", description="Time verification, kind by kind.")
    parser.add_argument("--quick", action="store_true", help="five samples a case; nothing is published")
    options = parser.parse_args(arguments)
    folder = recorded_vectors()
    if folder is None:
        parser.error("no recorded vendor evidence: set CONFIDE_VECTORS to a folder with a MANIFEST.json")
    timed = [measure(case, samples=5 if options.quick else 40) for case in cases(folder)]
    table = by_kind(timed)
    print(as_text(table))
    if not options.quick:
        from bench.report import machine  # noqa: PLC0415 - it draws in other benches' colours

        written: dict[str, Any] = {"machine": machine(), "kinds": table, "cases": [asdict(item) for item in timed]}
        (HERE / "results" / "kinds.json").write_text(json.dumps(written, indent=1) + "\n")
        plot(timed, HERE / "plots" / "kinds.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
