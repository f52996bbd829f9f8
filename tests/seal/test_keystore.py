from tests.seal.fixtures import node, refused

from confide.codes import Code
from confide.seal.chunked import ChunkedRequestSealer
from confide.seal.hpke import Kem, PrivateKey
from confide.seal.keyconfig import build_key_config, parse_key_configs
from confide.seal.keystore import KEY_IDS, REST_SECONDS, KeyStore
from confide.seal.ohttp import Gateway, seal_request


def test_what_is_advertised_is_a_proper_list_with_post_quantum_first() -> None:
    here = node()
    assert parse_key_configs(here.keys.encode()) == (here.configs[Kem.XWING], here.configs[Kem.X25519])


def test_a_pending_key_opens_before_it_is_advertised_and_a_stale_one_after() -> None:
    keys, private = KeyStore(), PrivateKey.generate(Kem.X25519)
    config = build_key_config(9, Kem.X25519, private.public_bytes)
    keys.add(config, private, advertised=False)
    pending = keys.configs
    keys.advertise(9)
    active = keys.configs
    keys.withdraw(9)
    assert (pending, active, keys.configs) == ((), (config,), ())
    assert Gateway(keys).open(seal_request(config, b"message").body).message == b"message"


def test_a_retired_key_is_wiped_and_unknown() -> None:
    here = node()
    held = here.keys.get(1)
    body = seal_request(here.configs[Kem.X25519], b"").body
    here.keys.retire(1)
    assert held.private_key.wiped
    with refused(Code.OHTTP_KEY_ID):
        here.gateway.open(body)
    with refused(Code.OHTTP_KEY_ID):
        here.keys.retire(1)


def test_an_id_in_use_is_refused() -> None:
    here, private = node(), PrivateKey.generate(Kem.X25519)
    with refused(Code.OHTTP_STATE):
        here.keys.add(build_key_config(1, Kem.X25519, private.public_bytes), private)


def test_an_id_rests_for_a_day_after_its_key_died() -> None:
    class Clock:
        seconds = 0.0

    keys, private = KeyStore(clock=lambda: Clock.seconds), PrivateKey.generate(Kem.X25519)
    config = build_key_config(7, Kem.X25519, private.public_bytes)
    keys.add(config, private)
    assert 7 not in keys.free_ids()
    keys.retire(7)
    another = PrivateKey.generate(Kem.X25519)
    config = build_key_config(7, Kem.X25519, another.public_bytes)
    for seconds in (0.0, REST_SECONDS - 1):
        Clock.seconds = seconds
        assert len(keys.free_ids()) == KEY_IDS - 1
        with refused(Code.OHTTP_STATE):
            keys.add(config, another)
    Clock.seconds = REST_SECONDS
    assert 7 in keys.free_ids()
    keys.add(config, another)
    keys.retire(7, shown=False)  # nobody was told of it: no rest
    assert 7 in keys.free_ids()


def test_a_request_half_open_when_its_key_dies_is_not_opened() -> None:
    """Neither the one that waited for its first chunk, nor a copy of it: nothing is recorded any more, so nothing may pass."""
    here = node()
    sealer = ChunkedRequestSealer(here.configs[Kem.X25519])
    body = sealer.write(b"first") + sealer.finish(b"last")
    openers = [here.gateway.open_chunked() for _ in range(2)]
    for opener in openers:
        assert list(opener.feed(body[:40])) == []
    assert openers[0].encapsulation is not None
    here.keys.retire(1)
    for opener in openers:
        with refused(Code.OHTTP_KEY_ID):
            opener.feed(body[40:])
        assert opener.sealer is None


def test_all_live_keys_share_one_room_and_a_dead_key_gives_its_places_back() -> None:
    keys, configs = KeyStore(room=4), []
    for key_id in (1, 2, 3):
        private = PrivateKey.generate(Kem.X25519)
        configs.append(build_key_config(key_id, Kem.X25519, private.public_bytes))
        keys.add(configs[-1], private, replay_capacity=3)
    gateway = Gateway(keys)
    for config in (configs[0], configs[0], configs[0], configs[1]):
        gateway.open(seal_request(config, b"m").body)
    assert keys.crowding == 1.0
    with refused(Code.OHTTP_REPLAY_STORE_FULL):
        gateway.open(seal_request(configs[2], b"m").body)
    keys.retire(1)
    assert keys.crowding == 0.25
    assert gateway.open(seal_request(configs[2], b"m").body).message == b"m"


def test_a_configuration_of_another_key_is_refused() -> None:
    keys, private = KeyStore(), PrivateKey.generate(Kem.X25519)
    other = build_key_config(1, Kem.X25519, PrivateKey.generate(Kem.X25519).public_bytes)
    with refused(Code.OHTTP_KEY_CONFIG):
        keys.add(other, private)


def test_a_key_wiped_under_a_request_opens_nothing() -> None:
    here = node()
    here.keys.get(1).private_key.wipe()
    with refused(Code.OHTTP_DECAPSULATION) as info:
        here.gateway.open(seal_request(here.configs[Kem.X25519], b"").body)
    assert info.value.found == "hpke.key_wiped"


def test_retiring_all_keys_wipes_them_and_opens_nothing() -> None:
    here = node()
    held = [here.keys.get(key_id) for key_id in (1, 2)]
    here.keys.retire_all()
    assert all(key.private_key.wiped for key in held)
    with refused(Code.OHTTP_KEY_ID):
        here.gateway.open(seal_request(here.configs[Kem.X25519], b"m").body)
