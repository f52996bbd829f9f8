"""What the entries of Azure's two kinds share: members about the vTPM and the machine; the hardware's own stand in a table inside.

Absent members take the defaults of `AzureConstraints`. Left to others: the hardware's members (`snp`, `tdx`).
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from confide.attest.azure.claims import AzureClaims
from confide.attest.constraints import Constraints, Ignored
from confide.policy.accept.pcrs import Bank, Pcrs, Skip, Some, banks_of, observed_pcrs, pcrs_of
from confide.policy.members import UNSAFE, convert, shape, unconstrained

_Id = Annotated[str, Meta(pattern=r"\A[0-9A-Fa-f-]{1,64}\Z")]


class Members(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names as in `AzureConstraints`."""

    tee: str
    pcrs: Pcrs | Skip | UnsetType = UNSET
    banks: Annotated[list[Bank], Some] | UnsetType = UNSET
    secure_boot: bool | UnsetType = UNSET
    console: bool | UnsetType = UNSET
    vm_ids: Annotated[list[_Id], Some] | UnsetType = UNSET
    allow_no_quote: Skip | UnsetType = UNSET


def read(members: Mapping[str, Any], *, hardware: str, constraints: Callable[[Mapping[str, Any]], Constraints]) -> dict[str, Any]:
    """The arguments of the kind's constraints. The table `hardware` holds the members of that kind's own entry, without `tee`.

    Raises:
        PolicyError: `policy.shape`; `policy.unconstrained` without PCRs or without the table.
    """
    given = dict(members)
    inner = given.pop(hardware, None)
    entry = convert(given, Members)
    if entry.pcrs is UNSET:
        raise unconstrained("accept.pcrs", "a table of PCR indexes to values")
    if inner is None:
        raise unconstrained(f"accept.{hardware}", f"a table with the members of an entry of {hardware}")
    table = convert(inner, dict[str, Any])
    if "tee" in table:
        raise shape(f"accept.{hardware}.tee", "present", "one tee, of the entry")
    values = {name: getattr(entry, name) for name in Members.__struct_fields__ if name != "tee"}
    return {
        hardware: constraints({"tee": hardware, **table}),
        **{name: _value(name, value) for name, value in values.items() if value is not UNSET},
    }


def _value(name: str, value: Any) -> Any:
    if name == "pcrs":
        return pcrs_of(value)
    if value == UNSAFE:
        return Ignored.UNSAFE_IGNORED
    if name == "banks":
        return banks_of(value)
    return tuple(value) if isinstance(value, list) else value


def open_members(claims: AzureClaims) -> dict[str, Any]:
    """Strict about the state, open about what was booted; evidence without a quote is shown as such."""
    skip = Ignored.UNSAFE_IGNORED
    return {"pcrs": skip, "allow_no_quote": skip} if claims.attest is None else {"pcrs": skip}


def observed_members(claims: AzureClaims, inner: Mapping[str, Any], *, hardware: str) -> dict[str, Any]:
    """The members of an entry for exactly this: PCRs, and what the hardware's own entry would say."""
    members: dict[str, Any] = {"tee": claims.kind.value}
    if claims.attest is None:
        members |= {"pcrs": UNSAFE, "allow_no_quote": UNSAFE}
    else:
        members |= observed_pcrs(claims.bank, claims.pcrs)
    if claims.hcl.configuration.get("secure-boot") is not True:
        members["secure_boot"] = False
    return members | {hardware: {name: value for name, value in inner.items() if name != "tee"}}
