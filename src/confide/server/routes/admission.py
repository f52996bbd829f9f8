"""`PUT` and `GET /v1/admission`: the owner's word for this node, in and out (spec/05-admission.md).

No token: the signature is the authorisation. Left to others: what is accepted (`guest.admissions`).
"""

import msgspec

from confide.attest.admission import MAX_ADMISSION, Admission
from confide.formats import strictjson
from confide.formats.fields import format_time
from confide.server.asgi import JSON, Reply
from confide.server.parts import Parts
from confide.server.routing import Call, Route


def routes(parts: Parts) -> tuple[Route, ...]:
    """PUT /v1/admission, GET /v1/admission."""

    async def put(call: Call) -> Reply:
        envelope = await call.body(limit=MAX_ADMISSION)
        return _reply(envelope, parts.admissions.take(envelope))

    async def get(_: Call) -> Reply:
        held = parts.admissions.current()
        return Reply(200, (JSON,), b'{"admission":null}') if held is None else _reply(*held)

    return Route("PUT", "/v1/admission", put), Route("GET", "/v1/admission", get)


def _reply(envelope: bytes, admission: Admission) -> Reply:
    """What a node shows, with the exact bytes: the reader may know the owner's key, or not."""
    members = {
        "node_id": admission.node_id.hex(),
        "node_key": admission.node_key,
        "platform_id": admission.platform_id or None,
        "place": admission.place,
        "not_before": format_time(admission.not_before),
        "not_after": format_time(admission.not_after),
        "envelope": strictjson.b64(envelope),
    }
    return Reply(200, (JSON,), msgspec.json.encode({"admission": members}))
