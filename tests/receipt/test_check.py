"""The check of a receipt: one field lies and the complaint is exact. More refusals are vectors (09-receipt.json)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripts.vectors import _receipts as world

from confide.attest.checks import Checks
from confide.codes import Code
from confide.errors import ReceiptError
from confide.formats import strictjson
from confide.receipt.check import check_receipt
from confide.receipt.model import Outcome, Status

GOOD = world.signed()
LIES = [
    ({"keyset_digest": bytes(32)}, Code.RECEIPT_KEYSET),
    ({"software_digest": bytes(32)}, Code.RECEIPT_SOFTWARE),
    ({"issued_at": world.KEYSET.not_before - timedelta(seconds=1)}, Code.RECEIPT_TIME),
    ({"issued_at": world.KEYSET.not_after}, Code.RECEIPT_TIME),
    ({"key_config_digest": bytes(32)}, Code.RECEIPT_KEY_CONFIG),
    ({"enc_digest": bytes(32)}, Code.RECEIPT_ENC),
    ({"model": replace(world.MODEL, package=bytes(32))}, Code.RECEIPT_MODEL),
    ({"model": None}, Code.RECEIPT_MODEL),
    ({"outcome": Outcome(Status.FAILED, "engine.input")}, Code.RECEIPT_OUTCOME),
    ({"request_commitment": bytes(32)}, Code.RECEIPT_REQUEST),
    ({"response_commitment": bytes(32)}, Code.RECEIPT_RESPONSE),
    ({"parameters_commitment": bytes(32)}, Code.RECEIPT_PARAMETERS),
]


def check(envelope: bytes = GOOD, **changes: Any) -> Checks:
    checks: Checks = changes.pop("checks", None) or Checks()
    given: dict[str, Any] = {
        "keyset": world.KEYSET,
        "request": world.REQUEST,
        "response": world.RESPONSE,
        "salts": world.SALTS,
        "enc": world.ENC,
        "key_config": world.KEY_CONFIG,
        "models": [world.MODEL.package],
        "succeeded": True,
    }
    check_receipt(envelope, **{**given, **changes}, checks=checks)
    return checks


def test_a_true_receipt_of_the_whole_exchange_leaves_nothing_unchecked() -> None:
    checks = check()
    assert checks.not_checked == []
    assert [item.code for item in checks.done] == [
        Code.RECEIPT_SIGNATURE,
        Code.RECEIPT_KEYSET,
        Code.RECEIPT_SOFTWARE,
        Code.RECEIPT_TIME,
        Code.RECEIPT_KEY_CONFIG,
        Code.RECEIPT_ENC,
        Code.RECEIPT_MODEL,
        Code.RECEIPT_OUTCOME,
        Code.RECEIPT_REQUEST,
        Code.RECEIPT_RESPONSE,
    ]


@pytest.mark.parametrize(("lie", "code"), LIES)
def test_one_false_field_in_a_signed_receipt_is_named(lie: dict[str, Any], code: Code) -> None:
    with pytest.raises(ReceiptError) as caught:
        check(world.signed(**lie))
    assert caught.value.code is code


@pytest.mark.parametrize(
    ("argument", "code"),
    [
        ({"request": b"another"}, Code.RECEIPT_REQUEST),
        ({"response": b"another"}, Code.RECEIPT_RESPONSE),
        ({"salts": replace(world.SALTS, request=bytes(32))}, Code.RECEIPT_REQUEST),
        ({"salts": replace(world.SALTS, response=bytes(32))}, Code.RECEIPT_RESPONSE),
        ({"salts": world.SALTS_WITH_TEXT}, Code.RECEIPT_PARAMETERS),
        ({"salts": None}, Code.RECEIPT_SALTS),
        ({"salts": None, "request": None}, Code.RECEIPT_SALTS),
        ({"salts": None, "response": None}, Code.RECEIPT_SALTS),
        ({"enc": b"another"}, Code.RECEIPT_ENC),
        ({"key_config": world.SECOND_KEY_CONFIG}, Code.RECEIPT_KEY_CONFIG),
        ({"succeeded": False}, Code.RECEIPT_OUTCOME),
        ({"models": []}, Code.RECEIPT_MODEL),
        ({"models": [bytes(32)]}, Code.RECEIPT_MODEL),
        ({"keyset": world.OTHER_KEYSET}, Code.RECEIPT_SIGNATURE),
        ({"keyset": world.LOG_KEYSET}, Code.RECEIPT_KEYSET),
        ({"keyset": world.keyset(world.LOG_KEY)}, Code.RECEIPT_SIGNATURE),
    ],
)
def test_a_true_receipt_of_another_exchange_is_refused(argument: dict[str, Any], code: Code) -> None:
    with pytest.raises(ReceiptError) as caught:
        check(**argument)
    assert caught.value.code is code


def test_what_is_not_given_is_told_as_not_checked() -> None:
    checks = check(request=None, response=None, salts=None, enc=None, key_config=None, models=None, succeeded=None)
    told = ["sealed request", "model digest", "outcome", "request commitment", "response commitment"]
    assert [item.what for item in checks.not_checked] == told


def test_salts_without_content_check_nothing() -> None:
    assert [item.what for item in check(request=None, response=None).not_checked] == ["request commitment", "response commitment"]


def test_a_refused_request_may_name_any_model_or_none() -> None:
    refused = Outcome(Status.REFUSED, "engine.input")
    for model in (world.MODEL, None):
        checks = check(world.signed(outcome=refused, model=model), models=[bytes(32)], succeeded=False)
        assert [item.what for item in checks.not_checked] == ["model digest"]


def test_a_lenient_record_tells_every_failure_and_still_raises_the_first() -> None:
    checks = Checks(strict=False)
    with pytest.raises(ReceiptError) as caught:
        check(world.signed(keyset_digest=bytes(32), enc_digest=bytes(32)), request=b"another", checks=checks)
    assert caught.value.code is Code.RECEIPT_KEYSET
    assert [item.code for item in checks.done if not item.ok] == [Code.RECEIPT_KEYSET, Code.RECEIPT_ENC, Code.RECEIPT_REQUEST]


def test_every_truncation_is_refused() -> None:
    for size in range(0, len(GOOD), 7):
        with pytest.raises(ReceiptError):
            check(GOOD[:size])


@given(place=st.integers(0, len(GOOD) - 1), bit=st.integers(0, 7))
@settings(max_examples=50)
def test_a_flipped_bit_never_changes_what_a_receipt_says(place: int, bit: int) -> None:
    flipped = bytearray(GOOD)
    flipped[place] ^= 1 << bit
    try:
        check(bytes(flipped))
    except ReceiptError:
        return
    assert strictjson.loads(bytes(flipped), limit=10_000)["payload"] == strictjson.loads(GOOD, limit=10_000)["payload"]


@given(st.binary(max_size=100))
@settings(max_examples=50)
def test_signed_nonsense_is_refused_with_our_own_error(payload: bytes) -> None:
    with pytest.raises(ReceiptError) as caught:
        check(world.envelope(payload))
    assert caught.value.code is Code.RECEIPT_MALFORMED


def test_messages_hold_digests_and_no_content() -> None:
    with pytest.raises(ReceiptError) as caught:
        check(request=b"a secret question")
    assert "secret" not in str(caught.value)
    assert world.SALTS.request.hex() not in str(caught.value)
