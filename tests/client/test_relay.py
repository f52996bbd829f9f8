"""httpx over a verified node: what travels where, which failures are httpx's and which are ours."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.client.nodes import Place, changed, place
from tests.client.streams import CUT, Said, Streaming

import confide
from confide.client import saved
from confide.client.relay import Proven
from confide.client.transport import Body, HttpTransport, Incoming, Outgoing, Reply
from confide.codes import Code
from confide.errors import TransportError
from confide.receipt.model import ModelRef

SECRET = "a-token-that-nobody-outside-may-see"
LINES = {"accept": "application/x-ndjson"}
INPUTS = {"inputs": ["good", "bad"]}


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    with place() as there:
        yield there


class Outside(HttpTransport):
    """Keeps every byte and header that leaves in clear."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.seen: list[bytes] = []

    def get(self, path: str, *, limit: int) -> Reply:
        self.seen.append(path.encode())
        return super().get(path, limit=limit)

    def post(self, path: str, body: bytes, *, headers: Mapping[str, str], limit: int) -> Reply:
        self._keep(path, body, headers)
        return super().post(path, body, headers=headers, limit=limit)

    def begin(self, path: str, body: Body, *, headers: Mapping[str, str]) -> Incoming:
        whole = b"".join(body.pieces()) if isinstance(body, Outgoing) else body
        self._keep(path, whole, headers)
        return super().begin(path, whole, headers=headers)

    def _keep(self, path: str, body: bytes, headers: Mapping[str, str]) -> None:
        self.seen += [path.encode(), body, repr(dict(headers)).encode()]
        assert set(headers) <= {"content-type", "accept", "confide-request-id", "incremental"}


def client(here: Place, **more: Any) -> httpx.Client:
    options = {"policy": here.policy, "state": None, "patience": 0.0, **more}
    return httpx.Client(transport=confide.transport(here.url, **options), base_url=here.url)


def proven(response: httpx.Response) -> Proven:
    found = response.extensions["confide"]
    assert isinstance(found, Proven)
    return found


def test_a_request_is_answered_through_the_seal_with_a_receipt(here: Place, tmp_path: Path) -> None:
    with client(here) as http:
        response = http.post("/v1/pipelines/mood", json=INPUTS)
    assert response.status_code == 200
    assert len(response.json()["outputs"]) == 2
    told = proven(response)
    assert told.receipt is not None
    assert told.verdict.simulated
    verdict = saved.verify(saved.find(told.save(tmp_path / "kept")), here.policy)
    assert verdict.receipt.log_index == told.receipt.log_index


def test_nothing_of_a_request_is_seen_outside(here: Place) -> None:
    outside = Outside(here.url)
    headers = {"authorization": f"Bearer {SECRET}", "cookie": f"a={SECRET}", "x-mine": SECRET}
    with client(here, transport=outside) as http:
        for body in (json.dumps({"inputs": [SECRET]}).encode(), iter([b'{"inputs":', f'["{SECRET}"]}}'.encode()])):
            for more in ({}, LINES):
                kind = "application/octet-stream" if more else "application/json"
                http.post(f"/v1/pipelines/mood?x={SECRET}", content=body, headers={**headers, **more, "content-type": kind})
    assert len(outside.seen) > 10
    for piece in outside.seen:
        for plain in (SECRET.encode(), b"mood", b"pipelines", b"authorization", b"inputs", b"python-httpx"):
            assert plain not in piece


