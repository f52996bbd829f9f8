import pytest
from tests.seal.fixtures import KEMS, refused

from confide.codes import Code
from confide.seal.hpke import Aead, Kem, PrivateKey
from confide.seal.keyconfig import (
    MAX_CONFIGS,
    MAX_LIST,
    KeyConfig,
    build_key_config,
    by_preference,
    encode_key_configs,
    parse_key_config,
    parse_key_configs,
)

PUBLIC = {kem: PrivateKey.generate(kem).public_bytes for kem in KEMS}


def config(kem: Kem = Kem.X25519, *, key_id: int = 7, algorithms: bytes = bytes.fromhex("00010001")) -> bytes:
    return bytes((key_id,)) + kem.to_bytes(2, "big") + PUBLIC[kem] + len(algorithms).to_bytes(2, "big") + algorithms


@pytest.mark.parametrize("kem", KEMS)
def test_a_configuration_keeps_its_exact_bytes(kem: Kem) -> None:
    raw = config(kem, algorithms=bytes.fromhex("000100020001ffff00110003"))
    parsed = parse_key_config(raw)
    assert parsed == KeyConfig(7, kem, PUBLIC[kem], ((1, 2), (1, 0xFFFF), (17, 3)), raw)
    assert parsed.parsed_key.raw == PUBLIC[kem]


@pytest.mark.parametrize("kem", KEMS)
def test_building_and_parsing_agree(kem: Kem) -> None:
    built = build_key_config(255, kem, PUBLIC[kem], (Aead.CHACHA20_POLY1305, Aead.AES_128_GCM))
    assert (built.key_id, built.algorithms) == (255, ((1, 3), (1, 1)))
    assert parse_key_config(built.raw) == built


def test_the_first_algorithm_that_both_know_is_taken() -> None:
    parsed = parse_key_config(config(algorithms=bytes.fromhex("001100010001ffff0001000300010001")))
    assert parsed.suite().aead is Aead.CHACHA20_POLY1305
    assert parsed.suite(Aead.AES_128_GCM).aead is Aead.AES_128_GCM
    with refused(Code.OHTTP_NO_SUITE):
        parsed.suite(Aead.AES_256_GCM)


def test_a_configuration_of_unknown_algorithms_only_is_not_usable() -> None:
    parsed = parse_key_config(config(algorithms=bytes.fromhex("00110001")))
    assert by_preference([parsed]) == ()
    with refused(Code.OHTTP_NO_SUITE):
        parsed.suite()


def test_post_quantum_configurations_come_first_and_the_order_stays() -> None:
    classic = [parse_key_config(config(key_id=key_id)) for key_id in (1, 2)]
    hybrid = [parse_key_config(config(Kem.XWING, key_id=key_id)) for key_id in (3, 4)]
    assert by_preference([classic[0], hybrid[0], classic[1], hybrid[1]]) == (*hybrid, *classic)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x01\x00",
        config()[:10],
        config()[:35],
        config()[:36],
        config()[:-1],
        config() + b"\x00",
        config(algorithms=b""),
        config(algorithms=bytes(6)),
        config(algorithms=bytes(4 * 33)),
    ],
    ids=["empty", "no kem", "short key", "no size", "half size", "short list", "trailing", "none", "half pair", "too many"],
)
def test_a_malformed_configuration_is_refused(raw: bytes) -> None:
    with refused(Code.OHTTP_KEY_CONFIG):
        parse_key_config(raw)


def test_a_configuration_of_another_kem_is_refused_as_such() -> None:
    with refused(Code.HPKE_SUITE):
        parse_key_config(bytes.fromhex("010010") + bytes(65))


def test_a_configuration_with_a_bad_key_is_refused() -> None:
    raw = b"\x01\x64\x7a" + b"\xff" * 1216 + bytes.fromhex("000400010002")
    with refused(Code.HPKE_PUBLIC_KEY):
        parse_key_config(raw)


@pytest.mark.parametrize("key_id", [-1, 256])
def test_a_key_id_is_one_byte(key_id: int) -> None:
    with refused(Code.OHTTP_KEY_CONFIG):
        build_key_config(key_id, Kem.X25519, PUBLIC[Kem.X25519])


def test_a_list_skips_kems_it_does_not_know() -> None:
    known = parse_key_config(config())
    unknown = bytes.fromhex("0005") + bytes.fromhex("010099") + b"??"
    assert parse_key_configs(unknown + encode_key_configs([known]) + unknown) == (known,)
    assert parse_key_configs(b"") == ()


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",
        b"\x00\x05\x01",
        b"\x00\x00",
        config(),  # a bare configuration, without its length
        encode_key_configs([parse_key_config(config())])[:-1],
        encode_key_configs([parse_key_config(config())]) + b"\x01",
        b"\x00\x03\x01\x00\x99" * (MAX_CONFIGS + 1),
        bytes(MAX_LIST + 1),
    ],
    ids=["half a length", "short", "empty item", "bare", "cut", "trailing", "too many", "too long"],
)
def test_one_malformed_entry_refuses_the_whole_list(data: bytes) -> None:
    with refused(Code.OHTTP_KEY_CONFIG):
        parse_key_configs(data)


def test_a_list_with_a_bad_key_is_refused() -> None:
    raw = b"\x01\x64\x7a" + b"\xff" * 1216 + bytes.fromhex("000400010002")
    with refused(Code.HPKE_PUBLIC_KEY):
        parse_key_configs(len(raw).to_bytes(2, "big") + raw)
