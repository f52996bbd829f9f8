"""A real node for tests: in this process, or on a loopback socket in a thread of its own, with sealed requests to either."""

import asyncio
import functools
import socket
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
from tests.server.packages import write_package

from confide.engine.manifest import Task
from confide.receipt.check import check_receipt
from confide.receipt.commit import Salts
from confide.receipt.deliver import from_trailers
from confide.receipt.model import Receipt
from confide.seal import bhttp, ohttp
from confide.seal.chunked import ChunkedRequestSealer
from confide.seal.keyconfig import KeyConfig, parse_key_config
from confide.server.config import NodeConfig, load_config
from confide.server.node import Node, running_node
from confide.server.serve import listen, serve, url_of

T = TypeVar("T")
JSON = ((b"content-type", b"application/json"),)


@functools.cache
def packages() -> Mapping[str, Path]:
    """One encoder, one classifier, made once per test run."""
    folder = Path(tempfile.mkdtemp(prefix="confide-tiny-"))
    return {
        "encoder": write_package(folder / "encoder", Task.SENTENCE_EMBEDDING),
        "mood": write_package(folder / "mood", Task.TEXT_CLASSIFICATION),
    }


def config(**flags: Any) -> NodeConfig:
    """A configuration with both models and a simulated TEE."""
    flags = {"tee": "simulated", "workers": 1, "port": 0, "models": packages(), **flags}
    return load_config(environ={}, flags={name.replace("__", "."): value for name, value in flags.items()})


@dataclass(frozen=True)
class Opened:
    """An opened answer with its checked receipt."""

    status: int
    headers: Mapping[bytes, bytes]
    content: bytes = field(repr=False)
    receipt: Receipt | None
    envelope: bytes | None = field(default=None, repr=False)

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.content)

    @property
    def error(self) -> str:
        return str(self.json["error"]["code"])


class Inside:
    """Asks a node's application in this process, as httpx's ASGI transport does over no socket at all."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(node.app), base_url="http://node")

    @property
    def key(self) -> KeyConfig:
        return parse_key_config(self.node.keyset.ohttp_keys[0].config)

    async def post(self, body: bytes, *, kind: str = ohttp.OHTTP_REQUEST, **headers: str) -> httpx.Response:
        return await self.http.post("/ohttp", content=body, headers={"content-type": kind, **headers})

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: tuple[tuple[bytes, bytes], ...] = JSON,
        key: KeyConfig | None = None,
        chunked: bool = False,
        request: bhttp.Request | None = None,
    ) -> Opened:
        """One sealed request with its receipt checked; bytes are sent as they are, anything else as JSON."""
        content = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        request = request or bhttp.Request(method.encode(), b"https", ohttp.INNER_AUTHORITY, path.encode(), headers, content)
        return await (self._chunked if chunked else self._whole)(bhttp.encode_request(request), key or self.key)

    async def _whole(self, message: bytes, key: KeyConfig) -> Opened:
        sealed = ohttp.seal_request(key, message)
        reply = await self.post(sealed.body)
        assert reply.status_code == 200, reply.text
        assert reply.headers["content-type"] == ohttp.OHTTP_RESPONSE
        return self.opened(message, sealed.opener.open(reply.content), sealed.enc, key)

    async def _chunked(self, message: bytes, key: KeyConfig) -> Opened:
        sealer = ChunkedRequestSealer(key)
        reply = await self.post(sealer.write(message[:7]) + sealer.finish(message[7:]), kind="message/ohttp-chunked-req")
        assert reply.status_code == 200, reply.text
        assert reply.headers["content-type"] == "message/ohttp-chunked-res"
        opener = sealer.opener()
        answer = b"".join((*opener.feed(reply.content), opener.close()))
        return self.opened(message, answer, sealer.enc, key)

    def opened(self, message: bytes, answer: bytes, enc: bytes, key: KeyConfig) -> Opened:
        decoded = bhttp.decode_response(answer)
        envelope, salts = from_trailers(decoded.response.trailers)
        receipt = None
        if envelope is not None:
            receipt = check_receipt(
                envelope,
                keyset=self.node.epochs.keyset_of(key.raw),
                request=message,
                response=answer[: decoded.content_end],
                salts=Salts.parse(salts) if salts else None,
                enc=enc,
                key_config=key.raw,
                models=None,
            )
        return Opened(decoded.response.status, dict(decoded.response.headers), decoded.response.content, receipt, envelope)


def with_node(test: Callable[[Inside], Awaitable[T]], settings: NodeConfig | None = None, **flags: Any) -> T:
    """Run `test` against a node that lives as long as it takes."""

    async def run() -> T:
        async with running_node(settings or config(**flags)) as node:
            inside = Inside(node)
            async with inside.http:
                return await test(inside)

    return asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    """Give way until it holds, or fail after ten seconds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0)


class Served:
    """A node on a loopback socket in a thread, as `confide serve` runs it."""

    def __init__(self, settings: NodeConfig) -> None:
        self.settings = settings
        self.listener = listen(settings.host, settings.port)
        self.url = url_of(self.listener)
        self.address: tuple[str, int] = self.listener.getsockname()[:2]
        self.ready = threading.Event()
        self.node: Node | None = None
        self.error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_event = asyncio.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """As the first SIGTERM does; returns when the node has stopped."""
        if self.thread.is_alive() and self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop_event.set)
        self.thread.join(30)
        assert not self.thread.is_alive()

    def connect(self) -> socket.socket:
        connection = socket.create_connection(self.address, timeout=10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _run(self) -> None:
        with self.listener, asyncio.Runner() as runner:
            try:
                runner.run(self._serve())
            except BaseException as error:  # noqa: BLE001 - handed to the test's thread
                self.error = error
        self.ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        await serve(self.settings, self.listener, announce=self._announce, stop=self._stop_event)

    def _announce(self, url: str, node: Node) -> None:
        assert url == self.url
        self.node = node
        self.ready.set()


@contextmanager
def served(settings: NodeConfig | None = None, **flags: Any) -> Iterator[Served]:
    """A ready node on a socket."""
    running = Served(settings or config(**flags))
    try:
        assert running.ready.wait(60)
        if running.error is not None:
            raise running.error
        yield running
    finally:
        running.stop()
