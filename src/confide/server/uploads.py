"""Packages on their way into the node (spec/12-uploads.md).

    RECEIVING --all bytes, Upload-Complete--> CHECKING --digest, package and load are good--> DONE
    any of them --lies, grows, idles, is given up, the disk is full--> FAILED or gone; nothing of it stays

1. `create` reserves a place within the owner's quotas, and an empty sealed file.
2. `append` takes bytes at the offset where the last ones ended; a later request for the same upload takes over from an earlier one.
3. `complete` checks everything and loads, in a task of its own: a client that leaves changes nothing, one that asks again is told.
4. Only then the package and its alias become visible, in one step of the event loop.

Left to others: fields and statuses (`routes.uploads`), files (`staging`), names (`models`), workers (`engine.pool`).
"""

import asyncio
import hmac
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from confide.codes import Code
from confide.engine.package import Package, open_source
from confide.engine.pool import Pool
from confide.errors import ConfideError
from confide.server import NodeError
from confide.server.config import UploadLimits
from confide.server.models import Held, Models, Served, Visibility
from confide.server.opened import internal
from confide.server.staging import StagedFile, Staging

log = logging.getLogger("confide.node")
WAIT_SECONDS = 20.0  # for a package to be checked and loaded before the client is told to ask again
MAX_ENDED = 64  # uploads of an owner that are remembered after their end, for those who ask again
_SWEEP_SECONDS = 1.0
T = TypeVar("T")


