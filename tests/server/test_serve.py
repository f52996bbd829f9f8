"""Running and stopping: ports, signals, draining, what is left afterwards, and what a restart changes."""

import asyncio
import gc
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType, ModuleType

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from tests.server.running import Inside, Served, config, packages, served, until, with_node

from confide.codes import Code
from confide.errors import ConfideError, PackageError
from confide.formats import dsse
from confide.guest import GuestError
from confide.receipt.checkpoint import MAX_CHECKPOINT, unverified_checkpoint, verify_checkpoint
from confide.receipt.frames import records
from confide.seal import bhttp, ohttp
from confide.seal.chunked import OHTTP_CHUNKED_REQUEST, ChunkedRequestSealer
from confide.seal.kem import PrivateKey
from confide.seal.keyconfig import parse_key_config
from confide.seal.problems import PROBLEM_KEY
from confide.server import NodeError
from confide.server.node import prepare_node
from confide.server.serve import listen, run, url_of

MODELS = bhttp.encode_request(bhttp.Request(b"GET", b"https", ohttp.INNER_AUTHORITY, b"/v1/models"))
SCRIPT = """
import asyncio, ctypes, gc, json, resource, sys
def facts():
    libc = ctypes.CDLL(None)
    return {"core": resource.getrlimit(resource.RLIMIT_CORE), "dumpable": libc.prctl(3, 0, 0, 0, 0),
            "frozen": gc.get_freeze_count() > 0,
            "debug": asyncio.get_running_loop().get_debug()}
from confide.server.config import load_config
from confide.server.serve import run
flags = {"tee": "simulated", "port": 0, "workers": 1, "log_dir": sys.argv[1], "limits.drain_ms": 300_000}
run(load_config(environ={}, flags=flags),
    announce=lambda url, node: print(url, json.dumps(facts()), flush=True))
print("stopped", flush=True)
"""


