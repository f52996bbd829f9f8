"""What goes into a verifier: evidence, endorsements, pinned roots."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """Kinds of evidence that have a verifier here."""

    SNP = "snp"


@dataclass(frozen=True)
class Evidence:
    """Unverified evidence of one kind: role to bytes, such as `{"report": ...}`. Its repr shows sizes only."""

    kind: str
    items: Mapping[str, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "items", MappingProxyType(dict(self.items)))

    def __repr__(self) -> str:
        return f"Evidence({self.kind}, {_sizes(self.items)})"


@dataclass(frozen=True)
class Endorsements:
    """Vendor collateral beside the evidence: role to bytes, such as `{"vcek": der, "crl": der}`. Unverified."""

    items: Mapping[str, bytes] = field(repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "items", MappingProxyType(dict(self.items)))

    def __repr__(self) -> str:
        return f"Endorsements({_sizes(self.items)})"


@dataclass(frozen=True)
class Root:
    """A pinned vendor trust anchor: the whole certificate, by value (never by name)."""

    kind: Kind
    name: str
    der: bytes = field(repr=False)
    simulated: bool = False


Roots = tuple[Root, ...]


def _sizes(items: Mapping[str, bytes]) -> str:
    return ", ".join(f"{role}: {len(value)} bytes" for role, value in items.items())
