"""Requests and models as the front process keeps them, and the checks that a request passes before any worker sees it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from confide.codes import Code
from confide.engine import wire
from confide.engine.limits import EngineLimits
from confide.engine.results import LoadedModel, Result, Scalar
from confide.errors import EngineError


@dataclass(eq=False)
class Model:
    """A package on its way into the workers, or in them."""

    slot: int
    package: bytes  # digest
    fds: tuple[int, ...]  # sealed memory files: manifest, core, tokenizer
    sizes: tuple[int, ...]
    loaded: LoadedModel
    ready: bool = False  # every worker has it, and requests are admitted
    leaving: bool = False  # it is being taken out of the workers
    crashes: int = 0  # workers that died while loading it again
    broken: bool = False

    @property
    def row_bytes(self) -> int:
        """Bytes of the answer for one text."""
        return 4 * self.loaded.dimension


@dataclass(eq=False, slots=True)
class Job:
    """One admitted request."""

    model: Model
    texts: int
    payload: bytes = field(repr=False)
    future: "asyncio.Future[Result]"
    answer_bytes: int  # exactly how long the answer is
    queued_at: float = field(default_factory=perf_counter)
    started_at: float = 0.0

    def fail(self, error: EngineError) -> None:
        """Fail it, unless its caller has gone."""
        if not self.future.done():
            self.future.set_exception(error)


def payload(model: Model, inputs: Sequence[str], parameters: Mapping[str, Scalar], limits: EngineLimits) -> bytes:
    """The bytes of a request for the worker, after every check that needs no tokenizer.

    Raises:
        EngineError: `engine.input` or `engine.parameter`; found and wanted name counts and types, never content.
    """
    flags = _flags(parameters)
    if isinstance(inputs, str) or not 1 <= len(inputs) <= limits.max_texts:
        found = "a string" if isinstance(inputs, str) else f"{len(inputs)} inputs"
        raise EngineError(Code.ENGINE_INPUT, found=found, wanted=f"a list of 1 to {limits.max_texts} texts")
    texts = [_encode(text, limits) for text in inputs]
    total = sum(map(len, texts))
    if total > limits.max_request_bytes - 8 - 4 * len(texts):
        raise EngineError(Code.ENGINE_INPUT, found=f"{total} bytes together", wanted=f"under {limits.max_request_bytes}")
    if wire.result_bytes(len(texts), model.row_bytes) > limits.max_answer_bytes:
        raise EngineError(Code.ENGINE_INPUT, found=f"{len(texts)} texts", wanted=f"an answer under {limits.max_answer_bytes} bytes")
    return wire.pack_job(model.slot, flags, texts)


def _encode(text: str, limits: EngineLimits) -> bytes:
    try:
        data = text.encode("utf-8")
    except AttributeError:
        raise EngineError(Code.ENGINE_INPUT, found=type(text).__name__, wanted="a text") from None
    except UnicodeEncodeError:
        raise EngineError(Code.ENGINE_INPUT, found="a lone surrogate", wanted="a text that UTF-8 can encode") from None
    if len(data) > limits.max_text_bytes:
        raise EngineError(Code.ENGINE_INPUT, found=f"a text of {len(data)} bytes", wanted=f"at most {limits.max_text_bytes}")
    return data


def _flags(parameters: Mapping[str, Scalar]) -> int:
    """The closed list of parameters: `truncate` (default true; false refuses a text that is too long)."""
    flags = 0
    for name, value in parameters.items():
        if name != "truncate":
            raise EngineError(Code.ENGINE_PARAMETER, found="another parameter", wanted="truncate")
        if not isinstance(value, bool):
            raise EngineError(Code.ENGINE_PARAMETER, found=f"truncate: {type(value).__name__}", wanted="true or false")
        if not value:
            flags |= wire.JobFlag.REFUSE_TRUNCATION
    return flags
