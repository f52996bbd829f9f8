"""Packages to measure with: the real MiniLM of `scripts/fetch_models.py`, and a BERT-base of random weights (its speed is real)."""

import json
import os
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from confide.engine.bert_onnx import BertConfig, tensor_shapes
from confide.engine.pack import pack
from confide.engine.package import open_package

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("CONFIDE_MODEL_DIR", ROOT / ".cache" / "models"))


def minilm() -> Path:
    """The packed sentence encoder."""
    path = CACHE / "minilm.confide"
    if not path.is_file():
        raise SystemExit(f"no {path}: run scripts/fetch_models.py")
    return path


def bert_base() -> Path:
    """A random BERT-base sentence encoder for 128 tokens, packed once."""
    path = CACHE / "bert-base-random.confide"
    if not path.is_file():
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            _write_folder(Path(folder))
            pack(Path(folder), path, name="bert-base-random")
    return path


def _write_folder(folder: Path) -> None:
    config = {
        "vocab_size": 30522,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "max_position_embeddings": 512,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "hidden_act": "gelu",
    }
    files = {
        "config.json": {"model_type": "bert", **config},
        "sentence_bert_config.json": {"max_seq_length": 128},
        "modules.json": [{"type": "Transformer", "path": ""}, {"type": "Pooling", "path": "1_Pooling"}, {"type": "Normalize"}],
        "1_Pooling/config.json": {"word_embedding_dimension": 768, "pooling_mode_mean_tokens": True},
    }
    (folder / "1_Pooling").mkdir()
    for name, value in files.items():
        (folder / name).write_text(json.dumps(value))
    (folder / "tokenizer.json").write_bytes(open_package(minilm()).read("tokenizer.json"))
    random = np.random.default_rng(20261125)
    shapes = tensor_shapes(BertConfig(**config))  # type: ignore[arg-type]
    tensors = {name: random.normal(0, 0.02, shape).astype(np.float32) for name, shape in shapes.items()}
    save_file(tensors, folder / "model.safetensors")
