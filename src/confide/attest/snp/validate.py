"""Is a genuine report acceptable? Every rule about SEV-SNP claims; each constraint that is absent takes its strict value.

The order is: who signed, which firmware, how the guest may be handled, what the guest is. Left to others: REPORT_DATA
(`binding.py`) and where constraints come from (`policy`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from confide.attest.checks import Checks
from confide.attest.constraints import Constraints, Ignored
from confide.attest.snp.claims import SnpClaims
from confide.attest.snp.layout import (
    KNOWN_POLICY,
    NO_MIGRATION_AGENT,
    GuestPolicy,
    PlatformInfo,
    Product,
    Report,
    SigningKey,
    Tcb,
)
from confide.codes import Code
from confide.errors import ConfideError, EvidenceError, PolicyError

SHOWN = 4  # digests spelled out in a message

# What a guest may ask of its host through POLICY, beside what it must not allow. Older firmware knows none of the last four.
HARDENING = (
    GuestPolicy.SINGLE_SOCKET
    | GuestPolicy.MEM_AES_256_XTS
    | GuestPolicy.RAPL_DIS
    | GuestPolicy.CIPHERTEXT_HIDING_DRAM
    | GuestPolicy.PAGE_SWAP_DISABLE
)
Digests = tuple[bytes, ...]
BYTE_LISTS = (  # the members of `SnpConstraints` that list byte strings
    "measurements",
    "host_data",
    "id_key_digests",
    "author_key_digests",
    "family_ids",
    "image_ids",
    "report_ids",
    "chip_ids",
)


@dataclass(frozen=True)
class SnpConstraints(Constraints):
    """What a report must satisfy. None for a list means that the policy names none: listed as not checked (spec/07a-snp.md).

    Attributes:
        measurements: MEASUREMENT is one of these.
        minimum_tcb: per product; REPORTED_TCB and COMMITTED_TCB must reach it in every component. A product without one is refused.
        products: only these; None is any.
        signing_keys: VLEK only where listed.
        csp_ids: providers whose VLEKs are accepted; none by default.
        max_vmpl: highest VMPL number, 0 to 3, from which the report may be asked. Reports asked by the host carry 0xFFFFFFFF.
        minimum_abi: COMMITTED_MAJOR.COMMITTED_MINOR, below which the host cannot roll back.
        allow_debug, allow_migration: `Ignored.UNSAFE_IGNORED` accepts a guest that the host may open or move.
        smt: whether POLICY may allow SMT. True: nearly every host has it, and firmware keeps secrets of siblings apart.
        cxl: whether POLICY may allow memory and devices behind CXL, outside the package whose firmware signs. No cloud asks for it.
        guest_policy: bits of POLICY that must be set, of `HARDENING`: each makes the firmware refuse hosts that older parts still
        are. platform_info: bits that must be set, such as `PlatformInfo.ALIAS_CHECK_COMPLETE`. launch_mit_vector,
        current_mit_vector: bits that must be set; a report before version 5 has none.
    """

    measurements: Digests | Ignored
    minimum_tcb: Mapping[Product, Tcb] | Ignored
    products: tuple[Product, ...] | None = None
    signing_keys: tuple[SigningKey, ...] = (SigningKey.VCEK,)
    csp_ids: tuple[str, ...] | Ignored = ()
    max_vmpl: int = 0
    minimum_abi: tuple[int, int] = (0, 0)
    allow_debug: Ignored | None = None
    allow_migration: Ignored | None = None
    smt: bool = True
    cxl: bool = False
    guest_policy: GuestPolicy = field(default=GuestPolicy(0))
    minimum_guest_svn: int = 0
    platform_info: PlatformInfo = field(default=PlatformInfo(0))
    launch_mit_vector: int = 0
    current_mit_vector: int = 0
    host_data: Digests | None = None
    id_key_digests: Digests | None = None
    author_key_digests: Digests | None = None
    family_ids: Digests | None = None
    image_ids: Digests | None = None
    report_ids: Digests | None = None
    chip_ids: Digests | None = None

    @property
    def platforms(self) -> int | None:
        """How many CHIP_IDs are listed."""
        return None if self.chip_ids is None else len(self.chip_ids)

    @property
    def references(self) -> int | None:
        """How many MEASUREMENTs are listed."""
        return None if isinstance(self.measurements, Ignored) else len(self.measurements)


def validate(claims: SnpClaims, constraints: SnpConstraints, *, checks: Checks) -> None:
    """Compare verified claims with `constraints`; the first failure raises if `checks` is strict.

    Raises:
        EvidenceError: the report contradicts itself, or the guest may be debugged or migrated.
        PolicyError: a value is not among, or below, what the constraints name.
    """
    _signer(claims, constraints, checks)
    _tcb(claims, constraints, checks)
    _firmware(claims.report, constraints, checks)
    _guest_policy(claims.report, constraints, checks)
    _migration(claims.report, constraints, checks)
    _platform(claims.report, constraints, checks)
    _mitigations(claims.report, constraints, checks)
    _guest(claims, constraints, checks)


def _refusal(
    ok: bool, code: Code, title: str, found: str, wanted: str, checks: Checks, error: type[ConfideError] = PolicyError
) -> None:
    checks.require(ok, code, title, found=found, wanted=wanted, error=error)


def _signer(claims: SnpClaims, constraints: SnpConstraints, checks: Checks) -> None:
    if constraints.products is None:
        checks.skip("product", "the policy names none: Milan, Genoa and Turin are accepted")
    else:
        wanted = ", ".join(constraints.products) or "none listed"
        _refusal(claims.product in constraints.products, Code.SNP_PRODUCT, "product", claims.product.value, wanted, checks)
    wanted = ", ".join(key.name for key in constraints.signing_keys) or "none listed"
    _refusal(
        claims.signing_key in constraints.signing_keys,
        Code.SNP_SIGNING_KEY_TYPE,
        "SIGNING_KEY",
        claims.signing_key.name,
        wanted,
        checks,
    )
    _provider(claims.csp_id, constraints.csp_ids, checks)


def _provider(csp_id: str | None, allowed: tuple[str, ...] | Ignored, checks: Checks) -> None:
    """Only a VLEK names one."""
    if csp_id is None:
        return
    if isinstance(allowed, Ignored):
        checks.relax("csp_ids", "the machines of any cloud provider are accepted")
        return
    _refusal(csp_id in allowed, Code.SNP_CSP_ID_UNKNOWN, "cspID", csp_id, ", ".join(allowed) or "none listed", checks)


def _tcb(claims: SnpClaims, constraints: SnpConstraints, checks: Checks) -> None:
    """The host may report less than it runs, but may not run less than it has committed to (AMD 56860, SNP_COMMIT)."""
    current, committed = claims.current_tcb, claims.committed_tcb
    _refusal(
        current.at_least(committed),
        Code.SNP_CURRENT_TCB,
        "CURRENT_TCB",
        str(current),
        f"at least {committed}",
        checks,
        EvidenceError,
    )
    if isinstance(constraints.minimum_tcb, Ignored):
        checks.relax("minimum_tcb", "firmware with known flaws is accepted")
        return
    minimum = constraints.minimum_tcb.get(claims.product)
    wanted = f"at least {minimum}" if minimum else "a minimum for this product"
    _refusal(minimum is not None, Code.SNP_MINIMUM_TCB_MISSING, "minimum TCB", claims.product.value, wanted, checks)
    if minimum is None:
        return
    reported = claims.reported_tcb
    _refusal(reported.at_least(minimum), Code.SNP_MINIMUM_REPORTED_TCB, "REPORTED_TCB", str(reported), wanted, checks)
    _refusal(committed.at_least(minimum), Code.SNP_MINIMUM_COMMITTED_TCB, "COMMITTED_TCB", str(committed), wanted, checks)


def _firmware(report: Report, constraints: SnpConstraints, checks: Checks) -> None:
    current, committed = report.current_version, report.committed_version
    _refusal(
        current.order >= committed.order,
        Code.SNP_CURRENT_VERSION,
        "CURRENT_MAJOR.MINOR.BUILD",
        str(current),
        f"at least {committed}",
        checks,
        EvidenceError,
    )
    major, minor = constraints.minimum_abi
    reached = (committed.major, committed.minor) >= (major, minor)
    _refusal(reached, Code.SNP_MINIMUM_ABI, "COMMITTED_MAJOR.MINOR", str(committed), f"at least {major}.{minor}", checks)


def _guest_policy(report: Report, constraints: SnpConstraints, checks: Checks) -> None:
    """POLICY. Bits of unknown meaning may loosen, so they refuse, unlike those of PLATFORM_INFO."""
    policy = report.policy
    known = not policy & ~KNOWN_POLICY and bool(policy & GuestPolicy.RESERVED_ONE)
    _refusal(known, Code.SNP_POLICY, "POLICY", f"{policy:#x}", "bit 17 set, bits 26 to 63 clear", checks, EvidenceError)
    debug = bool(policy & GuestPolicy.DEBUG)
    if isinstance(constraints.allow_debug, Ignored):
        checks.relax("allow_debug", "the host may read and write the memory of the guest")
    else:
        _refusal(not debug, Code.SNP_DEBUG, "POLICY.DEBUG", _bit(debug), "0", checks, EvidenceError)
    if not constraints.smt:
        smt = bool(policy & GuestPolicy.SMT)
        _refusal(not smt, Code.SNP_SMT, "POLICY.SMT", _bit(smt), "0", checks)
    if not constraints.cxl:  # bit 21: CXL may be populated with devices or memory (AMD 56860, table "Guest Policy Structure")
        cxl = bool(policy & GuestPolicy.CXL_ALLOW)
        _refusal(not cxl, Code.SNP_CXL, "POLICY.CXL_ALLOW", _bit(cxl), "0", checks)
    _hardening(policy, constraints.guest_policy, checks)


def _hardening(policy: int, required: GuestPolicy, checks: Checks) -> None:
    """Bits 20 and 22 to 25, each with its own name (AMD 56860, table "Guest Policy Structure")."""
    unasked = [bit.name for bit in HARDENING if bit.name and not bit & required]
    if unasked:
        checks.skip(f"POLICY {', '.join(unasked)}", "the policy does not require that the guest asked for it")
    for bit in required:
        _refusal(bool(policy & bit), Code.SNP_GUEST_POLICY, f"POLICY.{bit.name}", _bit(bool(policy & bit)), "1", checks)


def _migration(report: Report, constraints: SnpConstraints, checks: Checks) -> None:
    if isinstance(constraints.allow_migration, Ignored):
        checks.relax("allow_migration", "a migration agent may move the guest to another machine")
        return
    migrate = bool(report.policy & GuestPolicy.MIGRATE_MA)
    _refusal(not migrate, Code.SNP_MIGRATION, "POLICY.MIGRATE_MA", _bit(migrate), "0", checks, EvidenceError)
    alone = report.report_id_ma == NO_MIGRATION_AGENT
    _refusal(alone, Code.SNP_REPORT_ID_MA, "REPORT_ID_MA", report.report_id_ma.hex(), "ff..ff: no agent", checks, EvidenceError)


def _platform(report: Report, constraints: SnpConstraints, checks: Checks) -> None:
    vmpl = report.vmpl
    _refusal(vmpl <= constraints.max_vmpl, Code.SNP_VMPL, "VMPL", str(vmpl), f"at most {constraints.max_vmpl}", checks)
    required = constraints.platform_info
    if not required:
        checks.skip("PLATFORM_INFO", "the policy requires no bit of it")
        return
    present = report.platform_info & required == required
    _refusal(present, Code.SNP_PLATFORM_INFO, "PLATFORM_INFO", f"{report.platform_info:#x}", f"all of {int(required):#x}", checks)


def _mitigations(report: Report, constraints: SnpConstraints, checks: Checks) -> None:
    """What SNP_VERIFY_MITIGATION had verified at launch and when the report was made (AMD 56860, offsets 1F8h and 200h)."""
    for title, found, required in (
        ("LAUNCH_MIT_VECTOR", report.launch_mit_vector, constraints.launch_mit_vector),
        ("CURRENT_MIT_VECTOR", report.current_mit_vector, constraints.current_mit_vector),
    ):
        if not required:
            checks.skip(title, "the policy requires no bit of it")
            continue
        shown = f"none in version {report.version}" if found is None else f"{found:#x}"
        _refusal((found or 0) & required == required, Code.SNP_MIT_VECTOR, title, shown, f"all of {required:#x}", checks)


def _guest(claims: SnpClaims, constraints: SnpConstraints, checks: Checks) -> None:
    report = claims.report
    if isinstance(constraints.measurements, Ignored):
        checks.relax("measurements", "any software is accepted")
    else:
        _listed(report.measurement, constraints.measurements, Code.SNP_MEASUREMENT, "MEASUREMENT", checks)
    least = constraints.minimum_guest_svn
    _refusal(report.guest_svn >= least, Code.SNP_GUEST_SVN, "GUEST_SVN", str(report.guest_svn), f"at least {least}", checks)
    _listed(report.host_data, constraints.host_data, Code.SNP_HOST_DATA, "HOST_DATA", checks)
    _listed(report.id_key_digest, constraints.id_key_digests, Code.SNP_ID_KEY_DIGEST, "ID_KEY_DIGEST", checks)
    author = report.author_key_digest if report.author_key_en else b""
    _listed(author, constraints.author_key_digests, Code.SNP_AUTHOR_KEY_DIGEST, "AUTHOR_KEY_DIGEST", checks)
    _listed(report.family_id, constraints.family_ids, Code.SNP_FAMILY_ID, "FAMILY_ID", checks)
    _listed(report.image_id, constraints.image_ids, Code.SNP_IMAGE_ID, "IMAGE_ID", checks)
    _listed(report.report_id, constraints.report_ids, Code.SNP_REPORT_ID, "REPORT_ID", checks)
    chip = b"" if claims.chip_masked else report.chip_id
    _listed(chip, constraints.chip_ids, Code.SNP_CHIP_ID, "CHIP_ID", checks)


def _listed(found: bytes, allowed: Digests | None, code: Code, title: str, checks: Checks) -> None:
    if allowed is None:
        checks.skip(title, "the policy names none")
        return
    more = f" and {len(allowed) - SHOWN} more" if len(allowed) > SHOWN else ""
    wanted = ", ".join(value.hex() for value in allowed[:SHOWN]) + more
    _refusal(found in allowed, code, title, found.hex() or "none", wanted or "none listed", checks)


def _bit(value: bool) -> str:
    return str(int(value))
