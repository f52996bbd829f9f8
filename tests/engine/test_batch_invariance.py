"""An answer's bits never depend on who shares its batch: a side channel between tenants otherwise (DESIGN section 8)."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from tests.engine.helpers import with_engine
from tests.support_models import minilm_package, tiny_package, triage_package

from confide.engine import ClassificationOutput, EmbeddingOutput, Engine, EngineLimits, LoadedModel, Package, Result, open_package

WORDS = ["the", "doctor", "saw", "a", "patient", "with", "pain", "and", "wrote", "an", "invoice", "for", "her", "second", "visit"]


def bits(result: Result) -> list[Any]:
    """One comparable value for each text: exact bytes or exact floats."""
    outputs = result.outputs
    return outputs.rows() if isinstance(outputs, EmbeddingOutput) else list(outputs.scores)


def texts(seed: int, count: int) -> list[str]:
    """Texts of few lengths, so that many share a batch."""
    chosen = random.Random(seed)
    return [" ".join(chosen.choices(WORDS, k=chosen.choice((1, 3, 3, 7, 7, 7, 14)))) for _ in range(count)]


def check(package: Package, *, count: int, rounds: int) -> None:
    """Alone, in one request, and in company of other requests in several orders: the same bits."""

    async def body(engine: Engine, model: LoadedModel) -> None:
        wanted = {text: bits(await engine.run(model.digest, [text]))[0] for text in texts(1, count)}
        for seed in range(rounds):
            order = list(wanted)
            random.Random(seed).shuffle(order)
            assert bits(await engine.run(model.digest, order[:64])) == [wanted[text] for text in order[:64]]
            cut = [order[start : start + 1 + seed] for start in range(0, len(order), 1 + seed)]
            answers = await asyncio.gather(*(engine.run(model.digest, part) for part in cut))
            assert [bits(answer) for answer in answers] == [[wanted[text] for text in part] for part in cut]

    with_engine(body, package, limits=EngineLimits(batch_jobs=16, queue_jobs=count))


def test_a_tiny_encoder_is_batch_invariant(tiny: Package) -> None:
    check(tiny, count=60, rounds=4)


def test_a_tiny_classifier_is_batch_invariant(tiny_classifier: Package) -> None:
    check(tiny_classifier, count=60, rounds=4)


@pytest.mark.parametrize("labels", [1, 7, 8, 9, 17, 100])
def test_softmax_is_batch_invariant_at_any_number_of_labels(tmp_path: Path, labels: int) -> None:
    package = open_package(tiny_package(tmp_path, name="many", labels=[f"l{i}" for i in range(labels)]))
    check(package, count=25, rounds=2)


@pytest.mark.real_model
def test_minilm_is_batch_invariant() -> None:
    check(open_package(minilm_package()), count=40, rounds=3)


@pytest.mark.real_model
def test_the_triage_classifier_is_batch_invariant() -> None:
    check(open_package(triage_package()), count=40, rounds=2)


@pytest.mark.real_model
@pytest.mark.deep
def test_minilm_is_batch_invariant_over_many_texts() -> None:
    check(open_package(minilm_package()), count=300, rounds=12)


def test_the_comparison_sees_a_single_bit() -> None:
    """The test can fail: one flipped bit of a float32 or of a score is seen."""
    row = EmbeddingOutput(b"\x00\x00\x80?", (1, 1)).rows()
    assert row != EmbeddingOutput(b"\x01\x00\x80?", (1, 1)).rows()
    assert ClassificationOutput(("a",), ((0.5,),)).scores != ClassificationOutput(("a",), ((0.5000001,),)).scores
