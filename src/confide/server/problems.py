"""Errors, in the two forms that exist: coarse problem details outside the seal, exact errors inside.

Outside (RFC 9457) anybody reads: a fixed text per cause, never a value of the request, and one answer for every way in which
decapsulation fails (RFC 9458 section 5.3). Inside, only the client reads: the error's code, what was found, what was wanted.
"""

from confide.codes import Code
from confide.errors import ConfideError
from confide.formats import strictjson
from confide.seal.problems import PROBLEM_OTHER
from confide.server.asgi import Reply

_PROBLEM = ((b"content-type", b"application/problem+json"), (b"cache-control", b"no-store"))
_JSON = ((b"content-type", b"application/json"),)

STATUS: dict[Code, int] = {
    Code.NODE_BAD_REQUEST: 400,
    Code.OHTTP_TRUNCATED: 400,
    Code.NODE_UNSEALED: 403,
    Code.NODE_ROUTE: 404,
    Code.NODE_UNKNOWN_MODEL: 404,
    Code.LOG_INDEX: 404,
    Code.LOG_PENDING: 503,
    Code.LOG_CLOSED: 503,
    Code.LOG_UNKNOWN: 404,
    Code.LOG_STORAGE: 503,
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
    Code.NODE_EXPIRED: 503,
    Code.NODE_SPENT: 503,
    Code.NODE_ROTATION: 503,
    Code.NODE_TIMEOUT: 504,
    Code.GUEST_NONCE: 400,
    Code.GUEST_KEYSET: 404,
    Code.GUEST_BUSY: 503,
    Code.GUEST_QUOTE: 503,
    Code.ADMISSION_OLDER: 409,
    Code.OHTTP_DECAPSULATION: 422,
    Code.OHTTP_REPLAYED: 409,
    Code.OHTTP_REPLAY_STORE_FULL: 503,
    Code.NODE_OWNER: 401,
    Code.OWNER_QUOTA: 429,
    Code.OWNER_PACKAGE: 404,
    Code.UPLOAD_OFF: 404,
    Code.UPLOAD_UNKNOWN: 404,
    Code.UPLOAD_OFFSET: 409,
    Code.UPLOAD_COMPLETED: 409,
    Code.UPLOAD_SUPERSEDED: 409,
    Code.UPLOAD_EXPIRED: 408,
    Code.UPLOAD_IDEMPOTENCY: 422,
    Code.UPLOAD_STORAGE: 507,
    Code.ALIAS_UNKNOWN: 404,
    Code.ALIAS_TAKEN: 409,
    Code.ENGINE_UNKNOWN_MODEL: 404,
    Code.ENGINE_BUSY: 429,
    Code.ENGINE_FAILED: 500,
    Code.ENGINE_WORKER_DIED: 503,
    Code.ENGINE_STOPPED: 503,
    Code.ENGINE_TIMEOUT: 504,
}
_FOR_STRANGERS = {
    Code.NODE_BAD_REQUEST,
    Code.NODE_UNSEALED,
    Code.NODE_ROUTE,
    Code.NODE_METHOD,
    Code.NODE_TOO_SLOW,
    Code.NODE_TOO_LARGE,
    Code.NODE_MEDIA_TYPE,
    Code.NODE_BUSY,
    Code.NODE_INTERNAL,
    Code.NODE_STARTING,
    Code.NODE_DRAINING,
    Code.NODE_EXPIRED,
    Code.NODE_SPENT,
    Code.LOG_STORAGE,
    Code.NODE_ROTATION,
    Code.GUEST_NONCE,
    Code.GUEST_KEYSET,
    Code.GUEST_BUSY,
    Code.GUEST_QUOTE,
    Code.OHTTP_DECAPSULATION,
    Code.OHTTP_TRUNCATED,
}
_CLOSING = {Code.NODE_TOO_LARGE, Code.NODE_TOO_SLOW, Code.NODE_BUSY, Code.NODE_MEDIA_TYPE, Code.NODE_BAD_REQUEST}
_RETRY = {429, 503}


def status_of(error: ConfideError) -> int:
    """The HTTP status of an error, inside or outside. What is not listed is the request's own fault."""
    return STATUS.get(error.code, 400)


def outside(code: Code, *, type_uri: str = PROBLEM_OTHER) -> Reply:
    """The fixed problem details of a code: its meaning, and nothing of this request. A code that is not for strangers is a 500."""
    code = code if code in _FOR_STRANGERS else Code.NODE_INTERNAL
    status = STATUS[code]
    body = {"type": type_uri, "title": code.meaning, "status": status, "code": code.value}
    headers = _PROBLEM + (((b"retry-after", b"1"),) if status in _RETRY else ())
    if code in _CLOSING:  # a body that was not read must not keep the connection
        headers += ((b"connection", b"close"),)
    return Reply(status, headers, strictjson.dumps(body))


def inside(error: ConfideError) -> Reply:
    """The exact error, for the client alone."""
    return Reply(status_of(error), _JSON, strictjson.dumps({"error": error.as_dict()}))
