"""The offline judgement: a false vendor and a false node, the real verifier, and one thing wrong at a time."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from scripts.vectors import _bundle as node
from scripts.vectors import _receipts as world

import confide_sim
from confide.attest.roots import VENDOR_ROOTS
from confide.codes import Code
from confide.errors import ConfideError
from confide.policy.load import load_policy
from confide.policy.verdict import HistoricVerdict
from confide.receipt.checkpointer import Checkpointer
from confide.receipt.issue import sign_receipt
from confide.receipt.log import Log
from confide.receipt.model import Outcome, Status
from confide.receipt.proof import LogProof
from confide.receipt.verify import ReceiptVerdict, verify_receipt

BUNDLE = node.make()
ENVELOPE = sign_receipt(node.RECEIPT, key=world.RECEIPT_KEY)
ROOTS = (*VENDOR_ROOTS, *confide_sim.roots())
EXCHANGE: dict[str, Any] = {"request": world.REQUEST, "response": world.RESPONSE, "salts": world.SALTS}


def verify(envelope: bytes = ENVELOPE, *, policy: dict[str, Any] | None = None, **changes: Any) -> ReceiptVerdict:
    given: dict[str, Any] = {"bundle": BUNDLE, "policy": load_policy(node.policy(**(policy or {}))), "roots": ROOTS}
    return verify_receipt(envelope, **{**given, **changes})


def signed(**changes: Any) -> bytes:
    return sign_receipt(replace(node.RECEIPT, **changes), key=world.RECEIPT_KEY)


def proof() -> LogProof:
    log = Log()
    for leaf in (ENVELOPE, b"another", b"a third"):
        log.append(leaf)
    return Checkpointer(log, (world.RECEIPT_KEY, world.LOG_KEY)).prove(0, world.AT)


def refused(code: Code, envelope: bytes = ENVELOPE, **changes: Any) -> None:
    with pytest.raises(ConfideError) as caught:
        verify(envelope, **changes)
    assert caught.value.code is code


def test_a_saved_answer_is_proven_by_receipt_bundle_and_policy() -> None:
    verdict = verify(**EXCHANGE)
    assert verdict.receipt == node.RECEIPT
    assert isinstance(verdict.node, HistoricVerdict)
    assert verdict.at == verdict.node.verified_at == world.AT
    assert verdict.simulated
    assert {check.code for check in verdict.checks} >= {Code.RECEIPT_SIGNATURE, Code.RECEIPT_MODEL, Code.RECEIPT_RESPONSE}
    assert all(check.ok for check in verdict.checks)


def test_the_verdict_tells_what_was_not_checked() -> None:
    told = {item.what for item in verify().not_checked}
    assert {"sealed request", "request commitment", "response commitment", "log inclusion", "receipt time", "custody"} <= told
    assert "model digest" not in told, "it was compared with the policy"
    assert Code.RECEIPT_MODEL in {check.code for check in verify().checks}
    assert "request commitment" not in {item.what for item in verify(**EXCHANGE).not_checked}


def test_the_verdict_tells_what_was_relaxed() -> None:
    assert "unsafe_accept_simulated" in {item.setting for item in verify().relaxations}


def test_with_a_log_proof_the_receipt_is_complete() -> None:
    verdict = verify(proof=proof())
    assert verdict.checkpoint is not None
    assert verdict.checkpoint.size == 3
    assert "log inclusion" not in {item.what for item in verdict.not_checked}
    assert Code.LOG_INCLUSION in {check.code for check in verdict.checks}


def test_a_log_proof_of_another_receipt_is_refused() -> None:
    refused(Code.LOG_INCLUSION, proof=replace(proof(), path=tuple(proof().path[::-1])))
    refused(Code.LOG_INDEX, proof=replace(proof(), index=1))


def test_years_later_a_proof_still_verifies_as_of_its_time() -> None:
    expired = verify(policy={"expires": "2026-11-25T12:00:01Z"})
    assert expired.node.expires < world.AT + timedelta(days=365 * 5)


def test_a_policy_that_had_expired_when_the_receipt_was_made_refuses() -> None:
    refused(Code.POLICY_EXPIRED, policy={"expires": "2026-11-25T11:59:59Z"})


@pytest.mark.parametrize(
    "models", [{}, {"minilm": ["00" * 32]}, {"another": [world.MODEL.package.hex()]}], ids=["none", "other digest", "other alias"]
)
def test_a_model_that_the_policy_does_not_list_under_its_alias_is_refused(models: dict[str, list[str]]) -> None:
    refused(Code.RECEIPT_MODEL, policy={"models": models})


@pytest.mark.parametrize(
    "changes", [{"model": None}, {"outcome": Outcome(Status.REFUSED, "engine.input")}], ids=["no model", "refused"]
)
def test_where_no_model_ran_none_is_compared(changes: dict[str, Any]) -> None:
    verdict = verify(signed(**changes), policy={"models": {"another": ["00" * 32]}})
    assert [item.why for item in verdict.not_checked if item.what == "model digest"][-1] == "no model was run"


def test_a_bundle_of_another_keyset_is_refused() -> None:
    other = world.keyset(world.RECEIPT_KEY, world.LOG_KEY, ohttp_key_configs=[node.XWING_CONFIG], config_digest=bytes(32))
    refused(Code.RECEIPT_KEYSET, bundle=node.make(other))


def test_a_bundle_of_another_boot_is_refused() -> None:
    other = world.keyset(world.OTHER_KEY, world.OTHER_LOG_KEY, ohttp_key_configs=[node.XWING_CONFIG])
    refused(Code.RECEIPT_SIGNATURE, bundle=node.make(other))


def test_a_fresh_keyset_around_a_strangers_key_does_not_pass_for_the_node() -> None:
    forged = world.keyset(world.OTHER_KEY, world.OTHER_LOG_KEY, ohttp_key_configs=[node.XWING_CONFIG])
    bundle = json.loads(BUNDLE)
    other = json.loads(node.make(forged))
    spliced = json.dumps({**bundle, "keyset": other["keyset"]}).encode()
    envelope = sign_receipt(replace(node.RECEIPT, keyset_digest=forged.digest), key=world.OTHER_KEY)
    refused(Code.BINDING_MISMATCH, envelope, bundle=spliced)


def test_evidence_by_a_false_vendor_is_refused_without_its_roots_or_the_policys_word() -> None:
    refused(Code.POLICY_SIMULATED, policy={"unsafe_accept_simulated": False})
    with pytest.raises(ConfideError) as caught:
        verify(roots=VENDOR_ROOTS)
    assert caught.value.code.area in {"snp", "x509"}


def test_a_bundle_that_is_none_is_refused() -> None:
    refused(Code.DOCUMENT_MALFORMED, bundle=b"{}")


def test_a_time_outside_the_keysets_window_is_refused() -> None:
    refused(Code.RECEIPT_TIME, signed(issued_at=node.KEYSET.not_after))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({**EXCHANGE, "request": b"another"}, Code.RECEIPT_REQUEST),
        ({**EXCHANGE, "response": b"another"}, Code.RECEIPT_RESPONSE),
        ({**EXCHANGE, "salts": None}, Code.RECEIPT_SALTS),
    ],
)
def test_another_exchange_is_refused(changes: dict[str, Any], code: Code) -> None:
    refused(code, **changes)
