from tests.seal.fixtures import node, refused

from confide.codes import Code
from confide.seal.hpke import Kem, PrivateKey
from confide.seal.keyconfig import build_key_config, parse_key_configs
from confide.seal.keystore import KeyStore
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


def test_a_store_is_spent_when_an_advertised_key_takes_no_more() -> None:
    here = node(replay_capacity=1)
    assert [here.keys.spent] == [False]
    here.gateway.open(seal_request(here.configs[Kem.X25519], b"m").body)
    assert [here.keys.spent] == [True]  # a list: mypy takes a property for a constant
    here.keys.withdraw(1)
    assert [here.keys.spent] == [False]


def test_retiring_all_keys_wipes_them_and_opens_nothing() -> None:
    here = node()
    held = [here.keys.get(key_id) for key_id in (1, 2)]
    here.keys.retire_all()
    assert all(key.private_key.wiped for key in held)
    with refused(Code.OHTTP_KEY_ID):
        here.gateway.open(seal_request(here.configs[Kem.X25519], b"m").body)
