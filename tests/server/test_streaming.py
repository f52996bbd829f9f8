"""Chunked exchanges: they flow both ways, in lines and pieces, wait for the slow side, and do not mix."""

import asyncio
from collections.abc import AsyncGenerator

import msgspec
import pytest
from tests.server.running import Inside, Served, served
from tests.server.talking import LINES, PIPELINE, PLAIN, TEXTS, Talk, add, streaming

from confide.receipt.model import Status
from confide.seal import bhttp
from confide.seal.chunked import OHTTP_CHUNKED_REQUEST, ChunkedRequestSealer
from confide.seal.keyconfig import parse_key_config
from confide.seal.ohttp import INNER_AUTHORITY
from confide.seal.padding import bucket
from confide.server.asgi import Reply
from confide.server.routing import Call, StreamReply


def test_a_request_in_chunks_gets_the_answer_that_it_gets_whole() -> None:
    async def test(node: Inside) -> None:
        body = msgspec.json.encode({"inputs": TEXTS})
        talk = Talk(node)
        talk.ask("POST", PIPELINE, body)
        chunked, whole = await talk.answer(), await node.ask("POST", PIPELINE, body)
        assert (chunked.status, chunked.content) == (200, whole.content)
        assert chunked.receipt is not None
        assert chunked.receipt.outcome.status is Status.COMPLETED
        assert talk.headers[b"incremental"] == b"?1"
        assert talk.headers[b"x-accel-buffering"] == b"no"

    streaming(test)


def test_answers_leave_before_the_request_has_ended() -> None:
    async def test(node: Inside) -> None:
        async def upper(call: Call) -> StreamReply:
            async def pieces() -> AsyncGenerator[bytes, None]:
                async for piece in call.pieces():
                    yield piece.upper()

            return StreamReply(200, PLAIN, pieces())

        add(node, upper)
        talk = Talk(node)
        talk.head("POST", "/test")
        for number, word in enumerate((b"one", b"two", b"three"), 1):
            talk.content(word)
            await talk.until(lambda talk, number=number: len(talk.received) == number)  # type: ignore[misc]
            assert talk.lines().endswith(word.upper())
        assert not talk.ended
        talk.end()
        answer = await talk.answer()
        assert answer.content == b"ONETWOTHREE"
        assert answer.receipt is not None

    streaming(test)


@pytest.mark.parametrize("chunked", [True, False])
def test_a_pipeline_answers_one_line_per_input_and_a_last_one(chunked: bool) -> None:
    async def test(node: Inside) -> None:
        body = {"inputs": TEXTS}
        if chunked:
            talk = Talk(node)
            talk.ask("POST", PIPELINE, msgspec.json.encode(body), LINES)
            answer = await talk.answer()
        else:
            answer = await node.ask("POST", PIPELINE, body, headers=LINES)
        assert answer.headers[b"content-type"] == b"application/x-ndjson"
        *lines, last = (msgspec.json.decode(line) for line in answer.content.splitlines())
        whole = (await node.ask("POST", PIPELINE, body)).json
        assert [line["index"] for line in sorted(lines, key=lambda line: line["index"])] == list(range(len(TEXTS)))
        for line in lines:
            assert line["tokens"] == whole["tokens"][line["index"]]
            assert line["output"] == pytest.approx(whole["outputs"][line["index"]], abs=1e-6)
        assert last == {"done": True, "model": "encoder", "digest": whole["digest"], "task": whole["task"], "count": len(TEXTS)}
        assert {len(line) + 1 for line in answer.content.splitlines()} == {bucket(100)}
        assert answer.receipt is not None
        assert answer.receipt.model is not None

    streaming(test)


def test_lines_are_as_long_as_they_are_where_padding_is_off() -> None:
    async def test(node: Inside) -> None:
        answer = await node.ask("POST", PIPELINE, {"inputs": TEXTS[:1]}, headers=LINES)
        assert all(line.endswith(b"}") for line in answer.content.splitlines())

    streaming(test, pad_streams=False)


def test_pieces_that_come_together_leave_in_one_chunk() -> None:
    async def test(node: Inside) -> None:
        async def many(call: Call) -> StreamReply:
            async def pieces() -> AsyncGenerator[bytes, None]:
                for _ in range(50):
                    yield b"x"

            await call.body()
            return StreamReply(200, PLAIN, pieces())

        add(node, many)
        talk = Talk(node)
        talk.ask("POST", "/test", b"")
        assert (await talk.answer()).content == b"x" * 50
        assert len(talk.received) <= 2

    streaming(test, coalesce_ms=10_000)


def test_a_piece_that_waits_leaves_when_its_time_has_come() -> None:
    async def test(node: Inside) -> None:
        go = asyncio.Event()

        async def two(call: Call) -> StreamReply:
            async def pieces() -> AsyncGenerator[bytes, None]:
                yield b"one"
                yield b"two"
                await go.wait()

            await call.body()
            return StreamReply(200, PLAIN, pieces())

        add(node, two)
        talk = Talk(node)
        talk.ask("POST", "/test", b"")
        async with asyncio.timeout(10):
            while talk.lines() != b"onetwo":  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.005)
        go.set()
        assert (await talk.answer()).content == b"onetwo"

    streaming(test, coalesce_ms=30)


def test_a_slow_reader_holds_the_handler_up_and_nothing_piles_up() -> None:
    async def test(node: Inside) -> None:
        made = 0

        async def endless(call: Call) -> StreamReply:
            async def pieces() -> AsyncGenerator[bytes, None]:
                nonlocal made
                for _ in range(1000):
                    made += 1
                    yield bytes(1 << 14)

            await call.body()
            return StreamReply(200, PLAIN, pieces())

        add(node, endless)
        talk = Talk(node, slow=True)
        talk.ask("POST", "/test", b"")
        await talk.until(lambda _: made > 0)
        for _ in range(200):
            await asyncio.sleep(0)
        assert made <= 3
        talk.reading.set()
        assert len((await talk.answer()).content) == 1000 << 14

    streaming(test)