@contextmanager
def process(logs: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A node in a process of its own, as `confide serve` is."""
    path = os.pathsep.join(sys.path)
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(logs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": path, "PATH": os.environ["PATH"], "PYTHONASYNCIODEBUG": "1"},
    )
    try:
        assert child.stdout is not None
        url, _, facts = child.stdout.readline().strip().partition(" ")
        assert json.loads(facts) == {"core": [0, 0], "dumpable": 0, "frozen": True, "debug": False}
        yield child, url
    finally:
        child.kill()
        child.communicate()


def closed(logs: Path) -> bool:
    """Whether the one log of this directory has a closing checkpoint."""
    (file,) = logs.glob("*/checkpoints")
    envelopes, _ = records(file.read_bytes(), limit=MAX_CHECKPOINT)
    return unverified_checkpoint(envelopes[-1]).closing


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_gracefully_and_leaves_a_closing_checkpoint(tmp_path: Path, number: signal.Signals) -> None:
    with process(tmp_path) as (child, url):
        assert httpx.get(f"{url}/readyz").status_code == 200
        child.send_signal(number)
        out, err = child.communicate(timeout=30)
        assert (child.returncode, out.strip(), err) == (0, "stopped", "")
    assert closed(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_waits_for_nobody_and_the_log_is_closed_all_the_same(tmp_path: Path, number: signal.Signals) -> None:
    with process(tmp_path) as (child, url):
        address = httpx.URL(url)
        with socket.create_connection((address.host, address.port or 80)) as slow:
            slow.sendall(b"POST /ohttp HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\ncontent-type: message/ohttp-req\r\n\r\nhalf")
            time.sleep(0.3)
            child.send_signal(number)
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(1)  # the first one waits for a client that is about to finish
            with pytest.raises(httpx.TransportError):
                httpx.get(f"{url}/healthz")
            child.send_signal(number)
            out, err = child.communicate(timeout=15)
            assert (child.returncode, out.strip()) == (0, "stopped")
            assert "ending 1 unfinished requests" in err
            assert slow.recv(1) == b""
    assert closed(tmp_path)


def begin(node: Served, sealer: ChunkedRequestSealer, connection: socket.socket) -> None:
    """Half of a chunked request, opened by the node."""
    half = sealer.write(MODELS[:20])
    head = f"POST /ohttp HTTP/1.1\r\nhost: x\r\ncontent-type: {OHTTP_CHUNKED_REQUEST}\r\ntransfer-encoding: chunked\r\n\r\n"
    connection.sendall(head.encode() + b"%x\r\n%b\r\n" % (len(half), half))
    deadline = time.monotonic() + 10
    while (node.node is None or not node.node.app.in_flight) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)  # the chunk follows the head


def test_a_stream_that_is_open_when_the_node_stops_is_finished_and_its_receipt_is_in_the_closed_log() -> None:
    with served(models={}) as node, node.connect() as connection:
        assert node.node is not None
        key, keyset = parse_key_config(node.node.keyset.ohttp_keys[0].config), node.node.keyset
        sealer = ChunkedRequestSealer(key)
        begin(node, sealer, connection)
        stopping = threading.Thread(target=node.stop)
        stopping.start()
        time.sleep(0.3)
        rest = sealer.finish(MODELS[20:])
        connection.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(rest), rest))
        with connection.makefile("rb") as answers:
            raw = answers.read()
        stopping.join(30)
        assert node.node.closing_checkpoint is not None
    reply = unchunked(raw)
    opener = sealer.opener()
    answer = bhttp.decode_response(b"".join((*opener.feed(reply), opener.close()))).response
    assert answer.status == 200
    assert b"confide-receipt" in dict(answer.trailers)
    assert verify_checkpoint(node.node.closing_checkpoint, keys=keyset.receipt_keys).size == 1


def test_a_stream_that_does_not_end_in_time_is_broken_off_and_the_log_says_so() -> None:
    with served(models={}, limits__drain_ms=1000) as node, node.connect() as connection:
        assert node.node is not None
        keyset = node.node.keyset
        sealer = ChunkedRequestSealer(parse_key_config(keyset.ohttp_keys[0].config))
        begin(node, sealer, connection)
        # enough to begin: the inner head is whole, its content is still to come
        more = sealer.write(MODELS[20:-1])
        connection.sendall(b"%x\r\n%b\r\n" % (len(more), more))
        time.sleep(0.3)
        node.stop()
        assert connection.recv(1 << 16) == b""
        assert node.node.closing_checkpoint is not None
    closing = verify_checkpoint(node.node.closing_checkpoint, keys=keyset.receipt_keys)
    assert (closing.closing, closing.size) == (True, 1)


def unchunked(raw: bytes) -> bytes:
    """The body of an HTTP/1.1 answer in chunks."""
    _, _, rest = raw.partition(b"\r\n\r\n")
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return body


def test_a_port_in_use_is_named_before_anything_loads() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(NodeError) as refused:
            run(config(port=port, models={"missing": "/nonexistent"}))
        assert refused.value.code is Code.NODE_ADDRESS
        assert str(port) in refused.value.found
        assert "port 0" in refused.value.hint


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "256.1.1.1"])
def test_an_address_that_is_not_ours_is_named(host: str) -> None:
    with pytest.raises(NodeError) as refused:
        listen(host, 0)
    assert refused.value.code is Code.NODE_ADDRESS


EVERYWHERE = "0.0.0.0"  # noqa: S104 - for a moment, and nobody is answered


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "http://127.0.0.1:"), (EVERYWHERE, "http://127.0.0.1:"), ("::1", "http://[::1]:")]
)
def test_the_url_reaches_the_socket_from_here(host: str, shown: str) -> None:
    try:
        listener = listen(host, 0)
    except NodeError:
        pytest.skip(f"this machine has no {host}")
    with listener:
        assert url_of(listener).startswith(shown)


def test_a_start_that_fails_is_raised_and_leaves_nothing_running(tmp_path: Path) -> None:
    before = threading.active_count()
    with pytest.raises(PackageError):
        run(config(models={"missing": tmp_path / "none"}))
    with pytest.raises(GuestError):
        run(config(tee="nitro"))
    with pytest.raises(PackageError) as refused:
        run(config(models={"encoder": {"path": str(packages()["encoder"]), "digest": "0" * 64}}))
    assert refused.value.code is Code.PACKAGE_DIGEST
    assert threading.active_count() <= before + 2  # the default executor's threads may linger


def test_no_worker_outlives_a_start_that_fails() -> None:
    """The TEE fails after the workers have started."""

    class Broken:
        kind, simulated, attestation_key_sha256 = "snp", True, None

        def quote(self, _: bytes) -> None:
            raise OSError(5, "Input/output error")

    async def start() -> None:
        await prepare_node(config(), tee=Broken())  # type: ignore[arg-type]

    before = _children()
    with pytest.raises(ConfideError) as refused:
        asyncio.run(start())
    assert refused.value.code is Code.GUEST_QUOTE
    deadline = time.monotonic() + 5
    while _children() != before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _children() == before


def _children() -> set[str]:
    return {path.name for path in Path("/proc").iterdir() if path.name.isdigit() and _parent(path) == os.getpid()}


def _parent(path: Path) -> int:
    try:
        fields = (path / "stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return 0 if fields[0] == "Z" else int(fields[1])


def test_stopping_waits_for_requests_in_flight_wipes_keys_and_closes_the_log() -> None:
    async def test(node: Inside) -> None:
        running = [asyncio.create_task(node.ask("POST", "/v1/pipelines/encoder", {"inputs": ["a"] * 64})) for _ in range(4)]
        await until(lambda: node.node.app.in_flight == 4)
        receipt_keys, key = node.node.keyset.receipt_keys, node.key
        assert len(_private_keys(node.node)) == 2 * 2 + 2
        await node.node.stop()
        answers = await asyncio.gather(*running)
        assert [answer.status for answer in answers] == [200] * 4
        assert all(answer.receipt is not None for answer in answers)
        assert node.node.closing_checkpoint is not None
        closing = verify_checkpoint(node.node.closing_checkpoint, keys=receipt_keys)
        assert (closing.closing, closing.size) == (True, 4)
        assert "wiped" in repr(node.node.keys)
        assert not _private_keys(node.node)
        assert node.node.key_store.configs == ()
        assert (await node.post(ohttp.seal_request(key, MODELS).body)).status_code == 503
        await node.node.stop()  # twice is once

    with_node(test)


SIGNING = (dsse.SigningKey, type(Ed25519PrivateKey.generate()), type(MLDSA65PrivateKey.generate()))


def _private_keys(root: object) -> list[object]:
    """Every signing key with its wrapper, and every key that opens, that can be reached from an object."""
    found: list[object] = []
    seen: set[int] = set()
    todo = [root]
    while todo:
        value = todo.pop()
        if id(value) in seen or isinstance(value, type | ModuleType | FunctionType):
            continue
        seen.add(id(value))
        if type(value) in SIGNING or (type(value) is PrivateKey and not value.wiped):
            found.append(value)
        todo += gc.get_referents(value)
    return found


def test_a_request_that_never_ends_does_not_keep_the_node(caplog: pytest.LogCaptureFixture) -> None:
    async def test(node: Inside) -> None:
        async def slow(*_: object, **__: object) -> None:
            await asyncio.sleep(30)

        node.node.engine.run = slow  # type: ignore[method-assign,assignment] # no real model is slow enough for a test
        hanging = asyncio.create_task(node.ask("POST", "/v1/pipelines/encoder", {"inputs": ["a"]}))
        await until(lambda: node.node.app.in_flight == 1)
        await asyncio.wait_for(node.node.stop(), 5)
        hanging.cancel()
        await asyncio.wait([hanging])

    with_node(test, limits__drain_ms=50)
    assert "1 requests unfinished" in caplog.text


def test_a_log_that_cannot_be_written_does_not_stop_the_stop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("confide.server.heads.CLOSING_PATIENCE", 0.2)

    async def test(node: Inside) -> None:
        (tmp_path / "logs").rename(tmp_path / "gone")
        await node.node.stop()
        assert node.node.closing_checkpoint == b""

    with_node(test, log_dir=str(tmp_path / "logs"))
    assert "was not written to its end" in caplog.text


def test_a_restart_has_new_keys_and_refuses_what_was_sealed_to_the_old_ones() -> None:
    with served() as first:
        assert first.node is not None
        old = first.node.keyset
    with served() as second:
        assert second.node is not None
        new = second.node.keyset
        assert (new.software_digest, new.config_digest, new.models) == (old.software_digest, old.config_digest, old.models)
        assert new.node_id != old.node_id
        assert set(new.receipt_keys).isdisjoint(old.receipt_keys)
        for key in old.ohttp_keys:
            sealed = ohttp.seal_request(parse_key_config(key.config), MODELS)
            reply = httpx.post(f"{second.url}/ohttp", content=sealed.body, headers={"content-type": ohttp.OHTTP_REQUEST})
            assert (reply.status_code, reply.json()["type"]) == (422, PROBLEM_KEY)


def test_a_restarted_node_is_the_same_false_chip_with_the_same_measurement() -> None:
    reports = []
    for _ in range(2):
        with served(models={}) as running:
            assert running.node is not None
            quote = running.node.epochs.quoter.machine.tee.quote(bytes(64))
            reports.append(quote.evidence.items["report"][0x1A0:0x1E0])
    assert reports[0] == reports[1]


def test_while_models_load_the_node_lives_and_is_not_ready() -> None:
    with served(models={}) as running:
        assert httpx.get(f"{running.url}/healthz").status_code == 200
        assert httpx.get(f"{running.url}/readyz").status_code == 200


def test_keep_alive_connections_close_when_the_node_stops() -> None:
    with served(models={}) as running, httpx.Client(base_url=running.url) as client:
        assert client.get("/readyz").status_code == 200
        started = time.monotonic()
        running.stop()
        assert time.monotonic() - started < 5
        with pytest.raises(httpx.TransportError):
            client.get("/healthz")


def test_what_escapes_into_the_loop_is_logged_by_type_and_place_only(caplog: pytest.LogCaptureFixture) -> None:
    def fault() -> None:
        raise ValueError("my-private-diagnosis")

    with served(models={}) as running, caplog.at_level(logging.DEBUG):
        assert running._loop is not None
        running._loop.call_soon_threadsafe(fault)
        assert httpx.get(f"{running.url}/healthz").status_code == 200
    assert "ValueError at test_serve.py" in caplog.text
    assert "diagnosis" not in caplog.text
