"""Packages of owners: what is loaded, and taking it out.

    GET    /v1/packages             what the owner has loaded, the aliases that stand on it included
    DELETE /v1/packages/{digest}    take it out; the aliases that stand on it go with it, requests under way are finished

Left to others: how packages come here (`routes.uploads`), whose they are (`server.owners`).
"""

import re
from typing import Any

import msgspec

from confide.codes import Code
from confide.server import NodeError
from confide.server.asgi import JSON, Reply
from confide.server.models import Held
from confide.server.parts import Parts
from confide.server.routing import Call, Route

_encode = msgspec.json.Encoder().encode


def routes(parts: Parts) -> tuple[Route, ...]:
    """GET /v1/packages, DELETE /v1/packages/{digest}."""

    async def packages(call: Call) -> Reply:
        owner = parts.owners.require(call.scope)
        names = _names(parts, owner)
        held = [_held(each, names.get(each.model.digest, [])) for each in parts.models.held_by(owner)]
        return Reply(200, (JSON,), _encode({"data": held}))

    async def delete(call: Call) -> Reply:
        owner, text = parts.owners.require(call.scope), call.names[0]
        if not re.fullmatch(r"[0-9a-f]{64}", text):
            raise NodeError(Code.OWNER_PACKAGE, found="no digest", wanted="64 lower-case hex digits")
        gone = await parts.uploads.delete_package(owner, bytes.fromhex(text))
        return Reply(200, (JSON,), _encode({"digest": text, "aliases": gone}))

    return Route("GET", "/v1/packages", packages), Route("DELETE", "/v1/packages/{}", delete)


def _names(parts: Parts, owner: str) -> dict[bytes, list[str]]:
    names: dict[bytes, list[str]] = {}
    for model in parts.models:
        if model.owner == owner:
            names.setdefault(model.digest, []).append(model.alias)
    return names


def _held(held: Held, aliases: list[str]) -> dict[str, Any]:
    return {
        "digest": held.model.digest.hex(),
        "name": held.model.name,
        "task": held.model.task.value,
        "visibility": held.visibility.value,
        "size": held.size,
        "aliases": aliases,
    }
