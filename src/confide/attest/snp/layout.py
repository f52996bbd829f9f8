"""The SEV-SNP attestation report, versions 2 to 5 (AMD 56860, table "ATTESTATION_REPORT Structure"): bytes to fields.

Signed fields whose meaning a newer firmware may extend (PLATFORM_INFO, the reserved ranges) are kept or ignored, never refused:
an attacker cannot set them, and one genuine Turin report has a PLATFORM_INFO bit that older tables call reserved. The bits beside
SIGNING_KEY and the bytes outside the signature's R and S are refused, because they change what the signature means. Left to others:
whether the signature is genuine (`verify.py`).
"""

import struct
from dataclasses import dataclass
from enum import Enum, IntEnum, IntFlag, StrEnum
from typing import Any, Self

from confide.attest.checks import Checks
from confide.codes import Code

REPORT_SIZE = 0x4A0
SIGNED_SIZE = 0x2A0  # SIGNATURE covers bytes 0x000 to 0x29F
MAX_REPORT = 4000  # the guest device answers in a zero-filled buffer of this size (Linux, struct snp_report_resp)
VERSIONS = (2, 3, 4, 5)  # 4 is laid out as 3 is; none is known to have been recorded
ECDSA_P384_SHA384 = 1  # AMD 56860, table "Encoding for the Signature Algorithm"
NO_MIGRATION_AGENT = b"\xff" * 32  # REPORT_ID_MA of a guest without one

# All integers are little-endian. One format for the whole structure: each comment is the offset of what follows.
_STRUCTURE = struct.Struct(
    "<"
    "II"  # 0x000 VERSION, GUEST_SVN
    "Q16s16s"  # 0x008 POLICY, FAMILY_ID, IMAGE_ID
    "II8s"  # 0x030 VMPL, SIGNATURE_ALGO, CURRENT_TCB
    "QI4x"  # 0x040 PLATFORM_INFO, key information, reserved
    "64s48s32s"  # 0x050 REPORT_DATA, MEASUREMENT, HOST_DATA
    "48s48s32s32s"  # 0x0E0 ID_KEY_DIGEST, AUTHOR_KEY_DIGEST, REPORT_ID, REPORT_ID_MA
    "8sBBB21x"  # 0x180 REPORTED_TCB, CPUID_FAM_ID, CPUID_MOD_ID, CPUID_STEP (version 3 on), reserved
    "64s8s"  # 0x1A0 CHIP_ID, COMMITTED_TCB
    "BBBxBBBx"  # 0x1E8 CURRENT_BUILD, _MINOR, _MAJOR, reserved, COMMITTED_BUILD, _MINOR, _MAJOR, reserved
    "8sQQ152x"  # 0x1F0 LAUNCH_TCB, LAUNCH_MIT_VECTOR, CURRENT_MIT_VECTOR (version 5 on), reserved
    "72s72s368s"  # 0x2A0 SIGNATURE: R, S, reserved
)


class SigningKey(IntEnum):
    """SIGNING_KEY: the key that signed the report (AMD 56860, ATTESTATION_REPORT offset 0x48, bits 4:2)."""

    VCEK = 0
    VLEK = 1
    NONE = 7


class TcbLayout(Enum):
    """Which byte of a TCB_VERSION holds what; the rest is reserved (AMD 56860, table "TCB_VERSION")."""

    MILAN_GENOA = ("boot_loader", "tee", "", "", "", "", "snp", "microcode")
    TURIN = ("fmc", "boot_loader", "tee", "snp", "", "", "", "microcode")  # family 1Ah


class Product(StrEnum):
    """AMD's name for a family of chips that share one ARK."""

    MILAN = "Milan"
    GENOA = "Genoa"  # also Bergamo and Siena
    TURIN = "Turin"

    @property
    def tcb_layout(self) -> TcbLayout:
        """How its TCB_VERSION is laid out."""
        return TcbLayout.TURIN if self is Product.TURIN else TcbLayout.MILAN_GENOA

    @property
    def hwid_size(self) -> int:
        """Length of the hwID extension: CHIP_ID in full, or its first 8 bytes with the rest zero (AMD 57230, Turin)."""
        return 8 if self is Product.TURIN else 64


