"""DCAP quotes, versions 3 to 5: bytes to fields (Intel SGX ECDSA QuoteLibReference DCAP API, appendix A; Intel TDX DCAP Quoting
Library API, appendix A).

Header 48 bytes; body; length of the signature data; signature data. Version 3 is SGX only. Version 5 says which body follows. All
integers are little-endian, signatures are r || s. Zeros behind the signature data are padding of the transport and are cut (a
configfs report and Google's quotes come padded to a fixed size); anything else behind it refuses. Left to others: what the body
says (`sgx`, `tdx`), and whether anything is genuine (`verify`).
"""

import struct
from dataclasses import dataclass, field
from enum import IntEnum

from confide.attest.checks import Checks
from confide.codes import Code
from confide.errors import EvidenceError

MAX_QUOTE = 64 << 10  # bytes; with its chain a quote is 5 KiB
MAX_SIGNATURE_DATA = 32 << 10
MAX_CERTIFICATION = 16 << 10  # bytes; three certificates in PEM are 4 KiB
MAX_AUTH_DATA = 1024  # QuoteLibReference table 8: usually 32
HEADER_SIZE = 48
REPORT_SIZE = 384  # an SGX REPORT body
SIGNATURE_SIZE = KEY_SIZE = 64
ECDSA_P256 = 2  # attestation key type; 3, P-384, is on paper only
INTEL_QE_VENDOR = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
VERSIONS = (3, 4, 5)

_HEADER = struct.Struct("<HHI2s2s16s20s")  # version, key type, TEE type (reserved in 3), SVNs (reserved from 4), vendor, user data


class TeeType(IntEnum):
    """TEE type of the header (TDX Quoting Library API, table "TD Quote Header")."""

    SGX = 0x00
    TDX = 0x81


class BodyType(IntEnum):
    """Body type of a version 5 quote; the one that a version 3 or 4 quote implies."""

    SGX = 1
    TD_10 = 2
    TD_15 = 3
    TD_15_EX = 4  # with the history of service TDs


BODY_SIZES = {BodyType.SGX: REPORT_SIZE, BodyType.TD_10: 584, BodyType.TD_15: 648, BodyType.TD_15_EX: 885}
_TEES = {each: TeeType.SGX if each is BodyType.SGX else TeeType.TDX for each in BodyType}


class Certification(IntEnum):
    """Certification data types (QuoteLibReference table 9). Only 5 says all; 6 wraps another one."""

    PPID_PLAIN = 1
    PPID_RSA_2048 = 2
    PPID_RSA_3072 = 3
    PCK_LEAF = 4
    PCK_CHAIN = 5
    QE_REPORT = 6
    PLATFORM_MANIFEST = 7


@dataclass(frozen=True)
class Quote:
    """An unverified quote.

    Attributes:
        signed: what the attestation key signs: header and body, in version 5 with type and size of the body.
        body: as `body_type` says.
        certification_type, certification: the innermost certification data.
    """

    version: int
    tee: TeeType
    body_type: BodyType
    user_data: bytes
    signed: bytes = field(repr=False)
    body: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    attestation_key: bytes = field(repr=False)
    qe_report: bytes = field(repr=False)
    qe_report_signature: bytes = field(repr=False)
    qe_auth_data: bytes = field(repr=False)
    certification_type: int
    certification: bytes = field(repr=False)


def parse_quote(data: bytes, *, tee: TeeType, checks: Checks) -> Quote:
    """The quote in `data`.

    Raises:
        EvidenceError: `dcap.size`, `dcap.version`, `dcap.tee_type`, `dcap.key_type`, `dcap.qe_vendor`, `dcap.body_type`,
            `dcap.certification` or `dcap.trailing`.
    """
    if not HEADER_SIZE <= len(data) <= MAX_QUOTE:
        raise _size(len(data), f"{HEADER_SIZE} to {MAX_QUOTE} bytes")
    reader = _Reader(data)
    version, key_type, tee_type, _, _, vendor, user_data = _HEADER.unpack(reader.take(HEADER_SIZE))
    _require_header(version, key_type, tee_type, vendor, tee, checks)
    body_type = _body_type(version, tee, reader, checks)
    body = reader.take(BODY_SIZES[body_type])
    signed = data[: reader.at]
    signature_data = _Reader(reader.take(reader.bounded_length(4, MAX_SIGNATURE_DATA)))
    if any(data[reader.at :]):
        raise EvidenceError(Code.DCAP_TRAILING, found=f"{len(data) - reader.at} bytes behind the quote", wanted="nothing but zeros")
    signature, key = signature_data.take(SIGNATURE_SIZE), signature_data.take(KEY_SIZE)
    if version == 3:
        report, report_signature, auth, kind, certification = _qe_parts(signature_data)
    else:
        outer, inner = _certification(signature_data)
        _require_type(outer, Certification.QE_REPORT, checks)
        report, report_signature, auth, kind, certification = _qe_parts(_Reader(inner))
    if signature_data.left:
        raise EvidenceError(Code.DCAP_TRAILING, found=f"{signature_data.left} bytes in the signature data", wanted="none")
    return Quote(
        version, tee, body_type, user_data, signed, body, signature, key, report, report_signature, auth, kind, certification
    )


