"""A Nitro Enclave: documents through /dev/nsm, against a device with the driver's rules."""

import ctypes
import errno
import logging
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.guest.devices.fuse import File, Folder, RefusalError, mounted

import confide_sim
from confide.attest import cbor
from confide.attest.evidence import Kind
from confide.attest.nitro.claims import NitroClaims
from confide.attest.roots import VENDOR_ROOTS
from confide.codes import Code
from confide.guest import GuestError
from confide.guest.devices.checked import CheckedTee, open_checked
from confide.guest.devices.nitro import NSM_IOCTL_RAW, NsmSource
from confide.guest.tee import detect, survey
from confide_sim import aws
from confide_sim.aws import FalseHost

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
DATA = bytes(range(64))


@dataclass(eq=False)
class Nsm(File):
    """`nsm_dev_ioctl` (drivers/misc/nsm.c). Pointers are those of this process, where callers are too.

    Attributes:
        answers: instead of the module's own answers, first to last; an errno refuses.
    """

    host: FalseHost = field(default_factory=lambda: FalseHost(at=NOW))
    document: dict[str, Any] = field(default_factory=dict)
    answers: list[bytes | int] = field(default_factory=list)
    length: Callable[[int], int] = lambda length: length

    def ioctl(self, command: int, argument: bytes) -> tuple[int, bytes]:
        request, size, response, room = struct.unpack("<QQQQ", argument)
        if command != 0xC0200A00 or size > 0x1000:
            return -errno.EINVAL, argument
        answer = self.answers.pop(0) if self.answers else self.module(cbor.loads(ctypes.string_at(request, size)))
        if isinstance(answer, int):
            raise RefusalError(answer)
        ctypes.memmove(response, answer, min(len(answer), room))
        return 0, struct.pack("<QQQQ", request, size, response, self.length(len(answer)))

    def module(self, request: Any) -> bytes:
        """What the Nitro Secure Module makes of a request."""
        asked = request["Attestation"]
        given = {name: asked[name] for name in ("user_data", "nonce", "public_key")}
        return aws.cbor({"Attestation": {"document": self.host.document(**{**given, **self.document})}})


@contextmanager
def opened(device: Nsm, **more: Any) -> Iterator[CheckedTee]:
    with mounted(Folder({"dev": Folder({"nsm": device})})) as root:
        given = {"roots": confide_sim.roots(), "now": lambda: NOW, **more}
        yield open_checked(NsmSource(root / "dev/nsm", pause=lambda _: None), **given)


def refusal(device: Nsm, **more: Any) -> GuestError:
    with pytest.raises(GuestError) as caught, opened(device, **more):
        pytest.fail("it opened")
    return caught.value


def test_the_command_is_the_kernels() -> None:
    assert NSM_IOCTL_RAW == 0xC0200A00


def test_an_enclave_gives_a_document_over_the_binding() -> None:
    device = Nsm()
    with opened(device) as tee:
        checked = tee.examine(DATA)
    assert (tee.kind, tee.simulated, tee.interface) == ("nitro", True, "nitro")
    assert isinstance(checked.claims, NitroClaims)
    assert (checked.claims.document.user_data, checked.claims.document.nonce) == (DATA, None)
    assert checked.quote.fresh_until - NOW < timedelta(hours=3)
    assert not checked.quote.endorsements.items


def test_a_busy_device_is_asked_again() -> None:
    with opened(Nsm(answers=[errno.EBUSY, errno.EINTR])) as tee:
        assert tee.simulated


ANSWERS: dict[str, bytes | int] = {
    "an error": aws.cbor({"Error": "InternalError"}),
    "another answer": aws.cbor({"DescribePCR": {"lock": True}}),
    "a text": aws.cbor("Attestation"),
    "a document that is text": aws.cbor({"Attestation": {"document": "text"}}),
    "an answer without a document": aws.cbor({"Attestation": 1}),
    "no CBOR": b"\xff\xff",
    "nothing": b"",
    "EIO": errno.EIO,
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_without_a_document_is_told(name: str) -> None:
    error = refusal(Nsm(answers=[ANSWERS[name]]))
    assert error.code is Code.GUEST_QUOTE
    if name == "an error":
        assert error.found == "/dev/nsm answers 'InternalError'"


def test_an_answer_longer_than_its_room_is_refused() -> None:
    assert refusal(Nsm(length=lambda _: 0x3001)).code is Code.GUEST_QUOTE


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES])
def test_a_process_that_may_not_ask_is_told_what_it_needs(number: int) -> None:
    error = refusal(Nsm(answers=[number]))
    assert error.code is Code.GUEST_DEVICE
    assert "CAP_SYS_ADMIN" in error.found


def test_the_node_says_what_clients_would_say_of_its_evidence() -> None:
    def wrong(device: Nsm, **more: Any) -> str:
        error = refusal(device, **more)
        assert error.code is Code.GUEST_SELF_CHECK
        return error.found.split(":", 1)[0]

    assert wrong(Nsm(), roots=VENDOR_ROOTS) == "x509.root"
    assert wrong(Nsm(), now=lambda: NOW + timedelta(hours=4)) == "x509.expired"
    assert wrong(Nsm(host=FalseHost(Kind.NITROTPM, at=NOW))) == "nitro.kind"
    assert wrong(Nsm(document={"digest": "SHA256"})) == "nitro.digest"


def test_a_document_over_other_bytes_is_none() -> None:
    assert refusal(Nsm(document={"user_data": bytes(64)})).code is Code.GUEST_QUOTE


def test_debug_mode_is_a_warning_for_the_operator_and_a_short_life_is_none(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), opened(Nsm()):
        assert caplog.text == ""
    zeros = {"pcrs": {index: bytes(48) for index in range(16)}}
    with caplog.at_level(logging.WARNING), opened(Nsm(document=zeros)):
        assert "nitro.debug" in caplog.text


@pytest.mark.parametrize("prefer", ["auto", "nitro"])
def test_the_device_is_found(prefer: str) -> None:
    device = Nsm(host=FalseHost(at=datetime.now(UTC)))
    with mounted(Folder({"dev": Folder({"nsm": device})})) as root:
        tee = detect(prefer, software_digest=b"", root=root, roots=confide_sim.roots())
        assert tee.kind == "nitro"
        (finding,) = survey(root)
    assert (finding.usable, finding.found) == (True, "gives evidence of Nitro")
