"""The engine: answers, bounds, cancellation, and what a dying worker does and does not take along."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.engine.helpers import folder_of, with_engine

from confide.codes import Code
from confide.engine import ClassificationOutput, EmbeddingOutput, Engine, EngineLimits, LoadedModel, Package, Result, open_package
from confide.engine.jobs import Job
from confide.errors import EngineError, PackageError


async def refused(engine: Engine, digest: bytes, inputs: Any, **parameters: Any) -> Code:
    """The code with which a request is refused; found or wanted say something, and never the content."""
    with pytest.raises(EngineError) as caught:
        await engine.run(digest, inputs, parameters)
    assert caught.value.found or caught.value.wanted
    assert "CONTENT" not in f"{caught.value} {caught.value.as_dict()}"
    return caught.value.code


async def until(condition: Any, seconds: float = 20.0) -> None:
    """Wait for a condition, in bounded time."""
    for _ in range(int(seconds * 100)):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("the condition never came true")


def vectors(result: Result) -> Any:
    """The vectors of an embedding answer."""
    assert isinstance(result.outputs, EmbeddingOutput)
    return np.array(result.outputs.vectors(), dtype=np.float32)


def test_sentences_become_unit_vectors_in_their_order(tiny: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        result = await engine.run(model.digest, ["the word", "a hot word is at one", ""])
        found = vectors(result)
        assert found.shape == (3, 32) == (3, model.dimension)
        assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
        assert result.tokens == (4, 8, 2)
        assert result.truncated == (False, False, False)
        assert np.array_equal(vectors(await engine.run(model.digest, ["a hot word is at one"]))[0], found[1])
        assert isinstance(result.outputs, EmbeddingOutput)
        assert b"".join(result.outputs.rows()) == result.outputs.data == found.tobytes()

    with_engine(body, tiny)


def test_classifiers_give_a_distribution_over_all_labels(tiny_classifier: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        result = await engine.run(model.digest, ["the word", "hot"])
        assert isinstance(result.outputs, ClassificationOutput)
        assert model.labels == result.outputs.labels == ("red", "green", "blue")
        for row, ranked in zip(result.outputs.scores, result.outputs.ranked(), strict=True):
            assert abs(sum(row) - 1) < 1e-6
            assert [score for _, score in ranked] == sorted(row, reverse=True)

    with_engine(body, tiny_classifier)


def test_timing_reports_each_part(tiny: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        timing = (await engine.run(model.digest, ["the word"])).timing
        assert 0 <= timing.queue < 5
        assert 0 < timing.core < 5
        assert timing.pre >= 0
        assert timing.post >= 0
        assert model.load_seconds > 0

    with_engine(body, tiny)


def test_truncation_is_reported_and_can_be_refused(tiny: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        longest = model.max_tokens - 2
        result = await engine.run(model.digest, ["the " * longest, "the " * (longest + 1)])
        assert result.tokens == (model.max_tokens, model.max_tokens)
        assert result.truncated == (False, True)
        assert (await engine.run(model.digest, ["the " * longest], {"truncate": False})).truncated == (False,)
        assert await refused(engine, model.digest, ["the", "CONTENT " * (longest + 1)], truncate=False) is Code.ENGINE_TOO_LONG

    with_engine(body, tiny)


def test_inputs_outside_the_package_never_reach_a_worker(tiny: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        limits = engine.limits
        for inputs in (
            [],
            "CONTENT",
            ["x"] * (limits.max_texts + 1),
            [b"CONTENT"],
            [None],
            [1],
            ["CONTENT\ud800"],
            ["x" * (limits.max_text_bytes + 1)],
            ["é" * (limits.max_text_bytes // 2 + 1)],
            ["x" * limits.max_text_bytes] * 17,
        ):
            assert await refused(engine, model.digest, inputs) is Code.ENGINE_INPUT
        for name, value in (("CONTENT", 1), ("truncate", 1), ("truncate", "no"), ("normalise", True)):
            assert await refused(engine, model.digest, ["x"], **{name: value}) is Code.ENGINE_PARAMETER
        assert await refused(engine, bytes(32), ["x"]) is Code.ENGINE_UNKNOWN_MODEL
        assert await refused(engine, b"", ["x"]) is Code.ENGINE_UNKNOWN_MODEL

    with_engine(body, tiny)


def test_an_answer_beyond_its_bound_is_refused_before_it_is_computed(tiny: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        assert await refused(engine, model.digest, ["x"] * 9) is Code.ENGINE_INPUT
        assert len(vectors(await engine.run(model.digest, ["x"] * 7))) == 7

    with_engine(body, tiny, limits=EngineLimits(max_answer_bytes=1024))


def test_many_requests_at_once_each_get_their_own_answer(tiny: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        texts = [" ".join(["the", "hot", "word"][: 1 + i % 3] * (1 + i % 5)) for i in range(120)]
        alone = {text: vectors(await engine.run(model.digest, [text])).tobytes() for text in dict.fromkeys(texts)}
        answers = await asyncio.gather(*(engine.run(model.digest, [text]) for text in texts))
        assert [vectors(answer).tobytes() for answer in answers] == [alone[text] for text in texts]

    with_engine(body, tiny, workers=2)


def test_a_full_queue_refuses_by_count_and_by_bytes(tiny: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        answers = await asyncio.gather(*(engine.run(model.digest, ["the " * 100]) for _ in range(60)), return_exceptions=True)
        codes = [answer.code for answer in answers if isinstance(answer, EngineError)]
        assert set(codes) == {Code.ENGINE_BUSY}
        assert 60 - len(codes) >= 3
        assert isinstance(await engine.run(model.digest, ["the"]), Result)

    with_engine(body, tiny, limits=EngineLimits(queue_jobs=3))
    with_engine(body, tiny, limits=EngineLimits(queue_bytes=1500))


def test_cancelled_requests_leave_the_queue_and_the_engine_goes_on(tiny: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        tasks = [asyncio.create_task(engine.run(model.digest, ["the " * 20] * 32)) for _ in range(40)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(answer, asyncio.CancelledError) for answer in answers[::2])
        assert all(isinstance(answer, Result) for answer in answers[1::2])
        assert engine._queue_bytes == 0
        assert not engine._queue

    with_engine(body, tiny)


def test_a_dying_worker_fails_its_own_requests_and_is_replaced(tiny: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        before = engine.worker_pids
        task = asyncio.create_task(engine.run(model.digest, ["the " * 30] * 64))
        await asyncio.sleep(0)
        os.kill(before[0], signal.SIGKILL)
        with pytest.raises(EngineError) as caught:
            await task
        assert caught.value.code is Code.ENGINE_WORKER_DIED
        assert isinstance(await engine.run(model.digest, ["the"]), Result)
        assert set(engine.worker_pids).isdisjoint(before)

    with_engine(body, tiny)


def test_one_dead_worker_of_two_leaves_the_other_serving(tiny: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        first, second = engine.worker_pids
        os.kill(first, signal.SIGKILL)
        await until(lambda: first not in engine.worker_pids)
        assert isinstance(await engine.run(model.digest, ["the"]), Result)
        assert second in engine.worker_pids
        await until(lambda: len(engine.worker_pids) == 2)

    with_engine(body, tiny, workers=2)


def test_a_worker_that_is_too_slow_is_ended(tiny: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        os.kill(engine.worker_pids[0], signal.SIGSTOP)
        assert await refused(engine, model.digest, ["CONTENT"]) is Code.ENGINE_TIMEOUT
        assert isinstance(await engine.run(model.digest, ["the"]), Result)

    with_engine(body, tiny, limits=EngineLimits(batch_seconds=0.3))


def test_waiting_too_long_in_the_queue_is_a_timeout(tiny: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        os.kill(engine.worker_pids[0], signal.SIGSTOP)
        first = asyncio.create_task(engine.run(model.digest, ["the"]))
        await asyncio.sleep(0)
        assert await refused(engine, model.digest, ["CONTENT"]) is Code.ENGINE_TIMEOUT
        os.kill(engine.worker_pids[0], signal.SIGCONT)
        assert isinstance(await first, Result)

    with_engine(body, tiny, limits=EngineLimits(queue_seconds=0.3))


def test_a_worker_that_answers_nonsense_is_ended(tiny: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        lane = engine._lanes[0]
        for change in (
            {"length": 5},
            {"offset": 1 << 30},
            {"sequence": 77},
            {"job": 3},
        ):
            lane = engine._lanes[0]
            handle = lane._answer
            monkeypatch.setattr(lane, "_answer", lambda answer, change=change, handle=handle: _spoil(answer, change, handle))
            assert await refused(engine, model.digest, ["CONTENT"]) is Code.ENGINE_WORKER_DIED
            assert isinstance(await engine.run(model.digest, ["the"]), Result)

    with_engine(body, tiny)


def _spoil(answer: Any, change: dict[str, int], handle: Any) -> None:
    """A true answer with one field replaced, as a hostile worker might send it."""
    for name, value in change.items():
        setattr(answer, name, value)
    handle(answer)


def test_regions_are_wiped_after_each_batch(tiny: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        await engine.run(model.digest, ["the secret word is one"] * 9)
        process = engine._lanes[0]._process
        assert not any(process._requests[:])
        assert not any(process._responses[:])

    with_engine(body, tiny)


def test_no_worker_serves_two_owners(tiny: Package, tiny_classifier: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        with pytest.raises(EngineError) as caught:
            await engine.load(tiny_classifier, owner="somebody else")
        assert caught.value.code is Code.ENGINE_OWNER
        assert set(engine.models) == {model.digest}
        await engine.load(tiny_classifier)
        assert set(engine.models) == {model.digest, tiny_classifier.digest}

    with_engine(body, tiny)


def test_loading_twice_gives_the_same_model(tiny: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        assert await engine.load(tiny) is engine.models[model.digest]

    with_engine(body, tiny)


def test_a_replaced_worker_loads_every_package_again(tiny: Package, tiny_classifier: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        other = await engine.load(tiny_classifier)
        os.kill(engine.worker_pids[0], signal.SIGKILL)
        results = await asyncio.gather(engine.run(model.digest, ["the"]), engine.run(other.digest, ["the"]), return_exceptions=True)
        died = [r for r in results if isinstance(r, EngineError)]
        assert all(error.code is Code.ENGINE_WORKER_DIED for error in died)
        assert isinstance((await engine.run(model.digest, ["the"])).outputs, EmbeddingOutput)
        assert isinstance((await engine.run(other.digest, ["the"])).outputs, ClassificationOutput)

    with_engine(body, tiny)


def test_a_package_that_ends_its_workers_is_given_up(tiny: Package, tiny_classifier: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        other = await engine.load(tiny_classifier)
        engine._models[other.digest].sizes = (1 << 20, 1 << 20, 1 << 20)  # reading past the end of a memory file: SIGBUS
        os.kill(engine.worker_pids[0], signal.SIGKILL)
        await until(lambda: engine._models[other.digest].broken)
        assert await refused(engine, other.digest, ["CONTENT"]) is Code.ENGINE_LOAD
        assert set(engine.models) == {model.digest}
        assert isinstance(await engine.run(model.digest, ["the"]), Result)

    with_engine(body, tiny)


@pytest.mark.parametrize(
    ("file", "content"), [("tokenizer.json", b"{}"), ("tokenizer.json", b"\xff"), ("model.onnx", b""), ("model.onnx", b"no")]
)
def test_a_package_that_does_not_load_is_refused_and_the_engine_goes_on(
    tiny: Package, tmp_path: Path, file: str, content: bytes
) -> None:
    broken = repacked(tiny, tmp_path, {file: content})

    async def body(engine: Engine, model: LoadedModel) -> None:
        with pytest.raises(EngineError) as caught:
            await engine.load(broken)
        assert caught.value.code is Code.ENGINE_LOAD
        assert broken.digest not in engine.models
        assert isinstance(await engine.run(model.digest, ["the"]), Result)

    with_engine(body, tiny)


@pytest.mark.parametrize(
    "changes",
    [{"output": "scores"}, {"dimension": 31}, {"inputs": ["input_ids", "attention_mask"]}, {"post": []}],
)
def test_a_graph_that_is_not_what_the_manifest_says_is_refused(tiny: Package, tmp_path: Path, changes: dict[str, Any]) -> None:
    broken = repacked(tiny, tmp_path, {}, **changes)

    async def body(engine: Engine, model: LoadedModel) -> None:
        with pytest.raises(EngineError) as caught:
            await engine.load(broken)
        assert caught.value.code is Code.ENGINE_LOAD

    with_engine(body, tiny)


def test_a_text_that_breaks_the_model_fails_alone(tiny: Package, tmp_path: Path) -> None:
    """A tokenizer with an id beyond the embedding table: ONNX Runtime refuses the index, neighbours keep their answers."""
    vocabulary = tiny.read("tokenizer.json").replace(b'"hot": ', b'"hot": 9')
    broken = repacked(tiny, tmp_path, {"tokenizer.json": vocabulary})

    async def body(engine: Engine, model: LoadedModel) -> None:
        answers = await asyncio.gather(
            *(engine.run(model.digest, [text]) for text in ["the word", "the hot", "the word", "the hot", "the one"] * 3),
            return_exceptions=True,
        )
        for index, answer in enumerate(answers):
            if index % 5 in (1, 3):
                assert isinstance(answer, EngineError)
                assert answer.code is Code.ENGINE_FAILED
            else:
                assert isinstance(answer, Result)

    with_engine(body, broken)


def test_a_package_that_changes_on_disk_is_not_loaded(tiny: Package, tmp_path: Path) -> None:
    package = open_package(folder_of(tiny, tmp_path))
    (tmp_path / "model.onnx").write_bytes(b"another")

    async def body(engine: Engine, model: LoadedModel) -> None:
        with pytest.raises(PackageError) as caught:
            await Engine.load(engine, package)
        assert caught.value.code is Code.PACKAGE_FILE_DIGEST

    with_engine(body, _other(tiny, tmp_path / "other"))


def test_a_stopped_engine_refuses_and_leaves_no_processes(tiny: Package) -> None:
    async def run() -> None:
        engine = Engine(workers=2)
        await engine.start()
        model = await engine.load(tiny)
        pids = engine.worker_pids
        waiting = [asyncio.create_task(engine.run(model.digest, ["the " * 30] * 64)) for _ in range(20)]
        await asyncio.sleep(0)
        await engine.stop()
        for answer in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(answer, Result) or (isinstance(answer, EngineError) and answer.code is Code.ENGINE_STOPPED)
        assert await refused(engine, model.digest, ["x"]) is Code.ENGINE_STOPPED
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
        await engine.stop()

    asyncio.run(run())


def test_an_engine_starts_again_after_a_stop(tiny: Package) -> None:
    async def run() -> None:
        engine = Engine(workers=1)
        for owner in ("a", "b"):
            await engine.start()
            model = await engine.load(tiny, owner=owner)
            assert isinstance(await engine.run(model.digest, ["the"]), Result)
            await engine.stop()

    asyncio.run(run())


@pytest.mark.parametrize("workers", [0, 1000])
def test_the_number_of_workers_is_bounded(workers: int) -> None:
    with pytest.raises(EngineError) as caught:
        Engine(workers=workers)
    assert caught.value.code is Code.ENGINE_LOAD


def test_reprs_hold_no_content(tiny: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        result = await engine.run(model.digest, ["the word"])
        assert "data=" not in repr(result)
        assert "scores=" not in repr(ClassificationOutput(("a",), ((0.25,),)))
        job = Job(engine._models[model.digest], 1, b"CONTENT", asyncio.get_running_loop().create_future(), 1)
        assert "CONTENT" not in repr(job)

    with_engine(body, tiny)


def repacked(package: Package, folder: Path, files: dict[str, bytes], **changes: Any) -> Package:
    """The package with other files or other manifest members, its manifest made to fit."""
    import hashlib  # noqa: PLC0415 - in one helper only

    import msgspec  # noqa: PLC0415
    import tomli_w  # noqa: PLC0415

    source = folder_of(package, folder / "repacked")
    value = msgspec.to_builtins(package.manifest)
    core = {name: changes.pop(name) for name in ("inputs", "output") if name in changes}
    value |= changes
    value["core"] |= core
    for name, data in files.items():
        (source / name).write_bytes(data)
        value["files"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (source / "confide.toml").write_bytes(tomli_w.dumps(value).encode())
    return open_package(source)


def _other(package: Package, folder: Path) -> Package:
    """The same package under another name, so that its digest differs."""
    return repacked(package, folder, {}, name="other")
