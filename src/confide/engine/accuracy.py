"""What int8 costs in accuracy and gives in time, measured: `confide pack --quantize` prints it.

Both packages' pipelines run on texts that calibration has not seen. Left to others: making the int8 graph (`quantize`).
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from confide.engine.manifest import Task
from confide.engine.steps import FloatArray, Pipeline

LENGTHS = (8, 32, 128)  # tokens
ROUNDS = 15
ROWS = 64  # ids that any vocabulary has


@dataclass(frozen=True)
class Accuracy:
    """int8 against float32.

    Attributes:
        texts: how many were compared; calibration did not see them.
        cosine: the least and the mean cosine between answers: vectors, or scores.
        agreement: the share of texts with the same first label; None for vectors.
        times: tokens to CPU milliseconds of one text, float32 and int8.
        sizes: bytes of both graphs.
    """

    texts: int
    cosine: tuple[float, float]
    agreement: float | None
    times: Mapping[int, tuple[float, float]]
    sizes: tuple[int, int]

    def lines(self) -> list[str]:
        """For people."""
        least, mean = self.cosine
        labels = "" if self.agreement is None else f", the same first label for {self.agreement:.1%}"
        shown = [f"  int8 against float32 on {self.texts} texts: cosine {mean:.4f} on average, {least:.4f} at least{labels}"]
        speed = ", ".join(
            f"{tokens} tokens {whole:.1f} to {small:.1f} ms ({whole / small:.2f}x)" for tokens, (whole, small) in self.times.items()
        )
        whole, small = self.sizes
        return [*shown, f"  {speed}; graph {whole / 1e6:.0f} to {small / 1e6:.0f} MB"]

    def as_dict(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "texts": self.texts,
            "cosine_least": round(self.cosine[0], 5),
            "cosine_mean": round(self.cosine[1], 5),
            "agreement": None if self.agreement is None else round(self.agreement, 4),
            "cpu_ms": {str(tokens): {"float32": round(a, 3), "int8": round(b, 3)} for tokens, (a, b) in self.times.items()},
            "bytes": {"float32": self.sizes[0], "int8": self.sizes[1]},
        }


def compare(whole: Pipeline, small: Pipeline, texts: Sequence[Sequence[int]], *, sizes: tuple[int, int]) -> Accuracy:
    """Run the texts, one by one, through both."""
    first, second = (_answers(pipeline, texts) for pipeline in (whole, small))
    cosines = (first * second).sum(axis=1) / np.maximum(np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1), 1e-12)
    labels = whole.manifest.task is Task.TEXT_CLASSIFICATION
    agreement = float((first.argmax(axis=1) == second.argmax(axis=1)).mean()) if labels else None
    return Accuracy(len(texts), (float(cosines.min()), float(cosines.mean())), agreement, _times(whole, small), sizes)


def _answers(pipeline: Pipeline, texts: Sequence[Sequence[int]]) -> FloatArray:
    return np.concatenate([pipeline.infer(np.array([ids], dtype=np.int64))[0] for ids in texts])


def _times(whole: Pipeline, small: Pipeline) -> dict[int, tuple[float, float]]:
    """Interleaved, so that a slow moment of the machine hits both."""
    found: dict[int, tuple[float, float]] = {}
    for length in LENGTHS:
        if length > whole.manifest.pre.max_tokens:
            break
        ids = np.arange(length, dtype=np.int64).reshape(1, length) % ROWS
        spent: tuple[list[float], list[float]] = ([], [])
        for _ in range(ROUNDS):
            for pipeline, times in zip((whole, small), spent, strict=True):
                start = time.process_time()
                pipeline.infer(ids)
                times.append((time.process_time() - start) * 1e3)
        found[length] = (median(spent[0]), median(spent[1]))
    return found
