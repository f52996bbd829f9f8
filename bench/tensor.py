"""A tensor of 1 MiB there and back through the whole channel: HTTP, open, binary HTTP, receipt over both, seal, HTTP. No model.

`tensor_1mib_cpu_ms` is the node's front process alone; the client's seal, open and receipt check are beside it.
"""

import os
import time
from contextlib import ExitStack

from bench import echo, load
from bench.cpu import Figure, process_cpu
from bench.processes import policy_for
from bench.throughput import started
from confide.client.exchange import Exchanged
from confide.client.node import Node
from confide.client.node import connect as connect_node
from confide.seal import bhttp, ohttp
from confide.seal.padding import bucket

SIZE = 1 << 20
_HEADERS = ((b"content-type", b"application/octet-stream"),)


def figures(*, rounds: int = 30, block: int = 20) -> dict[str, Figure]:
    """Blocks of sequential requests on one connection; the first is dropped."""
    with ExitStack() as stack:
        side = stack.enter_context(started("echo", ["bench.echo"]))
        client = stack.enter_context(connect_node(side.url, policy=policy_for(side.url), state=None))
        front = side.pids[:1]
        server, ends = [], []
        for _ in range(rounds + 1):
            server.append(_server(side.url, front[0], client, block))
            ends.append(_client(client))
    return {"tensor_1mib_cpu_ms": Figure.of(server[1:], "ms"), "tensor_1mib_client_cpu_ms": Figure.of(ends[1:], "ms")}


def _server(url: str, pid: int, client: Node, block: int) -> float:
    key = client.attested().key
    bodies = [ohttp.seal_request(key, bhttp.encode_request(_request(), pad_to=bucket)).body for _ in range(block)]
    requests = [load.request_bytes(url, "/ohttp", body, content_type=ohttp.OHTTP_REQUEST) for body in bodies]
    before = process_cpu(pid)
    load.run(url, requests, connections=1)
    return (process_cpu(pid) - before) * 1e3 / block


def _client(client: Node) -> float:
    before = time.process_time_ns()
    done: Exchanged = client.request("POST", echo.PATH, headers=_HEADERS, content=os.urandom(SIZE))
    if len(done.response.content) != SIZE:
        raise load.BenchError("another answer")
    return (time.process_time_ns() - before) / 1e6


def _request() -> bhttp.Request:
    return bhttp.Request(b"POST", b"https", ohttp.INNER_AUTHORITY, echo.PATH.encode(), _HEADERS, os.urandom(SIZE))
