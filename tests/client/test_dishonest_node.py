"""A node that holds the attested keys and answers badly all the same: what it says is opened, judged, and not handed out.

Its software would be other than the policy accepts, so this cannot happen to a verified node; the client does not rest on that.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.client.nodes import Place, changed, place

import confide
from confide.client.session import _first_key
from confide.client.transport import HttpTransport, Reply
from confide.codes import Code
from confide.policy.verdict import Verdict
from confide.receipt.deliver import to_trailers
from confide.receipt.issue import issue
from confide.receipt.model import COMPLETED, EngineRef, ModelRef, Outcome, Status
from confide.seal import bhttp
from confide.seal.ohttp import OHTTP_RESPONSE, Gateway

Fields = tuple[tuple[bytes, bytes], ...]
JSON = ((b"content-type", b"application/json"),)
RECEIPT = b"confide-receipt"


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    with place() as there:
        yield there


class Dishonest(HttpTransport):
    """Evidence from the real node; requests are opened with the node's own keys and answered by `say`."""

    def __init__(self, here: Place, say: Callable[[bhttp.Request], bhttp.Response]) -> None:
        super().__init__(here.url)
        node = here.node.node
        assert node is not None
        self.gateway, self.say = Gateway(node.key_store), say

    def post(self, path: str, body: bytes, *, headers: Mapping[str, str], limit: int) -> Reply:  # noqa: ARG002
        opened = self.gateway.open(body)
        said = self.say(bhttp.decode_request(opened.message))
        return Reply(200, OHTTP_RESPONSE, opened.sealer.seal(bhttp.encode_response(said)))


def refused(here: Place, *, status: int = 200, content: Any = None, trailers: Fields = (), **policy: Any) -> confide.ConfideError:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    transport = Dishonest(here, lambda _: bhttp.Response(status, JSON, body, trailers=trailers))
    with here.connect(transport=transport, **policy) as node, pytest.raises(confide.ConfideError) as caught:
        node.run("encoder", "a doctor")
    return caught.value


def output(here: Place, **members: Any) -> dict[str, Any]:
    vector = base64.b64encode(bytes(16)).decode()
    digest = here.policy.models["encoder"][0].hex()
    told = {"tokens": [3], "truncated": [False]}
    return {"model": "encoder", "digest": digest, "task": "sentence-embedding", "outputs": [vector]} | told | members


def relaxed(here: Place) -> dict[str, Any]:
    """A policy that can do without receipts, and says so."""
    edits = ("[models]\n", '[require]\nreceipts = "unsafe_ignored"\n\n[models]\n')
    return {"policy": changed(here.policy, edits)}


def test_an_answer_without_a_receipt_is_not_handed_out(here: Place) -> None:
    error = refused(here, content=output(here))
    assert isinstance(error, confide.ReceiptError)
    assert error.code is Code.CLIENT_NO_RECEIPT


def test_it_is_where_the_policy_says_so_and_the_verdict_tells(here: Place) -> None:
    body = json.dumps(output(here)).encode()
    transport = Dishonest(here, lambda _: bhttp.Response(200, JSON, body))
    with here.connect(transport=transport, **relaxed(here)) as node:
        answer = node.run("encoder", "a doctor")
    assert answer.receipt is None
    assert any("receipts" in item.setting for item in answer.verdict.relaxations)


@pytest.mark.parametrize(
    ("trailers", "code"),
    [
        (((RECEIPT, b"!"),), Code.RECEIPT_MALFORMED),
        (((RECEIPT, base64.b64encode(b"{}")),), Code.RECEIPT_MALFORMED),
        (((RECEIPT, b"e30="), (RECEIPT, b"e30=")), Code.RECEIPT_MALFORMED),
    ],
)
def test_a_receipt_that_is_none_is_refused_whatever_the_policy_requires(here: Place, trailers: Fields, code: Code) -> None:
    for policy in ({}, relaxed(here)):
        assert refused(here, content=output(here), trailers=trailers, **policy).code is code


def test_a_receipt_of_another_exchange_is_refused(here: Place) -> None:
    with here.connect() as node:
        kept = node.run("encoder", "a doctor").record
    fields = ((RECEIPT, base64.b64encode(kept.receipt or b"")), (b"confide-salts", base64.b64encode(kept.salts or b"")))
    assert refused(here, content=output(here), trailers=fields).code in {Code.RECEIPT_ENC, Code.RECEIPT_REQUEST}


