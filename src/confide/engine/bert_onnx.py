"""A BERT encoder as an ONNX graph, built from its weights without torch (Devlin et al. 2018, arXiv 1810.04805).

    embeddings   word + position + token type 0, layer norm
    each layer   attention: softmax(Q K^T / sqrt(d)) V by head, dense, + residual, layer norm
                 feed-forward: dense, activation, dense, + residual, layer norm
    then         nothing (token vectors); or mean over tokens, L2 norm, linear; or tanh(dense(first token)), linear

The graph takes `input_ids` alone: rows are never padded, so there is no mask; texts come one at a time, so there is one token type.
Operators are standard ONNX, opset 20. Query, key and value are one product. Needs `confide[pack]` (onnx, numpy); nodes do not.
Left to others: reading the weights (`hf_folder.py`), the package around it (`pack.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from confide.codes import Code
from confide.engine.quantize import Dense
from confide.errors import PackageError

OPSET = 20  # Gelu; LayerNormalization is 17
IR_VERSION = 9
Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class BertConfig:
    """The numbers of a Hugging Face `config.json` that decide the graph, under their own names."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float
    hidden_act: str

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.hidden_size // self.num_attention_heads


@dataclass(frozen=True)
class LinearHead:
    """A linear classifier on L2-normalised mean-pooled vectors."""

    weight: Array  # [labels, hidden]
    bias: Array  # [labels]


def tensor_shapes(config: BertConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the encoder's tensors, as `transformers` saves a `BertModel`."""
    hidden, inner = config.hidden_size, config.intermediate_size
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (config.vocab_size, hidden),
        "embeddings.position_embeddings.weight": (config.max_position_embeddings, hidden),
        "embeddings.token_type_embeddings.weight": (config.type_vocab_size, hidden),
        "embeddings.LayerNorm.weight": (hidden,),
        "embeddings.LayerNorm.bias": (hidden,),
    }
    for layer in range(config.num_hidden_layers):
        dense = {
            "attention.self.query": (hidden, hidden),
            "attention.self.key": (hidden, hidden),
            "attention.self.value": (hidden, hidden),
            "attention.output.dense": (hidden, hidden),
            "intermediate.dense": (inner, hidden),
            "output.dense": (hidden, inner),
        }
        for name, shape in dense.items():
            shapes[f"encoder.layer.{layer}.{name}.weight"] = shape
            shapes[f"encoder.layer.{layer}.{name}.bias"] = shape[:1]
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[f"encoder.layer.{layer}.{name}.weight"] = shapes[f"encoder.layer.{layer}.{name}.bias"] = (hidden,)
    return shapes


def build(
    config: BertConfig,
    tensors: Mapping[str, Array],
    *,
    head: LinearHead | None = None,
    classifier: bool = False,
    dense: Dense | None = None,
) -> tuple[bytes, str]:
    """The serialised graph and the name of its output: token vectors, or `logits` with a head.

    `classifier` uses the tensors `pooler.dense.*` and `classifier.*` of a `BertForSequenceClassification`; `dense` makes the
    encoder's dense layers in another way (`quantize`).
    """
    graph = _Graph(dense)
    hidden = _embeddings(graph, config, tensors)
    for layer in range(config.num_hidden_layers):
        hidden = _layer(graph, config, tensors, f"encoder.layer.{layer}", hidden)
    dims: tuple[str | int, ...]
    if classifier:
        output, dims = _bert_classifier(graph, tensors, hidden), ("texts", len(tensors["classifier.bias"]))
    elif head is not None:
        output, dims = _pooled_linear(graph, head, hidden), ("texts", len(head.bias))
    else:
        output, dims = graph.add("Identity", hidden, name="last_hidden_state"), ("texts", "tokens", config.hidden_size)
    return graph.serialise(output, dims), output


class _Graph:
    """Nodes and weights as they come; names are those of the weights."""

    def __init__(self, dense: Dense | None = None) -> None:
        self._dense = dense
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, onnx.TensorProto] = {}

    def weight(self, name: str, value: npt.NDArray[np.generic]) -> str:
        """An initialiser; a name given again is the same one."""
        if name not in self._weights:
            self._weights[name] = numpy_helper.from_array(np.asarray(value, order="C"), name)
        return name

    def ints(self, *values: int) -> str:
        """A constant int64 vector."""
        return self.weight("ints_" + "_".join(map(str, values)), np.array(values, dtype=np.int64))

    def add(self, operator: str, *inputs: str, name: str, **attributes: Any) -> str:
        """One node with one output of the same name."""
        self._nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def split(self, value: str, names: Sequence[str]) -> None:
        """Cut axis 1 into equal parts."""
        self._nodes.append(helper.make_node("Split", [value], list(names), name=f"{value}.split", axis=1, num_outputs=len(names)))

    def dense(self, tensors: Mapping[str, Array], name: str, value: str) -> str:
        """x W^T + b, as `torch.nn.Linear` stores them."""
        if self._dense is not None and name.startswith("encoder."):
            return self._dense(self, tensors[f"{name}.weight"], tensors[f"{name}.bias"], name, value)
        product = self.add("MatMul", value, self.weight(f"{name}.weight", tensors[f"{name}.weight"].T), name=f"{name}.product")
        return self.add("Add", product, self.weight(f"{name}.bias", tensors[f"{name}.bias"]), name=name)

    def norm(self, tensors: Mapping[str, Array], name: str, value: str, epsilon: float) -> str:
        """Layer norm over the last axis (Ba et al. 2016)."""
        scale, shift = (self.weight(f"{name}.{part}", tensors[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.add("LayerNormalization", value, scale, shift, name=name, axis=-1, epsilon=epsilon)

    def serialise(self, output: str, dims: Sequence[str | int]) -> bytes:
        """The model's bytes; deterministic, as protobuf fields are written in order and there are no maps."""
        inputs = [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["texts", "tokens"])]
        outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, list(dims))]
        graph = helper.make_graph(self._nodes, "bert", inputs, outputs, list(self._weights.values()))
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="confide")
        return bytes(model.SerializeToString(deterministic=True))


