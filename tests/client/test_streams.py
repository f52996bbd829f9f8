"""Streams of an honest node: items as they come, the receipt at the end, and what leaving early does."""

import asyncio
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.client.nodes import Place, place
from tests.client.streams import CUT, Said, Streaming

import confide
from confide.client import saved
from confide.client.streaming import may_restart
from confide.codes import Code

JSON = (("content-type", "application/json"),)
TEXTS = ["good", "bad " * 40, "a doctor"]


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    with place() as there:
        yield there


def test_items_come_with_values_and_the_receipt_is_there_at_the_end(here: Place) -> None:
    with here.connect() as node:
        stream = node.stream("mood", TEXTS)
        items = sorted(stream, key=lambda item: item.index)
        whole = node.run("mood", TEXTS)
        assert stream.receipt is not None
        assert stream.verdict == node.verdict
    assert [item.value for item in items] == whole.ranked
    assert tuple(item.tokens for item in items) == whole.tokens
    assert tuple(item.truncated for item in items) == whole.truncated


def test_an_item_shows_no_value_in_its_repr(here: Place) -> None:
    with here.connect() as node:
        (item,) = node.stream("mood", "good")
    assert "positive" not in repr(item)


def test_a_kept_stream_is_an_answer_that_verifies_later(here: Place, tmp_path: Path) -> None:
    with here.connect() as node:
        stream = node.stream("encoder", TEXTS, keep=True)
        for _ in stream:
            pass
        assert stream.answer.embeddings == node.run("encoder", TEXTS).embeddings
        folder = stream.answer.save(tmp_path / "kept")
    verdict = saved.verify(saved.find(folder), here.policy)
    assert verdict.receipt.log_index == stream.receipt.log_index  # type: ignore[union-attr]


def test_a_changed_byte_of_a_kept_stream_is_noticed(here: Place, tmp_path: Path) -> None:
    with here.connect() as node:
        stream = node.stream("encoder", TEXTS, keep=True)
        list(stream)
    folder = stream.answer.save(tmp_path / "kept")
    response = folder / saved.RESPONSE
    response.write_bytes(response.read_bytes().replace(b'"index":0', b'"index":1'))
    with pytest.raises(confide.ReceiptError) as caught:
        saved.verify(saved.find(folder), here.policy)
    assert caught.value.code is Code.RECEIPT_RESPONSE


def test_a_stream_that_was_not_kept_has_no_answer_and_one_that_runs_no_receipt(here: Place) -> None:
    with here.connect() as node:
        stream = node.stream("mood", TEXTS)
        for _ in stream:
            with pytest.raises(confide.MisuseError):
                _ = stream.receipt
        with pytest.raises(confide.MisuseError) as caught:
            _ = stream.answer
    assert "keep=True" in caught.value.wanted


def test_a_stream_is_iterated_once(here: Place) -> None:
    with here.connect() as node:
        stream = node.stream("mood", TEXTS)
        list(stream)
        with pytest.raises(confide.MisuseError):
            list(stream)


def test_leaving_early_closes_the_connection_and_the_node_stays_usable(here: Place) -> None:
    transport = Streaming(here, Said([{"index": i, "output": "AAAAAA==", "tokens": 1, "truncated": False} for i in range(9)]))
    with here.connect(transport=transport) as node:
        stream = node.stream("encoder", ["a"] * 9)
        for item in stream:
            if item.index == 2:
                break
        assert transport.given[0].closed
        with pytest.raises(confide.MisuseError) as caught:
            _ = stream.receipt
        assert "closed" in caught.value.found


def test_leaving_early_stops_the_node(here: Place) -> None:
    app = here.node.node.app  # type: ignore[union-attr]
    with here.connect() as node:
        for _ in node.stream("mood", ["good"] * 60):
            break
        _until(lambda: app.in_flight == 0)
        assert node.run("mood", "good").receipt is not None


def test_a_refusal_comes_with_its_code(here: Place) -> None:
    with here.connect() as node, pytest.raises(confide.RemoteError) as caught:
        list(node.stream("mood", TEXTS, no_such_parameter=1))
    assert caught.value.code is Code.ENGINE_PARAMETER


def test_a_model_outside_the_policy_is_refused_before_anything_is_sent(here: Place) -> None:
    transport = Streaming(here, Said())
    with here.connect(transport=transport) as node, pytest.raises(confide.PolicyError):
        list(node.stream("other", "x"))
    assert transport.given == []


