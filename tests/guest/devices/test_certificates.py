"""The host's certificate table: read whole, refused where it is not one, never trusted for what it says."""

import json
import struct
import uuid
from base64 import urlsafe_b64decode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.guest.devices.doubles import GUIDS, certificates, table_of
from tests.support import need_recorded_vectors, refused

from confide.attest.x509 import MAX_BUNDLE, common_name, load_certificate
from confide.codes import Code
from confide.guest import GuestError
from confide.guest.devices.certificates import MAX_ENTRIES, MAX_TABLE, ROLES, parse_table
from confide_sim.amd import FalseChip

CHIP = FalseChip()
END = bytes(24)


def entry(role: str, offset: int, length: int) -> bytes:
    return uuid.UUID(GUIDS[role]).bytes + struct.pack("<II", offset, length)


def test_every_role_comes_out_as_it_went_in() -> None:
    items = {"vcek": b"leaf", "vlek": b"other leaf", "ask": b"middle", "ark": b"top", "crl": b"list"}
    assert parse_table(table_of(items)).items == items
    assert {str(guid): role for guid, role in ROLES.items()} == {guid: role for role, guid in GUIDS.items()}


def test_a_false_hosts_certificates_load() -> None:
    items = parse_table(table_of(certificates(CHIP))).items
    assert set(items) == {"vcek", "ask", "ark", "crl"}
    assert common_name(load_certificate(items["vcek"])) == "SEV-VCEK"


def test_a_recorded_table_of_a_real_host_is_read() -> None:
    """GUIDs stand in the order in which they are printed, and this host gives PEM."""
    path = need_recorded_vectors() / "snp" / "veraison-genoa-v3-tsm" / "sevsnp-tsm-report.json"
    if not path.exists():
        pytest.skip("this recorded case is not here")
    blob = urlsafe_b64decode(json.loads(path.read_text())["auxblob"] + "==")
    items = parse_table(blob).items
    assert [common_name(load_certificate(items[role])) for role in ("ark", "ask", "vcek")] == ["ARK-Genoa", "SEV-Genoa", "SEV-VCEK"]


@pytest.mark.parametrize("data", [b"", bytes(24), bytes(16384)], ids=len)
def test_zeros_are_a_table_without_certificates(data: bytes) -> None:
    assert parse_table(data).items == {}


def test_an_unknown_guid_is_left_out_and_named() -> None:
    other = "00112233-4455-6677-8899-aabbccddeeff"
    table = parse_table(table_of({"vcek": b"leaf", "other": b"what"}, names={**GUIDS, "other": other}))
    assert (dict(table.items), table.unknown) == ({"vcek": b"leaf"}, (other,))


@pytest.mark.parametrize(
    "data",
    [
        b"\x01",
        entry("vcek", 48, 4) + b"leaf",
        entry("vcek", 24, 4) + END + b"leaf",
        entry("vcek", 48, 5) + END + b"leaf",
        entry("vcek", 2**32 - 1, 4) + END + b"leaf",
        entry("vcek", 48, 2**32 - 1) + END + b"leaf",
        entry("vcek", 48, 0) + END + b"leaf",
        entry("vcek", 72, 4) + entry("vcek", 72, 4) + END + b"leaf",
        entry("vcek", 48, MAX_BUNDLE + 1) + END + bytes(MAX_BUNDLE + 1),
        entry("vcek", 48, 1) + END + bytes(MAX_TABLE),
        entry("vcek", 24 * (MAX_ENTRIES + 2), 1) * (MAX_ENTRIES + 1) + END + b"x",
    ],
    ids=[
        "one byte",
        "no end",
        "inside the header",
        "behind the end",
        "far behind",
        "huge",
        "empty",
        "twice",
        "large",
        "larger",
        "many",
    ],
)
def test_what_is_no_table_is_refused(data: bytes) -> None:
    with refused(Code.GUEST_CERTIFICATES):
        parse_table(data)


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_any_bytes_are_a_table_or_our_error(data: bytes) -> None:
    try:
        table = parse_table(data)
    except GuestError as error:
        assert error.code is Code.GUEST_CERTIFICATES  # noqa: PT017 - either outcome is fine
    else:
        assert set(table.items) <= set(GUIDS)
