"""httpx transports: any SDK that is built on httpx asks a verified node, unchanged.

    httpx.Client(transport=confide.transport("https://node.example", policy="policy.toml"))

1. The target must be the node's own address, or `enclave.invalid`, which leads nowhere if a request ever went around this module.
2. What belongs to a connection stays outside; every other header, credentials too, travels inside the seal.
3. A JSON body that names a model makes its digest, by the policy, part of the request; the receipt must name it.
4. The answer comes whole and proven, or as a stream whose last read raises unless it was complete and proven.
5. Failures of the network are httpx's exceptions, so that an SDK may try again, through the seal like the first time. Everything
   that verification has against the node, the channel or the receipt is raised as our own error: no SDK mistakes it for weather.

`response.extensions["confide"]` is a `Proven`. Left to others: all that is above (`core`, `streaming`).
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from confide.client.answer import Record
from confide.client.core import DIGEST_HEADER, Asked, Core, asked
from confide.client.exchange import Exchanged
from confide.client.files import write_file
from confide.client.flow import Flow
from confide.client.loading import load
from confide.client.node import DEFAULT_STATE, Node, prepare
from confide.client.patience import PATIENCE
from confide.client.session import utc_now
from confide.client.streaming import Streamed
from confide.client.transport import CONNECTIONS, MAX_SECONDS, HttpTransport, Timeouts, Transport, require_url
from confide.codes import Code
from confide.errors import MisuseError, TransportError
from confide.formats import dsse, strictjson
from confide.policy.model import Policy
from confide.policy.verdict import Verdict
from confide.receipt.model import Receipt
from confide.seal.fields import Fields
from confide.seal.ohttp import INNER_AUTHORITY

MAX_BODY = 64 << 20  # bytes of a body that is looked into
RUNS = (
    b"/v1/embeddings",
    b"/v1/chat/completions",
    b"/v1/completions",
    b"/v1/rerank",
    b"/v1/audio/",
)  # what these run is named inside
PIPELINES = b"/v1/pipelines/"
STREAMS = (b"text/event-stream", b"application/x-ndjson")
_KEPT_OUTSIDE = frozenset(
    (
        *(b"connection", b"keep-alive", b"proxy-connection", b"proxy-authorization", b"transfer-encoding", b"te", b"trailer"),
        *(b"upgrade", b"expect", b"host", b"content-length", b"accept-encoding", DIGEST_HEADER),
    )
)


class Proven:
    """What was verified about one answer. Of a stream, the receipt is there after its last byte."""

    def __init__(self, core: Core, verdict: Verdict, exchanged: Callable[[], Exchanged]) -> None:
        self._core, self._exchanged = core, exchanged
        self.verdict = verdict

    @property
    def exchanged(self) -> Exchanged:
        """The exchange, for `Node.complete` and its like; `client.input` before a stream has ended."""
        return self._exchanged()

    @property
    def receipt(self) -> Receipt | None:
        """Checked; None only where the policy does not require one."""
        return self.exchanged.receipt

    @property
    def record(self) -> Record:
        """The exact bytes that prove the answer later."""
        return self._core.record(self.exchanged)

    def save(self, folder: str | Path) -> Path:
        """Write them for `confide receipt verify`; readable by the owner only."""
        for name, data in self.record.files().items():
            write_file(Path(folder) / name, data)
        return Path(folder)


@dataclass(frozen=True)
class Target:
    """Which requests are for the node."""

    url: httpx.URL

    def path(self, url: httpx.URL) -> bytes:
        """The inner path of a request; `client.target` where it is for somebody else."""
        path = url.raw_path
        if url.host == INNER_AUTHORITY.decode():
            return path
        prefix = self.url.raw_path.rstrip(b"/")
        same = (url.scheme, url.host, _port(url)) == (self.url.scheme, self.url.host, _port(self.url))
        if not same or not path.startswith(prefix + b"/"):
            wanted = f"{self.url} or https://{INNER_AUTHORITY.decode()}"
            raise MisuseError(Code.CLIENT_TARGET, found=f"{url.scheme}://{url.host[:64]}", wanted=wanted)
        return path[len(prefix) :]


class Relay:
    """What both twins share: from an httpx request to flows, and from what they return to an httpx response."""

    def __init__(self, url: str, core: Core, *, keep: bool) -> None:
        self._target = Target(httpx.URL(require_url(url)))
        self.core, self._keep = core, keep

    def ask(self, request: httpx.Request, body: Any) -> Asked:
        """Steps 1 to 3. `body`: all of it, or its pieces."""
        path = self._target.path(request.url)
        headers = _inner(request)
        model = _model(request, path, body)
        return asked(request.method, path, headers=headers, content=body, model=model)

    def whole(self, request: Asked) -> Flow[Exchanged]:
        """An answer in one piece."""
        return self.core.request(
            request.method, request.path, headers=request.headers, content=request.content, model=request.model
        )

    def response(self, done: Exchanged) -> httpx.Response:
        """Step 4, whole."""
        proven = Proven(self.core, done.attested.verdict, lambda: done)
        return httpx.Response(
            done.status, headers=_outer(done.headers), stream=httpx.ByteStream(done.content), extensions={"confide": proven}
        )

    def begun(self, stream: Streamed, body: httpx.SyncByteStream | httpx.AsyncByteStream) -> httpx.Response:
        """Step 4, as it comes."""
        head = stream.head
        if head is None:
            raise MisuseError(Code.CLIENT_INPUT, found="no answer", wanted="a stream that was begun")
        proven = Proven(self.core, stream.attested.verdict, stream.exchanged)
        return httpx.Response(head.status, headers=_outer(head.headers), stream=body, extensions={"confide": proven})

    def open_stream(self, request: Asked) -> Flow[Streamed]:
        """An answer that has begun."""
        return self.core.open_stream(request, keep=self._keep)

    def following(self, stream: Streamed) -> Flow[bytes]:
        """More of it; nothing when it was complete, and proven where the policy wants that."""
        piece = yield from stream.read()
        if not piece:
            yield from self.core.prove(stream.exchanged())
        return piece


class RelayTransport(httpx.BaseTransport):
    """An httpx transport to one verified node. Made by `confide.transport`. Verifies with the first request."""

    def __init__(self, url: str, node: Node, transport: Transport, *, keep: bool) -> None:
        self.node, self._transport = node, transport
        self._relay = Relay(url, node.core, keep=keep)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Seal, send, open, check."""
        body = _bounded(request.stream) if is_whole(request) else _pieces(request.stream)
        ask = self._relay.ask(request, body)
        node = Node(_within(self._transport, request), self._relay.core)
        with as_httpx(request):
            if isinstance(body, bytes) and not wants_stream(request, body):
                return self._relay.response(node.drive(self._relay.whole(ask)))
            stream = node.drive(self._relay.open_stream(ask))
        return self._relay.begun(stream, _Body(self._relay, stream, node, request))

    def close(self) -> None:
        """Close the connections."""
        self.node.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, relay: Relay, stream: Streamed, node: Node, request: httpx.Request) -> None:
        self._relay, self._stream, self._node, self._request = relay, stream, node, request

    def __iter__(self) -> Iterator[bytes]:
        with as_httpx(self._request):
            while piece := self._node.drive(self._relay.following(self._stream)):
                yield piece

    def close(self) -> None:
        self._node.drive(self._stream.shut())


