"""Finding the TEE: by what exists, and the simulated one by name only."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from confide.attest.x509 import load_crls
from confide.codes import Code
from confide.guest import GuestError
from confide.guest.tee import DEVICES, KINDS, detect, probe
from confide_sim.device import FalseDevice

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"
SOFTWARE = bytes(32)


def machine(folder: Path, *paths: str) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    return folder


def test_a_machine_without_a_device_is_told_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(GuestError) as refused:
        detect(software_digest=SOFTWARE, root=tmp_path)
    assert refused.value.code is Code.GUEST_NO_TEE
    assert all(f"/{path}" in refused.value.wanted for paths in DEVICES.values() for path in paths)


@pytest.mark.parametrize("prefer", [None, "auto", "snp"])
def test_a_real_device_is_found_and_honestly_refused(tmp_path: Path, prefer: str | None) -> None:
    root = machine(tmp_path, "dev/sev-guest", "sys/kernel/config/tsm/report")
    with pytest.raises(GuestError) as refused:
        detect(prefer, software_digest=SOFTWARE, root=root)
    assert refused.value.code is Code.GUEST_UNSUPPORTED_TEE
    assert refused.value.found == "configfs-tsm, sev-guest"


def test_a_device_of_another_kind_does_not_count(tmp_path: Path) -> None:
    with pytest.raises(GuestError) as refused:
        detect("nitro", software_digest=SOFTWARE, root=machine(tmp_path, "dev/sev-guest"))
    assert refused.value.code is Code.GUEST_NO_TEE
    assert "sev-guest" in refused.value.found


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GuestError) as refused:
        detect("trustzone", software_digest=SOFTWARE, root=tmp_path)
    assert refused.value.code is Code.GUEST_UNKNOWN_TEE


def test_nothing_falls_back_to_the_simulated_one(tmp_path: Path) -> None:
    for prefer in (None, "auto", *KINDS):
        with pytest.raises(GuestError):
            detect(prefer, software_digest=SOFTWARE, root=tmp_path)


def test_the_simulated_one_needs_its_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confide_sim.device", None)
    with pytest.raises(GuestError) as refused:
        detect("simulated", software_digest=SOFTWARE)
    assert refused.value.code is Code.GUEST_NO_SIMULATOR


def test_the_simulated_one_is_used_when_named(tmp_path: Path) -> None:
    tee = detect("simulated", software_digest=SOFTWARE, root=tmp_path)
    assert tee.simulated
    assert tee.kind == "snp"


def test_the_simulated_ones_revocation_list_is_never_a_day_old() -> None:
    class Clock:
        now = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)

    device = FalseDevice(software_digest=SOFTWARE, now=lambda: Clock.now)
    lists = set()
    for _ in range(48):
        crl = device.quote(bytes(64)).endorsements.items["crl"]
        lists.add(crl)
        (parsed,) = load_crls(crl)
        made = parsed.last_update_utc
        assert timedelta(minutes=4) < Clock.now - made < timedelta(hours=13)
        Clock.now += timedelta(hours=1)
    assert len(lists) == 4


def test_the_documentation_lists_every_device() -> None:
    text = DOCS.read_text()
    for name, paths in DEVICES.items():
        assert f"| {name} | `/{paths[0]}` |" in text
    assert probe(Path("/nonexistent")) == ()
