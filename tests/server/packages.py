"""Tiny real model packages, made in the test: a word-level tokenizer and a one-table ONNX graph. Nothing is downloaded."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

from confide.engine.manifest import Core, FileEntry, GraphInput, Manifest, PostStep, PreStep, Task, Tokenize, dump_manifest

WORDS = ("[UNK]", "a", "doctor", "physician", "stock", "market", "good", "bad")
DIMENSION = 4
LABELS = ("negative", "positive")


def write_package(folder: Path, task: Task, *, seed: int = 1, max_tokens: int = 16) -> Path:
    """A package folder for `task`; another seed makes another digest."""
    folder.mkdir(parents=True)
    width = DIMENSION if task is Task.SENTENCE_EMBEDDING else len(LABELS)
    files = {"tokenizer.json": _tokenizer(), "model.onnx": _graph(width, classify=task is Task.TEXT_CLASSIFICATION, seed=seed)}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    embeds = task is Task.SENTENCE_EMBEDDING
    manifest = Manifest(
        format=1,
        name="tiny",
        task=task,
        dimension=width,
        pre=Tokenize(PreStep.HF_TOKENIZER, "tokenizer.json", max_tokens),
        core=Core("onnx", "model.onnx", (GraphInput.INPUT_IDS,), "output"),
        post=(PostStep.MEAN_POOL, PostStep.L2_NORMALISE) if embeds else (PostStep.SOFTMAX,),
        files={name: FileEntry(len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()},
        labels=() if embeds else LABELS,
    )
    (folder / "confide.toml").write_bytes(dump_manifest(manifest))
    return folder


def _tokenizer() -> bytes:
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return str(tokenizer.to_str()).encode()


def _graph(width: int, *, classify: bool, seed: int) -> bytes:
    """A table of rows by token; a classifier takes their mean."""
    table = np.random.default_rng(seed).standard_normal((len(WORDS), width)).astype(np.float32)
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["texts", "tokens"])
    rows = helper.make_node("Gather", ["table", "input_ids"], ["rows" if classify else "output"])
    nodes, initial = [rows], [numpy_helper.from_array(table, "table")]
    shape: list[str | int | None] = ["texts", "tokens", width]
    if classify:
        initial.append(numpy_helper.from_array(np.array([1], dtype=np.int64), "axes"))
        nodes.append(helper.make_node("ReduceMean", ["rows", "axes"], ["output"], keepdims=0))
        shape = ["texts", width]
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "tiny", [ids], [output], initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
