"""What is particular to each kind of evidence that a node makes of itself: the operator's files, what must be there, what to show.

Left to others: devices (`snp`, `intel`, `nitro`, `azure`, `tpm`, `cca`, `gpu`), and checking (`checked`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from confide.attest.binding import NONCE_SIZE
from confide.attest.claims import Claims
from confide.attest.constraints import Constraints
from confide.attest.evidence import Evidence, Kind
from confide.codes import Code
from confide.guest import GuestError
from confide.guest.devices import azure, cca, gpu, intel, nitro, snp
from confide.guest.devices.tpm import nitro as nitrotpm
from confide.guest.devices.tpm import source as tpm
from confide.guest.quote import REPORT_DATA_SIZE

Files = Mapping[str, tuple[str, int]]


@dataclass(frozen=True)
class Platform:
    """One kind.

    Attributes:
        title: for people.
        files: of `collateral_dir`: name to role and bound in bytes.
        missing: files that verifiers will miss, given what is there; to what belongs in them.
        open_constraints: strict about the state, open about what runs.
        facts: what an operator wants to see beyond measurements.
        asked: how many bytes it is asked with.
        lasting: whether evidence holds for days; a warning before its end is of use then.
    """

    title: str
    files: Files
    missing: Callable[[Evidence, Mapping[str, bytes]], Mapping[str, str]]
    open_constraints: Callable[[Claims], Constraints]
    facts: Callable[[Claims], Mapping[str, str]]
    asked: int = REPORT_DATA_SIZE
    lasting: bool = True


PLATFORMS: Mapping[Kind, Platform] = {
    Kind.SNP: Platform("SEV-SNP", snp.FILES, snp.missing, snp.open_constraints, snp.facts),
    Kind.TDX: Platform("TDX", intel.FILES, intel.missing, intel.open_tdx, intel.facts),
    Kind.SGX: Platform("SGX", intel.FILES, intel.missing, intel.open_sgx, intel.facts),
    Kind.NITRO: Platform("Nitro", nitro.FILES, nitro.missing, nitro.open_constraints, nitro.facts, lasting=False),
    Kind.NITROTPM: Platform("NitroTPM", nitro.FILES, nitro.missing, nitrotpm.open_constraints, nitro.facts, lasting=False),
    Kind.AZ_SNP_VTPM: Platform("Azure on SEV-SNP", azure.SNP_FILES, azure.snp_missing, azure.open_snp, azure.facts),
    Kind.AZ_TDX_VTPM: Platform("Azure on TDX", azure.TDX_FILES, azure.tdx_missing, azure.open_tdx, azure.facts),
    Kind.TPM: Platform("a cloud's TPM", tpm.FILES, tpm.missing, tpm.open_constraints, tpm.facts),
    Kind.CCA: Platform("Arm CCA", cca.FILES, cca.missing, cca.open_constraints, cca.facts, lasting=False),
    Kind.NVIDIA: Platform("NVIDIA GPU", gpu.FILES, gpu.missing, gpu.open_constraints, gpu.facts, asked=NONCE_SIZE),
}


def platform_of(kind: Kind) -> Platform:
    """Raises `guest.unsupported_tee` for a kind that no node makes of itself."""
    found = PLATFORMS.get(kind)
    if found is None:
        raise GuestError(Code.GUEST_UNSUPPORTED_TEE, found=kind.value, wanted=", ".join(each.value for each in PLATFORMS))
    return found
