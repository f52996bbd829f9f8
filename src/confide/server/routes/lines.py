"""Answers line by line (`application/x-ndjson`): one JSON line per input, in the order in which they complete.

    {"index": 0, "output": ..., "tokens": 7, "truncated": false}     and last     {"done": true, "model", "digest", "task", "count"}

A failure is a line `{"error": {...}}`, after which the answer is broken off: it has no receipt and no final chunk, and never looks
complete. Lines are padded with spaces to length buckets, which JSON ignores, so that their lengths tell little of their content.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable

import msgspec

from confide.codes import Code
from confide.engine.results import Result
from confide.errors import ConfideError, EngineError
from confide.seal.padding import bucket
from confide.server.asgi import Scope, header
from confide.server.models import Served
from confide.server.parts import Parts
from confide.server.problems import inside
from confide.server.routes.shapes import PipelineRequest, outputs_of
from confide.server.routing import StreamReply

NDJSON = b"application/x-ndjson"
AHEAD = 2  # inputs under way for each worker: one runs, one waits
_encode = msgspec.json.Encoder().encode
Pad = Callable[[int], int] | None


def accepts_lines(scope: Scope) -> bool:
    """Whether the client asked for lines, and for nothing else."""
    return (header(scope, b"accept") or b"").strip().lower() == NDJSON


def stream_lines(parts: Parts, model: Served, request: PipelineRequest) -> StreamReply:
    """The answer to a pipeline request, line by line. Each input is a request of its own to the engine; a few run at a time.

    Raises:
        EngineError: `engine.input` for more inputs than the engine takes.
    """
    limits = parts.engine.limits
    if len(request.inputs) > limits.max_texts:
        raise EngineError(Code.ENGINE_INPUT, found=f"{len(request.inputs)} texts", wanted=f"at most {limits.max_texts}")
    pad = bucket if parts.config.pad_streams else None
    return StreamReply(200, ((b"content-type", NDJSON),), _lines(parts, model, request, pad))


async def _lines(parts: Parts, model: Served, request: PipelineRequest, pad: Pad) -> AsyncGenerator[bytes, None]:
    todo = iter(enumerate(request.inputs))
    running: dict[asyncio.Task[Result], int] = {}

    def start() -> None:
        for index, text in todo:
            asked = parts.engine.run(model.digest, [text], request.parameters, owner=model.owner)
            running[asyncio.ensure_future(asked)] = index
            if len(running) >= AHEAD * max(1, len(parts.engine.workers_of(model.owner))):
                return

    try:
        start()
        while running:
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in sorted(done, key=running.__getitem__):
                index = running.pop(task)
                yield _padded(_encode(_line(index, task.result(), request)), pad)
            start()
    except ConfideError as error:
        yield _padded(inside(error).body, pad)
        raise
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    last = {"done": True, "model": model.alias, "digest": model.digest_hex, "task": model.task, "count": len(request.inputs)}
    yield _padded(_encode(last), pad)


def _line(index: int, result: Result, request: PipelineRequest) -> dict[str, object]:
    return {
        "index": index,
        "output": outputs_of(result, request.encoding_format)[0],
        "tokens": result.tokens[0],
        "truncated": result.truncated[0],
    }


def _padded(line: bytes, pad: Pad) -> bytes:
    """A line with its end; spaces before it are white space to JSON (RFC 8259 section 2)."""
    return line + b" " * (0 if pad is None else pad(len(line) + 1) - len(line) - 1) + b"\n"
