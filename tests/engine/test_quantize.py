"""int8 packages: near float32, exact integers, the same bits alone and in company, and refused where a CPU cannot."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.engine.helpers import with_engine
from tests.engine.test_batch_invariance import check
from tests.support_models import bert_folder, minilm_original, minilm_package, tiny_package

from confide.cli.app import run
from confide.codes import Code
from confide.engine import EmbeddingOutput, Engine, LoadedModel, integers, lane, open_package, pack, wire
from confide.engine.accuracy import LENGTHS
from confide.engine.bert_onnx import OPSET
from confide.engine.pack import PackReport, read_calibration
from confide.engine.quantize import ONE_SIDED, Int8Dense, observe, quantize_weight
from confide.engine.runtime import open_session
from confide.engine.steps import IntegerFault, Pipeline
from confide.errors import PackageError

TEXTS = [f"the word {first} was {second} as hot" for first in ("a", "of", "you", "his") for second in ("they", "one", "by")]
Array = npt.NDArray[np.float32]


def quantized(folder: Path, **options: object) -> PackReport:
    arguments = {"calibration": TEXTS, **options}
    return pack.pack(bert_folder(folder / "tiny"), folder / "m.confide", **arguments)  # type: ignore[arg-type]


# --- one layer --------------------------------------------------------------------------------------------------------------------


class Graph:
    """As `bert_onnx` builds one."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, onnx.TensorProto] = {}

    def add(self, operator: str, *inputs: str, name: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def weight(self, name: str, value: npt.NDArray[np.generic]) -> str:
        self.weights[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def ints(self, *values: int) -> str:
        return self.weight(f"ints_{values}", np.array(values, dtype=np.int64))

    def session(self, output: str) -> object:
        shape = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", output)]
        graph = helper.make_graph(self.nodes, "layer", shape[:1], shape[1:], list(self.weights.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
        return open_session(model.SerializeToString())


def layer(x: Array, weight: Array, bias: Array, *, name: str, seen: Array | None = None) -> Array:
    graph = Graph()
    output = Int8Dense({} if seen is None else {"x": seen})(graph, weight, bias, name, "x")
    (found,) = graph.session(output).run([output], {"x": x})  # type: ignore[attr-defined]
    return np.asarray(found)


def made(rows: int = 6) -> tuple[Array, Array, Array]:
    chance = np.random.default_rng(5)
    x = chance.normal(size=(1, rows, 32)).astype(np.float32)
    x[..., 3] *= 40  # a channel with large values, as encoders have
    return x, chance.normal(size=(16, 32)).astype(np.float32), chance.normal(size=16).astype(np.float32)


def distance(found: Array, wanted: Array) -> float:
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


@pytest.mark.parametrize("name", ["layer.qkv", f"layer{ONE_SIDED}"])
def test_a_layer_is_near_the_whole_one_and_nearer_when_it_was_calibrated(name: str) -> None:
    x, weight, bias = made()
    wanted = x @ weight.T + bias
    blind, seeing = layer(x, weight, bias, name=name), layer(x, weight, bias, name=name, seen=np.abs(x).reshape(-1, 32).max(axis=0))
    assert distance(seeing, wanted) < distance(blind, wanted) < 0.05
    assert distance(seeing, wanted) < 0.01


@pytest.mark.parametrize("name", ["layer.qkv", f"layer{ONE_SIDED}"])
def test_a_token_depends_on_no_other_token(name: str) -> None:
    x, weight, bias = made()
    together = layer(x, weight, bias, name=name)
    alone = [layer(x[:, row : row + 1], weight, bias, name=name)[0, 0] for row in range(x.shape[1])]
    assert together[0].tobytes() == np.array(alone).tobytes()
    loud = x.copy()
    loud[0, 0] *= 1000  # a neighbour that would change a scale of the whole tensor
    assert layer(loud, weight, bias, name=name)[0, 1:].tobytes() == together[0, 1:].tobytes()


@pytest.mark.parametrize("name", ["layer.qkv", f"layer{ONE_SIDED}"])
def test_a_token_of_zeros_gives_the_bias(name: str) -> None:
    _, weight, bias = made()
    assert np.allclose(layer(np.zeros((1, 1, 32), dtype=np.float32), weight, bias, name=name), bias)


def test_weights_lie_on_their_integers() -> None:
    _, weight, _ = made()
    weight[0] = 0
    scales, whole = quantize_weight(weight)
    assert whole.dtype == np.int8
    assert np.abs(whole.astype(int)).max() == 127
    assert (np.abs(whole * scales[:, None] - weight) <= scales[:, None] / 2 + 1e-7).all()
    assert not whole[0].any()


# --- a package --------------------------------------------------------------------------------------------------------------------


def test_an_int8_package_answers_nearly_as_the_whole_one(tmp_path: Path) -> None:
    report = quantized(tmp_path)
    found = report.accuracy
    assert found is not None
    assert (found.texts, found.agreement) == (len(TEXTS) // 2, None)
    assert 0.99 < found.cosine[0] <= found.cosine[1] <= 1.0001
    assert found.sizes[1] < found.sizes[0]
    assert set(found.times) == {length for length in LENGTHS if length <= report.package.manifest.pre.max_tokens}
    assert report.package.manifest.about.description == pack.INT8
    assert integers.OPERATOR in report.package.read("model.onnx")
    assert isinstance(report.result.outputs, EmbeddingOutput)
    assert "int8 against float32 on 6 texts" in "\n".join(report.lines())
    assert json.loads(json.dumps(report.as_dict()))["int8"]["texts"] == 6


def test_the_same_texts_make_the_same_package(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert quantized(tmp_path / "a").digest == quantized(tmp_path / "b").digest
    assert quantized(tmp_path / "b", calibration=[*TEXTS, "it was hot", "on the word"]).digest != quantized(tmp_path / "a").digest


def test_an_int8_package_is_batch_invariant(tmp_path: Path) -> None:
    report = quantized(tmp_path)
    manifest = report.package.manifest
    pipeline = Pipeline(manifest, core=report.package.read("model.onnx"), tokenizer=report.package.read("tokenizer.json"))
    assert pipeline.batches
    check(report.package, count=60, rounds=4)


def test_a_classifier_tells_how_often_its_first_label_stays(tmp_path: Path) -> None:
    folder = tmp_path / "labelled"
    folder.mkdir()
    tiny_package(folder, name="labelled", labels=["one", "two", "three"])
    source = next(path.parent for path in folder.rglob("config.json"))
    found = pack.pack(source, tmp_path / "c.confide", labels=("one", "two", "three"), calibration=TEXTS).accuracy
    assert found is not None
    assert found.agreement is not None
    assert 0.5 <= found.agreement <= 1


@pytest.mark.parametrize("count", [0, 7, 4097])
def test_too_few_or_too_many_texts_are_refused(tmp_path: Path, count: int) -> None:
    with pytest.raises(PackageError) as caught:
        quantized(tmp_path, calibration=["a word"] * count)
    assert (caught.value.code, caught.value.found) == (Code.PACKAGE_SOURCE, f"{count} calibration texts")
    assert not (tmp_path / "m.confide").exists()


def test_somebody_elses_graph_is_not_quantized(tmp_path: Path) -> None:
    report = pack.pack(bert_folder(tmp_path / "tiny"), tmp_path / "whole.confide")
    source = tmp_path / "tiny"
    (source / "model.safetensors").unlink()
    (source / "model.onnx").write_bytes(report.package.read("model.onnx"))
    with pytest.raises(PackageError) as caught:
        pack.pack(source, tmp_path / "m.confide", calibration=TEXTS)
    assert (caught.value.code, caught.value.found) == (Code.PACKAGE_ARCHITECTURE, "int8 for an ONNX graph")


def test_ranges_are_those_of_every_token_of_every_text(tmp_path: Path) -> None:
    report = pack.pack(bert_folder(tmp_path / "tiny"), tmp_path / "whole.confide")
    core = report.package.read("model.onnx")
    both, one, other = (observe(core, texts) for texts in ([[2, 5, 3], [2, 7, 9, 3]], [[2, 5, 3]], [[2, 7, 9, 3]]))
    assert len(both) == 8  # four dense layers in each of two
    for name, largest in both.items():
        assert (largest == np.maximum(one[name], other[name])).all()


# --- the command ------------------------------------------------------------------------------------------------------------------


def test_the_command_shows_what_it_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, texts = bert_folder(tmp_path / "tiny"), tmp_path / "texts.txt"
    texts.write_text("\n".join(["", *TEXTS, " "]))
    common = ["pack", str(source), "-o", str(tmp_path / "m.confide"), "--force"]
    assert run([*common, "--quantize", "--calibration", str(texts)]) == 0
    told = capsys.readouterr()
    assert "ranges from 6 texts, compared on 6 others" in told.err
    assert "cosine" in told.out
    assert run([*common, "--quantize"]) == 0  # with texts of its own
    assert "compared on 32 others" in capsys.readouterr().err
    assert run([*common, "--calibration", str(texts)]) == 2
    assert "--quantize beside it" in capsys.readouterr().err


def test_texts_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"\xe9\n" * 20)
    (tmp_path / "large.txt").write_bytes(b"a\n" * (3 << 20))
    for name, code in (("latin", Code.PACKAGE_SOURCE), ("large", Code.PACKAGE_TOO_LARGE), ("none", Code.PACKAGE_SOURCE)):
        with pytest.raises(PackageError) as caught:
            read_calibration(tmp_path / f"{name}.txt")
        assert caught.value.code is code
    assert len(set(read_calibration())) == 64


# --- the CPU ----------------------------------------------------------------------------------------------------------------------


def test_the_graph_that_tries_the_cpu_is_one_product() -> None:
    node = helper.make_node("MatMulInteger", ["a", "b"], ["c"])
    shapes = [("a", TensorProto.UINT8, ["m", "k"]), ("b", TensorProto.INT8, ["k", "n"]), ("c", TensorProto.INT32, ["m", "n"])]
    a, b, c = (helper.make_tensor_value_info(*shape) for shape in shapes)
    graph = helper.make_graph([node], "t", [a, b], [c])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    assert model.SerializeToString(deterministic=True) == integers.GRAPH


def test_a_cpu_that_saturates_takes_no_int8_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = pack.pack(bert_folder(tmp_path / "tiny"), tmp_path / "whole.confide").package
    package = quantized(tmp_path).package
    monkeypatch.setattr(integers, "exact", lambda: False)
    parts = {"tokenizer": package.read("tokenizer.json")}
    with pytest.raises(IntegerFault):
        Pipeline(package.manifest, core=package.read("model.onnx"), **parts)
    Pipeline(whole.manifest, core=whole.read("model.onnx"), **parts)  # others are taken
    error = lane._load_error(wire.Status.INTEGERS)
    assert (error.code, "VNNI" in error.found) == (Code.ENGINE_LOAD, True)
    assert lane._load_error(99).found == "nonsense"


def test_saturation_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    class Saturating:
        def run(self, _: object, feeds: dict[str, npt.NDArray[np.generic]]) -> list[npt.NDArray[np.int32]]:
            a, b = feeds["a"].astype(np.int64), feeds["b"].astype(np.int64)
            pairs = a[:, ::2, None] * b[None, ::2] + a[:, 1::2, None] * b[None, 1::2]
            return [np.clip(pairs, -32768, 32767).sum(axis=1).astype(np.int32)]

    monkeypatch.setattr(integers, "open_session", lambda _: Saturating())
    assert not integers.exact.__wrapped__()


@pytest.mark.real_model
def test_minilm_in_int8_reaches_what_is_claimed(tmp_path: Path) -> None:
    if not integers.exact():
        pytest.skip("this CPU has no exact 8-bit products (VNNI)")
    source = tmp_path / "minilm"
    source.mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (source / name).write_bytes(minilm_original(name))
    report = pack.pack(source, tmp_path / "m.confide", calibration=read_calibration())
    assert report.accuracy is not None
    assert report.accuracy.cosine[1] >= 0.999
    assert report.accuracy.cosine[0] >= 0.997
    check(report.package, count=120, rounds=2)


def test_a_session_keeps_no_second_copy_of_its_graph() -> None:
    assert open_session(integers.GRAPH)._model_bytes is None


@pytest.mark.real_model
def test_a_worker_holds_its_package_about_once() -> None:
    async def body(engine: Engine, model: LoadedModel) -> int:
        await engine.run(model.digest, ["word " * 126])
        (pid,) = engine.worker_pids
        statm = await asyncio.to_thread(Path(f"/proc/{pid}/statm").read_text)
        return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    package = open_package(minilm_package())
    graph = package.manifest.files["model.onnx"].size
    assert with_engine(body, package) < 2.5 * graph, "Python, ONNX Runtime and the tokenizer take 75 MB, the graph 90"
