"""Reports through /dev/sev-guest, against a device with the driver's rules and byte-exact structs."""

import errno
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.guest.devices.doubles import FirmwareError, Machine, SevDevice, VmmError, refusing, sev_machine
from tests.guest.devices.test_tsm import DATA, Pauses
from tests.support import refused

from confide.attest.snp.layout import REPORT_SIZE, parse_report
from confide.codes import Code
from confide.guest import GuestError
from confide.guest.devices import sev_guest
from confide.guest.devices.reports import ATTEMPTS
from confide.guest.devices.sev_guest import SNP_GET_EXT_REPORT, SNP_GET_REPORT, SevGuest


@contextmanager
def interface(device: SevDevice, *, vmpl: int = 0) -> Iterator[tuple[SevGuest, Pauses]]:
    pauses = Pauses()
    with sev_machine(device) as root:
        yield SevGuest(root / "dev/sev-guest", vmpl=vmpl, pause=pauses), pauses


def reading(device: SevDevice, *, vmpl: int = 0) -> tuple[bytes, bytes, Pauses]:
    with interface(device, vmpl=vmpl) as (reports, pauses):
        raw = reports.read(DATA)
    return raw.report, raw.table, pauses


def failing(device: SevDevice) -> GuestError:
    with interface(device) as (reports, _), pytest.raises(GuestError) as caught:
        reports.read(DATA)
    assert caught.value.code is Code.GUEST_QUOTE
    return caught.value


def raising(error: Exception) -> object:
    def fault() -> None:
        raise error

    return fault


def test_structs_and_numbers_are_those_of_the_header() -> None:
    header = Path("/usr/include/linux/sev-guest.h")
    assert (sev_guest._IOCTL.size, sev_guest._REQUEST.size, sev_guest._EXTENDED.size) == (32, 96, 112)
    assert (SNP_GET_REPORT, SNP_GET_EXT_REPORT) == (0xC0205300, 0xC0205302)
    if header.exists():
        text = header.read_text()
        assert "SNP_GET_EXT_REPORT _IOWR(SNP_GUEST_REQ_IOC_TYPE, 0x2, struct snp_guest_request_ioctl)" in text
        assert "__u8 data[4000];" in text


def test_a_report_and_the_hosts_table_are_read_in_one_request() -> None:
    device = SevDevice(Machine())
    report, table, _ = reading(device)
    assert parse_report(report).report_data == DATA
    assert table[: len(device.machine.table or b"")] == device.machine.table
    assert device.commands == [SNP_GET_EXT_REPORT]


def test_the_report_is_asked_for_at_the_level_that_is_given() -> None:
    report, _, _ = reading(SevDevice(Machine(vmpl=1)), vmpl=1)
    assert parse_report(report).vmpl == 1


def test_a_host_that_asks_for_more_room_gets_it_where_the_kernel_takes_it() -> None:
    table = struct.pack("<16sII", b"\x01" * 16, 48, 20000) + bytes(24 + 20000)
    device = SevDevice(Machine(table=table), largest=128 << 10)
    report, found, _ = reading(device)
    assert parse_report(report).report_data == DATA
    assert found.rstrip(b"\x00") == table.rstrip(b"\x00")
    assert device.commands == [SNP_GET_EXT_REPORT] * 2


@pytest.mark.parametrize(
    ("size", "largest", "requests"), [(20000, 0x4000, 3), (1 << 20, 1 << 20, 2)], ids=["for the kernel", "for us"]
)
def test_a_table_that_is_too_large_is_left_and_the_report_asked_for_alone(size: int, largest: int, requests: int) -> None:
    device = SevDevice(Machine(table=b"\x01" * size), largest=largest)
    report, table, _ = reading(device)
    assert (parse_report(report).report_data, table) == (DATA, b"")
    assert (len(device.commands), device.commands[-1]) == (requests, SNP_GET_REPORT)


def test_a_host_that_throttles_is_asked_again_and_in_the_end_not() -> None:
    busy = raising(VmmError(errno.EAGAIN, 0, 2))
    report, _, pauses = reading(SevDevice(Machine(faults=[busy, busy])))  # type: ignore[list-item]
    assert parse_report(report).report_data == DATA
    assert pauses == [0.05, 0.1]
    assert failing(SevDevice(Machine(faults=[busy] * 100))).found == f"the host throttles requests, {ATTEMPTS} times"  # type: ignore[list-item]


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EAGAIN, errno.EINTR], ids=errno.errorcode.get)
def test_a_busy_device_is_asked_again(number: int) -> None:
    _, _, pauses = reading(SevDevice(Machine(faults=[refusing(number)])))
    assert len(pauses) == 1


def test_the_words_of_firmware_and_host_are_told() -> None:
    error = failing(SevDevice(Machine(faults=[raising(VmmError(errno.EIO, 0x27, 0x7))])))  # type: ignore[list-item]
    assert error.found == "/dev/sev-guest, firmware error 0x27 INVALID_KEY, VMM error 0x7: EIO (Input/output error)"


def test_a_status_of_the_firmware_is_told_with_the_likely_cause() -> None:
    error = failing(SevDevice(Machine(faults=[raising(FirmwareError(0x16))])))  # type: ignore[list-item]
    assert "status 0x16 INVALID_PARAM" in error.found
    assert "VMPL" in error.hint
    assert "0x99" in failing(SevDevice(Machine(faults=[raising(FirmwareError(0x99))]))).found  # type: ignore[list-item]


def test_a_level_below_the_guests_own_is_the_firmwares_refusal() -> None:
    assert "INVALID_PARAM" in failing(SevDevice(Machine(vmpl=2))).found


@pytest.mark.parametrize("number", [errno.ENOTTY, errno.ETIMEDOUT, errno.EIO], ids=errno.errorcode.get)
def test_an_error_of_the_driver_is_told_and_not_repeated(number: int) -> None:
    machine = Machine(faults=[refusing(number)])
    error = failing(SevDevice(machine))
    assert error.found.startswith(f"/dev/sev-guest: {errno.errorcode[number]}")
    assert machine.requests == 1


@pytest.mark.parametrize("size", [0, REPORT_SIZE - 1])
def test_a_short_report_is_refused(size: int) -> None:
    assert f"{size} bytes" in failing(SevDevice(Machine(trim=size))).found


def test_a_device_that_may_not_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(GuestError) as caught:
        SevGuest(tmp_path / "none").check()
    assert caught.value.code is Code.GUEST_DEVICE
    assert "ENOENT" in caught.value.found


def test_what_is_no_such_device_answers_with_an_error(tmp_path: Path) -> None:
    (tmp_path / "sev-guest").touch()
    SevGuest(tmp_path / "sev-guest").check()
    with refused(Code.GUEST_QUOTE):
        SevGuest(tmp_path / "sev-guest").read(DATA)
