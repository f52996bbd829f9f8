"""The twin for event loops: many requests, one verification; cancellation anywhere; nothing that blocks."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.client.nodes import Place, changed, place, write

import confide
from confide.client import state
from confide.client.transport import AsyncIncoming, Body, Reply
from confide.client.transport_async import AsyncHttpTransport
from confide.codes import Code

JSON = (("content-type", "application/json"),)


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    with place() as there:
        yield there


class Counting(AsyncHttpTransport):
    """Counts, and calls `hook` before each thing that it waits for."""

    def __init__(self, url: str, hook: Callable[[str], Awaitable[None]] | None = None) -> None:
        super().__init__(url)
        self.sent: list[str] = []
        self.hook = hook

    async def _told(self, what: str) -> None:
        self.sent.append(what)
        if self.hook is not None:
            await self.hook(what)

    async def get(self, path: str, *, limit: int) -> Reply:
        await self._told("get")
        return await super().get(path, limit=limit)

    async def post(self, path: str, body: bytes, *, headers: Mapping[str, str], limit: int) -> Reply:
        await self._told("post")
        return await super().post(path, body, headers=headers, limit=limit)

    async def begin(self, path: str, body: Body, *, headers: Mapping[str, str]) -> AsyncIncoming:
        await self._told("begin")
        return await super().begin(path, body, headers=headers)


@asynccontextmanager
async def connected(here: Place, **more: Any) -> AsyncIterator[confide.AsyncNode]:
    async with confide.connect_async(here.url, **{"policy": here.policy, "state": None, "patience": 0.0, **more}) as node:
        yield node


def test_both_twins_say_the_same(here: Place) -> None:
    async def run() -> None:
        async with connected(here) as node:
            answer = await node.run("encoder", ["a doctor", "b"])
            assert answer.embeddings == same.embeddings
            assert answer.receipt is not None
            assert await node.models() == models
            assert (await node.attest()).policy == same.verdict.policy
            done = await node.request("POST", "/v1/embeddings", [("content-type", "application/json")], b'{"model":"x"}')
            assert done.status == 400

    with here.connect() as twin:
        same, models = twin.run("encoder", ["a doctor", "b"]), twin.models()
    asyncio.run(run())


def test_the_twins_have_the_same_methods() -> None:
    def methods(kind: type) -> set[str]:
        return {name for name in dir(kind) if not name.startswith("_")}

    assert methods(confide.Node) - methods(confide.AsyncNode) == {
        "bundle",
        "verdict",
    }  # properties cannot be waited for: `attested`
    assert methods(confide.AsyncNode) <= methods(confide.Node)


def test_requests_at_once_share_one_verification(here: Place) -> None:
    async def run() -> None:
        transport = Counting(here.url)
        async with connected(here, transport=transport) as node:
            node.core.session.forget(await node.attested())
            answers = await asyncio.gather(*(node.run("encoder", "a doctor") for _ in range(20)))
        assert len({answer.receipt.log_index for answer in answers if answer.receipt}) == 20
        assert transport.sent.count("get") == 2

    asyncio.run(run())


def test_a_node_can_be_awaited(here: Place) -> None:
    async def run() -> None:
        node = await confide.connect_async(here.url, policy=here.policy, state=None)
        await node.run("encoder", "a doctor")
        await node.close()
        with pytest.raises(confide.MisuseError) as caught:
            await node.run("encoder", "a doctor")
        assert caught.value.code is Code.CLIENT_CLOSED

    asyncio.run(run())


def test_a_node_that_the_policy_refuses_is_sent_nothing(here: Place) -> None:
    async def run() -> None:
        transport = Counting(here.url)
        with pytest.raises(confide.ConfideError) as caught:
            await confide.connect_async(here.url, policy=production, state=None, transport=transport)
        assert caught.value.code is Code.X509_ROOT
        assert transport.sent == ["get"]

    production = changed(here.policy, ("unsafe_accept_simulated = true\n", ""))
    asyncio.run(run())


def test_files_are_read_and_written_beside_the_event_loop(here: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[int] = set()

    def keep(path: Path | None, seen: Any) -> None:
        threads.add(threading.get_ident())
        kept(path, seen)

    async def run() -> int:
        policy = write(here.policy, tmp_path / "policy.toml")
        async with connected(here, policy=policy, state=tmp_path / "state.json"):
            return threading.get_ident()

    kept = state.keep
    monkeypatch.setattr(state, "keep", keep)
    loop = asyncio.run(run())
    assert (tmp_path / "state.json").exists()
    assert threads
    assert loop not in threads


@pytest.mark.parametrize("stage", ["get", "post", "begin"])
def test_cancelling_at_any_stage_leaves_the_node_usable(here: Place, stage: str) -> None:
    """Also for those who waited for the same verification."""

    async def run() -> None:
        reached = asyncio.Event()

        async def hang(what: str) -> None:
            if what == stage and not reached.is_set():
                reached.set()
                await asyncio.sleep(60)

        async with connected(here, transport=(transport := Counting(here.url))) as node:
            transport.hook = hang
            node.core.session.forget(await node.attested())
            work = asyncio.ensure_future(_stream(node) if stage == "begin" else node.run("mood", "good"))
            await reached.wait()
            beside = asyncio.ensure_future(node.run("mood", "good"))
            await asyncio.sleep(0.01)
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
            assert (await beside).receipt is not None
            assert (await node.run("mood", "good")).receipt is not None

    asyncio.run(run())


def test_cancelling_after_any_moment_leaves_the_node_usable_and_idle(here: Place) -> None:
    """Wherever the cancellation falls, no connection is left in use."""

    async def run() -> None:
        async with connected(here, connections=1) as node:  # a connection that was not given back would block the next request
            for steps in range(40):
                node.core.session.forget(await node.attested())
                for work in (node.run("mood", "good"), _stream(node)):
                    task = asyncio.ensure_future(work)
                    for _ in range(steps):
                        await asyncio.sleep(0)
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):  # or it had ended before
                        await task
            assert (await node.run("mood", "good")).receipt is not None

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_timeout_around_a_request_is_a_cancellation(here: Place) -> None:
    async def run() -> None:
        async def slow(what: str) -> None:
            if what == "post":
                await asyncio.sleep(60)

        async with connected(here, transport=(transport := Counting(here.url))) as node:
            transport.hook = slow
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await node.run("mood", "good")
            transport.hook = None
            assert (await node.run("mood", "good")).receipt is not None

    asyncio.run(run())


def test_threads_share_a_node_and_its_verification(here: Place) -> None:
    with here.connect() as node, ThreadPoolExecutor(8) as threads:
        node.core.session.forget(node.attested())
        answers = list(threads.map(lambda _: node.run("encoder", "a doctor"), range(40)))
    assert len({answer.receipt.log_index for answer in answers if answer.receipt}) == 40
    assert len({id(answer.verdict) for answer in answers}) == 1


async def _stream(node: confide.AsyncNode) -> None:
    async for _ in node.stream("mood", ["good"] * 5):
        pass


def test_requests_and_streams_of_both_kinds_live_through_changes_of_keys() -> None:
    """Keys that change each second: every request is answered, sealed anew where it must be."""

    async def ask(node: confide.AsyncNode, until: float) -> int:
        done = 0
        while time.monotonic() < until:
            assert (await node.run("mood", "good")).receipt is not None
            stream = node.stream("mood", ["good", "bad"])
            assert len([item async for item in stream]) == 2
            assert stream.receipt is not None
            sent = await node.request("POST", "/v1/pipelines/mood", JSON, [b'{"inputs":', b'["good"]}'], model="mood")
            assert sent.status == 200
            done += 1
        return done

    async def run(there: Place) -> list[int]:
        async with confide.connect_async(there.url, policy=there.policy, state=None) as node:
            until = time.monotonic() + 5
            return await asyncio.gather(*(ask(node, until) for _ in range(3)))

    with place(active_seconds=1, stale_seconds=1) as there:
        assert all(asyncio.run(run(there)))
