"""Is a genuine Azure confidential VM acceptable? The hardware by its own kind's rules, the vTPM by its PCRs, the VM by its
configuration.

This vTPM is the paravisor's, which the hardware has measured, and not the host's: its PCRs need no `allow_host_trusted`. The
paravisor itself is Microsoft's: its measurement is what `snp` or `tdx` list. Left to others: `extraData` (`binding`).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from confide.attest.azure.claims import AzureClaims, AzureSnpClaims, AzureTdxClaims
from confide.attest.checks import Checks
from confide.attest.constraints import Constraints, Ignored
from confide.attest.snp import validate as snp
from confide.attest.snp.validate import SnpConstraints
from confide.attest.tdx import validate as tdx
from confide.attest.tdx.validate import TdxConstraints
from confide.attest.tpm.validate import PcrConstraints, validate_pcrs
from confide.codes import Code
from confide.errors import PolicyError
from confide.formats import strictjson


@dataclass(frozen=True)
class AzureConstraints(PcrConstraints, ABC):
    """Shared by both kinds.

    Attributes:
        secure_boot: whether `vm-configuration` must say that Secure Boot is on.
        console: whether the VM may have its serial console enabled, as Azure's VMs do: a way in for whoever may use the
            subscription, as far as the image lets anyone log in.
        vm_ids: accepted `vmUniqueId`s; None where the policy names none.
        allow_no_quote: `Ignored.UNSAFE_IGNORED` accepts evidence without a vTPM quote, which nothing makes fresh.
    """

    secure_boot: bool = True
    console: bool = True
    vm_ids: tuple[str, ...] | None = None
    allow_no_quote: Ignored | None = None

    @property
    @abstractmethod
    def hardware(self) -> Constraints:
        """Those of the TEE's own report."""

    @property
    def platforms(self) -> int | None:
        """How many VMs are listed, or else how many chips or hosts."""
        return self.hardware.platforms if self.vm_ids is None else len(self.vm_ids)

    @property
    def ignored(self) -> tuple[str, ...]:
        """The members that are switched off, those of the hardware's table among them."""
        table = "snp" if isinstance(self.hardware, SnpConstraints) else "tdx"
        return (*super().ignored, *(f"{table}.{name}" for name in self.hardware.ignored))

    @property
    def references(self) -> int | None:
        """Paravisor and PCRs; None when either may be any."""
        own, below = super().references, self.hardware.references
        return None if own is None or below is None else own + below


@dataclass(frozen=True, kw_only=True)
class AzureSnpConstraints(AzureConstraints):
    """`snp`: what the paravisor's report must satisfy."""

    snp: SnpConstraints

    @property
    def hardware(self) -> Constraints:
        """Those of SEV-SNP."""
        return self.snp


@dataclass(frozen=True, kw_only=True)
class AzureTdxConstraints(AzureConstraints):
    """`tdx`: what the paravisor's TD must satisfy."""

    tdx: TdxConstraints

    @property
    def hardware(self) -> Constraints:
        """Those of TDX."""
        return self.tdx


def validate_snp(claims: AzureSnpClaims, constraints: AzureSnpConstraints, *, checks: Checks) -> None:
    """Raises as `snp.validate.validate`, and `azure.*`, `tpm.*`."""
    snp.validate(claims.snp, constraints.snp, checks=checks)
    _vm(claims, constraints, checks)


def validate_tdx(claims: AzureTdxClaims, constraints: AzureTdxConstraints, *, checks: Checks) -> None:
    """Raises as `tdx.validate.validate`, and `azure.*`, `tpm.*`."""
    tdx.validate(claims.tdx, constraints.tdx, checks=checks)
    _vm(claims, constraints, checks)


def _vm(claims: AzureClaims, constraints: AzureConstraints, checks: Checks) -> None:
    if claims.attest is None:
        _no_quote(constraints, checks)
    else:
        validate_pcrs(claims.bank, claims.pcrs, constraints, checks=checks)
    _configuration(claims, constraints, checks)
    if constraints.vm_ids is None:
        checks.skip("vmUniqueId", "the policy names none")
        return
    known = {each.lower() for each in constraints.vm_ids}
    found = str(claims.hcl.configuration.get("vmUniqueId", ""))[:64]
    ok, wanted = found.lower() in known, "a listed one"
    checks.require(ok, Code.AZURE_VM_ID, "vmUniqueId", found=found or "none", wanted=wanted, error=PolicyError)


def _configuration(claims: AzureClaims, constraints: AzureConstraints, checks: Checks) -> None:
    """`vm-configuration` (Microsoft Learn, "Confidential VM guest attestation", "Runtime claims")."""
    wanted = {"tpm-enabled": True}
    wanted |= {"secure-boot": True} if constraints.secure_boot else {}
    wanted |= {} if constraints.console else {"console-enabled": False}
    for name, value in wanted.items():
        said = claims.hcl.configuration.get(name)
        found = strictjson.dumps(said).decode()[:20]
        checks.require(said is value, Code.AZURE_SECURE_BOOT, name, found=found, wanted=str(value).lower(), error=PolicyError)
    for name in {"secure-boot", "console-enabled"} - set(wanted):
        checks.skip(name, "the policy does not restrict it")


def _no_quote(constraints: AzureConstraints, checks: Checks) -> None:
    if constraints.allow_no_quote is not None:
        checks.relax("allow_no_quote", "nothing says what was booted, or that the evidence is fresh")
        return
    checks.require(False, Code.AZURE_QUOTE, "vTPM quote", found="none", wanted="one", error=PolicyError)
