"""Checkpoints, when they are made, and log proofs. More refusals are vectors (10-log.json)."""

import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripts.vectors import _receipts as world

from confide.codes import Code
from confide.errors import ReceiptError
from confide.formats import dsse
from confide.receipt.check import check_receipt
from confide.receipt.checkpoint import Checkpoint, log_id, sign_checkpoint, verify_checkpoint, verify_growth
from confide.receipt.checkpointer import Checkpointer
from confide.receipt.log import Log
from confide.receipt.proof import LogProof, verify_proof

KEYS = (world.RECEIPT_KEY, world.LOG_KEY)
PUBLIC = world.LOG_KEYSET.receipt_keys
AT = world.AT
SECOND = timedelta(seconds=1)
ENVELOPES = [world.signed(keyset_digest=world.LOG_KEYSET.digest, log_index=index) for index in range(6)]


def filled(size: int) -> Log:
    log = Log()
    for envelope in ENVELOPES[:size]:
        log.append(envelope)
    return log


SIGNED = sign_checkpoint(Checkpoint(log_id(PUBLIC), 3, filled(3).root(), AT), keys=KEYS)


def test_a_checkpoint_reads_back() -> None:
    checkpoint = Checkpoint(log_id(PUBLIC), 3, filled(3).root(), AT, closing=True)
    assert verify_checkpoint(sign_checkpoint(checkpoint, keys=KEYS), keys=PUBLIC) == checkpoint


@pytest.mark.parametrize("keys", [(), KEYS[:1], KEYS[1:], (world.RECEIPT_KEY, world.OTHER_KEY)])
def test_a_checkpoint_needs_one_key_of_each_kind(keys: tuple[dsse.SigningKey, ...]) -> None:
    with pytest.raises(ReceiptError) as caught:
        sign_checkpoint(Checkpoint(log_id(PUBLIC), 0, Log().root(), AT), keys=keys)
    assert caught.value.code is Code.LOG_SIGNATURE


def test_the_log_is_named_by_the_boots_keys_in_any_order() -> None:
    assert log_id(PUBLIC) == log_id(PUBLIC[::-1])
    assert log_id(PUBLIC) != log_id(world.OTHER_KEYSET.receipt_keys)


def test_an_ml_dsa_signature_by_another_key_is_refused() -> None:
    checkpoint = Checkpoint(log_id(PUBLIC), 3, filled(3).root(), AT)
    with pytest.raises(ReceiptError) as caught:
        verify_checkpoint(sign_checkpoint(checkpoint, keys=(world.RECEIPT_KEY, world.OTHER_LOG_KEY)), keys=PUBLIC)
    assert caught.value.code is Code.LOG_SIGNATURE


def test_there_is_one_checkpoint_a_second() -> None:
    log = filled(1)
    maker = Checkpointer(log, KEYS)
    first = maker.latest(AT)
    log.append(ENVELOPES[1])
    assert maker.latest(AT + SECOND - timedelta(microseconds=1)) is first
    second = maker.latest(AT + SECOND)
    assert verify_checkpoint(second, keys=PUBLIC).size == 2


def test_a_log_that_did_not_grow_gets_no_new_checkpoint() -> None:
    maker = Checkpointer(filled(1), KEYS)
    assert maker.latest(AT) is maker.latest(AT + timedelta(hours=1))


def test_a_clock_set_back_neither_stops_checkpoints_nor_sets_them_back() -> None:
    log = filled(1)
    maker = Checkpointer(log, KEYS)
    maker.latest(AT)
    log.append(ENVELOPES[1])
    back = AT - timedelta(hours=1)
    later = verify_checkpoint(maker.latest(back), keys=PUBLIC)
    assert (later.size, later.time) == (2, AT)
    log.append(ENVELOPES[2])
    assert verify_checkpoint(maker.latest(back + timedelta(milliseconds=10)), keys=PUBLIC).size == 2


def test_every_receipt_is_proven_once_a_checkpoint_covers_it() -> None:
    maker = Checkpointer(filled(6), KEYS)
    for index, envelope in enumerate(ENVELOPES):
        proof = LogProof.parse(maker.prove(index, AT).to_bytes())
        receipt = check_receipt(
            envelope, keyset=world.LOG_KEYSET, request=None, response=None, salts=None, enc=None, key_config=None, models=None
        )
        assert verify_proof(proof, envelope=envelope, receipt=receipt, keys=PUBLIC).size == 6


def test_a_receipt_that_no_checkpoint_covers_is_pending() -> None:
    log = filled(1)
    maker = Checkpointer(log, KEYS)
    maker.latest(AT)
    log.append(ENVELOPES[1])
    with pytest.raises(ReceiptError) as caught:
        maker.prove(1, AT)
    assert caught.value.code is Code.LOG_PENDING
    assert maker.prove(1, AT + SECOND).size == 2


@pytest.mark.parametrize("index", [-1, 1])
def test_a_receipt_that_is_not_there_is_not_pending(index: int) -> None:
    with pytest.raises(ReceiptError) as caught:
        Checkpointer(filled(1), KEYS).prove(index, AT)
    assert caught.value.code is Code.LOG_INDEX


def test_a_closing_checkpoint_is_the_last_word() -> None:
    log = filled(2)
    maker = Checkpointer(log, KEYS)
    before = verify_checkpoint(maker.latest(AT), keys=PUBLIC)
    closing = verify_checkpoint(maker.close(AT + SECOND), keys=PUBLIC)
    assert closing.closing
    assert log.closed
    assert maker.latest(AT + timedelta(hours=1)) == maker.latest(AT)
    verify_growth(before, closing, path=[])
    with pytest.raises(ReceiptError):
        log.append(ENVELOPES[2])


def test_a_proof_reads_back_and_is_refused_at_every_truncation() -> None:
    proof = Checkpointer(filled(6), KEYS).prove(2, AT)
    text = proof.to_bytes()
    assert LogProof.parse(text) == proof
    for size in range(0, len(text), 97):
        with pytest.raises(ReceiptError) as caught:
            LogProof.parse(text[:size])
        assert caught.value.code is Code.LOG_MALFORMED


def test_a_version_that_is_no_number_is_malformed() -> None:
    text = json.loads(Checkpointer(filled(1), KEYS).prove(0, AT).to_bytes())
    with pytest.raises(ReceiptError) as caught:
        LogProof.parse(json.dumps({**text, "version": "1"}).encode())
    assert caught.value.code is Code.LOG_MALFORMED


@given(st.binary(max_size=120))
@settings(max_examples=50)
def test_other_bytes_are_neither_proof_nor_checkpoint(data: bytes) -> None:
    for read in (LogProof.parse, lambda text: verify_checkpoint(text, keys=PUBLIC)):
        with pytest.raises(ReceiptError) as caught:
            read(data)
        assert caught.value.code is Code.LOG_MALFORMED


@given(place=st.integers(0, 8000), bit=st.integers(0, 7))
@settings(max_examples=50)
def test_a_flipped_bit_never_changes_what_a_checkpoint_says(place: int, bit: int) -> None:
    flipped = bytearray(SIGNED)
    flipped[place % len(flipped)] ^= 1 << bit
    try:
        found = verify_checkpoint(bytes(flipped), keys=PUBLIC)
    except ReceiptError:
        return
    assert found == verify_checkpoint(SIGNED, keys=PUBLIC)
