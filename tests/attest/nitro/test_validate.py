"""Is a genuine document acceptable? One test for each constraint that refuses, one for each relaxation."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.attest.nitro.test_layout import of_instance, parse

from confide.attest.checks import Checks
from confide.attest.constraints import Ignored
from confide.attest.evidence import Kind
from confide.attest.nitro.claims import NitroClaims
from confide.attest.nitro.validate import NitroConstraints, validate
from confide.codes import Code
from confide.errors import ConfideError, EvidenceError, PolicyError

NOW = datetime(2023, 11, 14, 23, tzinfo=UTC)
PCR0 = b"\x01" * 48
ALLOWED = NitroConstraints(pcrs={0: (PCR0,)})


def claims(kind: Kind = Kind.NITRO, **changes: Any) -> NitroClaims:
    document = parse(kind, **(of_instance() if kind is Kind.NITROTPM else {}), **changes)
    return NitroClaims(
        kind=kind,
        simulated=False,
        measurements=(),
        report_data=b"",
        platform_id="",
        tcb_status=None,
        advisories=(),
        not_before=NOW,
        not_after=NOW,
        document=document,
        age=timedelta(minutes=40),
        region="eu-central-1",
    )


def run(found: NitroClaims, wanted: NitroConstraints) -> Checks:
    checks = Checks()
    validate(found, wanted, checks=checks)
    return checks


REFUSED: Mapping[str, tuple[NitroConstraints, Code, type[ConfideError]]] = {
    "no PCR is named": (NitroConstraints(), Code.NITRO_PCR, PolicyError),
    "another PCR0": (NitroConstraints(pcrs={0: (b"\x02" * 48,)}), Code.NITRO_PCR, PolicyError),
    "a PCR with nothing listed": (NitroConstraints(pcrs={0: ()}), Code.NITRO_PCR, PolicyError),
    "a PCR that is not in the document": (NitroConstraints(pcrs={0: (PCR0,), 20: (PCR0,)}), Code.NITRO_PCR, PolicyError),
    "another instance": (replace(ALLOWED, instance_ids=("i-1",)), Code.NITRO_PLATFORM, PolicyError),
    "no instance": (replace(ALLOWED, instance_ids=()), Code.NITRO_PLATFORM, PolicyError),
    "another region": (replace(ALLOWED, regions=("us-east-1",)), Code.NITRO_REGION, PolicyError),
    "an older document": (replace(ALLOWED, maximum_age=timedelta(minutes=39)), Code.NITRO_AGE, PolicyError),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_constraints_do_not_list_is_refused(name: str) -> None:
    wanted, code, error = REFUSED[name]
    with pytest.raises(error) as caught:
        run(claims(), wanted)
    assert caught.value.code is code


def test_debug_mode_is_refused_before_measurements_are_looked_at() -> None:
    zeros = claims(pcrs={index: bytes(48) for index in range(16)})
    with pytest.raises(EvidenceError) as caught:
        run(zeros, NitroConstraints(pcrs={0: (bytes(48),)}))
    assert caught.value.code is Code.NITRO_DEBUG


def test_everything_that_is_listed_is_accepted() -> None:
    wanted = replace(
        ALLOWED,
        instance_ids=("i-0123456789abcdef0",),
        regions=("eu-central-1",),
        maximum_age=timedelta(minutes=40),
    )
    run(claims(), wanted)
    assert (wanted.platforms, wanted.references) == (1, 1)
    assert (ALLOWED.platforms, NitroConstraints(pcrs=Ignored.UNSAFE_IGNORED).references) == (None, None)


def test_relaxations_are_told() -> None:
    zeros = claims(pcrs={index: bytes(48) for index in range(16)})
    checks = run(zeros, NitroConstraints(pcrs=Ignored.UNSAFE_IGNORED, allow_debug=Ignored.UNSAFE_IGNORED))
    assert {each.setting for each in checks.relaxations} == {"allow_debug", "pcrs"}


def test_an_instance_has_no_debug_mode_and_no_memory_encryption() -> None:
    checks = run(claims(Kind.NITROTPM), NitroConstraints(pcrs={4: (b"\x04" * 48,)}))
    assert "memory encryption" in {each.what for each in checks.not_checked}
