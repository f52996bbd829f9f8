import pytest
from tests.seal.fixtures import AEADS, KEMS, flipped, node, refused

from confide.codes import Code
from confide.errors import ChannelError
from confide.seal.hpke import Aead, Kem
from confide.seal.keyconfig import parse_key_config
from confide.seal.ohttp import Gateway, OpenedError, OpenedRequest, seal_request
from confide.seal.replay import request_id

ALL = [(kem, aead) for kem in KEMS for aead in AEADS]


@pytest.mark.parametrize(("kem", "aead"), ALL)
@pytest.mark.parametrize("size", [0, 1, 1024, 1 << 20])
def test_a_request_and_its_answer_come_through(kem: Kem, aead: Aead, size: int) -> None:
    here, message = node(), bytes(size)
    sealed = seal_request(here.configs[kem], message, aead=aead)
    opened = here.gateway.open(sealed.body)
    assert (opened.message, opened.enc, opened.request_id) == (message, sealed.enc, sealed.request_id)
    assert opened.key_config == here.configs[kem]
    assert sealed.request_id == request_id(opened.key_config.raw, opened.enc)
    assert sealed.opener.open(opened.sealer.seal(message[::-1])) == message[::-1]


def test_the_configuration_s_first_algorithm_is_used() -> None:
    here = node()
    assert seal_request(here.configs[Kem.XWING], b"").body[:7] == bytes.fromhex("02647a00010002")


def test_any_buffer_is_sealed_and_opened_without_a_copy_by_the_caller() -> None:
    here = node()
    body = seal_request(here.configs[Kem.X25519], memoryview(b"..message")[2:]).body
    assert here.gateway.open(memoryview(b"?" + body)[1:]).message == b"message"


@pytest.mark.parametrize("kem", KEMS)
def test_a_request_flipped_in_any_part_is_refused_with_its_code(kem: Kem) -> None:
    here = node()
    body = seal_request(here.configs[kem], b"message").body
    end_of_enc = 7 + kem.n_enc
    expected = {
        0: Code.OHTTP_KEY_ID,
        1: Code.OHTTP_SUITE,
        2: Code.OHTTP_SUITE,
        3: Code.OHTTP_SUITE,
        4: Code.OHTTP_SUITE,
        5: Code.OHTTP_SUITE,
        **dict.fromkeys((7, 8, end_of_enc - 32, end_of_enc - 1), Code.OHTTP_DECAPSULATION),
        **dict.fromkeys(range(end_of_enc, len(body)), Code.OHTTP_DECAPSULATION),
    }
    for position, code in expected.items():
        with refused(code):
            here.gateway.open(flipped(body, position, 6 if position == 0 else 3))
    assert here.gateway.open(body).message == b"message"


@pytest.mark.parametrize("aead", [Aead.AES_128_GCM, Aead.CHACHA20_POLY1305])
def test_the_header_is_bound_so_another_offered_aead_does_not_open(aead: Aead) -> None:
    here = node()
    body = bytearray(seal_request(here.configs[Kem.X25519], b"message", aead=Aead.AES_256_GCM).body)
    body[6] = aead
    with refused(Code.OHTTP_DECAPSULATION):
        here.gateway.open(bytes(body))


@pytest.mark.parametrize("kem", KEMS)
def test_a_request_cut_anywhere_is_refused(kem: Kem) -> None:
    here = node()
    body = seal_request(here.configs[kem], b"message").body
    shortest = 7 + kem.n_enc + 16
    for end in {*range(7), 7, shortest - 1}:
        with refused(Code.OHTTP_TRUNCATED):
            here.gateway.open(body[:end])
    for end in range(shortest, len(body)):
        with refused(Code.OHTTP_DECAPSULATION):
            here.gateway.open(body[:end])
    with refused(Code.OHTTP_DECAPSULATION):
        here.gateway.open(body + b"\x00")


def test_a_small_order_enc_is_refused() -> None:
    here = node()
    body = seal_request(here.configs[Kem.X25519], b"message").body
    with refused(Code.OHTTP_DECAPSULATION) as info:
        here.gateway.open(body[:7] + bytes(32) + body[39:])
    assert info.value.found == "hpke.enc"


def test_a_request_to_another_node_with_the_same_key_id_is_refused() -> None:
    with refused(Code.OHTTP_DECAPSULATION):
        node().gateway.open(seal_request(node().configs[Kem.XWING], b"message").body)


