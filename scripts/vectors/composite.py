"""Makes `vectors/07i-composite.json`: documents with several pieces of evidence. Documents are kept from the committed file."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from tests.policy.accept.test_nvidia import ENTRY, GPUS, machine
from tests.policy.world import NONCE, NOW, World, members

import confide_sim
from confide.attest.binding import binding, carried_by, gpu_nonce
from confide.attest.evidence import Endorsements, Kind
from confide.attest.snp.layout import Product
from confide.attest.tpm.verify import spki_sha256
from confide.codes import Code
from confide.formats.fields import format_time
from confide_sim import amd, aws, tpm
from scripts.vectors._cases import accept, reject

ONE, TWO = GPUS[:2]
QUOTER = tpm.FalseTpm(at=NOW)
PCRS = {str(index): [QUOTER.pcrs()[index].hex()] for index in (0, 4, 7, 8)}
TPM = {"tee": "tpm", "pcrs": PCRS, "allow_host_trusted": "unsafe_ignored"}
NITRO = {"tee": "nitro", "pcrs": {"0": [aws.FalseHost(at=NOW).pcrs()[0].hex()]}}
ROOTS = [amd.root(Product.MILAN), *(root for root in confide_sim.roots() if root.kind in {Kind.TPM, Kind.NVIDIA, Kind.NITRO})]
short = partial(machine, short=True)
Case = tuple[str, str, Callable[[], bytes], list[Mapping[str, Any]], Code | None]


def build(previous: dict[str, Any] | None) -> dict[str, Any]:
    """The whole file."""
    kept = {case["id"]: case["input"]["document"] for case in (previous or {}).get("cases", [])}
    return {
        "spec": "spec/07i-composite.md",
        "generator": "scripts/vectors/composite.py",
        "provenance": "Documents of an imaginary node with the false AMD, TPM and NVIDIA of confide-sim. Signatures are random, "
        "so documents are kept from the first run. Every rejecting case differs from an accepted one in what its id names.",
        "cases": [_written(case, kept) for case in (*_accepted(), *_machines(), *_devices(), *_policies())],
    }


def _written(case: Case, kept: Mapping[str, str]) -> dict[str, Any]:
    name, musts, make, entries, code = case
    tables = members()
    tables["accept"] = tables["accept"] + entries if entries is not ALONE else [TPM]
    given = {
        "document": kept.get(name) or make().hex(),
        "policy": json.dumps(tables).encode().hex(),
        "now": format_time(NOW),
        "nonce": NONCE.hex(),
        "roots": [{"kind": r.kind.value, "name": r.name, "der": r.der.hex(), "simulated": r.simulated} for r in ROOTS],
        "rollback": None,
    }
    return accept(name, musts, "verify", given) if code is None else reject(name, musts, "verify", given, code)


ALONE: list[Mapping[str, Any]] = []  # in place of the false node's own entry: that of a TPM


def lone_tpm(**keys: Any) -> bytes:
    """A TPM's quote and no TEE."""
    world = World(keys={"tpm_ak_spki_sha256": spki_sha256(QUOTER.key.public_key())} | keys)
    root, _ = world._nonces()
    whole = binding(nonces=root, keyset=world.keyset.raw)
    quote = QUOTER.evidence(extra_data=carried_by(Kind.TPM, whole))
    return world.document(evidence=quote, endorsements=QUOTER.endorsements())


def lone_gpu() -> bytes:
    """A device and no machine."""
    world = World(keys={"gpu_leaf_key_sha256": [ONE.leaf_key_sha256]})
    root, _ = world._nonces()
    evidence = ONE.evidence(nonce=gpu_nonce(nonces=root, keyset=world.keyset.raw, index=0))
    return world.document(evidence=evidence, endorsements=ONE.endorsements())


def tpm_left_out() -> bytes:
    """A TEE whose keyset names a TPM, and no quote of it."""
    return World(keys={"tpm_ak_spki_sha256": spki_sha256(QUOTER.key.public_key())}).document()


def two_machines() -> bytes:
    """The document of an enclave beside the report of a TEE."""
    world, host = World(), aws.FalseHost(at=NOW)
    root, _ = world._nonces()
    whole = binding(nonces=root, keyset=world.keyset.raw)
    return world.document(others=[(host.evidence(report_data=whole), Endorsements({}))])


def _accepted() -> Iterator[Case]:
    everything = "COMP-1 COMP-2 COMP-3 COMP-4"
    yield "composite-accept-device", f"{everything} COMP-5", partial(short, ONE), [ENTRY], None
    yield "composite-accept-two-devices", f"{everything} COMP-5", partial(short, ONE, TWO), [ENTRY], None
    yield "composite-accept-tpm-beside-a-tee", f"{everything} COMP-6", partial(short, tpm=QUOTER), [TPM], None
    yield "composite-accept-all-three", f"{everything} COMP-5 COMP-6", partial(short, ONE, tpm=QUOTER), [ENTRY, TPM], None
    yield "composite-accept-tpm-alone", "COMP-1 COMP-4 COMP-6", lone_tpm, ALONE, None
    yield "composite-accept-entry-for-a-tpm-not-shown", "COMP-4", partial(short), [TPM], None


def _machines() -> Iterator[Case]:
    yield "composite-device-alone", "COMP-1", lone_gpu, [ENTRY], Code.VERDICT_COMPOSITE
    yield "composite-two-machines", "COMP-1", two_machines, [NITRO], Code.VERDICT_COMPOSITE


def _devices() -> Iterator[Case]:
    other = {0: gpu_nonce(nonces=bytes(32), keyset=b"", index=0)}
    yield "composite-devices-not-bound", "COMP-2", partial(short, ONE, bound=False), [ENTRY], Code.BINDING_MISMATCH
    yield "composite-device-nonce", "COMP-2", partial(short, ONE, nonces=other), [ENTRY], Code.BINDING_MISMATCH
    keys = [ONE.leaf_key_sha256, TWO.leaf_key_sha256]
    lies: dict[str, Callable[[], bytes]] = {
        "not-named": partial(short, ONE, named=[]),
        "another-named": partial(short, ONE, named=keys[1:]),
        "one-less": partial(short, ONE, named=keys),
        "order": partial(short, ONE, TWO, named=keys[::-1]),
        "gap": partial(short, ONE, indexes=[1]),
        "twice": partial(short, ONE, ONE, named=keys),
    }
    for name, make in lies.items():
        yield f"composite-devices-{name}", "COMP-5", make, [ENTRY], Code.VERDICT_DEVICES
    yield "composite-tpm-left-out", "COMP-6", tpm_left_out, [TPM], Code.TPM_KEYSET
    unnamed = partial(lone_tpm, tpm_ak_spki_sha256=bytes(32))
    yield "composite-tpm-another-named", "COMP-6", unnamed, ALONE, Code.TPM_KEYSET
    yield "composite-tpm-not-named", "COMP-6", partial(lone_tpm, tpm_ak_spki_sha256=None), ALONE, Code.TPM_KEYSET


def _policies() -> Iterator[Case]:
    yield "composite-no-entry-for-a-device", "COMP-3", partial(short, ONE), [], Code.POLICY_TEE
    yield "composite-device-wanted", "COMP-4", partial(short), [ENTRY], Code.POLICY_COMPOSITE
    yield "composite-tpm-in-place-of-a-tee", "COMP-4", lone_tpm, [TPM], Code.POLICY_COMPOSITE
