"""A node in a realm of Arm CCA, over a double of the kernel's interface: from a token to a proven answer; what a client refuses."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.attest.cca.world import OTHER_ROOT
from tests.guest.devices.cca_doubles import Realm, give, realm_machine
from tests.server.running import Inside, config

import confide_sim
from confide.attest.roots import VENDOR_ROOTS
from confide.codes import Code
from confide.errors import ConfideError
from confide.guest.tee import detect
from confide.policy.load import load_policy
from confide.policy.trust import propose_policy
from confide.policy.verdict import Verdict
from confide.policy.verify import verify
from confide.server.node import running_node
from confide_sim import arm

ROOTS = (*VENDOR_ROOTS, *confide_sim.roots())
NONCE, OTHER_NONCE = b"\x01" * 32, b"\x02" * 32


@asynccontextmanager
async def serving_node(folder: Path, *, prefer: str = "auto", **realm: Any) -> AsyncIterator[Inside]:
    """A node that has found its realm by itself; it knows the platform's key from its operator alone."""
    with realm_machine(Realm(**realm)) as root:
        tee = detect(prefer, software_digest=b"", root=root, collateral_dir=give(folder))
        async with running_node(config(tee="cca", limits__gather_ms=5), tee=tee) as running:
            node = Inside(running)
            async with node.http:
                yield node


async def shown(node: Inside, nonce: bytes = NONCE) -> bytes:
    return (await node.http.get(f"/.well-known/confide/evidence?nonce={nonce.hex()}")).content


def propose(document: bytes) -> str:
    given: dict[str, Any] = {"now": datetime.now(UTC), "nonce": NONCE, "roots": ROOTS, "name": "cca"}
    return propose_policy(document, unsafe_accept_simulated=True, **given).policy.decode()


def verdict(document: bytes, policy: str, nonce: bytes = NONCE) -> Verdict:
    """By a client that knows the platform's key from its policy alone."""
    return verify(document, load_policy(policy.encode()), now=datetime.now(UTC), nonce=nonce, roots=VENDOR_ROOTS)


def refused(document: bytes, policy: str, nonce: bytes = NONCE) -> Code:
    with pytest.raises(ConfideError) as caught:
        verdict(document, policy, nonce)
    return caught.value.code


def with_token_of(document: bytes, other: bytes) -> bytes:
    """The document with another one's token."""
    mine, theirs = json.loads(document), json.loads(other)
    (place,), (token,) = ([item for item in each["evidence"] if item["type"] == "cca-token"] for each in (mine, theirs))
    assert base64.b64decode(token["value"]) != base64.b64decode(place["value"])
    place["value"] = token["value"]
    return json.dumps(mine, separators=(",", ":")).encode()


@pytest.mark.parametrize("newer", [False, True], ids=["profiles to 2024", "of 2026"])
@pytest.mark.parametrize("prefer", ["cca", "auto"])
def test_from_the_interface_to_a_proven_answer(tmp_path: Path, prefer: str, newer: bool) -> None:
    async def test() -> None:
        async with serving_node(tmp_path, prefer=prefer, fields={"newer": newer}) as node:
            document = await shown(node)
            policy = propose(document)
            assert 'tee = "cca"' in policy
            found = verdict(document, policy)
            assert (found.simulated, found.claims[0].kind) == (True, "cca")
            assert found.keyset == node.node.keyset
            answer = await node.ask("POST", "/v1/pipelines/encoder", {"inputs": ["a doctor"]})
            assert (answer.status, answer.receipt is not None) == (200, True)

    asyncio.run(test())


def test_another_nonce_an_older_token_and_another_boots_are_refused(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving_node(tmp_path) as node:
            document, later = await shown(node), await shown(node, OTHER_NONCE)
            policy = propose(document)
        async with serving_node(tmp_path) as node:
            other = await shown(node)
        assert refused(document, policy, OTHER_NONCE) is Code.VERDICT_NONCE
        assert refused(with_token_of(document, later), policy) is Code.BINDING_MISMATCH
        assert refused(with_token_of(document, other), policy) is Code.BINDING_MISMATCH

    asyncio.run(test())


def test_policies_for_another_realm_or_platform_refuse(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving_node(tmp_path) as node:
            document = await shown(node)
        policy = propose(document)
        for member, code in (
            ("rims", Code.CCA_RIM),
            ("firmware", Code.CCA_COMPONENT),
            ("implementation_ids", Code.CCA_IMPLEMENTATION),
        ):
            other = re.sub(rf'(\n{member} = \[\s*")[0-9a-f]{{2}}', r"\g<1>0d", policy)
            assert other != policy
            assert refused(document, other) is code
        unpinned = policy.replace(arm.root().der.hex(), OTHER_ROOT.der.hex())
        assert unpinned != policy
        assert refused(document, unpinned) is Code.COSE_SIGNATURE

    asyncio.run(test())


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"platform": {2395: 0x4001}}, Code.CCA_LIFECYCLE),
        ({"realm": {44238: b"\x42" * 48}}, Code.CCA_RIM),
        ({"realm": {44239: [b"\x01" * 48, *[bytes(48)] * 3]}}, Code.CCA_REM),
        ({"newer": True, "realm": {44244: 1}}, Code.CCA_LIVE_FIRMWARE),
    ],
    ids=["debugged", "other software", "something extended", "live firmware"],
)
def test_a_realm_in_another_state_is_refused_by_the_policy_of_the_first(tmp_path: Path, fields: dict[str, Any], code: Code) -> None:
    async def test() -> None:
        async with serving_node(tmp_path, fields={"newer": "newer" in fields}) as node:
            policy = propose(await shown(node))
        async with serving_node(tmp_path, fields=fields) as node:
            assert refused(await shown(node), policy) is code

    asyncio.run(test())
