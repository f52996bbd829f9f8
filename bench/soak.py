"""Memory over a long stream and large uploads: `python -m bench.soak [--minutes 10]`.

One answer is streamed for the whole time, 3 MB a second; beside it lines of a real model are streamed and read slowly, and a BERT
package of 440 MB is uploaded, loaded and deleted over and over. The front process's resident memory is sampled;
`results/soak.json` and `plots/soak.png` show it. What counts is that it does not grow: last third against middle third.
"""

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from matplotlib import pyplot as plt

import confide
from bench import echo, models
from bench.processes import policy_for
from bench.throughput import started, texts
from confide.client.tokens import Token
from confide.policy.model import Policy

HERE = Path(__file__).resolve().parent
STREAMING = {"accept": "application/x-ndjson"}  # what asks the transport for an answer as it is made
PAUSE = 0.02  # seconds that a slow reader of lines takes for each


@dataclass
class Soak:
    """What runs, and what was seen."""

    url: str
    pid: int
    policy: Policy
    seconds: float
    samples: list[tuple[float, float]] = field(default_factory=list)  # seconds, MB of resident memory
    counts: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    ends: float = 0.0

    def count(self, what: str, by: int = 1) -> None:
        """One more, or so many."""
        self.counts[what] = self.counts.get(what, 0) + by

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self.ends


def resident(pid: int) -> float:
    """MB of resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def long_stream(soak: Soak) -> None:
    """One exchange from the beginning to the end of the soak."""
    longest = soak.seconds + 120
    transport = confide.transport(soak.url, soak.policy, state=None, timeout=confide.Timeouts(stream=longest))
    with (
        httpx.Client(transport=transport, timeout=longest) as client,
        client.stream("POST", soak.url + echo.STREAMED, content=str(soak.seconds).encode(), headers=STREAMING) as answer,
    ):
        if answer.status_code != 200:
            raise RuntimeError(answer.read().decode())
        for piece in answer.iter_raw():
            soak.count("stream_bytes", len(piece))
    soak.count("long_streams_whole")


def lines(soak: Soak) -> None:
    """Lines of a real model, one stream after the other."""
    with confide.connect(soak.url, policy=soak.policy, state=None) as node:
        while not soak.over:
            for _ in node.stream("minilm", texts(64, seed=1)):
                soak.count("lines")
                time.sleep(PAUSE)


def uploads(soak: Soak, package: Path, token: Token) -> None:
    """A large package there, loaded, and gone again."""
    with confide.connect(soak.url, policy=soak.policy, state=None) as node:
        while not soak.over:
            done = node.upload(package, alias="soak", token=token)
            node.delete_package(done.digest, token=token)
            soak.count("uploads")


def run(minutes: float) -> Soak:
    """The whole soak."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        package, token = models.bert_base(), Token.new()
        settings = [f"CONFIDE_MODELS=minilm={models.minilm()}", f"CONFIDE_UPLOAD_DIR={folder}", f"CONFIDE_LOG_DIR={folder / 'log'}"]
        side = stack.enter_context(started("soak", ["bench.echo", *settings, f"OWNER={token.sha256}"]))
        soak = Soak(side.url, side.pids[0], policy_for(side.url), minutes * 60)
        soak.ends = time.monotonic() + soak.seconds
        work: dict[str, Callable[[], None]] = {
            "stream": lambda: long_stream(soak),
            "lines": lambda: lines(soak),
            "uploads": lambda: uploads(soak, package, token),
        }
        threads = [threading.Thread(target=_kept, args=(soak, name, act)) for name, act in work.items()]
        for thread in threads:
            thread.start()
        begun = time.monotonic()
        while any(thread.is_alive() for thread in threads):
            soak.samples.append((round(time.monotonic() - begun, 1), round(resident(soak.pid), 1)))
            time.sleep(1)
        return soak


def _kept(soak: Soak, name: str, act: Callable[[], None]) -> None:
    try:
        act()
    except Exception as error:  # noqa: BLE001 - told with the figures
        soak.errors.append(f"{name}: {type(error).__name__}: {error}")


def report(soak: Soak) -> dict[str, object]:
    """Figures, data and plot."""
    third = len(soak.samples) // 3
    parts = soak.samples[third : 2 * third], soak.samples[2 * third :]
    middle, last = (statistics.median(mb for _, mb in part) for part in parts)
    found: dict[str, object] = {"seconds": soak.seconds, "middle_mb": middle, "last_mb": last}
    found |= {"peak_mb": max(mb for _, mb in soak.samples), **soak.counts, "errors": soak.errors}
    (HERE / "results" / "soak.json").write_text(json.dumps({**found, "samples": soak.samples}) + "\n")
    figure, axis = plt.subplots(figsize=(8, 3), constrained_layout=True)
    axis.plot(*zip(*soak.samples, strict=True))
    axis.set(title="front process: one long stream, lines, 440 MB uploads", xlabel="seconds", ylabel="resident MB", ylim=(0, None))
    figure.savefig(HERE / "plots" / "soak.png", dpi=130)
    plt.close(figure)
    return found


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    print(json.dumps(report(run(parser.parse_args().minutes)), indent=1))


if __name__ == "__main__":
    main()
