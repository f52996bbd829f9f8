"""SPDM 1.1 GET_MEASUREMENTS and MEASUREMENTS (DMTF DSP0274 1.1, sections 10.11.1 and 10.11.2) as NVIDIA's devices speak them.

    request    0 version 11   1 code E0   2 attributes   3 index FF   4 nonce 32   36 slot
    response   0 version 11   1 code 60   4 blocks u8   5 record length u24   8 record   nonce 32   opaque length u16   opaque
    signature 96 block      0 index   1 specification 01 (DMTF)   2 size u16   4 type   5 value size u16   7 value opaque     type
    u16   length u16   value, repeated (NVIDIA, "Opaque data")

Lengths decide where the signature stands, never the end of the bytes; one stray byte behind it, as one tool leaves, is cut.
Integers are little-endian. Left to others: the signature (`verify`), what measurements should be (`rim`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType

from confide.codes import Code
from confide.errors import EvidenceError

MAX_REPORT = 64 << 10  # bytes; a GPU's is 4 KiB
REQUEST_SIZE = 37
NONCE_SIZE = 32
SIGNATURE_SIZE = 96
MAX_BLOCKS = 128
MAX_OPAQUE = 4096
VERSION, GET_MEASUREMENTS, MEASUREMENTS, ALL = 0x11, 0xE0, 0x60, 0xFF
DMTF = 1
STRAY = 1


class Opaque(IntEnum):
    """Types of NVIDIA's opaque data."""

    CERT_ISSUER = 1
    AKI = 2
    DRIVER_VERSION = 3
    GPU_INFO = 4
    SKU = 5
    VBIOS_VERSION = 6
    NVDEC0_STATUS = 11
    MSRSCNT = 12
    CPR_INFO = 13
    BOARD_ID = 14
    CHIP_SKU = 15
    CHIP_SKU_MOD = 16
    PROJECT = 17
    PROJECT_SKU = 18
    PROJECT_SKU_MOD = 19
    FWID = 20
    PROTECTED_PCIE_STATUS = 21
    SWITCH_PDI = 22
    FEATURE_FLAG = 36


@dataclass(frozen=True)
class Measurements:
    """Request and response, field by field. `signed` is what the signature covers (SPDM 1.1: both messages, without a prefix)."""

    nonce: bytes
    blocks: Mapping[int, bytes] = field(repr=False)
    opaque: Mapping[int, bytes] = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    def text(self, kind: Opaque) -> str:
        """A zero-ended string of the opaque data; empty where it is not there."""
        value = self.opaque.get(kind, b"").split(b"\x00", 1)[0]
        return value.decode("ascii", "replace")[:64] if value.isascii() else ""

    @property
    def driver_version(self) -> str:
        """Such as 550.90.07; switches have none."""
        return self.text(Opaque.DRIVER_VERSION)

    @property
    def vbios_version(self) -> str:
        """Such as 96.00.9F.00.01: GPUs send the bytes in the order 3, 2, 1, 0, 4 of the text, switches the text."""
        value = self.opaque.get(Opaque.VBIOS_VERSION, b"")
        if len(value) == 8:
            return ".".join(f"{value[index]:02X}" for index in (3, 2, 1, 0, 4))
        return self.text(Opaque.VBIOS_VERSION).upper()


def parse_measurements(data: bytes) -> Measurements:
    """Request, then response.

    Raises:
        EvidenceError: `nvidia.spdm`.
    """
    if not REQUEST_SIZE + 8 <= len(data) <= MAX_REPORT:
        raise _malformed(f"{len(data)} bytes", f"{REQUEST_SIZE + 8} to {MAX_REPORT}")
    request, response = data[:REQUEST_SIZE], data[REQUEST_SIZE:]
    if request[0] != VERSION or request[1] != GET_MEASUREMENTS or request[3] != ALL or not request[2] & 1:
        raise _malformed(f"request {request[:4].hex()}", "GET_MEASUREMENTS 1.1 of all, signed")
    if response[0] != VERSION or response[1] != MEASUREMENTS:
        raise _malformed(f"response {response[:2].hex()}", "MEASUREMENTS 1.1")
    count, at = response[4], 8 + int.from_bytes(response[5:8], "little")
    blocks = _blocks(_cut(response, 8, at), count)
    answered = _cut(response, at, at + NONCE_SIZE)
    length = int.from_bytes(_cut(response, at + NONCE_SIZE, at + NONCE_SIZE + 2), "little")
    start = at + NONCE_SIZE + 2
    if length > MAX_OPAQUE:
        raise _malformed(f"{length} bytes of opaque data", f"at most {MAX_OPAQUE}")
    opaque = _opaque(_cut(response, start, start + length))
    end = start + length
    signature = _cut(response, end, end + SIGNATURE_SIZE)
    if len(response) - end - SIGNATURE_SIZE > STRAY:
        raise _malformed(f"{len(response) - end - SIGNATURE_SIZE} bytes behind the signature", "none")
    del answered  # the responder's own randomness; what we asked with is in the request, which is signed too
    return Measurements(request[4:36], blocks, opaque, data[: REQUEST_SIZE + end], signature)


def _blocks(record: bytes, count: int) -> Mapping[int, bytes]:
    """DSP0274 table "Measurement block format"; each index once."""
    found: dict[int, bytes] = {}
    at = 0
    for _ in range(count):
        index, specification, size = *_cut(record, at, at + 2), int.from_bytes(_cut(record, at + 2, at + 4), "little")
        block = _cut(record, at + 4, at + 4 + size)
        value_size = int.from_bytes(block[1:3], "little")
        if specification != DMTF or size != 3 + value_size or index in found or index == 0 or count > MAX_BLOCKS:
            raise _malformed(f"block {index} of {size} bytes", "DMTF blocks, each index once")
        found[index] = block[3:]
        at += 4 + size
    if at != len(record):
        raise _malformed(f"{len(record) - at} bytes behind the blocks", "none")
    return MappingProxyType(found)


def _opaque(data: bytes) -> Mapping[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        kind, length = (int.from_bytes(_cut(data, place, place + 2), "little") for place in (at, at + 2))
        if kind in found:
            raise _malformed(f"opaque data {kind} twice", "once")
        found[kind] = _cut(data, at + 4, at + 4 + length)
        at += 4 + length
    return MappingProxyType(found)


def _cut(data: bytes, start: int, end: int) -> bytes:
    if end > len(data):
        raise _malformed(f"{len(data)} bytes", f"at least {end}")
    return data[start:end]


def _malformed(found: str, wanted: str) -> EvidenceError:
    return EvidenceError(Code.NVIDIA_SPDM, found=found, wanted=wanted)
