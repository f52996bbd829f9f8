"""`POST /v1/pipelines/{model}` and `POST /v1/embeddings`: texts in, typed outputs out.

With `accept: application/x-ndjson` a pipeline answers one line per input, as it completes (`routes.lines`). Left to others: what
models compute (`engine`), which model an alias stands for (`server.models`).
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from confide.codes import Code
from confide.engine.results import EmbeddingOutput, Result, Timing
from confide.server import NodeError
from confide.server.asgi import JSON, Reply, header, json_body
from confide.server.models import Served
from confide.server.parts import Parts
from confide.server.routes.lines import accepts_lines, stream_lines
from confide.server.routes.shapes import Encoding, PipelineRequest, outputs_of, vectors_of
from confide.server.routing import Call, Route, StreamReply

DIGEST_HEADER = b"confide-model-digest"
_encode = msgspec.json.Encoder().encode


class EmbeddingsRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/embeddings`: OpenAI's members, of which those that would change the answer are not taken."""

    model: str
    input: str | Annotated[list[str], Meta(min_length=1)]
    encoding_format: Encoding = "float"
    user: str | None = None  # accepted and ignored: clients send it; it reaches no log and no receipt


def routes(parts: Parts) -> tuple[Route, ...]:
    """POST /v1/pipelines/{model}, POST /v1/embeddings."""

    async def pipeline(call: Call) -> Reply | StreamReply:
        model = parts.models.resolve(call.names[0], required=required_digest(call), reader=parts.owners.reader(call.scope))
        call.channel.model = model
        request = await json_body(call.scope, call.receive, PipelineRequest, limit=call.limit)
        call.channel.parameters = {"encoding_format": request.encoding_format, **request.parameters}
        if accepts_lines(call.scope):
            return stream_lines(parts, model, request)
        result = await parts.engine.run(model.digest, request.inputs, request.parameters, owner=model.owner)
        return Reply(200, (JSON, timing_header(result.timing)), _answer(model, result, request.encoding_format))

    async def embeddings(call: Call) -> Reply:
        request = await json_body(call.scope, call.receive, EmbeddingsRequest, limit=call.limit)
        model = parts.models.resolve(request.model, required=required_digest(call), reader=parts.owners.reader(call.scope))
        call.channel.model = model
        if model.task != "sentence-embedding":
            raise NodeError(Code.NODE_TASK, found=model.task, wanted="sentence-embedding")
        call.channel.parameters = {"encoding_format": request.encoding_format}
        inputs = [request.input] if isinstance(request.input, str) else request.input
        result = await parts.engine.run(model.digest, inputs, {}, owner=model.owner)
        return Reply(200, (JSON, timing_header(result.timing)), _encode(_openai(model, result, request.encoding_format)))

    return Route("POST", "/v1/pipelines/{}", pipeline), Route("POST", "/v1/embeddings", embeddings)


def _answer(model: Served, result: Result, encoding: Encoding) -> bytes:
    head = b'{"model":"%b","digest":"%b","task":"%b","outputs":' % tuple(
        text.encode() for text in (model.alias, model.digest_hex, model.task)
    )
    tail = b',"tokens":%b,"truncated":%b}' % (_encode(result.tokens), _encode(result.truncated))
    return b"".join((head, _encode(outputs_of(result, encoding)), tail))


def required_digest(call: Call) -> bytes | None:
    """The package digest that the client wants; another one refuses before anything runs."""
    return header(call.scope, DIGEST_HEADER)


def _openai(model: Served, result: Result, encoding: Encoding) -> dict[str, Any]:
    vectors = vectors_of(result.outputs, encoding) if isinstance(result.outputs, EmbeddingOutput) else []
    tokens = sum(result.tokens)
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)],
        "model": model.alias,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def timing_header(timing: Timing) -> tuple[bytes, bytes]:
    """Milliseconds in the queue and in each part, as a header."""
    parts = (timing.queue * 1e3, timing.pre * 1e3, timing.core * 1e3, timing.post * 1e3)
    return b"confide-timing", b"queue=%.3f,pre=%.3f,core=%.3f,post=%.3f" % parts
