"""Bodies of the Open Inference Protocol, version 2 (KServe, "Open Inference Protocol", REST), with binary tensors (Triton, "Binary
Tensor Data Extension").

A body is JSON, or JSON of as many bytes as `inference-header-content-length` says and the tensors behind it, in the order in which
the JSON names them. A string stands in them behind its length in four bytes, little-endian; numbers are little-endian. Left to
others: which models there are (`routes.v2`), what they compute (`engine`).
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from confide.codes import Code
from confide.engine.results import EmbeddingOutput, Result
from confide.formats import strictjson
from confide.server import NodeError

HEADER_LENGTH = b"inference-header-content-length"
TEXT, EMBEDDING, SCORES, LABEL = "text", "embedding", "scores", "label"
MAX_TENSORS, MAX_AXES, MAX_NESTING = 16, 8, 4
_LENGTH = struct.Struct("<I")
Name = Annotated[str, Meta(max_length=64)]
Size = Annotated[int, Meta(ge=0, le=1 << 30)]


class InputParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`content_type` is what MLServer's clients say of text; nothing hangs on it."""

    binary_data_size: Size | None = None
    content_type: Literal["str"] | None = None


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One tensor."""

    name: Name
    shape: Annotated[list[Size], Meta(min_length=1, max_length=MAX_AXES)]
    datatype: Annotated[str, Meta(max_length=16)]
    parameters: InputParameters = InputParameters()
    data: list[Any] | None = None


class OutputParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How it is wanted."""

    binary_data: bool | None = None


class Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One tensor that is wanted."""

    name: Name
    parameters: OutputParameters = OutputParameters()


class RequestParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of the whole request; `truncate` is the engine's."""

    binary_data_output: bool = False
    truncate: bool | None = None


class InferRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON part."""

    inputs: Annotated[list[Input], Meta(min_length=1, max_length=MAX_TENSORS)]
    id: Annotated[str, Meta(max_length=128)] | None = None
    outputs: Annotated[list[Output], Meta(max_length=MAX_TENSORS)] = []
    parameters: RequestParameters = RequestParameters()


def parse_request(body: bytes, header_length: bytes | None) -> tuple[InferRequest, list[str]]:
    """The request, and its texts.

    Raises:
        NodeError: `node.tensor`.
        ConfideError: a `json` code.
    """
    size = len(body) if header_length is None else _number(header_length, limit=len(body))
    request = strictjson.load_as(body[:size], InferRequest, limit=size)
    if len(request.inputs) != 1 or request.inputs[0].name != TEXT or request.inputs[0].datatype != "BYTES":
        found = ", ".join(f"{each.name} {each.datatype}" for each in request.inputs[:4])
        raise _refused(found, f"one input, {TEXT} BYTES")
    tensor, rest = request.inputs[0], body[size:]
    binary = tensor.parameters.binary_data_size
    if (binary is None) == (tensor.data is None) or len(rest) != (binary or 0):
        raise _refused(f"{len(rest)} bytes behind the JSON", "data, or binary_data_size and as many bytes")
    texts = _flat(tensor.data or []) if binary is None else _strings(rest)
    count = 1
    for axis in tensor.shape:
        count *= axis
    if len(texts) != count or not texts:
        raise _refused(f"{len(texts)} texts for shape {tensor.shape}", "as many as the shape says, and one at least")
    return request, texts


def response(model: str, version: str, request: InferRequest, result: Result) -> tuple[bytes, int | None]:
    """The body, and the length of its JSON part where tensors follow it.

    Raises:
        NodeError: `node.tensor` for an output that the model does not have.
    """
    tensors = outputs_of(result)
    wanted = {output.name: output.parameters.binary_data for output in request.outputs} or dict.fromkeys(tensors)
    unknown = sorted(wanted.keys() - tensors.keys())
    if unknown:
        raise _refused(f"output {unknown[0]}", " or ".join(tensors))
    described, binary = [], []
    for name, asked in wanted.items():
        datatype, shape, values, data = tensors[name]
        if request.parameters.binary_data_output if asked is None else asked:
            described.append({"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(data)}})
            binary.append(data)
        else:
            described.append({"name": name, "datatype": datatype, "shape": shape, "data": values})
    head = {
        "model_name": model,
        "model_version": version,
        **({} if request.id is None else {"id": request.id}),
        "outputs": described,
    }
    text = msgspec.json.encode(head)
    return b"".join((text, *binary)), len(text) if binary else None


def outputs_of(result: Result) -> dict[str, tuple[str, list[int], Sequence[Any], bytes]]:
    """By name: datatype, shape, the flat values, the same as bytes."""
    outputs = result.outputs
    if isinstance(outputs, EmbeddingOutput):
        flat = [value for row in outputs.vectors() for value in row]
        return {EMBEDDING: ("FP32", list(outputs.shape), flat, outputs.data)}
    flat = [score for row in outputs.scores for score in row]
    best = [row[0][0] for row in outputs.ranked()]
    shape, data = [len(outputs.scores), len(outputs.labels)], struct.pack(f"<{len(flat)}f", *flat)
    return {SCORES: ("FP32", shape, flat, data), LABEL: ("BYTES", [len(best)], best, packed(best))}


def metadata(name: str, version: str, labels: Sequence[str], dimension: int) -> Mapping[str, Any]:
    """What `GET /v2/models/{}` says: names, types and shapes; -1 stands for any number."""
    scores = [{"name": SCORES, "datatype": "FP32", "shape": [-1, dimension], "parameters": {"labels": list(labels)}}]
    outputs = [*scores, {"name": LABEL, "datatype": "BYTES", "shape": [-1]}] if labels else []
    return {
        "name": name,
        "versions": [version],
        "platform": "confide_package",
        "inputs": [{"name": TEXT, "datatype": "BYTES", "shape": [-1]}],
        "outputs": outputs or [{"name": EMBEDDING, "datatype": "FP32", "shape": [-1, dimension]}],
    }


def packed(texts: Sequence[str]) -> bytes:
    """Strings, each behind its length."""
    return b"".join(_LENGTH.pack(len(data)) + data for data in (text.encode() for text in texts))


def _strings(data: bytes) -> list[str]:
    found, at = [], 0
    while at < len(data):
        end = at + _LENGTH.size
        size = _LENGTH.unpack_from(data, at)[0] if end <= len(data) else len(data)
        if end + size > len(data):
            raise _refused("strings that end behind the tensor", "each behind its length")
        try:
            found.append(data[end : end + size].decode("utf-8"))
        except UnicodeDecodeError:
            raise _refused("a string that is no UTF-8", "UTF-8") from None
        at = end + size
    return found


def _flat(data: list[Any], depth: int = 0) -> list[str]:
    """Row by row, nested or not."""
    found: list[str] = []
    for each in data:
        if isinstance(each, str):
            found.append(each)
        elif isinstance(each, list) and depth < MAX_NESTING:
            found += _flat(each, depth + 1)
        else:
            raise _refused(f"{type(each).__name__} in data", "strings")
    return found


def _number(text: bytes, *, limit: int) -> int:
    if not text.isdigit() or len(text) > 12 or int(text) > limit:
        raise _refused("another inference-header-content-length", f"a number up to {limit}")
    return int(text)


def _refused(found: str, wanted: str) -> NodeError:
    return NodeError(Code.NODE_TENSOR, found=found, wanted=wanted, hint="GET /v2/models/{model} tells names, types and shapes")
