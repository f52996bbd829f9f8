"""int8 for BERT encoders, in which no answer depends on who shares its batch.

Plain dynamic int8 takes one scale for a whole tensor, so that a neighbour's large value changes everybody's bits: a side channel
between tenants. Here every token of every text has a scale of its own:

    x / s_c                  smoothing: per channel, moved into the weights (Xiao et al. 2022, arXiv 2211.10438, alpha 0.5)
    q = round(x / s_t)       8 bits; s_t from the token's own largest magnitude
    q = round((x - m) / s_t) behind an activation, where values are one-sided: s_t from the token's range, m its least value
    q W8                     integers, exact in any order (MatMulInteger); W8 has 8 bits and a scale for each output
    back to float            times both scales, plus m times the columns' sums

Only the encoder's dense layers are replaced; embeddings, norms, softmax and heads stay float32. Standard ONNX operators alone. CPUs
without VNNI add pairs of such products with saturation: a worker tries that when it loads (`steps`), and refuses.
Left to others: the graph around it (`bert_onnx`), whether it is good enough (`accuracy`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from confide.engine.runtime import open_session

Array = npt.NDArray[np.float32]
ALPHA = 0.5
LEAST = np.float32(1e-5)  # of a channel's magnitude: a channel that never showed anything is not blown up
TINY = np.array(1e-12, dtype=np.float32)  # a token of zeros has a scale, too
LEVELS, MIDDLE, RANGE = 127, 128, 255
ONE_SIDED = ".output.dense"
PRODUCT = ".product"


class Builder(Protocol):
    """The graph as it grows (`bert_onnx`)."""

    def add(self, operator: str, *inputs: str, name: str, **attributes: Any) -> str:
        """One node."""
        ...

    def weight(self, name: str, value: npt.NDArray[np.generic]) -> str:
        """An initialiser."""
        ...

    def ints(self, *values: int) -> str:
        """A constant int64 vector."""
        ...


Dense = Callable[[Builder, Array, Array, str, str], str]


def observe(core: bytes, texts: Sequence[Sequence[int]]) -> dict[str, Array]:
    """By name of the value that goes into a dense layer: the largest magnitude of each channel over all tokens of the texts."""
    model = onnx.load_model_from_string(core)
    inputs = {node.input[0] for node in model.graph.node if node.op_type == "MatMul" and node.name.endswith(PRODUCT)}
    names = sorted(name for name in inputs if name not in {output.name for output in model.graph.output})
    model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    session = open_session(model.SerializeToString())
    found: dict[str, Array] = {}
    for ids in texts:
        values = session.run(names, {"input_ids": np.array([ids], dtype=np.int64)})
        for name, value in zip(names, values, strict=True):
            largest = np.abs(value).reshape(-1, value.shape[-1]).max(axis=0)
            found[name] = np.maximum(found[name], largest) if name in found else largest
    return found


class Int8Dense:
    """Makes the encoder's dense layers of what `observe` saw. A value that was not seen is not smoothed."""

    def __init__(self, largest: Mapping[str, Array]) -> None:
        self._largest = largest

    def __call__(self, graph: Builder, weight: Array, bias: Array, name: str, value: str) -> str:
        """x W^T + b, with the weight as `torch.nn.Linear` stores it: [outputs, inputs]."""
        smooth = self._smoothing(weight, value)
        x = graph.add("Mul", value, graph.weight(f"{name}.smoothing", 1 / smooth), name=f"{name}.smoothed")
        scales, integers = quantize_weight(weight * smooth)
        one_sided = name.endswith(ONE_SIDED)
        q, scale, least = self._one_sided(graph, x, name) if one_sided else self._symmetric(graph, x, name)
        offset = 0 if one_sided else MIDDLE
        zero = graph.weight(f"int8.zero_{offset}", np.array(offset, dtype=np.uint8))
        product = graph.add("MatMulInteger", q, graph.weight(f"{name}.int8", integers.T), zero, name=f"{name}.integers")
        real = graph.add("Cast", product, name=f"{name}.float", to=TensorProto.FLOAT)
        tokens = graph.add("Mul", real, scale, name=f"{name}.tokens")
        total = graph.add("Mul", tokens, graph.weight(f"{name}.scales", scales), name=f"{name}.real")
        if least is not None:
            sums = graph.weight(f"{name}.sums", (integers.astype(np.float64).sum(axis=1) * scales).astype(np.float32))
            total = graph.add("Add", total, graph.add("Mul", least, sums, name=f"{name}.shift"), name=f"{name}.shifted")
        return graph.add("Add", total, graph.weight(f"{name}.bias", bias), name=name)

    def _smoothing(self, weight: Array, value: str) -> Array:
        """Per input channel, of geometric mean 1, so that both sides share the difficulty."""
        if value not in self._largest:
            return np.ones(weight.shape[1], dtype=np.float32)
        activations, weights = np.maximum(self._largest[value], LEAST), np.maximum(np.abs(weight).max(axis=0), LEAST)
        factors = activations**ALPHA / weights ** (1 - ALPHA)
        return np.asarray(factors / np.exp(np.log(factors).mean()), dtype=np.float32)

    @staticmethod
    def _symmetric(graph: Builder, x: str, name: str) -> tuple[str, str, None]:
        largest = graph.add(
            "ReduceMax", graph.add("Abs", x, name=f"{name}.abs"), graph.ints(-1), name=f"{name}.largest", keepdims=1
        )
        scale = _scale(graph, largest, LEVELS, name)
        rounded = graph.add("Round", graph.add("Div", x, scale, name=f"{name}.divided"), name=f"{name}.rounded")
        middle = graph.weight("int8.middle", np.array(MIDDLE, dtype=np.float32))
        return _octets(graph, graph.add("Add", rounded, middle, name=f"{name}.moved"), name), scale, None

    @staticmethod
    def _one_sided(graph: Builder, x: str, name: str) -> tuple[str, str, str]:
        least = graph.add("ReduceMin", x, graph.ints(-1), name=f"{name}.least", keepdims=1)
        most = graph.add("ReduceMax", x, graph.ints(-1), name=f"{name}.most", keepdims=1)
        scale = _scale(graph, graph.add("Sub", most, least, name=f"{name}.range"), RANGE, name)
        moved = graph.add("Sub", x, least, name=f"{name}.moved")
        rounded = graph.add("Round", graph.add("Div", moved, scale, name=f"{name}.divided"), name=f"{name}.rounded")
        return _octets(graph, rounded, name), scale, least


def quantize_weight(weight: Array) -> tuple[Array, npt.NDArray[np.int8]]:
    """A scale for each output, and the integers from -127 to 127."""
    scales = np.maximum(np.abs(weight).max(axis=1) / LEVELS, TINY).astype(np.float32)
    return scales, np.clip(np.rint(weight / scales[:, None]), -LEVELS, LEVELS).astype(np.int8)


def _scale(graph: Builder, largest: str, levels: int, name: str) -> str:
    share = graph.weight(f"int8.share_{levels}", np.array(1 / levels, dtype=np.float32))
    product = graph.add("Mul", largest, share, name=f"{name}.share")
    return graph.add("Max", product, graph.weight("int8.tiny", TINY), name=f"{name}.scale")


def _octets(graph: Builder, rounded: str, name: str) -> str:
    return graph.add("Cast", rounded, name=f"{name}.octets", to=TensorProto.UINT8)
