"""NitroTPM documents: a real TPM 2.0 in software keeps the buffer, a double answers AWS's vendor command on it."""

import asyncio
import errno
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.guest.devices.fuse import Folder, mounted
from tests.guest.devices.swtpm import Tpmrm, swtpm
from tests.server.running import Inside, config

import confide_sim
from confide.attest import cbor
from confide.attest.evidence import Kind
from confide.attest.nitro.claims import NitroClaims
from confide.attest.roots import VENDOR_ROOTS
from confide.codes import Code
from confide.guest import GuestError
from confide.guest.devices.checked import CheckedTee, open_checked
from confide.guest.devices.tpm import commands
from confide.guest.devices.tpm.nitro import SIZE, NitroTpmSource
from confide.guest.tee import detect, survey
from confide.policy.load import load_policy
from confide.policy.trust import propose_policy
from confide.policy.verify import verify
from confide.server.node import running_node
from confide_sim import aws
from confide_sim.aws import FalseHost

DATA = bytes(range(64))
ROOM = 2048  # bytes; libtpms, MAX_NV_INDEX_SIZE
GOOD = struct.pack(">HIII", 0x8002, 19, 0, 0) + bytes(5)  # no parameters, one session's answer
UNKNOWN = struct.pack(">HII", 0x8001, 10, 0x143)
TAKEN = struct.pack(">HII", 0x8001, 10, 0x14C)


@dataclass(eq=False)
class NitroTpm(Tpmrm):
    """`/dev/tpm0` of an EC2 instance. The TPM in software has indexes of 2 KiB at most: it checks every command and password, and
    what stands in the 8 KiB is kept here.

    Attributes:
        host: who makes documents.
        response: in place of the module's; None for its own.
        asked: requests that came, read.
        vendor: whether the vendor command is known.
    """

    host: FalseHost = field(default_factory=lambda: FalseHost(Kind.NITROTPM, at=datetime.now(UTC)))
    response: bytes | None = None
    asked: list[Any] = field(default_factory=list)
    vendor: bool = True
    memory: bytearray = field(default_factory=bytearray)

    def write(self, offset: int, data: bytes) -> None:
        code = int.from_bytes(data[6:10])
        if self.answers or code not in {commands.NV_DEFINE, commands.NV_READ_PUBLIC, commands.NV_READ, commands.NSM_REQUEST}:
            super().write(offset, data)
        elif code == commands.NV_DEFINE:
            assert int.from_bytes(data[-2:]) == SIZE
            super().write(offset, data[:-2] + ROOM.to_bytes(2))
        elif code == commands.NV_READ_PUBLIC:
            super().write(offset, data)
            self.answer = self.answer[:24] + SIZE.to_bytes(2) + self.answer[26:]
        elif code == commands.NV_READ:
            size, start = struct.unpack(">HH", data[-4:])
            super().write(offset, data[:-4] + struct.pack(">HH", 1, 0))
            piece = bytes(self.memory[start : start + size])
            body = (2 + len(piece)).to_bytes(4) + len(piece).to_bytes(2) + piece + self.answer[-5:]
            self.answer = struct.pack(">HII", 0x8002, 10 + len(body), 0) + body
        elif self.vendor:
            self.codes.append(code)
            self.requested(data)
        else:
            super().write(offset, data)

    def requested(self, data: bytes) -> None:
        """AWS's command: handles, one session, no parameters."""
        index, again, _, session, nonce, _, size = struct.unpack(">IIIIHBH", data[10:31])
        assert (index, nonce, session) == (again, 0, commands.PASSWORD)
        password = data[31 : 31 + size]
        held = commands.nv_read(self.tpm, index, password=password)
        request = cbor.first(held or b"")
        self.asked.append(request)
        made = self.host.document(user_data=request["Attestation"]["user_data"])
        response = aws.cbor({"Attestation": {"document": made}}) if self.response is None else self.response
        self.memory = bytearray(response + b"\xff" * (SIZE - len(response)))
        self.answer = GOOD


@contextmanager
def device(**given: Any) -> Iterator[NitroTpm]:
    with swtpm() as tpm:
        yield NitroTpm(tpm, **given)


@contextmanager
def machine(one: NitroTpm) -> Iterator[Path]:
    with mounted(Folder({"dev": Folder({"tpm0": one})})) as root:
        yield root


@contextmanager
def opened(one: NitroTpm, **more: Any) -> Iterator[CheckedTee]:
    with machine(one) as root:
        source = NitroTpmSource(root / "dev/tpm0", pause=lambda _: None)
        yield open_checked(source, **{"roots": confide_sim.roots(), **more})


