"""What the verifiers of Azure's kinds return: the hardware's own claims, and those of the vTPM behind it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from confide.attest.azure.hcl import HclReport
from confide.attest.claims import Claims
from confide.attest.snp.claims import SnpClaims
from confide.attest.tdx.claims import TdxClaims
from confide.attest.tpm.platform import Platform
from confide.attest.tpm.quote import Attest


@dataclass(frozen=True)
class AzureClaims(Claims):
    """Shared by both kinds. `report_data` is the quote's `extraData`, empty where no quote came, so that nothing is bound then.

    Attributes:
        hcl: the HCL report, field by field.
        attest: the vTPM's quote; None where none came.
        bank, pcrs: of the quote; 0 and nothing without one.
        ak_spki_sha256: digest of the attestation key, as the keyset names it.
        event_log_replayed, platform: as in `TpmClaims`, but made by a paravisor that the hardware has measured.
    """

    hcl: HclReport = field(repr=False)
    attest: Attest | None = field(repr=False)
    bank: int
    pcrs: Mapping[int, bytes] = field(repr=False)
    ak_spki_sha256: bytes = field(repr=False)
    event_log_replayed: bool
    platform: Platform

    @property
    def bound_key_sha256(self) -> bytes:
        """The vTPM's attestation key's."""
        return self.ak_spki_sha256


@dataclass(frozen=True)
class AzureSnpClaims(AzureClaims):
    """On SEV-SNP: the paravisor's report."""

    snp: SnpClaims = field(repr=False)


@dataclass(frozen=True)
class AzureTdxClaims(AzureClaims):
    """On TDX: the paravisor's quote."""

    tdx: TdxClaims = field(repr=False)

    @property
    def tcb_evaluation_number(self) -> int | None:
        """Intel's."""
        return self.tdx.tcb_evaluation_number
