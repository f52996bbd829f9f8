"""Bodies of the official Triton client (`tritonclient`), made and read by it, over a verified node: JSON and binary tensors.

Its own connections are gevent's and take no transport, so what travels is sent by httpx.
"""

from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from tests.client.nodes import Place, place
from tritonclient.http import (  # type: ignore[import-untyped]
    InferenceServerClient,
    InferInput,
    InferRequestedOutput,
    InferResult,
)

import confide

TEXTS = ["a patient with a rare disease", "Ünïcödé: 東京", "x"]
LENGTH = "inference-header-content-length"


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    with place() as there:
        yield there


def ask(here: Place, *, binary: bool, texts: list[str], outputs: list[Any] | None = None, **more: Any) -> InferResult:
    """As `InferenceServerClient.infer` does it, but for the connection."""
    tensor = InferInput("text", [len(texts)], "BYTES")
    tensor.set_data_from_numpy(np.array([text.encode() for text in texts], dtype=np.object_), binary_data=binary)
    body, size = InferenceServerClient.generate_request_body([tensor], outputs=outputs, request_id="7", **more)
    headers = {} if size is None else {"Inference-Header-Content-Length": str(size)}
    relay = confide.transport(here.url, here.policy, state=None)
    with httpx.Client(transport=relay) as http:
        reply = http.post(f"{here.url}/v2/models/encoder/infer", content=body, headers=headers)
    assert reply.status_code == 200, reply.text
    found = reply.headers.get(LENGTH)
    return InferenceServerClient.parse_response_body(reply.content, header_length=None if found is None else int(found))


@pytest.mark.parametrize("binary", [False, True])
def test_vectors_are_those_of_our_own_client(here: Place, binary: bool) -> None:
    with here.connect() as node:
        wanted = np.array(node.run("encoder", TEXTS).embeddings, dtype=np.float32)
    outputs = [InferRequestedOutput("embedding", binary_data=binary)]
    found = ask(here, binary=binary, texts=TEXTS, outputs=outputs)
    assert found.get_response()["id"] == "7"
    assert found.as_numpy("embedding").shape == wanted.shape
    np.testing.assert_allclose(found.as_numpy("embedding"), wanted, atol=1e-6)


def test_its_default_asks_for_all_outputs_in_binary(here: Place) -> None:
    found = ask(here, binary=True, texts=TEXTS[:1])
    assert found.get_output("embedding")["parameters"]["binary_data_size"] == found.as_numpy("embedding").nbytes
