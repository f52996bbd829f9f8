"""GPUs through NVIDIA's own binding, over a double of the C library: asked, verified, allowed to work; and what refuses them."""

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.collateral.doubles import Service, serving
from tests.collateral.test_collect import pcs, rim_service
from tests.guest.devices.intel_doubles import TrustDomain, give, td_machine
from tests.guest.devices.nvml_doubles import GPU_IS_LOST, NO_PERMISSION, NOT_SUPPORTED, Driver, give_manifests, installed

import confide_sim
from confide.attest.nvidia.claims import NvidiaClaims
from confide.cli.app import run
from confide.codes import Code
from confide.collateral.files import pieces_of
from confide.collateral.sources import keeper_of
from confide.guest import GuestError, examination
from confide.guest.devices import nvml
from confide.guest.devices.checked import CheckedTee
from confide.guest.devices.gpu import GpuSource
from confide.guest.examination import examine
from confide.guest.gpus import finding, open_gpus, sources
from confide.guest.stocking import stock
from confide_sim.nvidia import FalseGpu

NONCE = bytes(range(32))
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
REPORT, CHAIN = "nvmlDeviceGetConfComputeGpuAttestationReport", "nvmlDeviceGetConfComputeGpuCertificate"
SETTINGS, COUNT = "nvmlSystemGetConfComputeSettings", "nvmlDeviceGetCount_v2"


def gpus(count: int = 1) -> list[FalseGpu]:
    return [FalseGpu(at=NOW, seed=bytes([number])) for number in range(count)]


def opened(folder: Path, **more: Any) -> tuple[CheckedTee, ...]:
    return open_gpus("nvidia", **{"collateral_dir": folder, "roots": confide_sim.roots(), "now": lambda: NOW, **more})


def refusal(driver: Driver, folder: Path) -> GuestError:
    give_manifests(folder, *driver.gpus)
    with installed(driver), pytest.raises(GuestError) as caught:
        opened(folder)
    assert driver.ready == 0, "nobody may work on it"
    return caught.value


def test_each_gpu_answers_its_nonce_with_evidence_that_verifies(tmp_path: Path) -> None:
    driver = Driver(gpus(3))
    give_manifests(tmp_path, *driver.gpus)
    with installed(driver):
        found = opened(tmp_path)
        checked = [gpu.examine(NONCE[:31] + bytes([number])) for number, gpu in enumerate(found)]
    assert [gpu.attestation_key_sha256 for gpu in found] == [gpu.leaf_key_sha256 for gpu in driver.gpus]
    assert [each.quote.evidence.index for each in checked] == [0, 1, 2]
    for number, each in enumerate(checked):
        assert isinstance(each.claims, NvidiaClaims)
        assert each.claims.report_data == NONCE[:31] + bytes([number])
        assert set(each.quote.endorsements.items) == {"cert-chain", "rim-driver", "rim-vbios", "ocsp"}
    assert driver.asked[-3:] == [(number, NONCE[:31] + bytes([number])) for number in range(3)]


