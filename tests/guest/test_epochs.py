"""Epochs: when keys come, are served, go on opening and die, by two clocks, with a device that works, fails or hangs."""

import asyncio
import time
from datetime import timedelta

import pytest
from tests.guest.rooms import HOUR, House, with_house
from tests.seal.fixtures import refused

from confide.attest.document import parse_document
from confide.codes import Code
from confide.guest import GuestError
from confide.guest.epoch import CLOCK_SKEW, PLENTY, Phase
from confide.seal.keyconfig import KeyConfig, parse_key_configs
from confide.seal.ohttp import OpenedError


def phases(house: House) -> list[str]:
    return [epoch.phase.value for epoch in house.epochs.live]


def test_the_first_epoch_is_active_and_its_document_and_keys_are_served() -> None:
    async def test(house: House) -> None:
        assert phases(house) == ["active"]
        document = parse_document(await house.epochs.document())
        assert document.keyset == house.epochs.keyset
        assert [key.config for key in document.keyset.ohttp_keys] == [key.raw for key in parse_key_configs(house.store.encode())]
        assert house.epochs.keyset_of(house.ask().key_config.raw) == document.keyset
        assert house.epochs.standing() is None

    with_house(test)


def test_the_window_holds_active_stale_and_the_longest_exchange() -> None:
    async def test(house: House) -> None:
        keyset, now = house.epochs.keyset, house.clocks.wall
        assert keyset.not_before == now.replace(microsecond=0) - CLOCK_SKEW
        whole = timedelta(seconds=HOUR + HOUR + 1800)
        assert whole <= keyset.not_after - now <= whole + timedelta(seconds=1)

    with_house(test)


def test_an_epoch_goes_from_pending_to_active_to_stale_to_dead() -> None:
    async def test(house: House) -> None:
        first, key = house.epochs.live[0], house.key
        await house.advance(HOUR - 301)
        assert phases(house) == ["active"]
        await house.advance(2)
        assert phases(house) == ["active", "pending"]
        second = house.epochs.live[1]
        assert house.key == key  # advertised nowhere
        quotes = house.epochs.quoter.quotes
        await house.advance(300)
        assert phases(house) == ["stale", "active"]
        assert (house.epochs.keyset, house.epochs.quoter.quotes) == (second.keyset, quotes)  # switching cost no quote
        assert house.key == second.held[0].config
        assert house.epochs.keyset_of(house.ask(key).key_config.raw) == first.keyset
        await house.advance(HOUR - 2)
        assert house.epochs.keyset_of(house.ask(key).key_config.raw) == first.keyset
        await house.advance(2)
        assert first.phase is Phase.DEAD
        assert all(held.private_key.wiped for held in first.held)
        with refused(Code.OHTTP_KEY_ID):
            house.ask(key)

    with_house(test)


def test_a_pending_document_is_told_to_nobody_and_a_stale_one_to_whoever_names_it() -> None:
    async def test(house: House) -> None:
        first = house.epochs.keyset.digest
        await house.advance(HOUR - 299)
        pending = house.epochs.live[-1]
        assert pending.phase is Phase.PENDING
        with pytest.raises(GuestError) as caught:
            await house.epochs.document(keyset=pending.keyset.digest)
        assert caught.value.code is Code.GUEST_KEYSET
        await house.advance(300)
        assert parse_document(await house.epochs.document(keyset=first)).keyset.digest == first
        fresh = parse_document(await house.epochs.document(keyset=first, nonce=b"\x07" * 32))
        assert (fresh.keyset.digest, fresh.nonce_path is None) == (first, False)
        assert parse_document(await house.epochs.document()).keyset == pending.keyset

    with_house(test)


