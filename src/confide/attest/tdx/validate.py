"""Is a genuine TD acceptable? Each constraint that is absent takes its strict value.

The order is: how the TD may be handled, the platform, the module, what the TD is, how it came to be that. Left to others: the
platform's TCB (`dcap.constraints`), REPORTDATA (`binding`).
"""

from dataclasses import dataclass

from confide.attest import eventlog
from confide.attest.checks import Checks
from confide.attest.constraints import Ignored
from confide.attest.dcap.constraints import Digests, IntelConstraints, listed, rule, validate_platform
from confide.attest.eventlog import Algorithm
from confide.attest.tdx.claims import TdxClaims
from confide.attest.tdx.layout import (
    KNOWN_ATTRIBUTES,
    KNOWN_XFAM,
    MANDATORY_XFAM,
    RTMRS,
    UNDER_DEBUG,
    TdAttributes,
    TdReport,
)
from confide.codes import Code
from confide.errors import EvidenceError

SECURE_BOOT_REGISTER = 0  # RTMR0 takes what a TPM's PCR 7 would (UEFI 2.10 section 38.4.1, table 38.4)


@dataclass(frozen=True)
class TdxConstraints(IntelConstraints):
    """What a TD must satisfy beyond its platform.

    Attributes:
        mr_tds: MRTD is one of these; `Ignored` accepts any.
        rtmrs: for each of RTMR0 to RTMR3 the accepted values, or None where the policy names none. MRTD is the firmware alone: what
            it booted stands in RTMR1 and RTMR2, which is why a policy file must name them.
        rtmr_events: for each of them the digests that may have been extended, in any order; proven by an event log.
        secure_boot: an event log must prove that firmware had it on.
        mr_config_ids, mr_owners, mr_owner_configs: of the host's launch, None where not named.
        mr_seams: accepted TDX modules.
        mr_service_tds: accepted service TDs (migration); none by default, so MRSERVICETD is zero.
        minimum_tee_tcb_svn: of the module (its version, then its SVN) and the other components, at launch, now, and at first.
        max_vmid: which VMs of a partitioned TD; 0, the L1 VMM or an unpartitioned TD, by default.
        allowed_xfam: extended features that the TD may have.
        allow_debug, allow_migration, allow_sept_ve: `Ignored.UNSAFE_IGNORED` accepts what the strict default refuses.
            SEPT_VE_DISABLE clear lets the host inject #VE into the TD, which older guests take for their own.
    """

    mr_tds: Digests | Ignored = ()
    rtmrs: tuple[Digests | Ignored | None, ...] = (None,) * RTMRS
    rtmr_events: tuple[Digests | None, ...] = (None,) * RTMRS
    secure_boot: bool = False
    mr_config_ids: Digests | None = None
    mr_owners: Digests | None = None
    mr_owner_configs: Digests | None = None
    mr_seams: Digests | None = None
    mr_service_tds: Digests | Ignored = ()
    minimum_tee_tcb_svn: bytes = bytes(16)
    max_vmid: int = 0
    allowed_xfam: int = KNOWN_XFAM
    allow_debug: Ignored | None = None
    allow_migration: Ignored | None = None
    allow_sept_ve: Ignored | None = None

    @property
    def references(self) -> int | None:
        """How many MRTDs are listed."""
        return None if isinstance(self.mr_tds, Ignored) else len(self.mr_tds)

    @property
    def ignored(self) -> tuple[str, ...]:
        """The members that are switched off, single registers among them."""
        return (*super().ignored, *(f"rtmr{index}" for index, allowed in enumerate(self.rtmrs) if isinstance(allowed, Ignored)))


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
    _events(claims, constraints, checks)


def validate_state(report: TdReport, constraints: TdxConstraints, *, checks: Checks) -> None:
    """TDATTRIBUTES and XFAM: what the host may do to the TD, and that no bit has a meaning nobody here knows."""
    attributes = report.td_attributes
    shown = f"{attributes:#x}"
    if constraints.allow_debug is not None:
        checks.relax("allow_debug", "the host may read and write the memory of the TD")
    else:
        rule(checks, not attributes & UNDER_DEBUG, Code.TDX_DEBUG, "TDATTRIBUTES.TUD", shown, "bits 0 to 7 clear", EvidenceError)
    unknown = attributes & ~KNOWN_ATTRIBUTES & ~UNDER_DEBUG
    rule(
        checks,
        not unknown,
        Code.TDX_ATTRIBUTES,
        "TDATTRIBUTES",
        shown,
        f"no bits but those of {KNOWN_ATTRIBUTES:#x}",
        EvidenceError,
    )
    _migration(report, constraints, checks)
    if constraints.allow_sept_ve is not None:
        checks.relax("allow_sept_ve", "the host may make memory vanish under the TD and have the guest told by #VE")
    else:
        rule(checks, bool(attributes & TdAttributes.SEPT_VE_DISABLE), Code.TDX_SEPT_VE, "SEPT_VE_DISABLE", shown, "bit 28 set")
    xfam, allowed = report.xfam, constraints.allowed_xfam
    fits = xfam & MANDATORY_XFAM == MANDATORY_XFAM and not xfam & ~allowed
    rule(checks, fits, Code.TDX_XFAM, "XFAM", f"{xfam:#x}", f"x87 and SSE, none beyond {allowed:#x}", EvidenceError)
    if report.history is not None:  # a report that an L2 VM asked for carries that VM's REPORTDATA (ABI Specification, TDREPORT)
        vmid, most = report.history.vmid, constraints.max_vmid
        rule(checks, vmid <= most, Code.TDX_VMID, "VMID", str(vmid), f"at most {most}")


