"""The Open Inference Protocol inside the seal: texts in JSON and in binary tensors, and what no such body is."""

import json
import struct
from typing import Any

import pytest
from tests.server.running import Inside, Opened, with_node

TEXTS = ["a doctor", "the patient had pain", "a doctor"]
NAMES = {"encoder": ["embedding"], "mood": ["scores", "label"]}


def tensor(texts: list[str] | None = None, **changes: Any) -> dict[str, Any]:
    given = TEXTS if texts is None else texts
    return {"name": "text", "datatype": "BYTES", "shape": [len(given)], "data": given} | changes


def strings(texts: list[str]) -> bytes:
    return b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)


def binary(texts: list[str], *, size: int | None = None, **members: Any) -> tuple[bytes, int]:
    """A body with a binary tensor, and the length of its JSON part."""
    data = strings(texts)
    described = tensor(texts, parameters={"binary_data_size": len(data) if size is None else size})
    del described["data"]
    head = json.dumps({"inputs": [described], **members}).encode()
    return head + data, len(head)


async def infer(node: Inside, model: str, body: Any, length: int | None = None) -> Opened:
    more = () if length is None else ((b"inference-header-content-length", b"%d" % length),)
    headers = ((b"content-type", b"application/json"), *more)
    return await node.ask("POST", f"/v2/models/{model}/infer", body, headers=headers)


def tensors(answer: Opened) -> dict[str, Any]:
    """By name: values, out of JSON or of what follows it."""
    size = int(answer.headers.get(b"inference-header-content-length", len(answer.content)))
    head, at = json.loads(answer.content[:size]), size
    found = {}
    for output in head["outputs"]:
        values = output.get("data")
        if values is None:
            part = answer.content[at : at + output["parameters"]["binary_data_size"]]
            at += len(part)
            values = list(struct.unpack(f"<{len(part) // 4}f", part)) if output["datatype"] == "FP32" else part
        found[output["name"]] = values
    assert at == len(answer.content)
    return found


def test_what_the_server_and_a_model_say_of_themselves() -> None:
    async def test(node: Inside) -> None:
        assert (await node.ask("GET", "/v2")).json["extensions"] == ["binary_tensor_data"]
        for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/mood/ready"):
            assert (await node.ask("GET", path)).status == 200
        listed = {model["id"]: model for model in (await node.ask("GET", "/v1/models")).json["data"]}
        for name, outputs in NAMES.items():
            told = (await node.ask("GET", f"/v2/models/{name}")).json
            assert [output["name"] for output in told["outputs"]] == outputs
            assert told["versions"] == [listed[name]["digest"]]
            assert told["outputs"][0]["shape"] == [-1, listed[name]["dimension"]]
        assert (await node.ask("GET", "/v2/models/none")).error == "node.unknown_model"

    with_node(test)


@pytest.mark.parametrize("model", NAMES)
def test_json_and_binary_say_what_the_pipeline_says(model: str) -> None:
    async def test(node: Inside) -> None:
        plain = await infer(node, model, {"id": "7", "inputs": [tensor()]})
        assert (plain.status, plain.json["id"], plain.json["model_name"]) == (200, "7", model)
        assert plain.receipt is not None
        assert plain.receipt.model is not None
        body, length = binary(TEXTS, parameters={"binary_data_output": True})
        packed = await infer(node, model, body, length)
        assert packed.headers[b"content-type"] == b"application/octet-stream"
        one, other = tensors(plain), tensors(packed)
        wanted = (await node.ask("POST", f"/v1/pipelines/{model}", {"inputs": TEXTS})).json["outputs"]
        if model == "encoder":
            assert one["embedding"] == other["embedding"] == [value for row in wanted for value in row]
        else:
            assert one["scores"] == pytest.approx(other["scores"])
            assert one["label"] == [row[0]["label"] for row in wanted]
            assert other["label"] == strings(one["label"])

    with_node(test)


def test_shapes_may_be_nested_and_outputs_chosen_one_by_one() -> None:
    async def test(node: Inside) -> None:
        nested = tensor(shape=[3, 1], data=[[text] for text in TEXTS])
        outputs = [{"name": "label"}, {"name": "scores", "parameters": {"binary_data": True}}]
        answer = await infer(node, "mood", {"inputs": [nested], "outputs": outputs})
        head = json.loads(answer.content[: int(answer.headers[b"inference-header-content-length"])])
        assert [output["name"] for output in head["outputs"]] == ["label", "scores"]
        assert len(tensors(answer)["scores"]) == 3 * head["outputs"][1]["shape"][1]

    with_node(test)


