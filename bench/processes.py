"""The two sides of a pair as processes that this program starts and ends: a node with one worker, and the raw pipeline."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import confide
from bench.cpu import descendants, process_cpu
from confide.client import judge
from confide.policy.load import load_policy
from confide.policy.model import Policy

STOP_SECONDS = 30


@dataclass(frozen=True)
class NodeProcess:
    """A running `confide serve` with a simulated TEE and one worker."""

    url: str
    front: int
    workers: tuple[int, ...]

    def cpu(self) -> tuple[float, float]:
        """CPU seconds so far: front process, workers."""
        return process_cpu(self.front), sum(process_cpu(pid) for pid in self.workers)


@contextmanager
def node(package: Path, *, workers: int = 1) -> Iterator[NodeProcess]:
    """Start a node, wait until it serves, end it afterwards."""
    command = [sys.executable, "-m", "confide", "serve", str(package), "--tee", "simulated", "--port", "0"]
    command += ["--workers", str(workers)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            url = _wait_for_url(process)
            yield NodeProcess(url, process.pid, tuple(descendants(process.pid)))
        finally:
            process.terminate()
            process.communicate(timeout=STOP_SECONDS)


def _wait_for_url(process: "subprocess.Popen[str]") -> str:
    stream = process.stderr
    if stream is None:
        raise RuntimeError("no pipe")
    url = ""
    for line in stream:
        found = re.search(r"serving (http://\S+)", line)
        url = found.group(1) if found else url
        if "confide trust" in line:
            return url
    raise SystemExit(f"the node ended with {process.wait()} before it served")


def policy_for(url: str) -> Policy:
    """What `confide trust --unsafe-accept-simulated` would write for the node."""
    obtained = judge.get(url, offline=False, at=None, timeout=10)
    proposal = judge.propose(obtained, name="bench", now=datetime.now(UTC), unsafe_accept_simulated=True)
    return load_policy(proposal.policy)


def connect(running: NodeProcess) -> confide.Node:
    """A verified client without a state file."""
    return confide.connect(running.url, policy=policy_for(running.url), state=None)


class RawProcess:
    """The raw pipeline in its own process."""

    def __init__(self, package: Path) -> None:
        command = [sys.executable, "-m", "bench.raw", str(package)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self._process.pid

    def run(self, text: str, count: int) -> None:
        """Run a text so many times and wait."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("no pipe")
        stdin.write(f"{count} {text}\n")
        stdin.flush()
        if stdout.readline().strip() != "done":
            raise RuntimeError("the raw process ended")

    def cpu(self) -> float:
        """CPU seconds so far."""
        return process_cpu(self.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=STOP_SECONDS)
