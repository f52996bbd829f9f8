"""Inner routes, asked through the seal: right answers, exact errors, and a checked receipt on every one of them."""

import base64
import struct
from typing import Any

import pytest
from tests.server.running import JSON, Inside, Opened, with_node

from confide.receipt.model import Status
from confide.receipt.proof import LogProof

PIPELINE = "/v1/pipelines/encoder"
OK = {"inputs": ["a doctor", "a physician"]}


def ask(method: str, path: str, body: Any = None, *, flags: dict[str, Any] | None = None, **options: Any) -> Opened:
    async def once(node: Inside) -> Opened:
        return await node.ask(method, path, body, **options)

    return with_node(once, **(flags or {}))


def test_models_are_listed_with_digests_and_tasks() -> None:
    answer = ask("GET", "/v1/models")
    assert answer.status == 200
    assert {item["id"]: item["task"] for item in answer.json["data"]} == {
        "encoder": "sentence-embedding",
        "mood": "text-classification",
    }
    assert answer.receipt is not None
    assert answer.receipt.model is None
    assert answer.receipt.outcome.status is Status.COMPLETED


def test_an_encoder_answers_vectors_and_the_receipt_names_the_model() -> None:
    async def test(node: Inside) -> None:
        answer = await node.ask("POST", PIPELINE, OK)
        digest = node.node.keyset.models["encoder"]
        assert answer.status == 200
        assert answer.headers[b"content-type"] == b"application/json"
        assert answer.headers[b"confide-timing"].startswith(b"queue=")
        assert (answer.json["model"], answer.json["digest"], answer.json["task"]) == ("encoder", digest.hex(), "sentence-embedding")
        assert [len(vector) for vector in answer.json["outputs"]] == [4, 4]
        receipt = answer.receipt
        assert receipt is not None
        assert receipt.model is not None
        assert (receipt.model.alias, receipt.model.package) == ("encoder", digest)
        assert set(receipt.model.parts) == {"confide.toml", "model.onnx", "tokenizer.json"}
        assert receipt.engine.name == "onnxruntime"
        assert receipt.parameters == {"encoding_format": "float"}
        assert receipt.keyset_digest == node.node.keyset.digest

    with_node(test)


@pytest.mark.parametrize(("path", "encoding"), [(PIPELINE, "float"), (PIPELINE, "base64"), ("/v1/pipelines/mood", "float")])
def test_what_the_model_read_of_each_text_is_told(path: str, encoding: str) -> None:
    answer = ask("POST", path, {"inputs": ["a doctor", "a " * 40, "a " * 16], "encoding_format": encoding})
    assert set(answer.json) == {"model", "digest", "task", "outputs", "tokens", "truncated"}
    assert answer.json["tokens"] == [2, 16, 16]
    assert answer.json["truncated"] == [False, True, False]


def test_embeddings_keep_the_openai_shape_whatever_was_cut() -> None:
    answer = ask("POST", "/v1/embeddings", {"model": "encoder", "input": ["a " * 40, "a"]})
    assert set(answer.json) == {"object", "data", "model", "usage"}
    assert answer.json["usage"] == {"prompt_tokens": 17, "total_tokens": 17}


def test_base64_vectors_are_the_same_little_endian_floats() -> None:
    async def test(node: Inside) -> None:
        plain = await node.ask("POST", PIPELINE, OK)
        packed = await node.ask("POST", PIPELINE, {**OK, "encoding_format": "base64"})
        for floats, text in zip(plain.json["outputs"], packed.json["outputs"], strict=True):
            assert struct.unpack("<4f", base64.b64decode(text)) == pytest.approx(floats)

    with_node(test)


def test_a_classifier_answers_all_labels_best_first() -> None:
    answer = ask("POST", "/v1/pipelines/mood", {"inputs": ["good market", "bad stock"]})
    assert answer.json["task"] == "text-classification"
    for row in answer.json["outputs"]:
        assert {item["label"] for item in row} == {"negative", "positive"}
        assert [item["score"] for item in row] == sorted((item["score"] for item in row), reverse=True)
        assert sum(item["score"] for item in row) == pytest.approx(1)


