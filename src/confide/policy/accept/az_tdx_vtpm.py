"""The `accept` members of Azure's confidential VMs on TDX (spec/06-policy.md, table "accept, az-snp-vtpm and az-tdx-vtpm").

The table `tdx` holds what the paravisor's TD must satisfy, in the words of an entry of `tdx`.
"""

from collections.abc import Mapping
from typing import Any

from confide.attest.azure.claims import AzureTdxClaims
from confide.attest.azure.validate import AzureTdxConstraints
from confide.attest.claims import Claims
from confide.attest.evidence import Kind
from confide.codes import Code
from confide.errors import PolicyError
from confide.policy.accept import azure, tdx

TEE = Kind.AZ_TDX_VTPM
HARDWARE = "tdx"


def constraints(members: Mapping[str, Any]) -> AzureTdxConstraints:
    """The constraints of one `accept` entry; raises as `azure.read` and `tdx.constraints`."""
    return AzureTdxConstraints(**azure.read(members, hardware=HARDWARE, constraints=tdx.constraints))


def without_references(claims: Claims) -> AzureTdxConstraints:
    """Strict about the state, open about what runs: for showing evidence to people who have no policy yet."""
    claims = as_azure_tdx(claims)
    return AzureTdxConstraints(**azure.open_members(claims), tdx=tdx.without_references(claims.tdx))


def observed(claims: Claims) -> dict[str, Any]:
    """The members of an entry for exactly this."""
    claims = as_azure_tdx(claims)
    return azure.observed_members(claims, tdx.observed(claims.tdx), hardware=HARDWARE)


def as_azure_tdx(claims: Claims) -> AzureTdxClaims:
    """The claims with the kind's own fields."""
    if not isinstance(claims, AzureTdxClaims):
        raise PolicyError(Code.POLICY_TEE, found=claims.kind.value, wanted=TEE.value)
    return claims
