"""TDX and SGX guests: complete evidence that our own verifier accepts, or an operator who reads what to do."""

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.guest.devices.intel_doubles import NOW, Enclave, TrustDomain, give, gramine, td_machine

import confide_sim
from confide.attest.roots import VENDOR_ROOTS
from confide.attest.sgx.claims import SgxClaims
from confide.attest.tdx.claims import TdxClaims
from confide.codes import Code
from confide.guest import GuestError
from confide.guest.devices.checked import CheckedTee, open_checked
from confide.guest.devices.intel import FILES, GramineSource, TdxSource
from confide.guest.devices.tsm import TsmReports
from confide_sim import td

DATA = bytes(range(64))


@contextmanager
def opened(domain: TrustDomain, folder: Path | None, *, machine: Any = None, **more: Any) -> Iterator[CheckedTee]:
    with td_machine(domain, **(machine or {})) as root:
        reports = TsmReports(root / "sys/kernel/config/tsm/report", provider="tdx_guest", pause=lambda _: None)
        given = {"roots": confide_sim.roots(), "now": lambda: NOW, **more}
        yield open_checked(TdxSource(reports, root=root), collateral_dir=folder, **given)


@contextmanager
def enclave(one: Enclave, folder: Path | None, **more: Any) -> Iterator[CheckedTee]:
    with gramine(one) as root:
        given = {"roots": confide_sim.roots(), "now": lambda: NOW, **more}
        yield open_checked(GramineSource(root / "dev/attestation"), collateral_dir=folder, **given)


def refusal(domain: TrustDomain, folder: Path | None, **more: Any) -> GuestError:
    with pytest.raises(GuestError) as caught, opened(domain, folder, **more):
        pytest.fail("it opened")
    return caught.value


def test_a_td_gives_a_quote_with_the_log_of_its_boot(tmp_path: Path) -> None:
    domain = TrustDomain()
    with opened(domain, give(tmp_path, domain.platform)) as tee:
        checked = tee.examine(DATA)
    assert (tee.kind, tee.simulated, tee.interface) == ("tdx", True, "configfs-tsm")
    assert set(checked.quote.evidence.items) == {"quote", "event-log", "ccel-table"}
    assert isinstance(checked.claims, TdxClaims)
    assert checked.claims.event_log_replayed
    assert checked.claims.report_data == DATA
    assert checked.quote.fresh_until <= NOW + timedelta(days=30)


def test_a_td_without_a_log_gives_its_quote_alone(tmp_path: Path) -> None:
    domain = TrustDomain()
    with opened(domain, give(tmp_path, domain.platform), machine={"log": b""}) as tee:
        assert set(tee.quote(DATA).evidence.items) == {"quote"}


@pytest.mark.parametrize(
    "log", [td.event_log(td.boot_events(kernel=b"another")), b"no log", bytes((1 << 20) + 1)], ids=["other", "broken", "large"]
)
def test_a_log_that_verifiers_would_refuse_is_left_out_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, log: bytes
) -> None:
    domain = TrustDomain()
    with (
        caplog.at_level(logging.WARNING),
        opened(domain, give(tmp_path, domain.platform), machine={"log": log}) as tee,
    ):
        assert set(tee.quote(DATA).evidence.items) == {"quote"}
    assert caplog.text.count("left out of the evidence") == 1


@pytest.mark.parametrize("file", sorted(set(FILES) - {"pck-chain.pem", "pck-crl-chain.pem"}))
def test_what_is_missing_is_named_with_its_file_and_where_intel_has_it(tmp_path: Path, file: str) -> None:
    domain = TrustDomain()
    error = refusal(domain, give(tmp_path, domain.platform, FILES[file][0]))
    assert error.code is Code.GUEST_COLLATERAL
    assert error.wanted.startswith(f"{file}, ")
    assert file in error.hint
    if file == "tcb-info.json":
        assert "/tdx/certification/v4/tcb?fmspc=00806f050000" in error.wanted


