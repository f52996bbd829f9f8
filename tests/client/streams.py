"""A node that holds the attested keys and streams what a test says: honest or not, whole or cut."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from tests.client.nodes import Place

from confide.client.transport import Body, HttpTransport, Incoming, Outgoing
from confide.codes import Code
from confide.errors import TransportError
from confide.receipt.commit import Hashed
from confide.receipt.deliver import to_trailers
from confide.receipt.issue import issue
from confide.receipt.model import COMPLETED, EngineRef, ModelRef
from confide.seal import bhttp
from confide.seal.bhttp_stream import ResponseReader
from confide.seal.bhttp_write import CONTENT_END, encode_content, encode_end, encode_response_head
from confide.seal.chunked import OHTTP_CHUNKED_RESPONSE, ChunkedResponseSealer
from confide.seal.ohttp import Gateway

NDJSON = ((b"content-type", b"application/x-ndjson"),)
CUT = object()  # in the place of a piece: the connection breaks


@dataclass
class Given:
    """An answer that is at hand. `pieces` may hold `CUT`."""

    pieces: Iterator[Any]
    status: int = 200
    media_type: str = OHTTP_CHUNKED_RESPONSE
    closed: bool = False

    def read(self) -> bytes:
        piece = next(self.pieces, b"")
        if piece is CUT:
            raise TransportError(Code.TRANSPORT_BROKEN, found="RemoteProtocolError", wanted="a complete answer")
        return bytes(piece)

    def close(self) -> None:
        self.closed = True


@dataclass
class Said:
    """What the node makes an answer of.

    Attributes:
        lies: members of the receipt that are not as they should be; None for no receipt at all.
        wire: from the honest pieces on the wire to those that arrive.
    """

    lines: Iterable[Any] = ()
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = NDJSON
    lies: Mapping[str, Any] | None = field(default_factory=dict)
    wire: Callable[[list[bytes]], Iterable[Any]] = list
    message_end: bytes | None = None  # in the place of content end and trailers


class Streaming(HttpTransport):
    """Evidence from the real node; chunked requests are opened with the node's own keys and answered as `said`."""

    def __init__(self, here: Place, *said: Said | Given) -> None:
        super().__init__(here.url)
        node = here.node.node
        assert node is not None
        self.here, self.node, self.gateway, self.said = here, node, Gateway(node.key_store), list(said)
        self.requests: list[bhttp.Request] = []
        self.given: list[Given] = []
        self.sent: list[int] = []  # sizes of the pieces of request bodies

    def begin(self, path: str, body: Body, *, headers: Mapping[str, str]) -> Incoming:  # noqa: ARG002
        pieces = list(body.pieces()) if isinstance(body, Outgoing) else [body]
        self.sent += map(len, pieces)
        said = self.said.pop(0) if len(self.said) > 1 else self.said[0]
        if isinstance(said, Given):
            self.given.append(said)
            return said
        opener = self.gateway.open_chunked()
        message = b"".join((*opener.feed(b"".join(pieces)), opener.close()))
        assert opener.sealer is not None
        assert opener.encapsulation is not None
        self.requests.append(bhttp.decode_request(message))
        members = {"key_config": opener.encapsulation.key_config.raw, "enc": opener.encapsulation.enc, "request": message}
        self.given.append(Given(iter(said.wire(list(self._sealed(said, opener.sealer, members))))))
        return self.given[-1]

    def _sealed(self, said: Said, sealer: ChunkedResponseSealer, members: dict[str, Any]) -> Iterator[bytes]:
        """The nonce and the head, a chunk for each line, the rest."""
        reader = ResponseReader()
        head = encode_response_head(said.status, said.headers)
        reader.feed(head)
        yield sealer.write(head)
        for line in said.lines:
            piece = encode_content(line if isinstance(line, bytes) else msgspec.json.encode(line) + b"\n")
            reader.feed(piece)
            yield sealer.write(piece)
        reader.feed(CONTENT_END)
        end = CONTENT_END + encode_end(self._trailers(said, reader, members)) if said.message_end is None else said.message_end
        yield sealer.finish(end)

    def _trailers(self, said: Said, reader: ResponseReader, members: dict[str, Any]) -> Any:
        if said.lies is None:
            return ()
        node = self.node
        honest = {
            "key": node.keys.receipt,
            "keyset_digest": node.keyset.digest,
            "response": Hashed(reader.digest),
            "model": ModelRef("encoder", self.here.policy.models["encoder"][0], {}),
            "engine": EngineRef("test", "1", bytes(32)),
            "software_digest": node.keyset.software_digest,
            "parameters": {},
            "outcome": COMPLETED,
            "log_index": 0,
            "issued_at": datetime.now(UTC).replace(microsecond=0),
        }
        return to_trailers(issue(**{**members, **honest, **said.lies}))
