"""What a device gives before anybody has checked it. Left to others: checking it (`checked`), each kernel's interface."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from confide.attest.evidence import Kind
from confide.codes import Code
from confide.guest import GuestError

NOTHING: Mapping[str, bytes] = MappingProxyType({})


class AnotherKindError(GuestError):
    """The interface works, and what is behind it is of another kind: nothing is wrong with it."""


@dataclass(frozen=True)
class Raw:
    """Evidence by role, and what the host gave beside it, by role. Unverified."""

    evidence: Mapping[str, bytes] = field(repr=False)
    endorsements: Mapping[str, bytes] = field(repr=False, default_factory=lambda: NOTHING)


@dataclass(frozen=True)
class Finding:
    """One interface that exists: whether this version can use it here, and if not, why."""

    name: str
    path: str
    usable: bool
    found: str


class Source(Protocol):
    """One interface to whatever signs for this process."""

    @property
    def kind(self) -> Kind:
        """Of the evidence."""
        ...

    @property
    def name(self) -> str:
        """As in `guest.tee.DEVICES`, or `nvml`."""
        ...

    def check(self) -> None:
        """Raise `guest.device` unless the interface can be used; asks for no evidence."""
        ...

    def read(self, carried: bytes) -> Raw:
        """Evidence that carries these bytes (`attest.binding.carried_by`); `guest.quote` when there is none."""
        ...


def bounded(path: Path, limit: int, *, what: str) -> bytes:
    """A whole file of the kernel's, up to `limit` bytes. `OSError` is the caller's to tell.

    Raises:
        GuestError: `guest.quote` for one that is larger.
    """
    with path.open("rb", buffering=0) as file:
        data = bytearray()
        while piece := file.read(limit + 1 - len(data)):
            data += piece
    if len(data) > limit:
        raise GuestError(Code.GUEST_QUOTE, found=f"over {limit} bytes of {what}", wanted=what)
    return bytes(data)
