"""GPUs beside a TEE in one document: entries, and one verdict over report, devices and TPM by the real verifiers."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from tests.attest.nvidia.world import genuine
from tests.attest.tpm.world import genuine as tpm_genuine
from tests.policy.world import NONCE, NOW, ROOTS, World, members
from tests.policy.world import policy as plain
from tests.support import refused

from confide.attest.binding import binding, carried_by, gpu_nonce, join_device_evidence
from confide.attest.checks import Checks
from confide.attest.constraints import Ignored
from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.attest.nvidia.validate import NvidiaConstraints, validate
from confide.attest.tpm.verify import spki_sha256
from confide.codes import Code
from confide.policy.accept import table
from confide.policy.accept.nvidia import constraints, observed, without_references
from confide.policy.load import load_policy
from confide.policy.model import Policy
from confide.policy.trust import propose_policy
from confide.policy.verdict import Verdict
from confide.policy.verify import verify
from confide_sim import nvidia
from confide_sim.nvidia import FalseGpu
from confide_sim.tpm import FalseTpm

SKIP = Ignored.UNSAFE_IGNORED
ENTRY: dict[str, Any] = {"tee": "nvidia", "architectures": ["GH100"]}
GPUS = [FalseGpu(at=NOW, seed=bytes([seed])) for seed in range(8)]
SWITCH = FalseGpu("LS_10", at=NOW, seed=b"switch")


# --- the entry --------------------------------------------------------------------------------------------------------------------


def test_absent_members_take_the_strict_defaults() -> None:
    assert constraints(ENTRY) == NvidiaConstraints(architectures=("GH100",))


def test_every_member_arrives_in_its_type() -> None:
    given = {
        "driver_versions": ["570.124.06"],
        "vbios_versions": ["96.00.A5.00.01"],
        "devices": ["0d" * 32],
        "protected_pcie": True,
        "allow_missing_manifests": "unsafe_ignored",
        "allow_hold": "unsafe_ignored",
    }
    assert constraints({**ENTRY, **given}) == NvidiaConstraints(
        architectures=("GH100",),
        driver_versions=("570.124.06",),
        vbios_versions=("96.00.A5.00.01",),
        devices=(b"\x0d" * 32,),
        protected_pcie=True,
        allow_missing_manifests=SKIP,
        allow_hold=SKIP,
    )


def test_an_entry_that_names_no_architecture_refuses() -> None:
    with refused(Code.POLICY_UNCONSTRAINED):
        constraints({"tee": "nvidia"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"architectures": []},
        {"architectures": ["gh100"]},
        {"architectures": "unsafe_ignored"},
        {"driver_versions": ["570"]},
        {"driver_versions": ["570.124.06\n"]},
        {"vbios_versions": ["96.00.a5.00.01"]},
        {"devices": ["0d" * 31]},
        {"protected_pcie": "on"},
        {"allow_hold": True},
        {"allow_devtools": "unsafe_ignored"},
    ],
    ids=str,
)
def test_members_of_another_shape_are_refused(wrong: dict[str, Any]) -> None:
    with refused(Code.POLICY_SHAPE):
        constraints({**ENTRY, **wrong})


@pytest.mark.parametrize("architecture", ["GH100", "LS_10"])
def test_what_was_observed_is_accepted_by_its_own_entry(architecture: str) -> None:
    found = genuine(architecture)
    _, entries = table.of("nvidia")
    validate(found, constraints(entries.observed(found)), checks=Checks())
    validate(found, without_references(found), checks=Checks())


def test_claims_of_another_kind_are_refused() -> None:
    for door in (observed, without_references):
        with refused(Code.POLICY_TEE):
            door(tpm_genuine())


# --- one machine ------------------------------------------------------------------------------------------------------------------


def policy(*entries: Mapping[str, Any]) -> Policy:
    """The false node's policy, with an entry for its GPUs."""
    tables = members()
    tables["accept"] += [dict(entry) for entry in (entries or (ENTRY,))]
    return load_policy(json.dumps(tables).encode())


def machine(
    *gpus: FalseGpu,
    named: Sequence[bytes] | None = None,
    indexes: Sequence[int] | None = None,
    nonces: Mapping[int, bytes] | None = None,
    bound: bool = True,
    tpm: FalseTpm | None = None,
    overrides: Mapping[str, Any] | None = None,
    short: bool = False,
) -> bytes:
    """The document of a node with these devices. What it says of them may lie: `named` keys, `indexes`, `nonces`, the binding.

    `short` manifests compare four values, not all.
    """
    keys: dict[str, Any] = {"gpu_leaf_key_sha256": [gpu.leaf_key_sha256 for gpu in gpus] if named is None else named}
    keys |= {} if tpm is None else {"tpm_ak_spki_sha256": spki_sha256(tpm.key.public_key())}
    world = World(keys=keys)
    root, _ = world._nonces()
    kinds = {gpu.architecture: gpu for gpu in gpus}.values()
    parts = [gpu.ocsp(which=(1,)) for gpu in gpus] + [gpu.ocsp(which=(2, 3)) for gpu in kinds]
    statuses = b"".join([*parts, GPUS[0].rim_ocsp()])
    others: list[tuple[Evidence, Endorsements]] = []
    for place, gpu in enumerate(gpus):
        index = place if indexes is None else indexes[place]
        nonce = gpu_nonce(nonces=root, keyset=world.keyset.raw, index=index)
        evidence = gpu.evidence(nonce=(nonces or {}).get(place, nonce), index=index, **(overrides or {}))
        manifests = {"rim_driver": gpu.rim("driver", indexes=(7, 35)), "rim_vbios": gpu.rim("vbios", indexes=(0, 1))}
        others.append((evidence, gpu.endorsements(ocsp=statuses, **(manifests if short else {}))))
    reports = [each.items["gpu-report"] for each, _ in sorted(others, key=lambda part: part[0].index)]
    whole = binding(nonces=root, keyset=world.keyset.raw, device_evidence=join_device_evidence(reports if bound else []))
    if tpm is not None:
        others.append((tpm.evidence(extra_data=carried_by(Kind.TPM, whole)), tpm.endorsements()))
    return world.document(bound=whole, others=others)


