"""Issuing a receipt and checking it against the same exchange."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripts.vectors import _receipts as world

from confide.codes import Code
from confide.errors import ReceiptError
from confide.formats import dsse
from confide.receipt.check import check_receipt
from confide.receipt.deliver import from_trailers, to_trailers
from confide.receipt.issue import Issued, issue
from confide.receipt.model import COMPLETED, ModelRef, Outcome, Receipt, Status
from confide.receipt.statement import MAX_RECEIPT, PAYLOAD_TYPE


def issued(**changes: Any) -> Issued:
    given: dict[str, Any] = {
        "key": world.RECEIPT_KEY,
        "keyset_digest": world.KEYSET.digest,
        "key_config": world.KEY_CONFIG,
        "enc": world.ENC,
        "request": world.REQUEST,
        "response": world.RESPONSE,
        "model": world.MODEL,
        "engine": world.ENGINE,
        "software_digest": world.SOFTWARE,
        "parameters": {"normalize": True},
        "outcome": COMPLETED,
        "log_index": 2,
        "issued_at": world.AT,
    }
    return issue(**{**given, **changes})


def checked(made: Issued, **changes: Any) -> Receipt:
    given: dict[str, Any] = {
        "keyset": world.KEYSET,
        "request": world.REQUEST,
        "response": world.RESPONSE,
        "salts": made.salts,
        "enc": world.ENC,
        "key_config": world.KEY_CONFIG,
        "models": [world.MODEL.package],
    }
    return check_receipt(made.envelope, **{**given, **changes})


def test_a_receipt_says_what_was_issued() -> None:
    receipt = checked(issued())
    changed = {name: getattr(receipt, name) for name in ("request_commitment", "response_commitment", "parameters")}
    assert receipt == replace(world.RECEIPT, **changed)
    assert dict(receipt.parameters) == {"normalize": True}


def test_two_receipts_of_one_exchange_share_no_commitment() -> None:
    first, second = checked(issued()), checked(issued())
    assert first.request_commitment != second.request_commitment
    assert first.response_commitment != second.response_commitment


def test_content_is_not_in_the_envelope() -> None:
    made = issued(parameters={"stop": ["secret words"]})
    payload = dsse.unverified_payload(made.envelope, payload_type=PAYLOAD_TYPE)
    assert b"secret" not in payload
    assert made.salts.parameters_text == b'{"stop":["secret words"]}'
    assert checked(made).parameters_commitment is not None


def test_a_time_is_cut_to_the_second() -> None:
    assert checked(issued(issued_at=world.AT.replace(microsecond=999_999))).issued_at == world.AT


@pytest.mark.parametrize("status", [Status.REFUSED, Status.FAILED, Status.ABORTED])
def test_refusals_failures_and_aborts_have_receipts_too(status: Status) -> None:
    receipt = checked(issued(outcome=Outcome(status, "engine.input")))
    assert str(receipt.outcome) == f"{status.value} (engine.input)"


def test_a_completed_outcome_reads_as_one_word() -> None:
    assert str(COMPLETED) == "completed"


@pytest.mark.parametrize(
    ("status", "code"),
    [(Status.COMPLETED, "engine.input"), (Status.REFUSED, ""), (Status.FAILED, "no area"), (Status.ABORTED, "A.b")],
)
def test_an_outcome_without_its_code_cannot_be_made(status: Status, code: str) -> None:
    with pytest.raises(ReceiptError) as caught:
        Outcome(status, code)
    assert caught.value.code is Code.RECEIPT_FIELD


@pytest.mark.parametrize(
    "arguments",
    [
        ("a b", bytes(32)),
        ("", bytes(32)),
        ("a" * 129, bytes(32)),
        ("minilm\n", bytes(32)),
        ("minilm", bytes(31)),
        ("minilm", bytes(32), {"weights": bytes(20)}),
        ("minilm", bytes(32), {"a\x1b": bytes(32)}),
        ("minilm", bytes(32), {f"p{number}": bytes(32) for number in range(65)}),
    ],
)
def test_a_model_that_cannot_stand_in_a_receipt_cannot_be_made(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ReceiptError) as caught:
        ModelRef(*arguments)
    assert caught.value.code is Code.RECEIPT_FIELD


def test_the_largest_receipt_fits_its_bound() -> None:
    parts = {f"{number:0128}": bytes(32) for number in range(64)}
    made = issued(model=ModelRef("a" * 128, bytes(32), parts), parameters={"n": 1, "seed": 2**53 - 1, "stop": "x"})
    assert len(made.envelope) < MAX_RECEIPT
    assert checked(made, models=[bytes(32)]).model == ModelRef("a" * 128, bytes(32), parts)


@given(
    parameters=st.dictionaries(
        st.sampled_from(["n", "top_p", "normalize", "pooling", "stop", "labels"]),
        st.none()
        | st.booleans()
        | st.integers(-5, 5)
        | st.floats(-2, 2)
        | st.text(max_size=5)
        | st.lists(st.text(max_size=3), max_size=2),
    ),
    request=st.binary(max_size=50),
    response=st.binary(max_size=50),
    index=st.integers(0, 2**53 - 1),
)
@settings(max_examples=50)
def test_whatever_is_issued_checks(parameters: dict[str, Any], request: bytes, response: bytes, index: int) -> None:
    made = issued(parameters=parameters, request=request, response=response, log_index=index)
    receipt = checked(made, request=request, response=response)
    assert receipt.log_index == index
    rest = {} if made.salts.parameters_text is None else json.loads(made.salts.parameters_text)
    assert {**receipt.parameters, **rest} == parameters


def test_trailers_carry_receipt_and_salts_there_and_back() -> None:
    made = issued(parameters={"stop": ["x"]})
    assert from_trailers(to_trailers(made)) == (made.envelope, made.salts.to_bytes())


def test_absent_trailers_are_none() -> None:
    assert from_trailers([]) == (None, None)


def test_an_issued_receipt_hides_its_salts() -> None:
    made = issued(parameters={"stop": ["secret"]})
    assert "secret" not in repr(made)
    assert made.salts.request.hex() not in repr(made)


def test_a_time_without_a_zone_cannot_be_issued() -> None:
    with pytest.raises(Exception, match=r"json\.time"):
        issued(issued_at=datetime(2026, 11, 25, tzinfo=UTC).replace(tzinfo=None))
