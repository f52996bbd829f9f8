"""The node with the real models: the right neighbours, the same vectors on both routes, and batches that change nothing."""

import base64
import struct

import pytest
from tests.server.running import Inside, with_node
from tests.support_models import minilm_package, triage_package

from confide.client import similarity

pytestmark = pytest.mark.real_model
TEXTS = ["a doctor", "a physician", "the stock market", "a doctor " * 100]


def test_minilm_knows_a_doctor_and_answers_alike_on_both_routes_and_in_any_batch() -> None:
    async def test(node: Inside) -> None:
        body = {"inputs": TEXTS, "encoding_format": "base64"}
        together = (await node.ask("POST", "/v1/pipelines/minilm", body)).json["outputs"]
        vectors = [list(struct.unpack("<384f", base64.b64decode(text))) for text in together]
        assert similarity(vectors[0], vectors[1]) > 0.8
        assert similarity(vectors[0], vectors[2]) < 0.3
        for text, packed in zip(TEXTS, together, strict=True):
            alone = await node.ask("POST", "/v1/embeddings", {"model": "minilm", "input": text, "encoding_format": "base64"})
            assert alone.json["data"][0]["embedding"] == packed

    with_node(test, models={"minilm": minilm_package()})


def test_the_classifier_ranks_all_its_labels() -> None:
    async def test(node: Inside) -> None:
        body = {"inputs": ["I have only three tablets left, please send a new prescription."]}
        answer = await node.ask("POST", "/v1/pipelines/triage", body)
        (ranked,) = answer.json["outputs"]
        assert [item["score"] for item in ranked] == sorted((item["score"] for item in ranked), reverse=True)
        assert sum(item["score"] for item in ranked) == pytest.approx(1, abs=1e-4)
        assert ranked[0]["score"] > 0.4
        assert answer.receipt is not None
        assert answer.receipt.model is not None
        assert answer.receipt.model.package == node.node.keyset.models["triage"]

    with_node(test, models={"triage": triage_package()})
