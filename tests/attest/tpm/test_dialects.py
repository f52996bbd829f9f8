"""The harness's unwrapping: what tools keep bare becomes what a TPM writes; what cannot be told is left as it came."""

import base64
import json

from conformance.kinds import quotes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from tests.attest.tpm.world import EXTRA, tpm

from confide.attest.tpm.quote import parse_pcrs, parse_signature
from confide_sim import tpm_structures
from confide_sim.tpm import AZURE

VALUES = {index: bytes((index,)) * 32 for index in range(24)}


def pcrs(value: object) -> dict[int, bytes]:
    attest = tpm_structures.quote(VALUES, extra_data=EXTRA)
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return dict(parse_pcrs(quotes.settled({"attest": attest, "pcrs": data})["pcrs"]))


def test_pcrs_of_common_shapes_are_told() -> None:
    flat = {str(index): value.hex() for index, value in VALUES.items()}
    shapes: list[object] = [
        flat,
        {"sha256": flat, "sha1": {"0": "11" * 20}},
        {"data": [["Sha256", {"bank": {f"Slot{index}": value.hex() for index, value in VALUES.items()}}]]},
        [value.hex() for value in VALUES.values()],
        [list(value) for value in VALUES.values()],
        {f"PCR{index}": base64.b64encode(value).decode() for index, value in VALUES.items()},
        {"pcr_01": (b"\x01" * 32).hex(), **{str(index): "0x" + value.hex() for index, value in VALUES.items() if index != 1}},
    ]
    for shape in shapes:
        assert pcrs(shape) == VALUES


def test_pcrs_in_tpm2_tools_own_structures_are_told() -> None:
    selection = (1).to_bytes(4, "little") + bytes.fromhex("0b0003ffffff00") + bytes(1)
    digests = b""
    for start in range(0, 24, 8):
        values = b"".join((32).to_bytes(2, "little") + VALUES[index].ljust(64, b"\x00") for index in range(start, start + 8))
        digests += (8).to_bytes(4, "little") + values
    assert pcrs(selection.ljust(132, b"\x00") + (3).to_bytes(4, "little") + digests) == VALUES


def test_bare_signatures_are_told() -> None:
    data = b"attest"
    rsa = tpm_structures.sign(data, tpm(AZURE).key)
    ecdsa = parse_signature(tpm_structures.sign(data, tpm().key))
    der = encode_dss_signature(int.from_bytes(ecdsa.value), int.from_bytes(ecdsa.s))
    for bare in (rsa[6:], rsa):
        assert quotes.settled({"signature": bare})["signature"] == rsa
    for bare in (der, ecdsa.value + ecdsa.s):
        assert parse_signature(quotes.settled({"signature": bare})["signature"]) == ecdsa
    assert quotes.settled({"signature": b"?"})["signature"] == b"?"


def test_json_members_are_found_at_any_depth() -> None:
    items, certificate = tpm().items(extra_data=EXTRA), tpm().certificate
    b64 = {role: base64.b64encode(value).decode() for role, value in items.items()}
    value = {
        "evidence": {"quote": {"message": b64["attest"], "signature": b64["signature"]}, "pcrs": json.loads(items["pcrs"])},
        "event_log": b64["event-log"],
        "ak_pub": b64["ak-public"],
        "ak_cert": base64.b64encode(certificate).decode(),
        "ek_cert": base64.b64encode(b"\x30\x82other").decode(),
    }
    parts = quotes.from_json(value)
    found = quotes.settled(parts.evidence)
    assert parse_pcrs(found.pop("pcrs")) == parse_pcrs(items.pop("pcrs"))
    assert found == items
    assert parts.endorsements == {"ak-cert": certificate}


def test_a_subject_public_key_is_no_public_area() -> None:
    assert "ak-public" not in quotes.from_json({"ak_public": base64.b64encode(b"\x30\x82\x01\x22").decode()}).evidence
