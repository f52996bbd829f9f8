import threading

import pytest
from tests.seal.fixtures import refused

from confide.codes import Code
from confide.errors import ChannelError
from confide.seal.replay import ReplayStore, Room, request_id


def identifier(number: int) -> bytes:
    return request_id(b"config", number.to_bytes(4, "big"))


def test_an_identifier_is_accepted_once() -> None:
    store = ReplayStore()
    store.record(identifier(1))
    store.record(identifier(2))
    with refused(Code.OHTTP_REPLAYED):
        store.record(identifier(1))
    assert len(store) == 2


def test_a_full_store_refuses_and_never_forgets() -> None:
    store = ReplayStore(capacity=2)
    filling = []
    for number in (1, 2):
        store.record(identifier(number))
        filling.append(store.full)
    assert filling == [False, True]
    with refused(Code.OHTTP_REPLAY_STORE_FULL):
        store.record(identifier(3))
    with refused(Code.OHTTP_REPLAYED):
        store.record(identifier(1))


def test_how_full_a_store_is_is_told_before_it_is_full() -> None:
    store = ReplayStore(capacity=4)
    told = [store.fill]
    for number in range(3):
        store.record(identifier(number))
        told.append(store.fill)
    assert told == [0.0, 0.25, 0.5, 0.75]


def test_a_closed_store_records_nothing_and_gives_its_places_back() -> None:
    room = Room(3)
    store, other = ReplayStore(3, room), ReplayStore(3, room)
    for number in range(3):
        store.record(identifier(number))
    assert other.full
    with refused(Code.OHTTP_REPLAY_STORE_FULL):
        other.record(identifier(9))
    store.close()
    with refused(Code.OHTTP_KEY_ID):
        store.record(identifier(9))
    other.record(identifier(9))
    assert (len(store), len(other), room.taken) == (0, 1, 1)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_an_identifier_is_a_sha_256(length: int) -> None:
    with refused(Code.OHTTP_STATE):
        ReplayStore().record(bytes(length))


def test_the_identifier_covers_configuration_and_enc() -> None:
    assert len({request_id(b"a", b"b"), request_id(b"b", b"b"), request_id(b"a", b"c")}) == 3


def test_of_many_threads_with_one_request_exactly_one_is_accepted() -> None:
    store, accepted, start = ReplayStore(), [], threading.Barrier(8)

    def record() -> None:
        start.wait()
        for number in range(200):
            try:
                store.record(identifier(number))
            except ChannelError:
                continue
            accepted.append(number)

    threads = [threading.Thread(target=record) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(accepted) == list(range(200))
