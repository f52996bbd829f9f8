"""A lane: the place of one worker process, with its state and the batch it has.

    STARTING --HELLO--> IDLE --batch--> BUSY --last answer--> IDLE
                        IDLE --order--> LOADING --LOADED, UNLOADED--> IDLE
    any state --the worker ends, is too slow, or answers nonsense--> DEAD   (the engine then starts another)

A worker's answers are hostile until checked: an answer must be for an open job of this batch, and of exactly the expected length.
Left to others: which jobs to send and when (`engine.py`), the process itself (`process.py`).
"""

import asyncio
import struct
from collections.abc import Callable, Sequence
from enum import Enum, auto
from time import perf_counter

import msgspec

from confide.codes import Code
from confide.engine import wire
from confide.engine.jobs import Job, Model
from confide.engine.limits import EngineLimits
from confide.engine.process import WorkerProcess
from confide.engine.results import Result, Timing, output_of
from confide.errors import EngineError

START_SECONDS = 60.0


class State(Enum):
    """Where a lane is in its cycle."""

    STARTING = auto()
    IDLE = auto()
    LOADING = auto()
    BUSY = auto()
    DEAD = auto()


class Nonsense(Exception):  # noqa: N818 - ends the worker, never leaves the engine
    """The worker said something that the protocol does not allow."""


