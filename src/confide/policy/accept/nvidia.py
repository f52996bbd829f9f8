"""The `accept` members of NVIDIA's GPUs and switches: from a policy file to `NvidiaConstraints` and back (spec/06-policy.md, table
"accept, nvidia").

An entry is about each device of a machine, and a policy with one demands at least one device beside the TEE. Driver and VBIOS are
known by NVIDIA's signed manifests, so an entry need not name versions; what it names is a list. Left to others: comparing them with
a report (`attest.nvidia.validate`), which devices belong together (`policy.composite`).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from confide.attest.claims import Claims
from confide.attest.constraints import Ignored
from confide.attest.evidence import Kind
from confide.attest.nvidia.claims import NvidiaClaims
from confide.attest.nvidia.validate import NvidiaConstraints
from confide.codes import Code
from confide.errors import PolicyError
from confide.policy.accept.pcrs import Skip, Some
from confide.policy.members import UNSAFE, convert, unconstrained

TEE = Kind.NVIDIA

_Architecture = Annotated[str, Meta(pattern=r"\A[A-Z0-9_]{2,16}\Z")]
_Version = Annotated[str, Meta(pattern=r"\A[0-9A-Z]{1,8}(?:\.[0-9A-Z]{1,8}){1,7}\Z")]
_Key = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class _Accept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names as in `NvidiaConstraints`."""

    tee: Literal["nvidia"]
    architectures: Annotated[list[_Architecture], Some] | UnsetType = UNSET
    driver_versions: Annotated[list[_Version], Some] | UnsetType = UNSET
    vbios_versions: Annotated[list[_Version], Some] | UnsetType = UNSET
    devices: Annotated[list[_Key], Some] | UnsetType = UNSET
    protected_pcie: bool | UnsetType = UNSET
    allow_missing_manifests: Skip | UnsetType = UNSET
    allow_hold: Skip | UnsetType = UNSET


def constraints(members: Mapping[str, Any]) -> NvidiaConstraints:
    """The constraints of one entry.

    Raises:
        PolicyError: `policy.shape`; `policy.unconstrained` without architectures.
    """
    entry = convert(members, _Accept)
    if entry.architectures is UNSET:
        raise unconstrained("accept.architectures", "a list such as ['GH100']")
    given = ((name, getattr(entry, name)) for name in _Accept.__struct_fields__ if name != "tee")
    return NvidiaConstraints(**{name: _value(name, value) for name, value in given if value is not UNSET})


def _value(name: str, value: Any) -> Any:
    if value == UNSAFE:
        return Ignored.UNSAFE_IGNORED
    if name == "devices":
        return tuple(bytes.fromhex(each) for each in value)
    return tuple(value) if isinstance(value, list) else value


def without_references(claims: Claims) -> NvidiaConstraints:
    """Strict about manifests and holds, open about which device: for showing evidence to people who have no policy yet."""
    as_nvidia(claims)
    return NvidiaConstraints()


def observed(claims: Claims) -> dict[str, Any]:
    """The members of an entry for devices of this kind with exactly this driver and VBIOS."""
    claims = as_nvidia(claims)
    members: dict[str, Any] = {
        "tee": TEE.value,
        "architectures": [claims.architecture],
        "vbios_versions": [claims.vbios_version],
    }
    return members if claims.is_switch else {**members, "driver_versions": [claims.driver_version]}


def as_nvidia(claims: Claims) -> NvidiaClaims:
    """The claims with a device's own fields."""
    if not isinstance(claims, NvidiaClaims):
        raise PolicyError(Code.POLICY_TEE, found=claims.kind.value, wanted=TEE.value)
    return claims