class Signed(Dishonest):
    """Answers completely, under a receipt signed by the real key, of which some members lie."""

    def __init__(self, here: Place, **lies: Any) -> None:
        super().__init__(here, lambda _: bhttp.Response(200, JSON, json.dumps(output(here)).encode()))
        self.here, self.lies = here, lies

    def post(self, path: str, body: bytes, *, headers: Mapping[str, str], limit: int) -> Reply:  # noqa: ARG002
        opened, node = self.gateway.open(body), self.here.node.node
        assert node is not None
        said = self.say(bhttp.decode_request(opened.message))
        prefix = bhttp.encode_response_prefix(said.status, said.headers, said.content)
        members: dict[str, Any] = {
            "key": node.keys.receipt,
            "keyset_digest": node.keyset.digest,
            "key_config": opened.key_config.raw,
            "enc": opened.enc,
            "request": opened.message,
            "response": prefix,
            "model": ModelRef("encoder", self.here.policy.models["encoder"][0], {}),
            "engine": EngineRef("test", "1", bytes(32)),
            "software_digest": node.keyset.software_digest,
            "parameters": {},
            "outcome": COMPLETED,
            "log_index": 0,
            "issued_at": datetime.now(UTC).replace(microsecond=0),
        }
        issued = issue(**members | self.lies)
        return Reply(200, OHTTP_RESPONSE, opened.sealer.seal(bhttp.finish_response(prefix, to_trailers(issued))))


def test_the_receipt_signed_by_the_real_key_is_accepted_when_nothing_lies(here: Place) -> None:
    with here.connect(transport=Signed(here)) as node:
        assert node.run("encoder", "a doctor").receipt is not None


@pytest.mark.parametrize(
    ("lies", "code"),
    [
        ({"outcome": Outcome(Status.FAILED, Code.ENGINE_FAILED.value)}, Code.RECEIPT_OUTCOME),
        ({"outcome": Outcome(Status.REFUSED, Code.NODE_ROUTE.value)}, Code.RECEIPT_OUTCOME),
        ({"model": ModelRef("encoder", bytes(32), {})}, Code.RECEIPT_MODEL),
        ({"model": None}, Code.RECEIPT_MODEL),
        ({"response": b"another answer"}, Code.RECEIPT_RESPONSE),
        ({"request": b"another question"}, Code.RECEIPT_REQUEST),
        ({"enc": bytes(32)}, Code.RECEIPT_ENC),
    ],
    ids=str,
)
def test_a_receipt_that_does_not_prove_this_answer_is_refused(here: Place, lies: dict[str, Any], code: Code) -> None:
    with here.connect(transport=Signed(here, **lies)) as node, pytest.raises(confide.ReceiptError) as caught:
        node.run("encoder", "a doctor")
    assert caught.value.code is code


@pytest.mark.parametrize(
    "members",
    [
        {"digest": "00" * 32},
        {"outputs": []},
        {"outputs": ["AAAAAA==", "AAAAAA=="]},
        {"task": "tea-leaves"},
        {"tokens": []},
        {"tokens": [3, 3]},
        {"truncated": []},
        {"truncated": [False, True]},
    ],
    ids=str,
)
def test_an_answer_that_does_not_fit_the_question_is_refused(here: Place, members: dict[str, Any]) -> None:
    assert refused(here, content=output(here, **members), **relaxed(here)).code is Code.CLIENT_ANSWER


@pytest.mark.parametrize("content", [b"", b"<html>", {"error": "no"}])
def test_an_error_without_a_code_is_refused(here: Place, content: Any) -> None:
    assert refused(here, status=500, content=content).code is Code.CLIENT_ANSWER


def test_an_error_with_an_unknown_code_is_a_remote_error(here: Place) -> None:
    error = refused(here, status=418, content={"error": {"code": "node.teapot"}})
    assert isinstance(error, confide.RemoteError)
    assert error.code is Code.CLIENT_REMOTE


def test_a_list_of_models_of_another_shape_is_refused(here: Place) -> None:
    transport = Dishonest(here, lambda _: bhttp.Response(200, JSON, b'{"data": [{"name": "x"}]}'))
    with here.connect(transport=transport) as node, pytest.raises(confide.ChannelError) as caught:
        node.models()
    assert caught.value.code is Code.CLIENT_ANSWER


def test_a_request_says_inside_the_seal_which_model_it_wants(here: Place) -> None:
    asked: list[bhttp.Request] = []

    def listen(request: bhttp.Request) -> bhttp.Response:
        asked.append(request)
        return bhttp.Response(503, JSON, b'{"error": {"code": "node.draining"}}')

    with here.connect(transport=Dishonest(here, listen)) as node, pytest.raises(confide.RemoteError):
        node.run("encoder", "a doctor")
    headers = dict(asked[0].headers)
    assert headers[b"confide-model-digest"] == here.policy.models["encoder"][0].hex().encode()
    assert (asked[0].authority, asked[0].path) == (b"enclave.invalid", b"/v1/pipelines/encoder")


def test_a_verdict_without_a_key_opens_no_channel() -> None:
    with pytest.raises(confide.ChannelError) as caught:
        _first_key(cast("Verdict", SimpleNamespace(ohttp_key_configs=())))
    assert caught.value.code is Code.CLIENT_NO_KEY