def _require_header(version: int, key_type: int, tee_type: int, vendor: bytes, tee: TeeType, checks: Checks) -> None:
    wanted = ", ".join(map(str, VERSIONS))
    if version not in VERSIONS:
        raise EvidenceError(Code.DCAP_VERSION, found=f"version {version}", wanted=wanted)
    checks.require(True, Code.DCAP_VERSION, "quote version", found=str(version), wanted=wanted)
    # Version 3 is SGX's: what is the TEE type later is reserved there, and zero (QuoteLibReference table 3).
    if tee_type != tee or (version == 3 and tee is not TeeType.SGX):
        raise EvidenceError(Code.DCAP_TEE_TYPE, found=f"{tee_type:#x} in version {version}", wanted=f"{tee:#x} ({tee.name})")
    checks.require(True, Code.DCAP_TEE_TYPE, "TEE type", found=f"{tee_type:#x} ({tee.name})", wanted=f"{tee:#x} ({tee.name})")
    if key_type != ECDSA_P256:
        raise EvidenceError(Code.DCAP_KEY_TYPE, found=str(key_type), wanted="2, ECDSA P-256")
    checks.require(True, Code.DCAP_KEY_TYPE, "attestation key type", found="ECDSA P-256", wanted="ECDSA P-256")
    checks.require(
        vendor == INTEL_QE_VENDOR, Code.DCAP_QE_VENDOR, "QE vendor", found=vendor.hex(), wanted=f"{INTEL_QE_VENDOR.hex()}, Intel"
    )


def _body_type(version: int, tee: TeeType, reader: "_Reader", checks: Checks) -> BodyType:
    """Version 5: type and size in front of the body, which must agree with each other and with the TEE type."""
    if version < 5:
        return BodyType.SGX if tee is TeeType.SGX else BodyType.TD_10
    kind, size = reader.number(2), reader.number(4)
    known = {each.value: each for each in BodyType}
    found = known.get(kind)
    if found is None or BODY_SIZES[found] != size or _TEES[found] is not tee:
        wanted = ", ".join(f"{each.value} of {BODY_SIZES[each]} bytes" for each in BodyType if _TEES[each] is tee)
        raise EvidenceError(Code.DCAP_BODY_TYPE, found=f"type {kind} of {size} bytes", wanted=wanted)
    checks.require(True, Code.DCAP_BODY_TYPE, "body type", found=found.name, wanted="one of this TEE type")
    return found


def _qe_parts(reader: "_Reader") -> tuple[bytes, bytes, bytes, int, bytes]:
    """QE report, its signature, authentication data, and the certification data behind them (QuoteLibReference table 4)."""
    report, signature = reader.take(REPORT_SIZE), reader.take(SIGNATURE_SIZE)
    auth = reader.take(reader.bounded_length(2, MAX_AUTH_DATA))
    kind, certification = _certification(reader)
    if reader.left:
        raise EvidenceError(Code.DCAP_TRAILING, found=f"{reader.left} bytes behind the certification data", wanted="none")
    return report, signature, auth, kind, certification


def _certification(reader: "_Reader") -> tuple[int, bytes]:
    kind = reader.number(2)
    return kind, reader.take(reader.bounded_length(4, MAX_CERTIFICATION))


def _require_type(found: int, wanted: Certification, checks: Checks) -> None:
    if found != wanted:
        raise EvidenceError(Code.DCAP_CERTIFICATION, found=f"type {found}", wanted=f"{wanted.value}, {wanted.name}")
    checks.require(True, Code.DCAP_CERTIFICATION, "certification data", found=wanted.name, wanted=wanted.name)


class _Reader:
    """A cursor that never passes the end."""

    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0

    @property
    def left(self) -> int:
        return len(self._data) - self.at

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise _size(self.left, f"{size} bytes more")
        self.at += size
        return self._data[self.at - size : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def bounded_length(self, size: int, limit: int) -> int:
        length = self.number(size)
        if length > limit:
            raise _size(length, f"at most {limit} bytes")
        return length


def _size(found: int, wanted: str) -> EvidenceError:
    return EvidenceError(Code.DCAP_SIZE, found=f"{found} bytes", wanted=wanted)
