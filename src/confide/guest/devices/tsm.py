"""Reports of SEV-SNP, quotes of TDX and tokens of Arm CCA through configfs-tsm (Linux
Documentation/ABI/testing/configfs-tsm-report, drivers/virt/coco).

One report, in an entry of its own, so that users of the interface do not meet:

1. make a directory; the kernel fills it with attributes
2. `provider` says whose reports these are: `sev_guest`, `tdx_guest`, `arm_cca_guest`
3. read `generation`; write `inblob` and, where there is one, `privlevel`, each once
4. `generation` has grown by exactly these writes: nobody else wrote
5. read `outblob` and `auxblob`; `generation` is still the same, so both belong to what was written
6. remove the directory

The kernel takes a binary attribute when the file is closed, and forgets the error then: steps 4 and 5 are how a lost write shows.
Directories outlive processes, so those of ours that are old are removed. Left to others: what the blobs mean (`snp`, `intel`,
`cca`).
"""

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from confide.codes import Code
from confide.guest import GuestError
from confide.guest.devices.reports import DENIED, TRANSIENT, BusyError, RawReport, denied, failed, patiently
from confide.guest.devices.source import AnotherKindError

SEV = "sev_guest"  # KBUILD_MODNAME of drivers/virt/coco/sev-guest
CCA = "arm_cca_guest"  # of drivers/virt/coco/arm-cca-guest, since Linux 6.13
PREFIX = "confide-"
LEFTOVER_SECONDS = 600.0  # Linux gives a request up after 60
MAX_BLOB = 32 << 10  # bytes; TSM_REPORT_OUTBLOB_MAX, include/linux/tsm.h
MAX_TEXT = 4096  # bytes; a configfs text attribute is a page
_MOVED = "another user of the entry changed it"


class TsmReports:
    """Reports from `/sys/kernel/config/tsm/report`."""

    name = "configfs-tsm"

    def __init__(self, folder: Path, *, provider: str = SEV, pause: Callable[[float], object] = time.sleep) -> None:
        self._folder, self._wanted, self._pause = folder, provider, pause

    @property
    def provider(self) -> str:
        """Whose reports these are, such as `sev_guest` or `tdx_guest`; `guest.device` where there are none."""
        with self._entry() as entry:
            return _text(entry / "provider")

    def check(self) -> None:
        """Raise `guest.device` unless this process may make entries, and they are the wanted provider's."""
        self.remove_leftovers()
        self._require_provider(patiently(lambda: self.provider, pause=self._pause))

    def read(self, report_data: bytes) -> RawReport:
        """A report over `report_data` and the host's certificates."""
        return patiently(lambda: self._attempt(report_data), pause=self._pause)

    def remove_leftovers(self) -> None:
        """Entries that a process of ours left behind when it was killed. One that is in use is young."""
        with contextlib.suppress(OSError):  # only tidying: what must work is `read`
            for entry in self._folder.iterdir():
                if entry.name.startswith(PREFIX) and time.time() - entry.stat().st_mtime > LEFTOVER_SECONDS:
                    entry.rmdir()

    def _attempt(self, report_data: bytes) -> RawReport:
        with self._entry() as entry:
            self._require_provider(_text(entry / "provider"))
            before = _number(entry / "generation")
            written = before + _write_options(entry, report_data)
            _require_generation(entry, written)
            report, table = _blob(entry / "outblob"), _blob(entry / "auxblob", optional=True)
            _require_generation(entry, written)
            return RawReport(report, table)

    @contextmanager
    def _entry(self) -> Iterator[Path]:
        """A new entry, removed in any case. Errors of what is done in it become ours."""
        entry = self._made()
        try:
            yield entry
        except OSError as error:
            raise _told(error, self._wanted) from None
        finally:
            with contextlib.suppress(OSError):  # removed as a leftover later
                entry.rmdir()

    def _require_provider(self, found: str) -> None:
        if found != self._wanted:
            raise AnotherKindError(
                Code.GUEST_DEVICE, found=f"configfs-tsm with provider {found[:40]!r}", wanted=f"provider {self._wanted}"
            )

    def _made(self) -> Path:
        entry = self._folder / f"{PREFIX}{os.getpid()}-{secrets.token_hex(8)}"
        try:
            entry.mkdir()
        except OSError as error:
            if error.errno == errno.EEXIST or error.errno in TRANSIENT:
                raise BusyError(f"no new entry ({errno.errorcode[error.errno]})") from None
            if error.errno in DENIED:
                raise denied("/sys/kernel/config/tsm/report", error) from None
            hint = f"load the guest driver: modprobe {self._wanted.replace('_', '-')}"
            found = f"configfs-tsm makes no entry ({errno.errorcode.get(error.errno or 0, 'no errno')})"
            raise GuestError(Code.GUEST_DEVICE, found=found, wanted="a provider of reports", hint=hint) from None
        return entry


