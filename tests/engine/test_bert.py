"""The graph against a second implementation: a BERT forward pass in plain numpy, straight from the original tensors; no torch."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.engine.helpers import with_engine
from tests.support_models import (
    TINY,
    bert_folder,
    minilm_original,
    minilm_package,
    minilm_weights,
    random_weights,
    tiny_vocabulary,
)
from tokenizers import Tokenizer

from confide.codes import Code
from confide.engine import ClassificationOutput, EmbeddingOutput, Engine, LoadedModel, Package, open_package
from confide.engine.pack import pack
from confide.errors import PackageError

Array = npt.NDArray[np.float64]
SENTENCES = [
    "The weather is lovely today.",
    "It's so sunny outside!",
    "He drove to the stadium.",
    "A doctor examined the patient, who was 73 years old.",
    "naïve café — 東京 🙂",
    "",
    "word " * 200,
]


class Referee:
    """BERT (arXiv 1810.04805) in float64, one text at a time, written from the paper and the tensors' names."""

    def __init__(self, weights: Mapping[str, npt.NDArray[Any]], config: Mapping[str, Any]) -> None:
        self._weights = {name.removeprefix("bert."): value.astype(np.float64) for name, value in weights.items()}
        self._config = config

    def hidden(self, ids: list[int]) -> Array:
        """Token vectors of the last layer."""
        w = self._weights
        value = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][: len(ids)]
        value = self._norm("embeddings.LayerNorm", value + w["embeddings.token_type_embeddings.weight"][0])
        for layer in range(self._config["num_hidden_layers"]):
            value = self._layer(f"encoder.layer.{layer}", value)
        return value

    def sentence(self, ids: list[int]) -> Array:
        """Mean over tokens, length 1."""
        mean = self.hidden(ids).mean(axis=0)
        return np.asarray(mean / np.linalg.norm(mean))

    def scores(self, ids: list[int]) -> Array:
        """A sequence classification head with softmax."""
        logits = self._dense("classifier", np.tanh(self._dense("pooler.dense", self.hidden(ids)[0])))
        powers = np.exp(logits - np.max(logits))
        return np.asarray(powers / powers.sum())

    def _layer(self, name: str, value: Array) -> Array:
        heads = self._config["num_attention_heads"]
        size = self._config["hidden_size"] // heads
        query, key, values = (self._dense(f"{name}.attention.self.{part}", value) for part in ("query", "key", "value"))
        mixed = []
        for head in range(heads):
            cut = slice(head * size, (head + 1) * size)
            scores = query[:, cut] @ key[:, cut].T / math.sqrt(size)
            powers = np.exp(scores - scores.max(axis=1, keepdims=True))
            mixed.append(powers / powers.sum(axis=1, keepdims=True) @ values[:, cut])
        dense = self._dense(f"{name}.attention.output.dense", np.concatenate(mixed, axis=1))
        middle = self._norm(f"{name}.attention.output.LayerNorm", dense + value)
        inner = self._activate(self._dense(f"{name}.intermediate.dense", middle))
        return self._norm(f"{name}.output.LayerNorm", self._dense(f"{name}.output.dense", inner) + middle)

    def _activate(self, value: Array) -> Array:
        match self._config["hidden_act"]:
            case "relu":
                return np.maximum(value, 0)
            case "gelu":
                return np.asarray(value * 0.5 * (1 + np.vectorize(math.erf)(value / math.sqrt(2))))
            case _:
                return np.asarray(0.5 * value * (1 + np.tanh(math.sqrt(2 / math.pi) * (value + 0.044715 * value**3))))

    def _dense(self, name: str, value: Array) -> Array:
        return value @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _norm(self, name: str, value: Array) -> Array:
        centred = value - value.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self._config["layer_norm_eps"])
        return np.asarray(scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"])


def answers(package: Package, texts: list[str]) -> Any:
    """What the engine answers: vectors, or scores."""

    async def body(engine: Engine, model: LoadedModel) -> Any:
        outputs = (await engine.run(model.digest, texts)).outputs
        return np.array(outputs.vectors() if isinstance(outputs, EmbeddingOutput) else outputs.scores)

    return with_engine(body, package)


def encoder(tokenizer: bytes, max_tokens: int) -> Any:
    """Ids by a tokenizer of the test's own."""
    own = Tokenizer.from_buffer(tokenizer)
    own.no_padding()
    own.enable_truncation(max_tokens)
    return lambda text: own.encode(text).ids


@pytest.mark.real_model
def test_minilm_equals_the_numpy_forward_pass_to_four_decimals() -> None:
    config = {"num_hidden_layers": 6, "num_attention_heads": 12, "hidden_size": 384, "hidden_act": "gelu", "layer_norm_eps": 1e-12}
    referee, ids = Referee(minilm_weights(), config), encoder(minilm_original("tokenizer.json"), 256)
    wanted = np.array([referee.sentence(ids(text)) for text in SENTENCES])
    found = answers(open_package(minilm_package()), SENTENCES)
    assert np.abs(found - wanted).max() < 2e-6


@pytest.mark.real_model
def test_minilm_has_the_similarities_that_sentence_transformers_publishes() -> None:
    """The example on the model's own documentation page, computed there with torch: 0.6660, 0.1046, 0.1411."""
    vectors = answers(open_package(minilm_package()), SENTENCES[:3])
    assert np.allclose(vectors @ vectors.T, [[1, 0.6660, 0.1046], [0.6660, 1, 0.1411], [0.1046, 0.1411, 1]], atol=5e-5)


@pytest.mark.real_model
def test_minilm_tells_physicians_from_stock_markets() -> None:
    vectors = answers(open_package(minilm_package()), ["a doctor", "a physician", "the stock market"])
    similar = vectors @ vectors.T
    assert similar[0, 1] > 0.8
    assert similar[0, 2] < 0.2


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "gelu_pytorch_tanh", "relu"])
def test_tiny_encoders_equal_the_numpy_forward_pass(tmp_path: Path, activation: str) -> None:
    source = bert_folder(tmp_path / "source", hidden_act=activation, layer_norm_eps=1e-5)
    package = pack(source, tmp_path / "m.confide").package
    config = TINY | {"vocab_size": len(tiny_vocabulary()), "hidden_act": activation, "layer_norm_eps": 1e-5}
    referee, ids = Referee(random_weights(config), config), encoder(package.read("tokenizer.json"), package.manifest.pre.max_tokens)
    texts = ["the word is hot", "a", "", "of and to in is it you that was"]
    assert np.abs(answers(package, texts) - np.array([referee.sentence(ids(text)) for text in texts])).max() < 1e-5


