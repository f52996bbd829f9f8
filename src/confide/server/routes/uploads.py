"""Uploads. Field names and meanings follow draft-ietf-httpbis-resumable-upload (spec/12-uploads.md).

    POST   /v1/uploads              announce: digest, alias, visibility, Upload-Length, Idempotency-Key
    HEAD   /v1/uploads/{id}         Upload-Offset, Upload-Length, Upload-Complete; GET the same as JSON
    PATCH  /v1/uploads/{id}         bytes from Upload-Offset on; Upload-Complete: ?1 with the last ones, or after them
    DELETE /v1/uploads/{id}         give it up

Left to others: what happens with the bytes (`server.uploads`), who is an owner (`server.owners`).
"""

import re
from typing import Annotated, Any

import msgspec

from confide.codes import Code
from confide.errors import ConfideError
from confide.formats.fields import Hex32
from confide.server import NodeError
from confide.server.asgi import JSON, Headers, Reply, header, json_body, media_type
from confide.server.models import Served, Visibility
from confide.server.parts import Parts
from confide.server.problems import inside
from confide.server.routing import Call, Route
from confide.server.uploads import State, Upload, Uploads, Wanted

PARTIAL = b"application/partial-upload"
MAX_BODY = 4096
_encode = msgspec.json.Encoder().encode
_NUMBER = re.compile(rb"(0|[1-9][0-9]{0,14})\Z")  # an sf-integer that is not negative (RFC 9651 section 3.3.1), one spelling
_KEY = re.compile(rb"[\x21-\x7e]{1,128}\Z")
_BOOLEANS = {b"?0": False, b"?1": True}  # RFC 9651 section 3.3.6


class Announcement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/uploads`."""

    digest: Hex32
    alias: Annotated[str, msgspec.Meta(max_length=64)]
    visibility: Visibility = Visibility.OWNER


def routes(parts: Parts) -> tuple[Route, ...]:
    """The routes of this module."""
    owners, uploads = parts.owners, parts.uploads

    async def create(call: Call) -> Reply:
        owner = owners.require(call.scope)
        length, key = _number(call, b"upload-length"), _key(call)
        asked = await json_body(call.scope, call.receive, Announcement, limit=MAX_BODY)
        wanted = Wanted(bytes.fromhex(asked.digest), asked.alias, length, asked.visibility)
        upload = await uploads.create(owner, wanted, key=key)
        _name(call, upload.result)
        headers = (*_fields(upload), (b"location", b"/v1/uploads/" + upload.id.encode()), _limit(uploads))
        return Reply(201, (JSON, *headers), _told(upload))

    async def head(call: Call) -> Reply:
        upload = uploads.find(owners.require(call.scope), call.names[0])
        await uploads.offset(upload)
        return Reply(204, (*_fields(upload), _limit(uploads)), b"")

    async def look(call: Call) -> Reply:
        upload = uploads.find(owners.require(call.scope), call.names[0])
        return Reply(200, (JSON, *_fields(upload)), _told(upload))

    async def append(call: Call) -> Reply:
        upload = uploads.find(owners.require(call.scope), call.names[0])
        if media_type(call.scope) != PARTIAL:
            raise NodeError(Code.NODE_MEDIA_TYPE, found="another content-type", wanted=PARTIAL.decode())
        offset, complete = _number(call, b"upload-offset"), _boolean(call, b"upload-complete")
        try:
            await uploads.append(upload, offset=offset, pieces=call.pieces())
            result = await uploads.complete(upload) if complete else None
        except ConfideError as error:
            call.channel.refused(error.code)
            refusal = inside(error)
            return Reply(refusal.status, (*refusal.headers, *_fields(upload)), refusal.body)
        _name(call, result)
        waits = complete and result is None
        return Reply(202 if waits else 200, (JSON, *_fields(upload)), _told(upload))

    async def drop(call: Call) -> Reply:
        await uploads.drop(uploads.find(owners.require(call.scope), call.names[0]))
        return Reply(204, (), b"")

    return (
        Route("POST", "/v1/uploads", create),
        Route("HEAD", "/v1/uploads/{}", head),
        Route("GET", "/v1/uploads/{}", look),
        Route("PATCH", "/v1/uploads/{}", append, body_limit=parts.config.uploads.package_bytes),
        Route("DELETE", "/v1/uploads/{}", drop),
    )


def _fields(upload: Upload) -> Headers:
    """Where an upload is, as every answer about it says."""
    return (
        (b"upload-offset", b"%d" % upload.received),
        (b"upload-length", b"%d" % upload.wanted.length),
        (b"upload-complete", b"?1" if upload.state is State.DONE else b"?0"),
        (b"cache-control", b"no-store"),
    )


def _limit(uploads: Uploads) -> tuple[bytes, bytes]:
    return b"upload-limit", b"max-size=%d, max-age=%d" % (uploads.limits.package_bytes, uploads.limits.upload_seconds)


def _told(upload: Upload) -> bytes:
    """The state of an upload, and what came of it."""
    value: dict[str, Any] = {"id": upload.id, "state": upload.state.value, "digest": upload.wanted.digest.hex()}
    if upload.result is not None:
        result = upload.result
        value |= {"alias": result.alias, "version": result.version, "visibility": result.visibility.value}
    if upload.error is not None:
        value["error"] = upload.error.as_dict()
    return _encode(value)


def _name(call: Call, result: Served | None) -> None:
    """The receipt of the answer that says "loaded" names the package, with all its parts."""
    if result is not None:
        call.channel.model = result


def _number(call: Call, name: bytes) -> int:
    value = header(call.scope, name)
    if value is None or not _NUMBER.match(value):
        raise NodeError(Code.UPLOAD_FIELD, found=f"{name.decode()}: {'none' if value is None else 'no number'}", wanted="a number")
    return int(value)


def _boolean(call: Call, name: bytes) -> bool:
    value = header(call.scope, name)
    if value not in _BOOLEANS:
        raise NodeError(
            Code.UPLOAD_FIELD, found=f"{name.decode()}: {'none' if value is None else 'no truth value'}", wanted="?0 or ?1"
        )
    return _BOOLEANS[value]


def _key(call: Call) -> bytes:
    value = header(call.scope, b"idempotency-key")
    if value is None or not _KEY.match(value):
        raise NodeError(Code.UPLOAD_FIELD, found="no idempotency-key", wanted="1 to 128 printable characters, new for each upload")
    return value
