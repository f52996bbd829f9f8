"""Inside a worker, after the sandbox has closed: packages in, jobs in, answers out (messages in `wire.py`).

It logs nothing: a fault is a wire status, job by job. What kills it is the engine's business (`lane.py`).
Left to others: the sandbox (`worker.py`, `sandbox.py`), the steps themselves (`steps.py`).
"""

import array
import contextlib
import ctypes
import gc
import mmap
import os
import socket
import struct
import sys
from dataclasses import dataclass
from time import perf_counter

from confide.engine import steps, wire
from confide.engine.manifest import parse_manifest

_ANCILLARY = socket.CMSG_SPACE(wire.LOAD_FDS * 4)


class Worker:
    """The loop and its state: pipelines by slot, and the two shared regions."""

    def __init__(self, control: socket.socket, requests: mmap.mmap, responses: mmap.mmap, batch_tokens: int) -> None:
        self._control, self._requests, self._responses = control, requests, responses
        self._batch_tokens = batch_tokens
        self._pipelines: dict[int, steps.Pipeline] = {}

    def send(self, message: bytes) -> None:
        """One control message; if the engine has gone, so do we."""
        try:
            self._control.send(message)
        except OSError:
            sys.exit(0)

    def serve(self) -> None:
        """Answer until the socket closes."""
        receive = self._control.recvmsg
        while True:
            message, ancillary, _, _ = receive(wire.MAX_CONTROL, _ANCILLARY)
            if not message:
                return
            if message[0] == wire.Kind.RUN:
                self._run_batch(*wire.unpack_run(message))
            elif message[0] == wire.Kind.LOAD:
                self._load(message, _descriptors(ancillary))
            elif message[0] == wire.Kind.UNLOAD:
                self._unload(wire.unpack_head(message)[0])

    def _load(self, message: bytes, fds: list[int]) -> None:
        slot, sizes = wire.unpack_load(message)
        status = wire.Status.OK
        try:
            manifest, core, tokenizer = (_take(fd, size) for fd, size in zip(fds, sizes, strict=True))
            self._pipelines[slot] = steps.Pipeline(parse_manifest(manifest), core=core, tokenizer=tokenizer)
            del core  # before memory is given back
        except steps.TokenizerFault:
            status = wire.Status.TOKENIZER
        except steps.GraphFault:
            status = wire.Status.GRAPH
        except steps.IntegerFault:
            status = wire.Status.INTEGERS
        except Exception:  # noqa: BLE001 - the engine is told, and nothing else may leave this process
            status = wire.Status.FAILED
        gc.collect()
        gc.freeze()
        _trim()
        self.send(wire.pack_head(wire.Kind.LOADED, slot, bytes([status])))

    def _unload(self, slot: int) -> None:
        """Drop the session and give its memory back: the workers of an owner live as long as any of its packages."""
        self._pipelines.pop(slot, None)
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        _trim()
        self.send(wire.pack_head(wire.Kind.UNLOADED, slot))

    def _run_batch(self, sequence: int, count: int, length: int) -> None:
        """Answer each job of the batch exactly once, whatever happens."""
        batch = _Batch(self, sequence, count, self._responses)
        try:
            jobs = wire.unpack_jobs(self._requests[:length], count)
            batch.run(jobs, self._pipelines, self._batch_tokens)
        except struct.error:
            batch.fail_rest(wire.Status.BAD_JOB)
        except Exception:  # noqa: BLE001 - as above
            batch.fail_rest(wire.Status.FAILED)


class _Batch:
    """The jobs of one RUN message, and which of them have been answered."""

    __slots__ = ("_open", "_placed", "_responses", "_sequence", "_worker")

    def __init__(self, worker: Worker, sequence: int, count: int, responses: mmap.mmap) -> None:
        self._worker, self._sequence, self._responses = worker, sequence, responses
        self._open = set(range(count))
        self._placed = 0

    def run(self, jobs: list[wire.Job], pipelines: dict[int, steps.Pipeline], batch_tokens: int) -> None:
        """Tokenise every job, then run the groups of each package."""
        by_slot: dict[int, list[_Placed]] = {}
        for index, job in enumerate(jobs):
            try:
                by_slot.setdefault(job.slot, []).append(self._prepare(index, job, pipelines[job.slot]))
            except steps.TooLong:
                self.answer(index, wire.Status.TOO_LONG)
            except steps.NoTokens:
                self.answer(index, wire.Status.NO_TOKENS)
            except (steps.ModelFault, KeyError, ValueError):
                self.answer(index, wire.Status.BAD_JOB)
        for slot, items in by_slot.items():
            for position, ok in steps.run_groups(pipelines[slot], [item.work for item in items], batch_tokens=batch_tokens):
                self._finish(items[position], ok=ok)

    def answer(self, job: int, status: wire.Status, offset: int = 0, length: int = 0, times: steps.Times = steps.NO_TIME) -> None:
        """Send one ANSWER."""
        pre, core, post = int(times.pre * 1e6), int(times.core * 1e6), int(times.post * 1e6)
        self._open.discard(job)
        self._worker.send(wire.pack_answer(self._sequence, job, status, offset, length, pre, core, post))

    def fail_rest(self, status: wire.Status) -> None:
        """Answer whatever has not been answered."""
        for job in sorted(self._open):
            self.answer(job, status)

    def _prepare(self, index: int, job: wire.Job, pipeline: steps.Pipeline) -> "_Placed":
        """Tokens of a job, and its place in the response region."""
        start = perf_counter()
        refuse = bool(job.flags & wire.JobFlag.REFUSE_TRUNCATION)
        tokens = pipeline.tokenize([text.decode("utf-8") for text in job.texts], refuse_truncation=refuse)
        offset, count = self._placed, len(tokens)
        rows = steps.rows_in(self._responses, offset + 4 * count, count, pipeline.dimension)
        self._placed += wire.result_bytes(count, 4 * pipeline.dimension)
        return _Placed(index, offset, steps.Work(tokens, rows, steps.Times(pre=perf_counter() - start)))

    def _finish(self, item: "_Placed", *, ok: bool) -> None:
        """What the model saw of each text before the rows, then ANSWER, then wipe our copy; half an answer is wiped, not sent."""
        work = item.work
        if ok:
            words = wire.pack_seen([(len(token.ids), token.truncated) for token in work.tokens])
            self._responses[item.offset : item.offset + len(words)] = words
            self.answer(item.job, wire.Status.OK, item.offset, len(words) + work.rows.nbytes, work.times)
        else:
            work.rows.fill(0)
            self.answer(item.job, wire.Status.FAILED)
        for token in work.tokens:
            token.ids.clear()


@dataclass(slots=True)
class _Placed:
    """A job of the batch with its work and where its answer begins."""

    job: int
    offset: int
    work: steps.Work


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    """The descriptors that came with a message (man 7 unix, SCM_RIGHTS)."""
    found = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return found.tolist()


def _trim() -> None:
    """Freed memory back to the kernel, where the C library can do that (man 3 malloc_trim)."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def _take(fd: int, size: int) -> bytes:
    """The bytes of a memory file; the descriptor is closed. The size is given: the sandbox does not let us ask."""
    try:
        with mmap.mmap(fd, size, prot=mmap.PROT_READ) as view:
            return view[:]
    finally:
        os.close(fd)
