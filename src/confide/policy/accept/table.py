"""Which module reads and writes the `accept` entries of which kind."""

from collections.abc import Mapping
from typing import Any, Protocol

from confide.attest.claims import Claims
from confide.attest.constraints import Constraints
from confide.attest.evidence import Kind
from confide.codes import Code
from confide.errors import PolicyError
from confide.policy.accept import az_snp_vtpm, az_tdx_vtpm, cca, nitro, nvidia, sgx, snp, tdx, tpm


class AcceptKind(Protocol):
    """What the module of a kind offers."""

    def constraints(self, members: Mapping[str, Any]) -> Constraints:
        """The constraints of one entry; `policy.shape` or `policy.unconstrained` for a wrong one."""
        ...

    def without_references(self, claims: Claims) -> Constraints:
        """Strict about the state, open about what runs and who signed: for showing evidence to people who have no policy yet."""
        ...

    def observed(self, claims: Claims) -> dict[str, Any]:
        """The members of an entry, `tee` first, that accepts exactly these claims: for trust on first use."""
        ...


KINDS: Mapping[Kind, AcceptKind] = {
    Kind.SNP: snp,
    Kind.SGX: sgx,
    Kind.TDX: tdx,
    Kind.NITRO: nitro.ENCLAVES,
    Kind.NITROTPM: nitro.INSTANCES,
    Kind.TPM: tpm,
    Kind.AZ_SNP_VTPM: az_snp_vtpm,
    Kind.AZ_TDX_VTPM: az_tdx_vtpm,
    Kind.NVIDIA: nvidia,
    Kind.CCA: cca,
}


def of(tee: Any) -> tuple[Kind, AcceptKind]:
    """The kind that a policy calls `tee`, and its module.

    Raises:
        PolicyError: `policy.tee` for what no policy can name.
    """
    for kind, module in KINDS.items():
        if tee == kind.value:
            return kind, module
    wanted = ", ".join(repr(each.value) for each in KINDS)
    raise PolicyError(Code.POLICY_TEE, found=f"accept.tee = {tee!r}"[:80], wanted=wanted)
