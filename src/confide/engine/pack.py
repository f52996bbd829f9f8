"""`confide pack`: a Hugging Face style folder becomes a `.confide` package that has answered an example.

1. read the folder (`hf_folder.py`)            4. write manifest and files to a temporary folder beside the target
2. decide task, labels, steps                  5. write the container under a temporary name
3. build the ONNX graph, or take the given one 6. run the example in a sandboxed worker; only then give the package its name

With calibration texts the graph of step 3 is made a second time in int8, and compared with the first.
Nothing is left behind when any step fails. Needs `confide[pack]` and `confide[server]`; no torch, no hub.
"""

import asyncio
import hashlib
import re
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from confide.codes import Code
from confide.engine.engine import Engine
from confide.engine.limits import EngineLimits
from confide.engine.manifest import (
    MANIFEST_NAME,
    About,
    Core,
    FileEntry,
    GraphInput,
    Manifest,
    PostStep,
    PreStep,
    Task,
    Tokenize,
    dump_manifest,
)
from confide.engine.package import Package, open_package, write_package
from confide.engine.results import EmbeddingOutput, Result
from confide.errors import MisuseError, PackageError

try:
    from confide.engine import accuracy, bert_onnx, hf_folder, quantize
    from confide.engine.steps import Pipeline, load_tokenizer
except ImportError as error:  # pragma: no cover - tried in an environment without the extra (tests/engine/test_pack.py)
    raise MisuseError(Code.PACKAGE_EXTRA, found=f"no {error.name}", wanted="pip install 'confide[pack,server]'") from None

EXAMPLE = "The quick brown fox jumps over the lazy dog."
CALIBRATION = Path(__file__).with_name("calibration.txt")
MIN_CALIBRATION, MAX_CALIBRATION = 8, 4096  # texts
INT8 = "int8, made by confide pack"
_CORE, _TOKENIZER = "model.onnx", "tokenizer.json"


@dataclass(frozen=True)
class PackReport:
    """What was made, and that it works."""

    package: Package
    container_bytes: int
    seconds: float
    example: str
    result: Result
    accuracy: "accuracy.Accuracy | None" = None  # of an int8 package

    @property
    def digest(self) -> bytes:
        """The package's digest."""
        return self.package.digest

    def lines(self) -> list[str]:
        """For people: sizes, digest, example."""
        manifest = self.package.manifest
        shown = [f"{manifest.name}: {manifest.task.value}, {manifest.dimension} {'labels' if manifest.labels else 'dimensions'}"]
        for name, digest in self.package.parts.items():
            size = f"{manifest.files[name].size:>12,} bytes" if name != MANIFEST_NAME else f"{'manifest':>18}"
            shown.append(f"  {name:<16} {size}  sha256 {digest.hex()[:16]}…")
        shown.append(f"  {self.package.location.name} {self.container_bytes:,} bytes, packed in {self.seconds:.1f} s")
        shown.append(f"  package digest {self.digest.hex()}")
        shown.append(f"  example {self.example!r}: {_show(self.result)}")
        return shown + ([] if self.accuracy is None else self.accuracy.lines())

    def as_dict(self) -> dict[str, object]:
        """For `--json`."""
        manifest = self.package.manifest
        return {
            "name": manifest.name,
            "task": manifest.task.value,
            "digest": self.digest.hex(),
            "path": str(self.package.location),
            "bytes": self.container_bytes,
            "seconds": round(self.seconds, 2),
            "parts": {name: digest.hex() for name, digest in self.package.parts.items()},
            "labels": list(manifest.labels),
            "dimension": manifest.dimension,
            "max_tokens": manifest.pre.max_tokens,
            "example": {"input": self.example, "output": _show(self.result)},
            "int8": None if self.accuracy is None else self.accuracy.as_dict(),
        }


@dataclass(frozen=True)
class _Plan:
    """Step 2: everything the manifest says, and the graph's bytes."""

    task: Task
    core: bytes
    inputs: tuple[GraphInput, ...]
    output: str
    post: tuple[PostStep, ...]
    dimension: int
    labels: tuple[str, ...] = ()


