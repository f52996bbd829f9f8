"""One command, one answer, over `/dev/tpmrm0` (Linux drivers/char/tpm/tpmrm-dev.c) or `/dev/tpm0`: a write of the whole command, a
read of the whole answer. The resource manager gives each open file transient objects of its own and removes them when it is closed.

Left to others: what the bytes say (`commands`).
"""

import os
from pathlib import Path
from typing import Protocol, Self

from confide.codes import Code
from confide.guest import GuestError
from confide.guest.devices.reports import TRANSIENT, BusyError, denied, failed

MAX_ANSWER = 4096  # bytes; TPM_BUFSIZE in Linux


class Exchange(Protocol):
    """Whatever carries a command to a TPM."""

    def __call__(self, command: bytes, /) -> bytes:
        """The answer."""
        ...


class TpmDevice:
    """An open device. Use it in a `with` block: closing it removes what was loaded."""

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, -1
        self._name = f"/dev/{path.name}"

    def __enter__(self) -> Self:
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in TRANSIENT:
                raise BusyError("another process has the TPM open") from None
            raise denied(self._name, error) from None
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def __call__(self, command: bytes, /) -> bytes:
        """The TPM's answer.

        Raises:
            GuestError: `guest.quote` with the errno.
        """
        try:
            if os.write(self._file, command) != len(command):
                raise GuestError(Code.GUEST_QUOTE, found=f"{self._name} took a command in part", wanted="all of it")
            return os.read(self._file, MAX_ANSWER)
        except OSError as error:
            if error.errno in TRANSIENT:
                raise BusyError("the TPM is busy") from None
            raise failed(self._name, error, wanted="an answer") from None
