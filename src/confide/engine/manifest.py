"""`confide.toml`: what a model package declares (spec/11-package.md).

The manifest names every file with its size and SHA-256, and the steps of the pipeline from a closed library: `pre` turns inputs
into tensors, `core` is the ONNX graph, `post` turns its output into the answer. Left to others: reading and hashing the files
(`package.py`), running the steps (`steps.py`).
"""

import re
from enum import StrEnum
from typing import Any

import msgspec
import tomli_w

from confide.codes import Code
from confide.errors import PackageError
from confide.formats import toml

MANIFEST_NAME = "confide.toml"
MAX_MANIFEST = 256 << 10  # bytes; 64 files and 1,000 labels fit twice
MAX_FILES = 64
MAX_LABELS = 1000
MAX_DIMENSION = 65536
MAX_TOKENS = 8192
MAX_PATH = 200
MAX_SIZE = (1 << 63) - 1  # of one file: what every TOML parser can read
FORMAT = 1

_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*){0,7}\Z")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


class Task(StrEnum):
    """What a package answers. The names are those of `/v1/pipelines`."""

    SENTENCE_EMBEDDING = "sentence-embedding"
    TEXT_CLASSIFICATION = "text-classification"


class PreStep(StrEnum):
    """Steps before the core."""

    HF_TOKENIZER = "hf-tokenizer"  # Hugging Face tokenizer.json: padding off, truncation at `max_tokens`


class PostStep(StrEnum):
    """Steps after the core, in the order in which they may follow each other."""

    MEAN_POOL = "mean-pool"  # [texts, tokens, dimension] -> [texts, dimension]
    CLS_POOL = "cls-pool"  # the first token's vector
    L2_NORMALISE = "l2-normalise"
    SOFTMAX = "softmax"  # logits -> one probability distribution over `labels`
    SIGMOID = "sigmoid"  # logits -> one probability for each label


class GraphInput(StrEnum):
    """Inputs that a core graph may ask for, each int64 of shape [texts, tokens]. Rows are never padded."""

    INPUT_IDS = "input_ids"
    ATTENTION_MASK = "attention_mask"
    TOKEN_TYPE_IDS = "token_type_ids"  # noqa: S105 - not a password


_PIPELINES: dict[Task, frozenset[tuple[PostStep, ...]]] = {
    Task.SENTENCE_EMBEDDING: frozenset(
        steps + tail for steps in ((), (PostStep.MEAN_POOL,), (PostStep.CLS_POOL,)) for tail in ((), (PostStep.L2_NORMALISE,))
    ),
    Task.TEXT_CLASSIFICATION: frozenset({(PostStep.SOFTMAX,), (PostStep.SIGMOID,)}),
}


class FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Size and SHA-256 (hex) of one file."""

    size: int
    sha256: str


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For people; nothing decides on it."""

    description: str = ""
    license: str = ""
    source: str = ""