def test_a_dead_keyset_is_looked_up_where_documents_are_stored() -> None:
    stored: dict[bytes, bytes] = {}

    async def test(house: House) -> None:
        first = house.epochs.keyset.digest
        document = await house.epochs.document()
        assert stored == {first: document}
        await house.advance(3 * HOUR)
        assert first != house.epochs.keyset.digest
        assert await house.epochs.document(keyset=first) == document
        for keyset, nonce in ((first, b"\x07" * 32), (bytes(32), None)):
            with pytest.raises(GuestError) as caught:
                await house.epochs.document(keyset=keyset, nonce=nonce)
            assert caught.value.code is Code.GUEST_KEYSET
        assert set(stored) == {first, house.epochs.keyset.digest}

    with_house(test, keep=stored.__setitem__, lookup=stored.get)


def test_storage_that_fails_does_not_keep_keys_from_changing(caplog: pytest.LogCaptureFixture) -> None:
    def full(digest: bytes, document: bytes) -> None:
        raise OSError(28, "No space left on device")

    async def test(house: House) -> None:
        first = house.epochs.keyset
        await house.advance(HOUR - 100)
        await house.advance(101)
        assert house.epochs.keyset != first

    with_house(test, keep=full)
    assert "is not stored: OSError" in caplog.text


def test_the_receipt_of_the_last_and_longest_exchange_lies_in_the_window_of_its_keyset() -> None:
    async def test(house: House) -> None:
        first, key = house.epochs.live[0], house.key
        await house.advance(HOUR - 100)
        await house.advance(101)
        await house.advance((first.ends - house.clocks.wall).total_seconds() - 0.001)
        if first.phase is not Phase.DEAD:  # the monotonic clock may end it a second earlier
            house.ask(key)
        issued_at = house.clocks.wall + timedelta(seconds=1800)
        keyset = house.epochs.keyset_of(key.raw)
        assert keyset.not_before <= issued_at < keyset.not_after
        await house.advance(1799)
        assert house.epochs.keyset_of(key.raw) == keyset  # the exchange may still be open
        await house.advance(10)
        with pytest.raises(KeyError):
            house.epochs.keyset_of(key.raw)

    with_house(test)


def test_a_clock_set_back_revives_nothing_and_stops_nothing() -> None:
    async def test(house: House) -> None:
        dead, start = house.key, house.clocks.wall
        await house.advance(3 * HOUR)
        house.clocks.wall = start
        await house.settle()
        with refused(Code.OHTTP_KEY_ID):
            house.ask(dead)
        keyset = house.epochs.keyset
        assert keyset.not_before <= house.clocks.wall < keyset.not_after
        house.ask()
        assert house.epochs.standing() is None

    with_house(test)


def test_a_clock_set_back_a_little_changes_nothing_and_the_other_clock_ends_the_keys_in_time() -> None:
    async def test(house: House) -> None:
        first = house.epochs.live[0]
        for _ in range(25):
            house.clocks.wall -= timedelta(seconds=200)
            await house.advance(200)
        assert house.clocks.ticks == 1000 + 5000
        assert phases(house)[0] == "stale"
        for _ in range(12):
            house.clocks.wall -= timedelta(seconds=200)
            await house.advance(200)
        assert first not in house.epochs.live
        assert house.epochs.keyset.not_before <= house.clocks.wall

    with_house(test)


@pytest.mark.parametrize("jump", [timedelta(hours=1, minutes=30), timedelta(hours=5), timedelta(days=4000)])
def test_a_clock_set_forward_brings_new_keys_at_once(jump: timedelta) -> None:
    async def test(house: House) -> None:
        first = house.epochs.live[0]
        house.clocks.wall += jump
        await house.settle()
        keyset = house.epochs.keyset
        assert keyset != first.keyset
        assert keyset.not_before <= house.clocks.wall < keyset.not_after
        assert first.phase is (Phase.STALE if jump < timedelta(hours=2) else Phase.DEAD)
        house.ask()
        house.clocks.wall -= jump  # and set right again
        await house.settle()
        keyset = house.epochs.keyset
        assert keyset.not_before <= house.clocks.wall < keyset.not_after
        house.ask()

    with_house(test)


