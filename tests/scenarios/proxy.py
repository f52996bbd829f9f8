"""A hostile box between client and node: an HTTP proxy on a socket of its own. It sees every byte and answers as an attack says."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Asked:
    """What the client sent."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True)
class Given:
    """What the client will get. `drop` closes the connection after `body`, whatever `length` promised."""

    status: int
    media_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = None
    drop: bool = False


Forward = Callable[[Asked], Given]
Attack = Callable[[Asked, Forward], Given]


def honest(asked: Asked, forward: Forward) -> Given:
    """No attack."""
    return forward(asked)


@dataclass
class Proxy:
    """Forwards to `target`; `attack` decides about every request."""

    target: str
    attack: Attack = honest
    seen: list[Asked] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)  # of the attack's own code: a broken test, not a refusal
    url: str = ""

    def forward(self, asked: Asked) -> Given:
        """The node's own answer."""
        place = urlsplit(self.target)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
        try:
            skip = {"host", "content-length", "connection", "transfer-encoding"}
            headers = {name: value for name, value in asked.headers if name.lower() not in skip}
            connection.request(asked.method, asked.path, asked.body or None, headers)
            response = connection.getresponse()
            return Given(response.status, response.headers.get("content-type", ""), response.read())
        finally:
            connection.close()

    def sealed(self) -> list[Asked]:
        """The requests to `/ohttp`, or to wherever an attack moved them."""
        return [asked for asked in self.seen if asked.method == "POST"]

    def bytes_seen(self) -> bytes:
        """Everything the client let out, headers and paths too."""
        parts = [f"{asked.method} {asked.path} {asked.headers}".encode() + asked.body for asked in self.seen]
        return b"\n".join(parts)


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            asked = Asked(self.command, self.path, tuple(self.headers.items()), body)
            proxy.seen.append(asked)
            try:
                given = proxy.attack(asked, proxy.forward)
            except Exception as error:  # noqa: BLE001 - told to the test's thread
                proxy.failures.append(error)
                given = Given(599, "", b"")
            self.send_response(given.status)
            if given.media_type:
                self.send_header("content-type", given.media_type)
            for name, value in given.headers:
                self.send_header(name, value)
            self.send_header("content-length", str(len(given.body) if given.length is None else given.length))
            self.end_headers()
            self.wfile.write(given.body)
            self.close_connection = self.close_connection or given.drop

        do_GET = do_POST = _serve  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Quiet."""

    return Handler


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Quiet: clients hang up on what they refuse."""


@contextmanager
def between(target: str) -> Iterator[Proxy]:
    """A proxy before `target`, honest until its `attack` is set."""
    proxy = Proxy(target)
    server = _Server(("127.0.0.1", 0), _handler(proxy))
    server.daemon_threads = True
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def changing(path: str, change: Callable[[Given], Given]) -> Attack:
    """Change what the node answers to requests whose path begins so."""
    return lambda asked, forward: change(forward(asked)) if asked.path.startswith(path) else forward(asked)


def body(change: Callable[[bytes], bytes]) -> Callable[[Given], Given]:
    """Change the body only."""
    return lambda given: replace(given, body=change(given.body))