def test_an_algorithm_that_the_configuration_offers_but_nobody_has_is_refused() -> None:
    here = node()
    offered = here.configs[Kem.X25519]
    held = here.keys.get(1)
    held.config = parse_key_config(offered.raw[:35] + bytes.fromhex("00080001000200010009"))
    body = seal_request(offered, b"").body
    with refused(Code.HPKE_SUITE):
        here.gateway.open(body[:5] + b"\x00\x09" + body[7:])


def test_a_message_over_the_bound_is_refused_unopened() -> None:
    here = node(max_message=10)
    assert here.gateway.open(seal_request(here.configs[Kem.X25519], bytes(10)).body).message == bytes(10)
    body = seal_request(here.configs[Kem.X25519], bytes(11)).body
    with refused(Code.OHTTP_TOO_LARGE):
        here.gateway.open(body)
    assert Gateway(here.keys).open(body).message == bytes(11), "it was not recorded"


@pytest.mark.parametrize("kem", KEMS)
def test_a_replay_is_refused_and_can_be_answered_inside(kem: Kem) -> None:
    here = node()
    sealed = seal_request(here.configs[kem], b"message")
    here.gateway.open(sealed.body)
    for _ in range(2):
        with pytest.raises(OpenedError) as info:
            here.gateway.open(sealed.body)
        assert info.value.code is Code.OHTTP_REPLAYED
        assert sealed.opener.open(info.value.sealer.seal(b"replayed")) == b"replayed"


def test_a_forged_copy_does_not_use_up_the_request_that_it_copies() -> None:
    here = node()
    body = seal_request(here.configs[Kem.X25519], b"message").body
    with refused(Code.OHTTP_DECAPSULATION):
        here.gateway.open(flipped(body, len(body) - 1))
    assert here.gateway.open(body).message == b"message"


def test_a_full_store_refuses_new_requests_of_that_key_only() -> None:
    here = node(replay_capacity=1)
    first = seal_request(here.configs[Kem.X25519], b"1").body
    here.gateway.open(first)
    with refused(Code.OHTTP_REPLAY_STORE_FULL):
        here.gateway.open(seal_request(here.configs[Kem.X25519], b"2").body)
    with refused(Code.OHTTP_REPLAYED):
        here.gateway.open(first)
    assert here.gateway.open(seal_request(here.configs[Kem.XWING], b"3").body).message == b"3"


@pytest.mark.parametrize(("kem", "aead"), ALL)
def test_each_bit_of_a_response_counts(kem: Kem, aead: Aead) -> None:
    here = node()
    sealed = seal_request(here.configs[kem], b"message", aead=aead)
    answer = here.gateway.open(sealed.body).sealer.seal(b"answer")
    for position in range(len(answer)):
        with refused(Code.OHTTP_RESPONSE):
            sealed.opener.open(flipped(answer, position, position % 8))
    assert sealed.opener.open(answer) == b"answer"


@pytest.mark.parametrize("aead", AEADS)
def test_a_response_cut_anywhere_is_refused(aead: Aead) -> None:
    here = node()
    sealed = seal_request(here.configs[Kem.X25519], b"message", aead=aead)
    answer = here.gateway.open(sealed.body).sealer.seal(b"answer")
    shortest = aead.n_response + 16
    for end in range(shortest):
        with refused(Code.OHTTP_TRUNCATED):
            sealed.opener.open(answer[:end])
    for end in range(shortest, len(answer)):
        with refused(Code.OHTTP_RESPONSE):
            sealed.opener.open(answer[:end])


def test_the_answer_to_another_request_is_refused() -> None:
    here = node()
    one, two = (seal_request(here.configs[Kem.X25519], b"same") for _ in range(2))
    answer = here.gateway.open(two.body).sealer.seal(b"answer")
    with refused(Code.OHTTP_RESPONSE):
        one.opener.open(answer)


def test_two_answers_never_share_a_nonce() -> None:
    here = node()
    opened = here.gateway.open(seal_request(here.configs[Kem.X25519], b"").body)
    assert opened.sealer.seal(b"a")[:32] != opened.sealer.seal(b"a")[:32]


def test_a_repr_shows_no_plaintext() -> None:
    here = node()
    sealed = seal_request(here.configs[Kem.X25519], b"secret")
    opened: OpenedRequest = here.gateway.open(sealed.body)
    assert "secret" not in repr(opened) + repr(sealed) + repr(opened.sealer) + repr(sealed.opener)


def test_errors_are_of_the_channel() -> None:
    with pytest.raises(ChannelError):
        node().gateway.open(b"\xff" * 100)