def test_credentials_travel_inside_and_what_belongs_to_a_connection_does_not(here: Place) -> None:
    transport = Streaming(here, Said([{"ok": 1}]))
    headers = {
        "authorization": f"Bearer {SECRET}",
        "connection": "keep-alive, X-Hop",
        "x-hop": "1",
        "te": "trailers",
        "proxy-authorization": "x",
        "upgrade": "h2c",
        "confide-model-digest": "00" * 32,
        "user-agent": "mine",
    }
    with client(here, transport=transport) as http:
        http.post("/v1/pipelines/encoder", json=INPUTS, headers={**headers, **LINES})
    inner = transport.requests[0]
    names = [name for name, _ in inner.headers]
    assert dict(inner.headers)[b"authorization"] == f"Bearer {SECRET}".encode()
    assert dict(inner.headers)[b"user-agent"] == b"mine"
    assert names.count(b"confide-model-digest") == 1
    assert dict(inner.headers)[b"confide-model-digest"] == here.policy.models["encoder"][0].hex().encode()
    dropped = (b"host", b"connection", b"x-hop", b"te", b"proxy-authorization", b"upgrade", b"content-length", b"accept-encoding")
    assert not set(dropped) & set(names)
    assert inner.authority == b"enclave.invalid"


@pytest.mark.parametrize("url", ["https://enclave.invalid/v1/models", "/v1/models"])
def test_the_node_and_the_name_that_leads_nowhere_are_targets(here: Place, url: str) -> None:
    with client(here) as http:
        assert http.get(url).status_code == 200


@pytest.mark.parametrize(
    "url", ["https://api.openai.com/v1/models", "http://127.0.0.1:9/v1/models", "http://enclave.invalid.example/v1/models", "/../x"]
)
def test_other_targets_are_refused_before_anything_is_sent(here: Place, url: str) -> None:
    outside = Outside(here.url)
    if url.startswith("/"):
        options: dict[str, Any] = {"policy": here.policy, "state": None}
        http = httpx.Client(transport=confide.transport(here.url + "/team", transport=outside, **options), base_url=here.url)
    else:
        http = client(here, transport=outside)
    with http, pytest.raises(confide.MisuseError) as caught:
        http.get(url)
    assert caught.value.code is Code.CLIENT_TARGET
    assert outside.seen == []


def test_a_prefix_of_the_nodes_address_is_not_part_of_the_inner_path(here: Place) -> None:
    class Prefixed(Streaming):
        pass

    transport = Prefixed(here, Said([{"ok": 1}]))
    relay = confide.transport(here.url + "/team", here.policy, state=None, transport=transport)
    with httpx.Client(transport=relay, base_url=here.url + "/team/") as http:
        http.post("v1/pipelines/encoder", json=INPUTS, headers=LINES)
    assert transport.requests[0].path == b"/v1/pipelines/encoder"


def test_an_answer_is_streamed_and_its_receipt_is_there_at_the_end(here: Place, tmp_path: Path) -> None:
    with client(here, keep=True) as http, http.stream("POST", "/v1/pipelines/mood", json=INPUTS, headers=LINES) as response:
        told = proven(response)
        with pytest.raises(confide.MisuseError):
            _ = told.receipt
        lines = [json.loads(line) for line in response.iter_lines()]
        assert [line.get("index") for line in lines] == [0, 1, None]
        assert told.receipt is not None
        assert saved.verify(saved.find(told.save(tmp_path / "kept")), here.policy).receipt.model is not None


def test_a_streamed_answer_that_is_cut_raises_and_so_does_one_without_a_receipt(here: Place) -> None:
    lines = [{"index": 0}, {"index": 1}]
    for said, code in (
        (Said(lines, wire=lambda pieces: [*pieces[:2], CUT]), Code.OHTTP_TRUNCATED),
        (Said(lines, wire=lambda pieces: pieces[:-1]), Code.OHTTP_TRUNCATED),
        (Said(lines, lies=None), Code.CLIENT_NO_RECEIPT),
        (Said(lines, lies={"model": ModelRef("encoder", bytes(32), {})}), Code.RECEIPT_MODEL),
    ):
        transport = Streaming(here, said)
        with client(here, transport=transport) as http:
            request = http.stream("POST", "/v1/pipelines/encoder", json=INPUTS, headers=LINES)
            with pytest.raises(confide.ConfideError) as caught, request as response:
                response.read()
            assert caught.value.code is code
        assert transport.given[0].closed


