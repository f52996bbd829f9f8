"""One chunked exchange (spec/08-channel.md): a request that may be sent as it is made, an answer that is read as it comes.

    begin() -> head        read() -> content, ..., b"" at the end        shut() in any case

Each piece of content that comes out was authentic and in its place. That there are no more of them is known, and the receipt
checked, only when `read` has returned nothing: a stream that ends in another way raises, `ohttp.truncated` where it was cut, and is
no answer. Memory holds a chunk and a piece, however long the streams are, unless the caller asks to keep what a receipt commits to.

Left to others: the whole exchange in one piece (`exchange`), what the content means (`items`, `relay`), sending again (`core`).
"""

import hashlib
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator

from confide.client.exchange import MAX_SEALED, PATH, Exchanged, outer_headers, require_sealed
from confide.client.flow import Flow, begin, read, shut
from confide.client.session import Attested
from confide.client.transport import AsyncIncoming, Incoming, Outgoing, Reply
from confide.codes import Code
from confide.errors import ChannelError, MisuseError, TransportError
from confide.receipt.check import check_receipt
from confide.receipt.commit import Hashed, Salts
from confide.receipt.deliver import from_trailers
from confide.receipt.model import Receipt
from confide.seal import bhttp
from confide.seal.bhttp_stream import Content, End, RequestHead, ResponseHead, ResponseReader
from confide.seal.bhttp_write import CONTENT_END, encode_content, encode_end, encode_request_head
from confide.seal.chunked import OHTTP_CHUNKED_REQUEST, OHTTP_CHUNKED_RESPONSE, ChunkedRequestSealer
from confide.seal.padding import bucket
from confide.seal.stream import MAX_CHUNK

MAX_STREAM = 1 << 40  # bytes of one answer; it is never held
MAX_OUTER = 64 << 10  # bytes of an answer outside the seal, which is an error
LINGER = 1.0  # seconds that a piece of a request may wait for more of its chunk
Source = Iterable[bytes] | AsyncIterable[bytes]


