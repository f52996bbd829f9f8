"""Where evidence comes from: a live node, asked with a fresh nonce, or a bundle saved to a file. Unverified bytes, bounded."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from confide.attest.document import MAX_DOCUMENT, MEDIA_TYPE
from confide.client.files import read_file
from confide.client.flow import Flow, drive, get
from confide.client.patience import NOT_TAKING, NotTakenError, Tries, patiently
from confide.client.transport import HttpTransport, Transport
from confide.codes import Code
from confide.errors import TransportError

PATH = "/.well-known/confide/evidence"
NONCE_SIZE = 32
BUNDLE = "bundle.json"


@dataclass(frozen=True)
class Obtained:
    """An evidence document and the nonce it was asked with; no nonce for a file."""

    document: bytes = field(repr=False)
    nonce: bytes | None = field(repr=False)


def from_node(transport: Transport) -> Obtained:
    """`GET /.well-known/confide/evidence?nonce=` with 32 fresh random bytes."""
    return drive(evidence(Tries(0.0, repeatable=False)), transport)


def evidence(tries: Tries) -> Flow[Obtained]:
    """The document of a node that may be busy or about to be there."""
    while True:
        try:
            return (yield from _asked())
        except TransportError as error:
            yield from patiently(tries, error)


def _asked() -> Flow[Obtained]:
    nonce = secrets.token_bytes(NONCE_SIZE)
    reply = yield from get(f"{PATH}?nonce={nonce.hex()}", limit=MAX_DOCUMENT)
    if reply.status in NOT_TAKING:
        hint = "the node is full or not ready: wait a moment and retry"
        raise NotTakenError(Code.TRANSPORT_STATUS, found=f"HTTP {reply.status}", wanted="evidence", hint=hint)
    if reply.status != 200:
        hint = "is this the address of a confide node?" if reply.status == 404 else ""
        raise TransportError(Code.TRANSPORT_STATUS, found=f"HTTP {reply.status}", wanted="evidence", hint=hint)
    if reply.media_type != MEDIA_TYPE:
        found = reply.media_type[:60] or "no media type"
        raise TransportError(Code.TRANSPORT_STATUS, found=found, wanted=MEDIA_TYPE, hint="is this the address of a confide node?")
    return Obtained(reply.content, nonce)


def from_file(path: Path) -> Obtained:
    """A bundle: the same document, read from a file, or from a folder in which `confide run --save` kept one."""
    return Obtained(read_file(path / BUNDLE if path.is_dir() else path, limit=MAX_DOCUMENT), None)


def is_url(source: str) -> bool:
    """Whether the caller means a node rather than a file."""
    return source.startswith(("http://", "https://"))


def obtain(source: str, *, timeout: float = 60.0) -> Obtained:
    """From the node at a URL, or from a bundle file."""
    if not is_url(source):
        return from_file(Path(source))
    transport = HttpTransport(source, timeout=timeout)
    try:
        return from_node(transport)
    finally:
        transport.close()
