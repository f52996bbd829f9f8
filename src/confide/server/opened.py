"""What an opened request becomes: an ASGI scope for the one target there is, or an error inside that says nothing of a bug.

Left to others: opening (`sealed`, `streaming`), answering (`inner`).
"""

import logging
from pathlib import Path
from urllib.parse import unquote_to_bytes

from confide.codes import Code
from confide.seal import bhttp
from confide.seal.bhttp_stream import RequestHead
from confide.seal.ohttp import INNER_AUTHORITY
from confide.server import NodeError
from confide.server.asgi import Scope
from confide.server.channel import EXTENSION, Channel

SCHEME = b"https"  # RFC 9458 section 4: the inner request looks like one to an HTTPS target
log = logging.getLogger("confide.node")


def require_target(request: bhttp.Request | RequestHead) -> None:
    """Whoever leaks an inner request to a real host by mistake must reach nothing; so the node takes this one target only."""
    if request.scheme != SCHEME or request.authority != INNER_AUTHORITY:
        raise NodeError(Code.NODE_AUTHORITY, found="another target", wanted=f"https://{INNER_AUTHORITY.decode()}")


def inner_scope(request: bhttp.Request | RequestHead, channel: Channel) -> Scope:
    """The scope of the inner application, with the channel object that opens its routes."""
    raw_path, _, query = request.path.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method.decode("latin-1"),
        "scheme": "https",
        "path": (unquote_to_bytes(raw_path) if b"%" in raw_path else raw_path).decode("utf-8", "replace"),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": list(request.headers),
        "client": None,
        "server": None,
        "extensions": {EXTENSION: channel},
    }


def internal(error: Exception) -> NodeError:
    """What the client hears of a bug: its code. What the operator hears: type and place."""
    log.error("node.internal: %s", describe(error))
    return NodeError(Code.NODE_INTERNAL)


def describe(error: BaseException) -> str:
    """Type and place of an error, for the operator: never its message, which may quote content."""
    place, trace = "unknown place", error.__traceback__
    while trace is not None:
        place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__} at {place}"
