"""Names on the wire: each role has one name, each name one role, and nothing else has any."""

import pytest
from tests.support import ROOT

from confide.attest.evidence import Kind
from confide.attest.wire import (
    COLLATERAL_TYPES,
    DEVICE_COLLATERAL,
    DEVICE_EVIDENCE,
    EVIDENCE_TYPES,
    MAX_DEVICES,
    Place,
    collateral_name,
    collateral_share,
    evidence_name,
    evidence_place,
)


@pytest.mark.parametrize("name", [*EVIDENCE_TYPES, *(f"{name}-{index}" for name in DEVICE_EVIDENCE for index in (0, 9, 31))])
def test_evidence_goes_by_its_name_and_back(name: str) -> None:
    place = evidence_place(name)
    assert place is not None
    assert evidence_name(place.kind, place.role, place.index) == name


@pytest.mark.parametrize("name", [*COLLATERAL_TYPES, *(f"{name}-{index}" for name in DEVICE_COLLATERAL for index in (0, 31))])
def test_collateral_goes_by_its_name_and_back(name: str) -> None:
    found = collateral_share(name)
    assert found is not None
    share, index = found
    for kind in share.kinds:
        assert collateral_name(kind, share.role, index or 0) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "nvidia-gpu",
        "nvidia-gpu-",
        "nvidia-gpu--1",
        "nvidia-gpu-01",
        f"nvidia-gpu-{MAX_DEVICES}",
        "nvidia-gpu-0\n",
        "sev-snp-report-0",
    ],
)
def test_other_names_have_no_place(name: str) -> None:
    assert evidence_place(name) is None


@pytest.mark.parametrize("name", ["", "nvidia-rim-driver", f"nvidia-rim-driver-{MAX_DEVICES}", "vcek-0", "intel-tcb"])
def test_other_names_serve_nobody(name: str) -> None:
    assert collateral_share(name) is None


def test_what_the_wire_cannot_say_has_no_name() -> None:
    assert evidence_name(Kind.SNP, "report", 1) is None
    assert evidence_name(Kind.NVIDIA, "gpu-report", MAX_DEVICES) is None
    assert evidence_name(Kind.NVIDIA, "gpu-report", -1) is None
    assert collateral_name(Kind.SNP, "tcb-info", 0) is None
    assert collateral_name(Kind.NVIDIA, "rim-driver", MAX_DEVICES) is None
    assert evidence_place("nvidia-gpu-7") == Place(Kind.NVIDIA, "gpu-report", 7)


def test_the_specification_lists_every_name() -> None:
    text = (ROOT / "spec" / "04-document.md").read_text()
    devices = [f"{name}-N" for name in (*DEVICE_EVIDENCE, *DEVICE_COLLATERAL)]
    short = [name for name in EVIDENCE_TYPES if name.startswith("az-tdx-") and name != "az-tdx-td-quote"]  # "the same with az-tdx-"
    missing = [name for name in (*EVIDENCE_TYPES, *COLLATERAL_TYPES, *devices) if f"`{name}`" not in text and name not in short]
    assert missing == []
