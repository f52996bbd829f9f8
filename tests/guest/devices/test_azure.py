"""Azure's confidential VMs: HCL report and quotes from a real TPM in software, the metadata service on the loopback, false AMD and
false Intel behind them."""

import json
import logging
from collections.abc import Callable
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.collateral.doubles import Said, serving
from tests.guest.devices.azure_doubles import TD_QUOTE, THIM, Azure, Vm, another_key, azure_machine, thim
from tests.guest.devices.swtpm import RSA_TEMPLATE, Provisioned, Tpmrm, swtpm

import confide_sim
from confide.attest.azure.claims import AzureSnpClaims, AzureTdxClaims
from confide.codes import Code
from confide.guest import GuestError
from confide.guest.devices import imds
from confide.guest.devices.azure import HCL_REPORT, AzureSnpSource, AzureTdxSource
from confide.guest.devices.checked import CheckedTee, open_checked, unacceptable
from confide.guest.devices.source import AnotherKindError
from confide.guest.devices.tpm.source import AZURE_KEY
from confide.guest.examination import examine
from confide.guest.tee import detect, survey
from confide_sim.azure import FalseTdVm, FalseVm, hcl_report
from confide_sim.intel import pem
from confide_sim.tpm import AZURE

DATA = bytes(range(64))
VMS: dict[str, Callable[[], Vm]] = {"snp": FalseVm, "tdx": FalseTdVm}
both = pytest.mark.parametrize("hardware", VMS)


@contextmanager
def opened(machine: Azure, folder: Path, **more: Any) -> Any:
    with machine.source() as source:
        yield open_checked(source, collateral_dir=folder, **{"roots": confide_sim.roots(), **more})


def refusal(machine: Azure, folder: Path) -> GuestError:
    with pytest.raises(GuestError) as caught, opened(machine, folder):
        pytest.fail("it opened")
    return caught.value


@both
def test_a_vm_gives_evidence_that_the_verifier_accepts(tmp_path: Path, hardware: str) -> None:
    with azure_machine(VMS[hardware]()) as machine, opened(machine, machine.files(tmp_path)) as tee:
        assert isinstance(tee, CheckedTee)
        checked = tee.examine(DATA)
    claims = checked.claims
    assert isinstance(claims, AzureTdxClaims if hardware == "tdx" else AzureSnpClaims)
    assert (tee.kind, tee.simulated, tee.interface) == (f"az-{hardware}-vtpm", True, "tpm")
    assert claims.report_data == sha256(DATA).digest()
    assert claims.event_log_replayed
    assert tee.attestation_key_sha256 == claims.ak_spki_sha256
    own = {"td-quote"} if hardware == "tdx" else set()
    assert set(checked.quote.evidence.items) == {"hcl-report", "tpm-attest", "tpm-signature", "pcrs", "event-log"} | own
    assert unacceptable(claims) == ()


@both
def test_an_hcl_report_of_its_whole_size_is_read_in_pieces(tmp_path: Path, hardware: str) -> None:
    with azure_machine(VMS[hardware](), whole=True) as machine, opened(machine, machine.files(tmp_path)) as tee:
        assert len(tee.quote(DATA).evidence.items["hcl-report"]) == 2600


@pytest.mark.parametrize(("hardware", "path"), [("snp", THIM), ("tdx", TD_QUOTE)])
def test_the_host_is_asked_once_for_a_hardware_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hardware: str, path: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # nobody is there, and nobody asks
    with azure_machine(VMS[hardware]()) as machine, opened(machine, machine.files(tmp_path)) as tee:
        tee.quote(DATA)
        tee.quote(bytes(64))
    assert machine.service.asked == [path]
    assert machine.service.heard[0]["metadata"] == "true"


def test_another_chip_or_firmware_is_asked_about_anew(tmp_path: Path) -> None:
    vm, later = FalseVm(), FalseVm()
    with azure_machine(vm, whole=True) as machine, opened(machine, machine.files(tmp_path)) as tee:
        with azure_machine(later, whole=True, named=machine.key) as moved:  # the VM is started again, on another host
            machine.one.device.report = moved.one.device.report  # type: ignore[attr-defined]
        machine.service.answers[THIM] = thim(later)
        assert tee.examine(DATA).claims.platform_id == later.chip.chip_id.hex()
    assert machine.service.asked == [THIM, THIM]