class State(Enum):
    """Where an upload is."""

    RECEIVING = "receiving"
    CHECKING = "checking"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an owner announces."""

    digest: bytes
    alias: str
    length: int
    visibility: Visibility


@dataclass(eq=False, slots=True)
class Upload:
    """One upload and what became of it."""

    id: str
    owner: str
    key: bytes  # idempotency key of its creation
    wanted: Wanted
    staged: StagedFile | None = field(repr=False)  # None once it is over
    state: State = State.RECEIVING
    turn: int = 0  # counts the requests that write; the last one may
    begun: float = field(default_factory=time.monotonic)
    touched: float = field(default_factory=time.monotonic)
    received: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    task: "asyncio.Task[None] | None" = field(default=None, repr=False)
    result: Served | None = None
    error: ConfideError | None = None

    @property
    def on_its_way(self) -> bool:
        """Whether it holds a place."""
        return self.state in (State.RECEIVING, State.CHECKING)


class Uploads:
    """All uploads of a node, and what owners do with packages. All methods belong to one event loop."""

    def __init__(
        self, staging: Staging | None, *, limits: UploadLimits, models: Models, pool: Pool, now: Callable[[], datetime]
    ) -> None:
        self._staging, self.limits = staging, limits
        self._models, self._pool, self._now = models, pool, now
        self._uploads: dict[str, Upload] = {}
        self._locks: dict[str, asyncio.Lock] = {}  # by owner: packages come and go one at a time
        self._sweeper: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls, folder: Path | None, *, limits: UploadLimits, models: Models, pool: Pool, now: Callable[[], datetime]
    ) -> Self:
        """With a folder for this boot under `folder`; None takes no uploads. `upload.storage` if that cannot be used."""
        staging = None if folder is None else await asyncio.to_thread(Staging.open, folder)
        return cls(staging, limits=limits, models=models, pool=pool, now=now)

    async def create(self, owner: str, wanted: Wanted, *, key: bytes) -> Upload:
        """A new upload, or the one that was created with this key. A package that is here already needs no bytes.

        Raises:
            NodeError: `upload.off`, `upload.idempotency`, `upload.size`, `owner.quota`, `upload.storage`, or an `alias` code.
        """
        known = next((upload for upload in self._of(owner) if hmac.compare_digest(upload.key, key)), None)
        if known is not None:
            if known.wanted != wanted:
                raise NodeError(Code.UPLOAD_IDEMPOTENCY, found="another upload under this key", wanted="a key of its own")
            return known
        staging = self._require_room(owner, wanted)
        if self._models.has(owner, wanted.digest):
            return self._at_once(owner, wanted, key)
        name = os.urandom(16).hex()
        try:
            staged = staging.create(name)
        except OSError as error:
            raise _storage(error) from None
        upload = self._uploads[name] = Upload(name, owner, key, wanted, staged)
        if self._sweeper is None or self._sweeper.done():
            self._sweeper = asyncio.get_running_loop().create_task(self._sweep())
        return upload

    def find(self, owner: str, name: str) -> Upload:
        """An owner's upload; `upload.unknown` for another one's too."""
        upload = self._uploads.get(name)
        if upload is None or upload.owner != owner:
            raise NodeError(Code.UPLOAD_UNKNOWN, found="another id", wanted="the Location of an upload that has not expired")
        return upload

    async def offset(self, upload: Upload) -> int:
        """Where it goes on. Whoever was sending must not move it afterwards: that request ends."""
        if upload.state is State.RECEIVING:
            upload.turn += 1
            async with upload.lock:  # a piece that is being stored counts
                pass
        return upload.received

    async def append(self, upload: Upload, *, offset: int, pieces: AsyncIterator[bytes]) -> None:
        """Take bytes from `offset` on, as they come: what has been read is stored before more is read.

        Raises:
            NodeError: `upload.offset` with the right one, `upload.size` and `upload.storage` (it is dropped),
                `upload.superseded`, `upload.completed`, or what ended it meanwhile.
        """
        upload.turn += 1
        turn = upload.turn
        async with upload.lock:
            if offset != upload.received:
                raise NodeError(Code.UPLOAD_OFFSET, found=f"offset {offset}", wanted=str(upload.received))
        async for piece in pieces:
            async with upload.lock:
                if upload.turn != turn and upload.state is State.RECEIVING:
                    raise NodeError(Code.UPLOAD_SUPERSEDED, found="a later request", wanted="one at a time")
                await self._store(upload, piece)

    async def complete(self, upload: Upload) -> Served | None:
        """All bytes are there: check, load, publish. None when that takes longer; asking again waits again.

        Raises:
            ConfideError: `upload.size` when bytes are missing, or why it failed: a `package`, `engine`, `alias` or `owner` code.
        """
        async with upload.lock:
            if upload.state is State.RECEIVING:
                if upload.received != upload.wanted.length:
                    error = NodeError(
                        Code.UPLOAD_SIZE, found=f"{upload.received} bytes", wanted=f"{upload.wanted.length}, as announced"
                    )
                    await self._fail(upload, error)
                    raise error
                upload.state = State.CHECKING
                upload.task = asyncio.get_running_loop().create_task(self._publish(upload))
        if upload.task is not None:
            await asyncio.wait([upload.task], timeout=WAIT_SECONDS)
        if upload.error is not None:
            raise upload.error
        return upload.result

    async def drop(self, upload: Upload) -> None:
        """Give it up. One that is being checked is finished first."""
        upload.turn += 1
        if upload.task is not None:
            await asyncio.wait([upload.task])
        async with upload.lock:
            await self._remove(upload)
        self._uploads.pop(upload.id, None)

    async def delete_package(self, owner: str, digest: bytes) -> tuple[str, ...]:
        """Forget a package and the aliases that stand on it, at once; then take it out of the workers.

        Raises:
            NodeError: `owner.package`.
        """
        async with self._lock(owner):
            gone = self._models.drop(owner, digest)
            await asyncio.shield(asyncio.ensure_future(self._pool.unload(digest, owner=owner)))
        return gone

    async def close(self) -> None:
        """Drop everything, and this boot's folder."""
        tasks = [upload.task for upload in self._uploads.values() if upload.task is not None]
        for task in (*tasks, *([self._sweeper] if self._sweeper is not None else [])):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for upload in list(self._uploads.values()):
            async with upload.lock:
                await self._remove(upload)
        self._uploads.clear()
        if self._staging is not None:
            staging, self._staging = self._staging, None
            await asyncio.to_thread(staging.close)

    def _of(self, owner: str) -> list[Upload]:
        return [upload for upload in self._uploads.values() if upload.owner == owner]

    def _lock(self, owner: str) -> asyncio.Lock:
        return self._locks.setdefault(owner, asyncio.Lock())

    def _require_room(self, owner: str, wanted: Wanted) -> Staging:
        """Every bound that an announcement can break."""
        if self._staging is None:
            raise NodeError(Code.UPLOAD_OFF, found="no upload_dir", wanted="a node that takes uploads")
        limits, length = self.limits, wanted.length
        if length > limits.package_bytes:
            raise NodeError(Code.UPLOAD_SIZE, found=f"{length} bytes", wanted=f"at most {limits.package_bytes}")
        self._models.require_free(wanted.alias, owner=owner)
        everyone = [upload for upload in self._uploads.values() if upload.on_its_way]
        if any(upload.wanted.alias == wanted.alias and upload.owner != owner for upload in everyone):
            raise NodeError(Code.ALIAS_TAKEN, found=wanted.alias, wanted="another name")
        if self._models.has(owner, wanted.digest):
            return self._staging
        mine = [upload for upload in everyone if upload.owner == owner]
        held = self._models.held_by(owner)
        for what, found, most in (
            ("uploads of the owner", len(mine) + 1, limits.owner_uploads),
            ("uploads of all owners", len(everyone) + 1, limits.uploads),
            ("bytes on their way", sum(each.wanted.length for each in mine) + length, limits.owner_staged_bytes),
            ("bytes of all owners on their way", sum(each.wanted.length for each in everyone) + length, limits.staged_bytes),
            ("packages", len(held) + len(mine) + 1, limits.owner_packages),
            ("bytes of packages", sum(each.size for each in held) + sum(each.wanted.length for each in mine) + length,
             limits.owner_bytes),
        ):  # fmt: skip
            if found > most:
                raise NodeError(Code.OWNER_QUOTA, found=f"{found} {what}", wanted=f"at most {most}")
        if length > self._staging.free:
            raise NodeError(Code.UPLOAD_STORAGE, found="a disk without room for it", wanted=f"{length} bytes")
        return self._staging

    def _at_once(self, owner: str, wanted: Wanted, key: bytes) -> Upload:
        """The owner has this very package: only its name and visibility are new."""
        held = self._models.held(owner, wanted.digest)
        upload = Upload(os.urandom(16).hex(), owner, key, wanted, None, state=State.DONE, received=wanted.length)
        upload.result = self._models.publish(Held(owner, held.model, wanted.visibility, held.size), wanted.alias, now=self._now())
        self._uploads[upload.id] = upload
        self._forget_old(owner)
        return upload

    async def _store(self, upload: Upload, piece: bytes) -> None:
        """One piece, under the upload's lock."""
        if upload.error is not None:
            raise upload.error
        staged = upload.staged
        if upload.state is not State.RECEIVING or staged is None:
            raise NodeError(Code.UPLOAD_COMPLETED, found=upload.state.value, wanted="an upload that is on its way")
        if upload.received + len(piece) > upload.wanted.length:
            error = NodeError(Code.UPLOAD_SIZE, found="more bytes", wanted=f"{upload.wanted.length}, as announced")
            await self._fail(upload, error)
            raise error
        try:
            if staged.completes_chunk(len(piece)):
                await _in_thread(partial(staged.append, piece))
            else:
                staged.append(piece)
        except OSError as failure:
            await self._fail(upload, _storage(failure))
            raise _storage(failure) from None
        finally:
            upload.received = staged.size if not staged.dropped else upload.received
            upload.touched = time.monotonic()

    async def _publish(self, upload: Upload) -> None:
        """Check, load, publish; whatever happens, the staged file goes."""
        try:
            upload.result = await self._loaded(upload)
            upload.state = State.DONE
        except asyncio.CancelledError:
            upload.error = NodeError(Code.NODE_DRAINING)
            raise
        except ConfideError as error:
            upload.error = error
        except OSError as error:
            upload.error = _storage(error)
        except Exception as error:  # noqa: BLE001 - a bug must not leave an upload that never ends
            upload.error = internal(error)
        finally:
            if upload.error is not None:
                upload.state = State.FAILED
            upload.touched = time.monotonic()
            await self._remove(upload)
            self._forget_old(upload.owner)

    async def _loaded(self, upload: Upload) -> Served:
        staged, wanted = upload.staged, upload.wanted
        if staged is None:
            raise NodeError(Code.UPLOAD_COMPLETED, found="an upload that is over", wanted="one that is on its way")

        def judge() -> Package:
            staged.finish()
            return open_source(staged.open, Path(f"upload {upload.id}"), expected_digest=wanted.digest)

        package = await _in_thread(judge)
        async with self._lock(upload.owner):
            model = await self._pool.load(package, owner=upload.owner)
            try:
                held = Held(upload.owner, model, wanted.visibility, wanted.length)
                return self._models.publish(held, wanted.alias, now=self._now())
            except ConfideError:
                if not self._models.has(upload.owner, wanted.digest):
                    await self._pool.unload(wanted.digest, owner=upload.owner)
                raise

    async def _fail(self, upload: Upload, error: ConfideError) -> None:
        """The end of an upload that went wrong, under its lock. Its record stays a while, for whoever asks again."""
        upload.state, upload.error, upload.touched = State.FAILED, error, time.monotonic()
        await self._remove(upload)
        self._forget_old(upload.owner)

    async def _remove(self, upload: Upload) -> None:
        staged, upload.staged = upload.staged, None
        if staged is not None:
            await _in_thread(staged.drop)

    def _forget_old(self, owner: str) -> None:
        ended = sorted((upload for upload in self._of(owner) if not upload.on_its_way), key=lambda upload: upload.touched)
        for upload in ended[:-MAX_ENDED]:
            del self._uploads[upload.id]

    async def _sweep(self) -> None:
        """Drop what idles or takes too long, and forget what ended a while ago. Ends when there is nothing to look at."""
        while self._uploads:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = time.monotonic()
            for upload in list(self._uploads.values()):
                if upload.state is State.RECEIVING:
                    await self._expire(upload, now)
                elif not upload.on_its_way and now - upload.touched > self.limits.idle_seconds:
                    self._uploads.pop(upload.id, None)

    async def _expire(self, upload: Upload, now: float) -> None:
        limits = self.limits
        for seconds, most in ((now - upload.touched, limits.idle_seconds), (now - upload.begun, limits.upload_seconds)):
            if seconds > most:
                upload.turn += 1
                async with upload.lock:
                    if upload.state is State.RECEIVING:
                        await self._fail(upload, NodeError(Code.UPLOAD_EXPIRED, found=f"over {most} s", wanted="an end before"))
                return


async def _in_thread(function: Callable[[], T]) -> T:
    """Run what blocks, to its end: whoever is cancelled meanwhile goes on only when the thread is done with the file."""
    running = asyncio.ensure_future(asyncio.to_thread(function))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # retrieved: the file knows that it failed
        raise


def _storage(error: OSError) -> NodeError:
    """What the owner hears of a disk that is full or broken; the operator's log says the rest."""
    log.warning("an upload was not stored: %s", error.strerror)
    return NodeError(Code.UPLOAD_STORAGE, found=error.strerror or "a failure", wanted="room on the node's disk")
