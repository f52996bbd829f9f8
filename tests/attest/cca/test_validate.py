"""Acceptance: one constraint at a time, its strict default, and what it says when it is switched off."""

from dataclasses import replace
from typing import Any

import pytest
from tests.attest.cca.world import OTHER_ROOT, STRICT, genuine
from tests.support import refused

from confide.attest import verifiers
from confide.attest.cca.validate import CcaConstraints
from confide.attest.checks import Checks
from confide.attest.constraints import Ignored
from confide.codes import Code
from confide_sim import arm

SKIP = Ignored.UNSAFE_IGNORED


def judged(constraints: CcaConstraints = STRICT, **token: Any) -> Checks:
    checks = Checks()
    verifiers.validate(genuine(**token), constraints, checks=checks)
    return checks


def test_what_is_listed_is_accepted_and_the_rest_is_named() -> None:
    checks = judged()
    assert {"personalization", "implementation", "instance", "platform configuration", "signers of firmware"} <= {
        item.what for item in checks.not_checked
    }
    assert checks.relaxations == []


def test_absent_constraints_refuse() -> None:
    with refused(Code.CCA_PLATFORM_KEY):
        judged(CcaConstraints())
    with refused(Code.CCA_RIM):
        judged(replace(STRICT, rims=()))
    with refused(Code.CCA_COMPONENT):
        judged(replace(STRICT, firmware=()))


INSTANCE = genuine().platform.instance_id
ACCEPTED: dict[str, tuple[CcaConstraints, dict[str, Any]]] = {
    "everything listed": (
        replace(
            STRICT,
            firmware_signers=(arm.SIGNER,),
            personalizations=(bytes(64),),
            implementation_ids=(arm.IMPLEMENTATION,),
            instance_ids=(INSTANCE,),
            configs=(arm.CONFIG,),
        ),
        {},
    ),
    "a measurement that was extended, listed": (
        replace(STRICT, rems=(None, (b"\x07" * 48,), None, None)),
        {"realm": {44239: [bytes(48), b"\x07" * 48, bytes(48), bytes(48)]}},
    ),
    "private memory": (replace(STRICT, private_memory=True), {"newer": True}),
    "the last secured state": (STRICT, {"platform": {2395: 0x30FF}}),
    "debug, by name": (replace(STRICT, allow_debug=SKIP), {"platform": {2395: 0x4001}}),
    "debug of the root, by name": (replace(STRICT, allow_debug=SKIP), {"platform": {2395: 0x50FF}}),
    "live firmware, by name": (replace(STRICT, allow_live_firmware=SKIP), {"newer": True, "realm": {44244: 1}}),
    "devices, by name": (replace(STRICT, allow_devices=SKIP), {"realm": {44257: bytes(32)}}),
    "any software, by name": (
        replace(STRICT, rims=SKIP, rems=(SKIP,) * 4),
        {"realm": {44238: bytes(32), 44239: [b"\x01" * 32] * 4}},
    ),
    "any firmware, by name": (replace(STRICT, firmware=SKIP), {"platform": {2399: [{2: bytes(32), 5: bytes(32)}]}}),
}


@pytest.mark.parametrize(("constraints", "token"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_a_token_that_fits_is_accepted(constraints: CcaConstraints, token: dict[str, Any]) -> None:
    named = {item.setting for item in judged(constraints, **token).relaxations}
    assert named == set(constraints.ignored) - {"rems"}


REFUSED: dict[str, tuple[Code, CcaConstraints, dict[str, Any]]] = {
    "another entry's key": (Code.CCA_PLATFORM_KEY, replace(STRICT, platform_keys=(OTHER_ROOT.der,)), {}),
    "another realm": (Code.CCA_RIM, STRICT, {"realm": {44238: bytes(48)}}),
    "an extended measurement": (Code.CCA_REM, STRICT, {"realm": {44239: [bytes(48)] * 3 + [b"\x01" * 48]}}),
    "another extended measurement": (
        Code.CCA_REM,
        replace(STRICT, rems=((b"\x02" * 48,), None, None, None)),
        {"realm": {44239: [b"\x01" * 48] + [bytes(48)] * 3}},
    ),
    "a measurement that was not extended": (Code.CCA_REM, replace(STRICT, rems=((b"\x02" * 48,), None, None, None)), {}),
    "one component that is not listed": (
        Code.CCA_COMPONENT,
        STRICT,
        {"platform": {2399: [{2: value, 5: arm.SIGNER} for value in (*arm.FIRMWARE.values(), bytes(32))]}},
    ),
    "another signer": (Code.CCA_COMPONENT, replace(STRICT, firmware_signers=(bytes(32),)), {}),
    "another personalization": (Code.CCA_PERSONALIZATION, replace(STRICT, personalizations=(b"\x01" * 64,)), {}),
    "another implementation": (Code.CCA_IMPLEMENTATION, replace(STRICT, implementation_ids=(bytes(32),)), {}),
    "another instance": (Code.CCA_INSTANCE, replace(STRICT, instance_ids=(b"\x01" + bytes(32),)), {}),
    "another configuration": (Code.CCA_CONFIG, replace(STRICT, configs=(b"\x00",)), {}),
    "shared memory": (Code.CCA_MEMORY, replace(STRICT, private_memory=True), {"newer": True, "realm": {44243: 0}}),
    "memory that nobody speaks of": (Code.CCA_MEMORY, replace(STRICT, private_memory=True), {}),
    "live firmware": (Code.CCA_LIVE_FIRMWARE, STRICT, {"newer": True, "realm": {44244: 1}}),
    "devices": (Code.CCA_DEVICES, STRICT, {"realm": {44257: bytes(32)}}),
}
REFUSED |= {
    f"lifecycle {state:#06x}": (Code.CCA_LIFECYCLE, STRICT, {"platform": {2395: state}})
    for state in (0, 0x00FF, 0x1000, 0x2000, 0x2FFF, 0x3100, 0x4000, 0x5000, 0x6000, 0xFFFF)
}
REFUSED |= {
    f"lifecycle {state:#06x} is no debug": (Code.CCA_LIFECYCLE, replace(STRICT, allow_debug=SKIP), {"platform": {2395: state}})
    for state in (0x1000, 0x2000, 0x3100, 0x4100, 0x6000)
}


@pytest.mark.parametrize(("code", "constraints", "token"), REFUSED.values(), ids=REFUSED.keys())
def test_a_token_that_does_not_fit_is_refused(code: Code, constraints: CcaConstraints, token: dict[str, Any]) -> None:
    with refused(code):
        judged(constraints, **token)


def test_lists_say_how_long_they_are() -> None:
    assert (STRICT.platforms, STRICT.references, STRICT.ignored) == (None, 1, ())
    open_ = replace(STRICT, rims=SKIP, rems=(None, SKIP, None, None), instance_ids=(INSTANCE,))
    assert (open_.platforms, open_.references, open_.ignored) == (1, None, ("rims", "rem1"))
