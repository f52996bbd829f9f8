"""The official `openai` package, unchanged, over a verified node: embeddings, errors, and nothing in clear on the wire.

It takes clients of httpx as they are; its annotations, from version 3 on, name the fork that it uses by default, hence the casts.
"""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import httpx
import openai
import pytest
from tests.client.nodes import Place, changed, place

import confide
from confide.client.relay import Proven
from confide.codes import Code
from confide.policy.model import Policy

KEY = "sk-nobody-outside-may-see-this"
TEXT = "a patient with a rare disease"


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    with place() as there:
        yield there


def more(here: Place) -> Policy:
    """A policy that accepts a model which the node does not hold."""
    return changed(here.policy, ("[models]\n", f'[models]\nlater = ["{"ab" * 32}"]\n'))


@contextmanager
def client(here: Place, *, policy: Policy | None = None, url: str = "", patience: float = 0.0) -> Iterator[openai.OpenAI]:
    relay = confide.transport(url or here.url, policy or here.policy, state=None, patience=patience)
    with httpx.Client(transport=relay) as http:
        yield openai.OpenAI(base_url=f"{url or here.url}/v1", api_key=KEY, http_client=cast("Any", http), max_retries=0)


@pytest.mark.parametrize("encoding", ["float", "base64", None])
def test_embeddings_are_those_of_our_own_client(here: Place, encoding: str | None) -> None:
    with here.connect() as node:
        wanted = node.run("encoder", [TEXT, "b"]).embeddings
    options = {} if encoding is None else {"encoding_format": encoding}
    with client(here) as ai:
        answer = ai.embeddings.create(model="encoder", input=[TEXT, "b"], **options)  # type: ignore[arg-type]
    assert answer.model == "encoder"
    assert answer.usage.total_tokens > 0
    if encoding == "base64":
        assert all(isinstance(item.embedding, str) for item in answer.data)
    else:
        found = [item.embedding for item in answer.data]
        assert all(a == pytest.approx(b, abs=1e-6) for a, b in zip(found, wanted, strict=True))


def test_each_answer_has_its_receipt(here: Place) -> None:
    with client(here) as ai:
        raw = ai.embeddings.with_raw_response.create(model="encoder", input=TEXT)
    told = raw.http_response.extensions["confide"]
    assert isinstance(told, Proven)
    assert told.receipt is not None
    assert told.receipt.model is not None
    assert told.receipt.model.package == here.policy.models["encoder"][0]


def test_models_are_listed(here: Place) -> None:
    with client(here) as ai:
        assert {model.id for model in ai.models.list()} == {"encoder", "mood"}


def test_the_nodes_refusals_are_openais_errors(here: Place) -> None:
    with client(here, policy=more(here)) as ai:
        with pytest.raises(openai.NotFoundError) as missing:
            ai.embeddings.create(model="later", input=TEXT)
        with pytest.raises(openai.BadRequestError):
            ai.embeddings.create(model="encoder", input=[])
        with pytest.raises(openai.UnprocessableEntityError):
            ai.embeddings.create(model="mood", input=TEXT)
    assert missing.value.body["code"] == "node.unknown_model"  # type: ignore[index]


def test_a_model_outside_the_policy_is_our_error(here: Place) -> None:
    with client(here) as ai, pytest.raises(confide.PolicyError) as caught:
        ai.embeddings.create(model="text-embedding-3-small", input=TEXT)
    assert caught.value.code is Code.CLIENT_MODEL


def test_a_node_that_is_not_the_policys_is_our_error_and_not_tried_again(here: Place) -> None:
    production = changed(here.policy, ("unsafe_accept_simulated = true\n", ""))
    with client(here, policy=production) as ai, pytest.raises(confide.EvidenceError):
        ai.with_options(max_retries=5).embeddings.create(model="encoder", input=TEXT)


def test_a_node_that_is_away_is_openais_connection_error(here: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with client(here, url=f"http://127.0.0.1:{port}") as ai, pytest.raises(openai.APIConnectionError):
        ai.embeddings.create(model="encoder", input=TEXT)


def test_a_node_that_is_silent_is_openais_timeout(here: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with client(here, url=url) as ai, pytest.raises(openai.APITimeoutError):
            ai.with_options(timeout=0.3).embeddings.create(model="encoder", input=TEXT)


def test_the_asynchronous_client_does_the_same(here: Place) -> None:
    async def run() -> None:
        relay = confide.async_transport(here.url, more(here), state=None, patience=0)
        async with httpx.AsyncClient(transport=relay) as http:
            ai = openai.AsyncOpenAI(
                base_url="https://enclave.invalid/v1", api_key=KEY, http_client=cast("Any", http), max_retries=0
            )
            several = await asyncio.gather(*(ai.embeddings.create(model="encoder", input=TEXT) for _ in range(4)))
            assert len({tuple(answer.data[0].embedding) for answer in several}) == 1
            based = await ai.embeddings.create(model="encoder", input=TEXT, encoding_format="base64")
            assert isinstance(cast("Any", based.data[0].embedding), str)
            with pytest.raises(openai.NotFoundError):
                await ai.embeddings.create(model="later", input=TEXT)
            with pytest.raises(openai.BadRequestError):
                await ai.embeddings.create(model="encoder", input=[])
            with pytest.raises(confide.PolicyError):
                await ai.embeddings.create(model="other", input=TEXT)

    asyncio.run(run())


class Tap:
    """Passes bytes between client and node, and keeps what it saw."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.seen = bytearray()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(self.target)
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                self.seen += data
                sink.sendall(data)
        except OSError:
            pass
        finally:
            sink.close()


def test_nothing_crosses_the_wire_in_clear(here: Place) -> None:
    tap = Tap(here.node.address)
    with client(here, url=tap.url) as ai:
        answer = ai.embeddings.create(model="encoder", input=TEXT, user="a-person")
        with pytest.raises(openai.BadRequestError):
            ai.embeddings.create(model="encoder", input=[])
    tap.listener.close()
    assert len(answer.data) == 1
    assert tap.seen.count(b"POST /ohttp") == 2
    _, sealed = bytes(tap.seen).split(b"POST /ohttp", 1)  # what comes before is the evidence, which names the models
    for plain in (KEY, TEXT, "disease", "/v1/", "encoder", "a-person", "Bearer", "openai", "OpenAI", "authorization", "stainless"):
        assert plain.lower().encode() not in sealed.lower(), plain
