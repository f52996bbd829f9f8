"""Realms of Arm CCA: a token over our bytes that our own verifier accepts, or an operator who reads what to do."""

import errno
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.attest.cca.world import OTHER, OTHER_ROOT
from tests.guest.devices.cca_doubles import Realm, give, realm_machine
from tests.guest.devices.doubles import Entry, refusing

from confide.attest.cca.claims import CcaClaims
from confide.attest.evidence import Kind
from confide.attest.roots import VENDOR_ROOTS
from confide.codes import Code
from confide.guest import GuestError
from confide.guest.devices.cca import KEY_FILE, CcaSource, with_platform_key
from confide.guest.devices.checked import CheckedTee, open_checked
from confide.guest.devices.reports import ATTEMPTS
from confide.guest.examination import examine
from confide.guest.tee import detect, survey
from confide_sim import arm

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
DATA = bytes(range(64))
TSM = "sys/kernel/config/tsm/report"


@contextmanager
def opened(realm: Realm, **tsm: Any) -> Iterator[CheckedTee]:
    with realm_machine(realm, **tsm) as root:
        source = CcaSource(root / TSM, pause=lambda _: None)
        yield open_checked(source, roots=(arm.root(),), now=lambda: NOW)


def refusal(realm: Realm, **tsm: Any) -> GuestError:
    with pytest.raises(GuestError) as caught, opened(realm, **tsm):
        pytest.fail("it opened")
    return caught.value


def self_check(realm: Realm) -> str:
    error = refusal(realm)
    assert error.code is Code.GUEST_SELF_CHECK
    return error.found.split(":", 1)[0]


@pytest.mark.parametrize("newer", [False, True], ids=["profiles to 2024", "of 2026"])
def test_a_realm_gives_a_token_over_all_64_bytes(newer: bool) -> None:
    with opened(Realm(fields={"newer": newer})) as tee:
        checked = tee.examine(DATA)
    assert (tee.kind, tee.simulated, tee.interface) == ("cca", True, "configfs-tsm")
    assert set(checked.quote.evidence.items) == {"token"}
    assert checked.quote.endorsements.items == {}
    assert isinstance(checked.claims, CcaClaims)
    assert checked.claims.report_data == DATA


@pytest.mark.parametrize(
    "tsm", [{"privlevel": False}, {"auxblob": False}, {"hidden": ("privlevel_floor",)}], ids=lambda given: next(iter(given))
)
def test_kernels_that_hide_what_a_realm_has_no_use_for_are_read_too(tsm: dict[str, Any]) -> None:
    with opened(Realm(), **tsm) as tee:
        assert tee.examine(DATA).claims.report_data == DATA


def test_tokens_of_several_pages_are_read_whole() -> None:
    realm = Realm(fields={"platform": {2401: bytes(4096), 65000: bytes(20000)}})
    with opened(realm) as tee:
        token = tee.quote(DATA).evidence.items["token"]
    assert len(token) > 20000


class Other:
    """Somebody else who writes another challenge to our entry, at the given reads of `generation`."""

    def __init__(self, *at: int) -> None:
        self.at, self.reads = at, 0

    def __call__(self, entry: Entry) -> None:
        self.reads += 1
        if self.reads in self.at:
            entry.inblob, entry.written = b"\xff" * 64, entry.written + 1


@pytest.mark.parametrize("at", [2, 3], ids=["before it is read", "after it is read"])
def test_another_writer_of_the_entry_gets_no_token_into_our_hands(at: int) -> None:
    with opened(Realm(), before_generation=Other(3 + at)) as tee:  # opening reads `generation` three times
        assert tee.examine(DATA).claims.report_data == DATA


def test_a_writer_who_never_stops_gives_no_token() -> None:
    error = refusal(Realm(), before_generation=Other(*range(2, 1000)))
    assert error.code is Code.GUEST_QUOTE
    assert error.found == f"another user of the entry changed it, {ATTEMPTS} times"


def test_a_write_that_the_kernel_lost_is_noticed() -> None:
    with opened(Realm(), lose=1) as tee:
        assert tee.examine(DATA).claims.report_data == DATA


@pytest.mark.parametrize("provider", ["sev_guest", "tdx_guest", "arm-cca-guest", ""])
def test_reports_of_another_provider_are_no_tokens(provider: str) -> None:
    error = refusal(Realm(), provider=provider)
    assert error.code is Code.GUEST_DEVICE
    assert (error.found, error.wanted) == (f"configfs-tsm with provider {provider!r}", "provider arm_cca_guest")


def test_a_kernel_without_the_driver_says_which_one_to_load() -> None:
    assert "modprobe arm-cca-guest" in refusal(Realm(), provider=None).hint


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EINVAL, "starts no token"),
        (errno.ENXIO, "over 4096 bytes"),
        (errno.ENOMEM, "kernel's log"),
        (errno.EIO, "kernel's log"),
    ],
    ids=["EINVAL", "ENXIO", "ENOMEM", "EIO"],
)
def test_an_error_of_the_monitor_is_told_and_not_repeated(number: int, said: str) -> None:
    realm = Realm(faults=[refusing(number)])
    error = refusal(realm)
    assert (error.code, realm.requests) == (Code.GUEST_QUOTE, 1)
    assert errno.errorcode[number] in error.found
    assert said in error.hint


@pytest.mark.parametrize("size", [0, 1, 31, 65], ids=str)
def test_a_challenge_that_the_driver_refuses_gives_no_token(size: int) -> None:
    with realm_machine(Realm()) as root, pytest.raises(GuestError) as caught:
        CcaSource(root / TSM, pause=lambda _: None).read(bytes(size))
    assert caught.value.code is Code.GUEST_QUOTE


