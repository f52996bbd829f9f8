"""Is what a genuine quote shows acceptable? Each constraint that is absent takes its strict value.

A cloud's TPM is made by its hypervisor: it proves what was booted only to those who trust the host, and nothing about the memory.
Beside a TEE's own report that stays so; accepting such PCRs takes `allow_host_trusted`, by name. PCRs (TCG PC Client Platform
Firmware Profile 1.06, table 1): 0 firmware, 4 boot loader, 7 Secure Boot, 8 and 9 kernel and command line as GRUB measures them, 11
and 12 as systemd's stub does. Left to others: `extraData` (`binding`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

from confide.attest.checks import Checks
from confide.attest.constraints import Constraints, Ignored
from confide.attest.tpm.ak import Authority
from confide.attest.tpm.claims import TpmClaims
from confide.attest.tpm.platform import Technology
from confide.attest.tpm.quote import BANKS, HASHES
from confide.codes import Code
from confide.errors import PolicyError

SHOWN = 4
Digests = tuple[bytes, ...]
T = TypeVar("T")


@dataclass(frozen=True)
class PcrConstraints(Constraints):
    """What PCRs must be: shared with Azure's kinds.

    Attributes:
        pcrs: index to accepted values; `Ignored` accepts any software. An index that was not quoted refuses.
        banks: accepted hash algorithms (TPM_ALG_ID); SHA-256 and longer.
    """

    pcrs: Mapping[int, Digests] | Ignored = field(default_factory=lambda: MappingProxyType({}))
    banks: tuple[int, ...] = tuple(HASHES)

    @property
    def references(self) -> int | None:
        """How many measurements are named."""
        return None if isinstance(self.pcrs, Ignored) else len(self.pcrs)


@dataclass(frozen=True)
class TpmConstraints(PcrConstraints):
    """What a quote of a cloud's TPM must satisfy.

    Attributes:
        allow_host_trusted: `Ignored.UNSAFE_IGNORED` accepts what a TPM says that the host makes.
        authorities: clouds whose word is taken; None where the policy names none.
        projects, zones, instances: Google's project identifiers, zones and instance numbers; None where the policy names none.
        technologies: what the firmware must say of the memory in a replayed log; None where the policy names none.
        secure_boot: a replayed log must show that Secure Boot was on.
    """

    allow_host_trusted: Ignored | None = None
    authorities: tuple[Authority, ...] | None = None
    projects: tuple[str, ...] | None = None
    zones: tuple[str, ...] | None = None
    instances: tuple[int, ...] | None = None
    technologies: tuple[Technology, ...] | None = None
    secure_boot: bool = False

    @property
    def platforms(self) -> int | None:
        """How many instances are listed."""
        return None if self.instances is None else len(self.instances)


def validate(claims: TpmClaims, constraints: TpmConstraints, *, checks: Checks) -> None:
    """Compare verified claims with `constraints`.

    Raises:
        PolicyError: `tpm.*` for what the constraints do not accept.
    """
    _host(constraints, checks)
    validate_pcrs(claims.bank, claims.pcrs, constraints, checks=checks)
    _listed(claims.authority, constraints.authorities, Code.TPM_AUTHORITY, "cloud of the TPM", checks)
    instance = claims.instance
    project, zone, number = (instance.project_id, instance.zone, instance.instance_id) if instance else ("", "", None)
    _listed(project, constraints.projects, Code.TPM_INSTANCE, "project", checks)
    _listed(zone, constraints.zones, Code.TPM_INSTANCE, "zone", checks)
    _listed(number, constraints.instances, Code.TPM_INSTANCE, "instance", checks)
    _platform(claims, constraints, checks)


def validate_pcrs(bank: int, pcrs: Mapping[int, bytes], constraints: PcrConstraints, *, checks: Checks) -> None:
    """Bank and values: `tpm.bank`, `tpm.pcr`."""
    names = ", ".join(HASHES[each][0] for each in constraints.banks if each in HASHES)
    found = BANKS[bank][0] if bank in BANKS else f"{bank:#x}"
    checks.require(bank in constraints.banks, Code.TPM_BANK, "PCR bank", found=found, wanted=names, error=PolicyError)
    if isinstance(constraints.pcrs, Ignored):
        checks.relax("pcrs", "any software is accepted")
        return
    if not constraints.pcrs:
        checks.require(False, Code.TPM_PCR, "PCRs", found="none named by the policy", wanted="at least one", error=PolicyError)
    for index, allowed in constraints.pcrs.items():
        value = pcrs.get(index)
        wanted = ", ".join(each.hex() for each in allowed[:SHOWN]) or "none listed"
        shown = "not quoted" if value is None else value.hex()
        checks.require(value in allowed, Code.TPM_PCR, f"PCR{index}", found=shown, wanted=wanted, error=PolicyError)
    unnamed = [str(index) for index, value in pcrs.items() if index not in constraints.pcrs and any(value)]
    if unnamed:
        checks.skip(f"PCRs {', '.join(unnamed)}", "the policy names no values for them")


def _host(constraints: TpmConstraints, checks: Checks) -> None:
    if constraints.allow_host_trusted is not None:
        effect = "the host makes this TPM: its PCRs are host-trusted, and say nothing about the protection of memory"
        checks.relax("allow_host_trusted", effect)
        return
    wanted = 'allow_host_trusted = "unsafe_ignored"'
    checks.require(
        False, Code.TPM_HOST_TRUSTED, "who makes the TPM", found="the cloud's hypervisor", wanted=wanted, error=PolicyError
    )


def _platform(claims: TpmClaims, constraints: TpmConstraints, checks: Checks) -> None:
    """What the firmware says of itself, host-trusted like the PCRs that cover it."""
    technology, secure = claims.platform.technology, claims.platform.secure_boot
    _listed(technology, constraints.technologies, Code.TPM_TECHNOLOGY, "technology, by the firmware's word", checks)
    if not constraints.secure_boot:
        checks.skip("Secure Boot", "the policy does not require that the event log shows it")
        return
    said = "not shown" if secure is None else "on" if secure else "off"
    checks.require(secure is True, Code.TPM_SECURE_BOOT, "Secure Boot", found=said, wanted="on", error=PolicyError)


def _listed(found: T, allowed: tuple[T, ...] | None, code: Code, title: str, checks: Checks) -> None:
    if allowed is None:
        checks.skip(title, "the policy names none")
        return
    more = f" and {len(allowed) - SHOWN} more" if len(allowed) > SHOWN else ""
    wanted = ", ".join(map(_told, allowed[:SHOWN])) + more or "none listed"
    checks.require(found in allowed, code, title, found=_told(found), wanted=wanted, error=PolicyError)


def _told(value: object) -> str:
    if value is None or value == "":
        return "not told"
    return value.name if isinstance(value, Technology) else str(value)
