"""A node whose TEE is SEV-SNP, over doubles of the kernel's interfaces: from evidence to a proven answer, by the real verifier."""

import asyncio
import errno
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.guest.devices.doubles import Machine, SevDevice, Tsm, refusing, sev_machine, table_of, tsm_machine
from tests.policy.world import OWNER
from tests.server.running import Inside, config, packages

import confide_sim
from confide.attest.admission import Admission, sign_admission
from confide.attest.publickeys import key_text
from confide.attest.roots import VENDOR_ROOTS
from confide.cli.app import run
from confide.codes import Code
from confide.errors import ConfideError
from confide.guest import GuestError
from confide.guest.tee import detect
from confide.policy.load import load_policy
from confide.policy.trust import propose_policy
from confide.policy.verdict import Custody, Verdict
from confide.policy.verify import verify
from confide.server.node import running_node
from confide_sim.amd import FalseChip

ROOTS = (*VENDOR_ROOTS, *confide_sim.roots())
INTERFACES: dict[str, Callable[[Machine], Any]] = {
    "configfs-tsm": lambda machine: tsm_machine(Tsm(machine)),
    "sev-guest": lambda machine: sev_machine(SevDevice(machine)),
}


def verdict(document: bytes, nonce: bytes, policy: bytes | None = None) -> Verdict:
    now = datetime.now(UTC)
    if policy is None:
        proposal = propose_policy(document, now=now, nonce=nonce, roots=ROOTS, name="snp", unsafe_accept_simulated=True)
        policy = proposal.policy
    return verify(document, load_policy(policy), now=now, nonce=nonce, roots=ROOTS)


async def evidence(node: Inside, nonce: bytes) -> bytes:
    reply = await node.http.get(f"/.well-known/confide/evidence?nonce={nonce.hex()}")
    assert reply.status_code == 200, reply.text
    return reply.content


@contextmanager
def machine_of(interface: str, machine: Machine) -> Iterator[Any]:
    with INTERFACES[interface](machine) as root:
        yield detect("snp", software_digest=b"", root=root, roots=confide_sim.roots())


@pytest.mark.parametrize("interface", INTERFACES)
def test_from_the_kernels_interface_to_a_proven_answer(interface: str) -> None:
    machine = Machine()

    async def test() -> None:
        with machine_of(interface, machine) as tee:
            async with running_node(config(tee="snp", limits__gather_ms=5), tee=tee) as running:
                node = Inside(running)
                async with node.http:
                    assert running.simulated
                    found = verdict(await evidence(node, b"\x01" * 32), b"\x01" * 32)
                    assert found.simulated
                    assert found.claims[0].platform_id == machine.chip.chip_id.hex()
                    assert found.keyset == running.keyset
                    answer = await node.ask("POST", "/v1/pipelines/encoder", {"inputs": ["a doctor"]})
                    assert (answer.status, answer.receipt is not None) == (200, True)

    asyncio.run(test())


def test_an_admission_names_the_chip_and_a_list_of_chips_is_checked_against_it() -> None:
    machine = Machine()

    async def test() -> None:
        with machine_of("configfs-tsm", machine) as tee:
            settings = config(tee="snp", limits__gather_ms=5, authority_key=key_text(OWNER.public))
            async with running_node(settings, tee=tee) as running:
                node = Inside(running)
                async with node.http:
                    await owned(node, machine)

    asyncio.run(test())


async def owned(node: Inside, machine: Machine) -> None:
    now, keyset = datetime.now(UTC), node.node.keyset
    chip = machine.chip.chip_id.hex()

    def word(platform: str) -> bytes:
        begin, end = now - timedelta(minutes=1), now + timedelta(hours=1)
        return sign_admission(Admission(keyset.node_id, keyset.receipt_keys[0].keyid, platform, "rack 4", begin, end), key=OWNER)

    assert (await node.ask("PUT", "/v1/admission", word("0d" * 64))).error == "admission.platform"
    assert (await node.ask("PUT", "/v1/admission", word(chip))).status == 200
    nonce = b"\x02" * 32
    document = await evidence(node, nonce)
    proposal = propose_policy(document, now=now, nonce=nonce, roots=ROOTS, name="snp", unsafe_accept_simulated=True).policy.decode()
    assert verdict(document, nonce, proposal.encode()).custody is Custody.ADMISSION
    listed = proposal.replace('tee = "snp"\n', f'tee = "snp"\nchip_ids = ["{chip}"]\n')
    assert verdict(document, nonce, listed.encode()).custody is Custody.ADMISSION_AND_CHIP_LIST
    with pytest.raises(ConfideError) as caught:
        verdict(document, nonce, listed.replace(chip, "0d" * 64).encode())
    assert caught.value.code is Code.SNP_CHIP_ID