@pytest.mark.parametrize("said", [Said(status=404), Said(status=503)], ids=["refuses", "is busy"])
def test_certificates_that_the_host_does_not_give_come_from_the_folder(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, said: Said
) -> None:
    vm = FalseVm()
    with azure_machine(vm) as machine:
        machine.service.answers[THIM] = said
        error = refusal(machine, machine.files(tmp_path))
        assert (error.code, "vcek.der" in error.hint) == (Code.GUEST_COLLATERAL, True)
        items = vm.endorsements().items
        (tmp_path / "vcek.der").write_bytes(items["vcek"])
        (tmp_path / "cert-chain.pem").write_bytes(pem(items["ask"], items["ark"]))
        caplog.clear()
        machine.service.asked.clear()
        with caplog.at_level(logging.WARNING), opened(machine, tmp_path) as tee:
            tee.quote(DATA)
    assert len(machine.service.asked) <= imds.ATTEMPTS, "and it is left alone for a while"
    assert caplog.text.count("no certificates from the host") == 1


OTHER: dict[str, bytes] = {
    "nothing": b"",
    "a list": b"[]",
    "another object": b"{}",
    "a number": b'{"vcekCert":1,"certificateChain":"x","quote":1}',
    "not ASCII": '{"vcekCert":"é","certificateChain":"x","quote":"é"}'.encode(),
    "twice": b'{"quote":"AAAA","quote":"AAAA"}',
}


@pytest.mark.parametrize("name", OTHER)
@pytest.mark.parametrize(
    ("hardware", "path", "code"), [("snp", THIM, Code.GUEST_CERTIFICATES), ("tdx", TD_QUOTE, Code.GUEST_QUOTE)]
)
def test_an_answer_of_another_form_is_told(hardware: str, path: str, code: Code, name: str) -> None:
    vm = VMS[hardware]()
    with azure_machine(vm) as machine, machine.source() as source:
        machine.service.answers[path] = Said(OTHER[name])
        with pytest.raises(GuestError) as caught:
            source.read(bytes(32))
    assert caught.value.code is code


@pytest.mark.parametrize(
    "said", [Said(status=404), Said(bytes(imds.MAX_ANSWER + 1)), Said(b'{"quote":""}')], ids=["404", "large", "empty"]
)
def test_without_a_quote_of_the_td_there_is_none_of_the_vm(tmp_path: Path, said: Said) -> None:
    with azure_machine(FalseTdVm()) as machine:
        machine.service.answers[TD_QUOTE] = said
        assert refusal(machine, machine.files(tmp_path)).code is Code.GUEST_QUOTE


def edited(place: int) -> Callable[[bytes], bytes]:
    return lambda report: report[:place] + bytes((report[place] ^ 1,)) + report[place + 1 :]


RUNTIME = 0x4D4
LIES: list[tuple[str, str, Code, dict[str, Any]]] = [
    ("snp", "another key than the TPM has", Code.TPM_SIGNATURE, {"named": another_key()}),
    ("tdx", "another key than the TPM has", Code.TPM_SIGNATURE, {"named": another_key()}),
    (
        "snp",
        "runtime data edited",
        Code.AZURE_BINDING,
        {"edited": lambda report: report.replace(b'"secure-boot":true', b'"secure-boot":null')},
    ),
    (
        "tdx",
        "runtime data edited",
        Code.AZURE_BINDING,
        {"edited": lambda report: report.replace(b'"secure-boot":true', b'"secure-boot":null')},
    ),
    ("snp", "the hardware's report edited", Code.SNP_SIGNATURE, {"edited": edited(0x20 + 0x90)}),
    ("tdx", "a quote over other bytes", Code.AZURE_BINDING, {"hardware": {"report_data": bytes(64)}}),
    ("snp", "no HCL report any more", Code.AZURE_HCL, {"edited": edited(4)}),
    ("tdx", "no HCL report any more", Code.AZURE_HCL, {"edited": edited(4)}),
]


@pytest.mark.parametrize(("hardware", "what", "code", "given"), LIES, ids=[f"{hardware}, {what}" for hardware, what, _, _ in LIES])
def test_the_node_says_what_clients_would_say_of_its_evidence(
    tmp_path: Path, hardware: str, what: str, code: Code, given: dict[str, Any]
) -> None:
    with azure_machine(VMS[hardware](), **given) as machine:
        error = refusal(machine, machine.files(tmp_path))
    assert (error.code, error.found.split(":", 1)[0]) == (Code.GUEST_SELF_CHECK, code.value)


