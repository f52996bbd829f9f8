"""Several pieces of evidence in one document: one machine's, complete as the policy wants, and its keys named."""

from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.attest.snp.world import genuine as snp_claims
from tests.policy.world import policy
from tests.support import refused

from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.evidence import Evidence, Kind
from confide.attest.keyset import Keyset
from confide.attest.nvidia.claims import NvidiaClaims
from confide.codes import Code
from confide.policy import composite
from confide.policy.model import Policy


def of(kind: Kind) -> Claims:
    plain = snp_claims()
    return Claims(**{each.name: getattr(plain, each.name) for each in fields(Claims)} | {"kind": kind})


def gpu(key: bytes) -> NvidiaClaims:
    """Claims of a device by its key alone: rules about several devices look at nothing else."""
    claims = object.__new__(NvidiaClaims)
    for each in fields(Claims):
        object.__setattr__(claims, each.name, getattr(of(Kind.NVIDIA), each.name))
    object.__setattr__(claims, "leaf_key_sha256", key)
    return claims


def keyset(*gpus: bytes) -> Keyset:
    return cast("Keyset", SimpleNamespace(gpu_leaf_key_sha256=gpus, tpm_ak_spki_sha256=None))


def accepting(*kinds: Kind) -> Policy:
    base = policy()
    return replace(base, accept=tuple(replace(base.accept[0], tee=kind) for kind in kinds))


@pytest.mark.parametrize("kinds", [[Kind.SNP], [Kind.TPM], [Kind.SNP, Kind.TPM], [Kind.TPM, Kind.TDX], [Kind.SNP, Kind.NVIDIA]])
def test_one_machine_with_what_belongs_to_it(kinds: list[Kind]) -> None:
    found = composite.primary([of(kind) for kind in kinds], checks=Checks())
    assert found.kind is (next((kind for kind in kinds if kind in composite.TEES), kinds[0]))
    assert composite.machine([of(kind) for kind in kinds]).kind is found.kind


@pytest.mark.parametrize(
    "kinds", [[Kind.NVIDIA], [Kind.SNP, Kind.TDX], [Kind.SNP, Kind.NITRO], [Kind.SGX, Kind.TPM], [Kind.SNP, Kind.TPM, Kind.TDX]]
)
def test_two_machines_or_none_are_refused(kinds: list[Kind]) -> None:
    with refused(Code.VERDICT_COMPOSITE):
        composite.primary([of(kind) for kind in kinds], checks=Checks())


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        ([Kind.SNP], [Kind.SNP]),
        ([Kind.TPM], [Kind.TPM]),
        ([Kind.SNP, Kind.TPM], [Kind.SNP, Kind.TPM]),
        ([Kind.SNP, Kind.NVIDIA], [Kind.SNP, Kind.NVIDIA]),
    ],
)
def test_what_the_policy_lists_is_there(listed: list[Kind], found: list[Kind]) -> None:
    composite.wanted_pieces(accepting(*listed), [of(kind) for kind in found], checks=Checks())


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        ([Kind.SNP, Kind.TPM], [Kind.TPM]),
        ([Kind.TDX, Kind.TPM, Kind.NVIDIA], [Kind.TPM, Kind.NVIDIA]),
        ([Kind.SNP, Kind.NVIDIA], [Kind.SNP]),
    ],
)
def test_a_tpm_never_stands_for_a_tee_and_a_listed_device_is_demanded(listed: list[Kind], found: list[Kind]) -> None:
    with refused(Code.POLICY_COMPOSITE):
        composite.wanted_pieces(accepting(*listed), [of(kind) for kind in found], checks=Checks())


def devices(*parts: tuple[int, bytes]) -> tuple[list[Evidence], list[Any]]:
    return [Evidence("nvidia", {}, index) for index, _ in parts], [gpu(key) for _, key in parts]


A, B = b"a" * 32, b"b" * 32


def test_devices_that_the_keyset_names_in_order() -> None:
    composite.named_keys(*devices((1, B), (0, A)), keyset(A, B), checks=Checks())
    composite.named_keys([], [], keyset(), checks=Checks())


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ([(0, A)], []),
        ([], [A]),
        ([(0, A)], [B]),
        ([(0, A), (1, B)], [B, A]),
        ([(0, A), (2, B)], [A, B]),
        ([(1, A)], [A]),
        ([(0, A), (1, A)], [A, A]),
        ([(0, A)], [A, B]),
    ],
)
def test_other_devices_are_refused(parts: list[tuple[int, bytes]], named: list[bytes]) -> None:
    with refused(Code.VERDICT_DEVICES):
        composite.named_keys(*devices(*parts), keyset(*named), checks=Checks())


@pytest.mark.parametrize("kinds", [[], [Kind.SNP], [Kind.SNP, Kind.NITRO]], ids=str)
def test_a_quote_that_the_keyset_names_is_demanded(kinds: list[Kind]) -> None:
    """Whoever carries the document may leave pieces out; the keyset is bound, and says what must be there."""
    named = cast("Keyset", SimpleNamespace(gpu_leaf_key_sha256=(), tpm_ak_spki_sha256=A))
    with refused(Code.TPM_KEYSET):
        composite.named_keys([], [of(kind) for kind in kinds], named, checks=Checks())