def pack(
    source: Path,
    out: Path,
    *,
    task: Task | str | None = None,
    labels: tuple[str, ...] | None = None,
    name: str | None = None,
    head: Path | None = None,
    max_tokens: int | None = None,
    about: About | None = None,
    example: str = EXAMPLE,
    calibration: Sequence[str] | None = None,
) -> PackReport:
    """Make the package `out` from the model folder `source`, and try it on `example`.

    Args:
        task: given, or found: a `head` or a sequence classification model classifies, other encoders embed sentences.
        labels: in place of the names in the model's configuration.
        name: suggested alias; the folder's name otherwise.
        head: a safetensors file with `weight`, `bias` and labels, which makes a sentence encoder a classifier.
        max_tokens: fewer than the model takes.
        calibration: texts; makes an int8 package (`quantize`) whose ranges come from every other text, compared on the rest.

    Raises:
        PackageError: a `package.*` code; `out` is then as it was before.
        EngineError: the package did not load or failed on the example.
    """
    start = time.perf_counter()
    found = hf_folder.read_source(source)
    plan = _plan(found, _task(found, task, head), labels, head)
    limit = min(max_tokens or found.max_tokens, found.max_tokens)
    with _scratch(out) as folder:
        files = {_CORE: plan.core, _TOKENIZER: found.tokenizer}
        manifest = _manifest(plan, files, name=name or _alias(source), max_tokens=limit, about=about or About())
        compared = None
        if calibration is not None:
            files[_CORE], compared = _int8(found, plan, manifest, labels, head, calibration)
            manifest = _manifest(plan, files, name=name or _alias(source), max_tokens=limit, about=about or About(INT8))
        for path, data in {**files, MANIFEST_NAME: dump_manifest(manifest)}.items():
            _write(Path(folder) / path, data)
        trial = out.with_name(f".{out.name}.{Path(folder).name}")
        try:
            package = write_package(Path(folder), trial)
            result = try_package(package, example)
            trial.replace(out)
        except OSError as error:
            raise PackageError(Code.PACKAGE_WRITE, found=f"{out}: {error.strerror}", wanted="room and permission") from None
        finally:
            trial.unlink(missing_ok=True)
    package = open_package(out, expected_digest=package.digest)
    return PackReport(package, out.stat().st_size, time.perf_counter() - start, example, result, compared)