def test_leaving_a_streamed_answer_closes_its_connection(here: Place) -> None:
    transport = Streaming(here, Said([{"index": index} for index in range(9)]))
    with client(here, transport=transport) as http:
        with http.stream("POST", "/v1/pipelines/encoder", json=INPUTS, headers=LINES) as response:
            next(response.iter_lines())
        assert transport.given[0].closed


def test_a_body_that_asks_for_a_stream_gets_one(here: Place) -> None:
    transport = Streaming(here, Said([{"index": 0}], headers=((b"content-type", b"text/event-stream"),)))
    with client(here, transport=transport) as http:
        body = {"model": "encoder", "input": "x", "stream": True}
        assert http.post("/v1/chat/completions", json=body).headers["content-type"] == "text/event-stream"
    assert len(transport.requests) == 1


@pytest.mark.parametrize(
    ("path", "content", "kind"),
    [
        ("/v1/embeddings", b'{"input": "x"}', "application/json"),
        ("/v1/embeddings", b'{"model": 1, "input": "x"}', "application/json"),
        ("/v1/embeddings", b'{"model": "encoder", "model": "other", "input": "x"}', "application/json"),
        ("/v1/embeddings", b'{"model": "encoder"', "application/json"),
        ("/v1/embeddings", b"model=encoder", "application/x-www-form-urlencoded"),
        ("/v1/audio/transcriptions", b"x", "multipart/form-data"),
        ("/v1/chat/completions", b"[]", "application/json"),
    ],
)
def test_a_body_that_does_not_name_one_model_is_not_sent(here: Place, path: str, content: bytes, kind: str) -> None:
    outside = Outside(here.url)
    with client(here, transport=outside) as http, pytest.raises(confide.MisuseError) as caught:
        http.post(path, content=content, headers={"content-type": kind})
    assert caught.value.code is Code.CLIENT_INPUT
    assert outside.seen == []


@pytest.mark.parametrize("request_", [("/v1/embeddings", {"model": "other", "input": "x"}), ("/v1/pipelines/other", INPUTS)])
def test_a_model_outside_the_policy_is_our_error_and_nothing_is_sent(here: Place, request_: tuple[str, Any]) -> None:
    outside = Outside(here.url)
    with client(here, transport=outside) as http, pytest.raises(confide.PolicyError) as caught:
        http.post(request_[0], json=request_[1])
    assert caught.value.code is Code.CLIENT_MODEL
    assert all(b"evidence" in piece for piece in outside.seen)


def test_a_node_that_the_policy_refuses_is_our_error_and_nothing_is_sent(here: Place) -> None:
    outside = Outside(here.url)
    production = changed(here.policy, ("unsafe_accept_simulated = true\n", ""))
    with client(here, policy=production, transport=outside) as http, pytest.raises(confide.ConfideError) as caught:
        http.post("/v1/pipelines/mood", json=INPUTS)
    assert caught.value.code is Code.X509_ROOT
    assert len(outside.seen) == 1


