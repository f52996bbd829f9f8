"""The `accept` members of AWS's Nitro Enclaves and NitroTPM: from a policy file to `NitroConstraints` and back (spec/06-policy.md,
table "accept, nitro and nitrotpm").

Absent members take the defaults of `NitroConstraints`. PCRs must name what runs: a register that tells only where it runs, such as
an enclave's PCR4, accepts any software there, so an entry with such registers alone does not load. Left to others: comparing them
with a document (`attest.nitro.validate`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from confide.attest.claims import Claims
from confide.attest.constraints import Ignored
from confide.attest.evidence import Kind
from confide.attest.nitro.claims import NitroClaims
from confide.attest.nitro.validate import NitroConstraints, NitroTpmConstraints
from confide.codes import Code
from confide.errors import PolicyError
from confide.policy.accept.pcrs import Pcr, Skip, Some
from confide.policy.members import UNSAFE, convert, unconstrained

# Registers that name software, by kind. Enclaves: the whole image, or who signed it (Nitro Enclaves User Guide, "PCRs"). Instances:
# the boot loader or unified kernel, and the latter's parts (EC2 User Guide, "NitroTPM"; systemd, "TPM2 PCR Measurements").
SOFTWARE: Mapping[Kind, tuple[int, ...]] = {Kind.NITRO: (0, 8), Kind.NITROTPM: (4, 11)}
# What `observed` writes: registers that are the same on every machine of one image. PCR3 and PCR4 of an enclave tell its parent.
SAME_EVERYWHERE: Mapping[Kind, frozenset[int]] = {Kind.NITRO: frozenset({0, 1, 2, 8}), Kind.NITROTPM: frozenset({4, 7, 11, 12})}

_Digest = Annotated[str, Meta(pattern=r"\A[0-9a-f]{96}\Z")]
_Pcrs = Annotated[dict[Pcr, Annotated[list[_Digest], Some]], Meta(min_length=1, max_length=32)]
_Instance = Annotated[str, Meta(pattern=r"\Ai-[0-9a-f]{8,17}\Z")]
_Region = Annotated[str, Meta(pattern=r"\A[a-z]{2}(?:-[a-z]+)+-[0-9]\Z")]


class _Members(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Names as in `NitroConstraints`."""

    pcrs: _Pcrs | Skip | UnsetType = UNSET
    instance_ids: Annotated[list[_Instance], Some] | UnsetType = UNSET
    regions: Annotated[list[_Region], Some] | UnsetType = UNSET
    maximum_age_minutes: Annotated[int, Meta(ge=1, le=180)] | UnsetType = UNSET


class _Enclave(_Members, frozen=True, forbid_unknown_fields=True, kw_only=True):
    tee: Literal["nitro"]
    allow_debug: Skip | UnsetType = UNSET


class _Instances(_Members, frozen=True, forbid_unknown_fields=True, kw_only=True):
    tee: Literal["nitrotpm"]


@dataclass(frozen=True)
class NitroEntries:
    """The three functions of `table.AcceptKind` for one of the two kinds."""

    kind: Kind

    def constraints(self, members: Mapping[str, Any]) -> NitroConstraints:
        """The constraints of one entry.

        Raises:
            PolicyError: `policy.shape`; `policy.unconstrained` where no register names software.
        """
        entry = convert(members, _Enclave if self.kind is Kind.NITRO else _Instances)
        if entry.pcrs is UNSET or (
            isinstance(entry.pcrs, dict) and not {str(each) for each in SOFTWARE[self.kind]} & set(entry.pcrs)
        ):
            registers = " or ".join(f"PCR{index}" for index in SOFTWARE[self.kind])
            raise unconstrained("accept.pcrs", f"a table of PCR indexes to values, {registers} among them")
        given = {name: getattr(entry, name) for name in entry.__struct_fields__ if name != "tee"}
        read = {name: _value(name, value) for name, value in given.items() if value is not UNSET}
        if "maximum_age_minutes" in read:
            read["maximum_age"] = timedelta(minutes=read.pop("maximum_age_minutes"))
        return (NitroConstraints if self.kind is Kind.NITRO else NitroTpmConstraints)(**read)

    def without_references(self, claims: Claims) -> NitroConstraints:
        """Strict about the state, open about what runs: for showing evidence to people who have no policy yet."""
        self._own(claims)
        return (NitroConstraints if self.kind is Kind.NITRO else NitroTpmConstraints)(pcrs=Ignored.UNSAFE_IGNORED)

    def observed(self, claims: Claims) -> dict[str, Any]:
        """The members of an entry for exactly this image, anywhere."""
        pcrs = self._own(claims).document.pcrs
        kept = {str(index): [pcrs[index].hex()] for index in sorted(SAME_EVERYWHERE[self.kind]) if any(pcrs.get(index, b""))}
        return {"tee": self.kind.value, "pcrs": kept}

    def _own(self, claims: Claims) -> NitroClaims:
        if not isinstance(claims, NitroClaims) or claims.kind is not self.kind:
            raise PolicyError(Code.POLICY_TEE, found=claims.kind.value, wanted=self.kind.value)
        return claims


def _value(name: str, value: Any) -> Any:
    if value == UNSAFE:
        return Ignored.UNSAFE_IGNORED
    if name == "pcrs":
        return {int(index): tuple(bytes.fromhex(each) for each in values) for index, values in value.items()}
    return tuple(value) if isinstance(value, list) else value


ENCLAVES, INSTANCES = NitroEntries(Kind.NITRO), NitroEntries(Kind.NITROTPM)