class Tokenize(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The one `pre` step of text packages."""

    step: PreStep
    file: str
    max_tokens: int  # with the tokenizer's own special tokens


class Core(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ONNX graph, its inputs and the one output that is used."""

    step: str
    file: str
    inputs: tuple[GraphInput, ...]
    output: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A parsed `confide.toml`; `dimension` is the vector's length, or the number of labels."""

    format: int
    name: str
    task: Task
    dimension: int
    pre: Tokenize
    core: Core
    post: tuple[PostStep, ...]
    files: dict[str, FileEntry]
    labels: tuple[str, ...] = ()
    about: About = About()


def parse_manifest(data: bytes) -> Manifest:
    """Parse and check the bytes of a `confide.toml`.

    Raises:
        PackageError: `package.too_large`, `package.version`, `package.manifest`, `package.path`, `package.duplicate` or
            `package.step`.
    """
    if len(data) > MAX_MANIFEST:
        raise PackageError(Code.PACKAGE_TOO_LARGE, found=f"a manifest of {len(data)} bytes", wanted=f"at most {MAX_MANIFEST}")
    manifest = _convert(_toml(data))
    _check_values(manifest)
    check_paths(list(manifest.files))
    _check_pipeline(manifest)
    return manifest


def dump_manifest(manifest: Manifest) -> bytes:
    """The TOML bytes of a manifest, checked by parsing them again."""
    ordered = msgspec.to_builtins(manifest, order="deterministic")
    ordered["files"] = dict(sorted(ordered["files"].items()))
    members = ("format", "name", "task", "dimension", "labels", "post", "about", "pre", "core", "files")
    data = tomli_w.dumps({key: ordered[key] for key in members if key in ordered}).encode()
    parse_manifest(data)
    return data


def check_paths(paths: list[str]) -> None:
    """Refuse names that leave the package, hide, or mean the same file on some file system."""
    count = sum(path != MANIFEST_NAME for path in paths)
    if count > MAX_FILES:
        raise PackageError(Code.PACKAGE_TOO_LARGE, found=f"{count} files", wanted=f"at most {MAX_FILES} and {MANIFEST_NAME}")
    seen: set[str] = set()
    for path in paths:
        if len(path) > MAX_PATH or not _PATH.match(path):
            raise PackageError(Code.PACKAGE_PATH, found=ascii(path)[:80], wanted="relative, letters digits . _ - and /")
        if path.lower() in seen:
            raise PackageError(Code.PACKAGE_DUPLICATE, found=path, wanted="each name once, in any case of letters")
        seen.add(path.lower())
    for path in seen:
        if any("/".join(path.split("/")[:depth]) in seen for depth in range(1, path.count("/") + 1)):
            raise PackageError(Code.PACKAGE_DUPLICATE, found=path, wanted="no name that is a file and a folder")


def _toml(data: bytes) -> dict[str, Any]:
    try:
        return toml.loads(data, limit=MAX_MANIFEST)
    except toml.TomlError as error:
        raise PackageError(Code.PACKAGE_MANIFEST, found=error.found, wanted="TOML in UTF-8") from None


def _convert(value: dict[str, Any]) -> Manifest:
    version = value.get("format")
    if type(version) is not int or version != FORMAT:
        raise PackageError(Code.PACKAGE_VERSION, found=f"format {_shown(version)}", wanted=f"format {FORMAT}")
    try:
        return msgspec.convert(value, Manifest, strict=True)
    except (msgspec.ValidationError, ValueError) as error:
        place = str(error).rsplit(" - at ", maxsplit=1)[-1] if " - at " in str(error) else "the top level"
        raise PackageError(
            Code.PACKAGE_MANIFEST, found=f"a wrong or missing member at {ascii(place)[1:-1][:120]}", wanted="spec/11"
        ) from None


def _check_values(manifest: Manifest) -> None:
    """Bounds of the members that no type expresses."""
    for holds, found, wanted in (
        (bool(_NAME.match(manifest.name)), "name", "1 to 64 of a-z 0-9 . _ -"),
        (1 <= manifest.dimension <= MAX_DIMENSION, f"dimension {_shown(manifest.dimension)}", f"1 to {MAX_DIMENSION}"),
        (1 <= manifest.pre.max_tokens <= MAX_TOKENS, f"max_tokens {_shown(manifest.pre.max_tokens)}", f"1 to {MAX_TOKENS}"),
        (len(manifest.labels) <= MAX_LABELS, f"{len(manifest.labels)} labels", f"at most {MAX_LABELS}"),
        (all(_is_label(label) for label in manifest.labels), "a label", "1 to 100 printable characters"),
        (len(set(manifest.labels)) == len(manifest.labels), "a label given twice", "each label once"),
        (all(_DIGEST.match(entry.sha256) for entry in manifest.files.values()), "sha256", "64 hex digits, lower case"),
        (all(0 <= entry.size <= MAX_SIZE for entry in manifest.files.values()), "a size", f"0 to {MAX_SIZE}"),
    ):
        if not holds:
            raise PackageError(Code.PACKAGE_MANIFEST, found=found, wanted=wanted)


def _shown(value: object) -> str:
    """A number for a message: Python refuses to print very long ones, and tables may be nested deeper than it can print."""
    return str(value) if isinstance(value, int) and abs(value) <= MAX_SIZE else "that is no 64-bit integer"


def _is_label(label: str) -> bool:
    return 1 <= len(label) <= 100 and label.isprintable()


def _check_pipeline(manifest: Manifest) -> None:
    """The steps, in this order, make a pipeline for the task, and the files that they use are listed."""
    for name in (manifest.pre.file, manifest.core.file):
        if name not in manifest.files:
            raise PackageError(Code.PACKAGE_STEP, found=f"a step uses {ascii(name)[:80]}", wanted="a file listed in [files]")
    classifies = manifest.task is Task.TEXT_CLASSIFICATION
    for holds, found, wanted in (
        (MANIFEST_NAME not in {path.lower() for path in manifest.files}, "the manifest in [files]", "only other files"),
        (manifest.core.step == "onnx", f"core step {manifest.core.step[:40]!a}", "onnx"),
        (GraphInput.INPUT_IDS in manifest.core.inputs, "no input_ids", "a core that takes input_ids"),
        (len(set(manifest.core.inputs)) == len(manifest.core.inputs), "a core input twice", "each input once"),
        (1 <= len(manifest.core.output) <= 200, "the core's output", "a name of 1 to 200 characters"),
        (manifest.post in _PIPELINES[manifest.task], f"post {'+'.join(manifest.post)[:80]}", f"steps of {manifest.task.value}"),
        (not classifies or len(manifest.labels) == manifest.dimension, f"{len(manifest.labels)} labels", "one for each score"),
        (classifies or not manifest.labels, "labels", "none for embeddings"),
    ):
        if not holds:
            raise PackageError(Code.PACKAGE_STEP, found=found, wanted=wanted)