def test_a_challenge_that_was_padded_is_not_ours() -> None:
    """The driver takes 32 bytes; a realm whose token then carries other bytes than those that were asked for is refused."""

    class Short(Realm):
        def report(self, report_data: bytes, vmpl: int) -> bytes:
            return super().report(report_data[:32], vmpl)

    error = refusal(Short())
    assert (error.code, error.found) == (Code.GUEST_QUOTE, "evidence over other bytes")


def _flip(token: bytes) -> bytes:
    return token[:-1] + bytes([token[-1] ^ 1])


@pytest.mark.parametrize(
    ("edited", "code"),
    [
        (lambda _: b"", "cbor.malformed"),
        (lambda token: token[:4096], "cbor.malformed"),
        (lambda token: token[: len(token) // 2], "cbor.malformed"),
        (lambda token: token + b"\x00", "cbor.malformed"),
        (lambda token: token + bytes(-len(token) % 4096), "cbor.malformed"),
        (lambda _: b"\xa0", "cca.token"),
        (_flip, "cose.signature"),
    ],
    ids=["empty", "first granule", "half", "one byte more", "padded to a granule", "another item", "last bit"],
)
def test_a_token_of_another_size_or_form_is_refused(edited: Callable[[bytes], bytes], code: str) -> None:
    assert self_check(Realm(edited=edited, fields={"platform": {65000: bytes(6000)}})) == code


def test_a_token_beyond_the_kernels_bound_is_told() -> None:
    error = refusal(Realm(fields={"platform": {65000: bytes(32 << 10)}}))
    assert error.code is Code.GUEST_QUOTE
    assert "EFBIG" in error.found


def test_a_token_of_another_platform_is_refused() -> None:
    assert self_check(Realm(fields={"platform_message": {"key": OTHER}})) == "cose.signature"


def test_a_realm_key_that_the_platform_did_not_vouch_for_is_refused() -> None:
    assert self_check(Realm(fields={"platform": {10: bytes(32)}})) == "cca.binding"


def test_a_debugged_platform_is_a_warning_for_the_operator(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), opened(Realm(fields={"platform": {2395: 0x4001}})):
        assert "cca.lifecycle" in caplog.text


# --- the platform's key, and finding the realm ------------------------------------------------------------------------------------


def found(root: Path, folder: Path | None, prefer: str = "auto", **more: Any) -> CheckedTee:
    tee = detect(prefer, software_digest=b"", root=root, collateral_dir=folder, now=lambda: NOW, **more)
    assert isinstance(tee, CheckedTee)
    return tee


@pytest.mark.parametrize("prefer", ["auto", "cca"])
def test_a_realm_is_found_and_its_platforms_key_is_the_operators(tmp_path: Path, prefer: str) -> None:
    with realm_machine(Realm()) as root:
        tee = found(root, give(tmp_path), prefer)
        (finding,) = survey(root)
        assert tee.examine(DATA).claims.report_data == DATA
    assert tee.kind == "cca"
    assert tee.simulated, "the false platform's key, whoever pins it"
    assert (finding.usable, finding.found) == (True, "gives evidence of Arm CCA")


def test_without_the_platforms_key_the_operator_reads_which_file_to_give(tmp_path: Path) -> None:
    with realm_machine(Realm()) as root:
        for folder, said in ((None, "collateral_dir is not set"), (tmp_path, "no such file")):
            with pytest.raises(GuestError) as caught:
                found(root, folder)
            assert (caught.value.code, caught.value.found) == (Code.GUEST_COLLATERAL, said)
            assert KEY_FILE in caught.value.hint
        told = examine(root=root, now=lambda: NOW)
        assert told.problem is not None
        assert told.problem.code is Code.GUEST_COLLATERAL


@pytest.mark.parametrize("key", [b"\x30", b"x" * 100, b"x" * 1025, b""], ids=["cut", "no key", "too large", "empty"])
def test_something_else_than_a_platforms_key_is_refused(tmp_path: Path, key: bytes) -> None:
    with realm_machine(Realm()) as root, pytest.raises(GuestError) as caught:
        found(root, give(tmp_path, key))
    assert caught.value.code is Code.GUEST_COLLATERAL


def test_the_key_of_another_platform_refuses_the_token(tmp_path: Path) -> None:
    with realm_machine(Realm()) as root, pytest.raises(GuestError) as caught:
        found(root, give(tmp_path, OTHER_ROOT.der))
    assert caught.value.code is Code.GUEST_SELF_CHECK
    assert caught.value.found.startswith("cose.signature")


def test_the_key_is_a_realms_alone_and_never_sent(tmp_path: Path) -> None:
    assert with_platform_key(Kind.SNP, VENDOR_ROOTS, give(tmp_path)) == VENDOR_ROOTS
    with realm_machine(Realm()) as root:
        assert found(root, tmp_path).quote(DATA).endorsements.items == {}


def test_an_examination_shows_what_a_policy_needs(tmp_path: Path) -> None:
    with realm_machine(Realm()) as root:
        told = examine(root=root, collateral_dir=give(tmp_path), now=lambda: NOW).as_dict()
    assert told["problem"] is None
    assert told["evidence"]["kind"] == "SIMULATED Arm CCA"
    assert told["evidence"]["platform_key"] == arm.root().der.hex()
    assert told["evidence"]["rim"] == arm.RIM.hex()
    assert told["evidence"]["lifecycle"] == "0x3000"
