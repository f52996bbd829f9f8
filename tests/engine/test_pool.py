"""Unloading packages, and several owners beside each other: nobody's worker serves another, nobody's crash reaches another."""

import asyncio
import hashlib
import io
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from tests.engine.helpers import with_engine

from confide.codes import Code
from confide.engine import Engine, EngineLimits, LoadedModel, Package, Result, open_package
from confide.engine.package import open_source
from confide.engine.pool import OPERATOR, Pool
from confide.errors import ConfideError, EngineError, PackageError


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def code_of(awaited: Awaitable[object]) -> Code:
    with pytest.raises(ConfideError) as caught:
        await awaited
    return caught.value.code


def with_pool(body: Callable[[Pool], Awaitable[None]], *, max_owners: int = 2, owner_workers: int = 1) -> None:
    async def run() -> None:
        pool = Pool(workers=1, max_owners=max_owners, owner_workers=owner_workers)
        await pool.start()
        try:
            await body(pool)
        finally:
            await pool.stop()

    asyncio.run(run())


def dead(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_an_unloaded_package_answers_no_more_and_leaves_no_file(tiny: Package, tiny_classifier: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        await engine.run(model.digest, ["the"])
        before, workers = open_files(), engine.worker_pids
        for _ in range(3):
            other = await engine.load(tiny_classifier)
            assert await engine.unload(other.digest)
            assert await code_of(engine.run(other.digest, ["the"])) is Code.ENGINE_UNKNOWN_MODEL
        assert not await engine.unload(other.digest)
        assert open_files() == before
        assert engine.worker_pids == workers
        assert set(engine.models) == {model.digest}
        assert isinstance(await engine.run(model.digest, ["the"]), Result)

    with_engine(body, tiny, workers=2)


def test_requests_under_way_when_a_package_leaves_are_answered(tiny: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        asked = [asyncio.create_task(engine.run(model.digest, ["the word"] * 8)) for _ in range(40)]
        await asyncio.sleep(0)
        leaving = asyncio.create_task(engine.unload(model.digest))
        await asyncio.sleep(0)
        assert await code_of(engine.run(model.digest, ["the"])) is Code.ENGINE_UNKNOWN_MODEL
        assert all(isinstance(answer, Result) for answer in await asyncio.gather(*asked))
        assert await leaving

    with_engine(body, tiny)


def test_a_package_can_leave_while_its_only_worker_dies(tiny: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        asked = [asyncio.create_task(engine.run(model.digest, ["the " * 20] * 64)) for _ in range(12)]
        await asyncio.sleep(0)
        leaving = asyncio.create_task(engine.unload(model.digest))
        os.kill(engine.worker_pids[0], signal.SIGKILL)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(answer) for answer in answers} <= {Result, EngineError}
        assert await leaving
        assert (await engine.load(tiny)).digest == model.digest
        assert isinstance(await engine.run(model.digest, ["the"]), Result)

    with_engine(body, tiny)


def test_loading_gets_its_turn_on_a_worker_that_is_never_idle(tiny: Package, tiny_classifier: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        stop = False

        async def busy() -> None:
            while not stop:
                await engine.run(model.digest, ["the word"])

        asking = [asyncio.create_task(busy()) for _ in range(32)]
        await asyncio.sleep(0.1)
        other = await asyncio.wait_for(engine.load(tiny_classifier), 30)
        assert await asyncio.wait_for(engine.unload(other.digest), 30)
        stop = True
        await asyncio.gather(*asking)

    with_engine(body, tiny)


def test_a_load_that_fails_half_way_is_taken_back(tiny: Package, tmp_path: Path) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        before = open_files()
        broken = replace(tiny, digest=bytes(32), parts={**tiny.parts, tiny.manifest.core.file: bytes(32)})
        with pytest.raises(PackageError):
            await engine.load(broken)
        assert open_files() == before
        assert set(engine.models) == {model.digest}

    with_engine(body, tiny)


def test_a_package_opens_from_anything_that_reads_like_a_file(tiny: Package) -> None:
    data = tiny.location.read_bytes()
    opened: list[BinaryIO] = []

    def source() -> BinaryIO:
        opened.append(cast("BinaryIO", io.BytesIO(data)))
        return opened[-1]

    package = open_source(source, Path("memory"), expected_digest=tiny.digest)
    assert (package.digest, package.parts) == (tiny.digest, tiny.parts)
    assert package.read("tokenizer.json") == tiny.read("tokenizer.json")
    assert all(file.closed for file in opened)
    with pytest.raises(PackageError) as caught:
        open_source(source, Path("memory"), expected_digest=bytes(32))
    assert caught.value.code is Code.PACKAGE_DIGEST


def test_a_file_that_changes_between_judging_and_using_it_is_noticed(tiny: Package) -> None:
    data = bytearray(tiny.location.read_bytes())
    package = open_source(lambda: cast("BinaryIO", io.BytesIO(bytes(data))), Path("memory"))
    at = data.find(tiny.read("model.onnx")) + 1000
    data[at] ^= 1
    pieces: list[bytes] = []
    with pytest.raises(PackageError) as caught:
        package.copy("model.onnx", pieces.append)
    assert caught.value.code is Code.PACKAGE_FILE_DIGEST
    assert hashlib.sha256(b"".join(pieces)).digest() != tiny.parts["model.onnx"]


def test_each_owner_has_workers_of_its_own_which_end_with_its_last_package(tiny: Package, tiny_classifier: Package) -> None:
    async def body(pool: Pool) -> None:
        await pool.load(tiny)
        for owner in ("alice", "bob"):
            await pool.load(tiny, owner=owner)
        await pool.load(tiny_classifier, owner="alice")
        workers = {owner: pool.workers_of(owner) for owner in pool.owners}
        assert [len(workers[owner]) for owner in (OPERATOR, "alice", "bob")] == [1, 2, 2]
        assert len(set(pool.worker_pids)) == 5
        for owner in workers:
            assert isinstance(await pool.run(tiny.digest, ["the"], owner=owner), Result)
        assert await code_of(pool.run(tiny_classifier.digest, ["the"], owner="bob")) is Code.ENGINE_UNKNOWN_MODEL
        with pytest.raises(EngineError):
            await pool.run(tiny.digest, ["the"], owner="carol")
        assert await pool.unload(tiny.digest, owner="alice")
        assert pool.workers_of("alice") == workers["alice"]
        assert await pool.unload(tiny_classifier.digest, owner="alice")
        assert "alice" not in pool.owners
        assert all(map(dead, workers["alice"]))
        assert not await pool.unload(tiny.digest, owner="alice")
        assert isinstance(await pool.run(tiny.digest, ["the"], owner="bob"), Result)
        assert pool.isolation_detail

    with_pool(body, owner_workers=2)


def test_a_crash_of_one_owner_does_not_touch_the_others(tiny: Package) -> None:
    async def body(pool: Pool) -> None:
        for owner in ("alice", "bob"):
            await pool.load(tiny, owner=owner)
        (victim,), (other,) = pool.workers_of("alice"), pool.workers_of("bob")
        asked = asyncio.create_task(pool.run(tiny.digest, ["the " * 20] * 64, owner="alice"))
        beside = [asyncio.create_task(pool.run(tiny.digest, ["the"], owner="bob")) for _ in range(8)]
        await asyncio.sleep(0)
        os.kill(victim, signal.SIGKILL)
        assert await code_of(asked) is Code.ENGINE_WORKER_DIED
        assert all(isinstance(answer, Result) for answer in await asyncio.gather(*beside))
        assert pool.workers_of("bob") == (other,)
        assert isinstance(await pool.run(tiny.digest, ["the"], owner="alice"), Result)

    with_pool(body)


def test_owners_are_bounded_and_a_failed_first_load_takes_no_place(tiny: Package) -> None:
    async def body(pool: Pool) -> None:
        broken = replace(tiny, digest=bytes(32), parts={**tiny.parts, tiny.manifest.core.file: bytes(32)})
        assert await code_of(pool.load(broken, owner="alice")) is Code.PACKAGE_FILE_DIGEST
        assert pool.owners == (OPERATOR,)
        await pool.load(tiny, owner="bob")
        assert await code_of(pool.load(tiny, owner="alice")) is Code.ENGINE_OWNER

    with_pool(body, max_owners=1)


def test_a_stopped_pool_takes_nothing(tiny: Package) -> None:
    async def body() -> None:
        pool = Pool(workers=1, max_owners=1)
        await pool.start()
        await pool.load(tiny, owner="alice")
        pids = pool.worker_pids
        await pool.stop()
        assert all(map(dead, pids))
        assert await code_of(pool.load(tiny, owner="alice")) is Code.ENGINE_STOPPED

    asyncio.run(body())


def test_an_engine_alone_still_refuses_a_second_owner(tiny: Package, tiny_classifier: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        assert await code_of(engine.load(tiny_classifier, owner="alice")) is Code.ENGINE_OWNER
        assert model.digest in engine.models

    with_engine(body, tiny, limits=EngineLimits())


def test_the_package_on_the_disk_may_go_once_it_is_loaded(tiny: Package, tmp_path: Path) -> None:
    copy = tmp_path / "copy.confide"
    copy.write_bytes(tiny.location.read_bytes())

    async def body(engine: Engine, model: LoadedModel) -> None:
        copy.unlink()
        os.kill(engine.worker_pids[0], signal.SIGKILL)
        with pytest.raises(EngineError):
            await engine.run(model.digest, ["the"])
        assert isinstance(await engine.run(model.digest, ["the"]), Result)

    with_engine(body, open_package(copy))
