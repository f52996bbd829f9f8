"""What a verdict is worth in AR4SI's words (draft-ietf-rats-ar4si-10, section 2.3): claims begin at their worst and rise on proof.

A claim that nothing here was proven about (file system, storage, sourced data) is left out: "no claim". A relaxation that the
policy made lowers what it is about, and the whole to a warning at best. Left to others: the token (`export`).
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from confide.attest.claims import Claims
from confide.attest.evidence import Kind
from confide.policy.verdict import Custody, VerdictBase

Vector = Mapping[str, int]


class Status(StrEnum):
    """Tiers, best first (AR4SI section 2.3.2): 2 to 31, 32 to 95, 96 to 127; 0 and 1 say nothing."""

    AFFIRMING = "affirming"
    NONE = "none"
    WARNING = "warning"
    CONTRAINDICATED = "contraindicated"


# Values by claim (AR4SI sections 2.3.4 and following).
IDENTITY_KNOWN = 2  # recognised, and not compromised
CONFIGURATION_APPROVED, CONFIGURATION_UNSUPPORTED = 2, 96
EXECUTABLES_AT_BOOT, EXECUTABLES_UNRECOGNISED = 3, 33
HARDWARE_GENUINE, HARDWARE_UNSAFE, HARDWARE_UNRECOGNISED = 2, 32, 97
OPAQUE_ENCRYPTED, OPAQUE_ISOLATED, OPAQUE_VISIBLE = 2, 32, 96

ENCRYPTED = frozenset(
    {Kind.SNP, Kind.TDX, Kind.SGX, Kind.AZ_SNP_VTPM, Kind.AZ_TDX_VTPM, Kind.CCA}
)  # memory that the host cannot read
ISOLATED = frozenset({Kind.NITRO, Kind.NVIDIA})  # kept apart by AWS's hypervisor, or on a device of its own
# What `attest`'s validators and `policy.rules` call their relaxations.
SOFTWARE = frozenset(
    {
        *("measurements", "mr_enclaves", "pcrs", "mr_tds", "mr_service_tds", "rims"),
        *(f"rtmr{index}" for index in range(4)),
        *(f"rem{index}" for index in range(4)),
    }
)
UNMEASURED = frozenset({"allow_no_quote", "allow_missing_manifests"})
PLATFORM = frozenset(
    {
        *("minimum_tcb", "allow_any_tcb", "allow_hold", "allow_host_trusted", "csp_ids", "allow_sept_ve"),
        *("firmware", "allow_live_firmware", "allow_devices"),
    }
)
COLLATERAL = frozenset({"collateral_grace", "require.max_crl_age"})
READABLE = frozenset({"allow_debug", "allow_migration"})
SETTINGS = frozenset({"node.config_digests", "node.software_digests"})


def vector_of(claims: Claims, verdict: VerdictBase) -> Vector:
    """The claims about one piece of evidence under this verdict. Zero is left out."""
    relaxed = {each.setting for each in verdict.relaxations}
    found = {
        "instance-identity": IDENTITY_KNOWN if verdict.custody is not Custody.NOT_CHECKED else 0,
        "configuration": CONFIGURATION_UNSUPPORTED if relaxed & SETTINGS else CONFIGURATION_APPROVED,
        "executables": EXECUTABLES_UNRECOGNISED if relaxed & (SOFTWARE | UNMEASURED) else EXECUTABLES_AT_BOOT,
        "hardware": _hardware(claims, relaxed),
        "runtime-opaque": _opaque(claims, relaxed),
    }
    return MappingProxyType({name: value for name, value in found.items() if value})


def _hardware(claims: Claims, relaxed: set[str]) -> int:
    """A false vendor's hardware is nobody's; a TCB that its vendor no longer calls up to date is usable with care."""
    if claims.simulated:
        return HARDWARE_UNRECOGNISED
    aged = claims.tcb_status not in {None, "UpToDate"} or bool(relaxed & (PLATFORM | COLLATERAL))
    return HARDWARE_UNSAFE if aged else HARDWARE_GENUINE


def _opaque(claims: Claims, relaxed: set[str]) -> int:
    """Whether the host can read what runs."""
    if relaxed & READABLE or claims.kind not in ENCRYPTED | ISOLATED:
        return OPAQUE_VISIBLE
    return OPAQUE_ENCRYPTED if claims.kind in ENCRYPTED else OPAQUE_ISOLATED


def status_of(vector: Vector, *, relaxed: bool) -> Status:
    """The worst tier of a vector; a warning at best where the policy relaxed anything."""
    tiers = [tier_of(value) for value in vector.values()]
    return worst([*tiers, *([Status.WARNING] if relaxed else [])])


def tier_of(value: int) -> Status:
    """AR4SI section 2.3.2; values beyond it are as bad as can be."""
    if value in {-1, 0, 1}:
        return Status.NONE
    if -32 <= value <= 31:
        return Status.AFFIRMING
    return Status.WARNING if -96 <= value <= 95 else Status.CONTRAINDICATED


def worst(statuses: Iterable[Status]) -> Status:
    """The least favourable; of nothing, `none`."""
    order = list(Status)
    return max(statuses, key=order.index, default=Status.NONE)
