"""A Hugging Face style model folder, read as data: config.json, tokenizer.json, safetensors or ONNX, modules.json.

Nothing in it is executed, pickles are not looked at, and every number is checked before it sizes anything.
Left to others: the graph (`bert_onnx.py`), the package (`pack.py`).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from safetensors import SafetensorError, safe_open

from confide.codes import Code
from confide.engine.bert_onnx import Array, BertConfig, LinearHead, tensor_shapes
from confide.engine.manifest import MAX_DIMENSION, MAX_LABELS, PostStep
from confide.errors import PackageError

MAX_JSON = 64 << 20  # tokenizer.json of large multilingual vocabularies
MAX_ONNX = (1 << 31) - 1  # protobuf
_FLOATS = ("F32", "F16")


class _Config(msgspec.Struct, frozen=True):
    """What is read of config.json; other members are ignored."""

    model_type: str = ""
    architectures: list[str] = []
    vocab_size: int = 0
    hidden_size: int = 0
    num_hidden_layers: int = 0
    num_attention_heads: int = 0
    intermediate_size: int = 0
    max_position_embeddings: int = 0
    type_vocab_size: int = 0
    layer_norm_eps: float = 1e-12
    hidden_act: str = "gelu"
    position_embedding_type: str | None = "absolute"
    is_decoder: bool = False
    id2label: dict[str, str] = {}
    problem_type: str | None = None


class _AddedToken(msgspec.Struct, frozen=True):
    id: int


class _TokenizerModel(msgspec.Struct, frozen=True):
    vocab: dict[str, int] | list[Any]  # a list for Unigram


class _Tokenizer(msgspec.Struct, frozen=True):
    """What is checked of tokenizer.json."""

    model: _TokenizerModel
    added_tokens: list[_AddedToken] = []


@dataclass(frozen=True)
class Source:
    """A model folder whose small files have been read."""

    folder: Path
    config: _Config
    tokenizer: bytes
    weights: Path | None  # safetensors
    onnx: Path | None
    pooling: tuple[PostStep, ...]  # of modules.json; empty if there is none
    max_tokens: int

    @property
    def is_classifier(self) -> bool:
        """transformers saved it with a sequence classification head."""
        return any(name.endswith("ForSequenceClassification") for name in self.config.architectures)

    @property
    def labels(self) -> tuple[str, ...]:
        """`id2label` in the order of its numbers."""
        names = self.config.id2label
        if sorted(names, key=_number) != [str(index) for index in range(len(names))] or len(names) > MAX_LABELS:
            raise PackageError(Code.PACKAGE_SOURCE, found="id2label with gaps", wanted=f"0 to n-1, at most {MAX_LABELS}")
        return tuple(names[str(index)] for index in range(len(names)))


def read_source(folder: Path) -> Source:
    """Read and check the small files of a model folder.

    Raises:
        PackageError: `package.not_found`, `package.source`, `package.architecture` or `package.too_large`.
    """
    if not folder.is_dir():
        raise PackageError(Code.PACKAGE_NOT_FOUND, found=str(folder), wanted="a model folder")
    config = _read_json(folder / "config.json", _Config)
    tokenizer = read_bounded(folder / "tokenizer.json")
    _check_tokenizer(tokenizer, config.vocab_size)
    weights, graph = folder / "model.safetensors", _first(folder, ("model.onnx", "onnx/model.onnx"))
    if not weights.is_file() and graph is None:
        raise PackageError(Code.PACKAGE_SOURCE, found=f"no weights in {folder.name}", wanted="model.safetensors or model.onnx")
    return Source(
        folder=folder,
        config=config,
        tokenizer=tokenizer,
        weights=weights if weights.is_file() else None,
        onnx=graph,
        pooling=_pooling(folder),
        max_tokens=_max_tokens(folder, config),
    )


def bert_config(source: Source) -> BertConfig:
    """The numbers for the graph, if this is a BERT encoder that the graph can express."""
    config = source.config
    for holds, found, wanted in (
        (config.model_type == "bert", f"model_type {config.model_type[:40]!a}", "bert"),
        (config.position_embedding_type in (None, "absolute"), "relative positions", "absolute"),
        (not config.is_decoder, "a decoder", "an encoder"),
    ):
        if not holds:
            raise PackageError(Code.PACKAGE_ARCHITECTURE, found=found, wanted=wanted)
    bounds = {
        "vocab_size": 1 << 20,
        "hidden_size": MAX_DIMENSION,
        "num_hidden_layers": 128,
        "num_attention_heads": 1024,
        "intermediate_size": 1 << 18,
        "max_position_embeddings": 1 << 16,
        "type_vocab_size": 64,
    }
    for name, bound in bounds.items():
        if not 1 <= getattr(config, name) <= bound:
            raise PackageError(Code.PACKAGE_SOURCE, found=f"{name} {getattr(config, name)}", wanted=f"1 to {bound}")
    if config.hidden_size % config.num_attention_heads:
        raise PackageError(Code.PACKAGE_SOURCE, found="heads that do not divide hidden_size", wanted="a divisor")
    names = [*bounds, "layer_norm_eps", "hidden_act"]
    return BertConfig(**{name: getattr(config, name) for name in names})


def read_weights(path: Path, config: BertConfig, *, labels: int = 0) -> dict[str, Array]:
    """The encoder's tensors (and the classification head's, for `labels` labels) as float32, each of exactly its shape.

    Names may carry the prefix `bert.`; position ids and pooler of a plain encoder are left out.
    """
    wanted = tensor_shapes(config)
    if labels:
        hidden = config.hidden_size
        wanted |= {"pooler.dense.weight": (hidden, hidden), "pooler.dense.bias": (hidden,)}
        wanted |= {"classifier.weight": (labels, hidden), "classifier.bias": (labels,)}
    with _opened(path) as file:
        names = set(file.keys())
        return {name: _tensor(file, _stored_name(name, names), shape) for name, shape in wanted.items()}


def read_head(path: Path, hidden_size: int) -> tuple[LinearHead, tuple[str, ...]]:
    """A head file: safetensors with `weight`, `bias` and the labels as JSON in its metadata."""
    with _opened(path) as file:
        try:
            labels = tuple(msgspec.json.decode((file.metadata() or {}).get("labels", ""), type=list[str]))
        except msgspec.DecodeError:
            raise PackageError(Code.PACKAGE_SOURCE, found="no labels in the head's metadata", wanted="a JSON list") from None
        if not 1 <= len(labels) <= MAX_LABELS:
            raise PackageError(Code.PACKAGE_SOURCE, found=f"{len(labels)} labels", wanted=f"1 to {MAX_LABELS}")
        weight, bias = _tensor(file, "weight", (len(labels), hidden_size)), _tensor(file, "bias", (len(labels),))
        return LinearHead(weight, bias), labels


def read_onnx(path: Path) -> tuple[bytes, onnx.ModelProto]:
    """An ONNX file that stands alone: one file, standard or ONNX Runtime's own operators, checked by `onnx`."""
    size = path.stat().st_size
    if size > MAX_ONNX:
        raise PackageError(Code.PACKAGE_TOO_LARGE, found=f"{size} bytes", wanted=f"at most {MAX_ONNX}")
    data = path.read_bytes()
    try:
        model = onnx.load_model_from_string(data)
        external = any(_external(graph) for graph in (model.graph, *model.functions))
        if not external:
            onnx.checker.check_model(model)
    except Exception as error:  # noqa: BLE001 - protobuf and the checker raise many kinds
        raise PackageError(Code.PACKAGE_GRAPH, found=type(error).__name__, wanted="a valid ONNX model") from None
    if external:
        raise PackageError(Code.PACKAGE_GRAPH, found="weights in other files", wanted="one self-contained ONNX file")
    return data, model


