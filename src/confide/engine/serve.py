"""Inside a worker, after the sandbox has closed: packages in, jobs in, answers out (messages in `wire.py`).

It logs nothing: a fault is a wire status, job by job. What kills it is the engine's business (`lane.py`).
Left to others: the sandbox (`worker.py`, `sandbox.py`), the steps themselves (`steps.py`).
"""

import gc
import mmap
import os
import socket
import struct
import sys
import time

from confide.engine import steps, wire
from confide.engine.manifest import parse_manifest

_MAX_FDS = 2


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
        while True:
            message, fds, _, _ = socket.recv_fds(self._control, wire.MAX_CONTROL, _MAX_FDS)
            if not message:
                return
            if message[0] == wire.Kind.LOAD:
                self._load(message, fds)
            elif message[0] == wire.Kind.RUN:
                self._run_batch(*wire.unpack_run(message))

    def _load(self, message: bytes, fds: list[int]) -> None:
        slot, text = wire.unpack_head(message)
        status = wire.Status.OK
        try:
            manifest = parse_manifest(text)
            names = (manifest.core.file, manifest.pre.file)
            core, tokenizer = (_take(fd, manifest.files[name].size) for fd, name in zip(fds, names, strict=True))
            self._pipelines[slot] = steps.Pipeline(manifest, core=core, tokenizer=tokenizer)
        except steps.TokenizerFault:
            status = wire.Status.TOKENIZER
        except steps.GraphFault:
            status = wire.Status.GRAPH
        except Exception:  # noqa: BLE001 - the engine is told, and nothing else may leave this process
            status = wire.Status.FAILED
        gc.collect()
        gc.freeze()
        self.send(wire.pack_head(wire.Kind.LOADED, slot, bytes([status])))

    def _run_batch(self, sequence: int, count: int, length: int) -> None:
        """Answer each job of the batch exactly once, whatever happens."""
        batch = _Batch(self, sequence, count)
        try:
            jobs = wire.unpack_jobs(self._requests[:length], count)
            batch.run(jobs, self._pipelines, self._responses, self._batch_tokens)
        except struct.error:
            batch.fail_rest(wire.Status.BAD_JOB)
        except Exception:  # noqa: BLE001 - as above
            batch.fail_rest(wire.Status.FAILED)


class _Batch:
    """The jobs of one RUN message, and which of them have been answered."""

    def __init__(self, worker: Worker, sequence: int, count: int) -> None:
        self._worker, self._sequence = worker, sequence
        self._open = set(range(count))
        self._written = 0

    def run(self, jobs: list[wire.Job], pipelines: dict[int, steps.Pipeline], responses: mmap.mmap, batch_tokens: int) -> None:
        """Tokenise every job, then run the groups of each package."""
        by_slot: dict[int, list[tuple[int, steps.Work]]] = {}
        for index, job in enumerate(jobs):
            try:
                by_slot.setdefault(job.slot, []).append((index, _prepare(pipelines[job.slot], job)))
            except steps.TooLong:
                self.answer(index, wire.Status.TOO_LONG)
            except (steps.ModelFault, KeyError, UnicodeDecodeError):
                self.answer(index, wire.Status.BAD_JOB)
        for slot, items in by_slot.items():
            works = [work for _, work in items]

            def done(position: int, ok: bool, items: list[tuple[int, steps.Work]] = items) -> None:
                index, work = items[position]
                if ok:
                    self._write(index, work, responses)
                else:
                    self.answer(index, wire.Status.FAILED)

            steps.run_groups(pipelines[slot], works, batch_tokens=batch_tokens, done=done)

    def answer(self, job: int, status: wire.Status, *, length: int = 0, work: steps.Work | None = None) -> None:
        """Send one ANSWER."""
        times = (work.times.pre, work.times.core, work.times.post) if work else (0.0, 0.0, 0.0)
        pre, core, post = (min(int(seconds * 1e6), 0xFFFFFFFF) for seconds in times)
        answer = wire.Answer(self._sequence, job, status, self._written, length, pre, core, post)
        self._open.discard(job)
        self._written += length
        self._worker.send(wire.pack_answer(answer))

    def fail_rest(self, status: wire.Status) -> None:
        """Answer whatever has not been answered."""
        for job in sorted(self._open):
            self.answer(job, status)

    def _write(self, index: int, work: steps.Work, responses: mmap.mmap) -> None:
        """Rows into the response region, then ANSWER, then wipe our copy."""
        start = time.perf_counter()
        tokens = [len(item.ids) for item in work.tokens]
        data = wire.pack_result(tokens, [item.truncated for item in work.tokens], work.rows.tobytes())
        responses[self._written : self._written + len(data)] = data
        work.times.post += time.perf_counter() - start
        self.answer(index, wire.Status.OK, length=len(data), work=work)
        work.rows.fill(0)
        for item in work.tokens:
            item.ids.clear()


def _prepare(pipeline: steps.Pipeline, job: wire.Job) -> steps.Work:
    start = time.perf_counter()
    refuse = bool(job.flags & wire.JobFlag.REFUSE_TRUNCATION)
    tokens = pipeline.tokenize([text.decode("utf-8") for text in job.texts], refuse_truncation=refuse)
    work = steps.Work(tokens, steps.empty_rows(len(tokens), pipeline.dimension))
    work.times.pre = time.perf_counter() - start
    return work


def _take(fd: int, size: int) -> bytes:
    """The bytes of a memory file; the descriptor is closed. The size is given: the sandbox does not let us ask."""
    try:
        with mmap.mmap(fd, size, prot=mmap.PROT_READ) as view:
            return view[:]
    finally:
        os.close(fd)