@pytest.mark.parametrize("given", ["a doctor", ["a doctor", "market"]])
def test_embeddings_take_the_openai_shape(given: Any) -> None:
    answer = ask("POST", "/v1/embeddings", {"model": "encoder", "input": given, "user": "someone"})
    assert answer.json["object"] == "list"
    assert [item["index"] for item in answer.json["data"]] == list(range(1 if isinstance(given, str) else len(given)))
    assert answer.json["usage"]["prompt_tokens"] == answer.json["usage"]["total_tokens"] > 0


def test_a_required_digest_that_holds_is_served_and_another_refused_before_anything_runs() -> None:
    async def test(node: Inside) -> None:
        digest = node.node.keyset.models["encoder"].hex().encode()
        assert (await node.ask("POST", PIPELINE, OK, headers=(*JSON, (b"confide-model-digest", digest)))).status == 200
        for wanted in (b"0" * 64, digest.upper(), digest[:-1], b"", b"\xff"):
            for path, body in ((PIPELINE, OK), ("/v1/embeddings", {"model": "encoder", "input": "a"})):
                answer = await node.ask("POST", path, body, headers=(*JSON, (b"confide-model-digest", wanted)))
                assert (answer.status, answer.error) == (409, "node.model_digest")
                assert answer.receipt is not None
                assert answer.receipt.outcome.status is Status.REFUSED
                assert answer.receipt.outcome.code == "node.model_digest"
                assert answer.receipt.model is None

    with_node(test)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "node.route"),
        ("GET", "/v1", 404, "node.route"),
        ("GET", "/v1/models/", 404, "node.route"),
        ("GET", "/v1/models/encoder", 404, "node.route"),
        ("POST", "/v1/chat/completions", 404, "node.route"),
        ("POST", "/v1/pipelines/encoder/x", 404, "node.route"),
        ("POST", "/ohttp", 404, "node.route"),
        ("GET", "/.well-known/confide/evidence", 404, "node.route"),
        ("POST", "/v1/models", 405, "node.method"),
        ("GET", "/v1/pipelines/encoder", 405, "node.method"),
        ("DELETE", "/v1/embeddings", 405, "node.method"),
        ("POST", "/v1/receipts/0", 405, "node.method"),
        ("POST", "/v1/pipelines/other", 404, "node.unknown_model"),
        ("POST", "/v1/pipelines/", 404, "node.unknown_model"),
        ("POST", "/v1/pipelines/ENCODER", 404, "node.unknown_model"),
        ("POST", "/v1/pipelines/%2e%2e", 404, "node.unknown_model"),
    ],
)
def test_a_wrong_route_method_or_model_is_named_inside(method: str, path: str, status: int, code: str) -> None:
    answer = ask(method, path, OK if method == "POST" else None)
    assert (answer.status, answer.error) == (status, code)
    assert answer.receipt is not None
    assert answer.receipt.outcome.code == code


DEEP = b'{"inputs":' + b"[" * 40 + b"]" * 40 + b"}"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "json.malformed"),
        (b"{", "json.malformed"),
        (b"\xff\xfe", "json.malformed"),
        (b'{"inputs":["a"]} x', "json.malformed"),
        (b'{"inputs":["\\ud800"]}', "json.malformed"),
        (b'{"inputs":["a"],"parameters":{"x":NaN}}', "json.malformed"),
        (DEEP, "json.malformed"),
        (b'{"inputs":["a"],"inputs":["b"]}', "json.duplicate_member"),
        (b"[]", "json.shape"),
        (b"{}", "json.shape"),
        (b'{"inputs":"a"}', "json.shape"),
        (b'{"inputs":[]}', "json.shape"),
        (b'{"inputs":[1]}', "json.shape"),
        (b'{"inputs":[null]}', "json.shape"),
        (b'{"inputs":[["a"]]}', "json.shape"),
        (b'{"inputs":["a"],"parameters":[]}', "json.shape"),
        (b'{"inputs":["a"],"parameters":{"x":[1]}}', "json.shape"),
        (b'{"inputs":["a"],"encoding_format":"hex"}', "json.shape"),
        (b'{"inputs":["a"],"stream":true}', "json.shape"),
        (b'{"inputs":["a"],"parameters":{"no_such":1}}', "engine.parameter"),
        (b'{"inputs":["a"],"parameters":{"truncate":"yes"}}', "engine.parameter"),
        (b'{"inputs":["' + b"a " * 40 + b'"],"parameters":{"truncate":false}}', "engine.too_long"),
    ],
)
def test_a_wrong_body_is_refused_with_its_own_code(body: bytes, code: str) -> None:
    answer = ask("POST", PIPELINE, body)
    assert (answer.status, answer.error) == (400, code)
    assert set(answer.json["error"]) == {"code", "meaning", "found", "wanted", "hint"}
    assert answer.receipt is not None
    assert (answer.receipt.outcome.status, answer.receipt.outcome.code) == (Status.REFUSED, code)


