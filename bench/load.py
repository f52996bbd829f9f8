"""A closed loop of HTTP/1.1 requests that were made before: the same few lines of client whatever the server is.

Bodies are sealed in advance and answers are not opened here, so that a sealed and a plain server are asked by the same code, and
what the client costs is the same for both. Each connection sends its next request when it has its answer.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

LIMIT = 64 << 20  # bytes of one answer


@dataclass(frozen=True)
class Loaded:
    """What a block of requests took: wall seconds, and each request's own."""

    seconds: float
    latencies: tuple[float, ...]
    body: bytes  # of one answer, for checking

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return len(self.latencies) / self.seconds


class BenchError(RuntimeError):
    """A server that did not answer as a benchmark needs."""


def request_bytes(url: str, path: str, body: bytes, *, content_type: str) -> bytes:
    """A whole POST request."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"host: {urlsplit(url).netloc}",
        f"content-type: {content_type}",
        f"content-length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def run(url: str, requests: Sequence[bytes], *, connections: int) -> Loaded:
    """Send all requests over so many connections and wait for every answer."""
    return asyncio.run(_run(url, requests, connections))


async def _run(url: str, requests: Sequence[bytes], connections: int) -> Loaded:
    place = urlsplit(url)
    todo = iter(requests)
    latencies: list[float] = []
    bodies: list[bytes] = []
    streams = [await asyncio.open_connection(place.hostname, place.port, limit=LIMIT) for _ in range(connections)]
    started = time.perf_counter()
    await asyncio.gather(*(_lane(reader, writer, todo, latencies, bodies) for reader, writer in streams))
    seconds = time.perf_counter() - started
    for _, writer in streams:
        writer.close()
    return Loaded(seconds, tuple(latencies), bodies[0])


async def _lane(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, todo, latencies, bodies) -> None:  # type: ignore[no-untyped-def]
    for request in todo:
        begun = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise BenchError(head.split(b"\r\n", 1)[0].decode())
        lower = head.lower()
        at = lower.index(b"content-length:") + 15
        body = await reader.readexactly(int(lower[at : lower.index(b"\r\n", at)]))
        latencies.append(time.perf_counter() - begun)
        if not bodies:
            bodies.append(body)
