"""Sealed, plain and a peer under the same load: 1, 16 and 64 connections, interleaved blocks.

Server processes share the machine's cores with the load generator, whose own work is the same for every server (`bench.load`), so
the honest figure is CPU per request; requests a second are published beside it. `throughput_over_best_peer` is the peer's CPU per
request over the sealed node's: how many more requests the same cores would answer. Texts are of mixed lengths, each another one.
"""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench import load, processes
from bench.cpu import Figure, descendants, process_cpu
from confide.seal import bhttp, ohttp
from confide.seal.keyconfig import KeyConfig
from confide.seal.padding import bucket

CONNECTIONS = (1, 16, 64)
WORDS = (6, 60)  # of a text: 8 to about 80 tokens
_TEXT = """patient reports mild headache since yesterday evening tablets cause doctor fever night again left arm pain after walking
stairs breath short blood pressure high low sugar test result normal family history none known allergy penicillin"""


@dataclass(frozen=True)
class Side:
    """One server under load."""

    name: str
    url: str
    pids: tuple[int, ...]

    def cpu(self) -> float:
        """CPU seconds of all its processes so far."""
        return sum(process_cpu(pid) for pid in self.pids)


@dataclass(frozen=True)
class Block:
    """One block of requests to one server."""

    side: str
    connections: int
    cpu_ms: float
    per_second: float
    p50_ms: float
    p95_ms: float


def texts(count: int, *, seed: int) -> list[str]:
    """So many texts of mixed lengths."""
    rng, vocabulary = random.Random(seed), _TEXT.split()
    return [" ".join(rng.choices(vocabulary, k=rng.randint(*WORDS))) for _ in range(count)]


def measure(package: Path, *, rounds: int, block: int) -> list[Block]:
    """Interleaved blocks of every side at every number of connections. The first round warms up and is dropped."""
    done: list[Block] = []
    with ExitStack() as stack:
        node = stack.enter_context(processes.node(package, workers=2))
        key = stack.enter_context(processes.connect(node)).attested().key
        sides = [Side("sealed", node.url, (node.front, *node.workers))]
        sides += [stack.enter_context(started(name, command)) for name, command in _commands(package).items()]
        for turn in range(rounds + 1):
            for connections in CONNECTIONS:
                asked = texts(max(block, connections * 2), seed=turn * 100 + connections)
                for side in sides if turn % 2 else sides[::-1]:
                    result = _block(side, asked, connections, key if side.name == "sealed" else None, package.stem)
                    done += [result] if turn else []
    return done


def _block(side: Side, asked: Sequence[str], connections: int, key: KeyConfig | None, model: str) -> Block:
    requests = [sealed_request(side, text, key, model) if key else _plain(side, text, model) for text in asked]
    before = side.cpu()
    loaded = load.run(side.url, requests, connections=connections)
    cpu = (side.cpu() - before) * 1e3 / len(requests)
    ordered = sorted(loaded.latencies)
    p50, p95 = (ordered[int(len(ordered) * share)] * 1e3 for share in (0.5, 0.95))
    return Block(side.name, connections, cpu, loaded.per_second, p50, p95)


def _plain(side: Side, text: str, model: str) -> bytes:
    ours = {"inputs": [text], "encoding_format": "base64"}
    path, body = (f"/v1/pipelines/{model}", ours) if side.name == "plain" else ("/embed", {"inputs": [text]})
    return load.request_bytes(side.url, path, msgspec.json.encode(body), content_type="application/json")


def sealed_request(side: Side, text: str, key: KeyConfig, model: str) -> bytes:
    """A whole HTTP request with one sealed text."""
    content = msgspec.json.encode({"inputs": [text], "encoding_format": "base64"})
    headers = ((b"content-type", b"application/json"),)
    request = bhttp.Request(b"POST", b"https", ohttp.INNER_AUTHORITY, b"/v1/pipelines/" + model.encode(), headers, content)
    body = ohttp.seal_request(key, bhttp.encode_request(request, pad_to=bucket)).body
    return load.request_bytes(side.url, "/ohttp", body, content_type=ohttp.OHTTP_REQUEST)


def _commands(package: Path) -> Mapping[str, list[str]]:
    peer = ["bench.peer_fastapi", str(package)]
    return {
        "plain": ["bench.plain", str(package), "--workers", "2"],
        "fastapi 1 process, 2 threads": [*peer, "--processes", "1", "--threads", "2"],
        "fastapi 2 processes, 1 thread": [*peer, "--processes", "2", "--threads", "1"],
    }


@contextmanager
def started(name: str, command: Sequence[str]) -> Iterator[Side]:
    """A server of its own process group, ended with all its processes."""
    with subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline().strip() if process.stdout else ""
            if not line.startswith("http://"):
                raise load.BenchError(f"{name} did not start")
            yield Side(name, line, (process.pid, *descendants(process.pid)))
        finally:
            for pid in (*descendants(process.pid), process.pid):
                _end(pid)
            process.wait(processes.STOP_SECONDS)


def _end(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def figures(blocks: Sequence[Block]) -> dict[str, Figure]:
    """CPU per request of every side, requests a second, and the sealed node against the best peer."""
    found: dict[str, Figure] = {}
    for connections in CONNECTIONS:
        by_side: dict[str, list[Block]] = {}
        for item in blocks:
            if item.connections == connections:
                by_side.setdefault(item.side, []).append(item)
        for side, items in by_side.items():
            name = side.replace(",", "").replace(" ", "_")
            found[f"load_cpu_ms_{name}_c{connections}"] = Figure.of([item.cpu_ms for item in items], "ms")
            found[f"load_per_second_{name}_c{connections}"] = Figure.of([item.per_second for item in items], "1/s")
        peers = {side: items for side, items in by_side.items() if side.startswith("fastapi")}
        best = min(peers.values(), key=lambda items: Figure.of([item.cpu_ms for item in items], "ms").value)
        sealed, plain = by_side["sealed"], by_side["plain"]
        found[f"throughput_over_best_peer_c{connections}"] = Figure.of(_ratios(best, sealed), "ratio")
        found[f"sealed_over_plain_cpu_c{connections}"] = Figure.of(_ratios(sealed, plain), "ratio")
    return found


def _ratios(over: Sequence[Block], under: Sequence[Block]) -> list[float]:
    """Pair by pair, in the order in which they ran."""
    return [a.cpu_ms / b.cpu_ms for a, b in zip(over, under, strict=True)]