def test_tiny_classifiers_equal_the_numpy_forward_pass(tiny_classifier: Package) -> None:
    config = TINY | {"vocab_size": len(tiny_vocabulary())}
    referee, ids = Referee(random_weights(config, labels=3), config), encoder(tiny_classifier.read("tokenizer.json"), 64)
    texts = ["the word is hot", "a", ""]
    assert np.abs(answers(tiny_classifier, texts) - np.array([referee.scores(ids(text)) for text in texts])).max() < 1e-5


def test_the_graph_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    source = bert_folder(tmp_path / "source")
    first, second = (pack(source, tmp_path / f"{name}.confide", name="m").package for name in "ab")
    assert first.digest == second.digest


def test_an_unknown_activation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError) as caught:
        pack(bert_folder(tmp_path / "source", hidden_act="swish"), tmp_path / "m.confide")
    assert caught.value.code is Code.PACKAGE_ARCHITECTURE


def test_a_wrong_tensor_would_be_noticed(tmp_path: Path) -> None:
    """The referee can fail: another seed gives other vectors."""
    package = pack(bert_folder(tmp_path / "source"), tmp_path / "m.confide").package
    config = TINY | {"vocab_size": len(tiny_vocabulary())}
    referee, ids = Referee(random_weights(config, seed=8), config), encoder(package.read("tokenizer.json"), 64)
    assert np.abs(answers(package, ["the word"]) - referee.sentence(ids("the word"))).max() > 1e-2


def test_classifier_answers_have_the_type_of_their_task(tiny_classifier: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        assert isinstance((await engine.run(model.digest, ["x"])).outputs, ClassificationOutput)

    with_engine(body, tiny_classifier)
