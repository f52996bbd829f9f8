"""One false platform of each kind and CA, and the real verifiers with strict arguments."""

import functools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from confide.attest import verifiers
from confide.attest.checks import Checks
from confide.attest.dcap.claims import IntelClaims
from confide.attest.evidence import Endorsements, Evidence, Kind, Roots
from confide.attest.roots import INTEL_ROOTS
from confide.attest.x509 import Revocation
from confide_sim import intel
from confide_sim.intel import FalsePlatform

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
REPORT_DATA = bytes(range(64))
ROOTS: Roots = (*INTEL_ROOTS, intel.root())


@functools.cache
def platform(kind: Kind = Kind.SGX, ca: str = "platform") -> FalsePlatform:
    """A platform that all tests of a run share; nothing about it changes."""
    return FalsePlatform(kind, ca=ca, at=NOW, seed=b"tests")


def genuine(
    kind: Kind = Kind.SGX,
    ca: str = "platform",
    *,
    quote: Mapping[str, Any] | None = None,
    endorsements: Mapping[str, Any] | None = None,
    **arguments: Any,
) -> IntelClaims:
    """Authenticate; `quote` and `endorsements` are overrides, `arguments` replace those of the verifier."""
    one = platform(kind, ca)
    evidence = one.evidence(**{"report_data": REPORT_DATA, **(quote or {})})
    return verify(evidence, one.endorsements(**(endorsements or {})), **arguments)


def verify(evidence: Evidence, endorsements: Endorsements, **arguments: Any) -> IntelClaims:
    """The verifier of the kind with strict arguments unless replaced."""
    given: dict[str, Any] = {"roots": ROOTS, "now": NOW, "revocation": Revocation(), "checks": Checks(), **arguments}
    found = verifiers.authenticate(evidence, endorsements, **given)
    if not isinstance(found, IntelClaims):
        raise TypeError(type(found).__name__)
    return found


def chain(leaf: bytes | None = None, ca: bytes | None = None, root: bytes | None = None) -> dict[str, Any]:
    """A quote's override: type 5 with certificates replaced."""
    parts = (leaf or platform().certificate, ca or intel.ca_certificate(), root or intel.root().der)
    return {"certification": (5, intel.pem(*parts))}
