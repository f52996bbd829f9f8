"""A web server that answers for evidence as a node does, with documents of a false vendor for the nonce that is asked with."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from confide.attest.document import MEDIA_TYPE

Answer = Callable[[bytes], bytes]


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """The address of the server while it runs; `answer` makes a document for a nonce."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answer(bytes.fromhex(parse_qs(urlsplit(self.path).query)["nonce"][0]))
            self.send_response(200)
            self.send_header("content-type", MEDIA_TYPE)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
