"""`confide.toml`: what parses, and the code of every refusal."""

from typing import Any

import pytest
import tomli_w
from tests.engine.helpers import FILES, manifest_value

from confide.codes import Code
from confide.engine.manifest import (
    MANIFEST_NAME,
    MAX_FILES,
    GraphInput,
    Manifest,
    PostStep,
    Task,
    check_paths,
    dump_manifest,
    parse_manifest,
)
from confide.errors import PackageError


def parse(**changes: Any) -> Manifest:
    """Parse the small manifest with some members changed."""
    return parse_manifest(tomli_w.dumps(manifest_value(FILES, **changes)).encode())


def refusal(data: bytes) -> Code:
    """The code with which the bytes are refused."""
    with pytest.raises(PackageError) as caught:
        parse_manifest(data)
    return caught.value.code


def changed(**changes: Any) -> Code:
    """The code with which the small manifest is refused after changes."""
    return refusal(tomli_w.dumps(manifest_value(FILES, **changes)).encode())


CLASSIFIER: dict[str, Any] = {"task": "text-classification", "post": ["softmax"], "labels": ["a", "b"]}


def test_a_small_manifest_parses_into_typed_values() -> None:
    manifest = parse()
    assert manifest.task is Task.SENTENCE_EMBEDDING
    assert manifest.post == (PostStep.MEAN_POOL,)
    assert manifest.core.inputs == (GraphInput.INPUT_IDS,)
    assert manifest.files["m.onnx"].size == 5


def test_a_manifest_survives_writing_and_parsing() -> None:
    for manifest in (parse(), parse(**CLASSIFIER), parse(about={"license": "MIT"})):
        assert parse_manifest(dump_manifest(manifest)) == manifest


@pytest.mark.parametrize("post", [[], ["l2-normalise"], ["cls-pool"], ["mean-pool", "l2-normalise"], ["cls-pool", "l2-normalise"]])
def test_pipelines_of_embeddings_are_accepted(post: list[str]) -> None:
    assert list(parse(post=post).post) == post


@pytest.mark.parametrize("post", ["softmax", "sigmoid"])
def test_pipelines_of_classifiers_are_accepted(post: str) -> None:
    assert parse(**CLASSIFIER | {"post": [post]}).labels == ("a", "b")


@pytest.mark.parametrize("version", [0, 2, "1", True, 1.0])
def test_another_format_version_is_refused(version: Any) -> None:
    assert changed(format=version) is Code.PACKAGE_VERSION


def test_a_manifest_without_a_version_is_refused() -> None:
    assert changed(format=None) is Code.PACKAGE_VERSION


@pytest.mark.parametrize("data", [b"\xff", b"format = ", b"format = 1\nformat = 1\n", b"[" * 5000])
def test_bytes_that_are_not_toml_are_refused(data: bytes) -> None:
    assert refusal(data) is Code.PACKAGE_MANIFEST


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Up"},
        {"name": ""},
        {"name": "a/b"},
        {"dimension": 0},
        {"dimension": 1 << 20},
        {"dimension": "2"},
        {"unknown": 1},
        {"task": "text-generation"},
        {"files": None},
        {"pre": {"step": "python", "file": "t.json", "max_tokens": 8}},
        {"pre": {"step": "hf-tokenizer", "file": "t.json", "max_tokens": 0}},
        {"pre": {"step": "hf-tokenizer", "file": "t.json", "max_tokens": 1 << 20}},
        {"post": ["python:run"]},
        {"about": {"script": "x"}},
        {"files": {name: {"size": 1, "sha256": "A" * 64} for name in FILES}},
        {"files": {name: {"size": -1, "sha256": "a" * 64} for name in FILES}},
        CLASSIFIER | {"labels": ["a", "a"]},
        CLASSIFIER | {"labels": ["a", "b\n"]},
        CLASSIFIER | {"labels": ["a", ""]},
        CLASSIFIER | {"labels": [str(i) for i in range(1001)], "dimension": 1001},
    ],
)
def test_wrong_unknown_and_unbounded_members_are_refused(changes: dict[str, Any]) -> None:
    assert changed(**changes) is Code.PACKAGE_MANIFEST


@pytest.mark.parametrize(
    "changes",
    [
        {"post": ["l2-normalise", "mean-pool"]},
        {"post": ["mean-pool", "mean-pool"]},
        {"post": ["softmax"]},
        {"labels": ["a"]},
        CLASSIFIER | {"post": []},
        CLASSIFIER | {"post": ["mean-pool", "softmax"]},
        CLASSIFIER | {"labels": ["a"]},
        CLASSIFIER | {"labels": []},
        {"core": {"step": "python", "file": "m.onnx", "inputs": ["input_ids"], "output": "y"}},
        {"core": {"step": "onnx", "file": "other.onnx", "inputs": ["input_ids"], "output": "y"}},
        {"core": {"step": "onnx", "file": "m.onnx", "inputs": ["attention_mask"], "output": "y"}},
        {"core": {"step": "onnx", "file": "m.onnx", "inputs": ["input_ids", "input_ids"], "output": "y"}},
        {"core": {"step": "onnx", "file": "m.onnx", "inputs": ["input_ids"], "output": ""}},
        {"pre": {"step": "hf-tokenizer", "file": "other.json", "max_tokens": 8}},
        {"files": {name: {"size": 1, "sha256": "a" * 64} for name in (*FILES, "Confide.toml")}},
    ],
)
def test_steps_that_make_no_pipeline_are_refused(changes: dict[str, Any]) -> None:
    assert changed(**changes) is Code.PACKAGE_STEP


@pytest.mark.parametrize(
    "path", ["../x", "/x", ".x", "a/.b", "a//b", "a\\b", "a b", "ä", "x" * 201, "a/" * 8 + "b", "", "a/", "x\n"]
)
def test_names_that_leave_the_package_or_hide_are_refused(path: str) -> None:
    assert changed(files=manifest_value({**FILES, path: b""})["files"]) is Code.PACKAGE_PATH


def test_names_that_mean_one_file_somewhere_are_refused() -> None:
    assert changed(files=manifest_value({**FILES, "T.json": b""})["files"]) is Code.PACKAGE_DUPLICATE
    assert changed(files=manifest_value({**FILES, "t.json/x": b""})["files"]) is Code.PACKAGE_DUPLICATE


def test_the_bounds_on_size_and_count_hold() -> None:
    check_paths([f"f{i}" for i in range(MAX_FILES)])
    assert changed(files=manifest_value({**FILES, **{f"f{i}": b"" for i in range(MAX_FILES)}})["files"]) is Code.PACKAGE_TOO_LARGE
    assert refusal(b"#" * (256 << 10) + b"\n") is Code.PACKAGE_TOO_LARGE


def test_the_manifest_does_not_list_itself() -> None:
    assert MANIFEST_NAME not in parse().files