def test_too_many_and_too_large_inputs_are_refused_by_the_engines_bounds() -> None:
    flags = {"engine__max_texts": 2, "engine__max_text_bytes": 1024}
    assert ask("POST", PIPELINE, {"inputs": ["a"] * 3}, flags=flags).error == "engine.input"
    assert ask("POST", PIPELINE, {"inputs": ["a" * 1025]}, flags=flags).error == "engine.input"
    assert ask("POST", PIPELINE, {"inputs": ["a" * 1024] * 2}, flags=flags).status == 200


@pytest.mark.parametrize("headers", [(), ((b"content-type", b"text/plain"),), ((b"content-type", b"application/json; charset=x"),)])
def test_only_json_is_taken(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    answer = ask("POST", PIPELINE, OK, headers=headers)
    assert (answer.status, answer.error) == (415, "node.media_type")


def test_a_header_given_twice_is_refused() -> None:
    assert ask("POST", PIPELINE, OK, headers=JSON + JSON).error == "node.bad_request"
    twice = (b"confide-model-digest", b"0" * 64)
    assert ask("POST", PIPELINE, OK, headers=(*JSON, twice, twice)).error == "node.bad_request"


def test_a_classifier_gives_no_embeddings() -> None:
    answer = ask("POST", "/v1/embeddings", {"model": "mood", "input": "a"})
    assert (answer.status, answer.error) == (422, "node.task")


@pytest.mark.parametrize(
    "body",
    [
        {"model": "encoder", "input": []},
        {"model": "encoder", "input": [1, 2]},
        {"model": 3, "input": "a"},
        {"input": "a"},
        {"model": "encoder", "input": "a", "dimensions": 2},
    ],
)
def test_embeddings_that_would_not_be_what_was_asked_for_are_refused(body: dict[str, Any]) -> None:
    assert ask("POST", "/v1/embeddings", body).error == "json.shape"


def test_errors_quote_no_content() -> None:
    secret = "my-private-diagnosis"
    bodies: list[Any] = [
        {"inputs": [secret], "parameters": {"no_such": secret}},
        {"inputs": secret},
        {"inputs": [secret], "encoding_format": secret},
        {"inputs": [{secret: secret}]},
        f'{{"inputs": ["{secret}'.encode(),
    ]

    async def test(node: Inside) -> None:
        for body in bodies:
            answer = await node.ask("POST", PIPELINE, body)
            assert answer.status == 400
            assert secret.encode() not in answer.content

    with_node(test)


def test_free_form_parameters_are_committed_to_and_not_shown() -> None:
    answer = ask("POST", PIPELINE, {"inputs": ["a"], "parameters": {"no_such": "diagnosis"}})
    assert answer.receipt is not None
    assert answer.receipt.parameters == {"encoding_format": "float"}
    assert answer.receipt.parameters_commitment is not None


def test_receipts_count_up_and_each_is_proven_in_the_log() -> None:
    async def test(node: Inside) -> None:
        for index in range(3):
            answer = await node.ask("GET", "/v1/models")
            assert answer.receipt is not None
            assert answer.receipt.log_index == index
        proof = await node.ask("GET", "/v1/receipts/1")
        assert proof.status == 200
        assert LogProof.parse(proof.content).index == 1

    with_node(test)


@pytest.mark.parametrize("index", ["7", "-1", "x", "", "1.0", "٣", "9" * 20])
def test_a_receipt_that_is_not_there_is_named(index: str) -> None:
    answer = ask("GET", "/v1/receipts/" + "".join(f"%{byte:02x}" for byte in index.encode()))
    assert (answer.status, answer.error) == (404, "log.index")


def test_chunked_requests_are_answered_chunked_and_proven_alike() -> None:
    answer = ask("POST", PIPELINE, OK, chunked=True)
    assert answer.status == 200
    assert answer.receipt is not None
    assert answer.receipt.outcome.status is Status.COMPLETED
