"""The engine in the front process: admit or refuse, queue, batch, and look after worker processes. It parses no model.

    run  -> jobs.payload (bounds, codes) -> queue -> _pump -> a lane, one worker each (lane.py) -> Result
    load -> sealed memory files -> every lane in turn -> LoadedModel
    unload -> no new requests -> those admitted finish -> every lane in turn

The queue is bounded by count, bytes and time. When a worker dies, the requests it had fail with `engine.worker_died`, and another
starts and loads the same packages. A package that kills workers while they load is given up. All methods belong to one event loop.
Left to others: processes (`process.py`), messages (`wire.py`), the work itself (`worker.py`), more than one owner (`pool.py`).
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

from confide.codes import Code
from confide.engine import wire
from confide.engine.identity import engine_identity
from confide.engine.jobs import Job, Model, payload
from confide.engine.lane import START_SECONDS, Lane, State
from confide.engine.limits import EngineLimits
from confide.engine.manifest import MANIFEST_NAME
from confide.engine.package import Package
from confide.engine.process import memory_file
from confide.engine.results import EngineIdentity, LoadedModel, Result, Scalar
from confide.errors import EngineError

MAX_MODELS = 64
_SWEEP_SECONDS = 0.25  # at least; a wake-up costs 0.2 ms, so none without a bound to look at
_POLL_SECONDS = 0.005
_MAX_BACKOFF = 5.0
_MAX_LOAD_CRASHES = 2
_NO_PARAMETERS: Mapping[str, Scalar] = {}


class Engine:
    """Runs model packages in worker processes. Holds no keys; a worker holds one owner's packages and nothing else."""

    isolation = "worker-process"  # the keyset's word (spec/02-keyset.md)

    def __init__(self, *, workers: int, limits: EngineLimits | None = None) -> None:
        if not 1 <= workers <= 256:
            raise EngineError(Code.ENGINE_LOAD, found=f"{workers} workers", wanted="1 to 256")
        self._count = workers
        self.limits = limits or EngineLimits()
        self._region = self.limits.region_bytes
        self._owner: str | None = None
        self._lanes: list[Lane] = []
        self._models: dict[bytes, Model] = {}
        self._slots: set[int] = set()  # taken; freed when no worker knows the package any more
        self._queue: deque[Job] = deque()
        self._queue_bytes = 0
        self._running = False
        self._crashes = 0  # in a row, for the back-off
        self._tasks: set[asyncio.Task[None]] = set()
        self._load_lock = asyncio.Lock()

    @property
    def identity(self) -> EngineIdentity:
        """Name, version and digest, as receipts carry them."""
        return engine_identity()

    @property
    def isolation_detail(self) -> tuple[str, ...]:
        """The measures that hold for every worker, by name (`sandbox.py`)."""
        alive = [lane.isolation for lane in self._lanes if lane.isolation]
        return tuple(name for name in alive[0] if all(name in other for other in alive)) if alive else ()

    @property
    def worker_pids(self) -> tuple[int, ...]:
        """Process ids of the live workers, for measuring them."""
        return tuple(lane.pid for lane in self._lanes if lane.state is not State.DEAD)

    @property
    def models(self) -> Mapping[bytes, LoadedModel]:
        """What `run` accepts, by package digest."""
        return {digest: model.loaded for digest, model in self._models.items() if model.ready and not model.broken}

    async def start(self) -> None:
        """Start all workers and wait for them.

        Raises:
            EngineError: `engine.worker_died`, or `engine.isolation` when the limits demand more than the kernel gives.
        """
        self._running = True
        await asyncio.to_thread(engine_identity)
        self._lanes = [self._new_lane() for _ in range(self._count)]
        try:
            for lane in self._lanes:
                await lane.started()
            self._require_isolation()
        except BaseException:
            await self.stop()
            raise
        self._spawn(self._sweep())

    async def load(self, package: Package, *, owner: str = "operator") -> LoadedModel:
        """Load a verified package into every worker, one after the other, while the others go on serving.

        Raises:
            EngineError: `engine.load`, `engine.owner` or `engine.stopped`.
            PackageError: when the package's bytes changed since it was opened.
        """
        async with self._load_lock:
            if package.digest in self._models and self._models[package.digest].ready:
                return self._models[package.digest].loaded
            self._require_running()
            self._claim(owner)
            start = perf_counter()
            model = await self._prepared(package)
            self._models[package.digest] = model
            try:
                for lane in list(self._lanes):
                    await self._load_into(lane, model)
            except BaseException:
                self._leave(model)
                self._spawn(self._withdraw(model))
                raise
            model.loaded = replace(model.loaded, load_seconds=perf_counter() - start)
            model.ready = True
            self._pump()
            return model.loaded

    async def unload(self, digest: bytes) -> bool:
        """Take a package out: no new request is admitted from now on, those admitted finish or fail, then its memory goes back.

        Returns whether it was loaded. Cancelling does not stop it half-way.
        """
        async with self._load_lock:
            model = self._models.get(digest)
            if model is None:
                return False
            self._leave(model)
            await asyncio.shield(self._spawn(self._withdraw(model)))
            return True

    async def run(self, digest: bytes, inputs: Sequence[str], parameters: Mapping[str, Scalar] = _NO_PARAMETERS) -> Result:
        """Run a loaded package on texts. Cancelling takes the request out of the queue, or drops its answer.

        Raises:
            EngineError: any `engine.*` code of a request.
        """
        self._require_running()
        model = self._models.get(digest)
        if model is None or not model.ready:
            raise EngineError(Code.ENGINE_UNKNOWN_MODEL, found=digest.hex()[:64], wanted="the digest of a loaded package")
        if model.broken:
            raise EngineError(Code.ENGINE_LOAD, found="a package that ends its workers", wanted="another package")
        data = payload(model, inputs, parameters, self.limits)
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        job = Job(model, len(inputs), data, future, wire.result_bytes(len(inputs), model.row_bytes))
        self._enqueue(job)
        try:
            return await job.future
        finally:
            if not job.started_at:
                self._dequeue(job)

    async def stop(self) -> None:
        """Fail what waits, end all workers, give their memory back. The engine can be started again."""
        self._running = False
        for task in self._tasks:
            task.cancel()
        while self._queue:
            self._take().fail(EngineError(Code.ENGINE_STOPPED))
        ended, self._lanes = self._lanes, []
        for lane in ended:
            lane.end(Code.ENGINE_STOPPED)
        for model in list(self._models.values()):
            self._leave(model)
            self._close(model)
        self._owner = None
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks, *(lane.gone() for lane in ended), return_exceptions=True)

    def _require_isolation(self) -> None:
        if self.limits.require_seccomp and "seccomp" not in self.isolation_detail:
            found = ", ".join(self.isolation_detail)
            raise EngineError(Code.ENGINE_ISOLATION, found=found, wanted="seccomp, or require_seccomp = false")

    def _require_running(self) -> None:
        if not self._running:
            raise EngineError(Code.ENGINE_STOPPED, found="a stopped engine", wanted="start() first")

    def _claim(self, owner: str) -> None:
        """No worker serves two package owners (DESIGN section 8)."""
        if len(self._models) >= MAX_MODELS:
            raise EngineError(Code.ENGINE_LOAD, found=f"{len(self._models)} packages", wanted=f"at most {MAX_MODELS}")
        if self._owner not in (None, owner):
            raise EngineError(Code.ENGINE_OWNER, found="another owner", wanted="workers of its own for each owner")
        self._owner = owner

    def _enqueue(self, job: Job) -> None:
        limits, size = self.limits, len(job.payload)
        if len(self._queue) >= limits.queue_jobs or self._queue_bytes + size > limits.queue_bytes:
            found = f"{len(self._queue)} requests, {self._queue_bytes} bytes waiting"
            raise EngineError(Code.ENGINE_BUSY, found=found, wanted=f"under {limits.queue_jobs}, {limits.queue_bytes} bytes")
        self._queue.append(job)
        self._queue_bytes += size
        self._pump()

    def _dequeue(self, job: Job) -> None:
        """Take a cancelled request out of the queue."""
        with suppress(ValueError):
            self._queue.remove(job)
            self._queue_bytes -= len(job.payload)

    def _take(self) -> Job:
        job = self._queue.popleft()
        self._queue_bytes -= len(job.payload)
        return job

    def _pump(self) -> None:
        """Give work to idle lanes until there is no work or no idle lane."""
        for lane in self._lanes:
            if not self._queue:
                return
            if lane.state is State.IDLE and not lane.reserved:
                batch = self._next_batch(lane)
                if batch:
                    lane.run(batch)

    def _next_batch(self, lane: Lane) -> list[Job]:
        """The oldest requests, a fair share of them, as far as they fit the lane's regions and its worker has their packages."""
        share = min(self.limits.batch_jobs, -(-len(self._queue) // len(self._lanes)))
        batch: list[Job] = []
        requests = answers = 0
        while self._queue and len(batch) < share:
            job = self._queue[0]
            requests, answers = requests + len(job.payload), answers + job.answer_bytes
            if max(requests, answers) > self._region or job.model.slot not in lane.slots:
                break
            batch.append(self._take())
        return batch

    async def _load_into(self, lane: Lane, model: Model) -> None:
        """Wait until the lane is idle, then load. A lane that dies meanwhile has the package loaded by its successor."""
        try:
            await self._order(lane, lambda: None if model.slot in lane.slots or model.leaving else lane.load(model))
        except EngineError as error:
            if error.code is not Code.ENGINE_WORKER_DIED:
                raise
            raise EngineError(Code.ENGINE_LOAD, found="a worker that ended while it loaded", wanted="a loadable package") from None

    async def _order(self, lane: Lane, give: Callable[[], "asyncio.Future[None] | None"]) -> None:
        """Wait until the lane is idle, keeping batches off it, then give it something to do and wait for that. Not if it dies."""
        lane.reserved += 1
        try:
            while lane.state is not State.IDLE:
                if lane.state is State.DEAD:
                    return
                await asyncio.sleep(_POLL_SECONDS)
            done = give()
        finally:
            lane.reserved -= 1
            self._pump()
        if done is not None:
            await done

    async def _withdraw(self, model: Model) -> None:
        """Out of the queue, as its requests are served; then out of every worker that has it, those just starting included."""
        try:
            while any(job.model is model for job in self._queue):  # noqa: ASYNC110 - bounded by the queue's own time
                await asyncio.sleep(_POLL_SECONDS)
            while holders := [lane for lane in self._lanes if lane.holds(model)]:
                with suppress(EngineError):  # it died: then it has it no more
                    lane = holders[0]
                    await self._order(lane, lambda: lane.unload(model) if model.slot in lane.slots else None)  # noqa: B023 - awaited
        finally:
            self._close(model)

    async def _prepared(self, package: Package) -> Model:
        """The package in memory files. Whoever does not wait for it leaves nothing open."""
        slot = next(number for number in range(1 << 16) if number not in self._slots)
        preparing = asyncio.ensure_future(asyncio.to_thread(_prepare, package, slot))
        self._slots.add(slot)
        try:
            return await asyncio.shield(preparing)
        except BaseException:
            preparing.add_done_callback(self._drop_prepared)
            self._slots.discard(slot)
            raise

    def _drop_prepared(self, preparing: "asyncio.Future[Model]") -> None:
        if not preparing.cancelled() and preparing.exception() is None:
            _close_files(preparing.result())

    def _leave(self, model: Model) -> None:
        """No new request, and no worker that starts, gets it from now on."""
        model.ready, model.leaving = False, True
        if self._models.get(model.package) is model:
            del self._models[model.package]

    def _close(self, model: Model) -> None:
        """No worker has it: the memory files and the slot are free."""
        _close_files(model)
        self._slots.discard(model.slot)

    def _new_lane(self) -> Lane:
        return Lane(self.limits, free=lambda _lane: self._pump(), dead=self._lane_died)

    def _lane_died(self, lane: Lane) -> None:
        if not self._running or lane not in self._lanes:
            return
        victim = lane.load_victim
        if victim is not None and victim.ready:
            victim.crashes += 1
            victim.broken = victim.crashes >= _MAX_LOAD_CRASHES
        self._crashes = 0 if lane.batches else self._crashes + 1
        self._spawn(self._revive(lane, min(_MAX_BACKOFF, 0.05 * 2**self._crashes)))

    async def _revive(self, dead: Lane, delay: float) -> None:
        """Another worker in the place of a dead one, with every package that is not broken."""
        await asyncio.sleep(delay)
        lane = self._new_lane()
        self._lanes[self._lanes.index(dead)] = lane
        with suppress(EngineError):  # its death has called _lane_died, which tries again
            await lane.started()
            for model in [model for model in self._models.values() if not model.broken]:
                await self._load_into(lane, model)
        self._drop_hopeless()
        self._pump()

    def _drop_hopeless(self) -> None:
        """Fail queued requests of packages that were given up, or are leaving and have no worker left."""
        held = set().union(*(lane.slots for lane in self._lanes if lane.state is not State.DEAD))
        for job in [job for job in self._queue if job.model.broken or (job.model.leaving and job.model.slot not in held)]:
            self._dequeue(job)
            found = "a package that ends its workers" if job.model.broken else "a package that was taken out"
            job.fail(EngineError(Code.ENGINE_LOAD, found=found, wanted="another package"))

    async def _sweep(self) -> None:
        """Time bounds: of a batch, a load, a start; and of waiting in the queue."""
        while True:
            await asyncio.sleep(max(_SWEEP_SECONDS, self._next_bound() - perf_counter()))
            now = perf_counter()
            for lane in list(self._lanes):
                if lane.deadline < now:
                    lane.end(Code.ENGINE_TIMEOUT)
            while self._queue and now - self._queue[0].queued_at > self.limits.queue_seconds:
                self._take().fail(EngineError(Code.ENGINE_TIMEOUT, found="a full wait in the queue", wanted="a free worker"))

    def _next_bound(self) -> float:
        """When a bound can be passed next. Of what is not there yet, none ends before the shortest of them from now."""
        limits = self.limits
        shortest = min(limits.batch_seconds, limits.queue_seconds, limits.load_seconds, START_SECONDS)
        waiting = [self._queue[0].queued_at + limits.queue_seconds] if self._queue else []
        return min(perf_counter() + shortest, *(lane.deadline for lane in self._lanes), *waiting)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _prepare(package: Package, slot: int) -> Model:
    """Read, verify and copy into memory files, away from the loop and a piece at a time."""
    manifest = package.manifest
    files: list[tuple[int, int]] = []
    try:
        for name in (MANIFEST_NAME, manifest.core.file, manifest.pre.file):
            files.append(memory_file(partial(package.copy, name)))  # noqa: PERF401 - those that are open are closed below
    except BaseException:
        for descriptor, _ in files:
            os.close(descriptor)
        raise
    loaded = LoadedModel(
        digest=package.digest,
        name=manifest.name,
        task=manifest.task,
        dimension=manifest.dimension,
        labels=manifest.labels,
        max_tokens=manifest.pre.max_tokens,
        parts=package.parts,
        load_seconds=0.0,
    )
    return Model(slot, package.digest, tuple(fd for fd, _ in files), tuple(size for _, size in files), loaded)


def _close_files(model: Model) -> None:
    for descriptor in model.fds:
        os.close(descriptor)
    model.fds = ()
