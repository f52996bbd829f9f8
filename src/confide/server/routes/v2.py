"""`/v2`: the Open Inference Protocol, so that clients of KServe, Triton and MLServer work through the seal.

A model's version is its package digest: what a client saw under one version is what another one gets. Left to others: the bodies
(`server.oip`), what models compute (`engine`), who may use them (`server.models`).
"""

import msgspec

from confide.server import oip
from confide.server.asgi import JSON, Reply, header
from confide.server.models import Served
from confide.server.parts import Parts
from confide.server.routes.pipelines import required_digest, timing_header
from confide.server.routing import Call, Route

OCTETS = (b"content-type", b"application/octet-stream")
SERVER = b'{"name":"confide","version":"2","extensions":["binary_tensor_data"]}'


def routes(parts: Parts) -> tuple[Route, ...]:
    """GET /v2, /v2/health/live, /v2/health/ready, /v2/models/{}, /v2/models/{}/ready, POST /v2/models/{}/infer."""

    def model_of(call: Call) -> Served:
        return parts.models.resolve(call.names[0], required=required_digest(call), reader=parts.owners.reader(call.scope))

    async def server(_: Call) -> Reply:
        return Reply(200, (JSON,), SERVER)

    async def alive(_: Call) -> Reply:
        return Reply(200, (), b"")

    async def ready(call: Call) -> Reply:
        model_of(call)
        return Reply(200, (), b"")

    async def metadata(call: Call) -> Reply:
        model = model_of(call)
        return Reply(200, (JSON,), msgspec.json.encode(oip.metadata(model.alias, model.digest_hex, model.labels, model.dimension)))

    async def infer(call: Call) -> Reply:
        model = model_of(call)
        call.channel.model = model
        request, texts = oip.parse_request(await call.body(), header(call.scope, oip.HEADER_LENGTH))
        asked = {} if request.parameters.truncate is None else {"truncate": request.parameters.truncate}
        call.channel.parameters = {"protocol": "oip-v2", **asked}
        result = await parts.engine.run(model.digest, texts, asked, owner=model.owner)
        body, json_size = oip.response(model.alias, model.digest_hex, request, result)
        kind = (JSON,) if json_size is None else (OCTETS, (oip.HEADER_LENGTH, b"%d" % json_size))
        return Reply(200, (*kind, timing_header(result.timing)), body)

    return (
        Route("GET", "/v2", server),
        Route("GET", "/v2/health/live", alive),
        Route("GET", "/v2/health/ready", alive),
        Route("GET", "/v2/models/{}", metadata),
        Route("GET", "/v2/models/{}/ready", ready),
        Route("POST", "/v2/models/{}/infer", infer),
    )
