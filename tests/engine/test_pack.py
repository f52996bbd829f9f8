"""`confide pack`: folders that pack, and the code for each that does not; nothing half-written."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from safetensors.numpy import load_file, save_file
from tests.engine.helpers import with_engine
from tests.support_models import bert_folder, tiny_tokenizer

from confide.codes import Code
from confide.engine import ClassificationOutput, EmbeddingOutput, Engine, LoadedModel, Package, Result, Task, open_package
from confide.engine.manifest import GraphInput, PostStep
from confide.engine.pack import pack
from confide.errors import ConfideError, EngineError


def edit(path: Path, **changes: Any) -> None:
    """Change members of a JSON file; None removes one."""
    value = {name: item for name, item in (json.loads(path.read_text()) | changes).items() if item is not None}
    path.write_text(json.dumps(value))


def names(folder: Path) -> list[str]:
    """What lies in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def refusal(source: Path, out: Path, **options: Any) -> Code:
    """The code with which packing fails; the target's folder is as it was before."""
    before = names(out.parent)
    with pytest.raises(ConfideError) as caught:
        pack(source, out, **options)
    assert names(out.parent) == before
    return caught.value.code


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A tiny encoder's folder."""
    return bert_folder(tmp_path / "Tiny Model!")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where the package goes."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "m.confide"


def test_a_sentence_encoder_packs_with_what_its_modules_declare(source: Path, out: Path) -> None:
    report = pack(source, out, example="the word")
    manifest = report.package.manifest
    assert manifest.name == "tiny-model"
    assert manifest.task is Task.SENTENCE_EMBEDDING
    assert manifest.post == (PostStep.MEAN_POOL, PostStep.L2_NORMALISE)
    assert manifest.pre.max_tokens == 32
    assert manifest.core.inputs == (GraphInput.INPUT_IDS,)
    assert open_package(out).digest == report.digest
    assert out.stat().st_mode & 0o777 == 0o644


def test_the_report_shows_sizes_digest_and_example(source: Path, out: Path) -> None:
    report = pack(source, out, name="m", example="the word")
    text = "\n".join(report.lines())
    assert report.digest.hex() in text
    assert "'the word': [" in text
    assert "(4 tokens)" in text
    value = report.as_dict()
    assert value["digest"] == report.digest.hex()
    assert value["bytes"] == out.stat().st_size
    json.dumps(value)


def test_cls_pooling_and_plain_encoders_pack(source: Path, out: Path) -> None:
    edit(source / "1_Pooling" / "config.json", pooling_mode_cls_token=True, pooling_mode_mean_tokens=False)
    assert pack(source, out).package.manifest.post == (PostStep.CLS_POOL, PostStep.L2_NORMALISE)
    (source / "modules.json").unlink()
    assert pack(source, out).package.manifest.post == (PostStep.MEAN_POOL,)


def test_a_classifier_packs_with_its_own_or_given_labels(tmp_path: Path, out: Path) -> None:
    source = bert_folder(tmp_path / "c", labels=("yes", "no"))
    assert pack(source, out).package.manifest.labels == ("yes", "no")
    assert pack(source, out, labels=("ja", "nein")).package.manifest.labels == ("ja", "nein")
    edit(source / "config.json", id2label=None, problem_type="multi_label_classification")
    manifest = pack(source, out, labels=("oui", "non")).package.manifest
    assert manifest.labels == ("oui", "non")
    assert manifest.post == (PostStep.SIGMOID,)


def test_a_head_makes_a_classifier_of_an_encoder(source: Path, out: Path, tmp_path: Path) -> None:
    head = tmp_path / "head.safetensors"
    weight = np.random.default_rng(3).standard_normal((4, 32)).astype(np.float32)
    save_file({"weight": weight, "bias": np.arange(4, dtype=np.float32)}, head, metadata={"labels": '["a","b","c","d"]'})
    encoder = pack(source, out.with_name("encoder.confide")).package
    classifier = pack(source, out, head=head).package
    assert classifier.manifest.labels == ("a", "b", "c", "d")

    async def body(engine: Engine, model: LoadedModel) -> None:
        vector = (await engine.run((await engine.load(encoder)).digest, ["the word"])).outputs
        scores = (await engine.run(model.digest, ["the word"])).outputs
        assert isinstance(vector, EmbeddingOutput)
        assert isinstance(scores, ClassificationOutput)
        powers = np.exp(weight @ np.array(vector.vectors()[0]) + np.arange(4))
        assert np.allclose(scores.scores[0], powers / powers.sum(), atol=1e-5)

    with_engine(body, classifier)


def test_half_precision_weights_pack(source: Path, out: Path) -> None:
    halves = {name: value.astype(np.float16) for name, value in load_file(source / "model.safetensors").items()}
    save_file(halves, source / "model.safetensors")
    assert pack(source, out).package.manifest.dimension == 32


def test_packing_works_inside_an_event_loop(source: Path, out: Path, tiny: Package) -> None:
    async def body(engine: Engine, model: LoadedModel) -> None:
        assert pack(source, out, example="the").result.tokens == (3,)

    with_engine(body, tiny)


