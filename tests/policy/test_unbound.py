"""Evidence without a document is explained whole, and there is never a verdict about it."""

from datetime import datetime, timedelta

import pytest
from tests.policy.world import MEASUREMENT, NOW, ROOTS, World, policy
from tests.support import refused

from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.attest.roots import VENDOR_ROOTS
from confide.codes import Code
from confide.policy.explanation import Explanation, Outcome
from confide.policy.genuine import Pieces
from confide.policy.model import Policy
from confide.policy.text import render
from confide.policy.unbound import explain_evidence

WORLD = World()
BOUND = bytes(range(64))
PIECE = (WORLD.chip.evidence(report_data=BOUND, measurement=MEASUREMENT), WORLD.chip.endorsements())


def explained(wanted: Policy | None = None, *, pieces: Pieces = (PIECE,), now: datetime = NOW) -> Explanation:
    return explain_evidence(pieces, wanted, now=now, roots=ROOTS)


def code_of(explanation: Explanation) -> Code | None:
    assert explanation.outcome is (Outcome.UNBOUND if explanation.failure is None else Outcome.REFUSED)
    assert (explanation.verdict, explanation.past, explanation.keyset) == (None, None, None)
    return None if explanation.failure is None else explanation.failure.code


def test_what_is_genuine_is_bound_to_nothing() -> None:
    for wanted in (None, policy()):
        found = explained(wanted)
        assert code_of(found) is None
        assert [claims.report_data for claims in found.claims] == [BOUND]
        assert "bound to no keys" in render(found)
        assert BOUND.hex() in render(found)


def test_a_policy_is_compared_by_its_entries_alone() -> None:
    assert code_of(explained(policy(accept__measurements=["00" * 48]))) is Code.SNP_MEASUREMENT
    assert code_of(explained(policy(node__role="trainer"))) is None
    assert code_of(explained(policy(), now=NOW + timedelta(days=27))) is None
    assert code_of(explained(policy(expires="2026-11-25T12:00:00Z"))) is Code.POLICY_EXPIRED


def test_a_false_vendor_needs_admission_here_too() -> None:
    assert code_of(explained(policy(unsafe_accept_simulated=None))) is Code.POLICY_SIMULATED
    real = explain_evidence((PIECE,), None, now=NOW, roots=VENDOR_ROOTS)
    assert code_of(real) is Code.X509_ROOT


def test_of_several_pieces_each_is_looked_at() -> None:
    other = (Evidence(Kind.SNP.value, {"report": b"short"}), Endorsements({}))
    found = explained(pieces=(other, PIECE))
    assert code_of(found) is Code.SNP_SIZE
    assert len(found.claims) == 1


def test_nothing_at_all_is_not_genuine() -> None:
    assert code_of(explained(pieces=())) is Code.DOCUMENT_MALFORMED


@pytest.mark.parametrize("now", [datetime(2026, 11, 25, 12)])  # noqa: DTZ001 - that is the point
def test_a_time_without_a_zone_is_a_misuse(now: datetime) -> None:
    with refused(Code.VERDICT_TIME):
        explained(now=now)
