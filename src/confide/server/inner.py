"""The inner application: models, pipelines, embeddings, receipts. An ordinary ASGI application with one condition.

It answers only a scope that carries the in-process channel object (`server.channel`), on any port and behind any proxy; the check
stands before routing, so there is no route without it. Errors are exact: only the client that sealed the request reads them.
Left to others: how requests get here (`server.sealed`), what models compute (`engine`), receipts of requests (`server.proof`).

    GET  /v1/models               the start-up models
    POST /v1/pipelines/{model}    inputs in, typed outputs out
    POST /v1/embeddings           the OpenAI shape of the same
    GET  /v1/receipts/{index}     inclusion proof and checkpoint
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from confide.codes import Code
from confide.engine.engine import Engine
from confide.engine.results import ClassificationOutput, EmbeddingOutput, Result, Timing
from confide.errors import ConfideError, ReceiptError
from confide.formats import strictjson
from confide.server import NodeError
from confide.server.asgi import Receive, Reply, Scope, Send, collect_body, header, media_type, send_reply
from confide.server.channel import Channel, require_channel
from confide.server.models import Models, Served
from confide.server.problems import inside, outside
from confide.server.proof import Proof

PIPELINES = "/v1/pipelines/"
RECEIPTS = "/v1/receipts/"
DIGEST_HEADER = b"confide-model-digest"
MAX_PARAMETERS = 16
_JSON = (b"content-type", b"application/json")
_encode = msgspec.json.Encoder().encode

T = TypeVar("T")
Encoding = Literal["float", "base64"]
# All of them together, each character six bytes when escaped and base 64 twice, fit the trailer with the salts (64 KiB).
ParameterName = Annotated[str, Meta(max_length=32)]
ParameterValue = bool | int | float | Annotated[str, Meta(max_length=128)]


class PipelineRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/pipelines/{model}`."""

    inputs: Annotated[list[str], Meta(min_length=1)]
    parameters: Annotated[dict[ParameterName, ParameterValue], Meta(max_length=MAX_PARAMETERS)] = {}
    encoding_format: Encoding = "float"


class EmbeddingsRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/embeddings`: OpenAI's members, of which those that would change the answer are not taken."""

    model: str
    input: str | Annotated[list[str], Meta(min_length=1)]
    encoding_format: Encoding = "float"
    user: str | None = None  # accepted and ignored: clients send it; it reaches no log and no receipt


Handler = Callable[[Channel, Scope, bytes], Awaitable[Reply]]


class InnerApp:
    """Routes a request that came out of a seal."""

    def __init__(self, *, models: Models, engine: Engine, proof: Proof, body_limit: int) -> None:
        self._models, self._engine, self._proof, self._body_limit = models, engine, proof, body_limit
        self._listing = _encode({"object": "list", "data": [_listed(model) for model in models]})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI. Without the channel object: 403, the same for every path, and the body is not read."""
        if scope["type"] != "http":
            return
        try:
            channel = require_channel(scope)
        except NodeError as error:
            await send_reply(send, outside(error.code))
            return
        try:
            body = await collect_body(receive, limit=self._body_limit)
            reply = await self._route(scope)(channel, scope, body)
        except ConfideError as error:
            _note(channel, error)
            reply = inside(error)
        await send_reply(send, reply)

    def _route(self, scope: Scope) -> Handler:
        path: str = scope["path"]
        method, handler = self._match(path)
        if scope["method"] != method:
            raise NodeError(Code.NODE_METHOD, found=scope["method"][:16], wanted=method)
        return handler

    def _match(self, path: str) -> tuple[str, Handler]:
        if path.startswith(PIPELINES) and "/" not in path[len(PIPELINES) :]:
            return "POST", self._pipeline
        if path == "/v1/embeddings":
            return "POST", self._embeddings
        if path == "/v1/models":
            return "GET", self._list
        if path.startswith(RECEIPTS) and "/" not in path[len(RECEIPTS) :]:
            return "GET", self._receipt
        raise NodeError(Code.NODE_ROUTE, found="another path", wanted="a route of docs/reference/routes.md")

    async def _list(self, channel: Channel, scope: Scope, body: bytes) -> Reply:  # noqa: ARG002 - one signature for all routes
        return Reply(200, (_JSON,), self._listing)

    async def _pipeline(self, channel: Channel, scope: Scope, body: bytes) -> Reply:
        model = self._models.resolve(scope["path"][len(PIPELINES) :], required=_required_digest(scope))
        channel.model = model
        request = _parse(scope, body, PipelineRequest, limit=self._body_limit)
        channel.parameters = {"encoding_format": request.encoding_format, **request.parameters}
        result = await self._engine.run(model.digest, request.inputs, request.parameters)
        head = b'{"model":"%b","digest":"%b","task":"%b","outputs":' % tuple(
            text.encode() for text in (model.alias, model.digest_hex, model.task)
        )
        outputs = _encode(_outputs(result, request.encoding_format))
        tail = b',"tokens":%b,"truncated":%b}' % (_encode(result.tokens), _encode(result.truncated))
        return Reply(200, (_JSON, _timing(result.timing)), b"".join((head, outputs, tail)))

    async def _embeddings(self, channel: Channel, scope: Scope, body: bytes) -> Reply:
        request = _parse(scope, body, EmbeddingsRequest, limit=self._body_limit)
        model = self._models.resolve(request.model, required=_required_digest(scope))
        channel.model = model
        if model.task != "sentence-embedding":
            raise NodeError(Code.NODE_TASK, found=model.task, wanted="sentence-embedding")
        channel.parameters = {"encoding_format": request.encoding_format}
        inputs = [request.input] if isinstance(request.input, str) else request.input
        result = await self._engine.run(model.digest, inputs, {})
        return Reply(200, (_JSON, _timing(result.timing)), _encode(_openai(model, result, request.encoding_format)))

    async def _receipt(self, channel: Channel, scope: Scope, body: bytes) -> Reply:  # noqa: ARG002 - one signature for all routes
        text = scope["path"][len(RECEIPTS) :]
        if not (text.isascii() and text.isdigit() and len(text) <= 15):
            raise ReceiptError(Code.LOG_INDEX, found="no number", wanted="a log index")
        return Reply(200, (_JSON,), await self._proof.inclusion(int(text)))


def _note(channel: Channel, error: ConfideError) -> None:
    """Refused before anything ran, or failed while it ran: the receipt says which."""
    ran = error.code in {Code.ENGINE_FAILED, Code.ENGINE_WORKER_DIED, Code.ENGINE_TIMEOUT, Code.ENGINE_STOPPED}
    (channel.failed if ran else channel.refused)(error.code)


def _required_digest(scope: Scope) -> bytes | None:
    return header(scope, DIGEST_HEADER)


def _parse(scope: Scope, body: bytes, kind: type[T], *, limit: int) -> T:
    if media_type(scope) != b"application/json":
        raise NodeError(Code.NODE_MEDIA_TYPE, found="another content-type", wanted="application/json")
    return strictjson.load_as(body, kind, limit=limit)


def _outputs(result: Result, encoding: Encoding) -> Sequence[Any]:
    outputs = result.outputs
    if isinstance(outputs, ClassificationOutput):
        return [[{"label": label, "score": score} for label, score in row] for row in outputs.ranked()]
    return _vectors(outputs, encoding)


def _vectors(outputs: EmbeddingOutput, encoding: Encoding) -> Sequence[Any]:
    """Lists of numbers, or little-endian float32 in base 64 (`msgspec` writes bytes so)."""
    return outputs.rows() if encoding == "base64" else outputs.vectors()


def _openai(model: Served, result: Result, encoding: Encoding) -> dict[str, Any]:
    vectors = _vectors(result.outputs, encoding) if isinstance(result.outputs, EmbeddingOutput) else []
    tokens = sum(result.tokens)
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)],
        "model": model.alias,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _timing(timing: Timing) -> tuple[bytes, bytes]:
    parts = (timing.queue * 1e3, timing.pre * 1e3, timing.core * 1e3, timing.post * 1e3)
    return b"confide-timing", b"queue=%.3f,pre=%.3f,core=%.3f,post=%.3f" % parts


def _listed(model: Served) -> dict[str, Any]:
    return {
        "id": model.alias,
        "object": "model",
        "created": 0,
        "owned_by": "node",
        "digest": model.digest_hex,
        "task": model.task,
        "dimension": model.dimension,
        "labels": list(model.labels),
        "max_tokens": model.max_tokens,
    }
