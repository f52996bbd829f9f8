"""The closed library of pipeline steps, as they run inside a worker: tokenise, the ONNX core, pool, normalise, score.

A row's bits must not depend on who shares its batch: that would be a side channel between tenants. So texts are grouped by their
exact number of tokens and never padded; only graphs that work token by token are given more than one text, because products with a
single row may round in another order (measured: 3e-7 on a pooled head); and each package is tried when it loads.
No code from a package is run; an ONNX graph is data to ONNX Runtime.

Left to others: processes and messages (`worker.py`), what may be declared (`manifest.py`).
"""

import math
import mmap
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from confide.engine import integers
from confide.engine.manifest import GraphInput, Manifest, PostStep, Task
from confide.engine.runtime import open_session

_PROBE = "A quick brown fox, one of 23, jumps over the lazy dog; was it hot?"

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


class TokenizerFault(Exception):  # noqa: N818 - inside a worker only; becomes a wire status
    """tokenizer.json cannot be used."""


class GraphFault(Exception):  # noqa: N818 - as above
    """The ONNX graph cannot be used, or is not what the manifest says."""


class IntegerFault(Exception):  # noqa: N818 - as above
    """The package needs exact 8-bit products, and this CPU has none."""


class TooLong(Exception):  # noqa: N818 - as above
    """A text has more tokens than the package takes and the caller refused truncation."""


class NoTokens(Exception):  # noqa: N818 - as above
    """A text of which nothing is left: empty, or blank, and a tokenizer without special tokens."""


class ModelFault(Exception):  # noqa: N818 - as above
    """The model failed on these inputs."""


@dataclass(slots=True)
class Tokens:
    """What the `pre` steps make of one text."""

    ids: list[int]
    truncated: bool


@dataclass(slots=True)
class Times:
    """Seconds spent in each part."""

    pre: float = 0.0
    core: float = 0.0
    post: float = 0.0


NO_TIME = Times()


@dataclass(slots=True)
class Work:
    """One request on its way through the pipeline; `rows` fills up group by group."""

    tokens: list[Tokens]
    rows: FloatArray
    times: Times = field(default_factory=Times)


def load_tokenizer(data: bytes, max_tokens: int) -> Tokenizer:
    """A tokenizer with our settings in place of the file's own: no padding, truncation at the package's maximum.

    The file of `all-MiniLM-L6-v2` pads to 128 and truncates there, silently; here truncation is reported for each text.
    """
    try:
        tokenizer = Tokenizer.from_buffer(data)
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_length=max_tokens)
    except BaseException as error:  # noqa: BLE001 - a Rust panic derives from BaseException
        raise TokenizerFault(type(error).__name__) from None
    return tokenizer


class Pipeline:
    """A loaded package: tokenizer, ONNX session and the `post` functions."""

    def __init__(self, manifest: Manifest, *, core: bytes, tokenizer: bytes) -> None:
        self.manifest = manifest
        self.dimension = manifest.dimension
        self._tokenizer = load_tokenizer(tokenizer, manifest.pre.max_tokens)
        self._encode = self._tokenizer.encode
        self._post = [_POST[step] for step in manifest.post]
        self._outputs = [manifest.core.output]
        self._extra = [_FILLS[name] for name in manifest.core.inputs if name is not GraphInput.INPUT_IDS]
        if integers.OPERATOR in core and not integers.exact():
            raise IntegerFault
        try:
            self._session = open_session(core)
        except Exception as error:  # noqa: BLE001 - ONNX Runtime raises many kinds
            raise GraphFault(type(error).__name__) from None
        self._check_graph()
        self._run = self._session.run
        self.batches = _core_rank(manifest) == 3 and self._is_batch_invariant()

    def tokenize(self, texts: Sequence[str], *, refuse_truncation: bool) -> list[Tokens]:
        """`pre`: token ids of each text. Ids are those of Hugging Face's `tokenizers`, which this is."""
        found = []
        for text in texts:
            encoding = self._encode(text)
            truncated = bool(encoding.overflowing)
            if truncated and refuse_truncation:
                raise TooLong
            ids = encoding.ids
            if not ids:
                raise NoTokens
            found.append(Tokens(ids, truncated))
        return found

    def infer(self, ids: IntArray) -> tuple[FloatArray, float, float]:
        """`core` and `post` on rows of equal length: [texts, dimension] and the seconds in each."""
        feeds = {"input_ids": ids}
        for name, fill in self._extra:
            feeds[name] = fill(ids.shape, dtype=np.int64)
        start = time.perf_counter()
        try:
            values: FloatArray = self._run(self._outputs, feeds)[0]
            middle = time.perf_counter()
            for step in self._post:
                values = step(values)
        except Exception as error:  # noqa: BLE001 - as above
            raise ModelFault(type(error).__name__) from None
        if values.shape != (len(ids), self.dimension) or values.dtype != np.float32 or not math.isfinite(values.sum()):
            raise ModelFault("another shape, or numbers that are none")  # NaN and infinities survive a sum
        return values, middle - start, time.perf_counter() - middle

    def _is_batch_invariant(self) -> bool:
        """Whether a few made-up texts of equal length give the same bits alone and together."""
        ids = self._encode(_PROBE).ids
        for length, rows in ((2, 2), (5, 4), (min(12, self.manifest.pre.max_tokens), 3)):
            batch = np.array(
                [[ids[(row + 7 * place) % len(ids)] for place in range(length)] for row in range(rows)], dtype=np.int64
            )
            try:
                together = self.infer(batch)[0]
                alone = [self.infer(batch[row : row + 1])[0][0] for row in range(rows)]
            except ModelFault as error:
                raise GraphFault(str(error)) from None
            if together.tobytes() != np.array(alone).tobytes():
                return False
        return True

    def _check_graph(self) -> None:
        """Names, types and ranks of the graph against the manifest, before any text meets it."""
        wanted = {name.value for name in self.manifest.core.inputs}
        inputs = {node.name: node for node in self._session.get_inputs()}
        outputs = {node.name: node for node in self._session.get_outputs()}
        if inputs.keys() != wanted or any(node.type != "tensor(int64)" or len(node.shape) != 2 for node in inputs.values()):
            raise GraphFault("inputs")
        output = outputs.get(self.manifest.core.output)
        if output is None or output.type != "tensor(float)" or len(output.shape) != _core_rank(self.manifest):
            raise GraphFault("output")
        if isinstance(output.shape[-1], int) and output.shape[-1] != self.dimension:
            raise GraphFault("dimension")


