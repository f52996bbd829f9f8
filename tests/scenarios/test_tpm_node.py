"""A node on a real TPM 2.0 in software, certified by a false cloud: from the kernel's interface to a proven answer."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.guest.devices.swtpm import provisioned
from tests.server.running import Inside, config

import confide_sim
from confide.attest.roots import VENDOR_ROOTS
from confide.codes import Code
from confide.errors import ConfideError
from confide.guest.tee import detect
from confide.policy.load import load_policy
from confide.policy.trust import propose_policy
from confide.policy.verify import verify
from confide.server.node import running_node

ROOTS = (*VENDOR_ROOTS, *confide_sim.roots())
NONCE = b"\x01" * 32


def test_a_node_on_a_clouds_tpm_serves_whoever_trusts_the_host_by_name(tmp_path: Path) -> None:
    async def test() -> None:
        with provisioned() as one, one.root() as root:
            folder = one.files(tmp_path)
            tee = detect("tpm", software_digest=b"", root=root, roots=confide_sim.roots(), collateral_dir=folder)
            async with running_node(config(tee="tpm", limits__gather_ms=5), tee=tee) as running:
                node = Inside(running)
                assert running.keyset.tpm_ak_spki_sha256 == tee.attestation_key_sha256
                async with node.http:
                    document = (await node.http.get(f"/.well-known/confide/evidence?nonce={NONCE.hex()}")).content
                    await judged(document)
                    answer = await node.ask("POST", "/v1/pipelines/encoder", {"inputs": ["a doctor"]})
                    assert (answer.status, answer.receipt is not None) == (200, True)

    asyncio.run(test())


async def judged(document: bytes) -> None:
    now = datetime.now(UTC)
    proposal = propose_policy(document, now=now, nonce=NONCE, roots=ROOTS, name="tpm", unsafe_accept_simulated=True)
    policy = proposal.policy.decode()
    found = verify(document, load_policy(policy.encode()), now=now, nonce=NONCE, roots=ROOTS)
    assert "allow_host_trusted" in {item.setting for item in found.relaxations}
    strict = policy.replace('allow_host_trusted = "unsafe_ignored"\n', "")
    assert strict != policy
    with pytest.raises(ConfideError) as caught:
        verify(document, load_policy(strict.encode()), now=now, nonce=NONCE, roots=ROOTS)
    assert caught.value.code is Code.TPM_HOST_TRUSTED
