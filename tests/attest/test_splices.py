"""Pieces of two genuine machines of one kind put together: refused, or it says what one of the two says, whole.

All pieces are genuine; only their company is not. Every choice of evidence roles is tried, with the endorsements of either. Left to
others: several machines in one document (`tests/policy/test_composite.py`), the binding of a machine to its keys (`tests/policy`).
"""

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from tests.attest.accepted import DATA, NOW, Accepted, accepted

from confide.attest.claims import Claims
from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.attest.snp.layout import Product, SigningKey
from confide.errors import ConfideError
from confide_sim import td, tpm
from confide_sim.amd import FalseChip
from confide_sim.arm import FalseRealm
from confide_sim.aws import FalseHost
from confide_sim.azure import FalseTdVm, FalseVm
from confide_sim.intel import FalsePlatform
from confide_sim.nvidia import FalseGpu

OTHER_DATA = DATA[::-1]
SEED = b"another"


def _snp(product: Product, key: SigningKey) -> Accepted:
    chip = FalseChip(product, signing_key=key, at=NOW, chip_id=bytes(range(2, 66)))
    return Accepted(chip.evidence(report_data=OTHER_DATA, measurement=b"\xa5" * 48), chip.endorsements())


def _sgx() -> Accepted:
    platform = FalsePlatform(Kind.SGX, at=NOW, seed=SEED)
    return Accepted(platform.evidence(report_data=OTHER_DATA, mr_enclave=b"\xa5" * 32), platform.endorsements())


def _tdx(size: int) -> Accepted:
    platform, events = FalsePlatform(Kind.TDX, at=NOW, seed=SEED), td.boot_events(workload=b"another workload", kernel=b"another")
    quote = platform.evidence(report_data=OTHER_DATA, size=size, **td.rtmrs(events)).items["quote"]
    items = {"quote": quote, "event-log": td.event_log(events), "ccel-table": td.ccel_table()}
    return Accepted(Evidence(Kind.TDX, items), platform.endorsements())


def _nitro(kind: Kind) -> Accepted:
    return Accepted(FalseHost(kind, at=NOW, seed=SEED).evidence(report_data=OTHER_DATA), Endorsements())


def _tpm(cloud: tpm.FalseCloud) -> Accepted:
    one = tpm.FalseTpm(cloud, at=NOW, events=tpm.boot_events(kernel=b"another"))
    return Accepted(one.evidence(extra_data=OTHER_DATA[:32]), one.endorsements())


def _azure(vm: FalseVm | FalseTdVm) -> Accepted:
    events = tpm.boot_events(kernel=b"another")
    vm.tpm = tpm.FalseTpm(tpm.AZURE, at=NOW, key=vm.key, events=events)
    return Accepted(vm.evidence(extra_data=OTHER_DATA[:32]), vm.endorsements())


def _gpu(architecture: str) -> Accepted:
    gpu = FalseGpu(architecture, at=NOW, seed=SEED)
    return Accepted(gpu.evidence(nonce=OTHER_DATA[:32]), gpu.endorsements())


def _cca(newer: bool) -> Accepted:
    return Accepted(FalseRealm(seed=SEED).evidence(report_data=OTHER_DATA, newer=newer), Endorsements())


OTHERS: Mapping[str, Callable[[], Accepted]] = {
    "snp": lambda: _snp(Product.MILAN, SigningKey.VCEK),
    "snp, VLEK on Turin": lambda: _snp(Product.TURIN, SigningKey.VLEK),
    "sgx": _sgx,
    "tdx": lambda: _tdx(td.TD_10),
    "tdx, quote 5": lambda: _tdx(td.TD_15),
    "nitro": lambda: _nitro(Kind.NITRO),
    "nitrotpm": lambda: _nitro(Kind.NITROTPM),
    "tpm": lambda: _tpm(tpm.GOOGLE),
    "tpm, RSA": lambda: _tpm(tpm.AZURE),
    "az-snp-vtpm": lambda: _azure(FalseVm(at=NOW, chip=FalseChip(Product.MILAN, at=NOW, chip_id=bytes(range(2, 66))))),
    "az-tdx-vtpm": lambda: _azure(FalseTdVm(at=NOW, platform=FalsePlatform(Kind.TDX, at=NOW, seed=SEED))),
    "nvidia": lambda: _gpu("GH100"),
    "nvidia, switch": lambda: _gpu("LS_10"),
    "cca": lambda: _cca(newer=False),
    "cca, 2026": lambda: _cca(newer=True),
}


@functools.cache
def other(name: str) -> Accepted:
    return OTHERS[name]()


def facts(claims: Claims) -> tuple[Any, ...]:
    """What a policy would compare."""
    return claims.measurements, claims.report_data, claims.platform_id, claims.bound_key_sha256, claims.tcb_status


def choices(roles: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Which roles are of the other machine: some, not all."""
    return itertools.chain.from_iterable(itertools.combinations(roles, count) for count in range(len(roles)))


def spliced(name: str) -> Iterator[tuple[Any, ...]]:
    """The facts of what was accepted, of all choices of evidence and endorsements."""
    one, two = accepted(name), other(name)
    for taken in choices(tuple(one.evidence.items)):
        for endorsed in (one, two):
            evidence = {role: two.evidence.items[role] for role in taken}
            try:
                claims = one.verify(evidence=evidence, endorsements=endorsed.endorsements.items)
            except ConfideError:
                continue
            yield facts(claims)


@pytest.mark.parametrize("name", OTHERS)
def test_pieces_of_two_machines_say_nothing_that_neither_says(name: str) -> None:
    whole = [facts(accepted(name).verify()), facts(other(name).verify())]
    assert all(found in whole for found in spliced(name))
    assert whole[0] != whole[1], "two machines, or this test says nothing"


@pytest.mark.parametrize("name", OTHERS)
def test_the_kinds_do_not_take_each_others_evidence(name: str) -> None:
    """Whatever another kind's verifier is given under the roles that it wants."""
    one = accepted(name)
    pieces = list(one.evidence.items.values())
    for kind in Kind:
        if kind == one.evidence.kind or {kind, one.evidence.kind} == {Kind.TPM, Kind.AZ_SNP_VTPM}:
            continue
        wanted = next(accepted(each) for each in OTHERS if accepted(each).evidence.kind == kind)
        for piece in pieces:
            items = dict.fromkeys(wanted.evidence.items, piece)
            with pytest.raises(ConfideError):
                Accepted(Evidence(kind, items), one.endorsements).verify()
