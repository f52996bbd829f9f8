"""A cloud's TPM: quotes by a real TPM 2.0 in software through the kernel's interface, certified by a false cloud."""

import errno
import logging
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.guest.devices.fuse import Folder, mounted
from tests.guest.devices.swtpm import P256_TEMPLATE, RSA_TEMPLATE, Provisioned, Swtpm, Tpmrm, provisioned, swtpm

import confide_sim
from confide.attest.roots import VENDOR_ROOTS
from confide.attest.tpm.claims import TpmClaims
from confide.codes import Code
from confide.guest import GuestError
from confide.guest.devices.checked import CheckedTee, open_checked
from confide.guest.devices.tpm import commands
from confide.guest.devices.tpm.source import AZURE_CERTIFICATE, AZURE_KEY, TpmSource, consistent_quote, plain_public
from confide.guest.tee import detect, survey
from confide_sim.tpm import AK_USAGE, AZURE, boot_events, usages
from confide_sim.tpm_structures import event_log

DATA = bytes(range(64))
HEAD = struct.pack(">HII", 0x8001, 10, 0)


@pytest.fixture(scope="module")
def machine() -> Iterator[Provisioned]:
    """One TPM for all tests of this file that change nothing about it."""
    with provisioned() as found:
        yield found


@contextmanager
def opened(one: Provisioned, folder: Path | None, *, log: bytes | None = None, **more: Any) -> Iterator[CheckedTee]:
    with one.root(log=log) as root:
        source = TpmSource(root / "dev/tpmrm0", root=root, pause=lambda _: None)
        yield open_checked(source, collateral_dir=folder, **{"roots": confide_sim.roots(), **more})


def refusal(one: Provisioned, folder: Path | None, **more: Any) -> GuestError:
    with pytest.raises(GuestError) as caught, opened(one, folder, **more):
        pytest.fail("it opened")
    return caught.value


def test_a_real_tpm_gives_a_quote_that_the_verifier_accepts(machine: Provisioned, tmp_path: Path) -> None:
    with opened(machine, machine.files(tmp_path)) as tee:
        checked = tee.examine(DATA)
    claims = checked.claims
    assert isinstance(claims, TpmClaims)
    assert (tee.kind, tee.simulated, tee.interface) == ("tpm", True, "tpm")
    assert claims.report_data == sha256(DATA).digest()
    assert claims.event_log_replayed
    assert claims.pcrs[4] != bytes(32)
    assert 10 not in claims.pcrs
    assert tee.attestation_key_sha256 == claims.ak_spki_sha256
    assert set(checked.quote.evidence.items) == {"attest", "signature", "pcrs", "ak-public", "event-log"}
    assert set(checked.quote.endorsements.items) == {"ak-cert", "ak-chain", "ak-crl"}


def test_a_key_of_rsa_works_too(tmp_path: Path) -> None:
    with provisioned(template=RSA_TEMPLATE) as one, opened(one, one.files(tmp_path)) as tee:
        assert tee.quote(DATA).evidence.items["signature"][:2] == b"\x00\x14"


def test_transient_keys_are_removed_again(machine: Provisioned, tmp_path: Path) -> None:
    machine.device.codes.clear()
    with opened(machine, machine.files(tmp_path)) as tee:
        tee.quote(DATA)
    assert machine.device.codes.count(commands.CREATE_PRIMARY) == machine.device.codes.count(commands.FLUSH) == 3


