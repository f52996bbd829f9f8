"""Nodes in a TD and in an SGX enclave, over doubles of the kernel's and Gramine's interfaces: from evidence to a proven answer."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.guest.devices.intel_doubles import Enclave, TrustDomain, give, gramine, td_machine
from tests.policy.world import OWNER
from tests.server.running import Inside, config

import confide_sim
from confide.attest.admission import Admission, sign_admission
from confide.attest.evidence import Kind
from confide.attest.publickeys import key_text
from confide.attest.roots import VENDOR_ROOTS
from confide.codes import Code
from confide.errors import ConfideError
from confide.guest.tee import Tee, detect
from confide.policy.load import load_policy
from confide.policy.trust import propose_policy
from confide.policy.verdict import Verdict
from confide.policy.verify import verify
from confide.server.node import running_node
from confide_sim.intel import FalsePlatform

ROOTS = (*VENDOR_ROOTS, *confide_sim.roots())
NONCE = b"\x01" * 32


@contextmanager
def machine(kind: Kind, folder: Path, *, prefer: str) -> Iterator[Tee]:
    """A TD or an enclave of today, found as a node finds it."""
    now = datetime.now(UTC)
    platform = FalsePlatform(kind, at=now)
    give(folder, platform, at=now)
    double = td_machine(TrustDomain(platform=platform)) if kind is Kind.TDX else gramine(Enclave(platform=platform))
    with double as root:
        yield detect(prefer, software_digest=b"", root=root, roots=confide_sim.roots(), collateral_dir=folder)


def propose(document: bytes) -> bytes:
    proposal = propose_policy(document, now=datetime.now(UTC), nonce=NONCE, roots=ROOTS, name="intel", unsafe_accept_simulated=True)
    return proposal.policy


def verdict(document: bytes, policy: bytes) -> Verdict:
    return verify(document, load_policy(policy), now=datetime.now(UTC), nonce=NONCE, roots=ROOTS)


@pytest.mark.parametrize("prefer", ["named", "auto"])
@pytest.mark.parametrize("kind", [Kind.TDX, Kind.SGX], ids=str)
def test_from_the_interface_to_a_proven_answer(tmp_path: Path, kind: Kind, prefer: str) -> None:
    async def test() -> None:
        with machine(kind, tmp_path, prefer=kind.value if prefer == "named" else prefer) as tee:
            async with running_node(config(tee=kind.value, limits__gather_ms=5), tee=tee) as running:
                node = Inside(running)
                async with node.http:
                    reply = await node.http.get(f"/.well-known/confide/evidence?nonce={NONCE.hex()}")
                    policy = propose(reply.content)
                    assert f'tee = "{kind.value}"' in policy.decode()
                    found = verdict(reply.content, policy)
                    assert found.simulated
                    assert (found.claims[0].kind, found.claims[0].tcb_status) == (kind, "UpToDate")
                    assert found.keyset == running.keyset
                    answer = await node.ask("POST", "/v1/pipelines/encoder", {"inputs": ["a doctor"]})
                    assert (answer.status, answer.receipt is not None) == (200, True)

    asyncio.run(test())


@pytest.mark.parametrize(
    ("kind", "member", "code"), [(Kind.TDX, "mr_tds", Code.TDX_MR_TD), (Kind.SGX, "mr_enclaves", Code.SGX_MR_ENCLAVE)]
)
def test_other_software_is_refused(tmp_path: Path, kind: Kind, member: str, code: Code) -> None:
    async def test() -> None:
        with machine(kind, tmp_path, prefer=kind.value) as tee:
            async with running_node(config(tee=kind.value, limits__gather_ms=5), tee=tee) as running:
                node = Inside(running)
                async with node.http:
                    reply = await node.http.get(f"/.well-known/confide/evidence?nonce={NONCE.hex()}")
                    policy = propose(reply.content).decode()
                    other = re.sub(rf'({member} = \[\s*")[0-9a-f]{{2}}', r"\g<1>0d", policy)
                    assert other != policy
                    with pytest.raises(ConfideError) as caught:
                        verdict(reply.content, other.encode())
                    assert caught.value.code is code

    asyncio.run(test())


def test_an_owner_admits_a_td_by_its_platform(tmp_path: Path) -> None:
    async def test() -> None:
        with machine(Kind.TDX, tmp_path, prefer="tdx") as tee:
            owned = config(tee="tdx", limits__gather_ms=5, authority_key=key_text(OWNER.public))
            async with running_node(owned, tee=tee) as running:
                node = Inside(running)
                async with node.http:
                    assert len(tee.platform_id) == 32  # a PPID
                    keyset, now = running.keyset, datetime.now(UTC)
                    until = now + timedelta(hours=1)
                    admission = Admission(keyset.node_id, keyset.receipt_keys[0].keyid, tee.platform_id, "lab", now, until)
                    for changed, status in (("00" * 16, 400), (tee.platform_id, 200)):
                        envelope = sign_admission(replace(admission, platform_id=changed), key=OWNER)
                        assert (await node.ask("PUT", "/v1/admission", envelope)).status == status

    asyncio.run(test())
