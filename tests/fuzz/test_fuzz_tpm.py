"""Hostile bytes into every parser of TPM quotes, of what stands beside them, and of Azure's files.

The invariant: a parser gives a value or raises `ConfideError`, and nothing else ever comes out; no changed quote, signature, key or
runtime data is accepted as genuine.
"""

from collections.abc import Callable
from contextlib import suppress

import pytest
from conformance.kinds import quotes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.attest.azure import world as azure_world
from tests.attest.tpm import world

from confide.attest.azure.hcl import ReportType, parse_hcl_report
from confide.attest.azure.runtime import parse_runtime
from confide.attest.checks import Checks
from confide.attest.tpm.instance import instance_of
from confide.attest.tpm.public import parse_public
from confide.attest.tpm.quote import parse_attest, parse_pcrs, parse_signature
from confide.attest.x509 import load_certificate
from confide.errors import ConfideError
from confide_sim import der
from confide_sim.azure import runtime
from confide_sim.tpm import GCE_INSTANCE, instance

ITEMS = world.tpm().items(extra_data=world.EXTRA)
VM = azure_world.vm()
HCL = VM.items(extra_data=world.EXTRA, hcl={"size": 0})["hcl-report"]
RUNTIME = runtime(VM.key)
NORMAL = settings(max_examples=50, deadline=None)
DEEP = settings(max_examples=5000, deadline=None, suppress_health_check=list(HealthCheck))

Parser = Callable[[bytes], object]


def read_public(data: bytes) -> object:
    return parse_public(data, checks=Checks())


def read_hcl(data: bytes) -> object:
    return parse_hcl_report(data, wanted=ReportType.SNP)


def read_instance(data: bytes) -> object:
    extension = der.extension(GCE_INSTANCE, data)
    return instance_of(load_certificate(world.tpm().issue(extensions=(extension,))))


_EXTENSION = instance()
PARSERS: dict[str, tuple[Parser, bytes]] = {
    "attest": (parse_attest, ITEMS["attest"]),
    "signature": (parse_signature, ITEMS["signature"]),
    "pcrs": (parse_pcrs, ITEMS["pcrs"]),
    "ak-public": (read_public, ITEMS["ak-public"]),
    "hcl": (read_hcl, HCL),
    "runtime": (parse_runtime, RUNTIME),
    "instance": (read_instance, _EXTENSION[_EXTENSION.index(b"\x30", 12) :]),
}
EACH = pytest.mark.parametrize("name", PARSERS)
CHANGES = st.lists(st.tuples(st.integers(0, 1 << 14), st.integers(0, 255)), min_size=1, max_size=4)


def changed(data: bytes, changes: list[tuple[int, int]]) -> bytes:
    """Some bytes replaced."""
    found = bytearray(data)
    for place, value in changes:
        found[place % len(found)] = value
    return bytes(found)


def survives(name: str, data: bytes) -> None:
    with suppress(ConfideError):
        PARSERS[name][0](data)


@EACH
@NORMAL
@given(st.binary(max_size=300))
def test_any_bytes_give_a_value_or_our_own_error(name: str, data: bytes) -> None:
    survives(name, data)


@EACH
@NORMAL
@given(CHANGES)
def test_changed_bytes_give_a_value_or_our_own_error(name: str, changes: list[tuple[int, int]]) -> None:
    survives(name, changed(PARSERS[name][1], changes))


@EACH
@NORMAL
@given(st.integers(0, 1 << 14), st.binary(max_size=40))
def test_cut_and_lengthened_bytes_give_a_value_or_our_own_error(name: str, size: int, more: bytes) -> None:
    data = PARSERS[name][1]
    survives(name, data[: size % (len(data) + 1)] + more)


@EACH
def test_what_is_changed_was_whole(name: str) -> None:
    parse, data = PARSERS[name]
    assert parse(data) is not None


def test_every_beginning_is_no_whole_structure() -> None:
    for name in ("attest", "signature", "ak-public"):
        parse, data = PARSERS[name]
        parse(data)
        for size in range(len(data)):
            with pytest.raises(ConfideError):
                parse(data[:size])


@NORMAL
@given(st.sampled_from(["attest", "signature", "ak-public", "event-log"]), CHANGES)
def test_no_changed_evidence_is_genuine_unless_it_says_the_same(role: str, changes: list[tuple[int, int]]) -> None:
    lie = changed(ITEMS[role], changes)
    try:
        claims = world.genuine(items={**ITEMS, role: lie})
    except ConfideError:
        return
    if role in {"attest", "signature"}:
        assert lie == ITEMS[role]
    assert claims.report_data == world.EXTRA


@NORMAL
@given(CHANGES)
def test_no_changed_hcl_report_is_genuine_unless_the_covered_parts_are_the_same(changes: list[tuple[int, int]]) -> None:
    lie = changed(HCL, changes)
    try:
        claims = azure_world.genuine(items={**VM.items(extra_data=world.EXTRA, hcl={"size": 0}), "hcl-report": lie})
    except ConfideError:
        return
    assert lie[0x4D4:] == HCL[0x4D4:]
    assert lie[0x20:0x4C0] == HCL[0x20:0x4C0]
    assert claims.report_data == world.EXTRA


@pytest.mark.deep
@EACH
@DEEP
@given(st.one_of(CHANGES.map(lambda changes: ("change", changes)), st.binary(max_size=600).map(lambda data: ("bytes", data))))
def test_long(name: str, what: tuple[str, object]) -> None:
    kind, value = what
    survives(name, changed(PARSERS[name][1], value) if kind == "change" else value)  # type: ignore[arg-type]


@NORMAL
@given(st.binary(max_size=200))
def test_the_harness_leaves_what_it_cannot_tell(data: bytes) -> None:
    settled = quotes.settled({"attest": ITEMS["attest"], "signature": data, "pcrs": data})
    assert set(settled) == {"attest", "signature", "pcrs"}
