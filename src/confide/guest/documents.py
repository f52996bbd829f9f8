"""Serves evidence documents from few quotes.

Quotes are dear (firmware signs one at a time, and throttles); documents are asked for by anyone. So:

1. The document without a nonce is made once and kept until it is `max_age` old or its collateral is about to age.
2. Nonces are gathered for `gather` into one quote over their RFC 9162 root; each asker gets the document with its own path
   (DESIGN section 4). A quote takes *every* nonce that waits, so a crowd of strangers delays a strict client by one quote at most.
3. Quotes start at least `quote_interval` apart. The number of waiting nonces is bounded; beyond it `guest.busy` is raised.

Left to others: the TEE (`guest.tee`), the formats (`attest`), HTTP (`server.outer`).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from confide.attest.binding import NO_NONCES, binding
from confide.attest.document import NoncePath, build_document
from confide.attest.keyset import Keyset
from confide.codes import Code
from confide.guest import GuestError
from confide.guest.nonces import NonceTree
from confide.guest.tee import Quote, Tee

NONCE_SIZE = 32
RENEW_BEFORE = timedelta(hours=1)  # before collateral ages: clients keep a verified document for a while


@dataclass(frozen=True)
class DocumentLimits:
    """Bounds on what askers can cost."""

    max_age: timedelta = timedelta(hours=1)
    waiting: int = 8192
    gather: float = 0.1  # seconds
    quote_interval: float = 0.2  # seconds


@dataclass(frozen=True)
class _Cached:
    document: bytes
    stale_at: datetime


def utc_now() -> datetime:
    """The host's clock: advisory, never evidence."""
    return datetime.now(UTC)


class DocumentSource:
    """Documents of one keyset. Lives on one event loop; quotes are taken on a thread."""

    def __init__(
        self, *, tee: Tee, keyset: Keyset, limits: DocumentLimits | None = None, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._tee, self._keyset, self._limits, self._now = tee, keyset, limits or DocumentLimits(), now
        self._admission: bytes | None = None
        self._cached: _Cached | None = None
        self._quoted: tuple[Quote, datetime] | None = None
        self._refreshing: asyncio.Task[_Cached] | None = None
        self._waiting: dict[bytes, asyncio.Future[bytes]] = {}
        self._gathering: asyncio.Task[None] | None = None
        self._device = asyncio.Lock()
        self._next_quote = 0.0
        self.quotes = 0

    async def current(self) -> bytes:
        """The document without a nonce, from the cache while it is young enough."""
        cached = self._cached
        if cached is None or self._now() >= cached.stale_at:
            if self._refreshing is None or self._refreshing.done():
                self._refreshing = asyncio.create_task(self._refresh())
            cached = await asyncio.shield(self._refreshing)  # one asker that leaves must not fail the others
        return cached.document

    async def fresh(self, nonce: bytes) -> bytes:
        """A document whose quote covers `nonce`.

        Raises:
            GuestError: `guest.nonce`, `guest.busy` when too many wait, `guest.quote` when the device fails.
        """
        if len(nonce) != NONCE_SIZE or nonce == NO_NONCES:  # no verifier takes zero for a nonce
            raise GuestError(Code.GUEST_NONCE, found=f"{len(nonce)} bytes", wanted=f"{NONCE_SIZE} random bytes")
        waiter = self._waiting.get(nonce)
        if waiter is None:
            if len(self._waiting) >= self._limits.waiting:
                raise GuestError(
                    Code.GUEST_BUSY, found=f"{len(self._waiting)} waiting", wanted=f"fewer than {self._limits.waiting}"
                )
            waiter = self._waiting[nonce] = asyncio.get_running_loop().create_future()
        if self._gathering is None or self._gathering.done():
            self._gathering = asyncio.create_task(self._gather())
        return await asyncio.shield(waiter)

    def set_admission(self, envelope: bytes | None) -> None:
        """From now on documents carry this admission, or none. The TEE's evidence does not cover it, so no quote is needed."""
        self._admission = envelope
        if self._quoted is not None:
            self._cached = self._keep(*self._quoted)

    async def close(self) -> None:
        """Stop gathering; whoever still waits gets `guest.quote`."""
        for task in (self._gathering, self._refreshing):
            if task is not None and not task.done():
                task.cancel()
                await asyncio.wait([task])
        self._fail(self._waiting, GuestError(Code.GUEST_QUOTE, found="a node that stops", wanted="a running node"))
        self._waiting = {}

    async def _refresh(self) -> _Cached:
        quote = await self._quote(NO_NONCES)
        stale_at = min(self._now() + self._limits.max_age, quote.fresh_until - RENEW_BEFORE)
        self._quoted = quote, stale_at
        self._cached = self._keep(quote, stale_at)
        return self._cached

    def _keep(self, quote: Quote, stale_at: datetime) -> _Cached:
        return _Cached(self._document(quote, NO_NONCES, None), stale_at)

    async def _gather(self) -> None:
        """One quote per round over all nonces that wait when it starts, until none wait."""
        while self._waiting:
            await asyncio.sleep(self._limits.gather)
            await self._hold_back()
            batch, self._waiting = self._waiting, {}
            try:
                await self._answer(batch)
            except asyncio.CancelledError:
                self._fail(batch, GuestError(Code.GUEST_QUOTE, found="a node that stops", wanted="a running node"))
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, nobody may be left waiting, nor those who come after
                self._fail(batch, error if isinstance(error, GuestError) else _no_quote(error))

    async def _answer(self, batch: dict[bytes, asyncio.Future[bytes]]) -> None:
        tree = NonceTree(list(batch))
        quote = await self._quote(tree.root)
        for index, waiter in enumerate(batch.values()):
            if not waiter.done():
                waiter.set_result(self._document(quote, tree.root, tree.path(index)))
            if index % 32 == 31:
                await asyncio.sleep(0)  # a crowd's documents must not hold up other requests

    async def _hold_back(self) -> None:
        delay = self._next_quote - asyncio.get_running_loop().time()
        if delay > 0:
            await asyncio.sleep(delay)

    async def _quote(self, nonces: bytes) -> Quote:
        report_data = binding(nonces=nonces, keyset=self._keyset.raw)
        async with self._device:
            await self._hold_back()
            self._next_quote = asyncio.get_running_loop().time() + self._limits.quote_interval
            self.quotes += 1
            try:
                return await asyncio.to_thread(self._tee.quote, report_data)
            except GuestError:
                raise
            except Exception as error:  # noqa: BLE001 - a device's driver may fail as it likes
                raise _no_quote(error) from None

    def _document(self, quote: Quote, nonces: bytes, path: NoncePath | None) -> bytes:
        return build_document(
            keyset=self._keyset,
            nonces=nonces,
            nonce_path=path,
            evidence=(quote.evidence,),
            endorsements=quote.endorsements,
            admission=self._admission,
            issued_at=self._now().replace(microsecond=0),
        )

    @staticmethod
    def _fail(batch: dict[bytes, asyncio.Future[bytes]], error: GuestError) -> None:
        for waiter in batch.values():
            if not waiter.done():
                waiter.set_exception(error)
                waiter.exception()  # an asker that left must not show as "exception never retrieved"


def _no_quote(error: Exception) -> GuestError:
    """What failed, without the message, which may hold evidence."""
    found = f"errno {error.errno}" if isinstance(error, OSError) else type(error).__name__
    return GuestError(Code.GUEST_QUOTE, found=found, wanted="a quote")
