"""Epochs on clocks of the test's own, with a false device that can fail and hang."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from confide.attest.keyset import Isolation
from confide.guest.documents import DocumentLimits
from confide.guest.epoch import Lifetimes
from confide.guest.epochs import Epochs
from confide.guest.keys import NodeKeys
from confide.guest.keysets import Boot
from confide.guest.machine import Machine
from confide.guest.quote import Quote
from confide.guest.quoter import Quoter
from confide.seal.keyconfig import KeyConfig
from confide.seal.keystore import KeyStore
from confide.seal.ohttp import Gateway, OpenedRequest, seal_request
from confide_sim.device import FalseDevice

T = TypeVar("T")
SOFTWARE = bytes(32)
HOUR = 3600.0
BOOT = Boot(
    software_digest=SOFTWARE,
    config_digest=b"\x02" * 32,
    isolation=Isolation.WORKER_PROCESS,
    models={"minilm": b"\x03" * 32},
)


class Clocks:
    """A wall clock that the host may set, and one that only ever advances."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 11, 25, 12, 0, 0, 400_000, tzinfo=UTC)
        self.ticks = 1000.0

    def now(self) -> datetime:
        return self.wall

    def clock(self) -> float:
        return self.ticks

    def advance(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.ticks += seconds


class Device(FalseDevice):
    """A false device that fails while `fault` is set, and hangs while `gate` is closed."""

    def __init__(self, clocks: Clocks) -> None:
        super().__init__(software_digest=SOFTWARE, now=clocks.now)
        self.fault: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def quote(self, report_data: bytes) -> Quote:
        self.gate.wait(30)
        if self.fault is not None:
            raise self.fault
        return super().quote(report_data)


class House:
    """Everything that epochs are made of."""

    def __init__(
        self, *, active: float = HOUR, stale: float = HOUR, grace: float = 1800.0, capacity: int = 1000, **more: Any
    ) -> None:
        self.clocks = Clocks()
        self.device = Device(self.clocks)
        self.signing = NodeKeys()
        self.store = KeyStore(clock=self.clocks.clock, room=2 * capacity)
        self.gateway = Gateway(self.store)
        self.epochs = Epochs(
            boot=BOOT,
            signing=self.signing,
            store=self.store,
            quoter=Quoter(Machine(self.device), interval=0.0, timeout=more.pop("timeout", 10.0)),
            lifetimes=Lifetimes(active, stale, grace),
            replay_capacity=capacity,
            limits=DocumentLimits(gather=0.001),
            now=self.clocks.now,
            clock=self.clocks.clock,
            **more,
        )

    @property
    def key(self) -> KeyConfig:
        """The first key that is served."""
        return self.store.configs[0]

    def ask(self, key: KeyConfig | None = None) -> OpenedRequest:
        """A request as the node takes it: look, then open."""
        sealed = seal_request(key or self.key, b"message")
        self.epochs.standing()
        return self.gateway.open(sealed.body)

    async def advance(self, seconds: float) -> None:
        """Let time pass, and the driver see it."""
        self.clocks.advance(seconds)
        await self.settle()

    async def settle(self) -> None:
        """Let the driver look, and make what it wants."""
        self.epochs.look()
        self.epochs._wake.set()
        for _ in range(3):
            await asyncio.sleep(0.001)
        async with asyncio.timeout(10):
            while any(epoch.phase.value == "making" for epoch in self.epochs.live):  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.001)
        self.epochs.look()


def with_house(test: Callable[[House], Awaitable[T]], **more: Any) -> T:
    """Run `test` against epochs that have begun."""

    async def run() -> T:
        house = House(**more)
        await house.epochs.start()
        try:
            return await test(house)
        finally:
            house.device.gate.set()
            await house.epochs.close()

    return asyncio.run(run())