class Lane:
    """One worker and what it is doing. `free(lane)` is called when it becomes idle, `dead(lane)` when its worker has gone."""

    def __init__(self, limits: EngineLimits, *, free: Callable[["Lane"], None], dead: Callable[["Lane"], None]) -> None:
        self._limits, self._free, self._dead = limits, free, dead
        self.state = State.STARTING
        self.isolation: tuple[str, ...] = ()
        self.slots: set[int] = set()  # packages its worker has loaded
        self.batches = 0
        self.reserved = 0  # orders that wait for it to be idle; it gets no batch before them
        self._order: tuple[wire.Kind, Model, asyncio.Future[None]] | None = None  # LOAD or UNLOAD
        self._batch: dict[int, Job] = {}
        self._batch_bytes = 0
        self._sequence = 0
        self._loop = asyncio.get_running_loop()
        self._hello: asyncio.Future[None] = self._loop.create_future()
        self._process = WorkerProcess(limits)
        self.deadline = perf_counter() + START_SECONDS
        self._loop.add_reader(self._process.fileno(), self._readable)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def load_victim(self) -> Model | None:
        """The package that it was loading when it died, if it was."""
        return self._order[1] if self._order and self._order[0] is wire.Kind.LOAD else None

    def holds(self, model: Model) -> bool:
        """Whether its worker has the package, or is about to."""
        return self.state is not State.DEAD and (model.slot in self.slots or self.load_victim is model)

    async def started(self) -> None:
        """Wait for HELLO.

        Raises:
            EngineError: `engine.worker_died` when the worker ends first.
        """
        await asyncio.shield(self._hello)

    def load(self, model: Model) -> "asyncio.Future[None]":
        """Send LOAD to an idle worker; the future ends with its answer."""
        return self._give(wire.Kind.LOAD, model, wire.pack_load(model.slot, model.sizes), model.fds)

    def unload(self, model: Model) -> "asyncio.Future[None]":
        """Send UNLOAD to an idle worker; the future ends with its answer."""
        self.slots.discard(model.slot)
        return self._give(wire.Kind.UNLOAD, model, wire.pack_head(wire.Kind.UNLOAD, model.slot))

    def run(self, jobs: Sequence[Job]) -> None:
        """Send a batch to an idle worker."""
        now = perf_counter()
        self._batch = dict(enumerate(jobs))
        for job in jobs:
            job.started_at = now
        data = jobs[0].payload if len(jobs) == 1 else b"".join(job.payload for job in jobs)
        self._batch_bytes = len(data)
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        self._enter(State.BUSY, self._limits.batch_seconds)
        self._process.write(data)
        if not self._process.send(wire.pack_run(self._sequence, len(jobs), len(data))):
            self.end(Code.ENGINE_WORKER_DIED)

    def end(self, code: Code) -> None:
        """End the worker; everything it had fails with `code`."""
        if self.state is State.DEAD:
            return
        self.state = State.DEAD
        self._loop.remove_reader(self._process.fileno())
        self._process.kill()
        error = EngineError(code, found=f"worker {self._process.pid} ended", wanted="a worker that answers")
        for job in self._batch.values():
            job.fail(error)
        self._batch = {}
        for future in (self._hello, self._order[2] if self._order else None):
            if future is not None and not future.done():
                future.set_exception(error)
                future.exception()  # retrieved: nobody may be waiting
        self._dead(self)

    async def gone(self) -> None:
        """After `end`: wait until the kernel has taken the worker's memory back."""
        await asyncio.to_thread(self._process.wait, 10)

    def _give(self, kind: wire.Kind, model: Model, message: bytes, fds: Sequence[int] = ()) -> "asyncio.Future[None]":
        future: asyncio.Future[None] = self._loop.create_future()
        self._order = (kind, model, future)
        self._enter(State.LOADING, self._limits.load_seconds)
        if not self._process.send(message, fds):
            self.end(Code.ENGINE_WORKER_DIED)
        return future

    def _enter(self, state: State, seconds: float) -> None:
        self.state, self.deadline = state, perf_counter() + seconds

    def _idle(self) -> None:
        self.state, self.deadline = State.IDLE, float("inf")
        self._free(self)

    def _readable(self) -> None:
        message = self._process.receive()
        if message is None:
            return
        if not message:
            self.end(Code.ENGINE_WORKER_DIED)
            return
        try:
            self._handle(message)
        except (Nonsense, struct.error, msgspec.DecodeError):
            self.end(Code.ENGINE_WORKER_DIED)

    def _handle(self, message: bytes) -> None:
        kind = message[0]
        if kind == wire.Kind.ANSWER and self.state is State.BUSY:
            self._answer(wire.unpack_answer(message))
        elif kind == wire.Kind.LOADED and self._order is not None and self._order[0] is wire.Kind.LOAD:
            self._loaded(message, *self._order[1:])
        elif kind == wire.Kind.UNLOADED and self._order is not None and self._order[0] is wire.Kind.UNLOAD:
            self._unloaded(message, *self._order[1:])
        elif kind == wire.Kind.HELLO and self.state is State.STARTING:
            self.isolation = tuple(msgspec.json.decode(wire.unpack_head(message)[1], type=list[str])[:16])
            if not self._hello.done():
                self._hello.set_result(None)
            self._idle()
        else:
            raise Nonsense

    def _loaded(self, message: bytes, model: Model, future: "asyncio.Future[None]") -> None:
        slot, status = wire.unpack_head(message)
        if slot != model.slot or len(status) != 1:
            raise Nonsense
        self._order = None
        if status[0] == wire.Status.OK:
            self.slots.add(slot)
        if not future.done():
            if status[0] == wire.Status.OK:
                future.set_result(None)
            else:
                future.set_exception(_load_error(status[0]))
        self._idle()

    def _unloaded(self, message: bytes, model: Model, future: "asyncio.Future[None]") -> None:
        if wire.unpack_head(message) != (model.slot, b""):
            raise Nonsense
        self._order = None
        if not future.done():
            future.set_result(None)
        self._idle()

    def _answer(self, answer: wire.Answer) -> None:
        job = self._batch.get(answer.job)
        if job is None or answer.sequence != self._sequence:
            raise Nonsense
        self._resolve(job, answer)
        del self._batch[answer.job]  # only now: after nonsense the whole batch fails
        if not self._batch:
            self._process.wipe(self._batch_bytes)
            self.batches += 1
            self._idle()

    def _resolve(self, job: Job, answer: wire.Answer) -> None:
        if answer.status != wire.Status.OK:
            job.fail(_answer_error(answer.status, job))
            return
        if answer.length != job.answer_bytes:
            raise Nonsense
        data = self._process.take(answer.offset, answer.length)
        if data is None:
            raise Nonsense
        tokens, truncated, rows = wire.unpack_result(data, texts=job.texts, row_bytes=job.model.row_bytes)
        if job.future.done():
            return  # cancelled
        queue = job.started_at - job.queued_at
        timing = Timing(queue, answer.pre * 1e-6, answer.core * 1e-6, answer.post * 1e-6)
        job.future.set_result(Result(output_of(job.model.loaded, rows, job.texts), timing, tokens, truncated))


def _load_error(status: int) -> EngineError:
    found = {
        wire.Status.TOKENIZER: "a tokenizer.json that cannot be used",
        wire.Status.GRAPH: "an ONNX graph that does not fit",
        wire.Status.INTEGERS: "an int8 package, and a CPU without exact 8-bit products (VNNI)",
    }
    known = status in set(wire.Status)
    return EngineError(Code.ENGINE_LOAD, found=found.get(wire.Status(status), "a failure") if known else "nonsense")


def _answer_error(status: int, job: Job) -> EngineError:
    if status == wire.Status.TOO_LONG:
        return EngineError(
            Code.ENGINE_TOO_LONG, found="a longer text", wanted=f"at most {job.model.loaded.max_tokens} tokens, or truncate"
        )
    if status == wire.Status.NO_TOKENS:
        return EngineError(Code.ENGINE_INPUT, found="a text without tokens", wanted="one that is not blank")
    return EngineError(
        Code.ENGINE_FAILED, found="a fault in the worker" if status == wire.Status.BAD_JOB else "a fault in the model"
    )
