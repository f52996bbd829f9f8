"""One false Azure VM, and the real verifier with strict arguments."""

import functools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import confide_sim
from confide.attest.azure.claims import AzureSnpClaims
from confide.attest.azure.validate import AzureSnpConstraints, validate_snp
from confide.attest.azure.verify import authenticate_snp
from confide.attest.checks import Checks
from confide.attest.constraints import Ignored
from confide.attest.evidence import Roots
from confide.attest.roots import AMD_ROOTS
from confide.attest.snp.layout import Product, Tcb
from confide.attest.snp.validate import SnpConstraints
from confide.attest.x509 import Revocation
from confide_sim.amd import TCBS, FalseChip
from confide_sim.azure import FalseVm

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
EXTRA = bytes(range(32))
MEASUREMENT = b"\x5a" * 48
ROOTS: Roots = (*AMD_ROOTS, *confide_sim.roots())
SKIP = Ignored.UNSAFE_IGNORED


@functools.cache
def vm() -> FalseVm:
    """A machine that all tests of a run share; nothing about it changes."""
    return FalseVm(at=NOW, chip=FalseChip(Product.MILAN, at=NOW, chip_id=bytes(range(1, 65))))


def genuine(
    *, endorsements: Mapping[str, Any] | None = None, checks: Checks | None = None, now: datetime = NOW, **evidence: Any
) -> AzureSnpClaims:
    """Authenticate; `endorsements` and `evidence` are overrides."""
    return authenticate_snp(
        vm().evidence(**{"extra_data": EXTRA, **evidence}),
        vm().endorsements(**(endorsements or {})),
        roots=ROOTS,
        now=now,
        revocation=Revocation(),
        checks=checks or Checks(),
    )


def strict(claims: AzureSnpClaims, **constraints: Any) -> AzureSnpConstraints:
    """Constraints that the false VM satisfies."""
    minimum: dict[Product, Tcb] = dict(TCBS)
    pcrs = {index: (value,) for index, value in claims.pcrs.items() if index in {0, 4, 7}}
    hardware = SnpConstraints(measurements=(MEASUREMENT,), minimum_tcb=minimum)
    return AzureSnpConstraints(**{"pcrs": pcrs, "snp": hardware, **constraints})


def judge(claims: AzureSnpClaims, **constraints: Any) -> Checks:
    """Validate; the record that was kept."""
    record = Checks()
    validate_snp(claims, strict(claims, **constraints), checks=record)
    return record
