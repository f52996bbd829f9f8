"""Flows and their drivers: what both promise, whoever writes a flow."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest
from tests.client.wire import http, wire

from confide.client.flow import Flow, acquire, begin, blocking, drive, drive_async, get, post, read, shut, sleep
from confide.client.transport import HttpTransport, Timeouts, Transport
from confide.client.transport_async import AsyncHttpTransport
from confide.codes import Code
from confide.errors import MisuseError, TransportError

Run = Callable[[str, Flow[Any]], Any]


def blocks(url: str, flow: Flow[Any]) -> Any:
    transport = HttpTransport(url, timeout=Timeouts(exchange=5, chunk=0.3))
    try:
        return drive(flow, transport)
    finally:
        transport.close()


def does_not(url: str, flow: Flow[Any]) -> Any:
    async def run() -> Any:
        transport = AsyncHttpTransport(url, timeout=Timeouts(exchange=5, chunk=0.3))
        try:
            return await drive_async(flow, transport)
        finally:
            await transport.close()

    return asyncio.run(run())


both = pytest.mark.parametrize("run", [blocks, does_not])


@both
def test_a_flow_is_sent_what_came_and_returns_its_value(run: Run) -> None:
    def flow() -> Flow[tuple[bytes, bytes]]:
        one = yield from get("/a", limit=10)
        yield from sleep(0)
        two = yield from post("/b", b"body", headers={"x": "y"}, limit=10)
        return one.content, two.content

    with wire(http(b"one"), http(b"two")) as node:
        assert run(node.url, flow()) == (b"one", b"two")
    assert node.requests[0].startswith(b"GET /a ")
    assert node.requests[1].startswith(b"POST /b ")


@both
def test_an_error_of_an_effect_is_raised_where_it_was_asked_for(run: Run) -> None:
    def flow() -> Flow[str]:
        try:
            yield from get("/", limit=2)
        except TransportError as error:
            return str(error.code.value)
        return "none"

    with wire(http(b"123")) as node:
        assert run(node.url, flow()) == "transport.too_large"


@both
def test_an_error_that_a_flow_does_not_want_ends_it(run: Run) -> None:
    cleaned: list[bool] = []

    def flow() -> Flow[None]:
        try:
            yield from blocking(lambda: 1 // 0)
        finally:
            cleaned.append(True)

    with pytest.raises(ZeroDivisionError):
        run("http://127.0.0.1:9", flow())
    assert cleaned == [True]


@both
def test_an_answer_is_read_as_it_comes_and_shut_in_any_case(run: Run) -> None:
    def flow() -> Flow[bytes]:
        incoming = yield from begin("/", b"body", headers={})
        try:
            got = b""
            while piece := (yield from read(incoming)):
                got += piece
            return got
        finally:
            yield from shut(incoming)
            yield from shut(incoming)

    with wire(http(b"in pieces"), drip=0.001) as node:
        assert run(node.url, flow()) == b"in pieces"


@both
def test_a_stream_that_pauses_too_long_times_out(run: Run) -> None:
    def flow() -> Flow[None]:
        incoming = yield from begin("/", b"", headers={})
        try:
            while (yield from read(incoming)):
                pass
        finally:
            yield from shut(incoming)

    with wire(http(b"abc"), drip=1.0) as node, pytest.raises(TransportError) as caught:
        run(node.url, flow())
    assert caught.value.code is Code.TRANSPORT_TIMEOUT


@both
def test_a_stream_has_an_end_in_time(run: Run) -> None:
    def flow() -> Flow[None]:
        incoming = yield from begin("/", b"", headers={})
        try:
            while (yield from read(incoming)):
                pass
        finally:
            yield from shut(incoming)

    with wire(http(b"x" * 1000), drip=0.005) as node, pytest.raises(TransportError) as caught:
        transport_seconds(run, node.url, flow())
    assert caught.value.code is Code.TRANSPORT_TIMEOUT


def transport_seconds(run: Run, url: str, flow: Flow[Any]) -> Any:
    """As `run`, with half a second for a whole stream."""
    times = Timeouts(exchange=5, stream=0.5)
    if run is blocks:
        transport = HttpTransport(url, timeout=times)
        return drive(flow, transport)

    async def asynchronous() -> Any:
        return await drive_async(flow, AsyncHttpTransport(url, timeout=times))

    return asyncio.run(asynchronous())


def test_what_may_block_runs_beside_the_event_loop() -> None:
    def flow() -> Flow[int]:
        return (yield from blocking(threading.get_ident))

    assert does_not("http://127.0.0.1:9", flow()) != threading.get_ident()
    assert blocks("http://127.0.0.1:9", flow()) == threading.get_ident()


def test_cancellation_passes_through_a_flow_and_its_locks() -> None:
    async def run() -> None:
        lock = asyncio.Lock()

        def flow() -> Flow[None]:
            yield from acquire(lock)
            try:
                yield from sleep(60)
            finally:
                lock.release()

        nobody = cast("Any", None)
        first, second = (asyncio.ensure_future(drive_async(flow(), nobody)) for _ in range(2))
        await asyncio.sleep(0.01)
        second.cancel()  # while it waits for the lock
        with pytest.raises(asyncio.CancelledError):
            await second
        assert lock.locked()
        first.cancel()  # while it sleeps
        with pytest.raises(asyncio.CancelledError):
            await first
        assert not lock.locked()

    asyncio.run(run())


def test_a_lock_of_threads_is_taken_and_given_back() -> None:
    lock = threading.Lock()

    def flow() -> Flow[bool]:
        yield from acquire(lock)
        try:
            return lock.locked()
        finally:
            lock.release()

    assert drive(flow(), cast("Transport", None)) is True
    assert not lock.locked()


def test_an_async_exchange_that_drips_times_out_as_a_whole() -> None:
    async def run() -> None:
        transport = AsyncHttpTransport(node.url, timeout=0.5)
        try:
            await transport.get("/", limit=1000)
        finally:
            await transport.close()

    with wire(http(b"x" * 200), drip=0.01) as node, pytest.raises(TransportError) as caught:
        asyncio.run(run())
    assert caught.value.code is Code.TRANSPORT_TIMEOUT


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (http(b"half", length=100), Code.TRANSPORT_BROKEN),
        (b"SSH-2.0\r\n", Code.TRANSPORT_BROKEN),
        (http(b"x" * 9), Code.TRANSPORT_TOO_LARGE),
    ],
)
def test_the_async_network_fails_with_the_same_codes(answer: bytes, code: Code) -> None:
    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(work)

    async def ask() -> None:
        transport = AsyncHttpTransport(node.url, timeout=5)
        try:
            await transport.get("/", limit=5)
        finally:
            await transport.close()

    with wire(answer) as node, pytest.raises(TransportError) as caught:
        run(ask())
    assert caught.value.code is code


@pytest.mark.parametrize("times", [{"connect": 0}, {"exchange": -1}, {"chunk": float("nan")}, {"stream": 1e9}])
def test_times_are_bounded(times: dict[str, float]) -> None:
    with pytest.raises(MisuseError):
        Timeouts(**times)


@pytest.mark.parametrize("connections", [0, -1, 1_000_000])
def test_the_pool_is_bounded(connections: int) -> None:
    with pytest.raises(MisuseError):
        HttpTransport("http://127.0.0.1:9", connections=connections)
