"""What the TPM verifier returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from confide.attest.claims import Claims
from confide.attest.tpm.ak import Authority
from confide.attest.tpm.instance import Instance
from confide.attest.tpm.platform import Platform
from confide.attest.tpm.quote import Attest


@dataclass(frozen=True)
class TpmClaims(Claims):
    """Verified claims of a TPM that a cloud's hypervisor makes: its PCRs say what was booted as far as the host is trusted.

    Attributes:
        attest: the quote, field by field. `report_data` is its `extraData`.
        bank: the hash algorithm of the PCRs (TPM_ALG_ID).
        pcrs: the quoted values by index.
        ak_spki_sha256: digest of the attestation key, as the keyset names it.
        authority: the cloud that vouches for the key.
        instance: what Google's certificate says of the machine; None where it says nothing.
        event_log_replayed: an event log came and leads to the quoted PCRs.
        platform: what the firmware says in that log.
    """

    attest: Attest = field(repr=False)
    bank: int
    pcrs: Mapping[int, bytes] = field(repr=False)
    ak_spki_sha256: bytes = field(repr=False)
    authority: Authority
    instance: Instance | None = field(repr=False)
    event_log_replayed: bool
    platform: Platform

    @property
    def bound_key_sha256(self) -> bytes:
        """The attestation key's."""
        return self.ak_spki_sha256