def _embeddings(graph: _Graph, config: BertConfig, tensors: Mapping[str, Array]) -> str:
    """Word + position + type; all texts have type 0, whose row is added to every position."""
    word = graph.weight("word_embeddings", tensors["embeddings.word_embeddings.weight"])
    table = tensors["embeddings.position_embeddings.weight"] + tensors["embeddings.token_type_embeddings.weight"][0]
    positions = graph.weight("position_and_type_embeddings", table.astype(np.float32))
    shape = graph.add("Shape", "input_ids", name="tokens", start=1, end=2)
    words = graph.add("Gather", word, "input_ids", name="words")
    places = graph.add("Slice", positions, graph.ints(0), shape, graph.ints(0), name="places")
    total = graph.add("Add", words, places, name="embeddings")
    return graph.norm(tensors, "embeddings.LayerNorm", total, config.layer_norm_eps)


def _layer(graph: _Graph, config: BertConfig, tensors: Mapping[str, Array], name: str, value: str) -> str:
    context = _attention(graph, config, tensors, f"{name}.attention.self", value)
    dense = graph.dense(tensors, f"{name}.attention.output.dense", context)
    total = graph.add("Add", dense, value, name=f"{name}.attention.residual")
    middle = graph.norm(tensors, f"{name}.attention.output.LayerNorm", total, config.layer_norm_eps)
    inner = _activation(graph, config, graph.dense(tensors, f"{name}.intermediate.dense", middle))
    dense = graph.dense(tensors, f"{name}.output.dense", inner)
    total = graph.add("Add", dense, middle, name=f"{name}.residual")
    return graph.norm(tensors, f"{name}.output.LayerNorm", total, config.layer_norm_eps)


def _attention(graph: _Graph, config: BertConfig, tensors: Mapping[str, Array], name: str, value: str) -> str:
    """softmax(Q K^T / sqrt(d)) V for every head; 1/sqrt(d) is multiplied into the query's weights."""
    scale = np.float32(1 / np.sqrt(config.head_size))
    factors = {"query": scale, "key": np.float32(1), "value": np.float32(1)}
    weight = np.concatenate([tensors[f"{name}.{part}.weight"] * factor for part, factor in factors.items()])
    bias = np.concatenate([tensors[f"{name}.{part}.bias"] * factor for part, factor in factors.items()])
    joined = graph.dense({f"{name}.qkv.weight": weight, f"{name}.qkv.bias": bias}, f"{name}.qkv", value)
    heads = graph.ints(0, 0, 3 * config.num_attention_heads, config.head_size)
    shaped = graph.add("Reshape", joined, heads, name=f"{name}.heads")
    swapped = graph.add("Transpose", shaped, name=f"{name}.swapped", perm=[0, 2, 1, 3])
    parts = [f"{name}.q", f"{name}.k", f"{name}.v"]
    graph.split(swapped, parts)
    turned = graph.add("Transpose", parts[1], name=f"{name}.k_t", perm=[0, 1, 3, 2])
    scores = graph.add("MatMul", parts[0], turned, name=f"{name}.scores")
    weights = graph.add("Softmax", scores, name=f"{name}.softmax", axis=-1)
    mixed = graph.add("MatMul", weights, parts[2], name=f"{name}.mixed")
    back = graph.add("Transpose", mixed, name=f"{name}.back", perm=[0, 2, 1, 3])
    return graph.add("Reshape", back, graph.ints(0, 0, config.hidden_size), name=name)


def _activation(graph: _Graph, config: BertConfig, value: str) -> str:
    """`hidden_act` (Hendrycks and Gimpel 2016 for GELU; its tanh form is what `gelu_new` and `gelu_pytorch_tanh` mean)."""
    name = f"{value}.{config.hidden_act}"
    match config.hidden_act:
        case "gelu":
            return graph.add("Gelu", value, name=name)
        case "gelu_new" | "gelu_pytorch_tanh":
            return graph.add("Gelu", value, name=name, approximate="tanh")
        case "relu":
            return graph.add("Relu", value, name=name)
        case other:
            raise PackageError(Code.PACKAGE_ARCHITECTURE, found=f"hidden_act {other[:40]!a}", wanted="gelu, gelu_new or relu")


def _pooled_linear(graph: _Graph, head: LinearHead, value: str) -> str:
    """Mean over tokens, L2 norm, linear: what a head trained on sentence vectors expects."""
    mean = graph.add("ReduceMean", value, graph.ints(1), name="mean", keepdims=0)
    norm = graph.add("ReduceL2", mean, graph.ints(1), name="norm", keepdims=1)
    unit = graph.add("Div", mean, norm, name="unit")
    product = graph.add("MatMul", unit, graph.weight("head.weight", head.weight.T), name="head.product")
    return graph.add("Add", product, graph.weight("head.bias", head.bias), name="logits")


def _bert_classifier(graph: _Graph, tensors: Mapping[str, Array], value: str) -> str:
    """tanh(dense(first token)), then linear (`BertForSequenceClassification`)."""
    first = graph.add("Gather", value, graph.weight("zero", np.array(0, dtype=np.int64)), name="first", axis=1)
    pooled = graph.add("Tanh", graph.dense(tensors, "pooler.dense", first), name="pooled")
    return graph.add("Identity", graph.dense(tensors, "classifier", pooled), name="logits")