class GuestPolicy(IntFlag):
    """POLICY bits (AMD 56860, table "Guest Policy Structure"); bits 0 to 15 are the minimum ABI version."""

    SMT = 1 << 16
    RESERVED_ONE = 1 << 17
    MIGRATE_MA = 1 << 18
    DEBUG = 1 << 19
    SINGLE_SOCKET = 1 << 20
    CXL_ALLOW = 1 << 21
    MEM_AES_256_XTS = 1 << 22
    RAPL_DIS = 1 << 23
    CIPHERTEXT_HIDING_DRAM = 1 << 24
    PAGE_SWAP_DISABLE = 1 << 25


KNOWN_POLICY = 0x3FFFFFF


class PlatformInfo(IntFlag):
    """PLATFORM_INFO bits (AMD 56860). Unknown ones are informational."""

    SMT_EN = 1 << 0
    TSME_EN = 1 << 1
    ECC_EN = 1 << 2
    RAPL_DIS = 1 << 3
    CIPHERTEXT_HIDING_DRAM_EN = 1 << 4
    ALIAS_CHECK_COMPLETE = 1 << 5  # mitigates BadRAM, AMD-SB-3015
    TIO_EN = 1 << 7


@dataclass(frozen=True)
class Tcb:
    """A TCB_VERSION: the security version of each firmware component. Components, not the whole, are compared."""

    boot_loader: int = 0
    tee: int = 0
    snp: int = 0
    microcode: int = 0
    fmc: int = 0  # Turin only

    @classmethod
    def from_bytes(cls, data: bytes, layout: TcbLayout) -> Self:
        """Decode the 8 bytes of a TCB_VERSION; reserved bytes are compared elsewhere (`reserved_components`)."""
        return cls(**{name: data[index] for index, name in enumerate(layout.value) if name})

    def at_least(self, minimum: "Tcb") -> bool:
        """Whether every component is at or above `minimum`'s."""
        return all(have >= least for have, least in zip(self.components(), minimum.components(), strict=True))

    def components(self) -> tuple[int, int, int, int, int]:
        """In declaration order."""
        return self.boot_loader, self.tee, self.snp, self.microcode, self.fmc

    def __str__(self) -> str:
        return f"boot_loader {self.boot_loader}, tee {self.tee}, snp {self.snp}, microcode {self.microcode}, fmc {self.fmc}"


@dataclass(frozen=True)
class FirmwareVersion:
    """MAJOR.MINOR of the ABI that the firmware implements, and its BUILD."""

    major: int
    minor: int
    build: int

    @property
    def order(self) -> tuple[int, int, int]:
        """For comparisons."""
        return self.major, self.minor, self.build

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.build}"


@dataclass(frozen=True)
class Report:
    """An attestation report in the order of the table. `cpuid` and the mitigation vectors are None in older versions."""

    version: int
    guest_svn: int
    policy: int
    family_id: bytes
    image_id: bytes
    vmpl: int
    current_tcb: bytes
    platform_info: int
    author_key_en: bool
    mask_chip_key: bool
    signing_key: SigningKey
    report_data: bytes
    measurement: bytes
    host_data: bytes
    id_key_digest: bytes
    author_key_digest: bytes
    report_id: bytes
    report_id_ma: bytes
    reported_tcb: bytes
    cpuid: tuple[int, int, int] | None
    chip_id: bytes
    committed_tcb: bytes
    current_version: FirmwareVersion
    committed_version: FirmwareVersion
    launch_tcb: bytes
    launch_mit_vector: int | None
    current_mit_vector: int | None
    signature_r: int
    signature_s: int
    signed: bytes

    def __repr__(self) -> str:
        return f"Report(version {self.version}, {self.signing_key.name})"

    @property
    def policy_abi(self) -> tuple[int, int]:
        """The minimum ABI (major, minor) that the guest asked for (POLICY bits 15:8 and 7:0)."""
        return self.policy >> 8 & 0xFF, self.policy & 0xFF


def product_of_cpuid(family: int, model: int) -> Product | None:
    """The product of a combined CPUID family and model (AMD 57230, chapter on products); None when unknown."""
    if family == 0x19 and model <= 0x0F:
        return Product.MILAN
    if family == 0x19 and (0x10 <= model <= 0x1F or 0xA0 <= model <= 0xAF):
        return Product.GENOA
    if family == 0x1A and model <= 0x1F:
        return Product.TURIN
    return None


def reserved_components(tcb: bytes, layout: TcbLayout) -> bytes:
    """The reserved bytes of a TCB_VERSION, in order."""
    return bytes(tcb[index] for index, name in enumerate(layout.value) if not name)