def test_a_chip_that_the_host_hides_is_admitted_as_hidden_and_the_verdict_says_so() -> None:
    machine = Machine(report_fields={"chip_id": bytes(64)})

    async def test() -> None:
        with machine_of("sev-guest", machine) as tee:
            settings = config(tee="snp", limits__gather_ms=5, authority_key=key_text(OWNER.public))
            async with running_node(settings, tee=tee) as running:
                node = Inside(running)
                async with node.http:
                    now, keyset = datetime.now(UTC), running.keyset
                    word = Admission(
                        keyset.node_id,
                        keyset.receipt_keys[0].keyid,
                        "",
                        "rack 4",
                        now - timedelta(minutes=1),
                        now + timedelta(hours=1),
                    )
                    assert (await node.ask("PUT", "/v1/admission", sign_admission(word, key=OWNER))).status == 200
                    found = verdict(await evidence(node, b"\x05" * 32), b"\x05" * 32)
                    assert found.custody is Custody.ADMISSION
                    assert found.claims[0].platform_id == ""
                    assert "platform in the admission" in [item.what for item in found.not_checked]

    asyncio.run(test())


def test_a_device_that_fails_for_a_while_costs_a_503_and_no_more() -> None:
    machine = Machine()

    async def test() -> None:
        with machine_of("configfs-tsm", machine) as tee:
            async with running_node(config(tee="snp", limits__gather_ms=5, limits__quote_interval_ms=1), tee=tee) as running:
                node = Inside(running)
                async with node.http:
                    machine.faults[:] = [refusing(errno.EIO)]
                    failed = await node.http.get(f"/.well-known/confide/evidence?nonce={'03' * 32}")
                    assert (failed.status_code, failed.json()["code"]) == (503, "guest.quote")
                    assert "EIO" not in failed.text
                    verdict(await evidence(node, b"\x04" * 32), b"\x04" * 32)

    asyncio.run(test())


def test_a_node_without_the_vendors_list_does_not_start(tmp_path: Path) -> None:
    chip = FalseChip(at=datetime.now(UTC))
    items = {role: value for role, value in chip.endorsements().items.items() if role != "crl"}
    with tsm_machine(Tsm(Machine(chip=chip, table=table_of(items)))) as root:
        with pytest.raises(GuestError) as caught:
            detect("snp", software_digest=b"", root=root, roots=confide_sim.roots())
        assert caught.value.code is Code.GUEST_COLLATERAL
        (tmp_path / "crl.der").write_bytes(chip.amd.crl(at=datetime.now(UTC)))
        given = detect("snp", software_digest=b"", root=root, roots=confide_sim.roots(), collateral_dir=tmp_path)
        assert given.quote(bytes(64)).fresh_until > datetime.now(UTC)


def test_a_machine_without_a_tee_is_told_by_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """Where these tests run on a SEV-SNP guest, the commands find it instead."""
    if Path("/dev/sev-guest").exists() or Path("/sys/kernel/config/tsm/report").exists():
        pytest.skip("this machine has a TEE")
    assert run(["doctor"]) == 2
    out, err = capsys.readouterr()
    assert out == "interfaces  none\n"
    assert "guest.no_tee" in err
    assert run(["doctor", "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert (told["problem"]["code"], told["exit"], told["interfaces"]) == ("guest.no_tee", 2, [])

    assert run(["serve", str(packages()["encoder"]), "--tee", "snp", "--port", "0", "--workers", "1"]) == 2
    err = capsys.readouterr().err
    assert "error: no trusted execution environment was found (guest.no_tee)" in err
    assert "wanted: one of /sys/kernel/config/tsm/report, /dev/sev-guest" in err
    assert "hint: run in a confidential VM" in err