class Failing(HttpTransport):
    """Raises or answers in the place of the node, once it is verified."""

    def __init__(self, here: Place, said: Any) -> None:
        super().__init__(here.url)
        self.said = said

    def post(self, path: str, body: bytes, *, headers: Mapping[str, str], limit: int) -> Reply:  # noqa: ARG002
        if isinstance(self.said, Exception):
            raise self.said
        assert isinstance(self.said, Reply)
        return self.said


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (TransportError(Code.TRANSPORT_UNREACHABLE), httpx.ConnectError),
        (TransportError(Code.TRANSPORT_TIMEOUT), httpx.ReadTimeout),
        (TransportError(Code.TRANSPORT_BROKEN), httpx.RemoteProtocolError),
        (TransportError(Code.TRANSPORT_TOO_LARGE), httpx.RemoteProtocolError),
        (Reply(503, "text/html", b"busy"), httpx.RemoteProtocolError),
        (Reply(404, "text/html", b"not here"), httpx.RemoteProtocolError),
    ],
)
def test_failures_of_the_network_are_those_of_httpx(here: Place, said: Any, kind: type[Exception]) -> None:
    with client(here, transport=Failing(here, said)) as http, pytest.raises(kind) as caught:
        http.post("/v1/pipelines/mood", json=INPUTS)
    assert isinstance(caught.value.__cause__, confide.TransportError)
    assert "not here" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (Reply(200, "application/json", b'{"outputs": []}'), Code.CLIENT_NOT_SEALED),
        (Reply(200, "message/ohttp-res", bytes(100)), Code.OHTTP_RESPONSE),
        (Reply(200, "message/ohttp-res", b""), Code.OHTTP_TRUNCATED),
    ],
)
def test_what_verification_has_against_an_answer_is_ours(here: Place, said: Reply, code: Code) -> None:
    with client(here, transport=Failing(here, said)) as http, pytest.raises(confide.ConfideError) as caught:
        http.post("/v1/pipelines/mood", json=INPUTS)
    assert caught.value.code is code


def test_the_timeouts_of_httpx_are_kept(here: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        relay = confide.transport(url, here.policy, state=None, patience=0)
        with httpx.Client(transport=relay, base_url=url, timeout=0.3) as http, pytest.raises(httpx.ReadTimeout):
            http.get("/v1/models")
    with client(here) as http:
        assert http.get("/v1/models", timeout=httpx.Timeout(None)).status_code == 200


def test_the_twin_for_event_loops_does_the_same(here: Place) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"inputs":'
        yield b'["good"]}'

    async def run() -> None:
        relay = confide.async_transport(here.url, here.policy, state=None, patience=0)
        async with httpx.AsyncClient(transport=relay, base_url=here.url) as http:
            answers = await asyncio.gather(*(http.post("/v1/pipelines/mood", json=INPUTS) for _ in range(8)))
            assert len({proven(answer).receipt.log_index for answer in answers}) == 8  # type: ignore[union-attr]
            for kind in ("application/json", "application/octet-stream"):
                with_kind = {"content-type": kind}
                response = await http.post("/v1/pipelines/mood", content=pieces(), headers=with_kind)
                assert response.status_code in {200, 415}
            async with http.stream("POST", "/v1/pipelines/mood", json=INPUTS, headers=LINES) as response:
                lines = [line async for line in response.aiter_lines()]
                assert json.loads(lines[-1])["done"] is True
                assert proven(response).receipt is not None
            async with http.stream("POST", "/v1/pipelines/mood", json={"inputs": ["x"] * 50}, headers=LINES) as response:
                async for _ in response.aiter_lines():
                    break
            with pytest.raises(confide.MisuseError):
                await http.get("https://elsewhere.example/")
            with pytest.raises(confide.PolicyError):
                await http.post("/v1/pipelines/other", json=INPUTS)

    asyncio.run(run())


def test_a_client_of_the_wrong_kind_is_told_so(here: Place) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"{}"

    async def awaited() -> None:
        relay = confide.async_transport(here.url, here.policy, state=None)
        with pytest.raises(confide.MisuseError):
            await relay.handle_async_request(httpx.Request("POST", here.url + "/v1/x", content=iter([b"x"])))
        await relay.aclose()

    relay = confide.transport(here.url, here.policy, state=None)
    with pytest.raises(confide.MisuseError):
        relay.handle_request(httpx.Request("POST", here.url + "/v1/x", content=pieces()))
    relay.close()
    asyncio.run(awaited())


def test_a_closed_transport_is_not_used(here: Place) -> None:
    relay = confide.transport(here.url, here.policy, state=None)
    relay.close()
    with pytest.raises(confide.MisuseError) as caught:
        relay.handle_request(httpx.Request("GET", here.url + "/v1/models"))
    assert caught.value.code is Code.CLIENT_CLOSED