def parse_report(data: bytes, *, checks: Checks | None = None) -> Report:
    """The fields of a report of 1184 bytes; only the zeros of the device's buffer may follow.

    Raises:
        EvidenceError: `snp.size`, `snp.version`, `snp.signature_algo`, `snp.key_info`, `snp.signing_key`, `snp.signature_padding`
            or `snp.signature_range`.
    """
    record = Checks() if checks is None else checks
    sized = REPORT_SIZE <= len(data) <= MAX_REPORT and not any(data[REPORT_SIZE:])
    wanted = f"{REPORT_SIZE} bytes, or up to {MAX_REPORT} with zeros behind it"
    record.require(sized, Code.SNP_SIZE, "report size", found=f"{len(data)} bytes", wanted=wanted)
    record.conclude()
    fields = _STRUCTURE.unpack_from(data)
    _require_header(version=fields[0], algorithm=fields[6], key_info=fields[9], checks=record)
    r, s = _signature(*fields[-3:], checks=record)
    return _report(fields, signed=bytes(data[:SIGNED_SIZE]), r=r, s=s)


def _require_header(*, version: int, algorithm: int, key_info: int, checks: Checks) -> None:
    """What decides how the rest is read; nothing after a wrong one means anything."""
    wanted = ", ".join(map(str, VERSIONS))
    checks.require(version in VERSIONS, Code.SNP_VERSION, "VERSION", found=str(version), wanted=wanted)
    checks.require(
        algorithm == ECDSA_P384_SHA384,
        Code.SNP_SIGNATURE_ALGO,
        "SIGNATURE_ALGO",
        found=str(algorithm),
        wanted="1 (ECDSA P-384, SHA-384)",
    )
    checks.require(key_info < 1 << 5, Code.SNP_KEY_INFO, "bits 31:5 beside SIGNING_KEY", found=f"{key_info >> 5:#x}", wanted="0")
    signing_key = key_info >> 2 & 7
    checks.require(
        signing_key in set(SigningKey), Code.SNP_SIGNING_KEY, "SIGNING_KEY", found=str(signing_key), wanted="0 (VCEK) or 1 (VLEK)"
    )
    checks.conclude()


def _signature(r: bytes, s: bytes, rest: bytes, *, checks: Checks) -> tuple[int, int]:
    """R and S, little-endian in 72 bytes each, of which P-384 fills 48 (AMD 56860, table "Format for an ECDSA P-384 Signature")."""
    small, padded = not (any(r[48:]) or any(s[48:])), not any(rest)
    checks.require(
        small, Code.SNP_SIGNATURE_RANGE, "R and S", found="below 2^384" if small else "2^384 or more", wanted="below 2^384"
    )
    checks.require(
        padded, Code.SNP_SIGNATURE_PADDING, "reserved bytes of SIGNATURE", found="zero" if padded else "not zero", wanted="zero"
    )
    return int.from_bytes(r, "little"), int.from_bytes(s, "little")


def _report(fields: tuple[Any, ...], *, signed: bytes, r: int, s: int) -> Report:
    (version, guest_svn, policy, family_id, image_id, vmpl, _, current_tcb, platform_info, key_info, *rest) = fields
    (report_data, measurement, host_data, id_key_digest, author_key_digest, report_id, report_id_ma, reported_tcb, *rest) = rest
    (family, model, stepping, chip_id, committed_tcb, *versions, launch_tcb, launch_mit, current_mit, _, _, _) = rest
    return Report(
        version=version,
        guest_svn=guest_svn,
        policy=policy,
        family_id=family_id,
        image_id=image_id,
        vmpl=vmpl,
        current_tcb=current_tcb,
        platform_info=platform_info,
        author_key_en=bool(key_info & 1),
        mask_chip_key=bool(key_info & 2),
        signing_key=SigningKey(key_info >> 2 & 7),
        report_data=report_data,
        measurement=measurement,
        host_data=host_data,
        id_key_digest=id_key_digest,
        author_key_digest=author_key_digest,
        report_id=report_id,
        report_id_ma=report_id_ma,
        reported_tcb=reported_tcb,
        cpuid=(family, model, stepping) if version >= 3 else None,
        chip_id=chip_id,
        committed_tcb=committed_tcb,
        current_version=FirmwareVersion(build=versions[0], minor=versions[1], major=versions[2]),
        committed_version=FirmwareVersion(build=versions[3], minor=versions[4], major=versions[5]),
        launch_tcb=launch_tcb,
        launch_mit_vector=launch_mit if version >= 5 else None,
        current_mit_vector=current_mit if version >= 5 else None,
        signature_r=r,
        signature_s=s,
        signed=signed,
    )
