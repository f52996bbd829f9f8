"""A socket that answers with bytes of our choosing: what any box between client and node can do."""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Wire:
    """Accepts connections, reads one request per connection, plays `script` in order; its last entry repeats."""

    def __init__(self, script: Sequence[bytes], *, drip: float = 0.0) -> None:
        self.script, self.drip = list(script), drip
        self.requests: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        try:
            self.requests.append(connection.recv(1 << 16))
            answer = self.script[min(len(self.requests), len(self.script)) - 1]
            if not self.drip:
                connection.sendall(answer)
                return
            for index in range(len(answer)):
                connection.sendall(answer[index : index + 1])
                time.sleep(self.drip)
        except OSError:
            return  # the client hung up, which is what some tests want


@contextmanager
def wire(*script: bytes, drip: float = 0.0) -> Iterator[Wire]:
    served = Wire(script, drip=drip)
    served.thread.start()
    try:
        yield served
    finally:
        served.listener.close()


def http(
    content: bytes, *, status: str = "200 OK", media_type: str = "text/plain", extra: str = "", length: int | None = None
) -> bytes:
    size = len(content) if length is None else length
    head = f"HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\ncontent-length: {size}\r\nconnection: close\r\n{extra}\r\n"
    return head.encode() + content
