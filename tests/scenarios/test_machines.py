"""Nodes on whole machines: a SEV-SNP guest or a TD with GPUs and a cloud's TPM beside it, over doubles of kernel and driver and a
real TPM in software; from the interfaces to a proven answer, and what a client refuses."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.guest.devices.doubles import Machine as Guest
from tests.guest.devices.doubles import Result, Tsm, at_path
from tests.guest.devices.fuse import File, Folder, mounted
from tests.guest.devices.intel_doubles import Enclave, TrustDomain, give, gramine
from tests.guest.devices.nvml_doubles import GPU_IS_LOST, Driver, give_manifests, installed
from tests.guest.devices.swtpm import Provisioned, provisioned
from tests.server.running import Inside, config

import confide_sim
from confide.attest.evidence import Kind
from confide.attest.roots import VENDOR_ROOTS
from confide.codes import Code
from confide.errors import ConfideError
from confide.guest import GuestError
from confide.guest.machine import Machine, open_machine
from confide.policy.load import load_policy
from confide.policy.trust import propose_policy
from confide.policy.verdict import Verdict
from confide.policy.verify import verify
from confide.server.node import running_node
from confide_sim import tpm_structures
from confide_sim.intel import FalsePlatform
from confide_sim.nvidia import FalseGpu

ROOTS = (*VENDOR_ROOTS, *confide_sim.roots())
NONCE = b"\x01" * 32


@dataclass
class House:
    """What a machine is made of, and the settings that name it."""

    kind: Kind = Kind.SNP
    gpus: int = 0
    vtpm: bool = False
    driver: Driver = field(default_factory=lambda: Driver([]))

    @property
    def settings(self) -> dict[str, Any]:
        return {"gpus": "nvidia" if self.gpus else "none", "vtpm": self.vtpm}

    @contextmanager
    def opened(self, folder: Path) -> Iterator[Machine]:
        """As a node opens it."""
        now = datetime.now(UTC)
        with ExitStack() as stack:
            self.driver.gpus = [FalseGpu(at=now) for _ in range(self.gpus)]
            stack.enter_context(installed(self.driver))
            give_manifests(folder, *self.driver.gpus)
            tpm = stack.enter_context(provisioned()) if self.vtpm else None
            root = stack.enter_context(mounted(self._tree(folder, now, tpm)))
            given: dict[str, Any] = {"root": root, "roots": confide_sim.roots(), "collateral_dir": folder, **self.settings}
            yield open_machine(self.kind.value, software_digest=b"", **given)

    def _tree(self, folder: Path, now: datetime, tpm: Provisioned | None) -> Folder:
        if self.kind is Kind.TDX:
            platform = FalsePlatform(Kind.TDX, at=now)
            give(folder, platform, at=now)
            tsm = Tsm(TrustDomain(platform=platform), provider="tdx_guest", auxblob=False, privlevel=False)
        else:
            tsm = Tsm(Guest())
        kernel = at_path(tsm.folder, "config", "tsm", "report")
        tree: dict[str, File | Folder] = {"sys": Folder({"kernel": kernel})}
        if tpm is not None:
            tpm.files(folder)
            log = tpm_structures.event_log(tpm.events)
            kernel.children["security"] = at_path(Result(lambda: log), "tpm0", "binary_bios_measurements")
            tree["dev"] = Folder({"tpmrm0": tpm.device})
        return Folder(tree)


def serving(house: House, folder: Path, test: Callable[[Inside], Awaitable[None]]) -> None:
    async def run() -> None:
        with house.opened(folder) as machine:
            settings = config(tee=house.kind.value, limits__gather_ms=5, **house.settings)
            async with running_node(settings, tee=machine) as running:
                node = Inside(running)
                async with node.http:
                    await test(node)

    asyncio.run(run())


async def shown(node: Inside, nonce: bytes = NONCE) -> bytes:
    return (await node.http.get(f"/.well-known/confide/evidence?nonce={nonce.hex()}")).content


def propose(document: bytes) -> str:
    given: dict[str, Any] = {"now": datetime.now(UTC), "nonce": NONCE, "roots": ROOTS, "name": "machine"}
    return propose_policy(document, unsafe_accept_simulated=True, **given).policy.decode()


def verdict(document: bytes, policy: str) -> Verdict:
    return verify(document, load_policy(policy.encode()), now=datetime.now(UTC), nonce=NONCE, roots=ROOTS)


def refused(document: bytes, policy: str) -> Code:
    with pytest.raises(ConfideError) as caught:
        verdict(document, policy)
    return caught.value.code


HOUSES = {
    "SEV-SNP with two GPUs": (House(gpus=2), [Kind.SNP, Kind.NVIDIA, Kind.NVIDIA]),
    "a TD with a GPU": (House(Kind.TDX, gpus=1), [Kind.TDX, Kind.NVIDIA]),
    "SEV-SNP with Google's TPM": (House(vtpm=True), [Kind.SNP, Kind.TPM]),
    "a TD with Google's TPM": (House(Kind.TDX, vtpm=True), [Kind.TDX, Kind.TPM]),
    "a TD with both": (House(Kind.TDX, gpus=2, vtpm=True), [Kind.TDX, Kind.NVIDIA, Kind.NVIDIA, Kind.TPM]),
}


@pytest.mark.parametrize("name", HOUSES)
def test_from_the_interfaces_to_one_verdict_and_a_proven_answer(tmp_path: Path, name: str) -> None:
    house, kinds = HOUSES[name]

    async def test(node: Inside) -> None:
        document = await shown(node)
        found = verdict(document, propose(document))
        assert [claims.kind for claims in found.claims] == kinds
        assert found.simulated
        assert found.keyset.gpu_leaf_key_sha256 == tuple(gpu.leaf_key_sha256 for gpu in house.driver.gpus)
        assert (found.keyset.tpm_ak_spki_sha256 is not None) == house.vtpm
        answer = await node.ask("POST", "/v1/pipelines/encoder", {"inputs": ["a doctor"]})
        assert (answer.status, answer.receipt is not None) == (200, True)

    serving(house, tmp_path, test)


def without(document: bytes, kind: str) -> bytes:
    """One piece of evidence is left out."""
    members = json.loads(document)
    kept = [item for item in members["evidence"] if not item["type"].startswith(kind)]
    assert len(kept) < len(members["evidence"])
    return json.dumps(members | {"evidence": kept}).encode()


def swapped(document: bytes) -> bytes:
    """Two GPUs in each other's place, with all that is theirs."""
    text = document.decode()
    for here, there in (("-0", "-@"), ("-1", "-0"), ("-@", "-1")):
        for kind in ("nvidia-gpu", "nvidia-cert-chain", "nvidia-ocsp"):
            text = text.replace(f'"{kind}{here}"', f'"{kind}{there}"')
    assert text != document.decode()
    return text.encode()


