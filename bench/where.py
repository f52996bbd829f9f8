"""Where the front process spends its time under load: samples of its stacks, counted by the part of the house they are in.

Taken by py-spy (a sampling profiler), without idle samples. The whole stack decides: a frame of `seal` above one of `server`
counts as seal. `results/where.json` holds the shares, `plots/where.png` shows them.
"""

import json
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from matplotlib import pyplot as plt

from bench import load, processes
from bench.throughput import Side, sealed_request, texts

HERE = Path(__file__).resolve().parent
SECONDS, RATE, CONNECTIONS = 15, 500, 16
# From the innermost frame outwards, the first part that owns a frame takes the sample.
PARTS = {
    "open and seal (HPKE, binary HTTP)": ("confide/seal/",),
    "receipt and its log": ("confide/receipt/", "confide/server/proof", "confide/formats/"),
    "engine queue and workers' messages": ("confide/engine/",),
    "routes, JSON, models": ("confide/server/routes", "confide/server/inner", "confide/server/routing", "confide/server/models"),
    "joining them (sealed requests)": (
        "confide/server/sealed",
        "confide/server/streaming",
        "confide/server/outer",
        "confide/guest/",
    ),
    "HTTP": ("confide/server/protocol", "confide/server/exchange", "confide/server/asgi", "uvicorn/", "httptools"),
}
OTHER = "event loop and interpreter"


def sample(package: Path) -> Mapping[str, float]:
    """Shares of the front process's busy samples, largest first; they add up to one."""
    with processes.node(package, workers=2) as node, processes.connect(node) as client, tempfile.TemporaryDirectory() as folder:
        side = Side("sealed", node.url, (node.front,))
        key = client.attested().key
        stop = threading.Event()

        def keep_asking() -> None:
            while not stop.is_set():
                requests = [sealed_request(side, text, key, package.stem) for text in texts(320, seed=1)]
                load.run(side.url, requests, connections=CONNECTIONS)

        asking = threading.Thread(target=keep_asking)
        asking.start()
        try:
            out = Path(folder) / "stacks"
            command = [str(Path(sys.executable).with_name("py-spy")), "record", "--format", "raw", "--output", str(out)]
            command += ["--rate", str(RATE), "--duration", str(SECONDS), "--pid", str(node.front)]
            subprocess.run(command, check=True, capture_output=True)
        finally:
            stop.set()
            asking.join()
        return _shares(out.read_text().splitlines())


def _shares(lines: Iterable[str]) -> Mapping[str, float]:
    counts: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        counts[_part(stack.split(";"))] += int(count)
    total = sum(counts.values())
    return {part: round(count / total, 4) for part, count in counts.most_common()}


def _part(frames: list[str]) -> str:
    for frame in reversed(frames):
        for part, places in PARTS.items():
            if any(place in frame for place in places):
                return part
    return OTHER


def publish(shares: Mapping[str, float]) -> None:
    """Data and plot."""
    (HERE / "results" / "where.json").write_text(json.dumps(shares, indent=1) + "\n")
    figure, axis = plt.subplots(figsize=(8, 2.6), constrained_layout=True)
    names = list(shares)[::-1]
    bars = axis.barh(names, [shares[name] * 100 for name in names])
    axis.bar_label(bars, fmt="%.0f %%", padding=3)
    axis.set(
        title=f"front process at {CONNECTIONS} connections: busy samples", xlabel="%", xlim=(0, 1.15 * max(shares.values()) * 100)
    )
    figure.savefig(HERE / "plots" / "where.png", dpi=130)
    plt.close(figure)
