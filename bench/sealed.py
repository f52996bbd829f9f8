"""Sealed and receipted against raw, as interleaved pairs: CPU of node and workers over CPU of tokenizer and session alone.

One round is a block of sealed requests on one connection and a block of the same text through the raw process, in an order that
alternates. The client's CPU is left out: it is another machine in real life. The first round warms up and is dropped.
"""

from dataclasses import dataclass
from pathlib import Path

from bench import primitives
from bench.cpu import Figure
from bench.processes import NodeProcess, RawProcess, connect, node
from confide.client.node import Node

MINILM_TEXT = "The patient reports a mild headache since yesterday evening and asks whether the new tablets could be the cause."
BERT_TEXT = " ".join(["time"] * 126)  # 128 tokens with the two special ones


@dataclass(frozen=True)
class Round:
    """CPU milliseconds per request of one round."""

    front: float
    workers: float
    raw: float

    @property
    def ratio(self) -> float:
        """Sealed over raw."""
        return (self.front + self.workers) / self.raw


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
        raw.run(text, block)
        measured["raw"] = (raw.cpu() - before, 0.0)

    for side in (plain, sealed) if flip else (sealed, plain):
        side()
    per_request = 1e3 / block
    return Round(measured["sealed"][0] * per_request, measured["sealed"][1] * per_request, measured["raw"][0] * per_request)


def figures(name: str, measured: list[Round]) -> dict[str, Figure]:
    """The published figures of one model."""
    return {
        f"sealed_over_raw_cpu_{name}": Figure.of([r.ratio for r in measured], "ratio"),
        f"raw_cpu_ms_{name}": Figure.of([r.raw for r in measured], "ms"),
        f"front_cpu_us_{name}": Figure.of([r.front * 1e3 for r in measured], "us"),
        f"worker_over_raw_us_{name}": Figure.of([(r.workers - r.raw) * 1e3 for r in measured], "us"),
    }


def server_tax(measured: list[Round], *, request: int = 1024, response: int = 5120) -> dict[str, Figure]:
    """The front process's CPU less the medians of open, seal and sign alone."""
    alone = primitives.per_request_us(request=request, response=response)
    paid = sum(figure.value for figure in alone.values())
    tax = Figure.of([r.front * 1e3 - paid for r in measured], "us")
    return {"server_tax_us": tax, **{f"primitive_{name}_us": figure for name, figure in alone.items()}}