def test_a_slow_handler_holds_the_sender_up() -> None:
    async def test(node: Inside) -> None:
        go = asyncio.Event()

        async def waits(call: Call) -> Reply:
            await go.wait()
            return Reply(200, PLAIN, b"%d" % len(await call.body()))

        add(node, waits)
        talk = Talk(node)
        talk.head("POST", "/test")
        await talk.until(lambda talk: talk._incoming.empty())
        for _ in range(20):
            talk.content(bytes(1 << 12))
        for _ in range(200):
            await asyncio.sleep(0)
        assert talk._incoming.qsize() == 20  # nobody asked for more
        go.set()
        talk.end()
        assert (await talk.answer()).content == b"%d" % (20 << 12)

    streaming(test)


def test_exchanges_that_interleave_do_not_mix() -> None:
    async def test(node: Inside) -> None:
        async def echo(call: Call) -> StreamReply:
            async def pieces() -> AsyncGenerator[bytes, None]:
                async for piece in call.pieces():
                    yield piece

            return StreamReply(200, PLAIN, pieces())

        add(node, echo)
        talks = [Talk(node) for _ in range(20)]
        for talk in talks:
            talk.head("POST", "/test")
        for turn in range(10):
            for number, talk in enumerate(talks):
                talk.content(b"%d.%d " % (number, turn))
            await asyncio.sleep(0)
        for talk in reversed(talks):
            talk.end()
        for number, talk in enumerate(talks):
            answer = await talk.answer()
            assert answer.content == b"".join(b"%d.%d " % (number, turn) for turn in range(10))
            assert answer.receipt is not None

    streaming(test)


def test_a_replayed_exchange_is_told_inside_and_not_run() -> None:
    async def test(node: Inside) -> None:
        talk = Talk(node)
        talk.ask("GET", "/v1/models", b"")
        sent = list(talk._incoming._queue)  # type: ignore[attr-defined]
        await talk.answer()
        size = node.node.proof.size
        again = Talk(node)
        again._opener = talk.sealer.opener()
        for message in sent:
            again._incoming.put_nowait(message)
        answer = await again.answer()
        assert (answer.status, answer.error, answer.receipt) == (409, "ohttp.replayed", None)
        assert node.node.proof.size == size

    streaming(test)


def test_a_route_may_take_more_than_any_request() -> None:
    async def test(node: Inside) -> None:
        async def counts(call: Call) -> Reply:
            size = 0
            async for piece in call.pieces():
                size += len(piece)
            return Reply(200, PLAIN, b"%d" % size)

        add(node, counts, body_limit=1 << 18)
        for size, status in ((1 << 18, 200), ((1 << 18) + 1, 413)):
            talk = Talk(node)
            talk.head("POST", "/test")
            for at in range(0, size, 1 << 14):
                talk.content(bytes(min(1 << 14, size - at)))
            talk.end()
            assert (await talk.answer()).status == status
        talk = Talk(node)
        talk.head("POST", PIPELINE)
        for _ in range(3):
            talk.content(bytes(1 << 14))
        assert (await talk.answer()).status == 413

    streaming(test, limits__request_bytes=1 << 15)


def test_too_many_inputs_for_lines_are_refused_before_they_begin() -> None:
    async def test(node: Inside) -> None:
        answer = await node.ask("POST", PIPELINE, {"inputs": ["a"] * 3}, headers=LINES)
        assert (answer.status, answer.error) == (400, "engine.input")

    streaming(test, engine__max_texts=2)


def exchange(running: Served, version: str, sealer: ChunkedRequestSealer, *, times: int = 1) -> list[bytes]:
    """The same chunked request's kind over one socket, so many times; each answer as the socket gave it."""
    body = sealer.finish(bhttp.encode_request(bhttp.Request(b"GET", b"https", INNER_AUTHORITY, b"/v1/models")))
    lines = [f"POST /ohttp HTTP/{version}", "host: node", f"content-type: {OHTTP_CHUNKED_REQUEST}", f"content-length: {len(body)}"]
    head = "\r\n".join([*lines, "", ""])
    with running.connect() as connection, connection.makefile("rb") as answers:
        found = []
        for _ in range(times):
            connection.sendall(head.encode() + body)
            if version == "1.0":
                return [answers.read()]
            answer = b""
            while not answer.endswith(b"0\r\n\r\n"):
                answer += answers.readline()
            found.append(answer)
        return found


def test_over_http_1_1_the_outer_answer_is_chunked_and_the_connection_lives_on() -> None:
    with served(models={}) as running:
        assert running.node is not None
        sealer = ChunkedRequestSealer(parse_key_config(running.node.keyset.ohttp_keys[0].config))
        first, second = exchange(running, "1.1", sealer, times=2)
        assert b"transfer-encoding: chunked\r\n" in first
        assert b"content-length" not in first
        assert b"connection: close" not in second


def test_over_http_1_0_the_outer_answer_ends_with_the_connection_and_its_final_chunk_says_that_it_is_whole() -> None:
    with served(models={}) as running:
        assert running.node is not None
        sealer = ChunkedRequestSealer(parse_key_config(running.node.keyset.ohttp_keys[0].config))
        (answer,) = exchange(running, "1.0", sealer)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head
        opener = sealer.opener()
        message = b"".join((*opener.feed(body), opener.close()))
        assert bhttp.decode_response(message).response.status == 200
