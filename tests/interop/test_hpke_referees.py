"""HPKE against vectors and programs that nobody here wrote.

RFC 9180's vectors (PyPI `cryptography-vectors`), those of the HPKE working group and of the X-Wing draft (`../shared/vectors`), and
as referees in both directions `cryptography`'s single-shot Suite and `pyhpke`.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import cryptography_vectors
import pyhpke
import pytest
from cryptography.hazmat.primitives import hpke as referee
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from tests.support import need_recorded_vectors

from confide.errors import ChannelError
from confide.seal.hpke import Aead, Kdf, Kem, PrivateKey, PublicKey, Suite, parse_suite, setup_receiver, setup_sender

KEMS, AEADS = list(Kem), list(Aead)
HPKE_VECTORS = Path(cryptography_vectors.__file__).parent / "HPKE"
h = bytes.fromhex


def ours(vector: dict[str, Any]) -> bool:
    try:
        parse_suite(vector["kem_id"], vector["kdf_id"], vector["aead_id"])
    except ChannelError:
        return False
    return bool(vector["mode"] == 0)


@cache
def vectors(path: Path) -> tuple[dict[str, Any], ...]:
    return tuple(vector for vector in json.loads(path.read_text()) if ours(vector))


def recorded(name: str) -> Path:
    return need_recorded_vectors() / "standards" / name


def check_receiver(vector: dict[str, Any]) -> None:
    suite = parse_suite(vector["kem_id"], vector["kdf_id"], vector["aead_id"])
    private = PrivateKey.from_bytes(suite.kem, h(vector["skRm"]))
    assert private.public_bytes == h(vector["pkRm"])
    assert private.decapsulate(h(vector["enc"])) == h(vector["shared_secret"])
    context = setup_receiver(suite, private, h(vector["enc"]), h(vector["info"]))
    assert context._exporter_secret == h(vector["exporter_secret"])
    assert context._messages._base.to_bytes(12, "big") == h(vector["base_nonce"])
    by_nonce = {h(item["nonce"]): item for item in vector["encryptions"]}
    assert len(by_nonce) == len(vector["encryptions"]) > 0
    for nonce, item in by_nonce.items():
        context._messages._sequence = int.from_bytes(nonce, "big") ^ context._messages._base  # RFC 9180's list skips numbers
        assert context.open(h(item["ct"]), h(item["aad"])) == h(item["pt"])
    for item in vector["exports"]:
        assert context.export(h(item["exporter_context"]), item["L"]) == h(item["exported_value"])


@pytest.mark.parametrize("vector", vectors(HPKE_VECTORS / "test-vectors.json"), ids=lambda v: Aead(v["aead_id"]).name)
def test_rfc_9180_vectors_are_opened_and_reproduced(vector: dict[str, Any]) -> None:
    check_receiver(vector)
    suite = parse_suite(vector["kem_id"], vector["kdf_id"], vector["aead_id"])
    ephemeral = X25519PrivateKey.from_private_bytes(h(vector["skEm"]))
    enc, sender = setup_sender(suite, PublicKey(suite.kem, h(vector["pkRm"])), h(vector["info"]), _ephemeral=ephemeral)
    assert enc == h(vector["enc"])
    for number, item in enumerate(vector["encryptions"]):
        sender._messages._sequence = int.from_bytes(h(item["nonce"]), "big") ^ sender._messages._base
        assert number or sender._messages._sequence == 0
        assert sender.seal(h(item["pt"]), h(item["aad"])) == h(item["ct"])


def test_rfc_9180_has_a_base_mode_vector_for_each_of_our_aeads() -> None:
    found = sorted(vector["aead_id"] for vector in vectors(HPKE_VECTORS / "test-vectors.json"))
    assert found == [1, 2, 3]


def test_the_working_group_s_vectors_are_opened() -> None:
    found = vectors(recorded("hpke-pq.json"))
    assert [(vector["kem_id"], vector["kdf_id"], vector["aead_id"]) for vector in found] == [(0x647A, 1, 3)]
    for vector in found:
        check_receiver(vector)


def test_the_working_group_s_vectors_as_packaged_are_opened() -> None:
    found = vectors(HPKE_VECTORS / "hpke-pq-test-vectors.json")
    assert found
    for vector in found:
        check_receiver(vector)


def test_the_x_wing_draft_s_vectors_are_decapsulated() -> None:
    cases = json.loads(recorded("xwing.json").read_text())
    assert len(cases) == 3
    for case in cases:
        private = PrivateKey.from_bytes(Kem.XWING, h(case["sk"]))
        assert private.public_bytes == h(case["pk"])
        assert private.decapsulate(h(case["ct"])) == h(case["ss"])


_KEM = {Kem.X25519: referee.KEM.X25519, Kem.XWING: referee.KEM.MLKEM768_X25519}
_AEAD = {
    Aead.AES_128_GCM: referee.AEAD.AES_128_GCM,
    Aead.AES_256_GCM: referee.AEAD.AES_256_GCM,
    Aead.CHACHA20_POLY1305: referee.AEAD.CHACHA20_POLY1305,
}


def referee_suite(kem: Kem, aead: Aead) -> referee.Suite:
    return referee.Suite(_KEM[kem], referee.KDF.HKDF_SHA256, _AEAD[aead])


def referee_private(kem: Kem, seed: bytes) -> Any:
    if kem is Kem.X25519:
        return X25519PrivateKey.from_private_bytes(seed)
    expanded = hashlib.shake_256(seed).digest(96)
    return referee.MLKEM768X25519PrivateKey(
        MLKEM768PrivateKey.from_seed_bytes(expanded[:64]), X25519PrivateKey.from_private_bytes(expanded[64:])
    )


def referee_public(kem: Kem, raw: bytes) -> Any:
    if kem is Kem.X25519:
        return X25519PublicKey.from_public_bytes(raw)
    return referee.MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(raw[:1184]), X25519PublicKey.from_public_bytes(raw[1184:])
    )


@pytest.mark.parametrize("aead", AEADS)
@pytest.mark.parametrize("kem", KEMS)
@pytest.mark.parametrize("size", [0, 1, 1000])
def test_cryptography_s_suite_opens_ours_and_we_open_its(kem: Kem, aead: Aead, size: int) -> None:
    seed, info, message = b"%032d" % size, b"message/bhttp request", bytes(size)
    private = PrivateKey.from_bytes(kem, seed)
    suite = Suite(kem, Kdf.HKDF_SHA256, aead)
    enc, sender = setup_sender(suite, PublicKey(kem, private.public_bytes), info)
    assert referee_suite(kem, aead).decrypt(enc + sender.seal(message), referee_private(kem, seed), info) == message
    theirs = referee_suite(kem, aead).encrypt(message, referee_public(kem, private.public_bytes), info)
    assert setup_receiver(suite, private, theirs[: kem.n_enc], info).open(theirs[kem.n_enc :]) == message


_PYHPKE_AEAD = {
    Aead.AES_128_GCM: pyhpke.AEADId.AES128_GCM,
    Aead.AES_256_GCM: pyhpke.AEADId.AES256_GCM,
    Aead.CHACHA20_POLY1305: pyhpke.AEADId.CHACHA20_POLY1305,
}


@pytest.mark.parametrize("aead", AEADS)
def test_pyhpke_s_contexts_and_ours_agree_message_by_message_and_in_exports(aead: Aead) -> None:
    seed, info = b"%032d" % aead, b"message/bhttp request"
    their_suite = pyhpke.CipherSuite.new(pyhpke.KEMId.DHKEM_X25519_HKDF_SHA256, pyhpke.KDFId.HKDF_SHA256, _PYHPKE_AEAD[aead])
    their_key = pyhpke.KEMKey.from_pyca_cryptography_key(X25519PrivateKey.from_private_bytes(seed))
    private = PrivateKey.from_bytes(Kem.X25519, seed)
    suite = Suite(Kem.X25519, Kdf.HKDF_SHA256, aead)
    enc, sender = setup_sender(suite, PublicKey(Kem.X25519, private.public_bytes), info)
    recipient = their_suite.create_recipient_context(enc, their_key, info=info)
    their_public = pyhpke.KEMKey.from_pyca_cryptography_key(X25519PublicKey.from_public_bytes(private.public_bytes))
    their_enc, their_sender = their_suite.create_sender_context(their_public, info=info)
    receiver = setup_receiver(suite, private, their_enc, info)
    for number in range(3):
        assert recipient.open(sender.seal(b"%d" % number, b"aad"), aad=b"aad") == b"%d" % number
        assert receiver.open(their_sender.seal(b"%d" % number, aad=b"aad"), b"aad") == b"%d" % number
    for length in (16, 32, 100):
        assert recipient.export(b"message/bhttp response", length) == sender.export(b"message/bhttp response", length)
        assert receiver.export(b"x", length) == their_sender.export(b"x", length)


def own_vectors(op: str) -> list[dict[str, Any]]:
    """The accepting cases of one operation in our own vectors."""
    path = Path(__file__).resolve().parents[2] / "vectors" / "08-channel.json"
    cases: list[dict[str, Any]] = json.loads(path.read_text())["cases"]
    return [case for case in cases if case["op"] == op and case["kind"] == "accept"]


@pytest.mark.parametrize("case", own_vectors("ohttp.open"), ids=lambda case: case["id"])
def test_cryptography_s_suite_opens_our_own_request_vectors(case: dict[str, Any]) -> None:
    body, secret = h(case["input"]["body"]), h(case["input"]["keys"][0]["private_key"])
    suite = parse_suite(*(int.from_bytes(body[at : at + 2], "big") for at in (1, 3, 5)))
    info = b"message/bhttp request\x00" + body[:7]
    opened = referee_suite(suite.kem, suite.aead).decrypt(body[7:], referee_private(suite.kem, secret), info)
    assert opened == h(case["expected"]["ok"]["message"])


@pytest.mark.parametrize("case", own_vectors("hpke.open"), ids=lambda case: case["id"])
def test_cryptography_s_suite_opens_the_first_message_of_our_own_context_vectors(case: dict[str, Any]) -> None:
    given, (first, *_) = case["input"], case["input"]["messages"]
    suite = parse_suite(given["kem"], given["kdf"], given["aead"])
    private = referee_private(suite.kem, h(given["private_key"]))
    opened = referee_suite(suite.kem, suite.aead).decrypt(h(given["enc"]) + h(first["ciphertext"]), private, h(given["info"]))
    assert opened == h(case["expected"]["ok"]["plaintexts"][0])
