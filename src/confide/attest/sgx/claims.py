"""What the SGX verifier returns."""

from dataclasses import dataclass, field

from confide.attest.dcap.claims import IntelClaims
from confide.attest.dcap.report import EnclaveReport


@dataclass(frozen=True)
class SgxClaims(IntelClaims):
    """Verified SGX claims.

    Attributes:
        enclave: the enclave's REPORT body, field by field.
    """

    enclave: EnclaveReport = field(repr=False)
