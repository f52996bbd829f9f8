"""What comes out of a verifier: typed claims.

Every field was signed by the hardware vendor's chain or follows from such a field. Reprs show neither evidence nor machines' names.
"""

from dataclasses import dataclass, field
from datetime import datetime

from confide.attest.evidence import Kind


@dataclass(frozen=True)
class Claims:
    """Verified facts about one TEE, common to all kinds; each kind subclasses this with the vendor's own fields.

    Attributes:
        kind: which verifier made this.
        simulated: the chain ends in a false vendor root of `confide-sim`.
        measurements: vendor register name to digest, such as `("measurement", 48 bytes)`.
        report_data: the bytes that carry the binding, as `attest.binding.carried_by` and `gpu_nonce` say for the kind.
        platform_id: the chip or host identity in hex; empty when the hardware hides it.
        tcb_status: the vendor's own word where it defines one, else None (AMD defines none).
        advisories: vendor advisory identifiers that apply.
        not_before, not_after: the intersection of all windows of certificates and collateral used, and of the age of lists; UTC.
    """

    kind: Kind
    simulated: bool
    measurements: tuple[tuple[str, bytes], ...]
    report_data: bytes = field(repr=False)
    platform_id: str = field(repr=False)
    tcb_status: str | None
    advisories: tuple[str, ...]
    not_before: datetime
    not_after: datetime

    @property
    def bound_key_sha256(self) -> bytes | None:
        """SHA-256 of the SubjectPublicKeyInfo that signed this, where the keyset must name the key (spec/03-binding.md): a TPM's
        attestation key, a GPU's leaf. None: the evidence is bound by what it carries alone.
        """
        return None
