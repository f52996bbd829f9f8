"""What interfaces to a TEE's firmware give, and how all wait for it: a busy firmware is asked again, within bounds."""

import errno
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from confide.codes import Code
from confide.guest import GuestError

T = TypeVar("T")
ATTEMPTS = 8
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0  # seconds; 8 attempts wait 5 seconds in all, and Linux itself waits for a throttling host
# The device works for somebody else, or was interrupted: nothing is wrong with it (Linux errno.h).
TRANSIENT = frozenset({errno.EAGAIN, errno.EBUSY, errno.EINTR})
DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@dataclass(frozen=True)
class RawReport:
    """A report of the firmware and the host's certificate table beside it (empty where the host gives none). Unverified."""

    report: bytes = field(repr=False)
    table: bytes = field(repr=False)


class ReportSource(Protocol):
    """One interface to the firmware."""

    @property
    def name(self) -> str:
        """As in `guest.tee.DEVICES`."""
        ...

    def check(self) -> None:
        """Raise `guest.device` unless the interface can be used; asks the firmware for nothing."""
        ...

    def read(self, report_data: bytes) -> RawReport:
        """A report over `report_data`; `guest.quote` when the firmware gives none."""
        ...


class BusyError(Exception):
    """One attempt failed in a way that the next may not."""


def patiently(attempt: Callable[[], T], *, pause: Callable[[float], object] = time.sleep) -> T:
    """What `attempt` returns, within `ATTEMPTS` of them; `guest.quote` says what the last one met."""
    wait = FIRST_PAUSE
    for _ in range(ATTEMPTS - 1):
        try:
            return attempt()
        except BusyError:
            pause(wait)
            wait = min(2 * wait, LONGEST_PAUSE)
    try:
        return attempt()
    except BusyError as error:
        raise GuestError(Code.GUEST_QUOTE, found=f"{error}, {ATTEMPTS} times", wanted="a report") from None


def failed(doing: str, error: OSError, *, wanted: str, hint: str = "") -> GuestError:
    """An errno as an error; the message of an exception may hold paths or more, its number never does."""
    found = f"{doing}: {errno.errorcode.get(error.errno or 0, 'no errno')} ({os.strerror(error.errno or 0)})"
    return GuestError(Code.GUEST_QUOTE, found=found, wanted=wanted, hint=hint)


def denied(path: str, error: OSError) -> GuestError:
    """The interface is there, and this process may not use it."""
    found = f"{path}: {errno.errorcode.get(error.errno or 0, 'no errno')}"
    hint = "give the node's user access to it (a udev rule or a group), or run the node as root"
    return GuestError(Code.GUEST_DEVICE, found=found, wanted="read and write access", hint=hint)