def _external(graph: Any) -> bool:
    """Whether a graph, or one inside its nodes, names files beside it: a way out of the package."""
    tensors = list(getattr(graph, "initializer", ()))
    for node in graph.node:
        for attribute in node.attribute:
            tensors += [attribute.t, *attribute.tensors]
            if any(_external(inner) for inner in (attribute.g, *attribute.graphs)):
                return True
    return any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in tensors)


def _check_tokenizer(data: bytes, vocab_size: int) -> None:
    """A tokenizer.json whose ids the model has rows for; whether it works is tried in the sandbox."""
    try:
        value = msgspec.json.decode(data, type=_Tokenizer)
        vocabulary = value.model.vocab
        ids = vocabulary.values() if isinstance(vocabulary, dict) else range(len(vocabulary))
        largest = max([*ids, *(token.id for token in value.added_tokens)])
    except (msgspec.DecodeError, ValueError, TypeError):
        raise PackageError(
            Code.PACKAGE_TOKENIZER, found="a tokenizer.json without vocabulary", wanted="one of `tokenizers`"
        ) from None
    if vocab_size and not 0 <= largest < vocab_size:
        raise PackageError(Code.PACKAGE_TOKENIZER, found=f"token id {largest}", wanted=f"ids under vocab_size {vocab_size}")


