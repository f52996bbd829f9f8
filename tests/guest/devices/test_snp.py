"""A SEV-SNP guest as a TEE: complete evidence that our own verifier accepts, or an operator who reads which file to give."""

import json
import logging
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from tests.guest.devices.doubles import VLEK, Machine, Tsm, certificates, table_of, tsm_machine
from tests.support import need_recorded_vectors

import confide_sim
from confide.attest.roots import VENDOR_ROOTS
from confide.attest.snp.layout import SigningKey
from confide.attest.x509 import load_certificate
from confide.codes import Code
from confide.guest import GuestError
from confide.guest.devices.checked import CheckedTee, open_checked
from confide.guest.devices.snp import SnpSource
from confide.guest.devices.tsm import TsmReports
from confide_sim.amd import FalseChip

DATA = bytes(range(64))
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@contextmanager
def opened(machine: Machine, folder: Path | None = None, **more: Any) -> Iterator[CheckedTee]:
    with tsm_machine(Tsm(machine)) as root:
        given = {"roots": confide_sim.roots(), "now": lambda: NOW, **more}
        reports = TsmReports(root / "sys/kernel/config/tsm/report", pause=lambda _: None)
        yield open_checked(SnpSource(reports), collateral_dir=folder, **given)


def machine(*without: str, vlek: bool = False, **fields: Any) -> Machine:
    """A machine whose host gives everything but these."""
    chip = FalseChip(at=NOW, signing_key=VLEK if vlek else SigningKey.VCEK)
    items = {role: value for role, value in certificates(chip).items() if role not in without}
    return Machine(chip=chip, **{"table": table_of(items) if items else b"", **fields})


def refusal(guest: Machine, folder: Path | None = None, **more: Any) -> GuestError:
    with pytest.raises(GuestError) as caught, opened(guest, folder, **more):
        pytest.fail("it opened")
    return caught.value


def give(folder: Path, guest: Machine, *roles: str) -> Path:
    """The folder with these files, as an operator gets them from the vendor."""
    items = certificates(guest.chip)
    for role in roles:
        if role == "cert-chain":
            pem = b"".join(load_certificate(items[each]).public_bytes(Encoding.PEM) for each in ("ask", "ark"))
            (folder / "cert-chain.pem").write_bytes(pem)
        else:
            (folder / f"{role}.der").write_bytes(items[role])
    return folder


def test_a_host_that_gives_everything_needs_no_folder() -> None:
    with opened(machine()) as tee:
        quote = tee.quote(DATA)
    assert (tee.kind, tee.simulated, tee.interface) == ("snp", True, "configfs-tsm")
    assert set(quote.endorsements.items) == {"vcek", "ask", "ark", "crl"}
    assert quote.fresh_until == NOW + timedelta(days=29)  # the list's end comes before the certificates'
    assert len(quote.evidence.items["report"]) == 1184
    assert repr(tee) == "CheckedTee(snp, configfs-tsm, SIMULATED)"


def test_a_providers_key_is_taken_too() -> None:
    with opened(machine(vlek=True)) as tee:
        assert set(tee.quote(DATA).endorsements.items) == {"vlek", "ask", "ark", "crl"}


def test_a_host_that_gives_nothing_is_filled_in_from_the_folder(tmp_path: Path) -> None:
    guest = machine("vcek", "ask", "ark", "crl")
    with opened(guest, give(tmp_path, guest, "vcek", "crl", "cert-chain")) as tee:
        assert set(tee.quote(DATA).endorsements.items) == {"vcek", "cert-chain", "crl"}


def test_what_the_host_gives_counts_before_the_folder(tmp_path: Path) -> None:
    guest = machine("crl")
    folder = give(tmp_path, guest, "crl")
    (folder / "vcek.der").write_bytes(FalseChip(at=NOW).certificate)
    with opened(guest, folder) as tee:
        assert tee.examine().collateral.found == "from the host: ark, ask, vcek; from collateral_dir: crl, vcek"


def test_a_new_list_in_the_folder_counts_without_a_restart(tmp_path: Path) -> None:
    guest = machine("crl")
    with opened(guest, give(tmp_path, guest, "crl")) as tee:
        (tmp_path / "crl.der").write_bytes(guest.chip.amd.crl(at=NOW, next_update=NOW + timedelta(days=3)))
        assert tee.quote(DATA).fresh_until == NOW + timedelta(days=3)


@pytest.mark.parametrize(
    ("missing", "files"),
    [(("vcek",), ["vcek.der"]), (("crl",), ["crl.der"]), (("vcek", "crl"), ["vcek.der", "crl.der"])],
    ids=["certificate", "list", "both"],
)
def test_what_is_missing_is_named_with_its_file(missing: tuple[str, ...], files: list[str]) -> None:
    error = refusal(machine(*missing))
    assert error.code is Code.GUEST_COLLATERAL
    assert error.found.startswith("from the host: ark, ask")
    assert error.found.endswith("from collateral_dir: not set")
    assert all(file in error.wanted and file in error.hint for file in files)
    assert "Milan" in error.wanted
    assert "collateral_dir" in error.hint


def test_a_provider_that_gives_no_vlek_is_named(tmp_path: Path) -> None:
    guest = machine("vlek", vlek=True)
    assert "vlek.der" in refusal(guest).wanted
    with opened(guest, give(tmp_path, guest, "vlek")) as tee:
        assert "vlek" in tee.quote(DATA).endorsements.items