MASKED = ("input_ids", "attention_mask", "token_type_ids")


def graph(path: Path, *, inputs: tuple[str, ...] = MASKED, rank: int = 3, external: bool = False, bad: bool = False) -> None:
    """An ONNX file such as exporters write: token vectors (or one row a text) of width 8 from ids, mask and types."""
    table = np.random.default_rng(5).standard_normal((200, 8)).astype(np.float32)
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["words"])]
    value = "words"
    for name in inputs[1:]:
        nodes.append(helper.make_node("Cast", [name], [f"{name}_f"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Unsqueeze", [f"{name}_f", "axis"], [f"{name}_u"]))
        nodes.append(helper.make_node("Add", [value, f"{name}_u"], [f"{name}_s"]))
        value = f"{name}_s"
    nodes.append(helper.make_node("ReduceMean" if rank == 2 else "Identity", [value] + (["one"] if rank == 2 else []), ["y"]))
    if rank == 2:
        nodes[-1].attribute.append(helper.make_attribute("keepdims", 0))
    if bad:
        nodes.append(helper.make_node("NoSuchOperator", ["y"], ["z"]))
    ins = [helper.make_tensor_value_info(name, TensorProto.INT64, ["b", "s"]) for name in inputs]
    outs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", "s", 8] if rank == 3 else ["b", 8])]
    weights = [onnx.numpy_helper.from_array(table, "table")]
    weights += [onnx.numpy_helper.from_array(np.array([n], dtype=np.int64), name) for name, n in (("axis", 2), ("one", 1))]
    model = helper.make_model(
        helper.make_graph(nodes, "g", ins, outs, weights), opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    )
    onnx.save(model, path, save_as_external_data=external, size_threshold=0)


def test_an_exported_onnx_encoder_packs_and_gets_its_mask(source: Path, out: Path) -> None:
    (source / "model.safetensors").unlink()
    graph(source / "model.onnx")
    report = pack(source, out, example="the word")
    assert set(report.package.manifest.core.inputs) == {GraphInput.INPUT_IDS, GraphInput.ATTENTION_MASK, GraphInput.TOKEN_TYPE_IDS}
    assert report.package.manifest.dimension == 8
    assert isinstance(report.result, Result)


def test_an_onnx_graph_that_pools_by_itself_packs(source: Path, out: Path) -> None:
    (source / "model.safetensors").unlink()
    (source / "modules.json").unlink()
    (source / "onnx").mkdir()
    graph(source / "onnx" / "model.onnx", inputs=("input_ids",), rank=2)
    assert pack(source, out).package.manifest.post == ()


def test_an_onnx_classifier_packs(tmp_path: Path, out: Path) -> None:
    source = bert_folder(tmp_path / "c", labels=[f"l{i}" for i in range(8)])
    (source / "model.safetensors").unlink()
    graph(source / "model.onnx", rank=2)
    assert isinstance(pack(source, out).result.outputs, ClassificationOutput)
    assert refusal(source, out, labels=("one",)) is Code.PACKAGE_SOURCE


def test_onnx_weights_in_other_files_are_refused(source: Path, out: Path) -> None:
    (source / "model.safetensors").unlink()
    graph(source / "model.onnx", external=True)
    assert refusal(source, out) is Code.PACKAGE_GRAPH


@pytest.mark.parametrize(
    "make", [lambda p: graph(p, bad=True), lambda p: p.write_bytes(b"not onnx"), lambda p: graph(p, inputs=("x", "y"))]
)
def test_bad_onnx_graphs_are_refused(source: Path, out: Path, make: Callable[[Path], Any]) -> None:
    (source / "model.safetensors").unlink()
    try:
        make(source / "model.onnx")
    except onnx.onnx_cpp2py_export.checker.ValidationError:  # pragma: no cover - if onnx.save starts to check
        pytest.skip("onnx does not write such a file")
    assert refusal(source, out) is Code.PACKAGE_GRAPH


def test_a_head_for_an_onnx_graph_is_refused(source: Path, out: Path) -> None:
    (source / "model.safetensors").unlink()
    graph(source / "model.onnx")
    assert refusal(source, out, head=source / "head.safetensors") is Code.PACKAGE_ARCHITECTURE


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_of_the_folder_is_refused(source: Path, out: Path, file: str) -> None:
    (source / file).unlink()
    assert refusal(source, out) is Code.PACKAGE_SOURCE


@pytest.mark.parametrize("content", ["", "[]", "{", '{"vocab_size": "many"}', "null"])
def test_a_malformed_config_is_refused(source: Path, out: Path, content: str) -> None:
    (source / "config.json").write_text(content)
    assert refusal(source, out) in (Code.PACKAGE_SOURCE, Code.PACKAGE_ARCHITECTURE)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"model_type": "gpt2"}, Code.PACKAGE_ARCHITECTURE),
        ({"position_embedding_type": "relative_key"}, Code.PACKAGE_ARCHITECTURE),
        ({"is_decoder": True}, Code.PACKAGE_ARCHITECTURE),
        ({"hidden_size": 0}, Code.PACKAGE_SOURCE),
        ({"hidden_size": 1 << 40}, Code.PACKAGE_SOURCE),
        ({"num_hidden_layers": -1}, Code.PACKAGE_SOURCE),
        ({"num_attention_heads": 5}, Code.PACKAGE_SOURCE),
        ({"hidden_size": 64}, Code.PACKAGE_WEIGHTS),
        ({"num_hidden_layers": 3}, Code.PACKAGE_WEIGHTS),
        ({"vocab_size": 7}, Code.PACKAGE_TOKENIZER),
        ({"architectures": ["BertForSequenceClassification"], "id2label": {"0": "a", "2": "b"}}, Code.PACKAGE_SOURCE),
        ({"architectures": ["BertForSequenceClassification"]}, Code.PACKAGE_SOURCE),
    ],
)
def test_configurations_that_cannot_be_packed_are_refused(source: Path, out: Path, changes: dict[str, Any], code: Code) -> None:
    edit(source / "config.json", **changes)
    assert refusal(source, out) is code