def _pooling(folder: Path) -> tuple[PostStep, ...]:
    """`post` steps that modules.json asks for (sentence-transformers: Transformer, Pooling, Normalize)."""
    if not (folder / "modules.json").is_file():
        return ()
    steps: tuple[PostStep, ...] = ()
    for module in _read_json(folder / "modules.json", list[dict[str, Any]])[:16]:
        match str(module.get("type", "")).rsplit(".", 1)[-1]:
            case "Transformer":
                continue
            case "Pooling":
                steps += (_pooling_mode(folder / str(module.get("path", ""))[:100]),)
            case "Normalize":
                steps += (PostStep.L2_NORMALISE,)
            case other:
                raise PackageError(Code.PACKAGE_ARCHITECTURE, found=f"module {other[:40]!a}", wanted="Pooling or Normalize")
    return steps


def _pooling_mode(folder: Path) -> PostStep:
    config = _read_json(folder / "config.json", dict[str, Any])
    chosen = sorted(name for name, value in config.items() if name.startswith("pooling_mode_") and value is True)
    match chosen:
        case ["pooling_mode_mean_tokens"]:
            return PostStep.MEAN_POOL
        case ["pooling_mode_cls_token"]:
            return PostStep.CLS_POOL
        case other:
            raise PackageError(Code.PACKAGE_ARCHITECTURE, found="+".join(other)[:100], wanted="mean or cls pooling alone")


def _max_tokens(folder: Path, config: _Config) -> int:
    """What sentence-transformers truncates to, never more than the model has positions for."""
    wanted = config.max_position_embeddings or 512
    if (folder / "sentence_bert_config.json").is_file():
        found = _read_json(folder / "sentence_bert_config.json", dict[str, Any]).get("max_seq_length")
        wanted = min(wanted, found) if type(found) is int and found > 0 else wanted
    return wanted


def _stored_name(name: str, names: set[str]) -> str:
    for stored in (name, f"bert.{name}"):
        if stored in names:
            return stored
    raise PackageError(Code.PACKAGE_WEIGHTS, found=f"no tensor {name}", wanted="every tensor of the configuration")


def _tensor(file: Any, name: str, shape: tuple[int, ...]) -> Array:
    if name not in file.keys():  # noqa: SIM118 - not a mapping
        raise PackageError(Code.PACKAGE_WEIGHTS, found=f"no tensor {name}", wanted="every tensor of the configuration")
    view = file.get_slice(name)
    found, kind = tuple(view.get_shape()), view.get_dtype()
    if found != shape or kind not in _FLOATS:
        raise PackageError(Code.PACKAGE_WEIGHTS, found=f"{name} {kind} {list(found)}", wanted=f"F32 or F16 {list(shape)}")
    value: Array = np.asarray(file.get_tensor(name), dtype=np.float32)
    if not np.isfinite(value).all():
        raise PackageError(Code.PACKAGE_WEIGHTS, found=f"{name} with NaN or infinity", wanted="finite weights")
    return value


def _opened(path: Path) -> Any:
    try:
        return safe_open(str(path), framework="numpy")
    except (SafetensorError, OSError) as error:
        raise PackageError(Code.PACKAGE_WEIGHTS, found=type(error).__name__, wanted=f"a safetensors file {path.name}") from None


def read_bounded(path: Path, limit: int = MAX_JSON) -> bytes:
    """A whole file of at most `limit` bytes; raises `package.source`, `package.too_large`."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise PackageError(
            Code.PACKAGE_SOURCE, found=f"{path.name}: {error.strerror}", wanted=f"{path.name} in the folder"
        ) from None
    if len(data) > limit:
        raise PackageError(Code.PACKAGE_TOO_LARGE, found=f"{path.name} over {limit} bytes", wanted=f"at most {limit}")
    return data


def _read_json(path: Path, kind: Any) -> Any:
    data = read_bounded(path, 4 << 20)
    try:
        return msgspec.convert(json.loads(data), kind)
    except (ValueError, RecursionError):
        raise PackageError(Code.PACKAGE_SOURCE, found=f"{path.name} that does not parse", wanted=f"a {path.name}") from None


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 6 else -1
