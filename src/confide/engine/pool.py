"""Several package owners on one node: an engine, and with it workers, for each of them (DESIGN section 8).

No worker ever serves two owners, not even with a package that both have: a request runs where its owner's package is. The
operator's engine starts with the node; another owner's starts with its first package and ends with its last one. A worker that
crashes takes nothing of other owners along. How many owners and workers there can be is decided by the configuration.

Left to others: one owner's queue, batches and workers (`engine.py`), who is an owner (`server.owners`).
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from confide.codes import Code
from confide.engine.engine import Engine
from confide.engine.identity import engine_identity
from confide.engine.limits import EngineLimits
from confide.engine.package import Package
from confide.engine.results import EngineIdentity, LoadedModel, Result, Scalar
from confide.errors import EngineError

OPERATOR = "operator"  # owns what the node starts with
_NO_PARAMETERS: Mapping[str, Scalar] = {}


class Pool:
    """Engines by owner. All methods belong to one event loop."""

    isolation = Engine.isolation

    def __init__(self, *, workers: int, limits: EngineLimits | None = None, owner_workers: int = 1, max_owners: int = 0) -> None:
        self._owner_workers, self._max_owners = owner_workers, max_owners
        self.limits = limits or EngineLimits()
        self._engines = {OPERATOR: Engine(workers=workers, limits=self.limits)}
        self._locks: dict[str, asyncio.Lock] = {}
        self._running = False

    @property
    def identity(self) -> EngineIdentity:
        """Name, version and digest, as receipts carry them."""
        return engine_identity()

    @property
    def isolation_detail(self) -> tuple[str, ...]:
        """The measures that hold for every worker of every owner."""
        details = [engine.isolation_detail for engine in self._engines.values()]
        return tuple(name for name in details[0] if all(name in other for other in details))

    @property
    def worker_pids(self) -> tuple[int, ...]:
        """Process ids of all live workers, for measuring them."""
        return tuple(pid for engine in self._engines.values() for pid in engine.worker_pids)

    @property
    def owners(self) -> tuple[str, ...]:
        """Those who have workers now."""
        return tuple(self._engines)

    def workers_of(self, owner: str) -> tuple[int, ...]:
        """Process ids of one owner's live workers."""
        engine = self._engines.get(owner)
        return engine.worker_pids if engine else ()

    def models_of(self, owner: str) -> Mapping[bytes, LoadedModel]:
        """What `run` accepts for an owner, by package digest."""
        engine = self._engines.get(owner)
        return engine.models if engine else {}

    async def start(self) -> None:
        """Start the operator's workers. Raises as `Engine.start`."""
        self._running = True
        await self._engines[OPERATOR].start()

    async def load(self, package: Package, *, owner: str = OPERATOR) -> LoadedModel:
        """Load a package into its owner's workers, which start if they are not there.

        Raises:
            EngineError: `engine.load`, `engine.owner` when there are as many owners as there may be, `engine.worker_died`,
                `engine.isolation` or `engine.stopped`.
            PackageError: when the package's bytes changed since it was opened.
        """
        async with self._lock(owner):
            engine = self._engines.get(owner) or await self._started(owner)
            try:
                return await engine.load(package, owner=owner)
            finally:
                await self._end_empty(owner)

    def run(
        self,
        digest: bytes,
        inputs: Sequence[str],
        parameters: Mapping[str, Scalar] = _NO_PARAMETERS,
        *,
        owner: str = OPERATOR,
    ) -> Coroutine[Any, Any, Result]:
        """Run an owner's package on texts, in this owner's workers (`Engine.run`).

        Raises:
            EngineError: any `engine.*` code of a request.
        """
        engine = self._engines.get(owner)
        if engine is None:
            raise EngineError(Code.ENGINE_UNKNOWN_MODEL, found=digest.hex()[:64], wanted="the digest of a loaded package")
        return engine.run(digest, inputs, parameters)

    async def unload(self, digest: bytes, *, owner: str) -> bool:
        """Take an owner's package out, and end its workers if it was the last one. Returns whether it was there."""
        async with self._lock(owner):
            engine = self._engines.get(owner)
            if engine is None:
                return False
            try:
                return await engine.unload(digest)
            finally:
                await self._end_empty(owner)

    async def stop(self) -> None:
        """Fail what waits and end all workers."""
        self._running = False
        operator = self._engines.pop(OPERATOR)
        others, self._engines = list(self._engines.values()), {OPERATOR: operator}
        for engine in (*others, operator):
            await engine.stop()

    def _lock(self, owner: str) -> asyncio.Lock:
        return self._locks.setdefault(owner, asyncio.Lock())

    async def _started(self, owner: str) -> Engine:
        if not self._running:
            raise EngineError(Code.ENGINE_STOPPED, found="a stopped engine", wanted="start() first")
        if len(self._engines) > self._max_owners:
            raise EngineError(
                Code.ENGINE_OWNER, found=f"{len(self._engines)} owners with workers", wanted=f"at most {self._max_owners}"
            )
        engine = self._engines[owner] = Engine(workers=self._owner_workers, limits=self.limits)
        try:
            await engine.start()
        except BaseException:
            self._engines.pop(owner, None)
            raise
        return engine

    async def _end_empty(self, owner: str) -> None:
        engine = self._engines.get(owner)
        if owner != OPERATOR and engine is not None and not engine.models:
            del self._engines[owner]
            await engine.stop()
