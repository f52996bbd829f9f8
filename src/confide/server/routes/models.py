"""`GET /v1/models`: what the node offers to whoever asks: public models to strangers, and to an owner its own ones too.

Left to others: running them (`pipelines`), who may use them (`server.models`).
"""

from typing import Any

import msgspec

from confide.server.asgi import JSON, Reply
from confide.server.models import Served
from confide.server.parts import Parts
from confide.server.routing import Call, Route


def routes(parts: Parts) -> tuple[Route, ...]:
    """GET /v1/models."""

    async def listing(call: Call) -> Reply:
        visible = parts.models.visible(parts.owners.reader(call.scope))
        return Reply(200, (JSON,), msgspec.json.encode({"object": "list", "data": [_listed(model) for model in visible]}))

    return (Route("GET", "/v1/models", listing),)


def _listed(model: Served) -> dict[str, Any]:
    return {
        "id": model.alias,
        "object": "model",
        "created": int(model.since.timestamp()) if model.since else 0,
        "owned_by": model.owner,
        "digest": model.digest_hex,
        "version": model.version,
        "visibility": model.visibility.value,
        "task": model.task,
        "dimension": model.dimension,
        "labels": list(model.labels),
        "max_tokens": model.max_tokens,
    }
