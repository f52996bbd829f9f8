"""What a TEE gives: evidence over 64 bytes with the vendor's collateral for it.

Left to others: which TEE there is (`tee`), and what is asked of it and of what stands beside it (`machine`).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from confide.attest.evidence import Endorsements, Evidence

REPORT_DATA_SIZE = 64  # SEV-SNP ABI 56860 table 23, TDX TDREPORT, SGX REPORT: all carry 64 bytes


@dataclass(frozen=True)
class Quote:
    """One piece of evidence with the vendor's collateral for it.

    Attributes:
        evidence: kind and roles, as `attest` takes them.
        endorsements: certificates and revocation lists.
        fresh_until: the first moment at which a certificate or list in it expires or is due for renewal (UTC).
        others: of what stands beside the TEE: its GPUs in index order, its TPM. Covered by the same keyset.
    """

    evidence: Evidence
    endorsements: Endorsements
    fresh_until: datetime
    others: "tuple[Quote, ...]" = ()


class Tee(Protocol):
    """A device that signs 64 bytes together with the measurement of what runs in it."""

    @property
    def kind(self) -> str:
        """The kind of its evidence, such as `snp`."""
        ...

    @property
    def simulated(self) -> bool:
        """Whether a false vendor signs."""
        ...

    @property
    def attestation_key_sha256(self) -> bytes | None:
        """SHA-256 of the SubjectPublicKeyInfo of a key that the keyset must name, a TPM's or a GPU's; or None."""
        ...

    @property
    def platform_id(self) -> str:
        """As verifiers read it from its evidence (`Claims.platform_id`); empty where the hardware hides it."""
        ...

    def renew(self) -> None:
        """Get newer collateral, if it is time. May block for a minute; call it off the event loop, and beside `quote`."""
        ...

    def quote(self, report_data: bytes) -> Quote:
        """Evidence over exactly `report_data`: 64 bytes, or a GPU's nonce of 32. May block; call it off the event loop."""
        ...