def transport(
    url: str,
    policy: str | Path | Policy,
    *,
    policy_signers: Sequence[dsse.PublicKey] = (),
    timeout: float | Timeouts = 60.0,
    patience: float = PATIENCE,
    connections: int = CONNECTIONS,
    state: Path | str | None = DEFAULT_STATE,
    keep: bool = False,
    transport: Transport | None = None,
    now: Callable[[], datetime] = utc_now,
) -> RelayTransport:
    """An httpx transport to the node at `url`, verified against `policy` before anything is sent: `httpx.Client(transport=...)`.

    Arguments as of `connect`; httpx's own timeouts, where set, replace `timeout` for a request. `keep`: hold the bytes of streams,
    so that `response.extensions["confide"].save` works for them too.
    """
    core = prepare(load(policy, signers=policy_signers), threading.Lock(), timeout=timeout, patience=patience, state=state, now=now)
    sender = transport or HttpTransport(url, timeout=core.timeouts, connections=connections)
    return RelayTransport(url, Node(sender, core), sender, keep=keep)


def is_whole(request: httpx.Request) -> bool:
    """Whether all of the body is at hand, or has to be: what is inside a JSON body decides what it needs."""
    return isinstance(request.stream, httpx.ByteStream) or _is_json(request)


def wants_stream(request: httpx.Request, body: bytes) -> bool:
    """Whether the answer is to come as it is made."""
    if request.headers.get("accept", "").split(";", 1)[0].strip().lower().encode() in STREAMS:
        return True
    return _is_json(request) and b'"stream"' in body and _members(body).get("stream") is True


