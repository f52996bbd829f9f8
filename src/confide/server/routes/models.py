"""`GET /v1/models`: what the node offers. Left to others: running them (`pipelines`)."""

from typing import Any

import msgspec

from confide.server.asgi import JSON, Reply
from confide.server.models import Served
from confide.server.parts import Parts
from confide.server.routing import Call, Route


def routes(parts: Parts) -> tuple[Route, ...]:
    """GET /v1/models."""

    async def listing(_: Call) -> Reply:
        return Reply(200, (JSON,), msgspec.json.encode({"object": "list", "data": [_listed(model) for model in parts.models]}))

    return (Route("GET", "/v1/models", listing),)


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