class RequestEncoder:
    """Binary HTTP of indeterminate length, sealed in whole chunks: their sizes tell nothing of the pieces they were made from."""

    def __init__(self, sealer: ChunkedRequestSealer, head: RequestHead, *, keep: bool) -> None:
        self._sealer = sealer
        self._hash = hashlib.sha256()
        self._kept: list[bytes] | None = [] if keep else None
        self._waiting, self._written = bytearray(), 0
        self._since = time.monotonic()
        self._add(encode_request_head(head))

    @property
    def committed(self) -> bytes | Hashed:
        """The whole inner message, or its hash."""
        return Hashed(self._hash.digest()) if self._kept is None else b"".join(self._kept)

    def write(self, data: bytes) -> bytes:
        """The chunks that this piece of content completes."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise MisuseError(Code.CLIENT_INPUT, found=f"a piece that is a {type(data).__name__}", wanted="bytes")
        self._add(encode_content(bytes(data)))
        now = time.monotonic()
        ready = len(self._waiting) if now - self._since >= LINGER else len(self._waiting) // MAX_CHUNK * MAX_CHUNK
        if not ready:
            return b""
        self._since = now
        out = self._sealer.write(self._waiting[:ready])
        del self._waiting[:ready]
        return out

    def finish(self) -> bytes:
        """The last chunks. Without them nothing that was sent is a request."""
        self._add(CONTENT_END)
        self._add(encode_end(written=self._written, pad_to=bucket))
        rest, self._waiting = self._waiting, bytearray()
        return self._sealer.finish(rest)

    def _add(self, data: bytes) -> None:
        self._hash.update(data)
        self._written += len(data)
        self._waiting += data
        if self._kept is not None:
            self._kept.append(data)


class _Message:
    """A request that is whole already: known length, padded, sealed at once."""

    def __init__(self, sealer: ChunkedRequestSealer, request: bhttp.Request) -> None:
        self.committed: bytes | Hashed = bhttp.encode_request(request, pad_to=bucket)
        self.body = sealer.finish(self.committed)


class Streamed:
    """One chunked exchange with an attested node.

    Attributes:
        begun: how often it was sent.
        receipt, envelope, salts: once `read` has returned nothing; checked.
    """

    def __init__(
        self,
        attested: Attested,
        request: bhttp.Request,
        source: Source | None = None,
        *,
        models: tuple[bytes, ...] | None,
        keep: bool = False,
    ) -> None:
        """`source`: the content, in the place of the request's own."""
        started = time.perf_counter()
        self.attested, self._models = attested, models
        self._sealer = ChunkedRequestSealer(attested.key)
        self._headers = outer_headers(OHTTP_CHUNKED_REQUEST, OHTTP_CHUNKED_RESPONSE, self._sealer.request_id)
        self._headers["incremental"] = "?1"
        self._request: RequestEncoder | _Message
        if source is None:
            self._request = _Message(self._sealer, request)
            self._body: bytes | Outgoing = self._request.body
        else:
            head = RequestHead(request.method, request.scheme, request.authority, request.path, request.headers)
            self._request = RequestEncoder(self._sealer, head, keep=keep)
            self._body = Outgoing(source, self._request)
        self._opener = self._sealer.opener(max_message=MAX_STREAM)
        self._reader = ResponseReader(max_content=MAX_STREAM)
        self._kept: list[bytes] | None = [] if keep else None
        self._pieces: deque[bytes] = deque()
        self._incoming: Incoming | AsyncIncoming | None = None
        self._end: End | None = None
        self.head: ResponseHead | None = None
        self.receipt: Receipt | None = None
        self.envelope: bytes | None = None
        self.salts: bytes | None = None
        self.complete = False
        self.begun = 0
        self._seal, self._network, self._open, self._check = time.perf_counter() - started, 0.0, 0.0, 0.0

    @property
    def untouched(self) -> bool:
        """Nothing of the body left yet, or all of it can leave again: the same bytes may be sent."""
        return not (isinstance(self._body, Outgoing) and self._body.started)

    def begin(self) -> Flow[ResponseHead]:
        """Send the request; the head of the answer. May be called again when it failed and the request is `untouched`.

        Raises:
            KeyChangedError: nothing was opened; re-attest, then seal anew.
            TransportError, ChannelError: there is no answer.
        """
        started = time.perf_counter()
        self.begun += 1
        self._incoming = incoming = yield from begin(PATH, self._body, headers=self._headers)
        self._network += time.perf_counter() - started
        if incoming.status != 200 or incoming.media_type != OHTTP_CHUNKED_RESPONSE:
            content = yield from self._outside(incoming)
            require_sealed(Reply(incoming.status, incoming.media_type, content), OHTTP_CHUNKED_RESPONSE)
        while self.head is None:
            yield from self._pull(incoming)
        return self.head

    def read(self) -> Flow[bytes]:
        """Some content; nothing once the answer is whole and its receipt checked."""
        while not self._pieces:
            if self.complete:
                return b""
            if self._incoming is None or self.head is None:
                raise MisuseError(Code.CLIENT_INPUT, found="a stream that is closed or was not begun", wanted="an open one")
            if self._end is None:
                yield from self._pull(self._incoming)
            else:
                self._conclude(self._end)
        return self._pieces.popleft()

    def collect(self, *, limit: int = MAX_SEALED) -> Flow[Exchanged]:
        """All of the content, at most `limit` bytes, with the receipt checked. Call it before any `read`."""
        pieces: list[bytes] = []
        size = 0
        while piece := (yield from self.read()):
            size += len(piece)
            if size > limit:
                raise ChannelError(Code.BHTTP_LIMIT, found=f"more than {limit} bytes", wanted=f"at most {limit}")
            pieces.append(piece)
        return self.exchanged(b"".join(pieces))

    def peek(self) -> Flow[Exchanged]:
        """A short answer, whole; `read` gives it again."""
        done = yield from self.collect(limit=MAX_OUTER)
        self._pieces.append(done.content)
        return done

    def exchanged(self, content: bytes = b"") -> Exchanged:
        """The exchange, now that it is complete. Its bytes are there where they were kept."""
        if not self.complete or self.head is None:
            raise MisuseError(Code.CLIENT_INPUT, found="a stream that has not ended", wanted="one read to its end")
        trailers = () if self._end is None else self._end.trailers
        return Exchanged(
            attested=self.attested,
            response=bhttp.Response(self.head.status, self.head.headers, content, trailers, self.head.informational),
            receipt=self.receipt,
            envelope=self.envelope,
            request=_bytes_of(self._request.committed),
            committed=None if self._kept is None else _through_content(b"".join(self._kept)),
            salts=self.salts,
            seal=self._seal,
            network=self._network,
            open=self._open,
            check=self._check,
        )

    def shut(self) -> Flow[None]:
        """Give the connection back; before the end, close it, so that the node stops."""
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            yield from shut(incoming)

    def _pull(self, incoming: Incoming | AsyncIncoming) -> Flow[None]:
        """One piece of the network, or its end."""
        started = time.perf_counter()
        try:
            sealed = yield from read(incoming)
        except TransportError as error:
            if error.code is not Code.TRANSPORT_BROKEN or self.head is None:  # before the head it is any lost answer
                raise
            raise ChannelError(Code.OHTTP_TRUNCATED, found="a connection that broke", wanted="a final chunk") from None
        arrived = time.perf_counter()
        if sealed:
            for plaintext in self._opener.feed(sealed):
                self._take(plaintext)
        else:
            self._take(self._opener.close(), last=True)
        self._network += arrived - started
        self._open += time.perf_counter() - arrived

    def _take(self, plaintext: bytes, *, last: bool = False) -> None:
        if self._kept is not None:
            self._kept.append(plaintext)
        events = self._reader.feed(plaintext)
        for event in (*events, *self._reader.close()) if last else events:
            if isinstance(event, Content):
                self._pieces.append(event.data)
            elif isinstance(event, ResponseHead):
                self.head = event
            elif isinstance(event, End):
                self._end = event

    def _conclude(self, end: End) -> None:
        """The final chunk was authentic and the message whole: check the receipt, as `exchange` does."""
        started = time.perf_counter()
        self.envelope, self.salts = from_trailers(end.trailers)
        if self.envelope is not None and self.head is not None:
            self.receipt = check_receipt(
                self.envelope,
                keyset=self.attested.verdict.keyset,
                request=self._request.committed,
                response=Hashed(self._reader.digest),
                salts=Salts.parse(self.salts) if self.salts is not None else None,
                enc=self._sealer.enc,
                key_config=self.attested.key.raw,
                models=self._models,
                succeeded=200 <= self.head.status < 300,
            )
        self.complete = True
        self._check = time.perf_counter() - started

    def _outside(self, incoming: Incoming | AsyncIncoming) -> Flow[bytes]:
        """What somebody answered outside the seal, as far as it matters for an error."""
        content = b""
        while len(content) < MAX_OUTER and (piece := (yield from read(incoming))):
            content += piece
        yield from self.shut()
        return content


def may_restart(source: Source | None) -> bool:
    """Whether a source can be read a second time: a list can, a generator or a file cannot."""
    return not isinstance(source, (Iterator, AsyncIterator))


def _through_content(message: bytes) -> bytes:
    return message[: bhttp.decode_response(message).content_end]


def _bytes_of(committed: bytes | Hashed) -> bytes | None:
    return committed if isinstance(committed, bytes) else None