def _migration(report: TdReport, constraints: TdxConstraints, checks: Checks) -> None:
    """A TD that may be migrated, and the service TD that would do it (TDX Module ABI Specification, MRSERVICETD)."""
    if constraints.allow_migration is not None:
        checks.relax("allow_migration", "a migration TD may move the TD to another machine")
    else:
        migratable = bool(report.td_attributes & TdAttributes.MIGRATABLE)
        rule(checks, not migratable, Code.TDX_MIGRATABLE, "MIGRATABLE", str(int(migratable)), "0", EvidenceError)
    if isinstance(constraints.mr_service_tds, Ignored):
        checks.relax("mr_service_tds", "any service TD may be bound to the TD")
        return
    for title, service in _services(report):
        fits = not any(service) or service in constraints.mr_service_tds
        rule(checks, fits, Code.TDX_SERVICE_TD, title, service.hex(), "zero, or a listed one")


def _services(report: TdReport) -> list[tuple[str, bytes]]:
    """Service TDs that are bound, and those that were: the first one saw the TD's secrets too."""
    found = [] if report.mr_service_td is None else [("MRSERVICETD", report.mr_service_td)]
    if report.history is not None:
        found.append(("INIT_SERVTD_HASH", report.history.init_servtd_hash))
        found.append(("CURR_SERVTD_HASH", report.history.curr_servtd_hash))
    return found


def _module(report: TdReport, constraints: TdxConstraints, checks: Checks) -> None:
    """The TDX module itself: Intel's (MRSIGNERSEAM zero), without attributes of its own (TDX Module ABI Specification)."""
    seam = report.seam_attributes
    rule(checks, not any(seam), Code.TDX_SEAM_ATTRIBUTES, "SEAMATTRIBUTES", seam.hex(), "zero", EvidenceError)
    signer = report.mr_signer_seam
    rule(checks, not any(signer), Code.TDX_MR_SIGNER_SEAM, "MRSIGNERSEAM", signer.hex(), "zero: Intel's", EvidenceError)
    listed(report.mr_seam, constraints.mr_seams, Code.TDX_MR_SEAM, "MRSEAM", checks)
    least = constraints.minimum_tee_tcb_svn
    for title, found in _svns(report):
        rule(checks, _reaches(found, least), Code.TDX_TEE_TCB_SVN, title, found.hex(), f"at least {least.hex()}")
    if report.td_attributes & TdAttributes.SERVTD_EXT:
        checks.skip("first platform", "the TCB on which the TD was created is compared with the minimum, not with Intel's levels")


def _svns(report: TdReport) -> list[tuple[str, bytes]]:
    """At launch, now (TDX 1.5, an update that preserves TDs), and where the TD was created."""
    found = [("TEE_TCB_SVN", report.tee_tcb_svn)]
    if report.tee_tcb_svn2 is not None:
        found.append(("TEE_TCB_SVN2", report.tee_tcb_svn2))
    if report.history is not None and report.td_attributes & TdAttributes.SERVTD_EXT:
        found.append(("INIT_TEE_TCB_SVN", report.history.init_tee_tcb_svn))
    return found


def _reaches(found: bytes, least: bytes) -> bool:
    """Bytes 1 and 0 are version and SVN of the module, compared as one; the others each for itself (PCS API, "TDX TCB Info")."""
    module = int.from_bytes(found[:2], "little") >= int.from_bytes(least[:2], "little")
    return len(least) == len(found) and module and all(have >= want for have, want in zip(found[2:], least[2:], strict=True))


def _guest(report: TdReport, constraints: TdxConstraints, checks: Checks) -> None:
    if isinstance(constraints.mr_tds, Ignored):
        checks.relax("mr_tds", "any software is accepted")
    else:
        listed(report.mr_td, constraints.mr_tds, Code.TDX_MR_TD, "MRTD", checks)
    for index, (found, allowed) in enumerate(zip(report.rtmrs, constraints.rtmrs, strict=True)):
        if isinstance(allowed, Ignored):
            checks.relax(f"rtmr{index}", f"whatever was measured into RTMR{index} is accepted")
        elif allowed is not None or constraints.rtmr_events[index] is None:
            listed(found, allowed, Code.TDX_RTMR, f"RTMR{index}", checks)
    for found, allowed, title in (
        (report.mr_config_id, constraints.mr_config_ids, "MRCONFIGID"),
        (report.mr_owner, constraints.mr_owners, "MROWNER"),
        (report.mr_owner_config, constraints.mr_owner_configs, "MROWNERCONFIG"),
    ):
        listed(found, allowed, Code.TDX_CONFIG, title, checks)


def _events(claims: TdxClaims, constraints: TdxConstraints, checks: Checks) -> None:
    """What led to the registers. Digests alone count: neither types nor descriptions are bound (`eventlog.content`)."""
    for index, (found, allowed) in enumerate(zip(claims.events, constraints.rtmr_events, strict=True)):
        if allowed is not None:
            strange = None if found is None else next((digest for digest in found if digest not in allowed), None)
            shown = "no event log" if found is None else "none beyond" if strange is None else strange.hex()
            fits = found is not None and strange is None
            rule(checks, fits, Code.TDX_EVENT, f"events of RTMR{index}", shown, f"among the {len(allowed)} listed")
    if constraints.secure_boot:
        events = claims.events[SECURE_BOOT_REGISTER]
        on = None if events is None else eventlog.secure_boot(events, Algorithm.SHA384)
        shown = "not proven" if on is None else "on" if on else "off"
        rule(checks, on is True, Code.TDX_SECURE_BOOT, "Secure Boot", shown, "on")
    else:
        checks.skip("Secure Boot", "the policy does not ask for it")
