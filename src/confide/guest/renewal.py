"""Keeps a node's collateral fresh in the background, so that no quote ever waits for a vendor's service.

Left to others: when it is time (`collateral.keeper`), and what the collateral is worth (`attest`).
"""

import asyncio
import contextlib
import logging

from confide.guest.machine import Machine

log = logging.getLogger("confide.guest")
EVERY = 300.0  # seconds between looks at the clock; most of them find that it is not time


class Renewal:
    """A task of one node. Lives on one event loop."""

    def __init__(self, machine: Machine, *, every: float = EVERY) -> None:
        self._machine, self._every = machine, every
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; the first look comes after a while, since opening a TEE asks already."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="renewal")

    async def close(self) -> None:
        """End; a question that is on its way ends by its own deadline, on its own thread."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            try:
                await asyncio.to_thread(self._machine.renew)
            except Exception as error:  # noqa: BLE001 - a device's driver may fail as it likes; the next look comes
                log.warning("collateral was not renewed: %s", type(error).__name__)
