"""A TEE with what stands beside it: who is asked what, in which order, and what one part's trouble does to the whole."""

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from confide.attest.binding import binding, gpu_nonce, join_device_evidence
from confide.attest.evidence import Endorsements, Evidence
from confide.codes import Code
from confide.guest import GuestError
from confide.guest.machine import Machine, Subject
from confide.guest.quote import Quote

SUBJECT = Subject(b"\x05" * 32, b"a keyset")
SOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@dataclass(eq=False)
class Part:
    """A device that notes what it is asked."""

    kind: str
    role: str = "report"
    index: int = 0
    good_for: timedelta = timedelta(days=1)
    simulated: bool = False
    attestation_key_sha256: bytes | None = None
    platform_id: str = ""
    fails: Exception | None = None
    meet: threading.Barrier | None = None
    asked: list[bytes] = field(default_factory=list)
    renewed: int = 0

    def renew(self) -> None:
        self.renewed += 1
        if self.fails is not None:
            raise self.fails

    def quote(self, report_data: bytes) -> Quote:
        self.asked.append(report_data)
        if self.meet is not None:
            self.meet.wait(10)
        if self.fails is not None:
            raise self.fails
        evidence = Evidence(self.kind, {self.role: b"about " + report_data}, self.index)
        return Quote(evidence, Endorsements({}), SOON + self.good_for)


def gpus(count: int = 2) -> list[Part]:
    return [Part("nvidia", "gpu-report", index, attestation_key_sha256=bytes([index]) * 32) for index in range(count)]


def test_a_tee_alone_is_asked_with_the_binding() -> None:
    tee = Part("snp")
    quote = Machine(tee).quote(SUBJECT)
    assert tee.asked == [binding(nonces=SUBJECT.nonces, keyset=SUBJECT.keyset)]
    assert (quote.others, quote.evidence.kind) == ((), "snp")


def test_gpus_are_asked_first_and_the_tee_over_what_they_answered() -> None:
    tee, tpm, devices = Part("snp"), Part("tpm", "attest"), gpus()
    quote = Machine(tee, tpm=tpm, gpus=devices).quote(SUBJECT)
    nonces = [gpu_nonce(nonces=SUBJECT.nonces, keyset=SUBJECT.keyset, index=index) for index in (0, 1)]
    assert [device.asked for device in devices] == [[nonce] for nonce in nonces]
    joined = join_device_evidence([b"about " + nonce for nonce in nonces])
    whole = binding(nonces=SUBJECT.nonces, keyset=SUBJECT.keyset, device_evidence=joined)
    assert (tee.asked, tpm.asked) == ([whole], [whole])
    assert [(each.evidence.kind, each.evidence.index) for each in quote.others] == [("nvidia", 0), ("nvidia", 1), ("tpm", 0)]


def test_gpus_answer_at_the_same_time() -> None:
    devices, meet = gpus(4), threading.Barrier(4)
    for device in devices:
        device.meet = meet  # each waits for the others: one after the other would never end
    assert len(Machine(Part("snp"), gpus=devices).quote(SUBJECT).others) == 4


def test_what_ends_first_ends_the_whole() -> None:
    tee, devices = Part("snp"), gpus()
    devices[1].good_for = timedelta(hours=3)
    assert Machine(tee, gpus=devices).quote(SUBJECT).fresh_until == SOON + timedelta(hours=3)


@pytest.mark.parametrize("fails", [GuestError(Code.GUEST_QUOTE, found="lost"), OSError(5, "gone")])
def test_one_that_fails_fails_the_whole_and_the_tee_is_not_asked(fails: Exception) -> None:
    tee, devices = Part("snp"), gpus()
    devices[0].fails = fails
    with pytest.raises(type(fails)):
        Machine(tee, gpus=devices).quote(SUBJECT)
    assert tee.asked == []
    assert len(devices[1].asked) == 1


def test_renewal_reaches_every_part_whatever_one_does() -> None:
    tee, tpm, devices = Part("snp", fails=OSError(5, "gone")), Part("tpm"), gpus()
    machine = Machine(tee, tpm=tpm, gpus=devices)
    with pytest.raises(OSError, match="gone"):
        machine.renew()
    assert len(machine.parts) == 4
    assert [part.renewed for part in (tee, tpm, *devices)] == [1, 1, 1, 1]


def test_what_the_keyset_names() -> None:
    tee, tpm = Part("az-snp-vtpm", attestation_key_sha256=b"\x07" * 32), Part("tpm", attestation_key_sha256=b"\x09" * 32)
    assert Machine(tee).tpm_key_sha256 == b"\x07" * 32
    assert Machine(Part("snp"), tpm=tpm).tpm_key_sha256 == b"\x09" * 32
    assert Machine(tee, gpus=gpus()).gpu_keys_sha256 == (bytes(32), b"\x01" * 32)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_one_false_vendor_makes_the_whole_simulated(which: int) -> None:
    parts = [Part("snp"), *gpus(1), Part("tpm")]
    assert not Machine(parts[0], gpus=parts[1:2], tpm=parts[2]).simulated
    parts[which].simulated = True
    assert Machine(parts[0], gpus=parts[1:2], tpm=parts[2]).simulated


def test_a_subject_shows_no_keyset() -> None:
    assert "keyset" not in repr(SUBJECT)