def test_truncation_is_the_engines() -> None:
    async def test(node: Inside) -> None:
        long = tensor(["word " * 500])
        assert (await infer(node, "mood", {"inputs": [long]})).status == 200
        refused = await infer(node, "mood", {"inputs": [long], "parameters": {"truncate": False}})
        assert refused.error == "engine.too_long"

    with_node(test)


WRONG: dict[str, tuple[Any, int | None, str]] = {
    "another name": ({"inputs": [tensor(name="input")]}, None, "node.tensor"),
    "another type": ({"inputs": [tensor(datatype="FP32", data=[1.0, 2.0, 3.0])]}, None, "node.tensor"),
    "two inputs": ({"inputs": [tensor(), tensor()]}, None, "node.tensor"),
    "no input": ({"inputs": []}, None, "json.shape"),
    "fewer texts than the shape says": ({"inputs": [tensor(shape=[4])]}, None, "node.tensor"),
    "none at all": ({"inputs": [tensor([])]}, None, "node.tensor"),
    "a shape that is huge": ({"inputs": [tensor(shape=[1 << 30, 1 << 30])]}, None, "node.tensor"),
    "a shape of many axes": ({"inputs": [tensor(shape=[1] * 9)]}, None, "json.shape"),
    "numbers": ({"inputs": [tensor(data=[1, 2, 3])]}, None, "node.tensor"),
    "nested too deep": ({"inputs": [tensor(["a"], data=[[[[[["a"]]]]]])]}, None, "node.tensor"),
    "neither data nor a size": ({"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1]}]}, None, "node.tensor"),
    "both": ({"inputs": [tensor(parameters={"binary_data_size": 4})]}, None, "node.tensor"),
    "another output": ({"inputs": [tensor()], "outputs": [{"name": "logits"}]}, None, "node.tensor"),
    "an unknown member": ({"inputs": [tensor()], "priority": 1}, None, "json.shape"),
    "a length that is none": (json.dumps({"inputs": [tensor()]}).encode(), 1 << 20, "node.tensor"),
    "more behind the JSON than a tensor": (binary(["a"], size=4)[0], binary(["a"], size=4)[1], "node.tensor"),
    "less than it says": (binary(["a"], size=6)[0], binary(["a"], size=6)[1], "node.tensor"),
    "a string that ends behind it": (binary(["a"])[0][:-1] + b"", binary(["a"])[1], "node.tensor"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_request_is_refused_with_a_receipt(name: str) -> None:
    async def test(node: Inside) -> None:
        body, length, code = WRONG[name]
        answer = await infer(node, "mood", body, length)
        assert (answer.status, answer.error) == (400, code)
        assert answer.receipt is not None

    with_node(test)


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\x02\x00\x00\x00a", b"\x01\x00\x00", b"\x01\x00\x00\x00\xff"])
def test_strings_that_lie_about_their_length_or_are_no_utf8_are_refused(data: bytes) -> None:
    async def test(node: Inside) -> None:
        described = {"name": "text", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(data)}}
        head = json.dumps({"inputs": [described]}).encode()
        answer = await infer(node, "mood", head + data, len(head))
        assert (answer.status, answer.error) == (400, "node.tensor")

    with_node(test)


@pytest.mark.parametrize("text", ["", "  \n "])
def test_a_text_of_which_no_token_is_left_is_the_callers_mistake(text: str) -> None:
    async def test(node: Inside) -> None:
        answer = await infer(node, "encoder", {"inputs": [tensor(["a doctor", text])]})
        assert (answer.status, answer.error) == (400, "engine.input")
        assert (await node.ask("POST", "/v1/pipelines/mood", {"inputs": [text]})).error == "engine.input"
        assert (await infer(node, "encoder", {"inputs": [tensor()]})).status == 200

    with_node(test)


def test_another_package_than_the_client_wants_is_refused_before_it_runs() -> None:
    async def test(node: Inside) -> None:
        digest = (await node.ask("GET", "/v2/models/mood")).json["versions"][0].encode()
        for method, path, body in (("GET", "", None), ("GET", "/ready", None), ("POST", "/infer", {"inputs": [tensor()]})):
            for wanted, status in ((digest, 200), (b"0" * 64, 409)):
                headers = ((b"content-type", b"application/json"), (b"confide-model-digest", wanted))
                answer = await node.ask(method, f"/v2/models/mood{path}", body, headers=headers)
                assert answer.status == status
                assert status == 200 or answer.error == "node.model_digest"

    with_node(test)
