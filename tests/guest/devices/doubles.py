"""Doubles at the exact kernel interface: configfs-tsm and /dev/sev-guest of a machine whose chip is `confide_sim`'s.

The rules are those of Linux: drivers/virt/coco/tsm.c and sev-guest.c, fs/configfs/file.c. Faults are what the kernel, the firmware
or the host may do, one for each request, first to last.
"""

import contextlib
import ctypes
import errno
import struct
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.guest.devices.fuse import File, Folder, RefusalError, mounted

from confide.attest.snp.layout import SigningKey
from confide_sim.amd import FalseChip

GUIDS = {
    "vcek": "63da758d-e664-4564-adc5-f4b93be8accd",
    "vlek": "a8074bc2-a25a-483e-aae6-39c045a0b8a1",
    "ask": "4ab7b379-bbac-4fe4-a02f-05aef327c782",
    "ark": "c0b406a4-a803-4952-9743-3fb6014cd0ae",
    "crl": "92f81bc3-5811-4d3d-97ff-d19f88dc67ea",
}
INVALID_PARAM = 0x16
KERNEL_TABLE = 0x4000  # SEV_FW_BLOB_MAX_SIZE


def table_of(items: dict[str, bytes], *, names: dict[str, str] | None = None) -> bytes:
    """A certificate table as a host makes it."""
    header = 24 * (len(items) + 1)
    entries, place = b"", header
    for role, value in items.items():
        entries += uuid.UUID((names or GUIDS)[role]).bytes + struct.pack("<II", place, len(value))
        place += len(value)
    return entries + bytes(24) + b"".join(items.values())


def certificates(chip: FalseChip, *, crl: bool = True) -> dict[str, bytes]:
    """What a host would give for the chip."""
    items = dict(chip.endorsements(crl=crl).items)
    if "asvk" in items:
        items["ask"] = items.pop("asvk")  # the table has one GUID for both intermediates
    return items


@dataclass
class Machine:
    """A guest on a false chip.

    Attributes:
        table: what the host set as certificates.
        vmpl: the guest's own level; reports at a lower number are refused by the firmware.
        faults: what happens to the next requests; None is nothing.
    """

    chip: FalseChip = field(default_factory=lambda: FalseChip(at=datetime.now(UTC)))
    table: bytes | None = None
    vmpl: int = 0
    report_fields: dict[str, Any] = field(default_factory=dict)
    faults: list[Callable[[], None] | None] = field(default_factory=list)
    requests: int = 0
    trim: int | None = None

    def __post_init__(self) -> None:
        if self.table is None:
            self.table = table_of(certificates(self.chip))

    def report(self, report_data: bytes, vmpl: int) -> bytes:
        """What the firmware signs; `RefusalError` for what it refuses, and faults."""
        self.requests += 1
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            fault()
        if vmpl < self.vmpl:
            raise FirmwareError(INVALID_PARAM)
        return self.chip.report(report_data=report_data, vmpl=vmpl, **self.report_fields)[: self.trim]


class FirmwareError(Exception):
    """The firmware answers with a status other than 0."""


class VmmError(Exception):
    """The host answers with words of its own: `(errno, firmware word, VMM word)`."""


def refusing(number: int) -> Callable[[], None]:
    """A request that fails with this errno."""

    def fault() -> None:
        raise RefusalError(number)

    return fault


# --- configfs-tsm ----------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Text(File):
    """A text attribute: read whole."""

    value: Callable[[], str]

    def read(self, offset: int, size: int) -> bytes:
        return f"{self.value()}\n".encode()[offset : offset + size]


@dataclass(eq=False)
class Option(File):
    """A text attribute that takes its value at once."""

    take: Callable[[bytes], None]

    def write(self, offset: int, data: bytes) -> None:  # noqa: ARG002 - a text is written whole
        self.take(data)


class Blob(Option):
    """A binary attribute: gathered until it is closed, when an error is forgotten (`configfs_release_bin_file`)."""

    gathered = b""

    def write(self, offset: int, data: bytes) -> None:
        if offset + len(data) > 64:  # TSM_INBLOB_MAX
            raise RefusalError(errno.EFBIG)
        self.gathered = self.gathered[:offset] + data

    def closed(self) -> None:
        with contextlib.suppress(RefusalError):
            if self.gathered:
                self.take(self.gathered)
        self.gathered = b""


@dataclass(eq=False)
class Result(File):
    """A binary attribute that makes the report when it is read."""

    make: Callable[[], bytes]

    def read(self, offset: int, size: int) -> bytes:
        return self.make()[offset : offset + min(size, 1000)]  # in short pieces, as read(2) may give


