"""A vendor's service on the loopback: speaks HTTP, answers what it is told to, remembers what it was asked."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Said:
    """One answer. `drip`: bytes come one by one, each after a pause."""

    content: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Service:
    """Paths (with their queries) to answers; a list is used up, its last answer stays."""

    answers: dict[str, Said | list[Said] | Callable[[bytes], Said]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    heard: list[Mapping[str, str]] = field(default_factory=list)  # headers of each question, names in lower case
    url: str = ""

    def say(self, path: str, body: bytes) -> Said:
        """What comes for a question."""
        self.asked.append(path)
        found = self.answers.get(path, Said(status=404))
        if callable(found):
            return found(body)
        if isinstance(found, list):
            return found.pop(0) if len(found) > 1 else found[0]
        return found


@contextmanager
def serving(service: Service) -> Iterator[Service]:
    """The service, reachable at its `url` inside the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("content-length", 0))))

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing."""

        def _answer(self, body: bytes) -> None:
            service.heard.append({name.lower(): value for name, value in self.headers.items()})
            said = service.say(self.path, body)
            self.send_response(said.status)
            for name, value in {"content-length": str(len(said.content)), **said.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