def read_calibration(path: Path = CALIBRATION) -> list[str]:
    """A text a line, empty ones left out.

    Raises:
        PackageError: `package.source`, `package.too_large`.
    """
    data = hf_folder.read_bounded(path, MAX_CALIBRATION * 1024)
    try:
        return [line for line in data.decode("utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError:
        raise PackageError(Code.PACKAGE_SOURCE, found=f"{path.name} that is no UTF-8", wanted="a text a line") from None


def try_package(package: Package, example: str) -> Result:
    """Load a package into one worker and run one text through it."""

    async def attempt() -> Result:
        engine = Engine(workers=1, limits=EngineLimits())
        await engine.start()
        try:
            model = await engine.load(package)
            return await engine.run(model.digest, [example])
        finally:
            await engine.stop()

    with ThreadPoolExecutor(1) as thread:  # the caller may have an event loop of its own
        return thread.submit(asyncio.run, attempt()).result()


def _task(source: "hf_folder.Source", task: Task | str | None, head: Path | None) -> Task:
    if task is not None:
        try:
            return Task(task)
        except ValueError:
            raise PackageError(Code.PACKAGE_ARCHITECTURE, found=f"task {task[:40]!a}", wanted=" or ".join(Task)) from None
    return Task.TEXT_CLASSIFICATION if head is not None or source.is_classifier else Task.SENTENCE_EMBEDDING


def _int8(
    source: "hf_folder.Source",
    plan: _Plan,
    manifest: Manifest,
    labels: tuple[str, ...] | None,
    head: Path | None,
    texts: Sequence[str],
) -> tuple[bytes, "accuracy.Accuracy"]:
    """The int8 graph, and what it costs and gives."""
    if source.weights is None:
        raise PackageError(Code.PACKAGE_ARCHITECTURE, found="int8 for an ONNX graph", wanted="safetensors weights")
    if not MIN_CALIBRATION <= len(texts) <= MAX_CALIBRATION:
        found, wanted = f"{len(texts)} calibration texts", f"{MIN_CALIBRATION} to {MAX_CALIBRATION}"
        raise PackageError(Code.PACKAGE_SOURCE, found=found, wanted=wanted)
    encode = load_tokenizer(source.tokenizer, manifest.pre.max_tokens).encode
    ids = [found for found in (encode(text).ids for text in texts) if found]
    seen, unseen = ids[::2], ids[1::2]
    small = _plan(source, plan.task, labels, head, quantize.Int8Dense(quantize.observe(plan.core, seen))).core
    first, second = (Pipeline(manifest, core=core, tokenizer=source.tokenizer) for core in (plan.core, small))
    return small, accuracy.compare(first, second, unseen, sizes=(len(plan.core), len(small)))


def _plan(
    source: "hf_folder.Source",
    task: Task,
    labels: tuple[str, ...] | None,
    head: Path | None,
    dense: "quantize.Dense | None" = None,
) -> _Plan:
    if source.weights is None:
        return _plan_onnx(source, task, labels, head)
    config = hf_folder.bert_config(source)
    if task is Task.SENTENCE_EMBEDDING:
        core, output = bert_onnx.build(config, hf_folder.read_weights(source.weights, config), dense=dense)
        return _Plan(task, core, (GraphInput.INPUT_IDS,), output, _embedding_steps(source), config.hidden_size)
    if head is not None:
        linear, found = hf_folder.read_head(head, config.hidden_size)
        core, output = bert_onnx.build(config, hf_folder.read_weights(source.weights, config), head=linear, dense=dense)
    else:
        found = source.labels or labels or ()
        if not found:
            raise PackageError(Code.PACKAGE_SOURCE, found="no id2label", wanted="labels in config.json, given, or a head")
        tensors = hf_folder.read_weights(source.weights, config, labels=len(found))
        core, output = bert_onnx.build(config, tensors, classifier=True, dense=dense)
    names = _labels(found, labels)
    return _Plan(task, core, (GraphInput.INPUT_IDS,), output, (_score(source),), len(names), names)


def _plan_onnx(source: "hf_folder.Source", task: Task, labels: tuple[str, ...] | None, head: Path | None) -> _Plan:
    """A graph that somebody else exported: its inputs and first output decide."""
    if head is not None or source.onnx is None:
        raise PackageError(Code.PACKAGE_ARCHITECTURE, found="a head for an ONNX graph", wanted="safetensors weights")
    data, model = hf_folder.read_onnx(source.onnx)
    known = {item.value: item for item in GraphInput}
    weights = {tensor.name for tensor in model.graph.initializer}
    names = [node.name for node in model.graph.input if node.name not in weights]
    if "input_ids" not in names or any(name not in known for name in names) or not model.graph.output:
        raise PackageError(Code.PACKAGE_GRAPH, found=f"inputs {names[:8]}"[:120], wanted=f"some of {list(known)}")
    inputs = tuple(known[name] for name in names)
    output = model.graph.output[0]
    width = [axis.dim_value for axis in output.type.tensor_type.shape.dim]
    if task is Task.TEXT_CLASSIFICATION:
        chosen = _labels(source.labels or labels or (), labels)
        return _Plan(task, data, inputs, output.name, (_score(source),), len(chosen), chosen)
    dimension = (width[-1] if width else 0) or source.config.hidden_size
    post = _embedding_steps(source) if len(width) == 3 else ()
    return _Plan(task, data, inputs, output.name, post, dimension)


def _embedding_steps(source: "hf_folder.Source") -> tuple[PostStep, ...]:
    """modules.json decides; a plain encoder gets the mean, the common choice, and no norm."""
    return source.pooling or (PostStep.MEAN_POOL,)


def _score(source: "hf_folder.Source") -> PostStep:
    return PostStep.SIGMOID if source.config.problem_type == "multi_label_classification" else PostStep.SOFTMAX


def _labels(found: tuple[str, ...], given: tuple[str, ...] | None) -> tuple[str, ...]:
    if given is not None and len(given) != len(found):
        raise PackageError(Code.PACKAGE_SOURCE, found=f"{len(given)} labels given", wanted=f"{len(found)}")
    if not found:
        raise PackageError(Code.PACKAGE_SOURCE, found="no labels", wanted="id2label in config.json, or labels given")
    return given or found


def _manifest(plan: _Plan, files: dict[str, bytes], *, name: str, max_tokens: int, about: About) -> Manifest:
    entries = {path: FileEntry(len(data), hashlib.sha256(data).hexdigest()) for path, data in files.items()}
    return Manifest(
        format=1,
        name=name,
        task=plan.task,
        dimension=plan.dimension,
        labels=plan.labels,
        about=about,
        pre=Tokenize(PreStep.HF_TOKENIZER, _TOKENIZER, max_tokens),
        core=Core("onnx", _CORE, plan.inputs, plan.output),
        post=plan.post,
        files=entries,
    )


def _alias(source: Path) -> str:
    text = re.sub(r"[^a-z0-9._-]+", "-", source.resolve().name.lower()).strip("-._")[:64]
    return text or "model"


def _scratch(out: Path) -> "tempfile.TemporaryDirectory[str]":
    """Beside the target: the same file system, so that the last step is a rename, and room is tried where it is needed."""
    try:
        return tempfile.TemporaryDirectory(prefix=".confide-pack-", dir=out.resolve().parent)
    except OSError as error:
        raise PackageError(Code.PACKAGE_WRITE, found=f"{out.parent}: {error.strerror}", wanted="room and permission") from None


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise PackageError(Code.PACKAGE_WRITE, found=f"{path.name}: {error.strerror}", wanted="room and permission") from None


def _show(result: Result) -> str:
    if isinstance(result.outputs, EmbeddingOutput):
        first = ", ".join(f"{value:.4f}" for value in result.outputs.vectors()[0][:4])
        return f"[{first}, …] ({result.tokens[0]} tokens)"
    return ", ".join(f"{label} {score:.3f}" for label, score in result.outputs.ranked()[0][:3])
