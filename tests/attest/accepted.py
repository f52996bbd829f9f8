"""Accepted evidence of every kind, from the false vendors, and the one call that judges it, for tests that hold for all kinds.

Left to others: the fields of each kind, and how each can lie (`<kind>/world.py` and the tests beside them).
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import confide_sim
from confide.attest import verifiers
from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.attest.nvidia.claims import NvidiaClaims
from confide.attest.nvidia.validate import NvidiaConstraints, validate
from confide.attest.roots import VENDOR_ROOTS
from confide.attest.snp.layout import Product, SigningKey
from confide.attest.x509 import Revocation
from confide_sim import td, tpm
from confide_sim.amd import FalseChip
from confide_sim.arm import FalseRealm
from confide_sim.aws import FalseHost
from confide_sim.azure import FalseTdVm, FalseVm
from confide_sim.intel import FalsePlatform
from confide_sim.nvidia import FalseGpu

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DATA = bytes(range(64))
ROOTS = (*VENDOR_ROOTS, *confide_sim.roots())
SEED = b"tests"


@dataclass(frozen=True)
class Accepted:
    """What a false device handed out, and what its vendor says of it."""

    evidence: Evidence
    endorsements: Endorsements

    def verify(self, *, evidence: Mapping[str, bytes] | None = None, endorsements: Mapping[str, bytes] | None = None) -> Claims:
        """The real verifier with strict arguments; `evidence` and `endorsements` replace roles."""
        return self.judge(Checks(), evidence=evidence, endorsements=endorsements)

    def judge(
        self,
        checks: Checks,
        *,
        evidence: Mapping[str, bytes] | None = None,
        endorsements: Mapping[str, bytes] | None = None,
    ) -> Claims:
        """As `verify`, into a record of the caller's.

        A GPU's manifests that do not verify are told by the second door, so that one is passed too.
        """
        items = {**self.evidence.items, **(evidence or {})}
        given = Endorsements({**self.endorsements.items, **(endorsements or {})})
        arguments: dict[str, Any] = {"roots": ROOTS, "now": NOW, "revocation": Revocation(), "checks": checks}
        found = verifiers.authenticate(Evidence(self.evidence.kind, items), given, **arguments)
        if isinstance(found, NvidiaClaims):
            validate(found, NvidiaConstraints(), checks=Checks())
        return found


def _snp(product: Product, key: SigningKey) -> Accepted:
    chip = FalseChip(product, signing_key=key, at=NOW, chip_id=bytes(range(1, 65)))
    return Accepted(chip.evidence(report_data=DATA), chip.endorsements())


def _intel(kind: Kind, **quote: Any) -> Accepted:
    platform = FalsePlatform(kind, at=NOW, seed=SEED)
    return Accepted(platform.evidence(report_data=DATA, **quote), platform.endorsements())


def _tdx(size: int) -> Accepted:
    """With the log that leads to the registers, and the table that says what kind of log it is."""
    events = td.boot_events(workload=b"workload")
    one = _intel(Kind.TDX, size=size, **td.rtmrs(events))
    items = {**one.evidence.items, "event-log": td.event_log(events), "ccel-table": td.ccel_table()}
    return Accepted(Evidence(Kind.TDX, items), one.endorsements)


def _nitro(kind: Kind) -> Accepted:
    return Accepted(FalseHost(kind, at=NOW, seed=SEED).evidence(report_data=DATA), Endorsements())


def _tpm(cloud: tpm.FalseCloud) -> Accepted:
    one = tpm.FalseTpm(cloud, at=NOW)
    return Accepted(one.evidence(extra_data=DATA[:32]), one.endorsements())


def _azure(vm: FalseVm | FalseTdVm) -> Accepted:
    return Accepted(vm.evidence(extra_data=DATA[:32]), vm.endorsements())


def _nvidia(architecture: str) -> Accepted:
    gpu = FalseGpu(architecture, at=NOW, seed=SEED)
    return Accepted(gpu.evidence(nonce=DATA[:32]), gpu.endorsements())


def _cca(newer: bool) -> Accepted:
    return Accepted(FalseRealm(seed=SEED).evidence(report_data=DATA, newer=newer), Endorsements())


_MAKERS: Mapping[str, Callable[[], Accepted]] = MappingProxyType(
    {
        "snp": lambda: _snp(Product.MILAN, SigningKey.VCEK),
        "snp, VLEK on Turin": lambda: _snp(Product.TURIN, SigningKey.VLEK),
        "sgx": lambda: _intel(Kind.SGX),
        "tdx": lambda: _tdx(td.TD_10),
        "tdx, quote 5": lambda: _tdx(td.TD_15),
        "nitro": lambda: _nitro(Kind.NITRO),
        "nitrotpm": lambda: _nitro(Kind.NITROTPM),
        "tpm": lambda: _tpm(tpm.GOOGLE),
        "tpm, RSA": lambda: _tpm(tpm.AZURE),
        "az-snp-vtpm": lambda: _azure(FalseVm(at=NOW, chip=FalseChip(Product.MILAN, at=NOW, chip_id=bytes(range(1, 65))))),
        "az-tdx-vtpm": lambda: _azure(FalseTdVm(at=NOW, platform=FalsePlatform(Kind.TDX, at=NOW, seed=SEED))),
        "nvidia": lambda: _nvidia("GH100"),
        "nvidia, switch": lambda: _nvidia("LS_10"),
        "cca": lambda: _cca(newer=False),
        "cca, 2026": lambda: _cca(newer=True),
    }
)
NAMES = tuple(_MAKERS)


@functools.cache
def accepted(name: str) -> Accepted:
    """One of `NAMES`; all tests of a run share it."""
    return _MAKERS[name]()
