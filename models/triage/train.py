"""Train the triage head: softmax regression on MiniLM sentence vectors, in numpy, the same bits each time.

    python models/triage/train.py            embed, cross-validate, train, write head.safetensors and report.json
    python models/triage/train.py --check    the same, compared with what is committed; exit 1 if it differs

Every number below has its reason beside it. The vectors come from the packed `minilm.confide` through our own engine
(`scripts/fetch_models.py --only-minilm` makes it). Left to others: packing encoder and head into one graph (`confide pack --head`).
"""

import argparse
import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import safe_open
from safetensors.numpy import save_file

from confide.engine import EmbeddingOutput, Engine, open_package

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[1] / ".cache" / "models" / "minilm.confide"
HEAD = HERE / "head.safetensors"
REPORT = HERE / "report.json"
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Config:
    """What the training does."""

    folds: int = 8  # 64 sentences a label: 8 of each are held out at a time
    decay: float = 1e-3  # L2 on the weights; 1e-4 and 1e-2 lose a point at most, but claim 0.97 or 0.52 where 0.94 are right
    steps: int = 2000  # gradient descent; after 400 the loss no longer moves in its fifth digit
    rate: float = 8.0  # vectors have length 1, so gradients are small; 16 converges too
    weight_tolerance: float = 2e-3  # --check: other CPUs round the encoder's sums differently, 1e-6 in a vector
    accuracy_tolerance: float = 0.01  # --check: about three sentences of 320


def main(arguments: list[str] | None = None) -> int:
    """The command; see the module docstring."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare with the committed head and report; write nothing")
    options = parser.parse_args(arguments)
    config = Config()
    sentences, targets, labels = read_sentences()
    vectors = embed(sentences)
    report = cross_validate(vectors, targets, labels, config)
    weight, bias = fit(vectors, targets, len(labels), config)
    print(f"triage: {len(sentences)} sentences, {len(labels)} labels, held-out accuracy {report['accuracy']:.3f}")
    for label, row in report["per_label"].items():
        print(f"  {label:<14} precision {row['precision']:.2f}  recall {row['recall']:.2f}")
    if options.check:
        return check(weight, bias, report, config)
    save_file({"weight": weight.astype(np.float32), "bias": bias.astype(np.float32)}, HEAD, metadata={"labels": json.dumps(labels)})
    REPORT.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    print(f"wrote {HEAD.name} ({HEAD.stat().st_size:,} bytes) and {REPORT.name}")
    return 0


def read_sentences() -> tuple[list[str], npt.NDArray[np.int64], list[str]]:
    """Texts, label numbers and label names (in the order of their first appearance)."""
    rows = [line.split("\t") for line in (HERE / "sentences.tsv").read_text("utf-8").splitlines()]
    labels = list(dict.fromkeys(label for label, _ in rows))
    return [text for _, text in rows], np.array([labels.index(label) for label, _ in rows]), labels


def embed(sentences: list[str]) -> Array:
    """MiniLM vectors of length 1, one text at a time in one confined worker."""

    async def through_engine() -> list[list[float]]:
        engine = Engine(workers=1)
        await engine.start()
        try:
            model = await engine.load(open_package(PACKAGE))
            chunks = [sentences[start : start + 32] for start in range(0, len(sentences), 32)]
            answers = [(await engine.run(model.digest, chunk)).outputs for chunk in chunks]
            return [row for answer in answers if isinstance(answer, EmbeddingOutput) for row in answer.vectors()]
        finally:
            await engine.stop()

    return np.array(asyncio.run(through_engine()), dtype=np.float64)


def fit(vectors: Array, targets: npt.NDArray[np.int64], labels: int, config: Config) -> tuple[Array, Array]:
    """Minimise cross entropy plus decay by full-batch gradient descent from zero: convex, so there is one answer and no seed."""
    weight, bias = np.zeros((labels, vectors.shape[1])), np.zeros(labels)
    wanted = np.eye(labels)[targets]
    for _ in range(config.steps):
        error = (probabilities(vectors @ weight.T + bias) - wanted) / len(vectors)
        weight -= config.rate * (error.T @ vectors + config.decay * weight)
        bias -= config.rate * error.sum(axis=0)
    return weight, bias


def probabilities(scores: Array) -> Array:
    """Softmax by row."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def cross_validate(vectors: Array, targets: npt.NDArray[np.int64], labels: list[str], config: Config) -> dict[str, Any]:
    """Each sentence is judged once, by a head that has not seen it. Folds go round within each label."""
    rank = np.zeros(len(targets), dtype=np.int64)
    for label in range(len(labels)):
        rank[targets == label] = np.arange(int((targets == label).sum()))
    guesses = np.zeros_like(targets)
    for fold in range(config.folds):
        held = rank % config.folds == fold
        weight, bias = fit(vectors[~held], targets[~held], len(labels), config)
        guesses[held] = (vectors[held] @ weight.T + bias).argmax(axis=1)
    return {
        "sentences": len(targets),
        "folds": config.folds,
        "accuracy": round(float((guesses == targets).mean()), 4),
        "per_label": {label: _rates(guesses == i, targets == i) for i, label in enumerate(labels)},
    }


def _rates(guessed: npt.NDArray[np.bool_], true: npt.NDArray[np.bool_]) -> dict[str, float]:
    both = float((guessed & true).sum())
    return {"precision": round(both / max(1, int(guessed.sum())), 4), "recall": round(both / int(true.sum()), 4)}


def check(weight: Array, bias: Array, report: dict[str, Any], config: Config) -> int:
    """Retrained against committed: weights within tolerance, accuracy as reported."""
    with safe_open(str(HEAD), framework="numpy") as file:
        differences = [float(np.abs(file.get_tensor(name) - value).max()) for name, value in (("weight", weight), ("bias", bias))]
    committed = json.loads(REPORT.read_text("utf-8"))
    accuracy = abs(committed["accuracy"] - report["accuracy"])
    print(f"  largest difference: weights {differences[0]:.1e}, bias {differences[1]:.1e}, accuracy {accuracy:.4f}")
    if max(differences) > config.weight_tolerance or accuracy > config.accuracy_tolerance:
        print("error: retraining does not give the committed head", file=sys.stderr)
        print("hint: run models/triage/train.py, look at report.json, and commit both files", file=sys.stderr)
        return 1
    print("  the committed head is what training gives")
    return 0


if __name__ == "__main__":
    sys.exit(main())
