"""One realm on the false platform, and the real verifier with strict arguments."""

from datetime import UTC, datetime
from typing import Any

from confide.attest import verifiers
from confide.attest.cca.claims import CcaClaims
from confide.attest.cca.validate import CcaConstraints
from confide.attest.checks import Checks
from confide.attest.evidence import Endorsements, Evidence, Kind, Root
from confide.attest.x509 import Revocation
from confide_sim import arm, x509
from confide_sim.arm import FalseRealm
from confide_sim.aws import key_of

NOW = datetime(2026, 6, 1, tzinfo=UTC)
CHALLENGE = bytes(range(64))
REALM = FalseRealm(seed=b"tests")
OTHER = key_of("arm/another")
OTHER_ROOT = Root(Kind.CCA, "another platform", x509.spki(OTHER))
STRICT = CcaConstraints(platform_keys=(arm.root().der,), rims=(arm.RIM,), firmware=tuple(arm.FIRMWARE.values()))


def genuine(*, arguments: dict[str, Any] | None = None, **overrides: Any) -> CcaClaims:
    """Authenticate a token; `overrides` are of `FalseRealm.token`."""
    return verify(REALM.evidence(**{"report_data": CHALLENGE, **overrides}), **(arguments or {}))


def verify(evidence: Evidence, **arguments: Any) -> CcaClaims:
    """The verifier with strict arguments unless replaced."""
    given: dict[str, Any] = {"roots": (arm.root(),), "now": NOW, "revocation": Revocation(), "checks": Checks(), **arguments}
    found = verifiers.authenticate(evidence, Endorsements({}), **given)
    if not isinstance(found, CcaClaims):
        raise TypeError(type(found).__name__)
    return found
