"""What the TPM verifier returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from confide.attest.claims import Claims
from confide.attest.tpm.ak import Instance
from confide.attest.tpm.quote import Attest


@dataclass(frozen=True)
class TpmClaims(Claims):
    """Verified claims of a TPM whose maker is a cloud's hypervisor.

    Attributes:
        attest: the quote, field by field. `report_data` is its `extraData`.
        bank: the hash algorithm of the PCRs (TPM_ALG_ID).
        pcrs: the quoted values by index.
        ak_spki_sha256: digest of the attestation key, as the keyset names it.
        instance: what the key's certificate says of the VM.
        event_log_replayed: an event log came and leads to the quoted PCRs.
    """

    attest: Attest = field(repr=False)
    bank: int
    pcrs: Mapping[int, bytes] = field(repr=False)
    ak_spki_sha256: bytes = field(repr=False)
    instance: Instance = field(repr=False)
    event_log_replayed: bool
