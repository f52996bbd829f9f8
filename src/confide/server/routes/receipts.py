"""`GET /v1/receipts/{index}`: inclusion proof and checkpoint of a receipt of this boot."""

from confide.codes import Code
from confide.errors import ReceiptError
from confide.server.asgi import JSON, Reply
from confide.server.parts import Parts
from confide.server.routing import Call, Route


def routes(parts: Parts) -> tuple[Route, ...]:
    """GET /v1/receipts/{index}."""

    async def proof(call: Call) -> Reply:
        text = call.names[0]
        if not (text.isascii() and text.isdigit() and len(text) <= 15):
            raise ReceiptError(Code.LOG_INDEX, found="no number", wanted="a log index")
        return Reply(200, (JSON,), await parts.proof.inclusion(int(text)))

    return (Route("GET", "/v1/receipts/{}", proof),)
