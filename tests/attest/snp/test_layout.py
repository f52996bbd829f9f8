"""Bytes to fields, against a second reading of AMD's table (the simulator's) and against hostile bytes."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import refused

from confide.attest.checks import Checks
from confide.attest.snp.layout import (
    REPORT_SIZE,
    Product,
    SigningKey,
    Tcb,
    TcbLayout,
    parse_report,
    product_of_cpuid,
    reserved_components,
)
from confide.codes import Code
from confide.errors import ConfideError
from confide_sim import report as written

VALID = {"version": 5, "signature_algo": 1, "key_info": 0}


def test_each_field_is_read_from_the_offset_at_which_the_simulator_wrote_it() -> None:
    values = {key: (number + 3) % 251 for number, key in enumerate(written.FIELDS)} | VALID
    data = written.encode({key: value for key, value in values.items() if key != "signature_rest"})
    report = parse_report(data)
    same = ("version", "guest_svn", "policy", "vmpl", "platform_info", "launch_mit_vector", "current_mit_vector")
    assert {key: getattr(report, key) for key in same} == {key: values[key] for key in same}
    raw: tuple[str, ...] = (
        "family_id",
        "image_id",
        "report_data",
        "measurement",
        "host_data",
        "id_key_digest",
        "author_key_digest",
    )
    raw += ("report_id", "report_id_ma", "chip_id", "current_tcb", "reported_tcb", "committed_tcb", "launch_tcb")
    assert {key: int.from_bytes(getattr(report, key), "little") for key in raw} == {key: values[key] for key in raw}
    assert report.cpuid == (values["cpuid_family"], values["cpuid_model"], values["cpuid_stepping"])
    assert report.current_version.order == (values["current_major"], values["current_minor"], values["current_build"])
    assert report.committed_version.order == (values["committed_major"], values["committed_minor"], values["committed_build"])
    assert (report.signature_r, report.signature_s) == (values["signature_r"], values["signature_s"])
    assert report.signed == data[:0x2A0]


@pytest.mark.parametrize(
    ("key_info", "expected"),
    [
        (0b000_0_0, (SigningKey.VCEK, False, False)),
        (0b001_0_1, (SigningKey.VLEK, False, True)),
        (0b111_1_0, (SigningKey.NONE, True, False)),
    ],
)
def test_key_information_is_three_fields(key_info: int, expected: tuple[SigningKey, bool, bool]) -> None:
    report = parse_report(written.encode({"key_info": key_info}))
    assert (report.signing_key, report.mask_chip_key, report.author_key_en) == expected


@pytest.mark.parametrize("size", [0, 1, 4, 0x2A0, REPORT_SIZE - 1, 4001])
def test_other_sizes_are_refused(size: int) -> None:
    with refused(Code.SNP_SIZE):
        parse_report(written.encode({}).ljust(size, b"\x00")[:size])


def test_anything_but_zeros_behind_the_report_is_refused() -> None:
    with refused(Code.SNP_SIZE):
        parse_report(written.encode({}) + b"\x00\x01")


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=REPORT_SIZE + 8) | st.binary(min_size=REPORT_SIZE, max_size=REPORT_SIZE))
def test_hostile_bytes_give_a_report_or_our_own_error(data: bytes) -> None:
    for checks in (Checks(), Checks(strict=False)):
        with contextlib.suppress(ConfideError):
            parse_report(data, checks=checks)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(sorted(set(written.FIELDS) - {"signature_rest"})), st.integers(0, 255))
def test_one_odd_byte_in_any_field_gives_a_report_or_our_own_error(field: str, value: int) -> None:
    offset, size, _ = written.FIELDS[field]
    data = bytearray(written.encode({}))
    data[offset + size - 1] = value
    with contextlib.suppress(ConfideError):
        parse_report(bytes(data))


@pytest.mark.parametrize(
    ("family", "model", "product"),
    [
        (0x19, 0x00, Product.MILAN),
        (0x19, 0x0F, Product.MILAN),
        (0x19, 0x10, Product.GENOA),
        (0x19, 0x1F, Product.GENOA),
        (0x19, 0xA0, Product.GENOA),
        (0x19, 0xAF, Product.GENOA),
        (0x1A, 0x00, Product.TURIN),
        (0x1A, 0x11, Product.TURIN),
        (0x19, 0x20, None),
        (0x19, 0xB0, None),
        (0x1A, 0x20, None),
        (0x17, 0x01, None),
    ],
)
def test_products_by_cpuid(family: int, model: int, product: Product | None) -> None:
    assert product_of_cpuid(family, model) is product


def test_turin_lays_out_its_tcb_differently() -> None:
    data = bytes((1, 2, 3, 4, 5, 6, 7, 8))
    assert Tcb.from_bytes(data, TcbLayout.MILAN_GENOA) == Tcb(boot_loader=1, tee=2, snp=7, microcode=8)
    assert Tcb.from_bytes(data, TcbLayout.TURIN) == Tcb(fmc=1, boot_loader=2, tee=3, snp=4, microcode=8)
    assert reserved_components(data, TcbLayout.MILAN_GENOA) == bytes((3, 4, 5, 6))
    assert reserved_components(data, TcbLayout.TURIN) == bytes((5, 6, 7))


def test_tcbs_compare_by_component() -> None:
    low, high = Tcb(snp=1, microcode=9), Tcb(snp=2, microcode=8)
    assert not low.at_least(high)
    assert not high.at_least(low)
    assert high.at_least(high)
    assert str(low) == "boot_loader 0, tee 0, snp 1, microcode 9, fmc 0"


def test_the_minimum_abi_of_a_policy_is_its_low_16_bits() -> None:
    assert parse_report(written.encode({"policy": 0x3_0137})).policy_abi == (1, 0x37)