def test_without_a_folder_everything_is_named() -> None:
    error = refusal(TrustDomain(), None)
    assert error.code is Code.GUEST_COLLATERAL
    assert all(name in error.wanted for name in ("tcb-info.json", "qe-identity.json", "pck-crl.der", "root-crl.der"))


def test_the_node_says_what_clients_would_say_of_its_evidence(tmp_path: Path) -> None:
    domain = TrustDomain()
    folder = give(tmp_path, domain.platform)

    def wrong(guest: TrustDomain = domain, **more: Any) -> str:
        error = refusal(guest, folder, **more)
        assert error.code is Code.GUEST_SELF_CHECK
        return error.found.split(":", 1)[0]

    assert wrong(roots=VENDOR_ROOTS) == "x509.root"
    assert wrong(now=lambda: NOW + timedelta(days=31)) == "x509.crl_expired"
    tampered = TrustDomain(platform=domain.platform, fields={"edited": lambda quote: quote[:200] + b"\x00" + quote[201:]})
    assert wrong(tampered) == "dcap.signature"


def test_a_quote_over_other_bytes_is_none(tmp_path: Path) -> None:
    domain = TrustDomain(fields={"report_data": bytes(64)})

    class Stuck(TrustDomain):
        def report(self, report_data: bytes, vmpl: int) -> bytes:  # noqa: ARG002 - that is the fault
            return super().report(bytes(64), vmpl)

    stuck = Stuck(platform=domain.platform)
    assert refusal(stuck, give(tmp_path, domain.platform)).code is Code.GUEST_QUOTE


def test_reports_of_another_provider_are_refused(tmp_path: Path) -> None:
    domain = TrustDomain()
    error = refusal(domain, give(tmp_path, domain.platform), machine={"provider": "sev_guest"})
    assert error.code is Code.GUEST_DEVICE
    assert (error.found, error.wanted) == ("configfs-tsm with provider 'sev_guest'", "provider tdx_guest")


def test_a_debugged_td_is_a_warning_for_the_operator(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    domain = TrustDomain(fields={"td_attributes": 1 | 1 << 28})
    with caplog.at_level(logging.WARNING), opened(domain, give(tmp_path, domain.platform)):
        assert "tdx.debug" in caplog.text


def test_an_enclave_gives_a_quote(tmp_path: Path) -> None:
    one = Enclave()
    with enclave(one, give(tmp_path, one.platform)) as tee:
        checked = tee.examine(DATA)
    assert (tee.kind, tee.simulated, tee.interface) == ("sgx", True, "gramine")
    assert isinstance(checked.claims, SgxClaims)
    assert checked.claims.report_data == DATA


@pytest.mark.parametrize("kind", ["none", "epid", ""])
def test_an_enclave_without_dcap_is_told_what_its_manifest_lacks(tmp_path: Path, kind: str) -> None:
    one = Enclave(attestation=kind)
    with pytest.raises(GuestError) as caught, enclave(one, give(tmp_path, one.platform)):
        pytest.fail("it opened")
    assert caught.value.code is Code.GUEST_DEVICE
    assert "sgx.remote_attestation" in caught.value.hint


@pytest.mark.parametrize(
    ("number", "code"), [(errno.EIO, Code.GUEST_QUOTE), (errno.EACCES, Code.GUEST_DEVICE), (errno.ENOENT, Code.GUEST_QUOTE)]
)
def test_an_enclave_that_gives_no_quote_says_the_errno(tmp_path: Path, number: int, code: Code) -> None:
    one = Enclave(fails=number)
    with pytest.raises(GuestError) as caught, enclave(one, give(tmp_path, one.platform)):
        pytest.fail("it opened")
    assert caught.value.code is code
    assert errno.errorcode[number] in caught.value.found


def test_a_folder_that_is_no_gramine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GuestError) as caught:
        GramineSource(tmp_path).check()
    assert caught.value.code is Code.GUEST_DEVICE


def test_a_debugged_enclave_is_a_warning_for_the_operator(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    one = Enclave(fields={"flags": 0x7})
    with caplog.at_level(logging.WARNING), enclave(one, give(tmp_path, one.platform)):
        assert "sgx.debug" in caplog.text
