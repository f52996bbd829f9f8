"""What the verifiers of both kinds of Nitro documents return."""

from dataclasses import dataclass, field
from datetime import timedelta

from confide.attest.claims import Claims
from confide.attest.nitro.layout import AttestationDocument


@dataclass(frozen=True)
class NitroClaims(Claims):
    """Verified claims of an enclave (kind `nitro`) or an instance (kind `nitrotpm`).

    Attributes:
        document: the document, field by field. `report_data` is its `user_data`, empty where there is none.
        age: between the document's own time and its verification.
        region: the AWS region of the signing host, by its certificates; empty where they do not say.
    """

    document: AttestationDocument = field(repr=False)
    age: timedelta
    region: str
