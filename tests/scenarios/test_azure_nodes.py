"""Nodes in Azure confidential VMs on SEV-SNP and TDX: a real TPM in software, a metadata service on the loopback, false vendors;
from the interface to a proven answer, and what a client refuses."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.collateral.doubles import serving
from tests.guest.devices.azure_doubles import Vm, azure_machine
from tests.server.running import Inside, config

import confide_sim
from confide.attest.roots import VENDOR_ROOTS
from confide.codes import Code
from confide.errors import ConfideError
from confide.guest.devices import imds
from confide.guest.tee import detect
from confide.policy.load import load_policy
from confide.policy.trust import propose_policy
from confide.policy.verdict import Verdict
from confide.policy.verify import verify
from confide.server.node import running_node
from confide_sim.azure import FalseTdVm, FalseVm

ROOTS = (*VENDOR_ROOTS, *confide_sim.roots())
NONCE, OTHER_NONCE = b"\x01" * 32, b"\x02" * 32
VMS: Mapping[str, Callable[[], Vm]] = {"snp": FalseVm, "tdx": FalseTdVm}
DEBUG: Mapping[str, Mapping[str, Any]] = {"snp": {"policy": 0x30000 | 1 << 19}, "tdx": {"td_attributes": 1 << 28 | 1}}
both = pytest.mark.parametrize("hardware", VMS)


@asynccontextmanager
async def serving_node(
    kind_of: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *, prefer: str = "auto", **given: Any
) -> AsyncIterator[Inside]:
    """A node that has found its VM by itself."""
    kind = f"az-{kind_of}-vtpm"
    with azure_machine(VMS[kind_of](), **given) as machine, machine.one.root() as root, serving(machine.service) as host:
        monkeypatch.setattr(imds, "ADDRESS", host.url)
        files = machine.files(folder)
        tee = detect(prefer, software_digest=b"", root=root, roots=confide_sim.roots(), collateral_dir=files)
        async with running_node(config(tee=kind, limits__gather_ms=5), tee=tee) as running:
            assert running.keyset.tpm_ak_spki_sha256 == tee.attestation_key_sha256 is not None
            node = Inside(running)
            async with node.http:
                yield node


async def shown(node: Inside, nonce: bytes = NONCE) -> bytes:
    return (await node.http.get(f"/.well-known/confide/evidence?nonce={nonce.hex()}")).content


def propose(document: bytes) -> str:
    given: dict[str, Any] = {"now": datetime.now(UTC), "nonce": NONCE, "roots": ROOTS, "name": "azure"}
    return propose_policy(document, unsafe_accept_simulated=True, **given).policy.decode()


def verdict(document: bytes, policy: str, nonce: bytes = NONCE) -> Verdict:
    return verify(document, load_policy(policy.encode()), now=datetime.now(UTC), nonce=nonce, roots=ROOTS)


def refused(document: bytes, policy: str, nonce: bytes = NONCE) -> Code:
    with pytest.raises(ConfideError) as caught:
        verdict(document, policy, nonce)
    return caught.value.code


def spliced(document: bytes, other: bytes, *, ending: str) -> bytes:
    """One item of evidence from another machine's document."""
    mine, theirs = json.loads(document), json.loads(other)
    place = next(item for item in mine["evidence"] if item["type"].endswith(ending))
    place["value"] = next(item["value"] for item in theirs["evidence"] if item["type"] == place["type"])
    assert base64.b64decode(place["value"])
    return json.dumps(mine, separators=(",", ":")).encode()


@pytest.mark.parametrize("prefer", ["named", "auto"])
@both
def test_from_the_interface_to_a_proven_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hardware: str, prefer: str) -> None:
    async def test() -> None:
        kind = f"az-{hardware}-vtpm"
        async with serving_node(hardware, tmp_path, monkeypatch, prefer=kind if prefer == "named" else prefer) as node:
            document = await shown(node)
            policy = propose(document)
            assert f'tee = "{kind}"' in policy
            assert "allow_host_trusted" not in policy, "the paravisor makes this TPM, not the host"
            found = verdict(document, policy)
            assert (found.simulated, found.claims[0].kind) == (True, kind)
            assert found.keyset == node.node.keyset
            answer = await node.ask("POST", "/v1/pipelines/encoder", {"inputs": ["a doctor"]})
            assert (answer.status, answer.receipt is not None) == (200, True)

    asyncio.run(test())


@both
def test_another_nonce_another_boot_and_parts_of_another_machine_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hardware: str
) -> None:
    async def test() -> None:
        async with serving_node(hardware, tmp_path, monkeypatch) as node:
            document, later = await shown(node), await shown(node, OTHER_NONCE)
            policy = propose(document)
        async with serving_node(hardware, tmp_path, monkeypatch) as node:
            other = await shown(node)
        assert refused(document, policy, OTHER_NONCE) is Code.VERDICT_NONCE
        attest = spliced(spliced(document, later, ending="tpm-attest"), later, ending="tpm-signature")
        assert refused(attest, policy) is Code.BINDING_MISMATCH
        booted = re.sub(r'(\n4 = \[\s*")[0-9a-f]{2}', r"\g<1>0d", policy)
        assert booted != policy
        assert refused(document, booted) is Code.TPM_PCR
        hcl = spliced(document, other, ending="hcl-report")
        code = {"snp": Code.SNP_SIGNATURE, "tdx": Code.AZURE_BINDING}[hardware]
        assert refused(hcl, policy) is code
        assert refused(spliced(document, other, ending="tpm-attest"), policy) is Code.TPM_SIGNATURE

    asyncio.run(test())


@both
def test_a_machine_under_debug_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hardware: str) -> None:
    async def test() -> None:
        async with serving_node(hardware, tmp_path, monkeypatch) as node:
            policy = propose(await shown(node))
        async with serving_node(hardware, tmp_path, monkeypatch, hardware=DEBUG[hardware]) as node:
            code = refused(await shown(node), policy)
        assert code is {"snp": Code.SNP_DEBUG, "tdx": Code.TDX_DEBUG}[hardware]

    asyncio.run(test())


@both
def test_a_machine_without_secure_boot_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hardware: str) -> None:
    async def test() -> None:
        async with serving_node(hardware, tmp_path, monkeypatch) as node:
            policy = propose(await shown(node))
        off = {"vm_configuration": {"secure-boot": False, "tpm-enabled": True}}
        async with serving_node(hardware, tmp_path, monkeypatch, said=off) as node:
            assert refused(await shown(node), policy) is Code.AZURE_SECURE_BOOT

    asyncio.run(test())