def rows_in(region: mmap.mmap, offset: int, texts: int, dimension: int) -> FloatArray:
    """Room for the answer to one request in the response region itself (`ValueError` if it is too small)."""
    return np.frombuffer(region, dtype=np.float32, count=texts * dimension, offset=offset).reshape(texts, dimension)


def run_groups(pipeline: Pipeline, works: Sequence[Work], *, batch_tokens: int) -> Iterator[tuple[int, bool]]:
    """Run all texts of several requests, grouped by exact length under a token budget; yield (request, ok) as each ends.

    Requests with the shortest texts complete first, so that they do not wait for a neighbour's long ones. When a group fails, its
    texts run again one by one, so that no request fails because of its neighbours.
    """
    left = [len(work.tokens) for work in works]
    pending = _groups(works, batch_tokens if pipeline.batches else 1)
    while pending:
        group = [item for item in pending.pop() if left[item[0]]]
        try:
            if group:
                _run_group(pipeline, works, group)
        except ModelFault:
            if len(group) > 1:
                pending += [[item] for item in reversed(group)]
            else:
                left[group[0][0]] = 0
                yield group[0][0], False
            continue
        for w, _ in group:
            left[w] -= 1
            if not left[w]:
                yield w, True


def _run_group(pipeline: Pipeline, works: Sequence[Work], group: Sequence[tuple[int, int]]) -> None:
    """Run texts of equal length, put each row into its request's place, wipe the arrays that held both."""
    ids = np.array([works[w].tokens[t].ids for w, t in group], dtype=np.int64)
    values, core, post = pipeline.infer(ids)
    last = -1
    for (w, t), row in zip(group, values, strict=True):
        work = works[w]
        work.rows[t] = row
        if w != last:  # a request's texts stand together in its group
            work.times.core += core
            work.times.post += post
            last = w
    ids.fill(0)
    values.fill(0)


def _groups(works: Sequence[Work], batch_tokens: int) -> list[list[tuple[int, int]]]:
    """(request, text) pairs of equal length, at most `batch_tokens` tokens or one text together; the shortest last."""
    by_length: dict[int, list[tuple[int, int]]] = {}
    for w, work in enumerate(works):
        for t, tokens in enumerate(work.tokens):
            by_length.setdefault(len(tokens.ids), []).append((w, t))
    groups = []
    for length in sorted(by_length, reverse=True):
        items, size = by_length[length], max(1, batch_tokens // length) if length > 1 else 1
        groups += [items[start : start + size] for start in reversed(range(0, len(items), size))]
    return groups


def _core_rank(manifest: Manifest) -> int:
    """Token vectors if the post steps pool, otherwise one row a text."""
    pools = manifest.task is Task.SENTENCE_EMBEDDING and manifest.post[:1] in ((PostStep.MEAN_POOL,), (PostStep.CLS_POOL,))
    return 3 if pools else 2


def mean_pool(values: FloatArray) -> FloatArray:
    """The mean over all tokens; there is no padding to leave out."""
    return np.asarray(values.sum(axis=1) / np.float32(values.shape[1]))


def cls_pool(values: FloatArray) -> FloatArray:
    """The first token's vector."""
    return np.ascontiguousarray(values[:, 0])


def l2_normalise(values: FloatArray) -> FloatArray:
    """Each row over its Euclidean norm, as `torch.nn.functional.normalize` (eps 1e-12) does; one row at a time."""
    for row in values:
        np.divide(row, max(math.sqrt(float(np.dot(row, row))), 1e-12), out=row)
    return values


def softmax(values: FloatArray) -> FloatArray:
    """exp(x - max) over its sum, by row."""
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True, dtype=np.float32), dtype=np.float32)


def sigmoid(values: FloatArray) -> FloatArray:
    """1 / (1 + exp(-x)), without overflow: exp of the negative magnitude only."""
    powers = np.exp(-np.abs(values))
    return np.where(values >= 0, 1 / (1 + powers), powers / (1 + powers)).astype(np.float32)


_POST: dict[PostStep, Callable[[FloatArray], FloatArray]] = {
    PostStep.MEAN_POOL: mean_pool,
    PostStep.CLS_POOL: cls_pool,
    PostStep.L2_NORMALISE: l2_normalise,
    PostStep.SOFTMAX: softmax,
    PostStep.SIGMOID: sigmoid,
}
_FILLS: dict[GraphInput, tuple[str, Callable[..., IntArray]]] = {
    GraphInput.ATTENTION_MASK: ("attention_mask", np.ones),
    GraphInput.TOKEN_TYPE_IDS: ("token_type_ids", np.zeros),
}
