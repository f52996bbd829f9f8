"""The `accept` members of Azure's confidential VMs on SEV-SNP (spec/06-policy.md, table "accept, az-snp-vtpm and az-tdx-vtpm").

The table `snp` holds what the paravisor's report must satisfy, in the words of an entry of `snp`.
"""

from collections.abc import Mapping
from typing import Any

from confide.attest.azure.claims import AzureSnpClaims
from confide.attest.azure.validate import AzureSnpConstraints
from confide.attest.claims import Claims
from confide.attest.evidence import Kind
from confide.codes import Code
from confide.errors import PolicyError
from confide.policy.accept import azure, snp

TEE = Kind.AZ_SNP_VTPM
HARDWARE = "snp"


def constraints(members: Mapping[str, Any]) -> AzureSnpConstraints:
    """The constraints of one `accept` entry; raises as `azure.read` and `snp.constraints`."""
    return AzureSnpConstraints(**azure.read(members, hardware=HARDWARE, constraints=snp.constraints))


def without_references(claims: Claims) -> AzureSnpConstraints:
    """Strict about the state, open about what runs: for showing evidence to people who have no policy yet."""
    claims = as_azure_snp(claims)
    return AzureSnpConstraints(**azure.open_members(claims), snp=snp.without_references(claims.snp))


def observed(claims: Claims) -> dict[str, Any]:
    """The members of an entry for exactly this."""
    claims = as_azure_snp(claims)
    return azure.observed_members(claims, snp.observed(claims.snp), hardware=HARDWARE)


def as_azure_snp(claims: Claims) -> AzureSnpClaims:
    """The claims with the kind's own fields."""
    if not isinstance(claims, AzureSnpClaims):
        raise PolicyError(Code.POLICY_TEE, found=claims.kind.value, wanted=TEE.value)
    return claims