def test_azures_persistent_key_is_used_where_it_is(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415 - only here

    from confide.attest.checks import Checks  # noqa: PLC0415
    from confide.attest.tpm.public import parse_public  # noqa: PLC0415

    with swtpm() as tpm:
        public = parse_public(tpm.persist(RSA_TEMPLATE, AZURE_KEY), checks=Checks()).key
        spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        extensions = (usages("1.3.6.1.4.1.311.10.3.12", AK_USAGE),)
        certificate = AZURE.issue_ak(spki, at=datetime.now(UTC), extensions=extensions)
        tpm.define(AZURE_CERTIFICATE, certificate)
        one = Provisioned(tpm, AZURE, certificate, (), Tpmrm(tpm))
        with opened(one, one.files(tmp_path), log=b"") as tee:
            claims = tee.examine(DATA).claims
    assert isinstance(claims, TpmClaims)
    assert claims.authority.value == "azure"
    assert commands.CREATE_PRIMARY not in one.device.codes


def test_the_kind_must_be_named(machine: Provisioned, tmp_path: Path) -> None:
    folder = machine.files(tmp_path)
    with machine.root() as root:
        given: dict[str, Any] = {"root": root, "roots": confide_sim.roots(), "collateral_dir": folder, "software_digest": b""}
        assert detect("tpm", **given).kind == "tpm"
        with pytest.raises(GuestError) as caught:
            detect("auto", **given)
        assert caught.value.code is Code.GUEST_NO_TEE
        assert "--tee tpm" in caught.value.hint
        (finding,) = survey(root)
    assert (finding.usable, finding.found) == (True, "gives evidence of a cloud's TPM")


def test_what_is_missing_is_named(machine: Provisioned, tmp_path: Path) -> None:
    error = refusal(machine, machine.files(tmp_path, "ak-crl.der"))
    assert error.code is Code.GUEST_COLLATERAL
    assert error.found.startswith("from the host: ak-cert")
    assert "ak-crl.der" in error.hint


def test_the_node_says_what_clients_would_say_of_its_evidence(machine: Provisioned, tmp_path: Path) -> None:
    def wrong(**more: Any) -> str:
        error = refusal(machine, machine.files(tmp_path), **more)
        assert error.code is Code.GUEST_SELF_CHECK
        return error.found.split(":", 1)[0]

    assert wrong(roots=VENDOR_ROOTS) == "x509.missing"
    assert wrong(now=lambda: datetime.now(UTC) + timedelta(days=90)) == "x509.crl_expired"


@pytest.mark.parametrize("log", [event_log(boot_events(kernel=b"another")), b"no log"], ids=["another", "broken"])
def test_a_log_that_verifiers_would_refuse_is_left_out_and_told_once(
    machine: Provisioned, tmp_path: Path, caplog: pytest.LogCaptureFixture, log: bytes
) -> None:
    with caplog.at_level(logging.WARNING), opened(machine, machine.files(tmp_path), log=log) as tee:
        assert "event-log" not in tee.quote(DATA).evidence.items
    assert caplog.text.count("left out of the evidence") == 1


def test_pcrs_that_change_in_between_are_quoted_again(tmp_path: Path) -> None:
    class Moving(Tpmrm):
        left = 2

        def write(self, offset: int, data: bytes) -> None:
            if int.from_bytes(data[6:10]) == commands.QUOTE and self.left:
                self.left -= 1
                self.tpm.extend(15, bytes(32))
            super().write(offset, data)

    with provisioned() as one:
        one.device = Moving(one.tpm)
        with opened(one, one.files(tmp_path)) as tee:
            assert tee.simulated
        one.device = moving = Moving(one.tpm)
        moving.left = 1000
        error = refusal(one, one.files(tmp_path))
    assert error.code is Code.GUEST_QUOTE
    assert "change faster" in error.found


def test_a_tpm_without_a_clouds_key_is_told_where_one_was_looked_for(tmp_path: Path) -> None:
    with swtpm() as tpm:
        error = refusal(Provisioned(tpm, AZURE, b"", (), Tpmrm(tpm)), tmp_path, log=b"")
    assert error.code is Code.GUEST_DEVICE
    assert error.found == "no key at 0x81000003, 0x01c10003, 0x01c10001"


ANSWERS: dict[str, bytes | int] = {
    "too short": b"\x80\x01",
    "another size": HEAD[:2] + (11).to_bytes(4) + HEAD[6:],
    "another tag": struct.pack(">HII", 0x8002, 10, 0),
    "cut short": HEAD,
    "an error": struct.pack(">HII", 0x8001, 10, 0x101),
    "EIO": errno.EIO,
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_of_another_form_is_told(machine: Provisioned, tmp_path: Path, name: str) -> None:
    one = Provisioned(machine.tpm, machine.cloud, machine.certificate, machine.events, Tpmrm(machine.tpm, answers=[ANSWERS[name]]))
    error = refusal(one, machine.files(tmp_path))
    assert error.code is Code.GUEST_QUOTE
    if name == "an error":
        assert "ReadPublic answers 0x101" in error.found


@pytest.mark.parametrize("busy", [0x908, 0x90A, 0x920, 0x922, "EBUSY"], ids=str)
def test_a_busy_tpm_is_asked_again(machine: Provisioned, tmp_path: Path, busy: int | str) -> None:
    answer = errno.EBUSY if isinstance(busy, str) else struct.pack(">HII", 0x8001, 10, busy)
    device = Tpmrm(machine.tpm, answers=[answer, answer])
    one = Provisioned(machine.tpm, machine.cloud, machine.certificate, machine.events, device)
    with opened(one, machine.files(tmp_path)) as tee:
        assert tee.simulated


def test_a_process_that_may_not_open_it_is_told(tmp_path: Path) -> None:
    with mounted(Folder({"dev": Folder({})})) as root, pytest.raises(GuestError) as caught:
        TpmSource(root / "dev/tpmrm0", root=root).check()
    assert caught.value.code is Code.GUEST_DEVICE


def nv(size: int, *pieces: bytes) -> list[bytes]:
    """Answers to NV_ReadPublic and NV_Read."""
    public = struct.pack(">IHIHH", 0x01C10000, 0x000B, 0, 0, size)
    answers = [len(public).to_bytes(2) + public + bytes(2)]
    answers += [(len(piece) + 2).to_bytes(4) + len(piece).to_bytes(2) + piece for piece in pieces]
    tags = [0x8001, *[0x8002] * len(pieces)]
    return [struct.pack(">HII", tag, 10 + len(body), 0) + body for tag, body in zip(tags, answers, strict=True)]


@pytest.mark.parametrize(
    "answers", [nv(5, b""), nv(5, b"123456"), nv(commands.MAX_NV + 1)], ids=["nothing", "more than asked for", "too large"]
)
def test_an_index_that_lies_about_its_size_is_refused(answers: list[bytes]) -> None:
    left = list(answers)
    with pytest.raises(GuestError) as caught:
        commands.nv_read(lambda _: left.pop(0), 0x01C10000)
    assert caught.value.code is Code.GUEST_QUOTE


def test_an_index_is_read_in_pieces(machine: Provisioned) -> None:
    data = bytes(range(256)) * 6
    machine.tpm.define(0x01500001, data)
    assert commands.nv_read(machine.tpm, 0x01500001) == data
    assert commands.nv_read(machine.tpm, 0x01500002) is None


def test_a_tpm_without_the_bank_is_told() -> None:
    nothing = struct.pack(">IIHBI", 7, 1, 0x000B, 3, 0)[:-1] + bytes(4)  # counter, one bank, no PCR, no digest
    answer = struct.pack(">HII", 0x8001, 10 + len(nothing), 0) + nothing
    assert commands.pcr_read(lambda _: answer, bank=0x000B, pcrs=(0,)) == {}
    with pytest.raises(GuestError) as caught:
        consistent_quote(lambda _: answer, 1, qualifying_data=b"")
    assert caught.value.code is Code.GUEST_DEVICE


@pytest.mark.parametrize("template", [P256_TEMPLATE, RSA_TEMPLATE])
def test_a_template_may_come_with_its_length_in_front(template: bytes) -> None:
    assert plain_public(template) == template
    assert plain_public(len(template).to_bytes(2) + template) == template
    assert plain_public(len(template).to_bytes(2) + template + bytes(20)) == template


def test_the_double_is_a_tpm(machine: Provisioned) -> None:
    assert isinstance(machine.tpm, Swtpm)
    assert len(commands.pcr_read(machine.tpm, bank=0x000B, pcrs=tuple(range(24)))) == 24