def test_the_next_request_sees_a_clock_that_was_set_before_the_driver_does() -> None:
    async def test(house: House) -> None:
        key = house.key
        house.clocks.wall += timedelta(hours=3)
        with refused(Code.OHTTP_KEY_ID):
            house.ask(key)
        assert house.epochs.standing() is Code.NODE_EXPIRED
        with pytest.raises(GuestError) as caught:
            await house.epochs.document()
        assert caught.value.code is Code.NODE_EXPIRED

    with_house(test)


def test_a_device_that_fails_keeps_the_old_keys_as_long_as_their_window_allows(caplog: pytest.LogCaptureFixture) -> None:
    async def test(house: House) -> None:
        first = house.epochs.live[0]
        house.device.fault = OSError(5, "secret evidence")
        await house.advance(HOUR - 200)
        assert (phases(house), house.epochs.standing()) == (["active"], None)
        await house.advance(HOUR)
        house.ask()
        assert (house.epochs.keyset, house.epochs.standing()) == (first.keyset, Code.NODE_ROTATION)
        await house.advance(201)
        assert house.epochs.standing() is Code.NODE_EXPIRED
        assert (phases(house), house.store.configs) == ([], ())
        house.device.fault = None
        await house.advance(31)
        house.ask()
        assert house.epochs.standing() is None

    with_house(test)
    assert "no new keys: guest.quote, found errno 5; the present ones end 2026-11-25" in caplog.text
    assert "there are none now" in caplog.text
    assert "secret" not in caplog.text


def test_attempts_that_failed_use_up_no_key_ids() -> None:
    async def test(house: House) -> None:
        house.device.fault = OSError(5, "x")
        await house.advance(HOUR - 200)
        for _ in range(200):
            await house.advance(31)
        assert house.epochs._failures == 16
        house.device.fault = None
        await house.advance(31)
        assert house.epochs.standing() is None
        assert len(house.store.free_ids()) == 256 - 2 - 2

    with_house(test)


def test_a_device_that_hangs_is_given_up_and_neither_stops_service_nor_collects_threads() -> None:
    async def test(house: House) -> None:
        house.device.gate.clear()
        await house.advance(HOUR - 200)
        hanging = house.epochs.quoter._hanging
        assert hanging is not None
        started = time.monotonic()
        with pytest.raises(GuestError) as caught:
            await house.epochs.document(nonce=b"\x07" * 32)
        assert (caught.value.code, caught.value.found) == (Code.GUEST_QUOTE, "a device that has not answered yet")
        assert time.monotonic() - started < 5
        assert house.epochs.quoter._hanging is hanging
        house.ask()
        house.device.gate.set()
        hanging.join(10)
        await house.advance(31)
        assert phases(house) == ["active", "pending"]
        assert await house.epochs.document(nonce=b"\x07" * 32)

    with_house(test, timeout=0.05)


def test_a_start_without_evidence_fails_and_leaves_no_key() -> None:
    async def test() -> None:
        house = House()
        house.device.fault = OSError(5, "x")
        with pytest.raises(GuestError) as caught:
            await house.epochs.start()
        assert caught.value.code is Code.GUEST_QUOTE
        assert (house.epochs.live, len(house.store.free_ids())) == ((), 256)
        await house.epochs.close()

    asyncio.run(test())


def test_keys_change_before_a_replay_store_is_full() -> None:
    async def test(house: House) -> None:
        keysets = {house.epochs.keyset.digest}
        for _ in range(200):
            house.ask()
            await house.settle()
            keysets.add(house.epochs.keyset.digest)
            assert house.epochs.standing() is None
        assert len(keysets) == 1 + 200 // 14

    with_house(test, capacity=16)


