"""Hostile bytes into every parser of Intel's quotes, certificates and collateral.

The invariant: a parser gives a value or raises `ConfideError`, and nothing else ever comes out; no changed quote or collateral is
accepted as something else than what was signed.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from conformance.kinds import intel as harness
from conformance.kinds.case import File
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.attest.dcap.world import NOW, REPORT_DATA, platform, verify

from confide.attest.checks import Checks
from confide.attest.dcap import pck as pck_extension
from confide.attest.dcap.collateral import parse_identity, parse_tcb_info
from confide.attest.dcap.quote import TeeType, parse_quote
from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.attest.x509 import load_certificate
from confide.errors import ConfideError
from confide_sim import der, intel, td

SGX, TDX = platform().quote(report_data=REPORT_DATA), platform(Kind.TDX).quote(report_data=REPORT_DATA, size=td.TD_15)
EXTENSION = platform()._extension({})
NORMAL = settings(max_examples=50, deadline=None)
DEEP = settings(max_examples=5000, deadline=None, suppress_health_check=list(HealthCheck))

Parser = Callable[[bytes], object]


def read_extension(data: bytes) -> object:
    return pck_extension.decode(load_certificate(platform().pck(extension=data)))


PARSERS: dict[str, tuple[Parser, bytes]] = {
    "sgx": (lambda data: parse_quote(data, tee=TeeType.SGX, checks=Checks()), SGX),
    "tdx": (lambda data: parse_quote(data, tee=TeeType.TDX, checks=Checks()), TDX),
    "tcb-info": (parse_tcb_info, intel.tcb_info(Kind.TDX, at=NOW)),
    "qe-identity": (parse_identity, intel.qe_identity(at=NOW)),
    "pck": (read_extension, EXTENSION),
}


def changed(data: bytes, edits: list[tuple[int, int]], cut: int | None) -> bytes:
    found = bytearray(data)
    for at, value in edits:
        found[at % len(found)] = value
    return bytes(found[:cut])


EDITS = st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=4)
CUTS = st.none() | st.integers(0, 8000)


def _parse(name: str, data: bytes) -> None:
    with suppress(ConfideError):
        PARSERS[name][0](data)


@pytest.mark.parametrize("name", PARSERS)
@NORMAL
@given(data=st.binary(max_size=2000))
def test_garbage_gives_our_errors_alone(name: str, data: bytes) -> None:
    _parse(name, data)


@pytest.mark.parametrize("name", PARSERS)
@NORMAL
@given(edits=EDITS, cut=CUTS)
def test_changed_bytes_give_our_errors_alone(name: str, edits: list[tuple[int, int]], cut: int | None) -> None:
    _parse(name, changed(PARSERS[name][1], edits, cut))


@pytest.mark.parametrize("name", ["sgx", "pck", "qe-identity"])
def test_every_prefix_gives_our_errors_alone(name: str) -> None:
    data = PARSERS[name][1]
    for size in range(0, len(data), 7):
        _parse(name, data[:size])


@pytest.mark.parametrize("depth", [10, 1000, 30000])
def test_deep_json_and_der_give_our_errors_alone(depth: int) -> None:
    nested = b'{"tcbInfo":' * depth + b"1" + b"}" * depth
    for name in ("tcb-info", "qe-identity"):
        _parse(name, nested)
    inner = b""
    for _ in range(min(depth, 1000)):
        inner = der.seq(inner)
    _parse("pck", inner)


@NORMAL
@given(edits=EDITS)
def test_no_changed_quote_is_another_genuine_one(edits: list[tuple[int, int]]) -> None:
    """What passes says what was signed: only spelling that means nothing may differ."""
    _same(changed(SGX, edits, None), platform().endorsements())


@NORMAL
@given(role=st.sampled_from(sorted(platform().endorsements().items)), edits=EDITS)
def test_no_changed_collateral_says_something_else(role: str, edits: list[tuple[int, int]]) -> None:
    items = dict(platform().endorsements().items)
    items[role] = changed(items[role], edits, None)
    _same(SGX, Endorsements(items))


def _same(quote: bytes, endorsements: Endorsements) -> None:
    with suppress(ConfideError):
        claims = verify(Evidence("sgx", {"quote": quote}), endorsements)
        assert (claims.tcb_status, claims.report_data, claims.platform_id) == (
            "UpToDate",
            REPORT_DATA,
            platform().instance_id.hex(),
        )


@NORMAL
@given(data=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_the_harness_survives_strange_quotes(data: bytes) -> None:
    assert isinstance(harness.sort([File("quote", "quote", data)]).evidence["quote"], bytes)


@pytest.mark.deep
@pytest.mark.parametrize("name", PARSERS)
@DEEP
@given(edits=EDITS, cut=CUTS)
def test_changed_bytes_give_our_errors_alone_in_depth(name: str, edits: list[tuple[int, int]], cut: int | None) -> None:
    _parse(name, changed(PARSERS[name][1], edits, cut))


@pytest.mark.deep
@DEEP
@given(data=st.binary(max_size=4000), head=st.integers(0, 600))
def test_garbage_behind_a_good_beginning_gives_our_errors_alone_in_depth(data: bytes, head: int) -> None:
    for name in ("sgx", "tdx"):
        value: Any = PARSERS[name][1]
        _parse(name, value[:head] + data)