STATES: list[tuple[str, Code, dict[str, Any]]] = [
    ("snp", Code.SNP_DEBUG, {"hardware": {"policy": 0x30000 | 1 << 19}}),
    ("tdx", Code.TDX_DEBUG, {"hardware": {"td_attributes": 1 << 28 | 1}}),
    ("snp", Code.AZURE_SECURE_BOOT, {"said": {"vm_configuration": {"secure-boot": False, "tpm-enabled": True}}}),
    ("tdx", Code.AZURE_SECURE_BOOT, {"said": {"vm_configuration": {"secure-boot": False, "tpm-enabled": True}}}),
]


@pytest.mark.parametrize(("hardware", "code", "given"), STATES, ids=lambda value: value.value if isinstance(value, Code) else "")
def test_a_state_that_policies_refuse_is_told_to_the_operator(
    tmp_path: Path, hardware: str, code: Code, given: dict[str, Any]
) -> None:
    with azure_machine(VMS[hardware](), **given) as machine, opened(machine, machine.files(tmp_path)) as tee:
        told = unacceptable(tee.examine().claims)
    assert [line.split(":", 1)[0] for line in told] == [code.value]


@both
def test_what_intel_or_amd_publish_and_is_missing_is_named(tmp_path: Path, hardware: str) -> None:
    lacks = ("tcb-info",) if hardware == "tdx" else ("crl.der",)
    with azure_machine(VMS[hardware]()) as machine:
        error = refusal(machine, machine.files(tmp_path, *lacks))
    assert error.code is Code.GUEST_COLLATERAL
    assert ("tcb-info.json" if hardware == "tdx" else "crl.der") in error.hint


@both
def test_a_vm_is_found_without_being_named_and_never_taken_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hardware: str
) -> None:
    other = {"snp": "tdx", "tdx": "snp"}[hardware]
    with azure_machine(VMS[hardware]()) as machine, machine.one.root() as root, serving(machine.service) as host:
        monkeypatch.setattr(imds, "ADDRESS", host.url)
        given: dict[str, Any] = {"root": root, "roots": confide_sim.roots(), "collateral_dir": machine.files(tmp_path)}
        for prefer in ("auto", f"az-{hardware}-vtpm"):
            assert detect(prefer, software_digest=b"", **given).kind == f"az-{hardware}-vtpm"
        with pytest.raises(GuestError) as caught:
            detect(f"az-{other}-vtpm", software_digest=b"", **given)
        assert (caught.value.code, "HCL report of type" in caught.value.found) == (Code.GUEST_UNSUPPORTED_TEE, True)
        (finding,) = survey(root)
        assert (finding.usable, finding.found) == (True, f"gives evidence of Azure on {'TDX' if hardware == 'tdx' else 'SEV-SNP'}")
        told = examine(**given).as_dict()
        assert (told["in_use"], told["problem"], told["warnings"]) == ("tpm", None, [])
        assert told["evidence"]["vm_unique_id"] == "00000000-0000-4000-8000-51ED51ED51ED"
        assert json.dumps(told)


def test_a_tpm_that_no_paravisor_made_is_another_kind() -> None:
    with swtpm() as tpm, Provisioned(tpm, AZURE, b"", (), Tpmrm(tpm)).root(log=b"") as root:
        for make in (AzureSnpSource, AzureTdxSource):
            source = make(root / "dev/tpmrm0", root=root, pause=lambda _: None)
            with pytest.raises(AnotherKindError) as caught:
                source.check()
            assert "0x01400001" in caught.value.found
        tpm.define(HCL_REPORT, hcl_report(bytes(1184), b"{}", size=0))
        with pytest.raises(GuestError) as refused:
            AzureSnpSource(root / "dev/tpmrm0", root=root, pause=lambda _: None).check()
        assert (refused.value.code, "no key at 0x81000003" in refused.value.found) == (Code.GUEST_DEVICE, True)
        tpm.persist(RSA_TEMPLATE, AZURE_KEY)
        AzureSnpSource(root / "dev/tpmrm0", root=root, pause=lambda _: None).check()


def test_nothing_of_the_evidence_shows_in_what_is_said() -> None:
    with azure_machine(FalseVm()) as machine, machine.source() as source:
        raw = source.read(bytes(32))
        assert raw.evidence["tpm-attest"].hex() not in repr(raw) + repr(source)
