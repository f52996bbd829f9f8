"""HCL reports: what Azure's paravisor keeps in the vTPM's NV index 0x01400001 (Azure, "Guest attestation for confidential VMs",
"Attestation report format").

    0x000 "HCLA"   0x004 version   0x008 report size   0x00C request type   0x010 status   0x014 reserved
    0x020 hardware report: SEV-SNP 1184 bytes, or a TDREPORT of 1024
    0x4C0 data size   0x4C4 version   0x4C8 report type (2 SNP, 4 TDX)   0x4CC hash type   0x4D0 size of the runtime data   0x4D4
    runtime data

Integers are little-endian. The runtime data is JSON: keys as JWK, the VM's configuration, and 64 bytes that the user may set. The
hardware report covers it by REPORT_DATA = hash of its exact bytes, then zeros. Left to others: the hardware report (`snp`, `tdx`).
"""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from confide.codes import Code
from confide.errors import EvidenceError
from confide.formats import strictjson

MAX_REPORT = 8192  # bytes; the NV index has 2600
MAX_RUNTIME = 4096
SNP_SIZE, TD_REPORT_SIZE = 1184, 1024
TD_REPORT_DATA = 128  # REPORTMACSTRUCT.REPORTDATA of a TDREPORT (TDX Module ABI Specification, TDREPORT_STRUCT)
AK, EK = "HCLAkPub", "HCLEkPub"
_HEADER = struct.Struct("<4sIIII12x")
_DATA = struct.Struct("<IIIII")
_HASHES = {1: "sha256", 2: "sha384", 3: "sha512"}


class ReportType(IntEnum):
    """Which hardware report stands there."""

    SNP = 2
    TDX = 4


@dataclass(frozen=True)
class HclReport:
    """An unverified HCL report.

    Attributes:
        runtime: the exact bytes of the runtime data.
        covered: what REPORT_DATA must be: hash of the runtime data, then zeros to 64 bytes.
        keys: RSA keys by their `kid`.
        configuration: `vm-configuration`.
        user_data: the 64 bytes that the guest may set, where they are there.
    """

    report_type: ReportType
    hardware_report: bytes = field(repr=False)
    runtime: bytes = field(repr=False)
    covered: bytes
    keys: Mapping[str, rsa.RSAPublicKey] = field(repr=False)
    configuration: Mapping[str, Any] = field(repr=False)
    user_data: bytes | None = field(repr=False)


def parse_hcl_report(data: bytes, *, wanted: ReportType) -> HclReport:
    """The report in `data`.

    Raises:
        EvidenceError: `azure.hcl` or `azure.runtime`.
    """
    if not 0x4D4 <= len(data) <= MAX_REPORT:
        raise _malformed(f"{len(data)} bytes", f"{0x4D4} to {MAX_REPORT}")
    signature, version, _, _, _ = _HEADER.unpack_from(data)
    if signature != b"HCLA" or not 1 <= version <= 2:
        raise _malformed(f"signature {signature.hex()}, version {version}", "HCLA, version 1 or 2")
    _, data_version, kind, digest, size = _DATA.unpack_from(data, 0x4C0)
    if kind != wanted or digest not in _HASHES or data_version != 1:
        raise _malformed(
            f"report type {kind}, hash type {digest}, data version {data_version}", f"type {wanted.value}, hash 1 to 3"
        )
    if not 0 < size <= MAX_RUNTIME or 0x4D4 + size > len(data) or any(data[0x4D4 + size :]):
        raise _malformed(f"{size} bytes of runtime data", f"1 to {MAX_RUNTIME}, and zeros behind them")
    hardware = data[0x20 : 0x20 + (SNP_SIZE if wanted is ReportType.SNP else TD_REPORT_SIZE)]
    runtime = data[0x4D4 : 0x4D4 + size]
    covered = hashlib.new(_HASHES[digest], runtime).digest().ljust(64, b"\x00")
    return HclReport(wanted, hardware, runtime, covered, *_runtime(runtime))


def _runtime(data: bytes) -> tuple[Mapping[str, rsa.RSAPublicKey], Mapping[str, Any], bytes | None]:
    try:
        members = strictjson.loads(data, limit=MAX_RUNTIME)
    except strictjson.JsonError as error:
        raise EvidenceError(Code.AZURE_RUNTIME, found=f"{error.code.value} {error.found}", wanted="strict JSON") from None
    keys = members.get("keys") if isinstance(members, dict) else None
    configuration = members.get("vm-configuration", {}) if isinstance(members, dict) else None
    if not isinstance(keys, list) or not 1 <= len(keys) <= 8 or not isinstance(configuration, dict):
        raise EvidenceError(Code.AZURE_RUNTIME, found="other members", wanted="keys and vm-configuration")
    found: dict[str, rsa.RSAPublicKey] = {}
    for key in keys:
        name, value = _jwk(key)
        if name in found:
            raise EvidenceError(Code.AZURE_RUNTIME, found=f"{name} twice", wanted="each key once")
        found[name] = value
    return MappingProxyType(found), MappingProxyType(configuration), _user_data(members.get("user-data"))


def _jwk(key: Any) -> tuple[str, rsa.RSAPublicKey]:
    """An RSA key as a JWK (RFC 7518 section 6.3.1)."""
    try:
        n, e = (int.from_bytes(_base64url(key[name])) for name in ("n", "e"))
        kind, name, public = key["kty"], key["kid"], rsa.RSAPublicNumbers(e, n).public_key()
    except (ValueError, KeyError, TypeError, strictjson.JsonError):
        kind, name, n, public = "", "", 0, None
    if kind != "RSA" or not isinstance(name, str) or not 2048 <= n.bit_length() <= 4096 or public is None:
        raise EvidenceError(Code.AZURE_RUNTIME, found="a key of another form", wanted="RSA keys of 2048 bits or more")
    return name[:32], public


def _base64url(text: str) -> bytes:
    standard = text.replace("-", "+").replace("_", "/")
    return strictjson.unb64(standard + "=" * (-len(standard) % 4), limit=1024)


def _user_data(value: Any) -> bytes | None:
    """64 bytes in hex, of either case."""
    if value is None:
        return None
    try:
        data = bytes.fromhex(value)
    except (ValueError, TypeError):
        data = b""
    if len(data) != 64:
        raise EvidenceError(Code.AZURE_RUNTIME, found="user-data of another form", wanted="64 bytes in hex")
    return data


def _malformed(found: str, wanted: str) -> EvidenceError:
    return EvidenceError(Code.AZURE_HCL, found=found, wanted=wanted)
