"""The device, asked by all: in turn, at a distance, and never waited for for ever."""

import asyncio
import gc
import itertools
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from tests.guest.rooms import Clocks, Device

from confide.attest.binding import binding
from confide.codes import Code
from confide.guest import GuestError
from confide.guest.machine import Machine, Subject
from confide.guest.quoter import Quoter

T = TypeVar("T")
SUBJECT = Subject(b"\x05" * 32, b"a keyset")


def with_device(test: Callable[[Device, Quoter], Awaitable[T]], *, interval: float = 0.0, timeout: float = 10.0) -> T:
    async def run() -> T:
        device = Device(Clocks())
        try:
            return await test(device, Quoter(Machine(device), interval=interval, timeout=timeout))
        finally:
            device.gate.set()

    return asyncio.run(run())


def test_quotes_are_taken_one_at_a_time_in_the_order_in_which_they_were_asked_for() -> None:
    async def test(device: Device, quoter: Quoter) -> None:
        order: list[int] = []

        async def ask(number: int) -> None:
            async with quoter.turn() as quote:
                order.append(number)
                await quote(SUBJECT)

        await asyncio.gather(*(ask(number) for number in range(10)))
        assert (order, quoter.quotes) == (list(range(10)), 10)

    with_device(test)


def test_quotes_keep_their_distance() -> None:
    async def test(device: Device, quoter: Quoter) -> None:
        loop = asyncio.get_running_loop()
        at = []
        for _ in range(3):
            async with quoter.turn() as ask:
                at.append(loop.time())
                await ask(SUBJECT)
        assert all(later - earlier >= 0.049 for earlier, later in itertools.pairwise(at))

    with_device(test, interval=0.05)


def test_a_quote_is_over_what_was_asked() -> None:
    async def test(device: Device, quoter: Quoter) -> None:
        report = (await quoter.quote(SUBJECT)).evidence.items["report"]
        assert binding(nonces=SUBJECT.nonces, keyset=SUBJECT.keyset) in report

    with_device(test)


@pytest.mark.parametrize("fault", [OSError(16, "secret"), ValueError("secret"), GuestError(Code.GUEST_QUOTE, found="throttled")])
def test_a_fault_is_told_without_its_message_and_the_next_quote_works(fault: Exception) -> None:
    async def test(device: Device, quoter: Quoter) -> None:
        device.fault = fault
        with pytest.raises(GuestError) as caught:
            await quoter.quote(SUBJECT)
        assert caught.value.code is Code.GUEST_QUOTE
        assert "secret" not in str(caught.value)
        device.fault = None
        await quoter.quote(SUBJECT)

    with_device(test)


def test_while_a_device_hangs_no_second_thread_waits_for_it_and_it_is_asked_again_when_it_came_back() -> None:
    async def test(device: Device, quoter: Quoter) -> None:
        before = set(threading.enumerate())
        device.gate.clear()
        found = []
        for _ in range(5):
            with pytest.raises(GuestError) as caught:
                await quoter.quote(SUBJECT)
            found.append(caught.value.found)
        assert found == ["no answer in 0.05 s"] + ["a device that has not answered yet"] * 4
        assert len(set(threading.enumerate()) - before) == 1
        device.gate.set()
        assert quoter._hanging is not None
        quoter._hanging.join(10)
        await quoter.quote(SUBJECT)

    with_device(test, timeout=0.05)


def test_an_asker_that_leaves_while_the_device_works_does_not_let_two_be_asked_at_a_time() -> None:
    async def test(device: Device, quoter: Quoter) -> None:
        device.gate.clear()
        leaver = asyncio.create_task(quoter.quote(SUBJECT))
        await asyncio.sleep(0.01)
        leaver.cancel()
        await asyncio.wait([leaver])
        with pytest.raises(GuestError) as caught:
            await quoter.quote(SUBJECT)
        assert caught.value.found == "a device that has not answered yet"
        device.gate.set()

    with_device(test)


def test_a_device_that_answers_after_its_node_has_stopped_troubles_nobody() -> None:
    device = Device(Clocks())

    async def run() -> None:
        device.gate.clear()
        with pytest.raises(GuestError):
            await Quoter(Machine(device), timeout=0.01).quote(SUBJECT)

    asyncio.run(run())
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "quote"]
    assert thread.daemon  # the process may end without it
    device.gate.set()
    thread.join(10)
    gc.collect()
