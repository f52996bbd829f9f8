"""The two doors of every kind: `authenticate` (is it genuine) and `validate` (is it acceptable), by the kind of the evidence.

A new kind of TEE adds a row to `ROOMS`. Left to others: what a policy says (`policy`), and binding (`binding.py`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from confide.attest.azure import validate as azure_validate
from confide.attest.azure import verify as azure_verify
from confide.attest.azure.claims import AzureSnpClaims, AzureTdxClaims
from confide.attest.azure.validate import AzureSnpConstraints, AzureTdxConstraints
from confide.attest.cca import validate as cca_validate
from confide.attest.cca import verify as cca_verify
from confide.attest.cca.claims import CcaClaims
from confide.attest.cca.validate import CcaConstraints
from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.constraints import Constraints
from confide.attest.evidence import Endorsements, Evidence, Kind, Roots
from confide.attest.nitro import validate as nitro_validate
from confide.attest.nitro import verify as nitro_verify
from confide.attest.nitro.claims import NitroClaims
from confide.attest.nitro.validate import NitroConstraints, NitroTpmConstraints
from confide.attest.nvidia import validate as nvidia_validate
from confide.attest.nvidia import verify as nvidia_verify
from confide.attest.nvidia.claims import NvidiaClaims
from confide.attest.nvidia.validate import NvidiaConstraints
from confide.attest.sgx import validate as sgx_validate
from confide.attest.sgx import verify as sgx_verify
from confide.attest.sgx.claims import SgxClaims
from confide.attest.sgx.validate import SgxConstraints
from confide.attest.snp import validate as snp_validate
from confide.attest.snp import verify as snp_verify
from confide.attest.snp.claims import SnpClaims
from confide.attest.snp.validate import SnpConstraints
from confide.attest.tdx import validate as tdx_validate
from confide.attest.tdx import verify as tdx_verify
from confide.attest.tdx.claims import TdxClaims
from confide.attest.tdx.validate import TdxConstraints
from confide.attest.tpm import validate as tpm_validate
from confide.attest.tpm import verify as tpm_verify
from confide.attest.tpm.claims import TpmClaims
from confide.attest.tpm.validate import TpmConstraints
from confide.attest.x509 import Revocation
from confide.codes import Code
from confide.errors import EvidenceError

__all__ = ["ROOMS", "Revocation", "Room", "authenticate", "validate"]


class Authenticate(Protocol):
    """The first door of a kind."""

    def __call__(
        self, evidence: Evidence, endorsements: Endorsements, *, roots: Roots, now: datetime, revocation: Revocation, checks: Checks
    ) -> Claims:
        """Claims that the vendor's chain proves at `now`."""
        ...


@dataclass(frozen=True)
class Room:
    """Both doors of one kind, and the types that pass through the second.

    Attributes:
        validate: called as `validate(claims, constraints, checks=...)` with exactly these types.
    """

    authenticate: Authenticate
    validate: Callable[..., None]
    claims: type[Claims]
    constraints: type[Constraints]


ROOMS: Mapping[Kind, Room] = {
    Kind.SNP: Room(snp_verify.authenticate, snp_validate.validate, SnpClaims, SnpConstraints),
    Kind.SGX: Room(sgx_verify.authenticate, sgx_validate.validate, SgxClaims, SgxConstraints),
    Kind.TDX: Room(tdx_verify.authenticate, tdx_validate.validate, TdxClaims, TdxConstraints),
    Kind.NITRO: Room(nitro_verify.authenticate, nitro_validate.validate, NitroClaims, NitroConstraints),
    Kind.TPM: Room(tpm_verify.authenticate, tpm_validate.validate, TpmClaims, TpmConstraints),
    Kind.AZ_SNP_VTPM: Room(azure_verify.authenticate_snp, azure_validate.validate_snp, AzureSnpClaims, AzureSnpConstraints),
    Kind.AZ_TDX_VTPM: Room(azure_verify.authenticate_tdx, azure_validate.validate_tdx, AzureTdxClaims, AzureTdxConstraints),
    Kind.NVIDIA: Room(nvidia_verify.authenticate, nvidia_validate.validate, NvidiaClaims, NvidiaConstraints),
    Kind.NITROTPM: Room(nitro_verify.authenticate, nitro_validate.validate, NitroClaims, NitroTpmConstraints),
    Kind.CCA: Room(cca_verify.authenticate, cca_validate.validate, CcaClaims, CcaConstraints),
}


def authenticate(
    evidence: Evidence, endorsements: Endorsements, *, roots: Roots, now: datetime, revocation: Revocation, checks: Checks
) -> Claims:
    """Claims that the vendor's chain proves at `now`.

    Raises:
        EvidenceError: `evidence.kind` where there is no verifier, and whatever the verifier of the kind refuses.
        CollateralError: vendor certificates or lists are missing or out of their windows.
    """
    room = _room(evidence.kind)
    return room.authenticate(evidence, endorsements, roots=roots, now=now, revocation=revocation, checks=checks)


def validate(claims: Claims, constraints: Constraints, *, checks: Checks) -> None:
    """Compare claims with the constraints of their own kind.

    Raises:
        EvidenceError: `evidence.kind` when claims and constraints are of different kinds; and what the kind refuses.
        PolicyError: a value is not what the constraints name.
    """
    room = _room(claims.kind)
    if not (isinstance(claims, room.claims) and isinstance(constraints, room.constraints)):
        raise EvidenceError(Code.EVIDENCE_KIND, found=claims.kind.value, wanted=type(constraints).__name__)
    room.validate(claims, constraints, checks=checks)


def _room(kind: Any) -> Room:
    room = ROOMS.get(kind)
    if room is None:
        wanted = ", ".join(kind.value for kind in ROOMS)
        raise EvidenceError(Code.EVIDENCE_KIND, found=str(kind)[:40], wanted=wanted)
    return room