def test_other_pooling_and_modules_are_refused(source: Path, out: Path) -> None:
    edit(source / "1_Pooling" / "config.json", pooling_mode_max_tokens=True)
    assert refusal(source, out) is Code.PACKAGE_ARCHITECTURE
    (source / "modules.json").write_text('[{"type": "sentence_transformers.models.Dense", "path": "2"}]')
    assert refusal(source, out) is Code.PACKAGE_ARCHITECTURE


@pytest.mark.parametrize("defect", ["missing", "integer", "infinite", "truncated", "pickle"])
def test_bad_weights_are_refused(source: Path, out: Path, defect: str) -> None:
    path = source / "model.safetensors"
    tensors, name = load_file(path), "embeddings.LayerNorm.bias"
    match defect:
        case "missing":
            del tensors[name]
        case "integer":
            tensors[name] = tensors[name].astype(np.int32)
        case "infinite":
            tensors[name] = tensors[name] + np.float32("inf")
    save_file(tensors, path)
    if defect == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    if defect == "pickle":
        path.write_bytes(b"\x80\x04\x95.")
    assert refusal(source, out) is Code.PACKAGE_WEIGHTS


@pytest.mark.parametrize("metadata", [{}, {"labels": "no json"}, {"labels": "[]"}, {"labels": '{"a": 1}'}])
def test_a_head_without_labels_is_refused(source: Path, out: Path, tmp_path: Path, metadata: dict[str, str]) -> None:
    head = tmp_path / "head.safetensors"
    save_file({"weight": np.zeros((1, 32), np.float32), "bias": np.zeros(1, np.float32)}, head, metadata=metadata)
    assert refusal(source, out, head=head) is Code.PACKAGE_SOURCE


def test_a_tokenizer_that_cannot_be_used_fails_the_trial(source: Path, out: Path) -> None:
    (source / "tokenizer.json").write_bytes(b"{}")
    assert refusal(source, out) is Code.PACKAGE_TOKENIZER


def test_a_tokenizer_with_more_ids_than_the_model_is_refused(source: Path, out: Path) -> None:
    (source / "tokenizer.json").write_bytes(tiny_tokenizer().replace(b'"hot": ', b'"hot": 9'))
    assert refusal(source, out) is Code.PACKAGE_TOKENIZER


def test_an_unknown_task_is_refused(source: Path, out: Path) -> None:
    assert refusal(source, out, task="translation") is Code.PACKAGE_ARCHITECTURE


def test_a_folder_that_does_not_exist_is_not_found(tmp_path: Path, out: Path) -> None:
    assert refusal(tmp_path / "nothing", out) is Code.PACKAGE_NOT_FOUND


def test_a_name_that_is_no_alias_is_refused(source: Path, out: Path) -> None:
    assert refusal(source, out, name="No Alias") is Code.PACKAGE_MANIFEST


def test_a_target_folder_that_does_not_exist_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfideError) as caught:
        pack(source, tmp_path / "missing" / "m.confide")
    assert caught.value.code is Code.PACKAGE_WRITE


def test_a_failed_trial_keeps_the_package_that_was_there(source: Path, out: Path) -> None:
    good = pack(source, out).digest
    with pytest.raises(EngineError):
        pack(source, out, example="\ud800")
    assert open_package(out).digest == good
    assert names(out.parent) == ["m.confide"]


def test_a_full_disk_leaves_nothing_behind(source: Path, out: Path) -> None:
    program = (
        "import resource, signal, sys; from pathlib import Path; from confide.engine.pack import pack\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "try: pack(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "except Exception as error: sys.exit(error.code.value)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, source, out], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "package.write"
    assert names(out.parent) == []


def test_packing_without_its_libraries_says_what_to_install(source: Path, out: Path) -> None:
    program = (
        "import sys; sys.modules['onnx'] = None\n"
        "try: import confide.engine.pack\n"
        "except Exception as error: print(error.code.value, error.wanted)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "package.extra pip install 'confide[pack,server]'"
