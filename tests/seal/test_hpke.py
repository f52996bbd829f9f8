import mmap

import pytest
from tests.seal.fixtures import AEADS, KEMS, flipped, refused

from confide.codes import Code
from confide.seal.aead import MAX_PLAINTEXT, SEQUENCE_LIMIT
from confide.seal.hpke import (
    Aead,
    Kdf,
    Kem,
    PrivateKey,
    PublicKey,
    ReceiverContext,
    SenderContext,
    Suite,
    parse_suite,
    setup_receiver,
    setup_sender,
)

ALL = [(kem, aead) for kem in KEMS for aead in AEADS]


def contexts(kem: Kem, aead: Aead, *, info: bytes = b"info", other: bytes = b"info") -> tuple[SenderContext, ReceiverContext]:
    suite = Suite(kem, Kdf.HKDF_SHA256, aead)
    private = PrivateKey.generate(kem)
    enc, sender = setup_sender(suite, PublicKey(kem, private.public_bytes), info)
    return sender, setup_receiver(suite, private, enc, other)


@pytest.mark.parametrize(("kem", "aead"), ALL)
def test_messages_open_in_order_with_their_associated_data(kem: Kem, aead: Aead) -> None:
    sender, receiver = contexts(kem, aead)
    for number in range(3):
        aad = b"" if number else b"first"
        assert receiver.open(sender.seal(b"message %d" % number, aad), aad) == b"message %d" % number


@pytest.mark.parametrize(("kem", "aead"), ALL)
def test_both_ends_export_one_secret_per_context_and_length(kem: Kem, aead: Aead) -> None:
    sender, receiver = contexts(kem, aead)
    assert sender.export(b"a", 32) == receiver.export(b"a", 32)
    assert len({sender.export(b"a", 32), sender.export(b"b", 32), sender.export(b"a", 33)[:32]}) == 3


@pytest.mark.parametrize("length", [-1, 0, 8161])
def test_an_export_outside_hkdf_s_range_is_refused(length: int) -> None:
    sender, _ = contexts(Kem.X25519, Aead.AES_256_GCM)
    assert len(sender.export(b"", 8160)) == 8160
    with refused(Code.HPKE_EXPORT_LENGTH):
        sender.export(b"", length)


@pytest.mark.parametrize(("kem", "aead"), ALL)
def test_each_bit_of_a_ciphertext_counts(kem: Kem, aead: Aead) -> None:
    sender, receiver = contexts(kem, aead)
    ciphertext = sender.seal(b"four")
    for position in range(len(ciphertext)):
        with refused(Code.HPKE_OPEN):
            receiver.open(flipped(ciphertext, position, position % 8))
    assert receiver.open(ciphertext) == b"four"


def test_a_message_out_of_order_is_refused_and_the_context_still_waits() -> None:
    sender, receiver = contexts(Kem.X25519, Aead.CHACHA20_POLY1305)
    first, second = sender.seal(b"1"), sender.seal(b"2")
    with refused(Code.HPKE_OPEN):
        receiver.open(second)
    assert [receiver.open(first), receiver.open(second)] == [b"1", b"2"]
    with refused(Code.HPKE_OPEN):
        receiver.open(second)


@pytest.mark.parametrize("length", [0, 15, 16])
def test_a_ciphertext_shorter_than_its_tag_is_refused(length: int) -> None:
    _, receiver = contexts(Kem.X25519, Aead.AES_128_GCM)
    with refused(Code.HPKE_OPEN):
        receiver.open(bytes(length))


def test_other_associated_data_is_refused() -> None:
    sender, receiver = contexts(Kem.X25519, Aead.AES_256_GCM)
    with refused(Code.HPKE_OPEN):
        receiver.open(sender.seal(b"1", b"aad"), b"")


def test_other_info_is_another_context() -> None:
    sender, receiver = contexts(Kem.XWING, Aead.AES_256_GCM, info=b"one", other=b"two")
    with refused(Code.HPKE_OPEN):
        receiver.open(sender.seal(b""))


def test_the_context_ends_before_a_nonce_repeats() -> None:
    sender, receiver = contexts(Kem.X25519, Aead.AES_256_GCM)
    sender._messages._sequence = receiver._messages._sequence = SEQUENCE_LIMIT - 1
    last = sender.seal(b"last")
    with refused(Code.HPKE_MESSAGE_LIMIT):
        sender.seal(b"one too many")
    assert receiver.open(last) == b"last"
    with refused(Code.HPKE_MESSAGE_LIMIT):
        receiver.open(last)


def test_a_message_beyond_one_call_of_openssl_is_refused_before_it_is_tried() -> None:
    sender, _ = contexts(Kem.X25519, Aead.AES_256_GCM)
    with mmap.mmap(-1, MAX_PLAINTEXT + 1) as huge, memoryview(huge) as view, refused(Code.OHTTP_TOO_LARGE):
        sender.seal(view)


@pytest.mark.parametrize("numbers", [(0x0010, 1, 1), (0x0020, 2, 1), (0x0020, 1, 0xFFFF), (0x0041, 1, 2), (0, 0, 0)])
def test_suites_that_are_not_ours_are_refused(numbers: tuple[int, int, int]) -> None:
    with refused(Code.HPKE_SUITE):
        parse_suite(*numbers)


def test_a_suite_is_its_three_numbers() -> None:
    suite = parse_suite(0x647A, 1, 2)
    assert suite == Suite(Kem.XWING, Kdf.HKDF_SHA256, Aead.AES_256_GCM)
    assert suite.suite_id == bytes.fromhex("48504b45647a00010002")


def test_a_key_of_another_kem_is_refused() -> None:
    private = PrivateKey.generate(Kem.X25519)
    suite = Suite(Kem.XWING, Kdf.HKDF_SHA256, Aead.AES_256_GCM)
    with refused(Code.HPKE_PUBLIC_KEY):
        setup_sender(suite, PublicKey(Kem.X25519, private.public_bytes), b"")
    with refused(Code.HPKE_PRIVATE_KEY):
        setup_receiver(suite, private, private.public_bytes, b"")
