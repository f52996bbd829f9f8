"""Flows: what a client does, written once, without input or output of its own; and the two drivers that run them.

A flow is a generator. It yields an effect where it needs the world, is sent what came of it, and returns its value:

    def health(path: str) -> Flow[bool]:
        reply = yield from get(path, limit=100)
        return reply.status == 200

    drive(health("/healthz"), transport)                    # blocks
    await drive_async(health("/healthz"), transport)        # does not

An error of an effect is raised at its `yield`, cancellation too, so `try` and `finally` work as ever. What must happen in any case
(`shut`, a lock's `release`) belongs there. Flows call flows with `yield from`.

**To add a feature**: write `def feature_flow(core: Core, ...) -> Flow[Result]` in a module of its own. It asks the node with
`done = yield from core.request("POST", path, content=...)` (`confide.client.core`: sealed, repeated as allowed, receipt checked),
waits with `yield from sleep(seconds)`, touches files with `yield from blocking(function)`. Then each twin gets one method in which
nothing happens but `return self.drive(feature_flow(self.core, ...))` in `Node`, and the same with `await` in `AsyncNode`.

Left to others: the wire (`transport`, `transport_async`), which flows there are (`source`, `session`, `exchange`, `streaming`,
`core`).
"""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from confide.client.transport import AsyncIncoming, AsyncTransport, Body, Incoming, Reply, Transport

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")
Flow = Generator["Effect", Any, T]


class Effect(ABC):
    """Something that takes time or touches the world. Both ways of doing it mean the same."""

    __slots__ = ()

    @abstractmethod
    def perform(self, transport: Transport) -> Any:
        """Do it and wait."""

    @abstractmethod
    async def perform_async(self, transport: AsyncTransport) -> Any:
        """Do it without holding up the event loop."""


def drive(flow: Flow[T], transport: Transport) -> T:
    """Run a flow to its end; blocks."""
    try:
        effect = next(flow)
        while True:
            try:
                came = effect.perform(transport)
            except BaseException as error:  # noqa: BLE001 - the flow decides what an error means, and raises it again or not
                effect = flow.throw(error)
            else:
                effect = flow.send(came)
    except StopIteration as ended:
        return cast("T", ended.value)


async def drive_async(flow: Flow[T], transport: AsyncTransport) -> T:
    """Run a flow to its end in the running event loop."""
    try:
        effect = next(flow)
        while True:
            try:
                came = await effect.perform_async(transport)
            except BaseException as error:  # noqa: BLE001 - as in `drive`; cancellation passes through the flow, which cleans up
                effect = flow.throw(error)
            else:
                effect = flow.send(came)
    except StopIteration as ended:
        return cast("T", ended.value)


def get(path: str, *, limit: int) -> Flow[Reply]:
    """`GET path`, at most `limit` bytes of answer."""
    reply: Reply = yield Get(path, limit)
    return reply


def post(path: str, body: bytes, *, headers: Mapping[str, str], limit: int) -> Flow[Reply]:
    """`POST path`, at most `limit` bytes of answer."""
    reply: Reply = yield Post(path, body, headers, limit)
    return reply


def begin(path: str, body: Body, *, headers: Mapping[str, str]) -> Flow["Incoming | AsyncIncoming"]:
    """`POST path`; returns when the head of the answer is there. Whoever calls this calls `shut`."""
    incoming: Incoming | AsyncIncoming = yield Begin(path, body, headers)
    return incoming


def read(incoming: "Incoming | AsyncIncoming") -> Flow[bytes]:
    """The next bytes of an answer, as they come; none at its end."""
    piece: bytes = yield Read(incoming)
    return piece


def shut(incoming: "Incoming | AsyncIncoming") -> Flow[None]:
    """Give the connection back; where the answer has not ended, close it, so that the node stops working on it."""
    yield Shut(incoming)


def sleep(seconds: float) -> Flow[None]:
    """Wait."""
    yield Sleep(seconds)


def blocking(function: Callable[[], T]) -> Flow[T]:
    """Call what may block (files) or takes long; in the asynchronous driver, in a thread."""
    came: T = yield Blocking(function)
    return came


def acquire(lock: "threading.Lock | asyncio.Lock") -> Flow[None]:
    """Take a lock of the driver's kind. Release it in a `finally` with `lock.release()`, which never waits."""
    yield Acquire(lock)


@dataclass(frozen=True, slots=True)
class Get(Effect):
    """See `get`."""

    path: str
    limit: int

    def perform(self, transport: Transport) -> Reply:
        return transport.get(self.path, limit=self.limit)

    async def perform_async(self, transport: AsyncTransport) -> Reply:
        return await transport.get(self.path, limit=self.limit)


@dataclass(frozen=True, slots=True)
class Post(Effect):
    """See `post`."""

    path: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str]
    limit: int

    def perform(self, transport: Transport) -> Reply:
        return transport.post(self.path, self.body, headers=self.headers, limit=self.limit)

    async def perform_async(self, transport: AsyncTransport) -> Reply:
        return await transport.post(self.path, self.body, headers=self.headers, limit=self.limit)


@dataclass(frozen=True, slots=True)
class Begin(Effect):
    """See `begin`."""

    path: str
    body: Body = field(repr=False)
    headers: Mapping[str, str]

    def perform(self, transport: Transport) -> Incoming:
        return transport.begin(self.path, self.body, headers=self.headers)

    async def perform_async(self, transport: AsyncTransport) -> AsyncIncoming:
        return await transport.begin(self.path, self.body, headers=self.headers)


@dataclass(frozen=True, slots=True)
class Read(Effect):
    """See `read`."""

    incoming: "Incoming | AsyncIncoming"

    def perform(self, transport: Transport) -> bytes:  # noqa: ARG002
        return cast("Incoming", self.incoming).read()

    async def perform_async(self, transport: AsyncTransport) -> bytes:  # noqa: ARG002
        return await cast("AsyncIncoming", self.incoming).read()


@dataclass(frozen=True, slots=True)
class Shut(Effect):
    """See `shut`."""

    incoming: "Incoming | AsyncIncoming"

    def perform(self, transport: Transport) -> None:  # noqa: ARG002
        cast("Incoming", self.incoming).close()

    async def perform_async(self, transport: AsyncTransport) -> None:  # noqa: ARG002
        await cast("AsyncIncoming", self.incoming).close()


@dataclass(frozen=True, slots=True)
class Sleep(Effect):
    """See `sleep`."""

    seconds: float

    def perform(self, transport: Transport) -> None:  # noqa: ARG002
        time.sleep(self.seconds)

    async def perform_async(self, transport: AsyncTransport) -> None:  # noqa: ARG002
        import asyncio  # noqa: PLC0415 - a client that never waits this way does not load it

        await asyncio.sleep(self.seconds)


@dataclass(frozen=True, slots=True)
class Blocking(Effect):
    """See `blocking`."""

    function: Callable[[], Any]

    def perform(self, transport: Transport) -> Any:  # noqa: ARG002
        return self.function()

    async def perform_async(self, transport: AsyncTransport) -> Any:  # noqa: ARG002
        import asyncio  # noqa: PLC0415

        return await asyncio.to_thread(self.function)


@dataclass(frozen=True, slots=True)
class Acquire(Effect):
    """See `acquire`."""

    lock: "threading.Lock | asyncio.Lock"

    def perform(self, transport: Transport) -> None:  # noqa: ARG002
        cast("threading.Lock", self.lock).acquire()

    async def perform_async(self, transport: AsyncTransport) -> None:  # noqa: ARG002
        await cast("asyncio.Lock", self.lock).acquire()
