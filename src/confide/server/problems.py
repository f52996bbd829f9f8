"""Errors, in the two forms that exist: coarse problem details outside the seal, exact errors inside.

Outside (RFC 9457) anybody reads: a fixed text per cause, never a value of the request, and one answer for every way in which
decapsulation fails (RFC 9458 section 5.3). Inside, only the client reads: the error's code, what was found, what was wanted.
"""

from confide.codes import Code
from confide.errors import ConfideError
from confide.formats import strictjson
from confide.server.asgi import Reply

OHTTP_KEY = "https://iana.org/assignments/http-problem-types#ohttp-key"  # RFC 9458 section 5.3
_PROBLEM = ((b"content-type", b"application/problem+json"), (b"cache-control", b"no-store"))
_JSON = ((b"content-type", b"application/json"),)

STATUS: dict[Code, int] = {
    Code.NODE_BAD_REQUEST: 400,
    Code.NODE_UNSEALED: 403,
    Code.NODE_ROUTE: 404,
    Code.NODE_UNKNOWN_MODEL: 404,
    Code.LOG_INDEX: 404,
    Code.LOG_PENDING: 503,
    Code.NODE_METHOD: 405,
    Code.NODE_TOO_SLOW: 408,
    Code.NODE_MODEL_DIGEST: 409,
    Code.NODE_TOO_LARGE: 413,
    Code.NODE_MEDIA_TYPE: 415,
    Code.NODE_AUTHORITY: 421,
    Code.NODE_TASK: 422,
    Code.NODE_BUSY: 429,
    Code.NODE_INTERNAL: 500,
    Code.NODE_STARTING: 503,
    Code.NODE_DRAINING: 503,
    Code.NODE_TIMEOUT: 504,
    Code.GUEST_NONCE: 400,
    Code.GUEST_BUSY: 503,
    Code.GUEST_QUOTE: 503,
    Code.OHTTP_REPLAYED: 409,
    Code.OHTTP_REPLAY_STORE_FULL: 503,
    Code.ENGINE_UNKNOWN_MODEL: 404,
    Code.ENGINE_BUSY: 429,
    Code.ENGINE_FAILED: 500,
    Code.ENGINE_WORKER_DIED: 503,
    Code.ENGINE_STOPPED: 503,
    Code.ENGINE_TIMEOUT: 504,
}
_CLOSING = {Code.NODE_TOO_LARGE, Code.NODE_TOO_SLOW, Code.NODE_BUSY, Code.NODE_MEDIA_TYPE, Code.NODE_BAD_REQUEST}
_RETRY = {429, 503}


def status_of(error: ConfideError) -> int:
    """The HTTP status of an error, inside or outside. What is not listed is the request's own fault."""
    return STATUS.get(error.code, 400)


def outside(code: Code, *, type_uri: str = "about:blank", status: int | None = None) -> Reply:
    """The fixed problem details of a code: its meaning, and nothing about this request."""
    status = status or STATUS.get(code, 400)
    body = {"type": type_uri, "title": code.meaning, "status": status, "code": code.value}
    headers = _PROBLEM + (((b"retry-after", b"1"),) if status in _RETRY else ())
    if code in _CLOSING:  # a body that was not read must not keep the connection
        headers += ((b"connection", b"close"),)
    return Reply(status, headers, strictjson.dumps(body))


def inside(error: ConfideError) -> Reply:
    """The exact error, for the client alone."""
    return Reply(status_of(error), _JSON, strictjson.dumps({"error": error.as_dict()}))
