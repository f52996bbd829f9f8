"""A Nitro Enclave: documents from the Nitro Secure Module through `/dev/nsm` (Linux include/uapi/linux/nsm.h, since 6.8;
AWS's own driver before it has the same interface).

    struct nsm_raw { struct nsm_iovec request, response; }   nsm_iovec: u64 address, u64 length    32 bytes
    request   {"Attestation": {"user_data": bytes, "nonce": null, "public_key": null}}             CBOR, up to 4096 bytes
    response  {"Attestation": {"document": bytes}} or {"Error": text}                              CBOR, up to 12288 bytes

The kernel takes raw messages from CAP_SYS_ADMIN alone. Left to others: what a document means (`attest.nitro`), checking it all
(`checked`).
"""

import ctypes
import fcntl
import os
import struct
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from confide.attest import cbor
from confide.attest.claims import Claims
from confide.attest.constraints import Ignored
from confide.attest.evidence import Evidence, Kind
from confide.attest.nitro.claims import NitroClaims
from confide.attest.nitro.validate import NitroConstraints
from confide.codes import Code
from confide.errors import EvidenceError
from confide.guest import GuestError
from confide.guest.devices.reports import DENIED, TRANSIENT, BusyError, denied, failed, patiently
from confide.guest.devices.source import Raw

PATH = "/dev/nsm"
MAX_RESPONSE = 0x3000  # NSM_RESPONSE_MAX_SIZE
_RAW = struct.Struct("<QQQQ")
NSM_IOCTL_RAW = 0b11 << 30 | _RAW.size << 16 | 0x0A << 8  # _IOWR(NSM_MAGIC, 0x0, struct nsm_raw)
FILES: Mapping[str, tuple[str, int]] = {}  # a document carries all that verifiers need


class NsmSource:
    """Documents of this enclave."""

    kind = Kind.NITRO
    name = "nitro"

    def __init__(self, path: Path, *, pause: Callable[[float], object] = time.sleep) -> None:
        self._path, self._pause = path, pause

    def check(self) -> None:
        """Raise `guest.device` unless this process may open the device."""
        os.close(self._opened())

    def read(self, carried: bytes) -> Raw:
        """A document whose `user_data` is `carried`."""
        request = attestation_request(carried)
        device = self._opened()
        try:
            response = patiently(lambda: _exchange(device, request), pause=self._pause)
        finally:
            os.close(device)
        return Raw({"document": document_of(response)})

    def _opened(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise denied(PATH, error) from None


def attestation_request(user_data: bytes) -> bytes:
    """The request (NSM API, `Request::Attestation`). The client's nonce is in the binding, so that none is given here."""

    def text(value: str) -> bytes:
        return cbor.dump_head(3, len(value)) + value.encode()

    null = b"\xf6"
    members = text("user_data") + cbor.dump_bytes(user_data) + text("nonce") + null + text("public_key") + null
    return cbor.dump_head(5, 1) + text("Attestation") + cbor.dump_head(5, 3) + members


def document_of(response: bytes) -> bytes:
    """The document in a response; `guest.quote` for an error, and for anything else."""
    wanted = "a response with a document"
    try:
        value = cbor.loads(response, limit=MAX_RESPONSE)
    except EvidenceError:
        raise GuestError(Code.GUEST_QUOTE, found=f"{PATH}, {len(response)} bytes of another form", wanted=wanted) from None
    return document_in(value, device=PATH)


def document_in(response: Any, *, device: str) -> bytes:
    """The document in a response that was read; `guest.quote` for an error, and for anything else."""
    wanted = "a response with a document"
    members = response if isinstance(response, dict) else {}
    error, answer = members.get("Error"), members.get("Attestation")
    if isinstance(error, str):
        raise GuestError(Code.GUEST_QUOTE, found=f"{device} answers {error[:40]!r}", wanted=wanted)
    found = answer.get("document") if isinstance(answer, dict) else None
    if not isinstance(found, bytes):
        raise GuestError(Code.GUEST_QUOTE, found=f"{device}, a response of another form", wanted=wanted)
    return found


def _exchange(device: int, request: bytes) -> bytes:
    sent = ctypes.create_string_buffer(request, len(request))
    room = ctypes.create_string_buffer(MAX_RESPONSE)
    argument = bytearray(_RAW.pack(ctypes.addressof(sent), len(request), ctypes.addressof(room), MAX_RESPONSE))
    try:
        fcntl.ioctl(device, NSM_IOCTL_RAW, argument)
    except OSError as error:
        if error.errno in TRANSIENT:
            raise BusyError("busy") from None
        if error.errno in DENIED:
            raise denied(f"{PATH} (raw messages need CAP_SYS_ADMIN)", error) from None
        raise failed(PATH, error, wanted="a document") from None
    *_, length = _RAW.unpack(argument)
    if length > MAX_RESPONSE:
        raise GuestError(Code.GUEST_QUOTE, found=f"{PATH}, {length} bytes", wanted=f"at most {MAX_RESPONSE}")
    return room.raw[:length]


def missing(_: Evidence, __: Mapping[str, bytes]) -> Mapping[str, str]:
    """Nothing: a document carries its chain."""
    return {}


def open_constraints(_: Claims) -> NitroConstraints:
    """Strict about the state, open about what runs."""
    return NitroConstraints(pcrs=Ignored.UNSAFE_IGNORED)


def facts(claims: Claims) -> Mapping[str, str]:
    """What an operator wants to see."""
    if not isinstance(claims, NitroClaims):
        raise TypeError(type(claims).__name__)
    return {"module_id": claims.document.module_id, "region": claims.region or "unknown"}
