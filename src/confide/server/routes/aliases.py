"""Aliases of owners: where they stand, where they stood, and moving them.

    GET    /v1/aliases/{alias}      the digest, the version and earlier versions
    PUT    /v1/aliases/{alias}      {"digest": hex}: from the next request on it stands for this package of the same owner
    DELETE /v1/aliases/{alias}      forget it; its package stays

An alias that the keyset names is fixed for the boot. Left to others: what is loaded (`server.uploads`).
"""

from typing import Any

import msgspec

from confide.formats.fields import Hex32, format_time
from confide.server.asgi import JSON, Reply, json_body
from confide.server.models import Served
from confide.server.parts import Parts
from confide.server.routes.uploads import MAX_BODY
from confide.server.routing import Call, Route


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `PUT /v1/aliases/{alias}`."""

    digest: Hex32


def routes(parts: Parts) -> tuple[Route, ...]:
    """GET, PUT and DELETE /v1/aliases/{alias}."""

    async def look(call: Call) -> Reply:
        return _told(parts, call.names[0], parts.owners.require(call.scope))

    async def move(call: Call) -> Reply:
        owner = parts.owners.require(call.scope)
        target = await json_body(call.scope, call.receive, Target, limit=MAX_BODY)
        moved: Served = parts.models.point(call.names[0], bytes.fromhex(target.digest), owner=owner, now=parts.now())
        call.channel.model = moved
        return _told(parts, moved.alias, owner)

    async def remove(call: Call) -> Reply:
        parts.models.remove(call.names[0], owner=parts.owners.require(call.scope))
        return Reply(204, (), b"")

    return (
        Route("GET", "/v1/aliases/{}", look),
        Route("PUT", "/v1/aliases/{}", move),
        Route("DELETE", "/v1/aliases/{}", remove),
    )


def _told(parts: Parts, alias: str, owner: str) -> Reply:
    versions = parts.models.versions(alias, reader=owner)
    current = versions[-1]
    value = {
        "alias": alias,
        "digest": current.digest_hex,
        "version": current.version,
        "owner": current.owner,
        "visibility": current.visibility.value,
        "versions": [_version(model) for model in versions],
    }
    return Reply(200, (JSON,), msgspec.json.encode(value))


def _version(model: Served) -> dict[str, Any]:
    return {"version": model.version, "digest": model.digest_hex, "since": format_time(model.since) if model.since else None}