def test_a_long_stream_needs_little_memory(here: Place) -> None:
    line = b'{"index": %d, "output": "AAAAAA==", "tokens": 1, "truncated": false}' + b" " * 4000 + b"\n"
    said = Said(line % i for i in range(4000))
    transport = Streaming(here, said)
    said.wire = lambda pieces: pieces  # 16 MiB, made before the client reads
    with here.connect(transport=transport) as node:
        items = iter(node.stream("encoder", ["a"] * 4000))
        next(items)
        tracemalloc.start()
        with pytest.raises(confide.ChannelError):  # the digest line is missing, which shows at the end
            for _ in items:
                pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 1 << 20


def test_a_request_is_streamed_in_chunks_that_hide_its_pieces(here: Place) -> None:
    transport = Streaming(here, Said([{"ok": 1}]))
    with here.connect(transport=transport) as node:
        done = node.request("POST", "/v1/pipelines/encoder", JSON, (b"x" * 1000 for _ in range(100)), model="encoder")
    assert transport.requests[0].content == b"x" * 100_000
    assert done.receipt is not None
    assert done.request is None
    framing = 1120 + 7 + 4 + 16  # enc, header, length, tag
    assert all(size <= (1 << 14) + framing for size in transport.sent[:-1])
    assert len(transport.sent) == 7


def test_a_real_node_takes_a_streamed_request(here: Place) -> None:
    with here.connect() as node:
        done = node.request("POST", "/v1/pipelines/mood", JSON, iter([b'{"inputs": ["go', b"", b'od"]}']), model="mood")
        assert done.status == 200
        assert done.receipt is not None
        assert done.receipt.model is not None
        assert node.request("GET", "/v1/models").content != b""


def test_a_source_that_fails_breaks_the_request_off(here: Place) -> None:
    def broken() -> Iterator[bytes]:
        yield b"{"
        raise ZeroDivisionError

    with here.connect() as node:
        with pytest.raises(ZeroDivisionError):
            node.request("POST", "/v1/pipelines/mood", JSON, broken(), model="mood")
        assert node.run("mood", "good").receipt is not None


@pytest.mark.parametrize("source", [["text"], [1], [None]])
def test_pieces_that_are_no_bytes_are_misuse(here: Place, source: list[object]) -> None:
    with here.connect() as node, pytest.raises(confide.MisuseError):
        node.request("POST", "/v1/pipelines/mood", JSON, source, model="mood")  # type: ignore[arg-type]


def test_an_asynchronous_source_needs_the_asynchronous_twin(here: Place) -> None:
    async def source() -> AsyncIterator[bytes]:
        yield b"{}"

    with here.connect() as node, pytest.raises(confide.MisuseError) as caught:
        node.request("POST", "/v1/pipelines/mood", JSON, source(), model="mood")
    assert "connect_async" in caught.value.hint


def test_only_what_can_begin_anew_is_sent_again(here: Place, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    with (tmp_path / "x").open("rb") as file:
        assert not may_restart(file)
    assert not may_restart(iter([b""]))
    assert may_restart([b""])
    assert may_restart(None)


def test_a_list_is_sent_again_after_a_lost_answer_and_a_generator_is_not(here: Place) -> None:
    for source, code in (([b"{}"], None), (iter([b"{}"]), Code.TRANSPORT_BROKEN)):
        lost = Said(wire=lambda _: [CUT])
        transport = Streaming(here, lost, Said([{"ok": 1}]))
        with here.connect(transport=transport) as node:
            if code is None:
                assert node.request("POST", "/v1/pipelines/encoder", JSON, source, model="encoder").status == 200
            else:
                with pytest.raises(confide.TransportError) as caught:
                    node.request("POST", "/v1/pipelines/encoder", JSON, source, model="encoder")
                assert caught.value.code is code
            assert all(given.closed for given in transport.given)


def test_async_streams_do_the_same(here: Place) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"inputs":'
        yield b'["good"]}'

    async def run() -> None:
        async with confide.connect_async(here.url, policy=here.policy, state=None, patience=0) as node:
            stream = node.stream("mood", TEXTS, keep=True)
            assert [item.index async for item in stream] == [0, 1, 2]
            assert stream.receipt is not None
            assert len(stream.answer.labels) == 3
            for source in (pieces(), [b'{"inputs":["good"]}'], iter([b'{"inputs":["good"]}'])):
                done = await node.request("POST", "/v1/pipelines/mood", JSON, source, model="mood")
                assert done.status == 200
            async with node.stream("mood", ["good"] * 60) as left:
                async for _ in left:
                    break
            assert (await node.run("mood", "good")).receipt is not None
            with pytest.raises(confide.RemoteError):
                async for _ in node.stream("mood", "x", no_such_parameter=1):
                    pass

    asyncio.run(run())


def _until(condition: object) -> None:
    deadline = time.monotonic() + 10
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)
