"""Finding the TEE: by what exists and can be used, and the simulated one by name only."""

import errno
import json
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from tests.guest.devices.doubles import Machine, SevDevice, Tsm, sev_machine, tsm_machine

import confide_sim
from confide.attest.x509 import load_crls
from confide.cli.app import run
from confide.codes import Code
from confide.guest import GuestError, examination
from confide.guest.devices.checked import CheckedTee
from confide.guest.examination import examine
from confide.guest.tee import DEVICES, KINDS, detect, probe, survey
from confide_sim.device import FalseDevice

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"
SOFTWARE = bytes(32)


def machine(folder: Path, *paths: str) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    return folder


def found(root: Path, prefer: str | None = "auto") -> str:
    tee = detect(prefer, software_digest=SOFTWARE, root=root, roots=confide_sim.roots())
    assert isinstance(tee, CheckedTee)
    return tee.interface


def refusal(root: Path, prefer: str | None = "auto") -> GuestError:
    with pytest.raises(GuestError) as refused:
        found(root, prefer)
    return refused.value


def test_a_machine_without_a_device_is_told_what_was_looked_for(tmp_path: Path) -> None:
    error = refusal(tmp_path)
    assert error.code is Code.GUEST_NO_TEE
    assert all(f"/{path}" in error.wanted for paths in DEVICES.values() for path in paths)


@pytest.mark.parametrize("prefer", [None, "auto", "snp"])
def test_configfs_comes_before_the_device(prefer: str | None) -> None:
    guest = Machine()
    with sev_machine(SevDevice(guest), tsm=Tsm(guest)) as root:
        assert found(root, prefer) == "configfs-tsm"
    with sev_machine(SevDevice(guest)) as root:
        assert found(root, prefer) == "sev-guest"


@pytest.mark.parametrize("tsm", [{"provider": None}, {"provider": "another_guest"}, {"mkdir_faults": [errno.EACCES]}], ids=str)
def test_the_device_is_used_where_configfs_cannot_be(tsm: dict[str, object]) -> None:
    guest = Machine()
    with sev_machine(SevDevice(guest), tsm=Tsm(guest, **tsm)) as root:  # type: ignore[arg-type]
        assert found(root) == "sev-guest"


def test_a_guest_below_level_0_is_asked_at_its_own_level() -> None:
    with sev_machine(SevDevice(Machine(vmpl=2))) as root:
        assert found(root, "snp") == "sev-guest"
        assert survey(root)[0].found == "gives evidence of SEV-SNP at VMPL 2"


def test_reports_of_another_vendor_are_named_and_not_used() -> None:
    with tsm_machine(Tsm(Machine(), provider="another_guest")) as root:
        error = refusal(root)
    assert error.code is Code.GUEST_UNSUPPORTED_TEE
    assert "'another_guest'" in error.found


def test_an_interface_that_cannot_be_used_says_why() -> None:
    with tsm_machine(Tsm(Machine(), mkdir_faults=[errno.EACCES] * 9)) as root:
        error = refusal(root)
        (finding,) = survey(root)
    assert error.code is Code.GUEST_DEVICE
    assert "EACCES" in error.found
    assert error.wanted == "read and write access"
    assert (finding.usable, "EACCES" in finding.found) == (False, True)


@pytest.mark.parametrize(("path", "kind"), [("dev/tdx_guest", "tdx")])
def test_a_device_that_this_version_does_not_drive_is_named(tmp_path: Path, path: str, kind: str) -> None:
    for prefer in ("auto", kind):
        assert refusal(machine(tmp_path, path), prefer).code is Code.GUEST_UNSUPPORTED_TEE
    (finding,) = survey(tmp_path)
    assert (finding.path, finding.usable) == (f"/{path}", False)


def test_a_device_of_another_kind_does_not_count(tmp_path: Path) -> None:
    error = refusal(machine(tmp_path, "dev/sev-guest"), "nitro")
    assert error.code is Code.GUEST_NO_TEE
    assert "sev-guest" in error.found


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "trustzone").code is Code.GUEST_UNKNOWN_TEE


def test_nothing_falls_back_to_the_simulated_one(tmp_path: Path) -> None:
    for prefer in (None, "auto", *KINDS):
        assert refusal(tmp_path, prefer).code is Code.GUEST_NO_TEE


def test_the_simulated_one_needs_its_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confide_sim.device", None)
    with pytest.raises(GuestError) as refused:
        detect("simulated", software_digest=SOFTWARE)
    assert refused.value.code is Code.GUEST_NO_SIMULATOR


def test_the_simulated_one_is_used_when_named(tmp_path: Path) -> None:
    tee = detect("simulated", software_digest=SOFTWARE, root=tmp_path)
    assert tee.simulated
    assert tee.kind == "snp"


def test_simulated_roots_are_nowhere_by_default() -> None:
    with tsm_machine(Tsm(Machine())) as root, pytest.raises(GuestError) as refused:
        detect("snp", software_digest=SOFTWARE, root=root)
    assert refused.value.code is Code.GUEST_SELF_CHECK
    assert refused.value.found.startswith("x509.root")


def test_an_examination_tells_the_facts_of_good_evidence() -> None:
    guest = Machine()
    with tsm_machine(Tsm(guest)) as root:
        told = examine(root=root, roots=confide_sim.roots()).as_dict()
    assert told["in_use"] == "configfs-tsm"
    assert told["problem"] is None
    assert told["evidence"]["platform_id"] == guest.chip.chip_id.hex()
    assert told["evidence"]["kind"] == "SIMULATED SEV-SNP"
    assert told["interfaces"][0]["usable"] is True


def test_an_examination_tells_what_is_wrong(tmp_path: Path) -> None:
    assert examine(root=tmp_path).problem is not None
    with tsm_machine(Tsm(Machine(table=b""))) as root:
        told = examine(root=root, roots=confide_sim.roots()).as_dict()
    assert told["in_use"] == "configfs-tsm"
    assert told["problem"]["code"] == "guest.collateral"
    with tsm_machine(Tsm(Machine(report_fields={"policy": 0x30000 | 1 << 19}))) as root:
        (warning,) = examine(root=root, roots=confide_sim.roots()).own.warnings
    assert warning.startswith("snp.debug")


def test_the_command_shows_what_was_found(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    guest = Machine(report_fields={"policy": 0x30000 | 1 << 19})
    with sev_machine(SevDevice(guest), tsm=Tsm(guest, provider=None)) as root:
        here = partial(examination.examine, root=root, roots=confide_sim.roots())
        monkeypatch.setattr(examination, "examine", here)
        assert run(["doctor"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[1].startswith("  ✗ configfs-tsm")
        assert "ENXIO" in lines[1]
        assert lines[2] == "  ✓ sev-guest     /dev/sev-guest                    gives evidence of SEV-SNP at VMPL 0"
        assert "in use      sev-guest" in lines
        assert any("SIMULATED SEV-SNP" in line for line in lines)
        assert "snp.debug" in lines[-1]
        guest.table = b""
        assert run(["doctor"]) == 4
        assert "guest.collateral" in capsys.readouterr().err
        assert run(["doctor", "--json"]) == 4
        assert json.loads(capsys.readouterr().out)["problem"]["code"] == "guest.collateral"


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
