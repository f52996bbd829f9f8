"""What the engine hands back: typed answers with their timing. Content never shows in a repr."""

import array
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from confide.engine.manifest import Task

Scalar = str | int | float | bool


@dataclass(frozen=True)
class Timing:
    """Seconds in the queue, and in each of the three parts of the pipeline."""

    queue: float
    pre: float
    core: float
    post: float


@dataclass(frozen=True)
class EmbeddingOutput:
    """One vector a text: little-endian float32, rows in the order of the inputs."""

    data: bytes = field(repr=False)
    shape: tuple[int, int]

    def vectors(self) -> list[list[float]]:
        """The rows as lists of floats."""
        values, width = _floats(self.data), self.shape[1]
        return [values[start : start + width] for start in range(0, len(values), width)]

    def rows(self) -> list[bytes]:
        """The rows as little-endian float32 bytes."""
        width = 4 * self.shape[1]
        return [self.data[start : start + width] for start in range(0, len(self.data), width)]


@dataclass(frozen=True)
class ClassificationOutput:
    """One score for each label and text, in the order of `labels`."""

    labels: tuple[str, ...]
    scores: tuple[tuple[float, ...], ...] = field(repr=False)

    def ranked(self) -> list[list[tuple[str, float]]]:
        """For each text all labels with their scores, best first; equal scores keep the order of `labels`."""
        return [sorted(zip(self.labels, row, strict=True), key=lambda item: -item[1]) for row in self.scores]


@dataclass(frozen=True)
class Result:
    """The answer to one request. `tokens` and `truncated` tell, for each text, what the model saw of it."""

    outputs: EmbeddingOutput | ClassificationOutput
    timing: Timing
    tokens: tuple[int, ...]  # with special tokens, after truncation
    truncated: tuple[bool, ...]  # True: the text had more tokens than the package takes, the rest was not read


@dataclass(frozen=True)
class EngineIdentity:
    """Which engine computes; its digest covers the native libraries and this package's own engine code."""

    name: str
    version: str
    digest: bytes


@dataclass(frozen=True)
class LoadedModel:
    """A package that every worker has loaded."""

    digest: bytes
    name: str
    task: Task
    dimension: int
    labels: tuple[str, ...]
    max_tokens: int
    parts: Mapping[str, bytes]
    load_seconds: float


def output_of(model: LoadedModel, data: bytes, rows: int) -> EmbeddingOutput | ClassificationOutput:
    """The typed answer made of a worker's float32 bytes, whose length has been checked."""
    if model.task is Task.SENTENCE_EMBEDDING:
        return EmbeddingOutput(data, (rows, model.dimension))
    values, width = _floats(data), model.dimension
    return ClassificationOutput(model.labels, tuple(tuple(values[i : i + width]) for i in range(0, len(values), width)))


def _floats(data: bytes) -> list[float]:
    values = array.array("f", data)
    if sys.byteorder == "big":
        values.byteswap()
    return values.tolist()
