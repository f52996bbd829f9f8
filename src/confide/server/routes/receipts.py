"""Proofs of receipts: of this boot's log, and of the logs of other boots that lie in the same directory.

    GET  /v1/receipts/{index}                       one log proof
    POST /v1/receipts/proofs                        many, under one checkpoint; of another boot with its `log_id`
    GET  /v1/log, /v1/logs/{log_id}                 the latest checkpoint
    GET  /v1/log/consistency, /v1/logs/{log_id}/consistency      ?first=N&second=M: growth
    GET  /v1/logs/{log_id}/receipts/{index}         one log proof of another boot

Left to others: making them (`server.proof`), their formats (`receipt.proof`).
"""

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from confide.codes import Code
from confide.errors import ReceiptError
from confide.formats.fields import Count, Hex32
from confide.receipt.proof import MAX_BATCH
from confide.server import NodeError
from confide.server.asgi import JSON, Reply, json_body
from confide.server.parts import Parts
from confide.server.routing import Call, Route

_SIZES = re.compile(rb"first=([0-9]{1,15})&second=([0-9]{1,15})\Z")
_LOG_ID = re.compile(r"[0-9a-f]{64}\Z")


class ProofsRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/receipts/proofs`."""

    indices: Annotated[list[Count], Meta(min_length=1, max_length=MAX_BATCH)]
    log_id: Hex32 | None = None


def routes(parts: Parts) -> tuple[Route, ...]:
    """GET /v1/receipts/{index}, POST /v1/receipts/proofs, GET /v1/log..., GET /v1/logs/{log_id}..."""

    async def proof(call: Call) -> Reply:
        return _json(await parts.proof.inclusion(_index(call.names[0])))

    async def proofs(call: Call) -> Reply:
        request = await json_body(call.scope, call.receive, ProofsRequest, limit=call.limit)
        log_id = None if request.log_id is None else bytes.fromhex(request.log_id)
        return _json(await parts.proof.batch(request.indices, log_id=log_id))

    async def other_proof(call: Call) -> Reply:
        return _json(await parts.proof.inclusion(_index(call.names[1]), log_id=_log_id(call)))

    async def head(call: Call) -> Reply:
        return _json(await parts.proof.checkpoint(log_id=_log_id(call)))

    async def consistency(call: Call) -> Reply:
        match = _SIZES.match(call.scope["query_string"])
        if match is None:
            raise NodeError(Code.NODE_BAD_REQUEST, found="another query", wanted="first=N&second=M")
        return _json(await parts.proof.consistency(int(match[1]), int(match[2]), log_id=_log_id(call)))

    return (
        Route("GET", "/v1/receipts/{}", proof),
        Route("POST", "/v1/receipts/proofs", proofs),
        Route("GET", "/v1/log", head),
        Route("GET", "/v1/log/consistency", consistency),
        Route("GET", "/v1/logs/{}", head),
        Route("GET", "/v1/logs/{}/consistency", consistency),
        Route("GET", "/v1/logs/{}/receipts/{}", other_proof),
    )


def _json(body: bytes) -> Reply:
    return Reply(200, (JSON,), body)


def _log_id(call: Call) -> bytes | None:
    """The log that the path names; None for that of this boot."""
    if not call.names:
        return None
    if not _LOG_ID.match(call.names[0]):
        raise ReceiptError(Code.LOG_UNKNOWN, found="another name", wanted="64 lower-case hex digits")
    return bytes.fromhex(call.names[0])


def _index(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise ReceiptError(Code.LOG_INDEX, found="no number", wanted="a log index")
    return int(text)