@dataclass(eq=False)
class Entry:
    """One report entry, as `struct tsm_report_state`."""

    machine: Machine
    tsm: "Tsm"
    inblob: bytes = b""
    privlevel: int = 0
    written: int = 0
    made_at: int = -1
    report: bytes = b""

    def folder(self) -> Folder:
        files: dict[str, File | Folder] = {
            "provider": Text(lambda: self.tsm.provider or ""),
            "generation": Text(self._generation),
            "inblob": Blob(self._take_inblob),
            "outblob": Result(lambda: self._made()[0]),
        }
        if self.tsm.auxblob:
            files["auxblob"] = Result(lambda: self._made()[1])
        if self.tsm.privlevel:
            files |= {"privlevel": Option(self._take_privlevel), "privlevel_floor": Text(lambda: str(self.machine.vmpl))}
        return Folder({name: file for name, file in files.items() if name not in self.tsm.hidden}, changed=self.tsm.clock())

    def _generation(self) -> str:
        self.tsm.before_generation(self)
        return self.tsm.generation or str(self.written)

    def _advance(self) -> None:
        if self.tsm.lose:
            self.tsm.lose -= 1
            raise RefusalError(errno.EBUSY)  # try_advance_write_generation
        self.written += 1

    def _take_inblob(self, data: bytes) -> None:
        self._advance()
        self.inblob = data

    def _take_privlevel(self, data: bytes) -> None:
        level = int(data)
        if not self.machine.vmpl <= level <= 3:
            raise RefusalError(errno.EINVAL)
        self._advance()
        self.privlevel = level

    def _made(self) -> tuple[bytes, bytes]:
        if not self.tsm.least <= len(self.inblob) <= 64:
            raise RefusalError(errno.EINVAL)
        if self.made_at != self.written:
            try:
                self.report = self.machine.report(self.inblob, self.privlevel)
            except FirmwareError:
                raise RefusalError(errno.EINVAL) from None  # sev_report_new
            self.made_at = self.written
        return self.report, (self.machine.table or b"") + bytes(self.tsm.padding)


@dataclass(eq=False)
class Tsm:
    """`/sys/kernel/config/tsm/report`.

    Attributes:
        provider: None: no guest driver is loaded.
        least: bytes of `inblob` that the driver takes; 64 are the most.
        lose: how many writes the kernel does not take, and does not say so.
        before_generation: called before each read of `generation`: another user of the entry.
    """

    machine: Machine
    provider: str | None = "sev_guest"
    auxblob: bool = True
    privlevel: bool = True
    least: int = 64
    lose: int = 0
    hidden: tuple[str, ...] = ()
    generation: str = ""
    padding: int = 0
    clock: Callable[[], float] = lambda: datetime.now(UTC).timestamp()
    before_generation: Callable[[Entry], None] = lambda _: None
    mkdir_faults: list[int] = field(default_factory=list)
    folder: Folder = field(init=False)
    removed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder = Folder(make=self._make, removed=self.removed.append)

    def _make(self, _: str) -> Folder:
        if self.mkdir_faults:
            raise RefusalError(self.mkdir_faults.pop(0))
        if self.provider is None:
            raise RefusalError(errno.ENXIO)  # tsm_report_make_item
        return Entry(self.machine, self).folder()


# --- /dev/sev-guest --------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class SevDevice(File):
    """`snp_guest_ioctl`. Pointers are those of this process, where callers are too."""

    machine: Machine
    largest: int = KERNEL_TABLE
    extended: bool = True
    commands: list[int] = field(default_factory=list)

    def ioctl(self, command: int, argument: bytes) -> tuple[int, bytes]:
        version, request, response, _ = struct.unpack("<B7xQQQ", argument)
        self.commands.append(command)
        if not version:
            return -errno.EINVAL, argument
        if command not in {0xC0205300, 0xC0205302} or (command == 0xC0205302 and not self.extended):
            return -errno.ENOTTY, argument
        try:
            number, firmware, vmm = self._ask(command == 0xC0205302, request, response)
        except RefusalError as refusal:
            number, firmware, vmm = refusal.number, 0xFF, 0
        except VmmError as error:
            number, firmware, vmm = error.args
        return -number, struct.pack("<B7xQQII", version, request, response, firmware, vmm)

    def _ask(self, extended: bool, request: int, response: int) -> tuple[int, int, int]:
        user_data, vmpl = struct.unpack("<64sI", ctypes.string_at(request, 68))
        table = self.machine.table or b""
        if extended:
            address, room = struct.unpack("<QI", ctypes.string_at(request + 96, 12))
            if room > self.largest or room % 4096:
                return errno.EINVAL, 0xFF, 0
            if address and room < len(table):
                self.machine.report(user_data, max(vmpl, self.machine.vmpl))  # the driver asks again, for the sequence number
                ctypes.memmove(request + 104, struct.pack("<I", -(-len(table) // 4096) * 4096), 4)
                return errno.EIO, 0, 1
        try:
            report = self.machine.report(user_data, vmpl)
            answer = struct.pack("<II24x", 0, len(report)) + report
        except FirmwareError as error:
            answer = struct.pack("<II24x", error.args[0], 0)
        if extended and address:
            ctypes.memmove(address, table + bytes(room - len(table)), room)
        ctypes.memmove(response, answer.ljust(4000, b"\x00"), 4000)
        return 0, 0, 0


# --- whole machines --------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def tsm_machine(tsm: Tsm, *, more: dict[str, File | Folder] | None = None) -> Iterator[Path]:
    """A root with configfs-tsm."""
    tree = Folder({"sys": at_path(tsm.folder, "kernel", "config", "tsm", "report"), **(more or {})})
    with mounted(tree) as root:
        yield root


@contextlib.contextmanager
def sev_machine(device: SevDevice, *, tsm: Tsm | None = None) -> Iterator[Path]:
    """A root with /dev/sev-guest, and the kernel's word on the guest's VMPL."""
    level = Folder({"cpu": at_path(Text(lambda: str(device.machine.vmpl)), "sev", "vmpl")})
    system = Folder({"devices": at_path(level, "system")})
    if tsm is not None:
        system.children["kernel"] = at_path(tsm.folder, "config", "tsm", "report")
    with mounted(Folder({"dev": Folder({"sev-guest": device}), "sys": system})) as root:
        yield root


def at_path(found: File | Folder, *path: str) -> Folder:
    """`found` under these folders."""
    here = found
    for name in reversed(path):
        here = Folder({name: here})
    assert isinstance(here, Folder)
    return here


VLEK = SigningKey.VLEK
