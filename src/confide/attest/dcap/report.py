"""The SGX REPORT body of 384 bytes (Intel SDM volume 3D, table "REPORT"; QuoteLibReference table 5): of an enclave, and of the
QE."""

import struct
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Self

_BODY = struct.Struct(
    "<16sI12x"  # 0 CPUSVN, MISCSELECT, reserved
    "16sQQ"  # 32 ISVEXTPRODID, ATTRIBUTES.FLAGS, ATTRIBUTES.XFRM
    "32s32x32s32x"  # 64 MRENCLAVE, reserved, MRSIGNER, reserved
    "64sHHH42x16s64s"  # 192 CONFIGID, ISVPRODID, ISVSVN, CONFIGSVN, reserved, ISVFAMILYID, REPORTDATA
)


class Attributes(IntFlag):
    """ATTRIBUTES.FLAGS (Intel SDM volume 3D, table "Layout of ATTRIBUTES Structure")."""

    INIT = 1 << 0
    DEBUG = 1 << 1
    MODE64BIT = 1 << 2
    PROVISIONKEY = 1 << 4
    EINITTOKEN_KEY = 1 << 5
    CET = 1 << 6
    KSS = 1 << 7
    AEX_NOTIFY = 1 << 10


@dataclass(frozen=True)
class EnclaveReport:
    """Fields by Intel's names."""

    cpu_svn: bytes
    misc_select: int
    isv_ext_prod_id: bytes
    flags: int
    xfrm: int
    mr_enclave: bytes
    mr_signer: bytes
    config_id: bytes
    isv_prod_id: int
    isv_svn: int
    config_svn: int
    isv_family_id: bytes
    report_data: bytes = field(repr=False)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """From exactly 384 bytes, which a quote's reader has measured."""
        return cls(*_BODY.unpack(body))

    @property
    def attributes(self) -> bytes:
        """ATTRIBUTES, 16 bytes, as they stand in the report."""
        return struct.pack("<QQ", self.flags, self.xfrm)

    @property
    def debug(self) -> bool:
        """Whether the enclave's memory may be read with EDBGRD."""
        return bool(self.flags & Attributes.DEBUG)
