"""Rollback state: the highest numbers seen so far, which may only grow (DESIGN section 4).

A verifier takes a state and returns the advanced one inside its verdict; nothing here touches a file. Kept per policy name: the
serial of the policy itself and that of the node's own policy (`policy_serial` of its keyset). Kept per kind of TEE: the vendor's
TCB evaluation number, where the vendor has one (AMD has none). Left to others: where the state lives (`client`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated

import msgspec

from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.keyset import Keyset
from confide.codes import Code
from confide.errors import EvidenceError, MisuseError, PolicyError
from confide.formats import strictjson
from confide.policy.model import Policy

MAX_STATE = 1 << 20  # bytes; one policy name costs about 60
VERSION = 1

_Number = Annotated[int, msgspec.Meta(ge=0, le=strictjson.MAX_SAFE_INTEGER)]


class _State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    policy_serials: dict[str, _Number]
    keyset_serials: dict[str, _Number]
    tcb_evaluation: dict[str, _Number]


@dataclass(frozen=True)
class RollbackState:
    """Immutable; `advance` gives a new one. Merging two states keeps the higher numbers."""

    policy_serials: Mapping[str, int] = field(default_factory=dict)
    keyset_serials: Mapping[str, int] = field(default_factory=dict)
    tcb_evaluation: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("policy_serials", "keyset_serials", "tcb_evaluation"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @classmethod
    def from_json(cls, data: bytes) -> "RollbackState":
        """Read a saved state; `verdict.state` for anything else, since an unreadable state must not pass for an empty one."""
        try:
            state = strictjson.load_as(data, _State, limit=MAX_STATE)
        except strictjson.JsonError as error:
            raise MisuseError(Code.VERDICT_STATE, found=f"{error.code.value} {error.found}", wanted="a saved state") from None
        if state.version != VERSION:
            raise MisuseError(Code.VERDICT_STATE, found=f"version {state.version}", wanted=f"version {VERSION}")
        return cls(state.policy_serials, state.keyset_serials, state.tcb_evaluation)

    def to_json(self) -> bytes:
        """Deterministic bytes: names sorted."""
        members = (dict(sorted(m.items())) for m in (self.policy_serials, self.keyset_serials, self.tcb_evaluation))
        return strictjson.dumps(dict(zip(("version", *_MEMBERS), (VERSION, *members), strict=True)))

    def merge(self, other: "RollbackState") -> "RollbackState":
        """The higher number of each pair: for a file that another process may have advanced."""
        return RollbackState(*(_highest(getattr(self, name), getattr(other, name)) for name in _MEMBERS))

    def check_policy(self, policy: Policy, *, checks: Checks) -> None:
        """The policy's own serial is not below the highest seen under its name (`policy.rollback`)."""
        seen = self.policy_serials.get(policy.name, 0)
        checks.require(
            policy.serial >= seen,
            Code.POLICY_ROLLBACK,
            "policy serial",
            found=str(policy.serial),
            wanted=f"at least {seen}" if seen else "any: none was seen before",
            error=PolicyError,
        )

    def check_node(self, policy: Policy, keyset: Keyset, claims: Sequence[Claims], *, checks: Checks) -> None:
        """The node's policy serial and the vendor's TCB evaluation numbers do not fall (`verdict.rollback`)."""
        seen = self.keyset_serials.get(policy.name)
        if seen is not None:
            _not_below(checks, "node policy serial", found=keyset.policy_serial, seen=seen)
        for kind, number in evaluation_numbers(claims).items():
            _not_below(checks, f"{kind} TCB evaluation number", found=number, seen=self.tcb_evaluation.get(kind, 0))

    def advance(self, policy: Policy, keyset: Keyset, claims: Sequence[Claims]) -> "RollbackState":
        """The state after a verdict."""
        serials = {} if keyset.policy_serial is None else {policy.name: keyset.policy_serial}
        return self.merge(RollbackState({policy.name: policy.serial}, serials, evaluation_numbers(claims)))


def evaluation_numbers(claims: Sequence[Claims]) -> dict[str, int]:
    """Intel's `tcbEvaluationDataNumber` by kind; claims of kinds without one (AMD's) have no such attribute."""
    numbers = ((each.kind.value, getattr(each, "tcb_evaluation_number", None)) for each in claims)
    return {kind: number for kind, number in numbers if number is not None}


_MEMBERS = ("policy_serials", "keyset_serials", "tcb_evaluation")


def _highest(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in {**one, **other}}


def _not_below(checks: Checks, title: str, *, found: int | None, seen: int) -> None:
    checks.require(
        found is not None and found >= seen,
        Code.VERDICT_ROLLBACK,
        title,
        found="none" if found is None else str(found),
        wanted=f"at least {seen}",
        error=EvidenceError,
    )
