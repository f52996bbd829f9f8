"""The `accept` members about an Intel platform, which SGX and TDX share: from a policy file to `IntelConstraints` and back.

Absent members take the defaults of `IntelConstraints`: UpToDate alone. Left to others: the TEE's own members (`sgx`, `tdx`).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from confide.attest.constraints import Ignored
from confide.attest.dcap.claims import IntelClaims
from confide.attest.dcap.constraints import NEVER
from confide.attest.dcap.tcb import TcbStatus
from confide.policy.members import UNSAFE, shape

MAX_LIST = 1024
Skip = Literal["unsafe_ignored"]
Some = Meta(min_length=1, max_length=MAX_LIST)
Hex6 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{12}\Z")]
Hex16 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]
Hex48 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{96}\Z")]
Advisory = Annotated[str, Meta(pattern=r"\A[A-Z0-9-]{1,64}\Z")]
Tcb = dict[TcbStatus, Annotated[list[Advisory], Meta(max_length=MAX_LIST)] | Skip]
Accepted = Mapping[TcbStatus, tuple[str, ...] | Ignored]
BYTE_LISTS = frozenset({"platform_ids", "fmspcs"})


class Members(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Names as in `IntelConstraints`."""

    tcb: Tcb | UnsetType = UNSET
    allow_any_tcb: Skip | UnsetType = UNSET
    minimum_evaluation_number: Annotated[int, Meta(ge=0, le=2**32 - 1)] | UnsetType = UNSET
    platform_ids: Annotated[list[Hex16], Some] | UnsetType = UNSET
    fmspcs: Annotated[list[Hex6], Some] | UnsetType = UNSET
    smt: bool | UnsetType = UNSET
    dynamic_platform: bool | UnsetType = UNSET
    cached_keys: bool | UnsetType = UNSET


def platform_of(entry: Members) -> dict[str, Any]:
    """The arguments of `IntelConstraints` that the entry gives."""
    given = ((name, getattr(entry, name)) for name in Members.__struct_fields__)
    return {name: _value(name, value) for name, value in given if value is not UNSET}


def _value(name: str, value: Any) -> Any:
    if name == "tcb":
        return _tcb(value)
    if value == UNSAFE:
        return Ignored.UNSAFE_IGNORED
    return tuple(bytes.fromhex(item) for item in value) if name in BYTE_LISTS else value


def _tcb(table: Mapping[TcbStatus, Any]) -> Accepted:
    """Statuses accepted beside UpToDate, with their advisories; some can never be (`dcap.constraints.NEVER`)."""
    never = next((status for status in table if status in NEVER), None)
    if never is not None or not table:
        raise shape("accept.tcb", never.value if never else "{}", "statuses that a policy may accept")
    read = {status: Ignored.UNSAFE_IGNORED if value == UNSAFE else tuple(value) for status, value in table.items()}
    return MappingProxyType({TcbStatus.UP_TO_DATE: Ignored.UNSAFE_IGNORED, **read})


def open_platform(claims: IntelClaims) -> dict[str, Any]:
    """Whatever Intel says of the TCB is accepted, and shown: for people who have no policy yet."""
    return {} if claims.standing is TcbStatus.UP_TO_DATE else {"allow_any_tcb": Ignored.UNSAFE_IGNORED}


def observed_platform(claims: IntelClaims) -> dict[str, Any]:
    """The members that accept exactly this TCB: its status with the advisories that apply, and no older collateral."""
    members: dict[str, Any] = {}
    if claims.standing is None:
        members["allow_any_tcb"] = UNSAFE
    elif claims.standing is not TcbStatus.UP_TO_DATE and claims.standing not in NEVER:
        members["tcb"] = {claims.standing.value: list(claims.advisories)}
    if claims.tcb_evaluation_number is not None:
        members["minimum_evaluation_number"] = claims.tcb_evaluation_number
    return members
