"""Keys change while clients ask: no request fails, and each is sealed anew once at most. The same when the node stops or dies."""

import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.client.nodes import trusting
from tests.scenarios.load import Load
from tests.scenarios.nodes import Serving, free_port, serving
from tests.server.running import Inside, config, packages, served, until, with_node

from confide.attest.document import parse_document
from confide.attest.keyset import Keyset
from confide.guest.epoch import Phase
from confide.guest.quote import Quote
from confide.seal import bhttp, ohttp
from confide.seal.chunked import OHTTP_CHUNKED_REQUEST, ChunkedRequestSealer
from confide.seal.keyconfig import parse_key_config

EVIDENCE = "/.well-known/confide/evidence"
QUICK = {"active_seconds": 1, "stale_seconds": 1, "limits.gather_ms": 5, "limits.quote_interval_ms": 1}


def keyset(url: str) -> Keyset:
    return parse_document(httpx.get(f"{url}{EVIDENCE}", trust_env=False).content).keyset


@pytest.mark.parametrize("seconds", [15.0, pytest.param(75.0, marks=pytest.mark.deep)])
def test_no_request_fails_while_keys_change(seconds: float) -> None:
    with served(config(**QUICK)) as node:
        load = Load(node.url, trusting(node.url))
        with load.running(4):
            time.sleep(seconds)
        assert node.node is not None
        epochs, statuses = node.node.epochs, dict(load.rekeyed)
    load.require_whole()
    assert len(load.answers) >= seconds / 4, load.answers  # one each second, more or less, on a loaded machine
    assert statuses[1] >= 4  # each client met a key that had ended
    assert load.total > 100
    assert epochs.live == ()


def test_no_request_fails_when_the_node_is_stopped_and_started_again() -> None:
    port = free_port()
    with served(config(port=port, **QUICK)) as first:
        load = Load(first.url, trusting(first.url))
        before = keyset(first.url)
        with load.running(3):
            load.wait(50)
            first.stop()
            with served(config(port=port, **QUICK)) as second:
                after = keyset(second.url)
                load.wait(50)
                load.stop()
    load.require_whole()
    share_nothing(before, after)


def test_no_request_fails_when_the_node_is_killed_and_started_again_with_other_keys(tmp_path: Path) -> None:
    port = free_port()
    with quick_node(tmp_path, port) as first:
        load = Load(first.url, trusting(first.url))
        before = keyset(first.url)
        with load.running(3):
            load.wait(50)
            first.process.kill()
            first.process.communicate(timeout=10)
            with quick_node(tmp_path, port) as second:
                after = keyset(second.url)
                load.wait(50)
                load.stop()
                assert second.stop(signal.SIGTERM)[0] == 0
    load.require_whole()
    share_nothing(before, after)


def test_a_device_that_hangs_stops_neither_requests_nor_health_nor_the_end_of_the_node() -> None:
    async def test(node: Inside) -> None:
        gate, works = threading.Event(), node.node.epochs.quoter.machine.tee.quote

        def hang(report_data: bytes) -> Quote:
            gate.wait(60)
            return works(report_data)

        node.node.epochs.quoter.machine.tee.quote = hang  # type: ignore[method-assign]
        try:
            await until(lambda: node.node.epochs._failures > 0)
            for path, status in (("/healthz", 200), ("/readyz", 200), (EVIDENCE, 200), (f"{EVIDENCE}?nonce={'07' * 32}", 503)):
                assert (await node.http.get(path)).status_code == status, path
            assert (await node.ask("GET", "/v1/models")).status == 200
            await node.node.stop()
            assert node.node.closing_checkpoint is not None
        finally:
            gate.set()

    with_node(test, models={}, active_seconds=1, stale_seconds=600, limits__quote_ms=50)


def test_a_request_to_a_stale_key_is_answered_and_its_bundle_is_served_by_digest() -> None:
    async def test(node: Inside) -> None:
        first = node.node.keyset
        await until(lambda: node.node.keyset != first)
        reply = await node.http.get(f"{EVIDENCE}?keyset={first.digest.hex()}")
        assert parse_document(reply.content).keyset == first
        answer = await node.ask("GET", "/v1/models", key=parse_key_config(first.ohttp_keys[0].config))
        assert answer.receipt is not None
        assert answer.receipt.keyset_digest == first.digest

    with_node(test, models={}, active_seconds=1, stale_seconds=600)


def test_an_exchange_that_is_open_when_its_key_dies_goes_on_and_its_receipt_lies_in_the_window() -> None:
    async def test(node: Inside) -> None:
        epoch, key = node.node.epochs.live[0], node.key
        sealer = ChunkedRequestSealer(key)
        message = bhttp.encode_request(bhttp.Request(b"GET", b"https", ohttp.INNER_AUTHORITY, b"/v1/models"))

        async def slowly() -> AsyncIterator[bytes]:
            yield sealer.write(message[:20])
            await until(lambda: epoch.phase is Phase.DEAD)
            yield sealer.finish(message[20:])

        reply = await node.http.post("/ohttp", content=slowly(), headers={"content-type": OHTTP_CHUNKED_REQUEST})
        assert reply.status_code == 200, reply.text
        opener = sealer.opener()
        answer = b"".join((*opener.feed(reply.content), opener.close()))
        opened = node.opened(message, answer, sealer.enc, key)
        assert opened.receipt is not None  # checked against the keyset that opened it, its window too
        assert opened.receipt.keyset_digest == epoch.keyset.digest != node.node.keyset.digest
        assert all(held.private_key.wiped for held in epoch.held)

    with_node(test, models={}, active_seconds=1, stale_seconds=1)


def share_nothing(one: Keyset, two: Keyset) -> None:
    """No key of one boot is a key of another."""
    assert {key.config[1:] for key in one.ohttp_keys}.isdisjoint(key.config[1:] for key in two.ohttp_keys)
    assert set(one.receipt_keys).isdisjoint(two.receipt_keys)
    assert one.node_id != two.node_id


@contextmanager
def quick_node(folder: Path, port: int) -> Iterator[Serving]:
    """`confide serve` in a process of its own, with epochs of a second."""
    file = folder / "node.toml"
    limits = "".join(f"{name.partition('.')[2]} = {value}\n" for name, value in QUICK.items() if "." in name)
    file.write_text(f"active_seconds = 1\nstale_seconds = 1\n[limits]\n{limits}")
    with serving("--alias", f"encoder={packages()['encoder']}", "--config", file, port=port) as node:
        yield node
