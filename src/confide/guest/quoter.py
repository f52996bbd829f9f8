"""The TEE device, asked by all: one quote at a time, at a distance, and nobody waits for it for ever.

Firmware signs one report at a time and throttles whoever asks too often. A driver may also hang, and a thread that hangs in a
system call cannot be ended; so each quote is taken on a thread that nobody waits for when the process ends, and while one has not
come back no other is started. What is asked is computed when its turn comes (`turn`), so that it covers whoever came until then.

Left to others: the device and what stands beside it (`guest.machine`), what is quoted (`guest.documents`), when keys are renewed
(`guest.epochs`).
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable

from confide.codes import Code
from confide.guest import GuestError
from confide.guest.machine import Machine, Subject
from confide.guest.quote import Quote

Ask = Callable[[Subject], Awaitable[Quote]]


class Quoter:
    """One machine. Lives on one event loop."""

    def __init__(self, machine: Machine, *, interval: float = 0.2, timeout: float = 10.0) -> None:
        self.machine, self._interval, self._timeout = machine, interval, timeout
        self._turn = asyncio.Lock()  # asyncio's locks are fair: whoever waits longest is next
        self._next_quote = 0.0
        self._hanging: threading.Thread | None = None
        self.quotes = 0

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[Ask]:
        """The device for the length of a block, once it may be asked again: for one quote."""
        async with self._turn:
            delay = self._next_quote - asyncio.get_running_loop().time()
            if delay > 0:
                await asyncio.sleep(delay)
            yield self._ask

    async def quote(self, subject: Subject) -> Quote:
        """A quote in its turn.

        Raises:
            GuestError: `guest.quote`, also when the device gave nothing within its time.
        """
        async with self.turn() as ask:
            return await ask(subject)

    async def _ask(self, subject: Subject) -> Quote:
        if self._hanging is not None and self._hanging.is_alive():
            raise GuestError(Code.GUEST_QUOTE, found="a device that has not answered yet", wanted="a quote")
        loop = asyncio.get_running_loop()
        self._next_quote = loop.time() + self._interval
        self.quotes += 1
        answer: asyncio.Future[Quote] = loop.create_future()
        thread = threading.Thread(target=_work, args=(self.machine, subject, loop, answer), name="quote", daemon=True)
        thread.start()
        try:
            async with asyncio.timeout(self._timeout):
                return await answer
        except TimeoutError:
            raise GuestError(Code.GUEST_QUOTE, found=f"no answer in {self._timeout} s", wanted="a quote") from None
        finally:
            if not answer.done() or answer.cancelled():
                self._hanging = thread


def _work(machine: Machine, subject: Subject, loop: asyncio.AbstractEventLoop, answer: "asyncio.Future[Quote]") -> None:
    """On its thread. The loop may be gone by the time a slow device answers."""
    result: Quote | GuestError
    try:
        result = machine.quote(subject)
    except GuestError as error:
        result = error
    except Exception as error:  # noqa: BLE001 - a device's driver may fail as it likes
        result = no_quote(error)
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(_give, answer, result)


def _give(answer: "asyncio.Future[Quote]", result: Quote | GuestError) -> None:
    if answer.done():  # nobody waits any more
        return
    if isinstance(result, GuestError):
        answer.set_exception(result)
    else:
        answer.set_result(result)


def no_quote(error: Exception) -> GuestError:
    """What failed, without the message, which may hold evidence."""
    found = f"errno {error.errno}" if isinstance(error, OSError) else type(error).__name__
    return GuestError(Code.GUEST_QUOTE, found=found, wanted="a quote")
