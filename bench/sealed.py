"""Sealed and receipted against raw, as interleaved pairs: CPU of node and workers over CPU of tokenizer and session alone.

One round is a block of sealed requests on one connection, a block of the same text through the raw process one at a time with the
pauses that a client makes, and a block through it in a tight loop; the order alternates. The pair is the first two: a process that
waits for its next request finds cold caches, sealed or not. The loop is published beside them as the engine at its very best. The
client's CPU is left out: it is another machine in real life. The first round warms up and is dropped.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import primitives
from bench.cpu import Figure
from bench.processes import NodeProcess, RawProcess, connect, node
from confide.client.node import Node

MINILM_TEXT = "The patient reports a mild headache since yesterday evening and asks whether the new tablets could be the cause."
MESSAGE, ANSWER = 1024, 5120  # bytes of a padded request and answer of one MiniLM text
CLIENT_PAUSE = 0.0015  # seconds of CPU that our client takes between two requests
PAUSE = 0.005  # seconds that MiniLM works on one text here
BERT_TEXT = " ".join(["time"] * 126)  # 128 tokens with the two special ones


@dataclass(frozen=True)
class Round:
    """CPU milliseconds per request of one round."""

    front: float
    workers: float
    raw: float
    loop: float

    @property
    def ratio(self) -> float:
        """Sealed over raw, both one at a time."""
        return (self.front + self.workers) / self.raw

    @property
    def loop_ratio(self) -> float:
        """Sealed, one at a time, over raw in a tight loop."""
        return (self.front + self.workers) / self.loop


def rounds(package: Path, text: str, *, rounds: int, block: int) -> list[Round]:
    """So many rounds with blocks of so many requests."""
    with node(package) as running, RawProcess(package) as raw, connect(running) as client:
        results = [_round(running, raw, client, package.stem, text, block, flip=bool(i % 2)) for i in range(rounds + 1)]
    return results[1:]


def _round(running: NodeProcess, raw: RawProcess, client: Node, model: str, text: str, block: int, *, flip: bool) -> Round:
    measured: dict[str, tuple[float, float]] = {}

    def sealed() -> None:
        before = running.cpu()
        for _ in range(block):
            client.run(model, text)
        after = running.cpu()
        measured["sealed"] = (after[0] - before[0], after[1] - before[1])

    def plain() -> None:
        before = raw.cpu()
        for _ in range(block):
            raw.run(text, 1)
            time.sleep(CLIENT_PAUSE)
        measured["raw"] = (raw.cpu() - before, 0.0)

    def loop() -> None:
        before = raw.cpu()
        raw.run(text, block)
        measured["loop"] = (raw.cpu() - before, 0.0)

    for side in (plain, loop, sealed) if flip else (sealed, plain, loop):
        side()
    values = (*measured["sealed"], measured["raw"][0], measured["loop"][0])
    return Round(*(seconds * 1e3 / block for seconds in values))


def figures(name: str, measured: list[Round]) -> dict[str, Figure]:
    """The published figures of one model."""
    return {
        f"sealed_over_raw_cpu_{name}": Figure.of([r.ratio for r in measured], "ratio"),
        f"sealed_over_raw_loop_cpu_{name}": Figure.of([r.loop_ratio for r in measured], "ratio"),
        f"raw_cpu_ms_{name}": Figure.of([r.raw for r in measured], "ms"),
        f"front_cpu_us_{name}": Figure.of([r.front * 1e3 for r in measured], "us"),
        f"worker_over_raw_us_{name}": Figure.of([(r.workers - r.raw) * 1e3 for r in measured], "us"),
    }


def server_tax(measured: list[Round], crowd: list[float]) -> dict[str, Figure]:
    """The front process's CPU less the medians of open, seal and sign alone.

    `server_tax_us` is at one connection against primitives in a tight loop; `_paced_us` against primitives that wait as the node
    does, whose caches are as cold; `_c16_us` at 16 connections against the tight loop, where the node hardly waits.
    """
    hot = primitives.per_request_us(request=MESSAGE, response=ANSWER)
    paced = primitives.per_request_us(request=MESSAGE, response=ANSWER, pause=PAUSE)
    paid, paid_paced = (sum(figure.value for figure in alone.values()) for alone in (hot, paced))
    front = [r.front * 1e3 for r in measured]
    return {
        "server_tax_us": Figure.of([us - paid for us in front], "us"),
        "server_tax_paced_us": Figure.of([us - paid_paced for us in front], "us"),
        "server_tax_c16_us": Figure.of([us - paid for us in crowd], "us"),
        **{f"primitive_{name}_us": figure for name, figure in hot.items()},
        **{f"primitive_{name}_paced_us": figure for name, figure in paced.items()},
    }


def crowd(package: Path, text: str, *, rounds: int, block: int, connections: int = 16) -> list[float]:
    """Front process CPU in microseconds per request, so many connections asking at once."""
    with node(package) as running, ExitStack() as stack, ThreadPoolExecutor(connections) as pool:
        clients = [stack.enter_context(connect(running)) for _ in range(connections)]

        def ask(client: Node) -> None:
            for _ in range(block):
                client.run(package.stem, text)

        samples = []
        for _ in range(rounds + 1):
            before = running.cpu()[0]
            list(pool.map(ask, clients))
            samples.append((running.cpu()[0] - before) * 1e6 / (block * connections))
    return samples[1:]