def test_what_all_replay_stores_hold_is_bounded_and_the_oldest_epoch_makes_way() -> None:
    async def test(house: House) -> None:
        dead: list[KeyConfig] = []
        for _ in range(100):
            house.ask()
            await house.settle()
            assert sum(len(held.replay) for epoch in house.epochs.live for held in epoch.held) <= 32
            dead += [held.config for epoch in house.epochs.live if epoch.phase is Phase.STALE for held in epoch.held]
        assert len(house.epochs.live) <= 3
        with refused(Code.OHTTP_KEY_ID):
            house.ask(dead[0])

    with_house(test, capacity=16)


def test_a_full_store_without_new_keys_refuses_and_says_so() -> None:
    async def test(house: House) -> None:
        house.device.fault = OSError(5, "x")
        key = house.key
        for _ in range(4):
            house.ask(key)
        with pytest.raises(OpenedError) as caught:
            house.ask(key)
        assert caught.value.code is Code.OHTTP_REPLAY_STORE_FULL
        assert house.epochs.standing() is Code.NODE_SPENT
        house.device.fault = None
        await house.settle()
        house.ask()

    with_house(test, capacity=4)


def test_key_ids_never_run_out_because_epochs_last_longer_when_few_are_left() -> None:
    async def test(house: House) -> None:
        spans, ids = [], set[int]()
        for _ in range(PLENTY * 6):
            active = house.epochs.live[-1]
            assert house.epochs.standing() is None
            ids |= {held.config.key_id for held in active.held}
            await house.advance(active.lifetimes.active - active.lead / 2)
            await house.advance(active.lead / 2 + 0.1)
            spans.append(active.lifetimes.active)
        assert spans[:90] == [10.0] * 90
        assert max(spans) > 2000
        assert len(ids) > 200

    with_house(test, active=10.0, stale=10.0, grace=1.0)


def test_an_id_rests_for_a_day_after_its_key_died() -> None:
    async def test(house: House) -> None:
        last: dict[int, float] = {}
        for _ in range(400):
            at = house.clocks.ticks
            for epoch in house.epochs.live:
                for held in epoch.held if epoch.phase is Phase.PENDING else ():
                    died = last.get(held.config.key_id)
                    assert died is None or at - died >= 24 * HOUR
            alive = {held.config.key_id for epoch in house.epochs.live for held in epoch.held}
            await house.advance(200)
            for key_id in alive - {held.config.key_id for epoch in house.epochs.live for held in epoch.held}:
                last[key_id] = house.clocks.ticks
                assert key_id not in house.store.free_ids()
        assert len(last) > 100

    with_house(test, active=800.0, stale=800.0, grace=1.0)


def test_admissions_stand_in_all_documents_and_in_those_of_later_epochs() -> None:
    async def test(house: House) -> None:
        first = house.epochs.keyset.digest
        house.epochs.set_admission(b"envelope")
        assert parse_document(await house.epochs.document()).admission == b"envelope"
        await house.advance(HOUR - 100)
        await house.advance(101)
        for keyset in (None, first):
            assert parse_document(await house.epochs.document(keyset=keyset)).admission == b"envelope"
        quotes = house.epochs.quoter.quotes
        house.epochs.set_admission(None)
        assert parse_document(await house.epochs.document()).admission is None
        assert house.epochs.quoter.quotes == quotes

    with_house(test)


def test_closing_wipes_every_key_and_ends_every_wait() -> None:
    async def test(house: House) -> None:
        await house.advance(HOUR - 100)
        held = [held for epoch in house.epochs.live for held in epoch.held]
        assert len(held) == 4
        house.device.gate.clear()
        waiting = asyncio.create_task(house.epochs.document(nonce=b"\x07" * 32))
        await asyncio.sleep(0.01)
        await house.epochs.close()
        assert all(each.private_key.wiped for each in held)
        with pytest.raises(GuestError):
            await waiting
        assert house.epochs.standing() is Code.NODE_EXPIRED

    with_house(test)


def test_a_repr_shows_no_key() -> None:
    async def test(house: House) -> None:
        shown = repr(house.epochs.live) + repr(house.epochs)
        assert "PrivateKey" not in shown
        assert house.key.public_key.hex() not in shown

    with_house(test)
