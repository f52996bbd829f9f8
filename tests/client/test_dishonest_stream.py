"""Streams that are cut, changed or untrue at each stage: none of them ever looks complete."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from tests.client.nodes import Place, changed, place
from tests.client.streams import CUT, Given, Said, Streaming

import confide
from confide.client import items as items_module
from confide.codes import Code
from confide.receipt.model import ModelRef, Outcome, Status

COUNT = 3
Wire = Callable[[list[bytes]], Iterable[Any]]


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    with place() as there:
        yield there


def line(index: int, **members: Any) -> dict[str, Any]:
    return {"index": index, "output": "AAAAAA==", "tokens": 1, "truncated": False} | members


def last(here: Place, **members: Any) -> dict[str, Any]:
    told = {"done": True, "model": "encoder", "task": "sentence-embedding", "count": COUNT}
    return told | {"digest": here.policy.models["encoder"][0].hex()} | members


def honest(here: Place) -> list[Any]:
    return [*(line(index) for index in range(COUNT)), last(here)]


def outcome(here: Place, said: Said, policy: Any = None) -> tuple[int, confide.ConfideError | None, Streaming]:
    """How many items came, and how it ended."""
    transport, came = Streaming(here, said), 0
    with here.connect(transport=transport, policy=policy or here.policy) as node:
        stream = node.stream("encoder", ["a"] * COUNT)
        try:
            for _ in stream:
                came += 1
        except confide.ConfideError as error:
            with pytest.raises(confide.MisuseError):
                _ = stream.receipt
            assert all(given.closed for given in transport.given)
            return came, error, transport
        assert stream.receipt is not None
    return came, None, transport


def test_an_honest_stream_is_complete(here: Place) -> None:
    came, error, transport = outcome(here, Said(honest(here)))
    assert (came, error) == (COUNT, None)
    asked = transport.requests[0]
    assert (b"accept", b"application/x-ndjson") in asked.headers
    assert (b"confide-model-digest", here.policy.models["encoder"][0].hex().encode()) in asked.headers


def cut_at(count: int) -> Wire:
    return lambda pieces: [*pieces[:count], CUT]


def ended_at(count: int) -> Wire:
    return lambda pieces: pieces[:count]


@pytest.mark.parametrize("count", range(1, COUNT + 2))
@pytest.mark.parametrize("how", [cut_at, ended_at])
def test_a_stream_that_is_cut_after_any_chunk_is_truncated(here: Place, how: Callable[[int], Wire], count: int) -> None:
    came, error, _ = outcome(here, Said(honest(here), wire=how(count)))
    assert came == count - 1
    assert error is not None
    assert error.code is Code.OHTTP_TRUNCATED


def test_a_stream_that_is_cut_inside_its_final_chunk_is_refused(here: Place) -> None:
    for left in (1, 17, 100):
        _, error, _ = outcome(here, Said(honest(here), wire=lambda pieces, left=left: [*pieces[:-1], pieces[-1][:left]]))  # type: ignore[misc]
        assert error is not None
        assert error.code in {Code.OHTTP_TRUNCATED, Code.OHTTP_CHUNK}


def test_an_answer_that_breaks_before_its_head_is_asked_for_once_more(here: Place) -> None:
    came, error, transport = outcome(here, Said(honest(here), wire=cut_at(0)))
    assert came == 0
    assert error is not None
    assert error.code is Code.TRANSPORT_BROKEN
    assert "2 times" in error.found
    assert len(transport.requests) == 2


def swapped(pieces: list[bytes]) -> list[bytes]:
    return [pieces[0], pieces[2], pieces[1], *pieces[3:]]


def flipped(pieces: list[bytes]) -> list[bytes]:
    return [pieces[0], pieces[1][:-1] + bytes((pieces[1][-1] ^ 1,)), *pieces[2:]]


def doubled(pieces: list[bytes]) -> list[bytes]:
    return [pieces[0], pieces[1], pieces[1], *pieces[2:]]


def dropped(pieces: list[bytes]) -> list[bytes]:
    return [pieces[0], *pieces[2:]]


@pytest.mark.parametrize("wire", [swapped, flipped, doubled, dropped])
def test_chunks_that_are_not_in_their_place_are_refused(here: Place, wire: Wire) -> None:
    came, error, _ = outcome(here, Said(honest(here), wire=wire))
    assert came <= 1
    assert error is not None
    assert error.code is Code.OHTTP_CHUNK


def test_bytes_after_the_final_chunk_are_refused(here: Place) -> None:
    _, error, _ = outcome(here, Said(honest(here), wire=lambda pieces: [*pieces, b"more"]))
    assert error is not None
    assert error.code is Code.OHTTP_CHUNK


@pytest.mark.parametrize("end", [b"", b"\x05abc", b"\x00\x01x"])
def test_a_message_that_does_not_end_is_refused_though_its_chunks_do(here: Place, end: bytes) -> None:
    _, error, _ = outcome(here, Said(honest(here), message_end=end))
    assert error is not None
    assert error.code in {Code.BHTTP_TRUNCATED, Code.CLIENT_NO_RECEIPT}


def lines_of(here: Place) -> dict[str, list[Any]]:
    items = [line(index) for index in range(COUNT)]
    return {
        "no last line": items,
        "nothing": [],
        "an item missing": [*items[:-1], last(here)],
        "an item twice": [*items, items[0], last(here)],
        "an item of no input": [*items, line(COUNT), last(here)],
        "a negative index": [line(-1), *items, last(here)],
        "a line after the last": [*items, last(here), items[0]],
        "two last lines": [*items, last(here), last(here)],
        "another digest": [*items, last(here, digest="00" * 32)],
        "another task": [*items, last(here, task="text-classification")],
        "items of two tasks": [line(0), line(1, output=[{"label": "x", "score": 1.0}]), line(2), last(here)],
        "no output": [line(0, output=None)],
        "an empty output": [line(0, output=[])],
        "an output that is not base 64": [line(0, output="!")],
        "an output that is not float32": [line(0, output="AAA=")],
        "no tokens": [line(0, tokens=-1)],
        "a mark that is none": [line(0, truncated=1)],
        "another member": [line(0, more=1)],
        "no JSON": [b"{\n"],
        "no object": [b"[]\n"],
        "an empty line": [b"\n"],
        "a member twice": [b'{"index":0,"index":1,"output":"AAAAAA==","tokens":1,"truncated":false}\n'],
        "half a line at the end": [*items, last(here), b"{"],
        "done that is not": [*items, last(here, done=False)],
    }


@pytest.mark.parametrize("name", range(24))
def test_lines_that_are_no_answer_are_refused(here: Place, name: int) -> None:
    what, lines = list(lines_of(here).items())[name]
    _, error, _ = outcome(here, Said(lines))
    assert error is not None, what
    assert error.code is Code.CLIENT_ANSWER, what


def test_a_line_that_does_not_end_is_bounded(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items_module, "MAX_LINE", 1000)
    for lines in ([b" " * 1001], [b" " * 1001 + b"\n"], [b" " * 600] * 2):
        came, error, _ = outcome(here, Said(lines))
        assert came == 0
        assert error is not None
        assert error.code is Code.CLIENT_ANSWER


def test_an_error_line_is_the_nodes_error_and_nothing_after_it_counts(here: Place) -> None:
    failed = {"error": {"code": "engine.worker_died", "found": "x", "wanted": "y", "hint": "z", "meaning": "m"}}
    for wire in (list, cut_at(3)):
        came, error, _ = outcome(here, Said([line(0), failed, line(1), line(2), last(here)], wire=wire))
        assert came == 1
        assert isinstance(error, confide.RemoteError)
        assert error.code is Code.ENGINE_WORKER_DIED


def test_an_error_line_with_an_unknown_code_is_a_remote_error(here: Place) -> None:
    _, error, _ = outcome(here, Said([{"error": {"code": "node.teapot"}}]))
    assert isinstance(error, confide.RemoteError)
    assert error.code is Code.CLIENT_REMOTE


def test_another_media_type_inside_is_no_stream(here: Place) -> None:
    _, error, _ = outcome(here, Said(honest(here), headers=((b"content-type", b"application/json"),)))
    assert error is not None
    assert error.code is Code.CLIENT_ANSWER


def test_a_status_other_than_200_is_an_error(here: Place) -> None:
    body = {"error": {"code": "node.unknown_model"}}
    refused = Said([body], status=404, lies={"outcome": Outcome(Status.REFUSED, "node.unknown_model")})
    _, error, _ = outcome(here, refused)
    assert isinstance(error, confide.RemoteError)
    assert error.code is Code.NODE_UNKNOWN_MODEL


def test_a_stream_without_a_receipt_is_not_complete(here: Place) -> None:
    came, error, _ = outcome(here, Said(honest(here), lies=None))
    assert came == COUNT
    assert error is not None
    assert error.code is Code.CLIENT_NO_RECEIPT


def test_it_is_where_the_policy_says_so(here: Place) -> None:
    relaxed = changed(here.policy, ("[models]\n", '[require]\nreceipts = "unsafe_ignored"\n\n[models]\n'))
    with here.connect(transport=Streaming(here, Said(honest(here), lies=None)), policy=relaxed) as node:
        stream = node.stream("encoder", ["a"] * COUNT)
        assert len(list(stream)) == COUNT
        assert stream.receipt is None


@pytest.mark.parametrize(
    ("lies", "code"),
    [
        ({"outcome": Outcome(Status.ABORTED, "node.aborted")}, Code.RECEIPT_OUTCOME),
        ({"model": ModelRef("encoder", bytes(32), {})}, Code.RECEIPT_MODEL),
        ({"model": None}, Code.RECEIPT_MODEL),
        ({"response": b"another answer"}, Code.RECEIPT_RESPONSE),
        ({"request": b"another question"}, Code.RECEIPT_REQUEST),
        ({"enc": bytes(32)}, Code.RECEIPT_ENC),
    ],
    ids=str,
)
def test_a_receipt_that_does_not_prove_this_stream_is_refused(here: Place, lies: dict[str, Any], code: Code) -> None:
    came, error, _ = outcome(here, Said(honest(here), lies=lies))
    assert came == COUNT
    assert error is not None
    assert error.code is code


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (Given(iter([b"{}"]), media_type="application/json"), Code.CLIENT_NOT_SEALED),
        (Given(iter([b"x"]), media_type="message/ohttp-res"), Code.CLIENT_NOT_SEALED),
        (Given(iter([b""]), status=204, media_type=""), Code.CLIENT_NOT_SEALED),
        (Given(iter([b""]), status=503, media_type="text/html"), Code.TRANSPORT_STATUS),
        (Given(iter([b"x" * (1 << 20)] * 9), status=500, media_type="text/html"), Code.TRANSPORT_STATUS),
        (Given(iter([b""])), Code.OHTTP_TRUNCATED),
        (Given(iter([bytes(32), b"\x21" + bytes(33)])), Code.OHTTP_CHUNK),
        (Given(iter([bytes(32), b"\xff" * 8])), Code.OHTTP_CHUNK_LENGTH),
    ],
    ids=range(8),
)
def test_what_does_not_come_out_of_the_seal_is_no_stream(here: Place, given: Given, code: Code) -> None:
    transport = Streaming(here, given)
    with here.connect(transport=transport) as node, pytest.raises(confide.ConfideError) as caught:
        list(node.stream("encoder", "a"))
    assert caught.value.code is code
    assert given.closed
