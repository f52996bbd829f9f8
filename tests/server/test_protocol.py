"""HTTP from strangers on a real socket: endless headers, slow heads, silent and deaf connections, too many of them, nonsense."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.server.running import Served, served

from confide.seal import ohttp

HEAD = b"POST /ohttp HTTP/1.1\r\nhost: x\r\ncontent-type: message/ohttp-req\r\n"
GET = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture(scope="module")
def node() -> Iterator[Served]:
    """One node with short times and small bounds for this whole file."""
    limits: dict[str, Any] = {
        "limits__header_ms": 400,
        "limits__read_ms": 400,
        "limits__write_ms": 400,
        "limits__idle_ms": 1000,
        "limits__header_bytes": 4096,
        "limits__connections": 16,
        "limits__request_bytes": 65536,
    }
    with served(models={}, **limits) as running:
        yield running


def read(connection: socket.socket) -> bytes:
    """Everything until the other side closes."""
    parts = []
    try:
        while part := connection.recv(1 << 16):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def exchange(node: Served, *parts: bytes, pause: float = 0.0) -> bytes:
    with node.connect() as connection:
        for part in parts:
            try:
                connection.sendall(part)
            except (BrokenPipeError, ConnectionResetError):
                break
            time.sleep(pause)
        return read(connection)


def alive(node: Served) -> None:
    assert httpx.get(f"{node.url}/healthz").status_code == 200


@pytest.mark.parametrize(
    "parts",
    [
        [b"GET /healthz HTTP/1.1\r\n", *[b"x-%d: %s\r\n" % (n, b"a" * 500) for n in range(40)]],
        [b"GET /healthz HTTP/1.1\r\nx: ", *[b"a" * 1000] * 40],
        [b"GET /" + b"a" * 5000, b"a" * 5000],
        [b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 5000 + b"\r\n\r\n"],
        [b"GET /healthz?" + b"a" * 5000 + b" HTTP/1.1\r\nhost: x\r\n\r\n"],
    ],
    ids=["many headers", "an endless value", "an endless path", "a long value at once", "a long query at once"],
)
def test_headers_over_the_bound_are_refused(node: Served, parts: list[bytes]) -> None:
    answer = exchange(node, *parts, pause=0.002)
    assert answer.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400")) or not answer
    assert b"200" not in answer
    alive(node)


@pytest.mark.parametrize("begun", [b"", b"G", b"GET /healthz HTTP/1.1\r\nhost: x\r\n", GET + b"GET /he"])
def test_a_head_that_does_not_come_ends_the_connection(node: Served, begun: bytes) -> None:
    started = time.monotonic()
    answer = exchange(node, begun)
    assert answer.endswith(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    assert 0.3 < time.monotonic() - started < 3


def test_a_dripping_head_ends_in_time(node: Served) -> None:
    started = time.monotonic()
    exchange(node, *[bytes([byte]) for byte in HEAD], pause=0.03)
    assert time.monotonic() - started < 3


def test_a_dripping_body_ends_in_time(node: Served) -> None:
    answer = exchange(node, HEAD + b"content-length: 1000\r\n\r\n", *[b"x"] * 30, pause=0.03)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"node.too_slow" in answer
    alive(node)


def test_an_idle_connection_is_closed(node: Served) -> None:
    started = time.monotonic()
    assert exchange(node, GET).count(b"HTTP/1.1 200") == 1
    assert time.monotonic() - started < 4


def test_one_connection_serves_many_requests_pipelined_or_not(node: Served) -> None:
    last = GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    assert exchange(node, GET, GET, GET * 3 + last, pause=0.01).count(b"HTTP/1.1 200") == 6


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"content-length: 65537\r\n\r\n", b"413"),
        (b"content-length: 99999999999999999\r\n\r\n", b"413"),
        (b"transfer-encoding: chunked\r\n\r\n" + b"4000\r\n" + b"x" * 0x4000 + b"\r\n", b"413"),
        (b"content-length: -1\r\n\r\n", b"400"),
        (b"content-length: 5\r\ncontent-length: 6\r\n\r\n", b"400"),
        (b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n", b"400"),
        (b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n", b"400"),
    ],
)
def test_a_body_that_is_too_large_or_ambiguous_is_refused_and_the_connection_closed(
    node: Served, head: bytes, status: bytes
) -> None:
    more = [b"4000\r\n" + b"x" * 0x4000 + b"\r\n"] * 8 if b"4000" in head else []
    answer = exchange(node, HEAD + head, *more)
    assert answer.startswith(b"HTTP/1.1 " + status)
    alive(node)


def test_a_body_behind_a_refused_head_is_not_swallowed_for_ever(node: Served) -> None:
    """405 is answered at once; whoever goes on sending is cut off."""
    with node.connect() as connection:
        connection.sendall(b"POST /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            connection.sendall(bytes(200_000_000))
    alive(node)


def test_a_reader_that_never_reads_is_cut_off(node: Served) -> None:
    """Small kernel buffers on both sides, ten answers of 15 KB, and nobody takes them."""
    node.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(node.address)
        connection.sendall(b"GET /.well-known/confide/evidence HTTP/1.1\r\nhost: x\r\n\r\n" * 10)
        time.sleep(1.5)
        assert read(connection).count(b"HTTP/1.1 200") < 10
    alive(node)


def test_only_so_many_requests_wait_on_one_connection(node: Served) -> None:
    assert exchange(node, GET * 10 + GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")).count(b"HTTP/1.1 200") == 11
    assert exchange(node, GET * 2000).count(b"HTTP/1.1 200") <= 32
    alive(node)


def test_a_head_that_begins_behind_a_large_body_is_not_taken_for_a_large_head(node: Served) -> None:
    body = HEAD + b"content-length: 60000\r\n\r\n" + b"x" * 60000
    last = GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    answer = exchange(node, body + last[:10], last[10:], pause=0.05)
    assert (answer.count(b"HTTP/1.1 422"), answer.count(b"HTTP/1.1 200")) == (1, 1)


def test_connections_beyond_the_bound_are_told_and_closed(node: Served) -> None:
    held = [node.connect() for _ in range(16)]
    try:
        time.sleep(0.05)
        assert exchange(node, GET).startswith(b"HTTP/1.1 503")
    finally:
        for connection in held:
            connection.close()
    time.sleep(0.2)
    alive(node)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x00" * 64,
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
    ],
    ids=["TLS", "HTTP/2", "zeros", "no path", "version"],
)
def test_nonsense_is_a_400(node: Served, nonsense: bytes) -> None:
    answer = exchange(node, nonsense)
    assert answer.startswith(b"HTTP/1.1 400")
    alive(node)


UPGRADE = b"connection: Upgrade\r\nupgrade: %b\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"GET /healthz HTTP/1.1\r\nhost: x\r\n" + UPGRADE % b"websocket" + b"sec-websocket-version: 13\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: x\r\n" + UPGRADE % b"h2c" + b"http2-settings: AAMAAABkAAQAAP__\r\n\r\n",
        HEAD + UPGRADE % b"x" + b"content-length: 34\r\n\r\n",
        HEAD + UPGRADE % b"x" + b"transfer-encoding: chunked\r\n\r\n",
        b"CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
    ids=["websocket", "h2c", "with a body", "with chunks", "CONNECT"],
)
def test_an_upgrade_is_refused_and_its_body_is_never_taken_for_a_request(node: Served, head: bytes) -> None:
    answer = exchange(node, head, GET, pause=0.05)
    assert answer == b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    alive(node)


CHUNKS = HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"


@pytest.mark.parametrize("trailers", [[b"x: y\r\n\r\n"], [b"content-type: a/b\r\n\r\n"], [b"x: %b\r\n" % (b"a" * 60_000)] * 100])
def test_trailers_are_refused_before_they_pile_up(node: Served, trailers: list[bytes]) -> None:
    answer = exchange(node, CHUNKS, *trailers)
    assert answer.startswith(b"HTTP/1.1 400") or not answer  # a reset may overtake the answer
    assert b"422" not in answer
    alive(node)


def test_a_fault_behind_a_request_is_not_taken_for_its_answer(node: Served) -> None:
    """The evidence takes a while; the nonsense behind it comes at once."""
    slow = b"GET /.well-known/confide/evidence?nonce=%b HTTP/1.1\r\nhost: x\r\n\r\n" % (b"1" * 64)
    chunk = b"transfer-encoding: chunked\r\n\r\n5\r\nhelloX"
    for fault in (
        HEAD + chunk,
        GET + HEAD + chunk,
        b"\x00\x00\r\n\r\n",
        HEAD + UPGRADE % b"x" + b"\r\n",
        b"GET /" + b"a" * 9000,
        b"GET /unfinished",
    ):
        answer = exchange(node, slow, fault, GET, pause=0.01)
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.count(b"HTTP/1.1 ") == answer.count(b"HTTP/1.1 200") == (2 if fault.startswith(GET) else 1)


@pytest.mark.parametrize("version", [b"1.0", b"0.9", b"2.0"])
def test_other_versions_get_one_answer_and_a_closed_connection(node: Served, version: bytes) -> None:
    assert exchange(node, GET.replace(b"1.1", version) * 2).count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize(
    "head",
    [
        b"transfer-encoding: xchunked\r\n\r\n",
        b"transfer-encoding: chunked, identity\r\n\r\n",
        b"transfer-encoding : chunked\r\n\r\n",
        b"content-length: 5\r\n content-length: 6\r\n\r\n",
        b"content-length: +5\r\n\r\n",
        b"content-length: 5, 5\r\n\r\n",
        b"x: a\rb\r\n\r\n",
        b"x: a\x00b\r\n\r\n",
        b"content-length: 5\n\n",
    ],
)
def test_a_head_that_two_readers_could_read_differently_is_refused(node: Served, head: bytes) -> None:
    answer = exchange(node, HEAD + head, b"hello", GET, pause=0.01)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"200" not in answer
    alive(node)


def test_a_client_that_waits_for_100_is_told_to_go_on_or_refused(node: Served) -> None:
    with node.connect() as connection:
        connection.sendall(HEAD + b"expect: 100-continue\r\ncontent-length: 5\r\n\r\n")
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"hello")
        assert connection.recv(1000).startswith(b"HTTP/1.1 400")
    answer = exchange(node, HEAD + b"expect: 100-continue\r\ncontent-length: 99999999\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413")


def test_clients_that_leave_at_any_stage_leave_nothing_behind(node: Served) -> None:
    stages = [b"", b"POST", HEAD, HEAD + b"content-length: 5000\r\n\r\n", HEAD + b"content-length: 5000\r\n\r\n" + b"x" * 2500]
    for stage in stages * 8:
        with node.connect() as connection:
            connection.sendall(stage)
    time.sleep(0.3)
    assert node.node is not None
    assert node.node.app.in_flight == 0
    alive(node)


def test_answers_carry_no_clock_and_no_server_name(node: Served) -> None:
    for reply in (httpx.get(f"{node.url}/healthz"), httpx.post(f"{node.url}/ohttp", headers={"content-type": ohttp.OHTTP_REQUEST})):
        assert "date" not in reply.headers
        assert "server" not in reply.headers


def test_a_head_whose_body_comes_later_is_answered_as_one_that_comes_at_once(node: Served) -> None:
    head = HEAD + b"connection: close\r\ncontent-length: 10\r\n\r\n"
    answers = {exchange(node, head + b"x" * 10)}
    for pause in (0.01, 0.1):  # within the time that the connection waits, and beyond it
        answers.add(exchange(node, head, b"x" * 10, pause=pause))
        answers.add(exchange(node, head, b"x" * 4, b"x" * 6, pause=pause))
        answers.add(exchange(node, head[:30], head[30:] + b"x", b"x" * 9, pause=pause))
    (answer,) = answers
    assert answer.startswith(b"HTTP/1.1 422")
    assert b"ohttp.decapsulation" in answer


def test_a_long_body_in_many_pieces_is_whole(node: Served) -> None:
    body = HEAD + b"connection: close\r\ncontent-length: 65536\r\n\r\n" + bytes(range(256)) * 256
    pieces = [body[at : at + 5000] for at in range(0, len(body), 5000)]
    assert exchange(node, *pieces, pause=0.002).startswith(b"HTTP/1.1 422")
