"""TD report bodies: TDX 1.0 of 584 bytes, TDX 1.5 of 648, and 1.5 with a service TD's history of 885 (Intel TDX DCAP Quoting
Library API, appendix A.3.2 "TD Quote Body", and body types 2 to 4 of `sgx_quote_5.h`). All integers are little-endian.

Each body begins with the one before it. Left to others: which body a quote carries (`dcap.quote`), and what its fields are worth.
"""

import struct
from dataclasses import dataclass, field
from enum import IntFlag

from confide.codes import Code
from confide.errors import EvidenceError

REPORT_10, REPORT_15, REPORT_15_EX = 584, 648, 885
RTMRS = 4

_BODY = struct.Struct(
    "<16s48s48s"  # 0 TEE_TCB_SVN, MRSEAM, MRSIGNERSEAM
    "8sQQ"  # 112 SEAMATTRIBUTES, TDATTRIBUTES, XFAM
    "48s48s48s48s"  # 136 MRTD, MRCONFIGID, MROWNER, MROWNERCONFIG
    "48s48s48s48s"  # 328 RTMR0 to RTMR3
    "64s"  # 520 REPORTDATA
)
_MORE = struct.Struct("<16s48s")  # 584 TEE_TCB_SVN2, MRSERVICETD
_HISTORY = struct.Struct(
    "<B32s48s"  # 648 VMID, TD_ID, DEVINFO
    "48s8s"  # 729 INIT_SERVTD_HASH, INIT_SERVTD_ATTR
    "16s16s12s"  # 785 INIT_CPUSVN, INIT_TEE_TCB_SVN, INIT_TEE_FMSPC
    "48s8s"  # 829 CURR_SERVTD_HASH, CURR_SERVTD_ATTR
)


class TdAttributes(IntFlag):
    """TDATTRIBUTES (TDX Module ABI Specification, "ATTRIBUTES"). Bits 0 to 7 say that the TD is under debug or profiling."""

    DEBUG = 1 << 0
    HGS_PLUS_PROF = 1 << 4
    PERF_PROF = 1 << 5
    PMT_PROF = 1 << 6
    ICSSD = 1 << 16  # defence against single-stepping
    SERVTD_EXT = 1 << 17  # the body of 885 bytes tells of the service TDs
    LASS = 1 << 27
    SEPT_VE_DISABLE = 1 << 28
    MIGRATABLE = 1 << 29
    PKS = 1 << 30
    KL = 1 << 31
    TPA = 1 << 62  # TDX Connect provisioning agent
    PERFMON = 1 << 63


UNDER_DEBUG = 0xFF
KNOWN_ATTRIBUTES = sum(TdAttributes)
MANDATORY_XFAM = 0x3  # x87 and SSE (TDX Module ABI Specification, "XFAM")
# AVX, AVX-512, PT, PKRU, CET, ULI, LBR, AMX too; MPX, HDC and HWP are fixed to 0 (same place); APX, bit 19, is for a policy to add
KNOWN_XFAM = 0x6DBE7


@dataclass(frozen=True)
class History:
    """What a body of 885 bytes adds: which VM of a partitioned TD, and where and under which service TD the TD began.

    Attributes:
        vmid: 0 for an unpartitioned TD, or for the L1 VMM of a partitioned one.
        td_id: kept across updates and migration; zero where the host has not switched it on.
        init_servtd_hash, curr_servtd_hash: of the service TDs at first and now, zero without any.
        init_cpu_svn, init_tee_tcb_svn, init_tee_fmspc: the TCB that the TD was created on. Meaningful with SERVTD_EXT only.
    """

    vmid: int
    td_id: bytes = field(repr=False)
    dev_info: bytes
    init_servtd_hash: bytes
    init_servtd_attr: bytes
    init_cpu_svn: bytes
    init_tee_tcb_svn: bytes
    init_tee_fmspc: bytes
    curr_servtd_hash: bytes
    curr_servtd_attr: bytes


@dataclass(frozen=True)
class TdReport:
    """Fields by Intel's names. `tee_tcb_svn2` and `mr_service_td` are None in a TDX 1.0 body; `history` in all but the longest."""

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
    history: History | None = None

    @property
    def debug(self) -> bool:
        """Whether the host may read the TD's memory or profile it."""
        return bool(self.td_attributes & UNDER_DEBUG)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the known TDATTRIBUTES that are set, for showing: PERFMON, PKS, KL, LASS and TPA do not decide anything."""
        return tuple(bit.name for bit in TdAttributes if bit.name and self.td_attributes & bit)


def parse_body(body: bytes) -> TdReport:
    """The report in `body`; `dcap.size` for one of another length."""
    if len(body) not in {REPORT_10, REPORT_15, REPORT_15_EX}:
        wanted = f"{REPORT_10}, {REPORT_15} or {REPORT_15_EX}"
        raise EvidenceError(Code.DCAP_SIZE, found=f"a TD report of {len(body)} bytes", wanted=wanted)
    (svn, seam, signer, seam_attributes, attributes, xfam, td, config, owner, owner_config, *registers, data) = _BODY.unpack_from(
        body
    )
    svn2, service = _MORE.unpack_from(body, REPORT_10) if len(body) > REPORT_10 else (None, None)
    history = History(*_HISTORY.unpack_from(body, REPORT_15)) if len(body) > REPORT_15 else None
    return TdReport(
        tee_tcb_svn=svn,
        mr_seam=seam,
        mr_signer_seam=signer,
        seam_attributes=seam_attributes,
        td_attributes=attributes,
        xfam=xfam,
        mr_td=td,
        mr_config_id=config,
        mr_owner=owner,
        mr_owner_config=owner_config,
        rtmrs=tuple(registers),
        report_data=data,
        tee_tcb_svn2=svn2,
        mr_service_td=service,
        history=history,
    )
