"""Where the figures go: `summary.json` (the last full bench), `results/` (every round), `plots/` and the page in docs."""

import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl

from bench.cpu import Figure
from bench.sealed import Round
from bench.throughput import CONNECTIONS, Block

mpl.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).resolve().parent
TARGETS = {
    "sealed_over_raw_cpu_minilm": 1.05,
    "sealed_over_raw_cpu_bert128": 1.02,
    "server_tax_us": 150.0,
    "throughput_over_best_peer_c16": 1.3,
    "throughput_over_best_peer_c64": 1.3,
    "tensor_1mib_cpu_ms": 2.5,
    "verify_cold_ms_snp": 2.0,
    "verify_cached_us_snp": 150.0,
    "tokenizer_differences": 0.0,
}


AT_LEAST = {"throughput_over_best_peer_c16", "throughput_over_best_peer_c64"}  # of the others, less is better


def machine() -> dict[str, Any]:
    """What it ran on."""
    info = Path("/proc/cpuinfo").read_text()
    model = next((line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")), "unknown")
    return {"cpu": model, "cores": info.count("processor\t"), "python": platform.python_version(), "system": platform.system()}


def write_summary(figures: Mapping[str, Figure]) -> Path:
    """Merge the figures into `summary.json`; figures of benches that were not run stay."""
    path = HERE / "summary.json"
    summary = json.loads(path.read_text()) if path.is_file() else {}
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True, check=True).stdout.strip()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    summary |= {"date": now, "commit": commit, "machine": machine()}
    for name, figure in figures.items():
        summary[name] = {**asdict(figure), **({"target": TARGETS[name]} if name in TARGETS else {})}
    path.write_text(json.dumps(summary, indent=1) + "\n")
    return path


def write_rounds(name: str, rounds: Sequence[Round]) -> None:
    """Every round of a pair, as data."""
    (HERE / "results").mkdir(exist_ok=True)
    rows = [{**asdict(item), "ratio": item.ratio, "loop_ratio": item.loop_ratio} for item in rounds]
    (HERE / "results" / f"sealed_{name}.json").write_text(json.dumps(rows, indent=1) + "\n")


def write_results(name: str, blocks: Sequence[Block]) -> None:
    """Every block under load, as data."""
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / f"{name}.json").write_text(json.dumps([asdict(item) for item in blocks], indent=1) + "\n")


def plot_throughput(blocks: Sequence[Block]) -> None:
    """CPU per request of every server at every number of connections: one dot a block, a bar for the median."""
    (HERE / "plots").mkdir(exist_ok=True)
    sides = list(dict.fromkeys(item.side for item in blocks))
    figure, axis = plt.subplots(figsize=(9, 3.6), constrained_layout=True)
    width = 0.8 / len(sides)
    for at, side in enumerate(sides):
        for group, connections in enumerate(CONNECTIONS):
            values = [item.cpu_ms for item in blocks if item.side == side and item.connections == connections]
            place = group + (at - (len(sides) - 1) / 2) * width
            axis.bar(
                place, Figure.of(values, "ms").value, width * 0.9, color=f"C{at}", alpha=0.6, label=side if not group else None
            )
            axis.plot([place] * len(values), values, ".", color="black", markersize=3)
    axis.set(xticks=range(len(CONNECTIONS)), xticklabels=[f"{count} connections" for count in CONNECTIONS])
    axis.set(ylabel="CPU ms per request, whole server", title="MiniLM, one text a request, mixed lengths, two cores")
    axis.legend(frameon=False, fontsize=8, ncols=2)
    axis.set_ylim(0, 1.3 * max(item.cpu_ms for item in blocks))
    figure.savefig(HERE / "plots" / "throughput.png", dpi=130)
    plt.close(figure)


def plot_pairs(measured: Mapping[str, Sequence[Round]]) -> None:
    """One dot a round: the ratio, and where the node's own CPU goes."""
    (HERE / "plots").mkdir(exist_ok=True)
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), constrained_layout=True)
    labels = list(measured)
    for at, name in enumerate(labels):
        ratios = [item.ratio for item in measured[name]]
        axes[0].plot([at + (i % 9 - 4) * 0.02 for i in range(len(ratios))], ratios, "o", alpha=0.5)
        axes[0].hlines(TARGETS[f"sealed_over_raw_cpu_{name}"], at - 0.3, at + 0.3, colors="black", linestyles="dashed")
    axes[0].axhline(1.0, color="grey", linewidth=0.8)
    axes[0].set(
        xticks=range(len(labels)), xticklabels=labels, title="sealed + receipted over raw", ylabel="CPU ratio (dashed: target)"
    )
    front = [Figure.of([item.front for item in measured[name]], "ms").value for name in labels]
    extra = [max(0.0, Figure.of([item.workers - item.raw for item in measured[name]], "ms").value) for name in labels]
    axes[1].bar(labels, front, label="front process: HTTP, HPKE, receipt")
    axes[1].bar(labels, extra, bottom=front, label="worker beyond tokenizer and session")
    top = 1.35 * max(map(sum, zip(front, extra, strict=True)))
    axes[1].set(title="what the node adds", ylabel="CPU ms per request", ylim=(0, top))
    axes[1].legend(frameon=False, fontsize=8)
    figure.savefig(HERE / "plots" / "sealed_over_raw.png", dpi=130)
    plt.close(figure)


def table(figures: Mapping[str, Figure]) -> str:
    """For the terminal."""
    lines = [f"{'figure':<52} {'median':>10} {'spread':>9} {'n':>5}  target"]
    for name, figure in figures.items():
        target = TARGETS.get(name)
        met = target is None or (figure.value >= target if name in AT_LEAST else figure.value <= target)
        mark = "" if target is None else f"{target:g}  {'met' if met else 'MISSED'}"
        lines.append(f"{name:<52} {figure.value:>10.4g} {figure.spread:>9.3g} {figure.n:>5}  {figure.unit}  {mark}")
    return "\n".join(lines)
