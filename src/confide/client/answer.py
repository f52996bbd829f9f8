"""What a caller gets: values, the receipt that was checked, the verdict it rests on, and how long each part took.

An `Answer` exists only after its receipt was checked (`exchange`). Its repr shows sizes, never content. Left to others: verifying a
saved answer later (`confide.receipt.verify`, `confide receipt verify`).
"""

import array
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec

from confide.client import saved, source
from confide.client.files import write_file
from confide.codes import Code
from confide.errors import ChannelError, MisuseError
from confide.formats import strictjson
from confide.policy.verdict import Verdict
from confide.receipt.checkpoint import Checkpoint
from confide.receipt.model import Receipt

MAX_ANSWER = 64 << 20  # bytes of JSON; the node's own bound on outputs is far below
EMBEDDING = "sentence-embedding"
CLASSIFICATION = "text-classification"


class Label(NamedTuple):
    """One label of a classifier and its score."""

    label: str
    score: float


@dataclass(frozen=True)
class Timing:
    """Seconds. `network` is the time outside this process, and holds the node's own parts in `node` (queue, pre, core, post).

    `verify` is what the verification behind this answer took: once per session, so it is not part of `total`.
    """

    verify: float
    seal: float
    network: float
    open: float
    receipt: float
    node: Mapping[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """This request: seal, network, open, receipt."""
        return self.seal + self.network + self.open + self.receipt


@dataclass(frozen=True)
class Record:
    """The exact bytes that prove an answer later. Request, response and salts are content: keep them as such."""

    bundle: bytes
    policy: bytes
    policy_name: str
    receipt: bytes | None
    request: bytes = field(repr=False)
    response: bytes = field(repr=False)
    salts: bytes | None = field(repr=False)
    proof: bytes | None = field(default=None, repr=False)  # of the receipt by its log

    def files(self) -> dict[str, bytes]:
        """File name to bytes, as `Answer.save` writes them."""
        files: dict[str, bytes | None] = {
            source.BUNDLE: self.bundle,
            self.policy_name: self.policy,
            saved.REQUEST: self.request,
            saved.RESPONSE: self.response,
            saved.SALTS: self.salts,
            saved.RECEIPT: self.receipt,
            saved.PROOF: self.proof,
        }
        return {name: data for name, data in files.items() if data is not None}


@dataclass(frozen=True)
class Output:
    """What a pipeline answered: the vectors of an encoder, or the ranked labels of a classifier, per input. Content.

    `tokens` and `truncated` tell, per input, what the model saw of it (`Answer`).
    """

    task: str
    digest: str
    vectors: list[list[float]] = field(default_factory=list, repr=False)
    ranked: list[list[Label]] = field(default_factory=list, repr=False)
    tokens: tuple[int, ...] = ()
    truncated: tuple[bool, ...] = ()


@dataclass(frozen=True)
class Answer:
    """One proven answer.

    Attributes:
        model: the alias that was asked for.
        output: task, values, and the package digest that was required inside the seal.
        receipt: checked; None only where the policy does not require receipts.
        verdict: what was verified about the node before anything was sent.
        checkpoint: the log head that covers the receipt, after `Node.complete`.
    """

    model: str
    output: Output
    receipt: Receipt | None = field(repr=False)
    verdict: Verdict = field(repr=False)
    timing: Timing = field(repr=False)
    record: Record = field(repr=False)
    checkpoint: Checkpoint | None = field(default=None, repr=False)

    @property
    def task(self) -> str:
        """`sentence-embedding` or `text-classification`."""
        return self.output.task

    @property
    def digest(self) -> str:
        """The model's package digest, hex."""
        return self.output.digest

    @property
    def tokens(self) -> tuple[int, ...]:
        """Per input, how many tokens the model read."""
        return self.output.tokens

    @property
    def truncated(self) -> tuple[bool, ...]:
        """Per input, whether it was longer than the model takes, so that the rest of it was not read."""
        return self.output.truncated

    @property
    def value(self) -> list[list[float]] | list[list[Label]]:
        """Per input a list of floats, or a list of `Label`s, best first."""
        return self.output.ranked if self.task == CLASSIFICATION else self.output.vectors

    @property
    def embeddings(self) -> list[list[float]]:
        """The vectors of a sentence encoder's answer; `client.input` for another task."""
        self._require(EMBEDDING)
        return self.output.vectors

    @property
    def labels(self) -> list[Label]:
        """The best label per input of a classifier's answer; `client.input` for another task."""
        return [ranked[0] for ranked in self.ranked]

    @property
    def ranked(self) -> list[list[Label]]:
        """All labels per input, best first; `client.input` for another task."""
        self._require(CLASSIFICATION)
        return self.output.ranked

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write bundle, policy, request, response, salts and receipt for `confide receipt verify`; readable by the owner only."""
        folder = Path(folder)
        if not overwrite and (folder / source.BUNDLE).exists():
            raise MisuseError(Code.CLIENT_FILE, found=f"{folder}: holds a saved answer", wanted="a new folder, or overwrite=True")
        for name, data in self.record.files().items():
            write_file(folder / name, data)
        return folder

    def _require(self, task: str) -> None:
        if self.task != task:
            raise MisuseError(Code.CLIENT_INPUT, found=f"an answer of task {self.task}", wanted=task, hint="read answer.value")


class _Output(msgspec.Struct, frozen=True):
    digest: str
    task: str
    outputs: list[Any]
    tokens: list[Annotated[int, msgspec.Meta(ge=0, le=strictjson.MAX_SAFE_INTEGER)]]
    truncated: list[bool]


def decode_output(content: bytes) -> Output:
    """The content of a `/v1/pipelines/{model}` answer; `client.answer` when it is not one."""
    try:
        body = strictjson.load_as(content, _Output, limit=MAX_ANSWER)
        if body.task in {EMBEDDING, CLASSIFICATION}:
            return Output(
                body.task,
                body.digest,
                vectors=[_floats(item) for item in body.outputs] if body.task == EMBEDDING else [],
                ranked=[_ranked(item) for item in body.outputs] if body.task == CLASSIFICATION else [],
                tokens=tuple(body.tokens),
                truncated=tuple(body.truncated),
            )
    except (strictjson.JsonError, TypeError, ValueError, KeyError) as error:
        found = error.code.value if isinstance(error, strictjson.JsonError) else type(error).__name__
        raise ChannelError(Code.CLIENT_ANSWER, found=found, wanted="outputs of a pipeline") from None
    raise ChannelError(Code.CLIENT_ANSWER, found=f"task {body.task[:40]!r}", wanted=f"{EMBEDDING} or {CLASSIFICATION}")


def decode_value(output: object) -> tuple[str, list[float] | list[Label]]:
    """One output of a stream and the task that it belongs to; `client.answer` when it is none."""
    try:
        return (EMBEDDING, _floats(output)) if isinstance(output, str) else (CLASSIFICATION, _ranked(output))
    except (strictjson.JsonError, TypeError, ValueError, KeyError) as error:
        raise ChannelError(Code.CLIENT_ANSWER, found=type(error).__name__, wanted="an output of a pipeline") from None


def similarity(a: Sequence[float], b: Sequence[float]) -> float:
    """Cosine similarity of two embeddings, from -1 to 1."""
    if len(a) != len(b) or not a:
        raise MisuseError(Code.CLIENT_INPUT, found=f"{len(a)} and {len(b)} numbers", wanted="two vectors of one length")
    norms = math.hypot(*a) * math.hypot(*b)
    if not norms:
        raise MisuseError(Code.CLIENT_INPUT, found="a vector of zeros", wanted="a direction")
    return sum(x * y for x, y in zip(a, b, strict=True)) / norms


def _floats(item: object) -> list[float]:
    """Little-endian float32 in base 64 (the `encoding_format` we ask for)."""
    if not isinstance(item, str):
        raise TypeError("not base 64")
    numbers = array.array("f", strictjson.unb64(item, limit=MAX_ANSWER))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()


def _ranked(item: object) -> list[Label]:
    labels = [Label(str(entry["label"]), float(entry["score"])) for entry in item] if isinstance(item, list) else []
    if not labels:
        raise TypeError("no labels")
    return labels
