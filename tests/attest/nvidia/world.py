"""One false device of each kind, and the real verifier with strict arguments."""

import functools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from confide.attest import verifiers
from confide.attest.checks import Checks
from confide.attest.evidence import Endorsements, Evidence, Roots
from confide.attest.nvidia.claims import NvidiaClaims
from confide.attest.nvidia.validate import NvidiaConstraints, validate
from confide.attest.roots import NVIDIA_ROOTS
from confide.attest.x509 import Revocation
from confide_sim import nvidia
from confide_sim.nvidia import FalseGpu

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NONCE = bytes(range(32))
ROOTS: Roots = (*NVIDIA_ROOTS, *nvidia.roots())


@functools.cache
def gpu(architecture: str = "GH100") -> FalseGpu:
    """A device that all tests of a run share; nothing about it changes."""
    return FalseGpu(architecture, at=NOW, seed=b"tests")


@functools.cache
def _endorsements(architecture: str) -> Endorsements:
    return gpu(architecture).endorsements()


def genuine(
    architecture: str = "GH100",
    *,
    endorsements: Mapping[str, bytes | None] | None = None,
    arguments: Mapping[str, Any] | None = None,
    **report: Any,
) -> NvidiaClaims:
    """Authenticate; `endorsements` and `report` are overrides."""
    one = gpu(architecture)
    given = {role.replace("_", "-"): value for role, value in (endorsements or {}).items()}
    items = {**_endorsements(architecture).items, **given}
    kept = Endorsements({role: value for role, value in items.items() if value is not None})
    return verify(one.evidence(**{"nonce": NONCE, **report}), kept, **(arguments or {}))


def verify(evidence: Evidence, endorsements: Endorsements, **arguments: Any) -> NvidiaClaims:
    """The verifier with strict arguments unless replaced."""
    given: dict[str, Any] = {"roots": ROOTS, "now": NOW, "revocation": Revocation(), "checks": Checks(), **arguments}
    found = verifiers.authenticate(evidence, endorsements, **given)
    if not isinstance(found, NvidiaClaims):
        raise TypeError(type(found).__name__)
    return found


def judge(claims: NvidiaClaims, **constraints: Any) -> Checks:
    """Validate; the record that was kept."""
    checks = Checks()
    validate(claims, NvidiaConstraints(**constraints), checks=checks)
    return checks
