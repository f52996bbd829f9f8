"""Is a genuine TD acceptable? Each constraint that is absent takes its strict value.

The order is: how the TD may be handled, the module and the platform, what the TD is. Left to others: the platform's TCB
(`dcap.constraints`), REPORTDATA (`binding`).
"""

from dataclasses import dataclass

from confide.attest.checks import Checks
from confide.attest.constraints import Ignored
from confide.attest.dcap.constraints import Digests, IntelConstraints, listed, rule, validate_platform
from confide.attest.tdx.claims import TdxClaims
from confide.attest.tdx.layout import KNOWN_ATTRIBUTES, KNOWN_XFAM, MANDATORY_XFAM, RTMRS, UNDER_DEBUG, TdAttributes, TdReport
from confide.codes import Code
from confide.errors import EvidenceError


@dataclass(frozen=True)
class TdxConstraints(IntelConstraints):
    """What a TD must satisfy beyond its platform.

    Attributes:
        mr_tds: MRTD is one of these; `Ignored` accepts any. rtmrs: for each of RTMR0 to RTMR3 the accepted values, or None where
        the policy names none. mr_config_ids, mr_owners, mr_owner_configs: of the host's launch, None where not named. mr_seams:
        accepted TDX modules. mr_service_tds: accepted service TDs (migration); none by default, so MRSERVICETD is zero.
        minimum_tee_tcb_svn: component by component. allow_debug, allow_migration, allow_sept_ve: `Ignored.UNSAFE_IGNORED` accepts
        what the strict default refuses. SEPT_VE_DISABLE
            clear lets the host inject #VE into the TD, which older guests take for their own.
    """

    mr_tds: Digests | Ignored = ()
    rtmrs: tuple[Digests | None, ...] = (None,) * RTMRS
    mr_config_ids: Digests | None = None
    mr_owners: Digests | None = None
    mr_owner_configs: Digests | None = None
    mr_seams: Digests | None = None
    mr_service_tds: Digests | Ignored = ()
    minimum_tee_tcb_svn: bytes = bytes(16)
    allow_debug: Ignored | None = None
    allow_migration: Ignored | None = None
    allow_sept_ve: Ignored | None = None

    @property
    def references(self) -> int | None:
        """How many MRTDs are listed."""
        return None if isinstance(self.mr_tds, Ignored) else len(self.mr_tds)


def validate(claims: TdxClaims, constraints: TdxConstraints, *, checks: Checks) -> None:
    """Compare verified claims with `constraints`; the first failure raises if `checks` is strict.

    Raises:
        EvidenceError: the TD may be debugged or migrated, or contradicts the architecture.
        PolicyError: a value is not among, or below, what the constraints name.
        CollateralError: as `dcap.constraints.validate_platform`.
    """
    validate_state(claims.report, constraints, checks=checks)
    validate_platform(claims, constraints, checks=checks)
    _module(claims.report, constraints, checks)
    _guest(claims.report, constraints, checks)


def validate_state(report: TdReport, constraints: TdxConstraints, *, checks: Checks) -> None:
    """TDATTRIBUTES and XFAM: what the host may do to the TD, and that no bit has a meaning nobody here knows."""
    attributes = report.td_attributes
    shown = f"{attributes:#x}"
    if constraints.allow_debug is not None:
        checks.relax("allow_debug", "the host may read and write the memory of the TD")
    else:
        rule(checks, not attributes & UNDER_DEBUG, Code.TDX_DEBUG, "TDATTRIBUTES.TUD", shown, "bits 0 to 7 clear", EvidenceError)
    unknown = attributes & ~KNOWN_ATTRIBUTES & ~UNDER_DEBUG
    rule(checks, not unknown, Code.TDX_ATTRIBUTES, "TDATTRIBUTES", shown, f"none of {unknown:#x}", EvidenceError)
    _migration(report, constraints, checks)
    if constraints.allow_sept_ve is not None:
        checks.relax("allow_sept_ve", "the host may make memory vanish under the TD and have the guest told by #VE")
    else:
        rule(checks, bool(attributes & TdAttributes.SEPT_VE_DISABLE), Code.TDX_SEPT_VE, "SEPT_VE_DISABLE", shown, "bit 28 set")
    xfam = report.xfam
    fits = xfam & MANDATORY_XFAM == MANDATORY_XFAM and not xfam & ~KNOWN_XFAM
    rule(checks, fits, Code.TDX_XFAM, "XFAM", f"{xfam:#x}", f"x87 and SSE, none beyond {KNOWN_XFAM:#x}", EvidenceError)


def _migration(report: TdReport, constraints: TdxConstraints, checks: Checks) -> None:
    """A TD that may be migrated, and the service TD that would do it (TDX Module ABI Specification, MRSERVICETD)."""
    if constraints.allow_migration is not None:
        checks.relax("allow_migration", "a migration TD may move the TD to another machine")
    else:
        migratable = bool(report.td_attributes & TdAttributes.MIGRATABLE)
        rule(checks, not migratable, Code.TDX_MIGRATABLE, "MIGRATABLE", str(int(migratable)), "0", EvidenceError)
    service = report.mr_service_td
    if service is None or not any(service):
        return
    if isinstance(constraints.mr_service_tds, Ignored):
        checks.relax("mr_service_tds", "any service TD may be bound to the TD")
    else:
        wanted = "zero, or a listed one"
        rule(checks, service in constraints.mr_service_tds, Code.TDX_SERVICE_TD, "MRSERVICETD", service.hex(), wanted)


def _module(report: TdReport, constraints: TdxConstraints, checks: Checks) -> None:
    """The TDX module itself: Intel's (MRSIGNERSEAM zero), without attributes of its own (TDX Module ABI Specification)."""
    seam = report.seam_attributes
    rule(checks, not any(seam), Code.TDX_SEAM_ATTRIBUTES, "SEAMATTRIBUTES", seam.hex(), "zero", EvidenceError)
    signer = report.mr_signer_seam
    rule(checks, not any(signer), Code.TDX_MR_SIGNER_SEAM, "MRSIGNERSEAM", signer.hex(), "zero: Intel's", EvidenceError)
    listed(report.mr_seam, constraints.mr_seams, Code.TDX_MR_SEAM, "MRSEAM", checks)
    least = constraints.minimum_tee_tcb_svn
    reached = all(have >= wanted for have, wanted in zip(report.tee_tcb_svn, least, strict=True))
    rule(checks, reached, Code.TDX_TEE_TCB_SVN, "TEE_TCB_SVN", report.tee_tcb_svn.hex(), f"at least {least.hex()}")


def _guest(report: TdReport, constraints: TdxConstraints, checks: Checks) -> None:
    if isinstance(constraints.mr_tds, Ignored):
        checks.relax("mr_tds", "any software is accepted")
    else:
        listed(report.mr_td, constraints.mr_tds, Code.TDX_MR_TD, "MRTD", checks)
    for index, (found, allowed) in enumerate(zip(report.rtmrs, constraints.rtmrs, strict=True)):
        listed(found, allowed, Code.TDX_RTMR, f"RTMR{index}", checks)
    for found, allowed, title in (
        (report.mr_config_id, constraints.mr_config_ids, "MRCONFIGID"),
        (report.mr_owner, constraints.mr_owners, "MROWNER"),
        (report.mr_owner_config, constraints.mr_owner_configs, "MROWNERCONFIG"),
    ):
        listed(found, allowed, Code.TDX_CONFIG, title, checks)
