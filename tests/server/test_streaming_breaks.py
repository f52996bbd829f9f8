"""Chunked exchanges that break: slow or lying senders, handlers that fail, clients that leave. None ever looks complete."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import pytest
from tests.server.running import Inside
from tests.server.talking import JSON, LINES, PIPELINE, PLAIN, TEXTS, Talk, add, outcomes, streaming, truncated

from confide.codes import Code
from confide.errors import ChannelError, EngineError
from confide.receipt.model import Outcome, Status
from confide.seal import varint
from confide.seal.bhttp_stream import RequestHead
from confide.seal.bhttp_write import encode_content, encode_request_head
from confide.seal.chunked import ChunkedRequestOpener
from confide.seal.keystore import KeyStore
from confide.seal.ohttp import INNER_AUTHORITY
from confide.server import NodeError
from confide.server.asgi import Reply
from confide.server.incoming import Incoming
from confide.server.routing import Call, StreamReply


@pytest.mark.parametrize(
    ("failure", "code"),
    [(RuntimeError("a bug"), "node.internal"), (EngineError(Code.ENGINE_WORKER_DIED), "engine.worker_died")],
)
def test_an_answer_that_breaks_in_the_middle_never_looks_complete(failure: Exception, code: str) -> None:
    async def test(node: Inside) -> None:
        ended = outcomes(node)

        async def breaks(call: Call) -> StreamReply:
            async def pieces() -> AsyncGenerator[bytes, None]:
                yield b"half"
                raise failure

            await call.body()
            return StreamReply(200, PLAIN, pieces())

        add(node, breaks)
        talk = Talk(node)
        talk.ask("POST", "/test", b"")
        await talk.task
        assert talk.lines() == b"half"
        assert not talk.ended
        assert truncated(talk)
        assert ended == [Outcome(Status.ABORTED, code)]
        assert node.node.proof.size == 1

    streaming(test)


def test_an_answer_that_fails_before_it_begins_is_told_inside_with_a_receipt() -> None:
    async def test(node: Inside) -> None:
        async def breaks(call: Call) -> Reply:
            raise RuntimeError("a bug")

        add(node, breaks)
        talk = Talk(node)
        talk.ask("POST", "/test", b"")
        answer = await talk.answer()
        assert (answer.status, answer.error) == (500, "node.internal")
        assert answer.receipt is not None
        assert answer.receipt.outcome == Outcome(Status.FAILED, "node.internal")

    streaming(test)


def test_a_failing_input_is_a_line_with_its_code_and_the_end_is_missing() -> None:
    async def test(node: Inside) -> None:
        ended = outcomes(node)
        run, calls = node.node.engine.run, 0

        async def dies(*arguments: Any, **owner: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise EngineError(Code.ENGINE_WORKER_DIED)
            return await run(*arguments, **owner)

        node.node.engine.run = dies  # type: ignore[method-assign] # as a worker that ends
        talk = Talk(node)
        talk.ask("POST", PIPELINE, msgspec.json.encode({"inputs": TEXTS}), LINES)
        await talk.task
        last = msgspec.json.decode(talk.lines().splitlines()[-1])
        assert last["error"]["code"] == "engine.worker_died"
        assert truncated(talk)
        assert ended == [Outcome(Status.ABORTED, "engine.worker_died")]

    streaming(test)


def test_a_stream_that_takes_too_long_is_broken_off() -> None:
    async def test(node: Inside) -> None:
        ended = outcomes(node)

        async def hangs(call: Call) -> StreamReply:
            async def pieces() -> AsyncGenerator[bytes, None]:
                yield b"half"
                await asyncio.sleep(30)

            await call.body()
            return StreamReply(200, PLAIN, pieces())

        add(node, hangs)
        talk = Talk(node)
        talk.ask("POST", "/test", b"")
        await talk.task
        assert truncated(talk)
        assert ended == [Outcome(Status.ABORTED, "node.timeout")]

    streaming(test, limits__stream_ms=300)


def test_an_answer_in_one_piece_that_takes_too_long_is_told_inside() -> None:
    async def test(node: Inside) -> None:
        async def hangs(call: Call) -> Reply:
            await call.body()
            await asyncio.sleep(30)
            raise AssertionError

        add(node, hangs)
        talk = Talk(node)
        talk.ask("POST", "/test", b"")
        answer = await talk.answer()
        assert (answer.status, answer.error) == (504, "node.timeout")
        assert answer.receipt is not None

    streaming(test, limits__run_ms=100)


def test_a_sender_that_stops_half_way_is_refused_inside_without_a_receipt() -> None:
    async def test(node: Inside) -> None:
        talk = Talk(node)
        talk.head("POST", PIPELINE)
        talk.content(b'{"inputs"')
        answer = await talk.answer()
        assert (answer.status, answer.error) == (408, "node.too_slow")
        assert answer.receipt is None
        assert node.node.proof.size == 1  # but in the log

    streaming(test, limits__chunk_ms=100)


def test_a_sender_that_never_shows_a_chunk_is_refused_in_clear() -> None:
    async def test(node: Inside) -> None:
        for part in (b"", b"\x01\x02"):
            talk = Talk(node)
            talk.outer(part)
            await talk.task
            assert talk.status == 408
        assert node.node.proof.size == 0

    streaming(test, limits__chunk_ms=100)


@pytest.mark.parametrize("stage", ["nothing", "key", "head", "content"])
def test_a_client_that_leaves_before_its_request_is_whole_gets_nothing_run(stage: str) -> None:
    async def test(node: Inside) -> None:
        talk = Talk(node)
        if stage == "key":
            talk.outer(talk.sealer.write(b"")[:20])
        if stage in {"head", "content"}:
            talk.head("POST", PIPELINE)
        if stage == "content":
            talk.content(b'{"inputs":["a')
        await asyncio.sleep(0)
        talk.leave()
        await talk.task
        assert talk.status in {200, 400}
        assert node.node.app.in_flight == 0
        assert node.node.proof.size == (1 if stage in {"head", "content"} else 0)

    streaming(test)


def test_work_for_a_client_that_left_in_the_middle_of_its_answer_ends_and_the_log_says_so() -> None:
    async def test(node: Inside) -> None:
        ended, stopped = outcomes(node), asyncio.Event()

        async def long(call: Call) -> StreamReply:
            async def pieces() -> AsyncGenerator[bytes, None]:
                try:
                    yield b"half"
                    await asyncio.sleep(30)
                finally:
                    stopped.set()

            await call.body()
            return StreamReply(200, PLAIN, pieces())

        add(node, long)
        talk = Talk(node)
        talk.ask("POST", "/test", b"")
        await talk.until(lambda talk: talk.lines() == b"half")
        talk.task.cancel()  # as the server does when the connection is lost
        with pytest.raises(asyncio.CancelledError):
            await talk.task
        await asyncio.wait_for(stopped.wait(), 5)
        assert ended == [Outcome(Status.ABORTED, "node.aborted")]
        assert truncated(talk)
        assert node.node.app.in_flight == 0

    streaming(test)


def test_half_open_exchanges_are_bounded_and_leave_whole_requests_alone() -> None:
    async def test(node: Inside) -> None:
        open_ones = [Talk(node) for _ in range(64)]
        for talk in open_ones:
            talk.outer(b"\x00")
        await asyncio.sleep(0.05)
        assert node.node.app.streams == 64
        late = Talk(node)
        await late.task
        assert late.status == 429
        assert (await node.ask("GET", "/v1/models")).status == 200
        for talk in open_ones:
            talk.leave()
        await asyncio.gather(*(talk.task for talk in open_ones))
        assert node.node.app.in_flight == 0
        again = Talk(node)
        again.ask("GET", "/v1/models", b"")
        assert (await again.answer()).status == 200

    streaming(test)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (varint.encode((1 << 62) - 1), "ohttp.chunk_length"),
        (varint.encode(16) + bytes(16), "ohttp.chunk_length"),  # a tag and nothing else: a chunk without a byte
        (varint.encode(64) + bytes(64), "ohttp.chunk"),
        (varint.encode(20_000), "ohttp.chunk_length"),
    ],
)
@pytest.mark.parametrize("opened", [True, False])
def test_chunks_that_no_sender_may_make_are_refused(frame: bytes, code: str, opened: bool) -> None:
    async def test(node: Inside) -> None:
        talk = Talk(node)
        if opened:
            talk.head("POST", PIPELINE)
            talk.outer(frame, last=True)
            answer = await talk.answer()
            assert (answer.error, answer.receipt) == (code, None)
        else:
            talk.outer(talk.sealer.write(b"") + frame, last=True)
            await talk.task
            assert talk.status in {400, 422}
            assert b"chunk" not in talk.body

    streaming(test)


def test_a_proxy_that_drops_the_final_chunk_is_found_out() -> None:
    async def test(node: Inside) -> None:
        talk = Talk(node)
        talk.ask("POST", PIPELINE, msgspec.json.encode({"inputs": TEXTS}), LINES)
        await talk.task
        assert talk.ended
        for cut in (1, 16, len(talk.body) // 2):
            opener = talk.sealer.opener()
            opener.feed(talk.body[:-cut])
            with pytest.raises(ChannelError) as caught:
                opener.close()
            assert caught.value.code in {Code.OHTTP_TRUNCATED, Code.OHTTP_CHUNK}

    streaming(test)


def test_an_engine_that_fails_in_the_middle_is_no_refusal_on_the_whole_path_either() -> None:
    async def test(node: Inside) -> None:
        async def half(call: Call) -> StreamReply:
            async def pieces() -> AsyncGenerator[bytes, None]:
                yield b"half of an answer"
                raise EngineError(Code.ENGINE_WORKER_DIED)

            await call.body()
            return StreamReply(200, PLAIN, pieces())

        add(node, half)
        seen = outcomes(node)
        answer = await node.ask("POST", "/test", {})
        assert answer.status == 503
        assert b"half" not in answer.content
        assert seen == [Outcome(Status.FAILED, Code.ENGINE_WORKER_DIED.value)]

    streaming(test)


def test_a_head_that_drips_holds_its_place_no_longer_than_three_waits() -> None:
    async def test(node: Inside) -> None:
        talk = Talk(node)
        head = encode_request_head(RequestHead(b"POST", b"https", INNER_AUTHORITY, b"/test", JSON))
        for byte in head[:-1]:
            if talk.task.done():
                break
            talk.inner(bytes([byte]))
            await asyncio.sleep(0.03)
        await asyncio.wait_for(talk.task, 1)
        assert not node.node.app.in_flight

    streaming(test, limits={"chunk_ms": 100})


def test_what_makes_an_answer_is_closed_when_its_reader_leaves() -> None:
    async def test(node: Inside) -> None:
        closed = asyncio.Event()

        async def endless(call: Call) -> StreamReply:
            async def pieces() -> AsyncGenerator[bytes, None]:
                try:
                    while True:
                        yield b"more"
                        await asyncio.sleep(0)
                finally:
                    closed.set()

            await call.body()
            return StreamReply(200, PLAIN, pieces())

        add(node, endless)
        talk = Talk(node)
        talk.ask("POST", "/test", b"")
        await talk.until(lambda talk: bool(talk.received))
        talk.task.cancel()
        await asyncio.wait_for(closed.wait(), 5)

    streaming(test)


def test_small_pieces_that_come_together_are_one() -> None:
    async def test(node: Inside) -> None:
        counted: list[int] = []

        async def count(call: Call) -> Reply:
            counted.extend([len(piece) async for piece in call.pieces()])
            return Reply(200, PLAIN, b"")

        add(node, count)
        talk = Talk(node)
        talk.head("POST", "/test")
        talk.inner(b"".join(encode_content(b"x") for _ in range(5000)))
        talk.end()
        await talk.answer()
        assert max(counted) > 1000
        assert sum(counted) == 5000

    streaming(test)


def test_a_request_that_broke_is_not_waited_for_again() -> None:
    async def test() -> None:
        store = KeyStore(room=4)

        async def gone() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        incoming = Incoming(ChunkedRequestOpener(store, max_message=100), gone, chunk_seconds=5, limit=100)
        for _ in range(2):
            with pytest.raises(NodeError) as caught:
                await asyncio.wait_for(incoming.receive(), 1)
            assert caught.value.code is Code.NODE_BAD_REQUEST

    asyncio.run(test())


def test_an_answer_whose_receipt_cannot_be_made_never_looks_complete() -> None:
    async def test(node: Inside) -> None:
        async def one(call: Call) -> StreamReply:
            async def pieces() -> AsyncGenerator[bytes, None]:
                yield b"one"

            await call.body()
            return StreamReply(200, PLAIN, pieces())

        def refuse(*_: Any, **__: Any) -> Any:
            raise RuntimeError("no receipt")

        add(node, one)
        node.node.proof.trailers = refuse  # type: ignore[method-assign]
        talk = Talk(node)
        talk.ask("POST", "/test", b"")
        await asyncio.wait([talk.task])
        assert truncated(talk)

    streaming(test)


@pytest.mark.parametrize("failure", [OSError("disk"), asyncio.CancelledError()])
def test_keys_are_wiped_whatever_happens_to_the_log(failure: BaseException) -> None:
    async def test(node: Inside) -> None:
        wiped: list[str] = []

        async def close() -> bytes:
            raise failure

        node.node.proof.close = close  # type: ignore[method-assign]
        node.node.keys.wipe = lambda: wiped.append("signing keys")  # type: ignore[method-assign]
        with pytest.raises(type(failure)):
            await node.node.stop()
        assert wiped == ["signing keys"]
        assert not node.node.key_store.configs

        async def closed() -> bytes:
            return b"closed"

        node.node.proof.close = closed  # type: ignore[method-assign]

    streaming(test)
