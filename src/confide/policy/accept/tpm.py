"""The `accept` members of a cloud's TPM: from a policy file to `TpmConstraints` and back (spec/06-policy.md, table "accept, tpm").

Absent members take the defaults of `TpmConstraints`; without `allow_host_trusted` no quote is accepted, because the host makes the
TPM. Left to others: comparing them with a quote (`attest.tpm.validate`).
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from confide.attest.claims import Claims
from confide.attest.constraints import Ignored
from confide.attest.evidence import Kind
from confide.attest.tpm.ak import Authority
from confide.attest.tpm.claims import TpmClaims
from confide.attest.tpm.platform import Technology
from confide.attest.tpm.validate import TpmConstraints
from confide.codes import Code
from confide.errors import PolicyError
from confide.policy.accept.pcrs import Bank, Pcrs, Skip, Some, banks_of, observed_pcrs, pcrs_of
from confide.policy.members import UNSAFE, convert, unconstrained

TEE = Kind.TPM

_Name = Annotated[str, Meta(pattern=r"\A[\x21-\x7e]{1,128}\Z")]
_Number = Annotated[str, Meta(pattern=r"\A(?:0|[1-9][0-9]{0,19})\Z")]  # 64 bits, more than an integer of JSON holds


class _Accept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names as in `TpmConstraints`."""

    tee: Literal["tpm"]
    pcrs: Pcrs | Skip | UnsetType = UNSET
    banks: Annotated[list[Bank], Some] | UnsetType = UNSET
    allow_host_trusted: Skip | UnsetType = UNSET
    authorities: Annotated[list[Literal["google", "azure"]], Some] | UnsetType = UNSET
    projects: Annotated[list[_Name], Some] | UnsetType = UNSET
    zones: Annotated[list[_Name], Some] | UnsetType = UNSET
    instances: Annotated[list[_Number], Some] | UnsetType = UNSET
    technologies: Annotated[list[Literal["none", "amd_sev", "amd_sev_es", "intel_tdx", "amd_sev_snp"]], Some] | UnsetType = UNSET
    secure_boot: bool | UnsetType = UNSET


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "pcrs": pcrs_of,
    "banks": banks_of,
    "authorities": lambda names: tuple(Authority(name) for name in names),
    "instances": lambda numbers: tuple(map(int, numbers)),
    "technologies": lambda names: tuple(Technology[name.upper()] for name in names),
}


def constraints(members: Mapping[str, Any]) -> TpmConstraints:
    """The constraints of one `accept` entry.

    Raises:
        PolicyError: `policy.shape`; `policy.unconstrained` without PCRs.
    """
    entry = convert(members, _Accept)
    if entry.pcrs is UNSET:
        raise unconstrained("accept.pcrs", "a table of PCR indexes to values")
    given = ((name, getattr(entry, name)) for name in _Accept.__struct_fields__ if name != "tee")
    return TpmConstraints(**{name: _value(name, value) for name, value in given if value is not UNSET})


def _value(name: str, value: Any) -> Any:
    if value == UNSAFE:
        return Ignored.UNSAFE_IGNORED
    if name in _READERS:
        return _READERS[name](value)
    return tuple(value) if isinstance(value, list) else value


def without_references(claims: Claims) -> TpmConstraints:
    """Strict about the state, open about what runs: for showing evidence to people who have no policy yet."""
    as_tpm(claims)
    return TpmConstraints(pcrs=Ignored.UNSAFE_IGNORED, allow_host_trusted=Ignored.UNSAFE_IGNORED)


def observed(claims: Claims) -> dict[str, Any]:
    """The members of an entry for exactly this boot on this project. That the host is trusted stands in it, for people to read."""
    claims = as_tpm(claims)
    members: dict[str, Any] = {
        "tee": TEE.value,
        "allow_host_trusted": UNSAFE,
        "authorities": [claims.authority.value],
        **observed_pcrs(claims.bank, claims.pcrs),
    }
    if claims.instance is not None:
        members["projects"] = [claims.instance.project_id]
    if claims.platform.technology is not None:
        members["technologies"] = [claims.platform.technology.name.lower()]
    if claims.platform.secure_boot:
        members["secure_boot"] = True
    return members


def as_tpm(claims: Claims) -> TpmClaims:
    """The claims with a TPM's own fields."""
    if not isinstance(claims, TpmClaims):
        raise PolicyError(Code.POLICY_TEE, found=claims.kind.value, wanted=TEE.value)
    return claims