def spliced(document: bytes, other: bytes, kind: str) -> bytes:
    """A report of the same GPU over another nonce."""
    mine, theirs = json.loads(document), json.loads(other)
    place = next(item for item in mine["evidence"] if item["type"] == kind)
    place["value"] = next(item["value"] for item in theirs["evidence"] if item["type"] == kind)
    return json.dumps(mine).encode()


def test_a_gpu_cannot_be_taken_out_put_elsewhere_or_answer_late(tmp_path: Path) -> None:
    async def test(node: Inside) -> None:
        document, other = await shown(node), await shown(node, b"\x02" * 32)
        policy = propose(document)
        assert refused(without(document, "nvidia-gpu-1"), policy) is Code.BINDING_MISMATCH
        assert refused(without(document, "nvidia-gpu"), policy) is Code.BINDING_MISMATCH
        assert refused(swapped(document), policy) is Code.BINDING_MISMATCH
        assert refused(spliced(document, other, "nvidia-gpu-0"), policy) is Code.BINDING_MISMATCH

    serving(House(gpus=2), tmp_path, test)


def test_a_policy_for_gpus_refuses_a_node_that_has_none(tmp_path: Path) -> None:
    found: list[str] = []

    async def first(node: Inside) -> None:
        found.append(propose(await shown(node)))

    async def second(node: Inside) -> None:
        document = await shown(node)
        policy = propose(document)
        entry = found[0][found[0].index('[[accept]]\ntee = "nvidia"') :]
        entry = entry[: entry.index("\n\n")] if "\n\n" in entry else entry
        assert refused(document, f"{policy}\n{entry}\n") is Code.POLICY_COMPOSITE

    folder = tmp_path / "first"
    folder.mkdir()
    serving(House(gpus=1), folder, first)
    serving(House(), tmp_path, second)


def test_a_tpms_quote_cannot_be_another_ones(tmp_path: Path) -> None:
    async def test(node: Inside) -> None:
        document, other = await shown(node), await shown(node, b"\x02" * 32)
        policy = propose(document)
        late = spliced(spliced(document, other, "tpm-attest"), other, "tpm-signature")
        assert refused(late, policy) is Code.BINDING_MISMATCH
        assert refused(without(document, "tpm-"), policy) is Code.TPM_KEYSET

    serving(House(vtpm=True), tmp_path, test)


def test_a_gpu_that_is_lost_ends_evidence_and_a_later_one_works(tmp_path: Path) -> None:
    house = House(gpus=2)

    async def test(node: Inside) -> None:
        house.driver.fails["nvmlDeviceGetConfComputeGpuAttestationReport"] = GPU_IS_LOST
        reply = await node.http.get(f"/.well-known/confide/evidence?nonce={NONCE.hex()}")
        assert (reply.status_code, reply.json()["code"]) == (503, "guest.quote")
        assert "NVML" not in reply.text, "what is wrong with the driver is the operator's to read"
        house.driver.fails.clear()
        document = await shown(node)
        assert verdict(document, propose(document)).claims

    serving(house, tmp_path, test)


def test_a_tpm_stands_beside_no_other_kind(tmp_path: Path) -> None:
    platform = FalsePlatform(Kind.SGX, at=datetime.now(UTC))
    give(tmp_path, platform, at=datetime.now(UTC))
    with gramine(Enclave(platform=platform)) as root, pytest.raises(GuestError) as caught:
        open_machine("sgx", vtpm=True, software_digest=b"", root=root, roots=confide_sim.roots(), collateral_dir=tmp_path)
    assert (caught.value.code, caught.value.found) == (Code.GUEST_DEVICE, "vtpm beside sgx")


def test_a_machine_without_the_tpm_or_the_gpus_that_the_settings_name_does_not_start() -> None:
    for settings, code in (({"vtpm": True}, Code.GUEST_NO_TEE), ({"gpus": "nvidia"}, Code.GUEST_DEVICE)):
        with installed(Driver([])), pytest.raises(GuestError) as caught:
            open_machine("simulated", software_digest=b"", root=Path("/nowhere"), **settings)
        assert caught.value.code is code