@pytest.mark.parametrize("size", [0, (1 << 17) + 1], ids=["empty", "large"])
def test_a_file_that_is_no_certificate_by_its_size_is_refused(tmp_path: Path, size: int) -> None:
    (tmp_path / "vcek.der").write_bytes(bytes(size))
    error = refusal(machine("vcek"), tmp_path)
    assert error.code is Code.GUEST_COLLATERAL
    assert "vcek.der" in error.found


def test_a_folder_or_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    assert refusal(machine(), tmp_path / "none").code is Code.GUEST_COLLATERAL
    (tmp_path / "crl.der").mkdir()
    assert refusal(machine(), tmp_path).code is Code.GUEST_COLLATERAL


def wrong(guest: Machine, **more: Any) -> str:
    error = refusal(guest, **more)
    assert error.code is Code.GUEST_SELF_CHECK
    assert "from the host" in error.found
    return error.found.split(":", 1)[0]


def test_the_node_says_what_clients_would_say_of_its_evidence() -> None:
    other = FalseChip(at=NOW)
    swapped = Machine(chip=FalseChip(at=NOW), table=table_of(certificates(other)))
    assert wrong(swapped) == "snp.signature"
    assert wrong(machine(), now=lambda: NOW + timedelta(days=30)) == "x509.crl_expired"
    assert wrong(machine(), now=lambda: NOW + timedelta(days=365 * 8)) == "x509.expired"
    assert wrong(machine(), roots=VENDOR_ROOTS) == "x509.root"
    revoked = FalseChip(at=NOW)
    serial = revoked.amd.serial_number("ask")
    listed = {**certificates(revoked), "crl": revoked.amd.crl(at=NOW, revoked=(serial,))}
    assert wrong(Machine(chip=revoked, table=table_of(listed))) == "x509.revoked"
    assert wrong(machine(trim=100)) == "snp.size"
    assert wrong(machine(report_fields={"signing_key": 7})) == "snp.signing_key"
    broken = {**certificates(revoked), "vcek": b"no certificate"}
    assert wrong(Machine(chip=revoked, table=table_of(broken))) == "x509.malformed"


def test_a_broken_table_is_refused() -> None:
    assert refusal(machine(table=b"\x01" * 100)).code is Code.GUEST_CERTIFICATES


def test_a_report_over_other_bytes_is_no_quote() -> None:
    class Stuck(Machine):
        def report(self, report_data: bytes, vmpl: int) -> bytes:  # noqa: ARG002 - that is the fault
            return super().report(bytes(64), vmpl)

    guest = machine()
    assert refusal(Stuck(chip=guest.chip, table=guest.table)).code is Code.GUEST_QUOTE


def test_a_state_that_policies_refuse_is_a_warning_for_the_operator(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), opened(machine(report_fields={"policy": 0x30000 | 1 << 19})):
        assert "snp.debug" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING), opened(machine(vmpl=1)):
        assert "snp.vmpl" in caplog.text


def test_collateral_that_ends_soon_is_a_warning_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), opened(machine()):
        assert caplog.text == ""
    with caplog.at_level(logging.WARNING), opened(machine(), now=lambda: NOW + timedelta(days=27)):
        assert "end at 2026-12-24T12:00:00Z" in caplog.text


def test_collateral_that_ends_while_the_node_runs_is_told_in_its_own_log_only(caplog: pytest.LogCaptureFixture) -> None:
    class Clock:
        now = NOW

    with opened(machine(), now=lambda: Clock.now) as tee:
        Clock.now += timedelta(days=40)
        with caplog.at_level(logging.ERROR), pytest.raises(GuestError) as caught:
            tee.quote(DATA)
    assert (caught.value.code, caught.value.found) == (Code.GUEST_QUOTE, "guest.self_check")
    assert "x509.crl_expired" in caplog.text


def recorded(folder: str) -> tuple[bytes, bytes]:
    """A genuine report and the genuine host's table beside it, as configfs-tsm gave them."""
    path = need_recorded_vectors() / "snp" / folder / "sevsnp-tsm-report.json"
    if not path.exists():
        pytest.skip("this recorded case is not here")
    members = json.loads(path.read_text())
    assert members["provider"] == "sev_guest\n"
    report, table = (urlsafe_b64decode(members[name] + "==") for name in ("outblob", "auxblob"))
    return report, table


def test_recorded_evidence_of_a_real_host_lacks_only_the_vendors_list() -> None:
    """No list of AMD's is recorded: the real verifier, with the pinned roots, gets as far as asking for it, and names its file."""
    report, table = recorded("veraison-genoa-v3-tsm")

    class Recorded(Machine):
        def report(self, report_data: bytes, vmpl: int) -> bytes:
            super().report(report_data, vmpl)
            return report

    guest = Recorded(table=table)
    error = refusal(guest, roots=VENDOR_ROOTS, now=lambda: datetime(2025, 5, 20, 18, 31, 36, tzinfo=UTC))
    assert error.code is Code.GUEST_COLLATERAL
    assert error.found == "from the host: ark, ask, vcek; from collateral_dir: not set"
    assert error.wanted == "crl.der, the revocation list (AMD KDS: /vcek/v1/Genoa/crl)"
