"""One false AWS machine of each kind, and the real verifier with strict arguments."""

import functools
from datetime import UTC, datetime, timedelta
from typing import Any

from confide.attest import verifiers
from confide.attest.checks import Checks
from confide.attest.evidence import Endorsements, Evidence, Kind, Roots
from confide.attest.nitro.claims import NitroClaims
from confide.attest.roots import AWS_ROOTS
from confide.attest.x509 import Revocation
from confide_sim import aws
from confide_sim.aws import FalseHost

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
USER_DATA = bytes(range(64))
ROOTS: Roots = (*AWS_ROOTS, aws.root())


@functools.cache
def host(kind: Kind = Kind.NITRO) -> FalseHost:
    """A machine that all tests of a run share; nothing about it changes."""
    return FalseHost(kind, at=NOW, seed=b"tests")


def genuine(kind: Kind = Kind.NITRO, *, arguments: dict[str, Any] | None = None, **overrides: Any) -> NitroClaims:
    """Authenticate a document of the kind; `overrides` are its fields'."""
    return verify(host(kind).evidence(**{"report_data": USER_DATA, **overrides}), **(arguments or {}))


def verify(evidence: Evidence, **arguments: Any) -> NitroClaims:
    """The verifier with strict arguments unless replaced."""
    given: dict[str, Any] = {"roots": ROOTS, "now": NOW, "revocation": Revocation(), "checks": Checks(), **arguments}
    found = verifiers.authenticate(evidence, Endorsements({}), **given)
    if not isinstance(found, NitroClaims):
        raise TypeError(type(found).__name__)
    return found
