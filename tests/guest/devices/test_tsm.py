"""Reports through configfs-tsm, against a file system with the kernel's rules: a report is ours, or there is none."""

import errno
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from tests.guest.devices.doubles import Entry, Machine, Tsm, refusing, tsm_machine
from tests.guest.devices.fuse import Folder
from tests.support import refused

from confide.attest.snp.layout import parse_report
from confide.codes import Code
from confide.guest import GuestError
from confide.guest.devices.reports import ATTEMPTS, LONGEST_PAUSE
from confide.guest.devices.tsm import PREFIX, TsmReports

DATA = bytes(range(64))


class Pauses(list[float]):
    """Instead of sleeping."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@contextmanager
def interface(tsm: Tsm) -> Iterator[tuple[TsmReports, Pauses]]:
    pauses = Pauses()
    with tsm_machine(tsm) as root:
        yield TsmReports(root / "sys/kernel/config/tsm/report", pause=pauses), pauses


def reading(tsm: Tsm) -> tuple[bytes, bytes, Pauses]:
    with interface(tsm) as (reports, pauses):
        raw = reports.read(DATA)
    return raw.report, raw.table, pauses


def failing(tsm: Tsm, code: Code = Code.GUEST_QUOTE) -> GuestError:
    with interface(tsm) as (reports, _), pytest.raises(GuestError) as caught:
        reports.read(DATA)
    assert caught.value.code is code
    assert tsm.folder.children == {}  # nothing is left behind
    return caught.value


def test_a_report_and_the_hosts_table_are_read_and_the_entry_is_removed() -> None:
    machine = Machine()
    tsm = Tsm(machine)
    report, table, pauses = reading(tsm)
    assert parse_report(report).report_data == DATA
    assert table == machine.table
    assert (machine.requests, pauses, tsm.folder.children) == (1, [], {})
    (name,) = tsm.removed
    assert name.startswith(f"{PREFIX}{os.getpid()}-")


def test_the_report_is_asked_for_at_the_guests_own_privilege_level() -> None:
    report, _, _ = reading(Tsm(Machine(vmpl=2)))
    assert parse_report(report).vmpl == 2


def test_providers_without_levels_and_certificates_have_no_such_attributes() -> None:
    report, table, _ = reading(Tsm(Machine(), auxblob=False, privlevel=False))
    assert (parse_report(report).vmpl, table) == (0, b"")


def test_kernels_without_a_floor_take_level_0() -> None:
    report, _, _ = reading(Tsm(Machine(), hidden=("privlevel_floor",)))
    assert parse_report(report).vmpl == 0


def test_a_host_without_certificates_gives_an_empty_table() -> None:
    assert reading(Tsm(Machine(table=b"")))[1] == b""


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EAGAIN], ids=errno.errorcode.get)
def test_a_busy_firmware_is_asked_again(number: int) -> None:
    report, _, pauses = reading(Tsm(Machine(faults=[refusing(number)] * 3)))
    assert parse_report(report).report_data == DATA
    assert pauses == [0.05, 0.1, 0.2]


def test_a_firmware_that_stays_busy_is_given_up() -> None:
    machine = Machine(faults=[refusing(errno.EBUSY)] * 100)
    error = failing(Tsm(machine))
    assert machine.requests == ATTEMPTS
    assert error.found == f"busy (EBUSY), {ATTEMPTS} times"


def test_pauses_are_bounded() -> None:
    with interface(Tsm(Machine(faults=[refusing(errno.EBUSY)] * 100))) as (reports, pauses), pytest.raises(GuestError):
        reports.read(DATA)
    assert len(pauses) == ATTEMPTS - 1
    assert max(pauses) <= LONGEST_PAUSE
    assert sum(pauses) < 10


def test_a_write_that_the_kernel_lost_without_a_word_is_noticed() -> None:
    report, _, pauses = reading(Tsm(Machine(), lose=1))
    assert parse_report(report).report_data == DATA
    assert len(pauses) == 1


def test_writes_that_are_always_lost_give_no_report() -> None:
    machine = Machine()
    error = failing(Tsm(machine, lose=1000))
    assert "EBUSY" in error.found or "changed" in error.found
    assert machine.requests == 0


class Other:
    """Somebody else who writes to our entry, at the given reads of `generation`."""

    def __init__(self, *at: int) -> None:
        self.at, self.reads = at, 0

    def __call__(self, entry: Entry) -> None:
        self.reads += 1
        if self.reads in self.at:
            entry.inblob, entry.written = b"\xff" * 64, entry.written + 1


@pytest.mark.parametrize("at", [2, 3], ids=["before it is read", "after it is read"])
def test_another_writer_of_the_entry_is_noticed(at: int) -> None:
    report, _, pauses = reading(Tsm(Machine(), before_generation=Other(at)))
    assert parse_report(report).report_data == DATA
    assert len(pauses) == 1


def test_a_writer_who_never_stops_gives_no_report() -> None:
    error = failing(Tsm(Machine(), before_generation=Other(*range(2, 1000))))
    assert error.found == f"another user of the entry changed it, {ATTEMPTS} times"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EIO, "kernel's log"),
        (errno.ENXIO, "kernel's log"),
        (errno.EINVAL, "VMPL"),
        (errno.ENOTTY, "start the guest anew"),
        (errno.ETIMEDOUT, "throttles"),
    ],
    ids=lambda value: errno.errorcode.get(value, "") if isinstance(value, int) else "",
)
def test_an_error_of_the_firmware_is_told_and_not_repeated(number: int, said: str) -> None:
    machine = Machine(faults=[refusing(number)])
    error = failing(Tsm(machine))
    assert errno.errorcode[number] in error.found
    assert said in error.hint
    assert machine.requests == 1


@pytest.mark.parametrize("provider", ["tdx_guest", "", "arm_cca_guest"])
def test_reports_of_another_vendor_are_refused(provider: str) -> None:
    error = failing(Tsm(Machine(), provider=provider), Code.GUEST_DEVICE)
    assert repr(provider) in error.found
    assert error.wanted == "provider sev_guest"


def test_a_kernel_without_the_guest_driver_says_which_one_to_load() -> None:
    error = failing(Tsm(Machine(), provider=None), Code.GUEST_DEVICE)
    assert "ENXIO" in error.found
    assert "modprobe sev-guest" in error.hint


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM], ids=errno.errorcode.get)
def test_a_user_without_access_is_told(number: int) -> None:
    error = failing(Tsm(Machine(), mkdir_faults=[number]), Code.GUEST_DEVICE)
    assert errno.errorcode[number] in error.found
    assert "udev" in error.hint


def test_a_name_that_is_taken_is_not_used() -> None:
    report, _, _ = reading(Tsm(Machine(), mkdir_faults=[errno.EEXIST, errno.EEXIST]))
    assert parse_report(report).report_data == DATA


def test_a_generation_that_is_no_number_is_refused() -> None:
    failing(Tsm(Machine(), generation="one"), Code.GUEST_DEVICE)


def test_a_blob_beyond_the_kernels_bound_is_refused() -> None:
    failing(Tsm(Machine(table=b"\x01" * (32 << 10)), padding=1))


def test_many_users_at_once_get_each_their_own_report() -> None:
    machine = Machine()
    wanted = [os.urandom(64) for _ in range(24)]
    with interface(Tsm(machine)) as (reports, _), ThreadPoolExecutor(8) as pool:
        got = list(pool.map(reports.read, wanted))
    assert [parse_report(raw.report).report_data for raw in got] == wanted


def test_old_entries_of_dead_processes_are_removed_and_no_others() -> None:
    old = time.time() - 3600
    tsm = Tsm(Machine())
    ages = {f"{PREFIX}1-dead": old, f"{PREFIX}2-young": time.time(), "somebody-elses": old}
    tsm.folder.children.update({name: Folder(changed=age) for name, age in ages.items()})
    with interface(tsm) as (reports, _):
        reports.check()
    assert set(tsm.folder.children) == {f"{PREFIX}2-young", "somebody-elses"}


def test_an_interface_that_is_not_there_is_no_crash(tmp_path: Any) -> None:
    with refused(Code.GUEST_DEVICE):
        TsmReports(tmp_path / "nothing").check()
