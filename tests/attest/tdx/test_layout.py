"""TD reports: three sizes, each field at its offset."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import need_recorded_vectors, refused

from confide.attest.tdx.layout import TdAttributes, TdReport, parse_body
from confide.codes import Code
from confide.errors import ConfideError
from confide_sim import td

SIZES = (td.TD_10, td.TD_15, td.TD_15_EX)


def value(report: TdReport, name: str) -> Any:
    if name.startswith("rtmr"):
        return report.rtmrs[int(name[4])]
    return getattr(report, name) if hasattr(report, name) else getattr(report.history, name)


@pytest.mark.parametrize("name", td.FIELDS)
def test_each_field_is_read_from_its_offset(name: str) -> None:
    width = td.FIELDS[name][1]
    marked = bytes((0xA0 + index) & 0xFF for index in range(width))
    found = value(parse_body(td.body({name: marked}, td.TD_15_EX)), name)
    assert found == (int.from_bytes(marked, "little") if isinstance(found, int) else marked)


def test_fields_that_a_shorter_body_lacks_are_none() -> None:
    first, second, third = (parse_body(td.body({}, size)) for size in SIZES)
    assert (first.tee_tcb_svn2, first.mr_service_td, first.history) == (None, None, None)
    assert second.history is None
    assert second.mr_service_td == bytes(48)
    assert third.history is not None
    assert third.history.td_id == b"\x1d" * 32


@pytest.mark.parametrize("size", [0, 1, 583, 585, 647, 649, 884, 886, 1024])
def test_a_body_of_another_size_is_refused(size: int) -> None:
    with refused(Code.DCAP_SIZE):
        parse_body(bytes(size))


@pytest.mark.parametrize("bit", range(8))
def test_each_of_the_first_eight_bits_is_debug(bit: int) -> None:
    assert parse_body(td.body({"td_attributes": 1 << bit})).debug
    assert not parse_body(td.body({"td_attributes": 1 << (bit + 8)})).debug


def test_features_are_named() -> None:
    bits = TdAttributes.SEPT_VE_DISABLE | TdAttributes.PERFMON | TdAttributes.LASS
    assert parse_body(td.body({"td_attributes": int(bits) | 1 << 40})).features == ("LASS", "SEPT_VE_DISABLE", "PERFMON")


def test_report_data_is_not_in_a_repr() -> None:
    assert "abab" not in repr(parse_body(td.body({"report_data": b"\xab" * 64}, td.TD_15_EX)))


def test_a_recorded_report_has_what_its_source_says() -> None:
    quote = (need_recorded_vectors() / "tdx" / "dstack-guest-agent" / "quote.bin").read_bytes()
    report = parse_body(quote[48:632])
    assert report.tee_tcb_svn.hex() == "0b010400000000000000000000000000"
    assert (report.td_attributes, report.xfam) == (0x10000000, 0x602E7)
    assert report.mr_td.hex().startswith("e53236d44a074bc7")
    assert [value.hex()[:8] for value in report.rtmrs] == ["6203948b", "0ea1ad39", "1c985408", "f28a1490"]


@given(st.binary(max_size=900), st.sampled_from(SIZES))
@settings(max_examples=50, deadline=None)
def test_bytes_only_give_a_report_or_our_error(data: bytes, size: int) -> None:
    assert parse_body(data.ljust(size, b"\x00")[:size]).rtmrs
    if len(data) not in SIZES:
        with pytest.raises(ConfideError):
            parse_body(data)
