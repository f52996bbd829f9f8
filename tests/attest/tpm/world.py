"""One false TPM of each cloud, and the real verifier with strict arguments."""

import functools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import confide_sim
from confide.attest.checks import Checks
from confide.attest.constraints import Ignored
from confide.attest.evidence import Endorsements, Evidence, Roots
from confide.attest.roots import TPM_ROOTS
from confide.attest.tpm.claims import TpmClaims
from confide.attest.tpm.validate import TpmConstraints, validate
from confide.attest.tpm.verify import authenticate
from confide.attest.x509 import Revocation
from confide_sim.tpm import GOOGLE, FalseCloud, FalseTpm

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
EXTRA = bytes(range(32))
ROOTS: Roots = (*TPM_ROOTS, *confide_sim.roots())
SKIP = Ignored.UNSAFE_IGNORED


def tpm(cloud: FalseCloud = GOOGLE) -> FalseTpm:
    """A TPM that all tests of a run share; nothing about it changes."""
    return _tpm(cloud)


@functools.cache
def _tpm(cloud: FalseCloud) -> FalseTpm:
    return FalseTpm(cloud, at=NOW)


def genuine(
    cloud: FalseCloud = GOOGLE,
    *,
    one: FalseTpm | None = None,
    endorsements: Mapping[str, Any] | None = None,
    checks: Checks | None = None,
    revocation: Revocation | None = None,
    now: datetime = NOW,
    roots: Roots = ROOTS,
    **quote: Any,
) -> TpmClaims:
    """Authenticate; `endorsements` and `quote` are overrides."""
    device = one or tpm(cloud)
    evidence = device.evidence(**{"extra_data": EXTRA, **quote})
    given = device.endorsements(**(endorsements or {}))
    return verify(evidence, given, now=now, roots=roots, revocation=revocation or Revocation(), checks=checks or Checks())


def verify(evidence: Evidence, endorsements: Endorsements, **arguments: Any) -> TpmClaims:
    """The verifier with strict arguments unless replaced."""
    given: dict[str, Any] = {"roots": ROOTS, "now": NOW, "revocation": Revocation(), "checks": Checks(), **arguments}
    return authenticate(evidence, endorsements, **given)


def strict(claims: TpmClaims, **constraints: Any) -> TpmConstraints:
    """Constraints that the false TPMs satisfy: the host is trusted, by name, and every firmware PCR is listed."""
    pcrs = {index: (value,) for index, value in claims.pcrs.items() if index in {0, 4, 7, 8, 9}}
    return TpmConstraints(**{"pcrs": pcrs, "allow_host_trusted": SKIP, **constraints})


def judge(claims: TpmClaims, *, checks: Checks | None = None, **constraints: Any) -> Checks:
    """Validate; the record that was kept."""
    record = checks or Checks()
    validate(claims, strict(claims, **constraints), checks=record)
    return record
