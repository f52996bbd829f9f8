"""The payload of AWS's attestation documents: each field that lies is refused."""

from typing import Any

import pytest

from confide.attest.cbor import dump_head
from confide.attest.evidence import Kind
from confide.attest.nitro.layout import AttestationDocument, parse_payload
from confide.codes import Code
from confide.errors import EvidenceError

ENCLAVE = "i-0123456789abcdef0-enc0123456789abcdef"
INSTANCE = "i-0123456789abcdef0-tpm0000000000000000"


def dump(value: Any) -> bytes:
    """Enough of CBOR (RFC 8949) for these documents."""
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", False: b"\xf4", True: b"\xf5"}[value]
    if isinstance(value, int):
        return dump_head(0, value) if value >= 0 else dump_head(1, -1 - value)
    if isinstance(value, bytes):
        return dump_head(2, len(value)) + value
    if isinstance(value, str):
        return dump_head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return dump_head(4, len(value)) + b"".join(map(dump, value))
    return dump_head(5, len(value)) + b"".join(dump(key) + dump(each) for key, each in value.items())


def members(**changes: Any) -> dict[str, Any]:
    """Those of an enclave, with some changed; `...` takes one away."""
    found = {
        "module_id": ENCLAVE,
        "timestamp": 1_700_000_000_123,
        "digest": "SHA384",
        "pcrs": {index: bytes([index + 1]) * 48 for index in range(16)},
        "certificate": b"\x30" * 600,
        "cabundle": [b"\x30" * 500] * 4,
        "public_key": None,
        "user_data": bytes(64),
        "nonce": b"n" * 32,
    } | changes
    return {name: value for name, value in found.items() if value is not ...}


def parse(kind: Kind = Kind.NITRO, **changes: Any) -> AttestationDocument:
    return parse_payload(dump(members(**changes)), kind=kind)


def of_instance(**changes: Any) -> dict[str, Any]:
    """What makes the members above an instance's."""
    return {"module_id": INSTANCE, "pcrs": ..., "nitrotpm_pcrs": {4: b"\x04" * 48}} | changes


def test_an_enclaves_document_is_read_field_by_field() -> None:
    found = parse()
    assert (found.module_id, found.instance_id, found.debug) == (ENCLAVE, "i-0123456789abcdef0", False)
    assert found.timestamp.isoformat() == "2023-11-14T22:13:20.123000+00:00"
    assert (found.public_key, found.user_data, found.nonce) == (None, bytes(64), b"n" * 32)
    assert found.pcrs[3] == b"\x04" * 48


def test_an_instances_document_is_read() -> None:
    assert parse(Kind.NITROTPM, **of_instance()).pcrs == {4: b"\x04" * 48}


def test_zeros_for_what_runs_are_debug_mode() -> None:
    assert parse(pcrs={index: bytes(48) for index in range(16)}).debug
    assert parse(pcrs={3: b"\x01" * 48}).debug, "an enclave that shows nothing of what runs"
    assert not parse(pcrs={0: bytes(48), 2: b"\x01" * 48}).debug


LIES: dict[str, dict[str, Any]] = {
    "unknown member": {"extra": 1},
    "no certificate": {"certificate": ...},
    "certificate as text": {"certificate": "MII"},
    "empty certificate": {"certificate": b""},
    "certificate of 1025 bytes": {"certificate": bytes(1025)},
    "no bundle": {"cabundle": ...},
    "empty bundle": {"cabundle": []},
    "bundle of 9": {"cabundle": [b"\x30"] * 9},
    "text in the bundle": {"cabundle": ["MII"]},
    "1025 bytes in the bundle": {"cabundle": [bytes(1025)]},
    "no digest": {"digest": ...},
    "digest as bytes": {"digest": b"SHA384"},
    "digest with a control character": {"digest": "SHA384\n"},
    "module_id that is too long": {"module_id": ENCLAVE + "0" * 256},
    "module_id beyond ASCII": {"module_id": ENCLAVE + "\u00fc"},
    "no timestamp": {"timestamp": ...},
    "timestamp of 0": {"timestamp": 0},
    "timestamp before 1970": {"timestamp": -1},
    "timestamp as text": {"timestamp": "1700000000123"},
    "timestamp as true": {"timestamp": True},
    "timestamp in microseconds": {"timestamp": 1 << 45},
    "PCRs as a list": {"pcrs": [bytes(48)]},
    "no PCR": {"pcrs": {}},
    "33 PCRs": {"pcrs": {index: bytes(48) for index in range(33)}},
    "PCR32": {"pcrs": {32: bytes(48)}},
    "PCR-1": {"pcrs": {-1: bytes(48)}},
    "PCR by name": {"pcrs": {"0": bytes(48)}},
    "PCR of 32 bytes": {"pcrs": {0: bytes(32)}},
    "PCR as text": {"pcrs": {0: "0" * 48}},
    "public_key as text": {"public_key": "key"},
    "public_key of 1025 bytes": {"public_key": bytes(1025)},
    "user_data as text": {"user_data": "data"},
    "user_data of 1025 bytes": {"user_data": bytes(1025)},
    "nonce as a number": {"nonce": 1},
    "nonce of 1025 bytes": {"nonce": bytes(1025)},
}
KINDS: dict[str, tuple[Kind, dict[str, Any]]] = {
    "an instance's document": (Kind.NITRO, of_instance()),
    "an enclave's document": (Kind.NITROTPM, {}),
    "an instance's module_id": (Kind.NITRO, {"module_id": INSTANCE}),
    "an enclave's module_id": (Kind.NITROTPM, of_instance(module_id=ENCLAVE)),
    "a module_id of both": (Kind.NITRO, {"module_id": ENCLAVE + "-tpm"}),
    "an instance's PCRs beside": (Kind.NITRO, {"nitrotpm_pcrs": {4: bytes(48)}}),
    "no PCRs": (Kind.NITRO, {"pcrs": ...}),
    "no module_id": (Kind.NITRO, {"module_id": ...}),
    "module_id as bytes": (Kind.NITRO, {"module_id": ENCLAVE.encode()}),
}


@pytest.mark.parametrize("name", LIES)
def test_a_field_of_another_form_is_refused(name: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        parse(**LIES[name])
    assert caught.value.code is Code.NITRO_DOCUMENT


@pytest.mark.parametrize("name", KINDS)
def test_a_document_of_the_other_kind_is_refused(name: str) -> None:
    kind, changes = KINDS[name]
    with pytest.raises(EvidenceError) as caught:
        parse(kind, **changes)
    assert caught.value.code is Code.NITRO_KIND


def test_a_payload_that_is_no_map_is_refused() -> None:
    with pytest.raises(EvidenceError) as caught:
        parse_payload(dump([1]), kind=Kind.NITRO)
    assert caught.value.code is Code.NITRO_DOCUMENT
