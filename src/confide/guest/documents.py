"""Evidence documents of one keyset, from few quotes.

Quotes are dear (firmware signs one at a time, and throttles); documents are asked for by anyone. So:

1. The document without a nonce is made once and kept until it is `max_age` old or its collateral is about to age. Another admission
   makes another document of the same quote.
2. Nonces are gathered for `gather` into one quote over their RFC 9162 root; each asker gets the document with its own path
   (DESIGN section 4). A quote takes *every* nonce that waits when its turn comes, so a crowd of strangers delays a strict client by
   one quote at most. Each asker's document is made when that asker takes it, and an asker that leaves takes its nonce along.
3. The number of waiting nonces is bounded; beyond it `guest.busy` is raised.

Left to others: the device and its pace (`guest.quoter`), which keysets there are (`guest.epochs`), the formats (`attest`), HTTP
(`server.outer`).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from confide.attest.binding import NO_NONCES
from confide.attest.document import NoncePath, build_document
from confide.attest.keyset import Keyset
from confide.codes import Code
from confide.guest import GuestError
from confide.guest.machine import Subject
from confide.guest.nonces import NonceTree
from confide.guest.quote import Quote
from confide.guest.quoter import Quoter, no_quote

NONCE_SIZE = 32
RENEW_BEFORE = timedelta(hours=1)  # before collateral ages: clients keep a verified document for a while
AT_ONCE = 32  # askers answered in a row: a crowd's documents must not hold up other requests


@dataclass(frozen=True)
class DocumentLimits:
    """Bounds on what askers can cost."""

    max_age: timedelta = timedelta(hours=1)
    waiting: int = 8192
    gather: float = 0.1  # seconds


@dataclass(frozen=True)
class _Cached:
    quote: Quote
    made: datetime
    document: bytes
    stale_at: datetime


@dataclass(frozen=True)
class _Ticket:
    """What one asker's document is made of."""

    quote: Quote
    tree: NonceTree
    index: int


@dataclass(eq=False)
class _Waiter:
    """A nonce that waits, with the number of those who asked for it and have not left."""

    ticket: "asyncio.Future[_Ticket]"
    askers: int = 0


def utc_now() -> datetime:
    """The host's clock: advisory, never evidence."""
    return datetime.now(UTC)


class DocumentSource:
    """Documents of one keyset. Lives on one event loop."""

    def __init__(
        self, *, quoter: Quoter, keyset: Keyset, limits: DocumentLimits | None = None, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._quoter, self.keyset, self._limits, self._now = quoter, keyset, limits or DocumentLimits(), now
        self._admission: bytes | None = None
        self._cached: _Cached | None = None
        self._refreshing: asyncio.Task[_Cached] | None = None
        self._waiting: dict[bytes, _Waiter] = {}
        self._gathering: asyncio.Task[None] | None = None

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
            waiter = self._waiting[nonce] = _Waiter(asyncio.get_running_loop().create_future())
        if self._gathering is None or self._gathering.done():
            self._gathering = asyncio.create_task(self._gather())
        ticket = await self._ticket(nonce, waiter)
        try:
            return self._document(ticket.quote, ticket.tree.root, ticket.tree.path(ticket.index))
        except GuestError:
            raise
        except Exception as error:  # noqa: BLE001 - a document that cannot be built is a quote that cannot be used
            raise no_quote(error) from None

    async def _ticket(self, nonce: bytes, waiter: _Waiter) -> _Ticket:
        """Wait for the quote. A nonce that nobody waits for any more makes room for others."""
        waiter.askers += 1
        try:
            return await asyncio.shield(waiter.ticket)
        except asyncio.CancelledError:
            waiter.askers -= 1
            if not waiter.askers and self._waiting.get(nonce) is waiter:
                del self._waiting[nonce]
            raise

    def set_admission(self, envelope: bytes | None) -> None:
        """Show this admission from now on, or none: in the cached document too, which needs no other quote for that."""
        self._admission = envelope
        cached = self._cached
        if cached is not None:
            document = self._document(cached.quote, NO_NONCES, None, at=cached.made)
            self._cached = _Cached(cached.quote, cached.made, document, cached.stale_at)

    async def close(self) -> None:
        """Stop gathering; whoever still waits gets `guest.quote`."""
        for task in (self._gathering, self._refreshing):
            if task is not None and not task.done():
                task.cancel()
                await asyncio.wait([task])
        self._fail(self._waiting, _stopping())
        self._waiting = {}

    async def _refresh(self) -> _Cached:
        quote = await self._quoter.quote(Subject(NO_NONCES, self.keyset.raw))
        made = self._now()
        stale_at = min(made + self._limits.max_age, quote.fresh_until - RENEW_BEFORE)
        self._cached = _Cached(quote, made, self._document(quote, NO_NONCES, None, at=made), stale_at)
        return self._cached

    async def _gather(self) -> None:
        """One quote per round over all nonces that wait when its turn comes, until none wait."""
        while self._waiting:
            await asyncio.sleep(self._limits.gather)
            batch: dict[bytes, _Waiter] = {}
            try:
                async with self._quoter.turn() as ask:
                    batch, self._waiting = self._waiting, batch
                    if not batch:
                        return  # all left
                    tree = NonceTree(list(batch))
                    quote = await ask(Subject(tree.root, self.keyset.raw))
                await self._answer(batch, quote, tree)
            except asyncio.CancelledError:
                self._fail(batch, _stopping())
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, nobody may be left waiting, nor those who come after
                self._fail(batch, error if isinstance(error, GuestError) else no_quote(error))

    @staticmethod
    async def _answer(batch: dict[bytes, _Waiter], quote: Quote, tree: NonceTree) -> None:
        for index, waiter in enumerate(batch.values()):
            if not waiter.ticket.done():
                waiter.ticket.set_result(_Ticket(quote, tree, index))
            if index % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)

    def _document(self, quote: Quote, nonces: bytes, path: NoncePath | None, *, at: datetime | None = None) -> bytes:
        return build_document(
            keyset=self.keyset,
            nonces=nonces,
            nonce_path=path,
            evidence=quote.evidence,
            endorsements=quote.endorsements,
            others=[(each.evidence, each.endorsements) for each in quote.others],
            admission=self._admission,
            issued_at=(at or self._now()).replace(microsecond=0),
        )

    @staticmethod
    def _fail(batch: dict[bytes, _Waiter], error: GuestError) -> None:
        for waiter in batch.values():
            if not waiter.ticket.done():
                waiter.ticket.set_exception(error)
                waiter.ticket.exception()  # an asker that left must not show as "exception never retrieved"


def _stopping() -> GuestError:
    return GuestError(Code.GUEST_QUOTE, found="a node that stops", wanted="a running node")
