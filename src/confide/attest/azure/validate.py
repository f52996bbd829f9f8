"""Is a genuine Azure confidential VM acceptable? The hardware by its own kind's rules, the vTPM by its PCRs, the VM by its
configuration.

PCRs of this vTPM are the paravisor's, which the hardware has measured, and not the host's. Left to others: `extraData` (`binding`).
"""

from dataclasses import dataclass

from confide.attest.azure.claims import AzureClaims, AzureSnpClaims, AzureTdxClaims
from confide.attest.checks import Checks
from confide.attest.constraints import Ignored
from confide.attest.snp import validate as snp
from confide.attest.snp.validate import SnpConstraints
from confide.attest.tdx import validate as tdx
from confide.attest.tdx.validate import TdxConstraints
from confide.attest.tpm.validate import PcrConstraints, validate_pcrs
from confide.codes import Code
from confide.errors import EvidenceError, PolicyError


@dataclass(frozen=True)
class AzureConstraints(PcrConstraints):
    """Shared by both kinds.

    Attributes:
        secure_boot: whether `vm-configuration` must say so.
        allow_console: accepts a VM whose serial console is enabled: it is a way in for whoever may use the subscription.
        vm_ids: accepted `vmUniqueId`s; None where the policy names none.
        allow_no_quote: accepts evidence without a vTPM quote, which nothing makes fresh.
    """

    secure_boot: bool = True
    allow_console: bool = True
    vm_ids: tuple[str, ...] | None = None
    allow_no_quote: Ignored | None = None

    @property
    def platforms(self) -> int | None:
        """How many VMs are listed."""
        return None if self.vm_ids is None else len(self.vm_ids)


@dataclass(frozen=True, kw_only=True)
class AzureSnpConstraints(AzureConstraints):
    """`snp`: what the paravisor's report must satisfy."""

    snp: SnpConstraints


@dataclass(frozen=True, kw_only=True)
class AzureTdxConstraints(AzureConstraints):
    """`tdx`: what the paravisor's TD must satisfy."""

    tdx: TdxConstraints


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
    configuration = claims.hcl.configuration
    wanted = {"tpm-enabled": True}
    wanted |= {"secure-boot": True} if constraints.secure_boot else {}
    wanted |= {} if constraints.allow_console else {"console-enabled": False}
    for name, value in wanted.items():
        said = configuration.get(name)
        checks.require(said is value, Code.AZURE_SECURE_BOOT, name, found=str(said)[:20], wanted=str(value), error=PolicyError)
    if constraints.vm_ids is None:
        checks.skip("vmUniqueId", "the policy names none")
        return
    known = {each.lower() for each in constraints.vm_ids}
    found, title, listed = str(configuration.get("vmUniqueId", ""))[:64], "vmUniqueId", "a listed one"
    checks.require(found.lower() in known, Code.AZURE_VM_ID, title, found=found or "none", wanted=listed, error=PolicyError)


def _no_quote(constraints: AzureConstraints, checks: Checks) -> None:
    if constraints.allow_no_quote is not None:
        checks.relax("allow_no_quote", "nothing says what was booted, or that the evidence is fresh")
        return
    checks.require(False, Code.TPM_PCR, "vTPM quote", found="none", wanted="one", error=EvidenceError)