def _write_options(entry: Path, report_data: bytes) -> int:
    """Step 3. The privilege level is the least that the kernel takes: the guest's own VMPL. Returns how many writes that were."""
    _write(entry / "inblob", report_data)
    level = entry / "privlevel"
    if not level.exists():  # providers without levels have no such attribute
        return 1
    floor = entry / "privlevel_floor"
    _write(level, b"%d" % (_number(floor) if floor.exists() else 0))
    return 2


def _require_generation(entry: Path, wanted: int) -> None:
    if _number(entry / "generation") != wanted:
        raise BusyError(_MOVED)


def _write(path: Path, data: bytes) -> None:
    """In one write, as the kernel wants it; a short one would be another option."""
    with _opened(path, os.O_WRONLY) as file:
        if os.write(file, data) != len(data):
            raise BusyError(f"{path.name} was taken in part")


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    """A bare descriptor: Python's files take EAGAIN, which here says "not yet", for an end of the data."""
    file = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield file
    finally:
        os.close(file)


def _text(path: Path) -> str:
    with _opened(path, os.O_RDONLY) as file:
        return os.read(file, MAX_TEXT).decode("ascii", "replace").strip()


def _number(path: Path) -> int:
    text = _text(path)
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise GuestError(Code.GUEST_DEVICE, found=f"{path.name} of another form", wanted="a number")
    return int(text)


def _blob(path: Path, *, optional: bool = False) -> bytes:
    """A whole binary attribute, in as many reads as the kernel likes."""
    if optional and not path.exists():
        return b""
    data = bytearray()
    with _opened(path, os.O_RDONLY) as file:
        while piece := os.read(file, MAX_BLOB + 1 - len(data)):
            data += piece
    if len(data) > MAX_BLOB:
        raise GuestError(Code.GUEST_QUOTE, found=f"over {MAX_BLOB} bytes of {path.name}", wanted="a report")
    return bytes(data)


def _told(error: OSError, provider: str) -> BusyError | GuestError:
    if error.errno in TRANSIENT:
        return BusyError(f"busy ({errno.errorcode[error.errno]})")
    if error.errno == errno.ENOENT:
        return BusyError("the entry vanished")
    if error.errno in DENIED:
        return denied("configfs-tsm", error)
    hint = {**_HINTS, **_HINTS_OF.get(provider, {})}.get(error.errno or 0, "look at the kernel's log for the guest driver")
    return failed("configfs-tsm", error, wanted="a report", hint=hint)


_HINTS = {errno.ETIMEDOUT: "the host throttles reports: ask its operator, or set limits.quote_interval_ms higher"}
_HINTS_OF: Mapping[str, Mapping[int, str]] = {
    SEV: {
        errno.EINVAL: "the firmware takes no report at this privilege level: is the guest's VMPL another one?",
        errno.ENOTTY: "the kernel has given up its key to the firmware after an error: start the guest anew",
    },
    # arm_cca_report_new: EINVAL where RSI_ATTEST_TOKEN_INIT fails; ENXIO where it goes on with an error, or a granule is full
    CCA: {
        errno.EINVAL: "the realm management monitor starts no token: look at its log, or start the realm anew",
        errno.ENXIO: "the monitor gives no whole token: its platform gives none, or one over 4096 bytes met an old driver",
    },
}