def refusal(one: NitroTpm, **more: Any) -> GuestError:
    with pytest.raises(GuestError) as caught, opened(one, **more):
        pytest.fail("it opened")
    return caught.value


def test_a_document_comes_through_the_vendor_command_and_verifies() -> None:
    with device() as one, opened(one) as tee:
        claims = tee.examine(DATA).claims
        assert isinstance(claims, NitroClaims)
        assert (tee.kind, tee.simulated, tee.interface) == ("nitrotpm", True, "nitrotpm")
        assert claims.report_data == DATA
        assert one.asked[-1] == {"Attestation": {"user_data": DATA, "nonce": None, "public_key": None}}


def test_the_buffer_is_removed_again_whatever_happens() -> None:
    with device() as one:
        with opened(one) as tee:
            tee.quote(DATA)
        one.response = b"\xff"
        refusal(one)
        assert one.codes.count(commands.NV_DEFINE) == one.codes.count(commands.NV_UNDEFINE) >= 3


def test_an_index_that_is_taken_is_not_touched() -> None:
    with device() as one:
        one.answers = [TAKEN, TAKEN]
        with opened(one):
            assert one.codes[:3] == [commands.NV_DEFINE] * 3
    with device() as one:
        one.answers = [TAKEN] * 8
        error = refusal(one)
        assert (error.code, error.found) == (Code.GUEST_QUOTE, "8 NV indexes that are taken")


def test_a_tpm_that_is_no_nitrotpm_is_told() -> None:
    with device(vendor=False) as one:  # swtpm itself refuses the command
        error = refusal(one)
    assert error.code is Code.GUEST_DEVICE
    assert "a TPM without requests" in error.found
    assert "--tee tpm" in error.hint


RESPONSES: dict[str, bytes] = {
    "an error of the module": aws.cbor({"Error": "InternalError"}),
    "no map": aws.cbor([1]),
    "no document": aws.cbor({"Attestation": {}}),
    "no CBOR": b"\xff" * 64,
    "a document of an enclave": aws.cbor({"Attestation": {"document": FalseHost(at=datetime.now(UTC)).document(user_data=DATA)}}),
}


@pytest.mark.parametrize("response", RESPONSES.values(), ids=RESPONSES.keys())
def test_another_response_gives_no_evidence(response: bytes) -> None:
    with device(response=response) as one:
        assert refusal(one).code in {Code.GUEST_QUOTE, Code.GUEST_SELF_CHECK}


@pytest.mark.parametrize("answer", [errno.EIO, b"", b"\x80\x02", UNKNOWN[:6] + b"\x00\x00\x01\x01"], ids=str)
def test_another_answer_of_the_device_is_our_error(answer: bytes | int) -> None:
    with device() as one:
        one.answers = [answer]
        assert refusal(one).code in {Code.GUEST_QUOTE, Code.GUEST_DEVICE}


def test_the_kind_must_be_named() -> None:
    with device() as one, machine(one) as root:
        given: dict[str, Any] = {"root": root, "roots": confide_sim.roots(), "software_digest": b""}
        assert detect("nitrotpm", **given).kind == "nitrotpm"
        with pytest.raises(GuestError) as caught:
            detect("auto", **given)
        assert caught.value.code is Code.GUEST_NO_TEE
        (finding,) = survey(root)
    assert finding.usable


def test_the_buffer_has_room_for_a_document() -> None:
    assert len(FalseHost(Kind.NITROTPM).document(user_data=bytes(64))) < SIZE


def test_a_node_on_an_instance_serves_whoever_accepts_its_boot() -> None:
    nonce, roots = b"\x01" * 32, (*VENDOR_ROOTS, *confide_sim.roots())

    async def test(one: NitroTpm) -> None:
        with machine(one) as root:
            tee = detect("nitrotpm", software_digest=b"", root=root, roots=confide_sim.roots())
            async with running_node(config(tee="nitrotpm", limits__gather_ms=5), tee=tee) as running:
                node = Inside(running)
                async with node.http:
                    document = (await node.http.get(f"/.well-known/confide/evidence?nonce={nonce.hex()}")).content
                    answer = await node.ask("POST", "/v1/pipelines/encoder", {"inputs": ["a doctor"]})
        assert (answer.status, answer.receipt is not None) == (200, True)
        now = datetime.now(UTC)
        proposal = propose_policy(document, now=now, nonce=nonce, roots=roots, name="aws", unsafe_accept_simulated=True)
        found = verify(document, load_policy(proposal.policy), now=now, nonce=nonce, roots=roots)
        assert "memory encryption" in {item.what for item in found.not_checked}

    with device() as one:
        asyncio.run(test(one))