def test_they_are_allowed_to_work_once_they_were_verified(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    driver = Driver(gpus())
    give_manifests(tmp_path, *driver.gpus)
    with installed(driver):
        opened(tmp_path)
        assert driver.ready == 1
        driver.fails["nvmlSystemSetConfComputeGpusReadyState"] = NO_PERMISSION
        opened(tmp_path)
        assert "conf-compute -srs 1" not in caplog.text, "they may work already"
        driver.ready = 0
        opened(tmp_path)
    assert "conf-compute -srs 1" in caplog.text


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"feature": 0}, "GPUs: confidential computing is off (0)"),
        ({"feature": 2}, "GPUs: confidential computing is off (2)"),
        ({"devtools": 1}, "GPUs: development tools are on (1)"),
        ({"environment": 1}, "GPUs: environment 1 (1)"),
        ({"environment": 0}, "GPUs: environment 0 (0)"),
        ({"multi_gpu": 1}, "GPUs: protected PCIe (1)"),
        ({"gpus": []}, "0 GPUs"),
        ({"gpus": gpus() * 33}, "33 GPUs"),
        ({"fails": {SETTINGS: NOT_SUPPORTED}}, "NVML error 3"),
        ({"absent": {SETTINGS}}, "NVML error 13"),
        ({"fails": {COUNT: GPU_IS_LOST}}, "NVML error 15"),
        ({"fails": {"nvmlInitWithFlags": NO_PERMISSION}}, "NVML error 4"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_driver_in_another_mode_or_trouble_is_not_used(tmp_path: Path, fields: dict[str, Any], found: str) -> None:
    driver = Driver(**{"gpus": gpus(), **fields})
    error = refusal(driver, tmp_path)
    assert (error.code, error.found) == (Code.GUEST_DEVICE, found)
    assert driver.asked == []


def test_nvlink_that_is_encrypted_is_taken(tmp_path: Path) -> None:
    driver = Driver(gpus(2), multi_gpu=2)
    give_manifests(tmp_path, *driver.gpus)
    with installed(driver):
        assert len(opened(tmp_path)) == 2


BAD_REPORTS: dict[str, tuple[Callable[[FalseGpu, bytes], bytes], str]] = {
    "another key": (lambda gpu, nonce: gpu.report(nonce=nonce, key=FalseGpu(at=NOW).key), "nvidia.signature"),
    "another firmware": (lambda gpu, nonce: gpu.report(nonce=nonce, opaque={"fwid": b"\x01" * 48}), "nvidia.fwid"),
    "noise": (lambda _gpu, _nonce: b"\x11" * 900, "nvidia.spdm"),
}


@pytest.mark.parametrize("name", BAD_REPORTS)
def test_a_report_that_does_not_verify_is_told_with_its_code(tmp_path: Path, name: str) -> None:
    report, code = BAD_REPORTS[name]
    error = refusal(Driver(gpus(), report=report), tmp_path)
    assert error.code is Code.GUEST_SELF_CHECK
    assert error.found.startswith(code)


def test_an_answer_to_another_nonce_is_no_answer(tmp_path: Path) -> None:
    error = refusal(Driver(gpus(), report=lambda gpu, _: gpu.report(nonce=bytes(32))), tmp_path)
    assert (error.code, error.found) == (Code.GUEST_QUOTE, "evidence over other bytes")


def test_firmware_that_nvidia_does_not_vouch_for_gets_no_work(tmp_path: Path) -> None:
    driver = Driver(gpus(), report=lambda gpu, nonce: gpu.report(nonce=nonce, measurements={8: b"\x02" * 48}))
    error = refusal(driver, tmp_path)
    assert error.code is Code.GUEST_DEVICE
    assert error.found.startswith("GPU 0: nvidia.measurement")


@pytest.mark.parametrize(("what", "size"), [("report", 0), ("report", 0x2001), ("chain", 0), ("chain", 0x1401)])
def test_a_size_beyond_the_librarys_structure_is_refused(tmp_path: Path, what: str, size: int) -> None:
    error = refusal(Driver(gpus(), sizes={what: size}), tmp_path)
    assert (error.code, error.found) == (Code.GUEST_QUOTE, f"{size} bytes from NVML")


@pytest.mark.parametrize("function", [REPORT, CHAIN])
def test_a_gpu_that_fails_is_told_by_number(tmp_path: Path, function: str) -> None:
    error = refusal(Driver(gpus(), fails={function: GPU_IS_LOST}), tmp_path)
    assert (error.code, error.found) == (Code.GUEST_QUOTE, "NVML error 15")


@pytest.mark.parametrize(
    ("name", "content"), [("rim-driver.xml", "NV_GPU_DRIVER_GH100_570.124.06"), ("rim-vbios.xml", "NV_GPU_VBIOS_1010_0200_882_96")]
)
def test_a_manifest_that_is_not_here_is_named(tmp_path: Path, name: str, content: str) -> None:
    driver = Driver(gpus(2))
    give_manifests(tmp_path, *driver.gpus)
    (tmp_path / f"gpu-1-{name}").unlink()
    with installed(driver), pytest.raises(GuestError) as caught:
        opened(tmp_path)
    assert caught.value.code is Code.GUEST_COLLATERAL
    assert f"gpu-1-{name}, NVIDIA's manifest {content}" in caught.value.wanted


def test_statuses_that_are_not_here_are_named(tmp_path: Path) -> None:
    driver = Driver(gpus())
    (give_manifests(tmp_path, *driver.gpus) / "gpu-0-ocsp.der").unlink()
    with installed(driver), pytest.raises(GuestError) as caught:
        opened(tmp_path)
    assert (caught.value.code, "gpu-0-ocsp.der" in caught.value.hint) == (Code.GUEST_COLLATERAL, True)


def test_the_mode_is_looked_at_before_each_report(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    driver = Driver(gpus())
    give_manifests(tmp_path, *driver.gpus)
    with installed(driver), caplog.at_level(logging.ERROR):
        (gpu,) = opened(tmp_path)
        driver.devtools = 1
        with pytest.raises(GuestError) as caught:
            gpu.quote(NONCE)
    assert (caught.value.code, caught.value.found) == (Code.GUEST_QUOTE, "guest.device")
    assert "development tools are on" in caplog.text


def test_a_gpu_with_another_key_than_at_the_beginning_gives_no_quote(tmp_path: Path) -> None:
    driver = Driver(gpus())
    give_manifests(tmp_path, *driver.gpus)
    with installed(driver):
        (gpu,) = opened(tmp_path)
        driver.gpus[0] = FalseGpu(at=NOW, seed=b"other")
        give_manifests(tmp_path, *driver.gpus)
        with pytest.raises(GuestError) as caught:
            gpu.quote(NONCE)
    assert (caught.value.code, caught.value.found) == (Code.GUEST_QUOTE, "another attestation key")


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_nonce_of_another_size_is_not_asked_with(size: int) -> None:
    driver = Driver(gpus())
    with installed(driver), pytest.raises(GuestError):
        GpuSource(nvml.load(), 0).read(bytes(size))
    assert driver.asked == []


def test_without_the_binding_or_the_driver_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GuestError) as caught:
        sources("nvidia")  # no driver on a machine that runs these tests without one
    assert caught.value.code is Code.GUEST_DEVICE
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(GuestError) as caught:
        sources("nvidia")
    assert (caught.value.found, caught.value.hint) == ("no module pynvml", "pip install 'confide[gpu]'")


def test_none_are_none_and_other_names_are_refused() -> None:
    assert sources("none") == ()
    with pytest.raises(GuestError) as caught:
        sources("amd")
    assert caught.value.code is Code.GUEST_UNKNOWN_TEE


def test_a_survey_tells_of_them(tmp_path: Path) -> None:
    assert finding(tmp_path) is None
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidiactl").write_bytes(b"")
    with installed(Driver(gpus(2))):
        found = finding(tmp_path)
        assert found is not None
        assert (found.usable, found.found) == (True, "gives evidence of 2 NVIDIA GPUs, where the setting gpus says so")
    with installed(Driver(gpus(), feature=0)):
        found = finding(tmp_path)
        assert found is not None
        assert (found.usable, found.found) == (False, "GPUs: confidential computing is off (0); wanted on")


def test_an_examination_shows_each_of_them(tmp_path: Path) -> None:
    driver = Driver(gpus(2))
    (give_manifests(tmp_path, *driver.gpus) / "gpu-1-ocsp.der").unlink()
    with installed(driver):
        told = examine(gpus="nvidia", root=tmp_path, collateral_dir=tmp_path, roots=confide_sim.roots(), now=lambda: NOW).as_dict()
    assert told["problem"]["code"] == "guest.no_tee"
    assert told["beside"]["gpu 0"]["evidence"]["architecture"] == "GH100"
    assert told["beside"]["gpu 1"]["problem"]["code"] == "guest.collateral"
    with installed(Driver([])):
        assert examine(gpus="nvidia", root=tmp_path).beside["gpus"].problem is not None


def test_a_folder_is_stocked_for_the_tee_and_its_gpus(tmp_path: Path) -> None:
    domain, driver = TrustDomain(), Driver(gpus())
    service = Service({**pcs(domain.platform).answers, **rim_service(driver.gpus[0]).answers})
    with td_machine(domain) as root, serving(service) as here, installed(driver):
        pieces = stock(tmp_path / "new", here.url, gpus="nvidia", root=root)
        opened(tmp_path / "new")
    found = {piece.file for piece in pieces}
    assert found == {path.name for path in (tmp_path / "new").iterdir()}
    assert {"tcb-info.json", "gpu-0-rim-driver.xml", "gpu-0-rim-vbios.xml", "gpu-0-ocsp.der"} <= found
    assert {piece.file for piece in pieces_of(tmp_path / "new")} == found


def test_a_gpu_asks_nvidia_for_what_its_folder_lacks(tmp_path: Path) -> None:
    driver = Driver(gpus())
    with serving(rim_service(driver.gpus[0])) as here, installed(driver):
        (gpu,) = opened(tmp_path, keeper=lambda: keeper_of(here.url, now=lambda: NOW))
        assert set(gpu.examine().quote.endorsements.items) == {"cert-chain", "rim-driver", "rim-vbios", "ocsp"}


def test_the_command_shows_each_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    driver, domain = Driver(gpus(2)), TrustDomain()
    give(give_manifests(tmp_path, *driver.gpus), domain.platform)
    (tmp_path / "gpu-1-ocsp.der").unlink()
    with td_machine(domain) as root, installed(driver):
        here = partial(examination.examine, root=root, roots=confide_sim.roots(), now=lambda: NOW)
        monkeypatch.setattr(examination, "examine", here)
        assert run(["doctor", "--gpus", "nvidia", "--collateral-dir", str(tmp_path)]) == 4
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert "evidence    verifies" in lines
    assert "gpu 0       verifies" in lines
    assert "gpu 1       no good: guest.collateral" in lines
    assert any(
        line.split() == ["measurements", "64,", "among", "them", "all", "that", "reference", "values", "name"] for line in lines
    )
    assert "gpu-1-ocsp.der" in told.err
