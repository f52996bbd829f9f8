"""What a TEE gives: evidence over 64 bytes with the vendor's collateral for it. Left to others: which TEE there is (`tee`)."""

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
    """

    evidence: Evidence
    endorsements: Endorsements
    fresh_until: datetime


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
        """SHA-256 of the SubjectPublicKeyInfo of a key that the keyset must name: a TPM's. None for kinds that have none."""
        ...

    def renew(self) -> None:
        """Get newer collateral, if it is time. May block for a minute; call it off the event loop, and beside `quote`."""
        ...

    def quote(self, report_data: bytes) -> Quote:
        """Evidence over exactly `report_data` (64 bytes). May block for milliseconds; call it off the event loop."""
        ...
