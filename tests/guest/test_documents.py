"""Documents: one cached, one per nonce from few quotes, bounded and in time; checked by the real verifier's own parts."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from confide.attest.checks import Checks
from confide.attest.document import check_nonce, parse_document
from confide.attest.keyset import Isolation, Keyset
from confide.attest.snp.layout import parse_report
from confide.codes import Code
from confide.formats import merkle
from confide.guest import GuestError
from confide.guest.documents import DocumentLimits, DocumentSource
from confide.guest.keys import NodeKeys, content_keys
from confide.guest.keysets import Boot, make_keyset
from confide.guest.machine import Machine
from confide.guest.nonces import NonceTree
from confide.guest.quote import Quote
from confide.guest.quoter import Quoter
from confide_sim.device import FalseDevice

T = TypeVar("T")
SOFTWARE = bytes(32)
QUICK = DocumentLimits(gather=0.02)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def keyset(clock: Clock) -> Keyset:
    boot = Boot(
        software_digest=SOFTWARE,
        config_digest=bytes(32),
        isolation=Isolation.WORKER_PROCESS,
        models={"a": bytes(32)},
    )
    window = clock() - timedelta(minutes=5), clock() + timedelta(hours=1)
    return make_keyset(boot, signing=NodeKeys(), content=content_keys(range(8)), not_before=window[0], not_after=window[1])


def with_source(
    test: Callable[[DocumentSource, Clock], Awaitable[T]],
    limits: DocumentLimits = QUICK,
    *,
    interval: float = 0.01,
    timeout: float = 10.0,
) -> T:
    async def run() -> T:
        clock = Clock()
        device = FalseDevice(software_digest=SOFTWARE, now=clock)
        quoter = Quoter(Machine(device), interval=interval, timeout=timeout)
        source = DocumentSource(quoter=quoter, keyset=keyset(clock), limits=limits, now=clock)
        try:
            return await test(source, clock)
        finally:
            await source.close()

    return asyncio.run(run())


def check(document: bytes, nonce: bytes) -> bytes:
    """The nonce leads to the root, the root is in the report. The root."""
    parsed = parse_document(document)
    check_nonce(parsed, nonce, Checks())
    assert parse_report(parsed.evidence[0].items["report"]).report_data == parsed.binding
    return parsed.nonces


def test_the_cached_document_is_made_once_for_many_askers() -> None:
    async def test(source: DocumentSource, clock: Clock) -> None:
        documents = await asyncio.gather(*(source.current() for _ in range(20)))
        assert len(set(documents)) == 1
        assert source._quoter.quotes == 1

    with_source(test)


def test_it_is_renewed_when_it_is_old() -> None:
    async def test(source: DocumentSource, clock: Clock) -> None:
        first = await source.current()
        clock.now += timedelta(minutes=59)
        assert await source.current() == first
        clock.now += timedelta(minutes=1)
        second = await source.current()
        assert second != first
        assert parse_document(second).issued_at == clock.now

    with_source(test)


def test_it_is_renewed_before_its_collateral_ages() -> None:
    async def test(source: DocumentSource, clock: Clock) -> None:
        first = parse_document(await source.current())
        clock.now += timedelta(days=28, hours=22)
        assert parse_document(await source.current()).collateral["crl"] == first.collateral["crl"]
        clock.now += timedelta(hours=2)
        assert parse_document(await source.current()).collateral["crl"] != first.collateral["crl"]

    async def frozen(source: DocumentSource, clock: Clock) -> None:
        device = source._quoter.machine.tee
        quote, kept = device.quote, device.quote(bytes(64))
        later = lambda report_data: Quote(quote(report_data).evidence, kept.endorsements, kept.fresh_until)  # noqa: E731
        device.quote = later  # type: ignore[method-assign]
        await test(source, clock)

    with pytest.raises(AssertionError):  # a device that keeps its list: only the document is new
        with_source(frozen, DocumentLimits(max_age=timedelta(days=60)))
    with_source(test, DocumentLimits(max_age=timedelta(days=60)))


def test_nonces_that_come_together_share_a_quote_and_each_gets_its_own_path() -> None:
    async def test(source: DocumentSource, clock: Clock) -> None:
        nonces = [os.urandom(32) for _ in range(100)]
        documents = await asyncio.gather(*(source.fresh(nonce) for nonce in nonces))
        assert len({check(document, nonce) for document, nonce in zip(documents, nonces, strict=True)}) == 1
        assert source._quoter.quotes == 1

    with_source(test)


def test_a_nonce_that_comes_later_gets_a_later_quote() -> None:
    async def test(source: DocumentSource, clock: Clock) -> None:
        roots = {check(await source.fresh(nonce), nonce) for nonce in (b"\x02" * 32, b"\x01" * 32)}
        assert len(roots) == 2
        assert source._quoter.quotes == 2

    with_source(test)


def test_the_same_nonce_twice_is_one_leaf() -> None:
    async def test(source: DocumentSource, clock: Clock) -> None:
        one, two = await asyncio.gather(source.fresh(b"\x07" * 32), source.fresh(b"\x07" * 32))
        assert one == two

    with_source(test)


@pytest.mark.parametrize("nonce", [b"", b"x" * 31, b"x" * 33, b"x" * 64, bytes(32)])
def test_a_nonce_of_another_size_and_zero_are_refused(nonce: bytes) -> None:
    async def test(source: DocumentSource, clock: Clock) -> None:
        with pytest.raises(GuestError) as refused:
            await source.fresh(nonce)
        assert refused.value.code is Code.GUEST_NONCE

    with_source(test)


def test_too_many_waiting_nonces_are_refused_and_the_others_served() -> None:
    async def test(source: DocumentSource, clock: Clock) -> None:
        asked = [asyncio.create_task(source.fresh(number.to_bytes(32))) for number in range(1, 13)]
        results = await asyncio.gather(*asked, return_exceptions=True)
        refused = [result for result in results if isinstance(result, GuestError)]
        assert len(refused) == 2
        assert {error.code for error in refused} == {Code.GUEST_BUSY}
        assert sum(isinstance(result, bytes) for result in results) == 10

    with_source(test, DocumentLimits(gather=0.02, waiting=10))


def test_quotes_keep_their_distance_and_a_crowd_delays_a_strict_client_by_one_quote_only() -> None:
    async def test(source: DocumentSource, clock: Clock) -> None:
        loop = asyncio.get_running_loop()
        crowd = [asyncio.create_task(source.fresh(os.urandom(32))) for _ in range(50)]
        await asyncio.sleep(0.03)  # the first quote is under way
        crowd += [asyncio.create_task(source.fresh(os.urandom(32))) for _ in range(50)]
        started = loop.time()
        nonce = os.urandom(32)
        check(await source.fresh(nonce), nonce)
        assert loop.time() - started < 2
        await asyncio.gather(*crowd)
        assert source._quoter.quotes == 2

    with_source(test, interval=0.2)


def test_an_asker_that_leaves_takes_nobody_along() -> None:
    async def test(source: DocumentSource, clock: Clock) -> None:
        leaver = asyncio.create_task(source.fresh(b"\x01" * 32))
        first = asyncio.create_task(source.current())
        stayer = asyncio.create_task(source.fresh(b"\x02" * 32))
        await asyncio.sleep(0)
        leaver.cancel()
        first.cancel()
        check(await stayer, b"\x02" * 32)
        assert parse_document(await source.current()).nonce_path is None

    with_source(test)


def test_those_who_leave_make_room_and_cost_no_document() -> None:
    async def test(source: DocumentSource, clock: Clock) -> None:
        built: list[bytes] = []
        builds = source._document

        def counted(*what: Any, **more: Any) -> bytes:
            built.append(builds(*what, **more))
            return built[-1]

        source._document = counted  # type: ignore[method-assign]
        for _ in range(5):
            leavers = [asyncio.create_task(source.fresh(os.urandom(32))) for _ in range(10)]
            await asyncio.sleep(0)
            for leaver in leavers:
                leaver.cancel()
            await asyncio.wait(leavers)
        nonce = os.urandom(32)
        check(await source.fresh(nonce), nonce)
        assert (len(built), source._quoter.quotes) == (1, 1)

    with_source(test, DocumentLimits(gather=0.05, waiting=10))


def test_when_all_have_left_no_quote_is_taken() -> None:
    async def test(source: DocumentSource, clock: Clock) -> None:
        leaver = asyncio.create_task(source.fresh(os.urandom(32)))
        await asyncio.sleep(0)
        leaver.cancel()
        await asyncio.wait([leaver])
        await asyncio.sleep(0.05)
        assert source._quoter.quotes == 0
        nonce = os.urandom(32)
        check(await source.fresh(nonce), nonce)

    with_source(test)


def test_of_two_who_wait_for_one_nonce_one_may_leave() -> None:
    async def test(source: DocumentSource, clock: Clock) -> None:
        nonce = os.urandom(32)
        leaver, stayer = (asyncio.create_task(source.fresh(nonce)) for _ in range(2))
        await asyncio.sleep(0)
        leaver.cancel()
        check(await stayer, nonce)

    with_source(test)


def test_an_admission_changes_the_cached_document_and_takes_no_quote() -> None:
    async def test(source: DocumentSource, clock: Clock) -> None:
        source.set_admission(b"early")  # before there is a document
        first = parse_document(await source.current())
        clock.now += timedelta(minutes=1)
        shown = [first.admission]
        for envelope in (b"late", None):
            source.set_admission(envelope)
            document = parse_document(await source.current())
            assert (document.evidence, document.issued_at) == (first.evidence, first.issued_at)
            shown.append(document.admission)
        assert (shown, source._quoter.quotes) == ([b"early", b"late", None], 1)
        nonce = os.urandom(32)
        source.set_admission(b"nonced")
        assert parse_document(await source.fresh(nonce)).admission == b"nonced"

    with_source(test)


def test_a_device_that_fails_is_named_and_asked_again_later() -> None:
    async def test(source: DocumentSource, clock: Clock) -> None:
        quote, source._quoter.machine.tee.quote = source._quoter.machine.tee.quote, _broken  # type: ignore[method-assign]
        for asked in (source.current(), source.fresh(b"\x05" * 32)):
            with pytest.raises(GuestError) as refused:
                await asked
            assert refused.value.code is Code.GUEST_QUOTE
        source._quoter.machine.tee.quote = quote  # type: ignore[method-assign]
        await source.current()
        check(await source.fresh(b"\x05" * 32), b"\x05" * 32)

    with_source(test)


def _broken(report_data: bytes) -> Quote:
    raise OSError(16, "Device or resource busy")


def test_closing_refuses_whoever_still_waits() -> None:
    async def test(source: DocumentSource, clock: Clock) -> None:
        waiting = asyncio.create_task(source.fresh(b"\x05" * 32))
        await asyncio.sleep(0.01)
        await source.close()
        with pytest.raises(GuestError) as refused:
            await waiting
        assert refused.value.code is Code.GUEST_QUOTE

    with_source(test, DocumentLimits(gather=5))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13, 64, 100])
def test_the_tree_of_nonces_is_the_shared_one(count: int) -> None:
    nonces = [number.to_bytes(32) for number in range(count)]
    leaves = [merkle.leaf_hash(nonce) for nonce in nonces]
    tree = NonceTree(nonces)
    assert tree.root == merkle.root(leaves)
    for index in range(count):
        assert list(tree.path(index).path) == merkle.inclusion_path(leaves, index)
        assert (tree.path(index).index, tree.path(index).size) == (index, count)


@pytest.mark.parametrize("fault", [ValueError("evidence bytes"), RuntimeError(), OSError(5, "x"), KeyError("x")])
def test_whatever_the_device_raises_nobody_waits_for_ever_and_the_next_is_served(fault: Exception) -> None:
    async def test(source: DocumentSource, clock: Clock) -> None:
        device, works = source._quoter.machine.tee, source._quoter.machine.tee.quote

        def broken(report_data: bytes) -> Quote:
            raise fault

        device.quote = broken  # type: ignore[method-assign]
        for asked in (source.fresh(os.urandom(32)), source.fresh(os.urandom(32)), source.current()):
            with pytest.raises(GuestError) as refused:
                await asyncio.wait_for(asked, 5)
            assert refused.value.code is Code.GUEST_QUOTE
            assert "evidence bytes" not in str(refused.value)
        device.quote = works  # type: ignore[method-assign]
        nonce = os.urandom(32)
        check(await asyncio.wait_for(source.fresh(nonce), 5), nonce)

    with_source(test)


def test_a_document_that_cannot_be_built_fails_its_askers_only() -> None:
    async def test(source: DocumentSource, clock: Clock) -> None:
        builds, source._document = source._document, None  # type: ignore[assignment,method-assign] # a bug of ours
        with pytest.raises(GuestError):
            await asyncio.wait_for(source.fresh(os.urandom(32)), 5)
        source._document = builds  # type: ignore[method-assign]
        nonce = os.urandom(32)
        check(await asyncio.wait_for(source.fresh(nonce), 5), nonce)

    with_source(test)
