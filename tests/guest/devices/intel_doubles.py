"""Doubles at the kernel's and Gramine's interfaces of machines whose quotes a false Intel makes.

A TD: configfs-tsm without privilege levels and without a table (drivers/virt/coco/tdx-guest), and ACPI's CCEL
(drivers/acpi/sysfs.c). An enclave: Gramine's /dev/attestation (libos/src/fs/dev/attestation.c), where `quote` is over what was
written last.
"""

import contextlib
import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.guest.devices.doubles import Machine, Result, Text, Tsm, at_path
from tests.guest.devices.fuse import File, Folder, RefusalError, mounted

from confide.attest.evidence import Kind
from confide.guest.devices.intel import FILES
from confide_sim import td
from confide_sim.intel import FalsePlatform
from confide_sim.tpm_structures import Event

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@dataclass
class TrustDomain(Machine):
    """A TD on a false platform. `events` are what its firmware logged; its registers follow from them, unless `fields` say else."""

    platform: FalsePlatform = field(default_factory=lambda: FalsePlatform(Kind.TDX, at=NOW))
    events: Sequence[Event] = field(default_factory=td.boot_events)
    fields: dict[str, Any] = field(default_factory=dict)

    def report(self, report_data: bytes, vmpl: int) -> bytes:
        """A quote, with the faults of a machine."""
        super().report(report_data, vmpl)
        return self.platform.quote(report_data=report_data, **{**td.rtmrs(self.events), **self.fields})


@contextlib.contextmanager
def td_machine(domain: TrustDomain, *, log: bytes | None = None, **tsm: Any) -> Iterator[Path]:
    """A root with configfs-tsm of a TD and its event log."""
    firmware: dict[str, File | Folder] = {}
    events = td.event_log(domain.events) if log is None else log
    if events:
        table: dict[str, File | Folder] = {"CCEL": Result(td.ccel_table), "data": Folder({"CCEL": Result(lambda: events)})}
        firmware["firmware"] = at_path(Folder(table), "acpi", "tables")
    interface = Tsm(domain, **{"provider": "tdx_guest", "auxblob": False, "privlevel": False, **tsm})
    system = Folder({"kernel": at_path(interface.folder, "config", "tsm", "report"), **firmware})
    with mounted(Folder({"sys": system})) as root:
        yield root


@dataclass(eq=False)
class Written(File):
    """`user_report_data`: 64 bytes."""

    enclave: "Enclave"

    def write(self, offset: int, data: bytes) -> None:
        if offset or len(data) != 64:
            raise RefusalError(errno.EINVAL)
        self.enclave.report_data = data


@dataclass
class Enclave:
    """Gramine's pseudo-files of an enclave on a false platform."""

    platform: FalsePlatform = field(default_factory=lambda: FalsePlatform(Kind.SGX, at=NOW))
    attestation: str = "dcap"
    report_data: bytes = bytes(64)
    fails: int = 0
    fields: dict[str, Any] = field(default_factory=dict)

    def quote(self) -> bytes:
        """What the quoting enclave gives, or an errno."""
        if self.fails:
            raise RefusalError(self.fails)
        return self.platform.quote(report_data=self.report_data, **self.fields)

    def folder(self) -> Folder:
        """`/dev/attestation`."""
        return Folder(
            {
                "attestation_type": Text(lambda: self.attestation),
                "user_report_data": Written(self),
                "quote": Result(self.quote),
            }
        )


@contextlib.contextmanager
def gramine(enclave: Enclave) -> Iterator[Path]:
    """A root with Gramine's pseudo-files."""
    with mounted(Folder({"dev": Folder({"attestation": enclave.folder()})})) as root:
        yield root


def give(folder: Path, platform: FalsePlatform, *without: str, at: datetime = NOW) -> Path:
    """The folder with Intel's collateral, as an operator gets it; roles that are named are left out."""
    items = platform.endorsements(at=at).items
    for name, (role, _) in FILES.items():
        if role in items and role not in without:
            (folder / name).write_bytes(items[role])
    return folder
