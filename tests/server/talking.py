"""One chunked exchange with a node in this process, step by step: what is sent when, and what had come back by then."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.server.running import Inside, Opened, until, with_node

from confide.codes import Code
from confide.errors import ChannelError
from confide.receipt.check import check_receipt
from confide.receipt.commit import Hashed, Salts
from confide.receipt.deliver import from_trailers
from confide.receipt.model import Outcome
from confide.seal.bhttp_stream import Content, End, RequestHead, ResponseHead, ResponseReader
from confide.seal.bhttp_write import CONTENT_END, encode_content, encode_end, encode_request_head
from confide.seal.chunked import OHTTP_CHUNKED_REQUEST, ChunkedRequestSealer
from confide.seal.ohttp import INNER_AUTHORITY
from confide.server.routing import Handler, Route, Router

JSON = ((b"content-type", b"application/json"),)
PIPELINE = "/v1/pipelines/encoder"
LINES = (*JSON, (b"accept", b"application/x-ndjson"))
TEXTS = ["a doctor", "a physician", "a carpenter", "a nurse", "a doctor"]
PLAIN = ((b"content-type", b"text/plain"),)
Message = dict[str, Any]


class Talk:
    """The client's end. `received` are the chunks that could be opened so far."""

    def __init__(self, node: Inside, *, slow: bool = False) -> None:
        self.node = node
        self.sealer = ChunkedRequestSealer(node.key)
        self.message = b""  # the inner request as sent
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.received: list[bytes] = []
        self.body = b""  # the outer answer's body
        self.ended = False  # the outer answer is whole
        self.reading = asyncio.Event()
        if not slow:
            self.reading.set()
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._opener = self.sealer.opener()
        self.task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http", "path": "/ohttp",
            "raw_path": b"/ohttp", "query_string": b"", "root_path": "", "client": None, "server": None,
            "headers": [(b"content-type", OHTTP_CHUNKED_REQUEST.encode())],
        }  # fmt: skip
        await self.node.node.app(scope, self._incoming.get, self._send)

    async def _send(self, message: Any) -> None:
        await self.reading.wait()
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
            return
        self.body += message["body"]
        self.ended = not message.get("more_body", False)
        if self.status == 200:
            self.received += self._opener.feed(message["body"])

    def outer(self, data: bytes, *, last: bool = False) -> None:
        """Bytes of the outer request's body."""
        self._incoming.put_nowait({"type": "http.request", "body": data, "more_body": not last})

    def leave(self) -> None:
        """The client is gone."""
        self._incoming.put_nowait({"type": "http.disconnect"})

    def inner(self, data: bytes) -> None:
        """Bytes of the inner request, as a chunk of their own."""
        self.message += data
        self.outer(self.sealer.write(data))

    def head(self, method: str, path: str, headers: tuple[tuple[bytes, bytes], ...] = JSON) -> None:
        """Control data and headers."""
        self.inner(encode_request_head(RequestHead(method.encode(), b"https", INNER_AUTHORITY, path.encode(), headers)))

    def content(self, data: bytes) -> None:
        """Some content."""
        self.inner(encode_content(data))

    def end(self) -> None:
        """The rest of the request, with the final chunk."""
        rest = CONTENT_END + encode_end()
        self.message += rest
        self.outer(self.sealer.finish(rest), last=True)

    def ask(self, method: str, path: str, body: bytes, headers: tuple[tuple[bytes, bytes], ...] = JSON) -> None:
        """A whole request in three chunks."""
        self.head(method, path, headers)
        for piece in (body[: len(body) // 2], body[len(body) // 2 :]):
            if piece:
                self.content(piece)
        self.end()

    async def until(self, condition: Callable[["Talk"], bool]) -> None:
        """Give way until it holds."""
        await until(lambda: condition(self))

    async def answer(self) -> Opened:
        """The whole answer, its end demanded and its receipt checked."""
        await self.task
        reader = ResponseReader()
        events = [event for chunk in (*self.received, self._opener.close()) for event in reader.feed(chunk)] + reader.close()
        (head,) = (event for event in events if isinstance(event, ResponseHead))
        (end,) = (event for event in events if isinstance(event, End))
        content = b"".join(event.data for event in events if isinstance(event, Content))
        envelope, salts = from_trailers(end.trailers)
        receipt = None
        if envelope is not None:
            receipt = check_receipt(
                envelope,
                keyset=self.node.node.keyset,
                request=self.message,
                response=Hashed(reader.digest),
                salts=Salts.parse(salts) if salts else None,
                enc=self.sealer.enc,
                key_config=self.node.key.raw,
                models=None,
                succeeded=200 <= head.status < 300,
            )
        return Opened(head.status, dict(head.headers), content, receipt, envelope)

    def lines(self) -> bytes:
        """The content that has come so far."""
        reader = ResponseReader()
        events = [event for chunk in self.received for event in reader.feed(chunk)]
        return b"".join(event.data for event in events if isinstance(event, Content))


Step = Callable[[Inside], Awaitable[None]]


def add(node: Inside, handler: Handler, *, body_limit: int | None = None) -> None:
    """`POST /test` beside the node's own routes."""
    node.node.inner.router = Router([*node.node.inner.router.routes, Route("POST", "/test", handler, body_limit)])


def outcomes(node: Inside) -> list[Outcome]:
    """How the exchanges ended, as their receipts in the log say."""
    found: list[Outcome] = []
    original = node.node.proof.trailers

    def trailers(channel: Any, **content: Any) -> Any:
        found.append(channel.outcome)
        return original(channel, **content)

    node.node.proof.trailers = trailers  # type: ignore[method-assign] # looks on, changes nothing
    return found


def streaming(test: Callable[[Inside], Awaitable[None]], **flags: Any) -> None:
    with_node(test, **{"coalesce_ms": 0, **flags})


def truncated(talk: Talk) -> bool:
    """Whether the client's end refuses to take the answer for whole."""
    try:
        talk._opener.close()
    except ChannelError as error:
        return error.code in {Code.OHTTP_TRUNCATED, Code.OHTTP_CHUNK}
    return False
