"""Sealed requests that are not right: coarse outside, exact inside, and never run."""

import asyncio
from typing import Any

import pytest
from tests.server.running import Inside, with_node

from confide.receipt.model import Status
from confide.seal import bhttp, ohttp
from confide.seal.chunked import ChunkedRequestSealer
from confide.seal.hpke import Aead
from confide.seal.keyconfig import build_key_config, parse_key_config
from confide.seal.padding import bucket
from confide.seal.problems import PROBLEM_KEY

MODELS = bhttp.encode_request(bhttp.Request(b"GET", b"https", ohttp.INNER_AUTHORITY, b"/v1/models"))
CHUNKED = "message/ohttp-chunked-req"


def test_every_key_and_every_aead_opens() -> None:
    async def test(node: Inside) -> None:
        for key in node.node.keyset.ohttp_keys:
            config = parse_key_config(key.config)
            for aead in Aead:
                sealed = ohttp.seal_request(config, MODELS, aead=aead)
                reply = await node.post(sealed.body)
                assert node.opened(MODELS, sealed.opener.open(reply.content), sealed.enc, config).status == 200

    with_node(test)


@pytest.mark.parametrize("kind", [ohttp.OHTTP_REQUEST, CHUNKED])
def test_one_flipped_bit_anywhere_is_the_same_coarse_answer(kind: str) -> None:
    async def test(node: Inside) -> None:
        whole = kind == ohttp.OHTTP_REQUEST
        answers = set()
        body = ohttp.seal_request(node.key, MODELS).body if whole else ChunkedRequestSealer(node.key).finish(MODELS)
        places = [0, 1, 2, 4, 6, 7, 500, 1100, 1126, len(body) - 17, len(body) - 1]
        for place in places if whole else places[:-3]:
            flipped = bytearray(body)
            flipped[place] ^= 1
            reply = await node.post(bytes(flipped), kind=kind)
            assert reply.status_code == 422, place
            assert reply.headers["content-type"] == "application/problem+json"
            answers.add(reply.content)
        assert len(answers) == 1
        assert PROBLEM_KEY.encode() in answers.pop()
        assert node.node.proof.size == 0

    with_node(test)


def test_a_request_to_another_nodes_key_or_an_unknown_id_is_a_key_problem() -> None:
    async def test(node: Inside) -> None:
        ids = {key.key_id for key in node.node.keyset.ohttp_keys}
        unknown = next(number for number in range(256) if number not in ids)
        config = build_key_config(unknown, node.key.kem, node.key.public_key)
        reply = await node.post(ohttp.seal_request(config, MODELS).body)
        assert (reply.status_code, reply.json()["type"]) == (422, PROBLEM_KEY)

    with_node(test)


@pytest.mark.parametrize("kind", [ohttp.OHTTP_REQUEST, CHUNKED])
def test_truncated_bodies_are_no_sealed_requests(kind: str) -> None:
    async def test(node: Inside) -> None:
        body = ohttp.seal_request(node.key, MODELS).body if kind == ohttp.OHTTP_REQUEST else b""
        body = body or ChunkedRequestSealer(node.key).finish(MODELS)
        for size in (0, 1, 6, 7, 8, 600, 1127, 1127 + 15):
            reply = await node.post(body[:size], kind=kind)
            assert reply.status_code in {400, 422}, size
            assert "message/ohttp" not in reply.headers["content-type"]
        assert node.node.proof.size == 0

    with_node(test)


