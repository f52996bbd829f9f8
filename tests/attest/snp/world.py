"""One false chip of each product and kind of key, and the real verifier with strict arguments."""

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import confide_sim
from confide.attest.checks import Checks
from confide.attest.evidence import Endorsements, Evidence, Roots
from confide.attest.roots import AMD_ROOTS
from confide.attest.snp.claims import SnpClaims
from confide.attest.snp.layout import Product, SigningKey, Tcb
from confide.attest.snp.validate import SnpConstraints, validate
from confide.attest.snp.verify import authenticate
from confide.attest.x509 import Revocation
from confide_sim.amd import CSP_ID, TCBS, FalseChip

NOW = datetime(2026, 6, 1, tzinfo=UTC)
REPORT_DATA = bytes(range(64))
MEASUREMENT = b"\x5a" * 48
ROOTS: Roots = (*AMD_ROOTS, *confide_sim.roots())


def chip(product: Product = Product.MILAN, key: SigningKey = SigningKey.VCEK) -> FalseChip:
    """A chip that all tests of a run share; nothing about it changes."""
    return _chip(product, key)


@functools.cache
def _chip(product: Product, key: SigningKey) -> FalseChip:
    return FalseChip(product, signing_key=key, at=NOW, chip_id=bytes(range(1, 65)))


def genuine(
    product: Product = Product.MILAN,
    key: SigningKey = SigningKey.VCEK,
    *,
    report: Mapping[str, Any] | None = None,
    endorsements: Mapping[str, Any] | None = None,
    **arguments: Any,
) -> SnpClaims:
    """Authenticate; `report` and `endorsements` are overrides, `arguments` replace those of the verifier."""
    one = chip(product, key)
    evidence = one.evidence(report_data=REPORT_DATA, **{"measurement": MEASUREMENT, **(report or {})})
    return verify(evidence, one.endorsements(**(endorsements or {})), **arguments)


def verify(evidence: Evidence, endorsements: Endorsements, **arguments: Any) -> SnpClaims:
    """The verifier with strict arguments unless replaced."""
    given: dict[str, Any] = {"roots": ROOTS, "now": NOW, "revocation": Revocation(), "checks": Checks(), **arguments}
    return authenticate(evidence, endorsements, **given)


def strict(**constraints: Any) -> SnpConstraints:
    """Constraints that the false chips satisfy, without anything ignored."""
    minimum: dict[Product, Tcb] = dict(TCBS)
    return SnpConstraints(**{"measurements": (MEASUREMENT,), "minimum_tcb": minimum, **constraints})


def judge(claims: SnpClaims, *, checks: Checks | None = None, **constraints: Any) -> Checks:
    """Validate; the record that was kept."""
    record = checks or Checks()
    validate(claims, strict(**constraints), checks=record)
    return record


PROVIDER = CSP_ID
