"""Is what a genuine quote shows acceptable? Each constraint that is absent takes its strict value.

A vTPM of a cloud is made by its hypervisor: alone it proves what was booted only to those who trust the host. Such evidence needs
the host's word by name: `allow_host_trusted`. PCRs (TCG PC Client Platform Firmware Profile, table 1): 0 firmware, 4 boot loader, 7
Secure Boot, 8 and 9 kernel and command line as the boot loader measures them. Left to others: `extraData` (`binding`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from confide.attest.checks import Checks
from confide.attest.constraints import Constraints, Ignored
from confide.attest.tpm.claims import TpmClaims
from confide.attest.tpm.quote import HASHES
from confide.codes import Code
from confide.errors import PolicyError

SHOWN = 4
Digests = tuple[bytes, ...]


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
    """What a quote of a TPM must satisfy.

    Attributes:
        allow_host_trusted: `Ignored.UNSAFE_IGNORED` accepts a TPM that the host makes, alone.
        projects, zones, instances: accepted ones of Google's; None where the policy names none.
    """

    allow_host_trusted: Ignored | None = None
    projects: tuple[str, ...] | None = None
    zones: tuple[str, ...] | None = None
    instances: tuple[int, ...] | None = None

    @property
    def platforms(self) -> int | None:
        """How many instances are listed."""
        return None if self.instances is None else len(self.instances)


def validate(claims: TpmClaims, constraints: TpmConstraints, *, checks: Checks) -> None:
    """Compare verified claims with `constraints`.

    Raises:
        PolicyError: `tpm.*` for what the constraints do not accept.
    """
    if constraints.allow_host_trusted is not None:
        checks.relax("allow_host_trusted", "the host makes this TPM: its PCRs say what was booted as far as the host is trusted")
    else:
        title, wanted = "who makes the TPM", "a TEE beside it, or allow_host_trusted"
        checks.require(False, Code.TPM_HOST_TRUSTED, title, found="the host", wanted=wanted, error=PolicyError)
    validate_pcrs(claims.bank, claims.pcrs, constraints, checks=checks)
    for title, found, allowed in (
        ("project", claims.instance.project, constraints.projects),
        ("zone", claims.instance.zone, constraints.zones),
        ("instance", claims.instance.instance_id, constraints.instances),
    ):
        if allowed is None:
            checks.skip(title, "the policy names none")
        else:
            wanted = ", ".join(map(str, allowed[:SHOWN]))
            checks.require(
                found in allowed, Code.TPM_INSTANCE, title, found=str(found) or "unknown", wanted=wanted, error=PolicyError
            )


def validate_pcrs(bank: int, pcrs: Mapping[int, bytes], constraints: PcrConstraints, *, checks: Checks) -> None:
    """Bank and values: `tpm.bank`, `tpm.pcr`."""
    names = ", ".join(HASHES[each][0] for each in constraints.banks if each in HASHES)
    found = HASHES[bank][0] if bank in HASHES else f"{bank:#x}"
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