def test_a_truncated_chunked_request_whose_first_chunk_opened_is_told_inside_and_not_run() -> None:
    async def test(node: Inside) -> None:
        for damage in ("cut", "flip", "reorder", "drop"):
            sealer = ChunkedRequestSealer(node.key)
            start = sealer.write(MODELS[:5])
            chunks = [sealer.write(MODELS[5:9]), sealer.write(MODELS[9:20]), sealer.finish(MODELS[20:])]
            if damage == "cut":
                chunks = chunks[:2]
            elif damage == "flip":
                chunks[1] = chunks[1][:-1] + bytes([chunks[1][-1] ^ 1])
            elif damage == "reorder":
                chunks[:2] = chunks[1::-1]
            else:
                del chunks[1]
            reply = await node.post(start + b"".join(chunks), kind=CHUNKED)
            assert reply.status_code == 200
            opener = sealer.opener()
            answer = bhttp.decode_response(b"".join((*opener.feed(reply.content), opener.close()))).response
            assert answer.status == 400, damage
            assert (b'"ohttp.truncated"' if damage == "cut" else b'"ohttp.chunk"') in answer.content
        assert node.node.proof.size == 0

    with_node(test)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_replay_is_refused_inside_without_a_receipt_and_nothing_runs(chunked: bool) -> None:
    async def test(node: Inside) -> None:
        sealer = ChunkedRequestSealer(node.key)
        sealed = ohttp.seal_request(node.key, MODELS)
        body, kind = (sealer.finish(MODELS), CHUNKED) if chunked else (sealed.body, ohttp.OHTTP_REQUEST)
        assert (await node.post(body, kind=kind)).status_code == 200
        assert node.node.proof.size == 1
        replies = await asyncio.gather(*(node.post(body, kind=kind) for _ in range(3)))
        for reply in replies:
            opener = sealer.opener()
            opened = b"".join((*opener.feed(reply.content), opener.close())) if chunked else sealed.opener.open(reply.content)
            answer = bhttp.decode_response(opened).response
            assert answer.status == 409
            assert b"ohttp.replayed" in answer.content
            assert answer.trailers == ()
        assert node.node.proof.size == 1

    with_node(test)


def test_the_same_request_sent_at_once_runs_once() -> None:
    async def test(node: Inside) -> None:
        sealed = ohttp.seal_request(node.key, MODELS)
        replies = await asyncio.gather(*(node.post(sealed.body) for _ in range(8)))
        statuses = sorted(bhttp.decode_response(sealed.opener.open(reply.content)).response.status for reply in replies)
        assert statuses == [200, *[409] * 7]

    with_node(test)


def test_a_full_replay_store_refuses_instead_of_forgetting() -> None:
    async def test(node: Inside) -> None:
        first = ohttp.seal_request(node.key, MODELS)
        await node.post(first.body)
        assert (await node.ask("GET", "/v1/models")).status == 200
        full = await node.ask("GET", "/v1/models")
        assert (full.status, full.error) == (503, "ohttp.replay_store_full")
        again = bhttp.decode_response(first.opener.open((await node.post(first.body)).content)).response
        assert b"ohttp.replayed" in again.content

    with_node(test, limits__replay_entries=2)


@pytest.mark.parametrize(
    ("scheme", "authority"),
    [(b"https", b"example.org"), (b"http", b"enclave.invalid"), (b"https", b""), (b"https", b"enclave.invalid:443")],
)
def test_another_target_is_refused_inside(scheme: bytes, authority: bytes) -> None:
    async def test(node: Inside) -> None:
        answer = await node.ask("", "", request=bhttp.Request(b"GET", scheme, authority, b"/v1/models"))
        assert (answer.status, answer.error) == (421, "node.authority")
        assert answer.receipt is not None
        assert answer.receipt.outcome.status is Status.REFUSED

    with_node(test)


@pytest.mark.parametrize("message", [b"", b"\x00", b"\x01\x40\xc8", b"\x05", MODELS[:-2] + b"\x01", MODELS + b"\x01", MODELS[:9]])
def test_a_message_that_is_no_request_is_refused_inside_with_a_receipt(message: bytes) -> None:
    async def test(node: Inside) -> None:
        sealed = ohttp.seal_request(node.key, message)
        reply = await node.post(sealed.body)
        answer = node.opened(message, sealed.opener.open(reply.content), sealed.enc, node.key)
        assert answer.status == 400
        assert answer.error.startswith("bhttp.")
        assert answer.receipt is not None
        assert answer.receipt.outcome.code == answer.error

    with_node(test)


