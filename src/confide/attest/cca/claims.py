"""What the verifier of CCA tokens returns."""

from dataclasses import dataclass, field

from confide.attest.cca.layout import PlatformClaims, RealmClaims
from confide.attest.claims import Claims


@dataclass(frozen=True)
class CcaClaims(Claims):
    """Verified claims of a realm and the platform under it. `report_data` is the realm's challenge.

    Attributes:
        platform_key: the SubjectPublicKeyInfo (DER) that signed the platform's token: one of the pinned ones.
    """

    platform: PlatformClaims = field(repr=False)
    realm: RealmClaims = field(repr=False)
    platform_key: bytes = field(repr=False)
