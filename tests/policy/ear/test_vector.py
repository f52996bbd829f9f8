"""AR4SI tiers, and what a real verdict is worth: claims fall with every relaxation and never rise."""

from dataclasses import replace
from typing import Any

import pytest
from tests.policy.test_verify import judge
from tests.policy.world import OWNED, OWNED_KEYS, World

from confide.attest.claims import Claims
from confide.policy.ear import vector
from confide.policy.ear.vector import Status, status_of, tier_of, vector_of, worst

UNSAFE = "unsafe_ignored"


def _unsimulated(claims: Claims) -> Claims:
    return replace(claims, simulated=False)


@pytest.mark.parametrize(
    ("value", "tier"),
    [
        (0, Status.NONE),
        (1, Status.NONE),
        (-1, Status.NONE),
        (2, Status.AFFIRMING),
        (31, Status.AFFIRMING),
        (-2, Status.AFFIRMING),
        (-32, Status.AFFIRMING),
        (32, Status.WARNING),
        (95, Status.WARNING),
        (-33, Status.WARNING),
        (-96, Status.WARNING),
        (96, Status.CONTRAINDICATED),
        (127, Status.CONTRAINDICATED),
        (-97, Status.CONTRAINDICATED),
        (-128, Status.CONTRAINDICATED),
        (128, Status.CONTRAINDICATED),
        (-129, Status.CONTRAINDICATED),
    ],
)
def test_a_value_has_the_tier_of_ar4si(value: int, tier: Status) -> None:
    """AR4SI section 2.3.2, at each edge."""
    assert tier_of(value) is tier


def test_the_worst_of_many_counts() -> None:
    assert worst([Status.AFFIRMING, Status.CONTRAINDICATED, Status.WARNING]) is Status.CONTRAINDICATED
    assert worst([]) is Status.NONE


def test_what_a_false_vendor_signed_is_nobodys_hardware() -> None:
    verdict = judge()
    found = vector_of(verdict.claims[0], verdict)
    assert found == {"configuration": 2, "executables": 3, "hardware": 97, "runtime-opaque": 2}
    assert status_of(found, relaxed=False) is Status.CONTRAINDICATED


def test_real_hardware_that_holds_is_affirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same claims, were they a real vendor's: nothing in the policy is relaxed but the false vendor."""
    verdict = judge()
    real = _unsimulated(verdict.claims[0])
    assert status_of(vector_of(real, verdict), relaxed=False) is Status.AFFIRMING
    assert status_of(vector_of(real, verdict), relaxed=True) is Status.WARNING
    monkeypatch.setattr(vector, "ENCRYPTED", frozenset())
    assert vector_of(real, verdict)["runtime-opaque"] == vector.OPAQUE_VISIBLE


@pytest.mark.parametrize(
    ("overrides", "claim", "value"),
    [
        ({"accept__measurements": UNSAFE}, "executables", vector.EXECUTABLES_UNRECOGNISED),
        ({"accept__minimum_tcb": UNSAFE}, "hardware", vector.HARDWARE_UNSAFE),
        ({"accept__allow_debug": UNSAFE}, "runtime-opaque", vector.OPAQUE_VISIBLE),
        ({"accept__allow_migration": UNSAFE}, "runtime-opaque", vector.OPAQUE_VISIBLE),
        ({"node__config_digests": UNSAFE}, "configuration", vector.CONFIGURATION_UNSUPPORTED),
        ({"node__software_digests": UNSAFE}, "configuration", vector.CONFIGURATION_UNSUPPORTED),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_relaxation_lowers_what_it_is_about(overrides: dict[str, Any], claim: str, value: int) -> None:
    verdict = judge(**overrides)
    found = vector_of(_unsimulated(verdict.claims[0]), verdict)
    assert found[claim] == value
    assert status_of(found, relaxed=True) in {Status.WARNING, Status.CONTRAINDICATED}


def test_identity_is_claimed_only_where_custody_was_checked() -> None:
    assert "instance-identity" not in vector_of(judge().claims[0], judge())
    verdict = judge(World(keys=OWNED_KEYS, admitted={}), **OWNED)
    assert vector_of(verdict.claims[0], verdict)["instance-identity"] == vector.IDENTITY_KNOWN


@pytest.mark.parametrize("status", ["OutOfDate", "SWHardeningNeeded", "ConfigurationNeeded", "Revoked"])
def test_a_tcb_that_is_not_up_to_date_is_no_affirmed_hardware(status: str) -> None:
    verdict = judge()
    aged = replace(_unsimulated(verdict.claims[0]), tcb_status=status)
    assert vector_of(aged, verdict)["hardware"] == vector.HARDWARE_UNSAFE
