"""SEV-SNP reports through `/dev/sev-guest` (Linux include/uapi/linux/sev-guest.h, Documentation/virt/coco/sev-guest.rst).

    struct snp_guest_request_ioctl { u8 msg_version; u64 req_data, resp_data; u64 exitinfo2; }     32 bytes
    struct snp_report_req          { u8 user_data[64]; u32 vmpl; u8 rsvd[28]; }                    96 bytes
    struct snp_ext_report_req      { struct snp_report_req data; u64 certs_address; u32 certs_len; }  112 bytes
    struct snp_report_resp         { u8 data[4000]; }   MSG_REPORT_RSP: status, report_size, 24 reserved, report (AMD 56860)

`exitinfo2` is the firmware's error in its low half and the VMM's in its high half. Where the host's certificates need more room
than was given, the VMM's error is INVALID_LEN and `certs_len` says how much. Left to others: what the report means (`snp`).
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

from confide.attest.snp.layout import REPORT_SIZE
from confide.codes import Code
from confide.guest import GuestError
from confide.guest.devices.reports import TRANSIENT, BusyError, RawReport, denied, failed, patiently

_IOCTL = struct.Struct("<B7xQQII")
_REQUEST = struct.Struct("<64sI28x")
_EXTENDED = struct.Struct("<64sI28xQI4x")
_RESPONSE = struct.Struct("<II24x")
RESPONSE_SIZE = 4000
MESSAGE_VERSION = 1
# _IOWR('S', 0x0 or 0x2, struct snp_guest_request_ioctl): Linux include/uapi/asm-generic/ioctl.h
SNP_GET_REPORT, SNP_GET_EXT_REPORT = (0b11 << 30 | _IOCTL.size << 16 | ord("S") << 8 | number for number in (0x0, 0x2))
VMM_INVALID_LEN, VMM_BUSY = 1, 2
FIRST_TABLE = 16 << 10  # bytes; SEV_FW_BLOB_MAX_SIZE, the most that Linux takes today
MAX_TABLE = 128 << 10  # bytes; what this side would take from a later one
PAGE = 4096
FIRMWARE_ERRORS = {  # Linux include/uapi/linux/psp-sev.h, sev_ret_code
    0x16: "INVALID_PARAM",
    0x17: "RESOURCE_LIMIT",
    0x18: "SECURE_DATA_INVALID",
    0x27: "INVALID_KEY",
}
_NONE = 0xFF  # what Linux writes before it asks: neither firmware nor VMM has said anything


class _TableTooSmallError(Exception):
    def __init__(self, wanted: int) -> None:
        super().__init__(wanted)
        self.wanted = wanted


class SevGuest:
    """Reports from `/dev/sev-guest`."""

    name = "sev-guest"

    def __init__(self, path: Path, *, vmpl: int = 0, pause: Callable[[float], object] = time.sleep) -> None:
        self._path, self._vmpl, self._pause = path, vmpl, pause

    def check(self) -> None:
        """Raise `guest.device` unless this process may open the device."""
        os.close(self._opened())

    def read(self, report_data: bytes) -> RawReport:
        """A report over `report_data` and the host's certificates; without them where they do not fit into what Linux takes."""
        device = self._opened()
        try:
            return self._extended(device, report_data)
        finally:
            os.close(device)

    def _opened(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise denied("/dev/sev-guest", error) from None

    def _extended(self, device: int, report_data: bytes) -> RawReport:
        """With the host's table, in the room that the host asks for; without it where Linux or we do not take as much."""
        try:
            return self._asked(device, report_data, FIRST_TABLE)
        except _TableTooSmallError as error:
            if FIRST_TABLE < error.wanted <= MAX_TABLE:
                with contextlib.suppress(_TableTooSmallError, GuestError):
                    return self._asked(device, report_data, error.wanted)
        return self._asked(device, report_data, 0)

    def _asked(self, device: int, report_data: bytes, table_size: int) -> RawReport:
        return patiently(lambda: self._report(device, report_data, table_size=table_size), pause=self._pause)

    def _report(self, device: int, report_data: bytes, *, table_size: int) -> RawReport:
        """One request. Without room for a table the plain request asks for none."""
        table = ctypes.create_string_buffer(max(table_size, 1))
        response = ctypes.create_string_buffer(RESPONSE_SIZE)
        if table_size:
            request = ctypes.create_string_buffer(
                _EXTENDED.pack(report_data, self._vmpl, ctypes.addressof(table), table_size), _EXTENDED.size
            )
        else:
            request = ctypes.create_string_buffer(_REQUEST.pack(report_data, self._vmpl), _REQUEST.size)
        argument = bytearray(_IOCTL.pack(MESSAGE_VERSION, ctypes.addressof(request), ctypes.addressof(response), _NONE, 0))
        try:
            fcntl.ioctl(device, SNP_GET_EXT_REPORT if table_size else SNP_GET_REPORT, argument)
        except OSError as error:
            raise _told(error, argument, request.raw) from None
        return RawReport(_report_of(response.raw), table.raw[:table_size])


def _told(error: OSError, argument: bytearray, request: bytes) -> Exception:
    """What an ioctl that failed means: not enough room, try again, or an error with the words of firmware and VMM."""
    *_, firmware, vmm = _IOCTL.unpack(argument)
    if vmm == VMM_INVALID_LEN and error.errno in {errno.EIO, errno.ENOSPC} and len(request) == _EXTENDED.size:
        *_, wanted = _EXTENDED.unpack(request)
        return _TableTooSmallError(-(-wanted // PAGE) * PAGE)
    if vmm == VMM_BUSY or error.errno in TRANSIENT:
        return BusyError("the host throttles requests" if vmm == VMM_BUSY else f"busy ({errno.errorcode[error.errno or 0]})")
    said = _words(firmware, vmm)
    return failed(f"/dev/sev-guest{said}", error, wanted="a report", hint=_HINTS.get(error.errno or 0, ""))


def _words(firmware: int, vmm: int) -> str:
    if (firmware, vmm) == (_NONE, 0):
        return ""
    name = FIRMWARE_ERRORS.get(firmware, "")
    return f", firmware error {firmware:#x}{f' {name}' if name else ''}, VMM error {vmm:#x}"


def _report_of(response: bytes) -> bytes:
    """The report in a MSG_REPORT_RSP (AMD 56860, table "MSG_REPORT_RSP Message Structure")."""
    status, size = _RESPONSE.unpack_from(response)
    if status:
        name = FIRMWARE_ERRORS.get(status, "")
        found = f"/dev/sev-guest, firmware status {status:#x}{f' {name}' if name else ''}"
        raise GuestError(
            Code.GUEST_QUOTE, found=found, wanted="status 0", hint="is the guest's VMPL another one than was asked for?"
        )
    if not REPORT_SIZE <= size <= RESPONSE_SIZE - _RESPONSE.size:
        raise GuestError(Code.GUEST_QUOTE, found=f"/dev/sev-guest, a report of {size} bytes", wanted=f"{REPORT_SIZE} bytes")
    return response[_RESPONSE.size : _RESPONSE.size + size]


_HINTS = {
    errno.ENOTTY: "the kernel has given up its key to the firmware after an error: start the guest anew",
    errno.ETIMEDOUT: "the host throttles reports: ask its operator, or set limits.quote_interval_ms higher",
}