@contextmanager
def as_httpx(request: httpx.Request) -> Iterator[None]:
    """Step 5. The node's url and our codes are all that these texts hold."""
    try:
        yield
    except TransportError as error:
        kinds: dict[Code, type[httpx.TransportError]] = {
            Code.TRANSPORT_UNREACHABLE: httpx.ConnectError,
            Code.TRANSPORT_TIMEOUT: httpx.ReadTimeout,
        }
        raise kinds.get(error.code, httpx.RemoteProtocolError)(str(error), request=request) from error


def bounds(request: httpx.Request, timeouts: Timeouts) -> Timeouts:
    """The time that httpx gives this request. Its `read` bounds one wait for the node, which is what an exchange is."""
    given = request.extensions.get("timeout", {})
    connect, wait = given.get("connect", timeouts.connect), given.get("read", timeouts.exchange)
    wait = MAX_SECONDS if wait is None else wait
    return Timeouts(connect=MAX_SECONDS if connect is None else connect, exchange=wait, chunk=wait, stream=timeouts.stream)


def _within(sender: Transport, request: httpx.Request) -> Transport:
    return sender.within(bounds(request, sender.timeouts)) if isinstance(sender, HttpTransport) else sender


def _bounded(stream: httpx.SyncByteStream | httpx.AsyncByteStream) -> bytes:
    pieces, size = [], 0
    for piece in _pieces(stream):
        size += len(piece)
        require_bound(size)
        pieces.append(piece)
    return b"".join(pieces)


def require_bound(size: int) -> None:
    """`client.input` for a body that is too long to be looked into."""
    if size > MAX_BODY:
        raise MisuseError(Code.CLIENT_INPUT, found=f"more than {MAX_BODY} bytes", wanted=f"at most {MAX_BODY}")


def _pieces(stream: httpx.SyncByteStream | httpx.AsyncByteStream) -> Iterator[bytes]:
    if not isinstance(stream, httpx.SyncByteStream):
        raise MisuseError(Code.CLIENT_INPUT, found="an asynchronous body", wanted="httpx.AsyncClient and confide.async_transport")
    return iter(stream)


def _model(request: httpx.Request, path: bytes, body: object) -> str | None:
    """Step 3. A body that runs a model must name it once, in strict JSON: two readers could take two names for it."""
    route = path.split(b"?", 1)[0]
    if route.startswith(PIPELINES):
        return route.removeprefix(PIPELINES).decode("latin-1")
    if request.method != "POST" or not isinstance(body, bytes) or not _is_json(request):
        if route.startswith(RUNS):
            raise MisuseError(Code.CLIENT_INPUT, found="another body", wanted="a POST of JSON that names a model")
        return None
    model = _members(body).get("model")
    if model is None and not route.startswith(RUNS):
        return None
    if not isinstance(model, str):
        raise MisuseError(Code.CLIENT_INPUT, found="no model", wanted="a name of the policy's [models]")
    return model


def _members(body: bytes) -> dict[str, Any]:
    try:
        members = strictjson.loads(body, limit=MAX_BODY)
    except strictjson.JsonError as error:
        raise MisuseError(Code.CLIENT_INPUT, found=f"a body that is not strict JSON: {error.code.value}", wanted="JSON") from None
    return members if isinstance(members, dict) else {}


def _is_json(request: httpx.Request) -> bool:
    kind: str = request.headers.get("content-type", "")
    return kind.split(";", 1)[0].strip().lower() == "application/json"


def _inner(request: httpx.Request) -> tuple[tuple[str | bytes, str | bytes], ...]:
    """Step 2; also what `Connection` names (RFC 9110 section 7.6.1)."""
    named = {name.strip().lower() for value in request.headers.get_list("connection") for name in value.split(",")}
    left = _KEPT_OUTSIDE | {name.encode("latin-1", "replace") for name in named}
    return tuple((name.lower(), value.strip()) for name, value in request.headers.raw if name.lower() not in left)


def _outer(headers: Fields) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers if name not in (b"content-length", b"transfer-encoding")]


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)
