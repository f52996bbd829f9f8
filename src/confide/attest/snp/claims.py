"""What the SEV-SNP verifier returns: fields that AMD's chain has signed, decoded for the product at hand."""

from dataclasses import dataclass, field

from confide.attest.claims import Claims
from confide.attest.snp.layout import Product, Report, SigningKey, Tcb


@dataclass(frozen=True)
class SnpClaims(Claims):
    """Verified SEV-SNP claims.

    Attributes:
        report: the report, field by field.
        product: by the chain, and equal to the report's CPUID where it has one.
        signing_key: what signed it, by report and certificate.
        current_tcb, committed_tcb, reported_tcb, launch_tcb: decoded; REPORTED_TCB equals the certificate's SPLs.
        csp_id: the cloud provider that a VLEK was issued to; None with a VCEK.
        chip_masked: CHIP_ID is zero, so that the report names no chip.
    """

    report: Report = field(repr=False)
    product: Product
    signing_key: SigningKey
    current_tcb: Tcb
    committed_tcb: Tcb
    reported_tcb: Tcb
    launch_tcb: Tcb
    csp_id: str | None
    chip_masked: bool
