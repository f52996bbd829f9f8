"""The `accept` members of Arm CCA: from a policy file to `CcaConstraints` and back (spec/06-policy.md, table "accept, cca").

Absent members take the defaults of `CcaConstraints`. No vendor vouches for platform keys, so an entry names them, and they are
pinned by it: `anchors`. Left to others: comparing the rest with a token (`attest.cca.validate`).
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from confide.attest.cca.claims import CcaClaims
from confide.attest.cca.keys import platform_key
from confide.attest.cca.layout import REMS
from confide.attest.cca.validate import CcaConstraints
from confide.attest.claims import Claims
from confide.attest.constraints import Constraints, Ignored
from confide.attest.evidence import Kind, Root, Roots
from confide.codes import Code
from confide.errors import CollateralError, PolicyError
from confide.policy.accept.pcrs import Skip, Some
from confide.policy.members import UNSAFE, convert, shape, unconstrained

TEE = Kind.CCA
MAX_KEYS = 64  # each is tried

_Hash = Annotated[str, Meta(pattern=r"\A(?:[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})\Z")]
_Hashes = Annotated[list[_Hash], Some]
_Keys = Annotated[list[Annotated[str, Meta(pattern=r"\A(?:[0-9a-f]{2}){64,256}\Z")]], Meta(min_length=1, max_length=MAX_KEYS)]
_Hex32 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_Hex33 = Annotated[str, Meta(pattern=r"\A01[0-9a-f]{64}\Z")]
_Hex64 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{128}\Z")]
_Config = Annotated[str, Meta(pattern=r"\A(?:[0-9a-f]{2}){1,4096}\Z")]
_PLAIN = frozenset({"private_memory"})


class _Accept(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Names as in `CcaConstraints`; each extensible measurement has a member of its own."""

    tee: Literal["cca"]
    platform_keys: _Keys | UnsetType = UNSET
    rims: _Hashes | Skip | UnsetType = UNSET
    rem0: _Hashes | Skip | UnsetType = UNSET
    rem1: _Hashes | Skip | UnsetType = UNSET
    rem2: _Hashes | Skip | UnsetType = UNSET
    rem3: _Hashes | Skip | UnsetType = UNSET
    firmware: _Hashes | Skip | UnsetType = UNSET
    firmware_signers: _Hashes | UnsetType = UNSET
    personalizations: Annotated[list[_Hex64], Some] | UnsetType = UNSET
    implementation_ids: Annotated[list[_Hex32], Some] | UnsetType = UNSET
    instance_ids: Annotated[list[_Hex33], Some] | UnsetType = UNSET
    configs: Annotated[list[_Config], Some] | UnsetType = UNSET
    private_memory: bool | UnsetType = UNSET
    allow_debug: Skip | UnsetType = UNSET
    allow_live_firmware: Skip | UnsetType = UNSET
    allow_devices: Skip | UnsetType = UNSET


def constraints(members: Mapping[str, Any]) -> CcaConstraints:
    """The constraints of one entry.

    Raises:
        PolicyError: `policy.shape`; `policy.unconstrained` without platform keys, initial measurements or firmware.
    """
    entry = convert(members, _Accept)
    for name, wanted in (
        ("platform_keys", "a list of SubjectPublicKeyInfos in hex"),
        ("rims", "a list of initial measurements"),
        ("firmware", "a list of measurements of the platform's components"),
    ):
        if getattr(entry, name) is UNSET:
            raise unconstrained(f"accept.{name}", wanted)
    registers = [f"rem{index}" for index in range(REMS)]
    names = [name for name in _Accept.__struct_fields__ if name not in {"tee", *registers}]
    given = {name: _value(name, getattr(entry, name)) for name in names if getattr(entry, name) is not UNSET}
    rems = tuple(None if getattr(entry, name) is UNSET else _value(name, getattr(entry, name)) for name in registers)
    _require_keys(given["platform_keys"])
    return CcaConstraints(**given, rems=rems)


def _value(name: str, value: Any) -> Any:
    if name in _PLAIN:
        return value
    return Ignored.UNSAFE_IGNORED if value == UNSAFE else tuple(bytes.fromhex(item) for item in value)


def _require_keys(keys: Sequence[bytes]) -> None:
    for key in keys:
        try:
            platform_key(key)
        except CollateralError:
            raise shape("accept.platform_keys", f"{key.hex()[:32]}...", "SubjectPublicKeyInfo of P-256, P-384 or P-521") from None


def anchors(accepted: Sequence[Constraints]) -> Roots:
    """The platform keys that a policy's entries pin."""
    keys = dict.fromkeys(key for each in accepted if isinstance(each, CcaConstraints) for key in each.platform_keys)
    return tuple(Root(Kind.CCA, f"platform key {index} of the policy", key) for index, key in enumerate(keys))


def without_references(claims: Claims) -> CcaConstraints:
    """Strict about the state, open about what runs: for showing evidence to people who have no policy yet."""
    found, skip = as_cca(claims), Ignored.UNSAFE_IGNORED
    return CcaConstraints(platform_keys=(found.platform_key,), rims=skip, rems=(skip,) * REMS, firmware=skip)


def observed(claims: Claims) -> dict[str, Any]:
    """The members of an entry for exactly this realm on platforms with this key and firmware."""
    found = as_cca(claims)
    realm = found.realm
    rems = {f"rem{index}": [value.hex()] for index, value in enumerate(realm.extensible_measurements) if any(value)}
    return {
        "tee": TEE.value,
        "platform_keys": [found.platform_key.hex()],
        "rims": [realm.initial_measurement.hex()],
        **rems,
        "firmware": sorted({each.measurement.hex() for each in found.platform.components}),
        "implementation_ids": [found.platform.implementation_id.hex()],
        "personalizations": [realm.personalization.hex()],
    }


def as_cca(claims: Claims) -> CcaClaims:
    """Claims of this kind; `policy.tee` for others."""
    if not isinstance(claims, CcaClaims):
        raise PolicyError(Code.POLICY_TEE, found=claims.kind.value, wanted=TEE.value)
    return claims