def verdict(document: bytes, wanted: Policy | None = None) -> Verdict:
    return verify(document, wanted or policy(), now=NOW, nonce=NONCE, roots=ROOTS)


@pytest.mark.parametrize("count", [1, 2, 8])
def test_a_tee_and_its_gpus_give_one_verdict(count: int) -> None:
    found = verdict(machine(*GPUS[:count]))
    assert [claims.kind for claims in found.claims] == [Kind.SNP, *[Kind.NVIDIA] * count]
    assert found.simulated


def test_a_tee_its_tpm_and_its_gpus_give_one_verdict() -> None:
    tpm = FalseTpm(at=NOW)
    pcrs = {str(index): [tpm.pcrs()[index].hex()] for index in (0, 4, 7, 8)}
    entry = {"tee": "tpm", "pcrs": pcrs, "allow_host_trusted": "unsafe_ignored"}
    found = verdict(machine(*GPUS[:2], tpm=tpm), policy(ENTRY, entry))
    assert [claims.kind for claims in found.claims] == [Kind.SNP, Kind.NVIDIA, Kind.NVIDIA, Kind.TPM]


def test_trust_on_first_use_writes_one_entry_for_devices_that_are_alike() -> None:
    document = machine(*GPUS[:4])
    proposal = propose_policy(document, now=NOW, nonce=NONCE, roots=ROOTS, name="gpus", unsafe_accept_simulated=True)
    assert proposal.policy.decode().count('tee = "nvidia"') == 1
    assert verdict(document, load_policy(proposal.policy)).simulated


ONE, TWO = GPUS[:2]
LIES: dict[str, tuple[Code, dict[str, Any]]] = {
    "the quote of the TEE covers no devices": (Code.BINDING_MISMATCH, {"gpus": [ONE], "bound": False}),
    "a device asked by somebody else": (Code.BINDING_MISMATCH, {"gpus": [ONE], "nonces": {0: bytes(32)}}),
    "a device asked as another one": (
        Code.BINDING_MISMATCH,
        {"gpus": [ONE, TWO], "nonces": {1: gpu_nonce(nonces=bytes(32), keyset=b"", index=0)}},
    ),
    "the same device twice": (
        Code.VERDICT_DEVICES,
        {"gpus": [ONE, ONE], "named": [ONE.leaf_key_sha256, TWO.leaf_key_sha256]},
    ),
    "a device that the keyset does not name": (Code.VERDICT_DEVICES, {"gpus": [ONE], "named": [TWO.leaf_key_sha256]}),
    "a device more than the keyset names": (Code.VERDICT_DEVICES, {"gpus": [ONE, TWO], "named": [ONE.leaf_key_sha256]}),
    "a device less than the keyset names": (
        Code.VERDICT_DEVICES,
        {"gpus": [ONE], "named": [ONE.leaf_key_sha256, TWO.leaf_key_sha256]},
    ),
    "no device where the keyset names one": (Code.VERDICT_DEVICES, {"gpus": [], "named": [ONE.leaf_key_sha256]}),
    "devices in another order": (
        Code.VERDICT_DEVICES,
        {"gpus": [ONE, TWO], "named": [TWO.leaf_key_sha256, ONE.leaf_key_sha256]},
    ),
    "a number left out": (Code.VERDICT_DEVICES, {"gpus": [ONE, TWO], "indexes": [0, 2]}),
    "no device where the policy wants one": (Code.POLICY_COMPOSITE, {"gpus": []}),
    "a device with other firmware": (
        Code.NVIDIA_MEASUREMENT,
        {"gpus": [ONE], "overrides": {"measurements": {8: bytes(48)}}},
    ),
    "a device of another kind": (Code.NVIDIA_ARCHITECTURE, {"gpus": [SWITCH]}),
}


@pytest.mark.parametrize(("code", "given"), LIES.values(), ids=LIES.keys())
def test_devices_that_lie_refuse_the_whole(code: Code, given: dict[str, Any]) -> None:
    more = {name: value for name, value in given.items() if name != "gpus"}
    with refused(code):
        verdict(machine(*given["gpus"], **more))


def test_a_device_that_no_entry_names_refuses() -> None:
    with refused(Code.POLICY_TEE):
        verdict(machine(ONE), plain())


def test_a_device_alone_is_no_machine() -> None:
    world = World(keys={"gpu_leaf_key_sha256": [ONE.leaf_key_sha256]})
    root, _ = world._nonces()
    nonce = gpu_nonce(nonces=root, keyset=world.keyset.raw, index=0)
    alone = world.document(evidence=ONE.evidence(nonce=nonce), endorsements=ONE.endorsements())
    with refused(Code.VERDICT_COMPOSITE):
        verdict(alone)


def test_devices_of_two_kinds_each_need_their_entry() -> None:
    both = machine(ONE, SWITCH)
    switches = {"tee": "nvidia", "architectures": ["LS_10"], "vbios_versions": [nvidia.VBIOS]}
    assert len(verdict(both, policy(ENTRY, switches)).claims) == 3
    with refused(Code.NVIDIA_ARCHITECTURE):
        verdict(both)
