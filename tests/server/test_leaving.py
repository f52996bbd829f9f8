"""A client that leaves stops the work for it: in the queue, in the worker, in the pipeline. On a real socket."""

import os
import signal
import socket
import time
from collections.abc import Callable

import msgspec
from tests.server.running import JSON, Served, served

from confide.seal import bhttp, ohttp
from confide.seal.keyconfig import parse_key_config


def post(node: Served) -> bytes:
    """A sealed request to the encoder, as bytes for a socket."""
    assert node.node is not None
    config = parse_key_config(node.node.keyset.ohttp_keys[0].config)
    body = msgspec.json.encode({"inputs": ["doctor"]})
    request = bhttp.Request(b"POST", b"https", ohttp.INNER_AUTHORITY, b"/v1/pipelines/encoder", JSON, body)
    sealed = ohttp.seal_request(config, bhttp.encode_request(request)).body
    return b"POST /ohttp HTTP/1.1\r\nhost: x\r\ncontent-type: message/ohttp-req\r\ncontent-length: %d\r\n\r\n%b" % (
        len(sealed),
        sealed,
    )


def soon(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_clients_that_leave_take_their_requests_out_of_the_queue() -> None:
    with served() as running:
        assert running.node is not None
        pool, app = running.node.engine, running.node.app
        engine = pool._engines["operator"]
        (worker,) = pool.worker_pids
        os.kill(worker, signal.SIGSTOP)  # the first request stays in the worker, the others wait
        try:
            connections = [running.connect() for _ in range(4)]
            for connection in connections:
                connection.sendall(post(running))
            assert soon(lambda: len(engine._queue) == 3)
            assert app.in_flight == 4
            for connection in connections:
                connection.close()
            assert soon(lambda: app.in_flight == 0)
            assert len(engine._queue) == engine._queue_bytes == 0
        finally:
            os.kill(worker, signal.SIGCONT)
        assert running.node.proof.size == 0  # nobody was answered, so nothing was promised
        with running.connect() as connection:
            connection.sendall(post(running))
            assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")
        assert running.node.proof.size == 1


def test_requests_pipelined_behind_one_whose_client_left_never_begin() -> None:
    with served() as running:
        assert running.node is not None
        (worker,) = running.node.engine.worker_pids
        os.kill(worker, signal.SIGSTOP)
        try:
            with running.connect() as connection:
                connection.sendall(b"".join(post(running) for _ in range(3)))
                assert soon(lambda: running.node is not None and running.node.app.in_flight == 1)
            assert soon(lambda: running.node is not None and running.node.app.in_flight == 0)
        finally:
            os.kill(worker, signal.SIGCONT)
        time.sleep(0.1)
        assert running.node.proof.size == 0


def test_a_client_that_stays_is_answered_beside_one_that_left() -> None:
    with served() as running:
        assert running.node is not None
        (worker,) = running.node.engine.worker_pids
        os.kill(worker, signal.SIGSTOP)
        try:
            leaves, stays = running.connect(), running.connect()
            leaves.sendall(post(running))
            stays.sendall(post(running))
            assert soon(lambda: running.node is not None and running.node.app.in_flight == 2)
            leaves.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")  # leaves with a reset
            leaves.close()
            assert soon(lambda: running.node is not None and running.node.app.in_flight == 1)
        finally:
            os.kill(worker, signal.SIGCONT)
        with stays:
            assert stays.recv(1 << 16).startswith(b"HTTP/1.1 200")
