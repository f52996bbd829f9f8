"""TD report bodies: TDX 1.0, 584 bytes, and TDX 1.5, 648 (Intel TDX DCAP Quoting Library API, appendix A.3.2 "TD Quote Body"; Intel
TDX Module ABI Specification, TDREPORT_STRUCT). All integers are little-endian.
"""

import struct
from dataclasses import dataclass, field
from enum import IntFlag

REPORT_10, REPORT_15 = 584, 648
RTMRS = 4

_BODY = struct.Struct(
    "<16s48s48s"  # 0 TEE_TCB_SVN, MRSEAM, MRSIGNERSEAM
    "8sQQ"  # 112 SEAMATTRIBUTES, TDATTRIBUTES, XFAM
    "48s48s48s48s"  # 136 MRTD, MRCONFIGID, MROWNER, MROWNERCONFIG
    "48s48s48s48s"  # 328 RTMR0 to RTMR3
    "64s"  # 520 REPORTDATA
)
_MORE = struct.Struct("<16s48s")  # 584 TEE_TCB_SVN2, MRSERVICETD


class TdAttributes(IntFlag):
    """TDATTRIBUTES (TDX Module ABI Specification, "ATTRIBUTES"). Bits 0 to 7, "TUD", say that the TD is under debug."""

    DEBUG = 1 << 0
    HGS_PLUS_PROF = 1 << 4
    PERF_PROF = 1 << 5
    PMT_PROF = 1 << 6
    LASS = 1 << 27
    SEPT_VE_DISABLE = 1 << 28
    MIGRATABLE = 1 << 29
    PKS = 1 << 30
    KL = 1 << 31
    TPA = 1 << 62
    PERFMON = 1 << 63


UNDER_DEBUG = 0xFF
KNOWN_ATTRIBUTES = sum(TdAttributes)
MANDATORY_XFAM = 0x3  # x87 and SSE (TDX Module ABI Specification, "XFAM")
KNOWN_XFAM = 0x6DBE7  # features that a TDX module can offer; others are fixed to 0


@dataclass(frozen=True)
class TdReport:
    """Fields by Intel's names. `tee_tcb_svn2` and `mr_service_td` are None in a TDX 1.0 body."""

    tee_tcb_svn: bytes
    mr_seam: bytes
    mr_signer_seam: bytes
    seam_attributes: bytes
    td_attributes: int
    xfam: int
    mr_td: bytes
    mr_config_id: bytes
    mr_owner: bytes
    mr_owner_config: bytes
    rtmrs: tuple[bytes, ...]
    report_data: bytes = field(repr=False)
    tee_tcb_svn2: bytes | None = None
    mr_service_td: bytes | None = None

    @property
    def debug(self) -> bool:
        """Whether the host may read the TD's memory or profile it."""
        return bool(self.td_attributes & UNDER_DEBUG)


def parse_body(body: bytes) -> TdReport:
    """From exactly 584 or 648 bytes, which the quote's reader has measured."""
    (svn, seam, signer, seam_attributes, attributes, xfam, td, config, owner, owner_config, *registers, data) = _BODY.unpack_from(
        body
    )
    svn2, service = _MORE.unpack_from(body, REPORT_10) if len(body) == REPORT_15 else (None, None)
    return TdReport(
        svn, seam, signer, seam_attributes, attributes, xfam, td, config, owner, owner_config, tuple(registers), data, svn2, service
    )