def test_a_bug_inside_is_coarse_even_inside_and_leaves_no_content_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    secret = "my-private-diagnosis"

    async def test(node: Inside) -> None:
        async def broken(*_: Any, **__: Any) -> None:
            raise ValueError(secret)

        node.node.engine.run = broken  # type: ignore[method-assign,assignment] # a bug, as close to one as a test can get
        answer = await node.ask("POST", "/v1/pipelines/encoder", {"inputs": [secret]})
        assert (answer.status, answer.error) == (500, "node.internal")
        assert answer.json["error"]["found"] == ""
        assert answer.receipt is not None
        assert (answer.receipt.outcome.status, answer.receipt.outcome.code) == (Status.FAILED, "node.internal")

    with_node(test)
    assert "ValueError at test_sealed.py" in caplog.text
    assert secret not in caplog.text


def test_an_inner_application_that_stops_half_way_never_looks_complete() -> None:
    async def test(node: Inside) -> None:
        async def half(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})

        node.node.app._sealed._inner = half  # type: ignore[union-attr]
        answer = await node.ask("GET", "/v1/models")
        assert (answer.status, answer.error) == (500, "node.internal")
        assert b"half" not in answer.content

    with_node(test)


def test_a_model_that_takes_too_long_is_answered_inside() -> None:
    async def test(node: Inside) -> None:
        async def slow(*_: Any, **__: Any) -> None:
            await asyncio.sleep(5)

        node.node.engine.run = slow  # type: ignore[method-assign,assignment] # no real model is slow enough for a test
        answer = await node.ask("POST", "/v1/pipelines/encoder", {"inputs": ["a"]})
        assert (answer.status, answer.error) == (504, "node.timeout")
        assert answer.receipt is not None
        assert answer.receipt.outcome.status is Status.FAILED

    with_node(test, limits__run_ms=50)


def test_a_full_engine_is_429_with_the_reason_inside() -> None:
    async def test(node: Inside) -> None:
        asked = (node.ask("POST", "/v1/pipelines/encoder", {"inputs": ["a"] * 64}) for _ in range(12))
        answers = await asyncio.gather(*asked)
        busy = [answer for answer in answers if answer.status != 200]
        assert busy
        assert {(answer.status, answer.error) for answer in busy} == {(429, "engine.busy")}
        assert all(answer.receipt and answer.receipt.outcome.code == "engine.busy" for answer in busy)

    with_node(test, engine__queue_jobs=1, engine__batch_jobs=1)


def test_answers_are_padded_to_buckets_unless_switched_off() -> None:
    async def size(node: Inside) -> int:
        sealed = ohttp.seal_request(node.key, MODELS)
        return len(sealed.opener.open((await node.post(sealed.body)).content))

    padded, bare = with_node(size), with_node(size, pad_responses=False)
    assert padded == bucket(padded)
    assert bare < padded


def test_an_answer_that_cannot_be_proven_is_not_given(caplog: pytest.LogCaptureFixture) -> None:
    async def test(node: Inside) -> None:
        await node.node.proof.close()
        answer = await node.ask("POST", "/v1/pipelines/encoder", {"inputs": ["a"]})
        assert (answer.status, answer.error, answer.receipt) == (500, "node.internal", None)

    with_node(test)
    assert "ReceiptError at log.py" in caplog.text


def test_the_longest_parameters_that_are_taken_fit_the_receipt() -> None:
    async def test(node: Inside) -> None:
        names = [f"{number:02}" + "\x01" * 30 for number in range(16)]
        answer = await node.ask(
            "POST", "/v1/pipelines/encoder", {"inputs": ["a"], "parameters": dict.fromkeys(names, "\x01" * 128)}
        )
        assert (answer.status, answer.error) == (400, "engine.parameter")
        assert answer.receipt is not None
        for parameters in (dict.fromkeys(map(str, range(17)), 1), {"a" * 33: 1}, {"a": "b" * 129}):
            assert (
                await node.ask("POST", "/v1/pipelines/encoder", {"inputs": ["a"], "parameters": parameters})
            ).error == "json.shape"

    with_node(test)
