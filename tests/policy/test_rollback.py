"""Numbers that only grow, and a state that cannot be forgotten quietly."""

from dataclasses import dataclass
from typing import Any

import pytest
from tests.policy.world import NONCE, NOW, ROOTS, World, keyset, policy

from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.codes import Code
from confide.errors import ConfideError, MisuseError
from confide.policy.rollback import RollbackState, evaluation_numbers
from confide.policy.verify import verify

SEEN = RollbackState({"demo": 3}, {"demo": 5}, {"tdx": 17})


@dataclass(frozen=True)
class NumberedClaims(Claims):
    """What claims of Intel's kinds look like."""

    tcb_evaluation_number: int | None = None


def numbered(number: int | None) -> NumberedClaims:
    claims = verify(World().document(), policy(), now=NOW, nonce=NONCE, roots=ROOTS).claims[0]
    return NumberedClaims(**{name: getattr(claims, name) for name in Claims.__dataclass_fields__}, tcb_evaluation_number=number)


def test_a_state_survives_being_saved() -> None:
    assert RollbackState.from_json(SEEN.to_json()) == SEEN
    assert RollbackState.from_json(RollbackState().to_json()) == RollbackState()


def test_equal_states_have_equal_bytes() -> None:
    one, other = RollbackState({"a": 1, "b": 2}), RollbackState({"b": 2, "a": 1})
    assert one.to_json() == other.to_json()


def test_a_state_cannot_be_changed_in_place() -> None:
    numbers: Any = SEEN.policy_serials
    with pytest.raises(TypeError):
        numbers["demo"] = 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        SEEN.to_json()[:-1],
        SEEN.to_json().replace(b'"version":1', b'"version":2'),
        SEEN.to_json().replace(b"17", b"-1"),
        SEEN.to_json().replace(b"17", b"true"),
        SEEN.to_json()[:-1] + b',"more":{}}',
        b" " * (1 << 20) + b"{}",
    ],
)
def test_what_is_no_state_is_an_error_and_never_an_empty_state(data: bytes) -> None:
    with pytest.raises(MisuseError) as caught:
        RollbackState.from_json(data)
    assert caught.value.code is Code.VERDICT_STATE


def test_merging_keeps_the_higher_number_of_each() -> None:
    merged = RollbackState({"a": 1, "b": 9}, {"a": 2}).merge(RollbackState({"a": 3}, {"a": 1, "c": 1}, {"tdx": 4}))
    assert merged == RollbackState({"a": 3, "b": 9}, {"a": 2, "c": 1}, {"tdx": 4})


def test_a_verdict_returns_the_advanced_state() -> None:
    world = World(keys={"policy_digest": bytes(32), "policy_serial": 8})
    verdict = verify(world.document(), policy(serial=4), now=NOW, nonce=NONCE, roots=ROOTS, rollback=SEEN)
    assert verdict.rollback == RollbackState({"demo": 4}, {"demo": 8}, {"tdx": 17})


def test_a_caller_that_keeps_no_state_reads_so_in_the_verdict() -> None:
    document = World().document()
    without = verify(document, policy(), now=NOW, nonce=NONCE, roots=ROOTS)
    assert "rollback" in {item.what for item in without.not_checked}
    first = verify(document, policy(), now=NOW, nonce=NONCE, roots=ROOTS, rollback=RollbackState())
    assert "rollback" not in {item.what for item in first.not_checked}
    assert first.rollback == without.rollback


def test_the_same_numbers_again_pass() -> None:
    world = World(keys={"policy_digest": bytes(32), "policy_serial": 5})
    assert verify(world.document(), policy(), now=NOW, nonce=NONCE, roots=ROOTS, rollback=SEEN).rollback == SEEN


def test_an_older_policy_refuses() -> None:
    with pytest.raises(ConfideError) as caught:
        verify(World().document(), policy(serial=2), now=NOW, nonce=NONCE, roots=ROOTS, rollback=SEEN)
    assert caught.value.code is Code.POLICY_ROLLBACK


def test_an_older_policy_of_another_name_passes() -> None:
    world = World(keys={"policy_digest": bytes(32), "policy_serial": 1})
    verdict = verify(world.document(), policy(name="other", serial=1), now=NOW, nonce=NONCE, roots=ROOTS, rollback=SEEN)
    assert verdict.rollback.policy_serials == {"demo": 3, "other": 1}


@pytest.mark.parametrize("keys", [{"policy_digest": bytes(32), "policy_serial": 4}, {}], ids=["an older one", "none any more"])
def test_a_node_that_went_back_in_its_own_policy_refuses(keys: dict[str, Any]) -> None:
    with pytest.raises(ConfideError) as caught:
        verify(World(keys=keys).document(), policy(), now=NOW, nonce=NONCE, roots=ROOTS, rollback=SEEN)
    assert caught.value.code is Code.VERDICT_ROLLBACK


def test_vendor_data_with_a_lower_evaluation_number_refuses_and_a_higher_one_is_kept() -> None:
    node, mine = keyset(policy_digest=bytes(32), policy_serial=5), policy()
    claims = [numbered(18)]
    SEEN.check_node(mine, node, claims, checks=Checks())
    state = SEEN.advance(mine, node, claims)
    assert state.tcb_evaluation == {"tdx": 17, "snp": 18}
    with pytest.raises(ConfideError) as caught:
        state.check_node(mine, node, [numbered(17)], checks=Checks())
    assert caught.value.code is Code.VERDICT_ROLLBACK


def test_claims_without_an_evaluation_number_have_none() -> None:
    assert evaluation_numbers([numbered(None)]) == {}
