"""HCL reports: what Azure's paravisor keeps in the vTPM's NV index 0x01400001.

(Microsoft Learn, "Confidential VM guest attestation", "Attestation report"; microsoft/openvmm, `openhcl_attestation_protocol`.)

    0x000 "HCLA"   0x004 version   0x008 report size   0x00C request type   0x010 status   0x014 reserved
    0x020 hardware report: SEV-SNP of 1184 bytes, or a TDREPORT of 1024 with zeros behind it
    0x4C0 data size   0x4C4 version   0x4C8 report type   0x4CC hash type   0x4D0 size of the runtime data   0x4D4 runtime data

Integers are little-endian. The runtime data is JSON (`runtime`); the hardware report covers it by REPORT_DATA = hash of its exact
bytes, then zeros. Nothing else of this file is covered by anything: it only says where things are. Left to others: the hardware
report (`snp`, `tdx`), and that it covers the runtime data (`verify`).
"""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from confide.attest.azure.runtime import MAX_RUNTIME, Runtime, parse_runtime
from confide.codes import Code
from confide.errors import EvidenceError

MAX_REPORT = 8192  # bytes; the NV index has 2600, zeros at its end
HARDWARE, DATA, RUNTIME = 0x20, 0x4C0, 0x4D4
SNP_SIZE, TD_REPORT_SIZE = 1184, 1024
TD_REPORT_DATA = slice(128, 192)  # REPORTMACSTRUCT.REPORTDATA (Intel TDX Module ABI Specification, TDREPORT_STRUCT)
VERSIONS = (1, 2)  # of the header: 2 since paravisors that persist the TPM
DATA_VERSION = 1
_HEADER = struct.Struct("<4sIIII12s")  # signature, version, report size, request type, status, reserved
_DATA = struct.Struct("<IIIII")  # data size, version, report type, hash type, size of the runtime data
_HASHES: Mapping[int, str] = MappingProxyType({1: "sha256", 2: "sha384", 3: "sha512"})


class ReportType(IntEnum):
    """Which hardware report stands there (`IGVM_ATTEST_REQUEST` report type)."""

    SNP = 2
    TDX = 4


@dataclass(frozen=True)
class HclReport:
    """An unverified HCL report.

    Attributes:
        covered: what REPORT_DATA must be, all 64 bytes: hash of the runtime data, then zeros.
        said: the runtime data, decoded.
    """

    version: int
    request_type: int
    report_type: ReportType
    hash_name: str
    hardware_report: bytes = field(repr=False)
    covered: bytes
    said: Runtime = field(repr=False)

    @property
    def keys(self) -> Mapping[str, rsa.RSAPublicKey]:
        """RSA keys by their `kid`."""
        return self.said.keys

    @property
    def configuration(self) -> Mapping[str, Any]:
        """`vm-configuration`."""
        return self.said.configuration


def parse_hcl_report(data: bytes, *, wanted: ReportType) -> HclReport:
    """The report in `data`.

    Raises:
        EvidenceError: `azure.hcl` or `azure.runtime`.
    """
    if not RUNTIME <= len(data) <= MAX_REPORT:
        raise _malformed(f"{len(data)} bytes", f"{RUNTIME} to {MAX_REPORT}")
    signature, version, size, request, status, _ = _HEADER.unpack_from(data)
    if signature != b"HCLA" or version not in VERSIONS:
        raise _malformed(f"signature {signature.hex()}, version {version}", "HCLA, version 1 or 2")
    if status != 0:
        raise _malformed(f"status {status:#x}", "0")
    data_size, data_version, kind, digest, length = _DATA.unpack_from(data, DATA)
    if kind != wanted or digest not in _HASHES or data_version != DATA_VERSION:
        found = f"report type {kind}, hash type {digest}, data version {data_version}"
        raise _malformed(found, f"type {wanted.value}, hash 1 to 3, version {DATA_VERSION}")
    end = RUNTIME + length
    if not 0 < length <= MAX_RUNTIME or (size, data_size) != (end, _DATA.size + length) or end > len(data) or any(data[end:]):
        raise _malformed(f"{length} bytes of runtime data in {size}", f"1 to {MAX_RUNTIME}, and zeros behind them")
    runtime, name = data[RUNTIME:end], _HASHES[digest]
    covered = hashlib.new(name, runtime).digest().ljust(64, b"\x00")
    return HclReport(version, request, wanted, name, _hardware(data, wanted), covered, parse_runtime(runtime))


def report_type_of(data: bytes) -> int | None:
    """What the file says of its hardware, before anything else of it is read; None for no HCL report."""
    if not RUNTIME <= len(data) <= MAX_REPORT or not data.startswith(b"HCLA"):
        return None
    kind: int = _DATA.unpack_from(data, DATA)[2]
    return kind


def _hardware(data: bytes, kind: ReportType) -> bytes:
    """The report alone; the rest of its place is zero."""
    size = SNP_SIZE if kind is ReportType.SNP else TD_REPORT_SIZE
    if any(data[HARDWARE + size : DATA]):
        raise _malformed("bytes behind the hardware report", "zeros")
    return data[HARDWARE : HARDWARE + size]


def _malformed(found: str, wanted: str) -> EvidenceError:
    return EvidenceError(Code.AZURE_HCL, found=found, wanted=wanted)
