"""TPM quotes as their source projects keep them, put into the product's roles. Harness only: the product reads what a TPM writes.

Known: `attest.Attestation` of google/go-tpm-tools (protobuf; a TEE's report may stand beside the quotes in it), and JSON in which
message, signature, PCRs, certificates and event log stand as hex, base 64 or PEM under common names, at any depth. Signatures that
tools keep bare (RSA bytes, ECDSA in DER or as r and s) become TPMT_SIGNATUREs; PCRs of any shape an object of index to hex. Left to
others: what a case expects (`tpm`, `azure`).
"""

import base64
import binascii
import json
import re
import struct
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from confide.attest.tpm.quote import BANKS, parse_attest
from confide.errors import ConfideError
from conformance.kinds.case import Parts
from conformance.reports import from_protobuf, wire_fields

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_ROLES: Mapping[str, str] = {
    **dict.fromkeys(("message", "attest", "attest_data", "attestation_data", "tpms_attest"), "attest"),
    **dict.fromkeys(("quote", "quote_message", "quoted", "raw_quote"), "attest"),
    **dict.fromkeys(("signature", "sig", "raw_sig", "quote_signature", "tpmt_signature"), "signature"),
    **dict.fromkeys(("ak_pub", "ak_public", "tpmt_public", "ak_public_area"), "ak-public"),
    **dict.fromkeys(("event_log", "eventlog", "tcg_event_log", "tcg_eventlog"), "event-log"),
}
_PCRS = {"pcrs", "pcr", "pcr_data", "pcr_values"}
_SIZES = dict(BANKS.values())
_BARE = {256, 384, 512}  # bytes of an RSA signature


def from_attestation(data: bytes) -> Parts:
    """`attest.Attestation`: 1 ak_pub, 2 quotes, 3 and 5 event logs, 6 ak_cert, 7 intermediates, 8 SEV-SNP, 9 TDX."""
    evidence: dict[str, bytes] = {}
    endorsements: dict[str, bytes] = {}
    chain: list[bytes] = []
    quotes: dict[int, dict[str, bytes]] = {}
    roles = {1: "ak-public", 3: "event-log", 5: "canonical-event-log"}
    for number, value in wire_fields(data):
        if not isinstance(value, bytes):
            continue
        if number in roles:
            evidence[roles[number]] = value
        elif number == 2:
            quotes |= [_quote(value)]
        elif number == 6:
            endorsements["ak-cert"] = value
        elif number == 7:
            chain.append(value)
        elif number == 8:
            found = from_protobuf(value)
            evidence["tee-report"] = found.pop("report", b"")
            endorsements |= {f"tee-{role}": item for role, item in found.items()}
        elif number == 9:
            evidence["tee-quote"] = _td_quote(value)
    best = next((bank for bank in (0x000B, 0x000C, 0x000D, *quotes) if bank in quotes), None)
    evidence |= {} if best is None else quotes[best]
    if chain:
        endorsements["ak-chain"] = b"\n".join(map(armour, chain))
    return Parts(evidence, endorsements)


def from_json(value: Any) -> Parts:
    """Members by their common names."""
    evidence: dict[str, bytes] = {}
    chain: list[bytes] = []
    values: list[Any] = []
    for name, member in members(value):
        data = member_octets(member)
        if name in _PCRS:
            values.append(member)
        elif "cert" in name and not name.startswith("ek"):
            chain += list(_certificates(member))
        elif data is not None and name in _ROLES and (_ROLES[name] != "ak-public" or _is_public(data)):
            evidence[_ROLES[name]] = data
    if values:
        evidence["pcrs"] = json.dumps(values[0]).encode()
    endorsements = {"ak-cert": chain[0]} if chain else {}
    if chain[1:]:
        endorsements["ak-chain"] = b"\n".join(map(armour, chain[1:]))
    return Parts(evidence, endorsements)


def settled(evidence: dict[str, bytes], *, attest: str = "attest", signature: str = "signature") -> dict[str, bytes]:
    """Signature and PCRs in the form that the product reads; what cannot be told is left as it came."""
    settled = dict(evidence)
    if signature in evidence:
        settled[signature] = _tpmt_signature(evidence[signature])
    if "pcrs" in evidence:
        settled["pcrs"] = _pcrs_of(evidence["pcrs"], _bank_size(evidence.get(attest, b"")))
    return settled


def octets(text: str) -> bytes:
    """Hex or base 64 of either alphabet; other text as it is."""
    if re.fullmatch(r"(?:[0-9a-fA-F]{2})+", text):
        return bytes.fromhex(text)
    plain = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        return text.encode()


def member_octets(member: Any) -> bytes | None:
    """Text as `octets`, a list of numbers as bytes; None for anything else."""
    if isinstance(member, str):
        return octets(member)
    if isinstance(member, list) and len(member) > 8 and all(isinstance(byte, int) and 0 <= byte < 256 for byte in member):
        return bytes(member)
    return None


def members(value: Any) -> Iterator[tuple[str, Any]]:
    """Names, in one spelling, and values of all members at any depth."""
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for name, member in items:
        yield str(name).lower().replace("-", "_"), member
        if not isinstance(member, list) or not member or not isinstance(member[0], int):
            yield from members(member)


def armour(der: bytes) -> bytes:
    """PEM."""
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


def _quote(data: bytes) -> tuple[int, dict[str, bytes]]:
    """`tpm.Quote`: 1 quote, 2 raw_sig, 3 pcrs {1 hash, 2 pcrs {1 index, 2 value}}; the bank first."""
    members = {number: value for number, value in wire_fields(data) if isinstance(value, bytes)}
    bank, pcrs = 0, {}
    for number, value in wire_fields(members.get(3, b"")):
        if number == 1 and isinstance(value, int):
            bank = value
        elif number == 2 and isinstance(value, bytes):
            entry = dict(wire_fields(value))
            item = entry.get(2)
            pcrs[str(entry.get(1, 0))] = item.hex() if isinstance(item, bytes) else ""
    found = {"attest": members.get(1, b""), "signature": members.get(2, b""), "pcrs": json.dumps(pcrs).encode()}
    return bank, found


def _td_quote(data: bytes) -> bytes:
    """`tdx.QuoteV4` of google/go-tdx-guest put together again (Intel's quote version 4)."""
    quote, header = _bytes(data), _numbers(data, 1)
    head = struct.pack("<HHI", *(header.get(number, 0) for number in (1, 2, 3))) + _joined(quote.get(1, b""))
    signed = _bytes(quote.get(4, b""))
    outer = _bytes(signed.get(3, b""))
    report = _bytes(outer.get(3, b""))
    authentic, chain = _joined(report.get(3, b"")), _joined(report.get(4, b""))
    inner = struct.pack("<HI", _numbers(outer.get(3, b""), 4).get(1, 0), len(chain)) + chain
    enclave = _joined(report.get(1, b""), {2: 4, 9: 2, 10: 2})
    qe = enclave + report.get(2, b"") + struct.pack("<H", len(authentic)) + authentic + inner
    rest = signed.get(1, b"") + signed.get(2, b"") + struct.pack("<HI", _numbers(quote.get(4, b""), 3).get(1, 0), len(qe)) + qe
    return head + _joined(quote.get(2, b"")) + struct.pack("<I", len(rest)) + rest


def _joined(data: bytes, widths: Mapping[int, int] = MappingProxyType({})) -> bytes:
    """Byte fields in order, and numbers where they have a width; other numbers are lengths, or stand elsewhere."""
    fields = dict[int, bytes](dict.fromkeys(widths, b""))
    parts: list[tuple[int, bytes]] = []
    for number, value in wire_fields(data):
        if isinstance(value, bytes):
            parts.append((number, value))
        elif number in widths:
            fields[number] = value.to_bytes(widths[number], "little")
    parts += [(number, fields[number] or bytes(width)) for number, width in widths.items()]
    return b"".join(value for _, value in sorted(parts, key=lambda part: part[0]))


def _numbers(data: bytes, inside: int) -> dict[int, int]:
    """The numbers of a message inside."""
    return {number: value for number, value in wire_fields(_bytes(data).get(inside, b"")) if isinstance(value, int)}


def _bytes(data: bytes) -> dict[int, bytes]:
    return {number: value for number, value in wire_fields(data) if isinstance(value, bytes)}


def _certificates(value: Any) -> Iterator[bytes]:
    if isinstance(value, str):
        blocks = _PEM.findall(value.encode())
        if blocks:
            yield from (base64.b64decode(b"".join(block.split(b"-----")[2].split())) for block in blocks)
        elif octets(value)[:2] == b"\x30\x82":
            yield octets(value)
    elif isinstance(value, list | Mapping):
        for member in value.values() if isinstance(value, Mapping) else value:
            yield from _certificates(member)


def _is_public(data: bytes) -> bool:
    """A TPMT_PUBLIC or TPM2B_PUBLIC of RSA or ECC, not a SubjectPublicKeyInfo."""
    return data[:2] in {b"\x00\x01", b"\x00\x23"} or data[:2] == (len(data) - 2).to_bytes(2)


def _tpmt_signature(data: bytes) -> bytes:
    """Bare RSA bytes are RSASSA, bare ECDSA that of P-256, both with SHA-256: what the tools that keep them so sign with."""
    if data[:2] in {b"\x00\x14", b"\x00\x16", b"\x00\x18"}:
        return data
    if len(data) in _BARE:
        return bytes.fromhex("0014000b") + len(data).to_bytes(2) + data
    if len(data) == 64:
        return bytes.fromhex("0018000b0020") + data[:32] + bytes.fromhex("0020") + data[32:]
    try:
        r, s = decode_dss_signature(data)
        return bytes.fromhex("0018000b0020") + r.to_bytes(32) + bytes.fromhex("0020") + s.to_bytes(32)
    except (ValueError, OverflowError):
        return data


def _bank_size(attest: bytes) -> int:
    try:
        banks = [bank for bank, indexes in parse_attest(attest).selection.items() if indexes and bank in BANKS]
        return BANKS[banks[0]][1] if len(banks) == 1 else 32
    except ConfideError:
        return 32


def _pcrs_of(data: bytes, size: int) -> bytes:
    try:
        value = json.loads(data)
    except ValueError:
        value = data
    if isinstance(value, str):
        value = octets(value)
    found = _native(value) if isinstance(value, bytes) else dict(_pcrs(value, size))
    return json.dumps(found).encode() if found else data


def _pcrs(value: Any, size: int) -> Iterator[tuple[str, str]]:
    """Of an object by bank, by slot or by index, or a list in index order: values of `size` bytes."""
    if isinstance(value, list):
        texts = [_value(item, size) for item in value]
        if texts and all(text is not None for text in texts):
            yield from ((str(index), str(text)) for index, text in enumerate(texts))
            return
        for member in value:
            yield from _pcrs(member, size)
    for name, member in value.items() if isinstance(value, Mapping) else ():
        index, text = re.fullmatch(r"(?:slot|pcr)?_?(\d+)", str(name).lower()), _value(member, size)
        if index and text is not None:
            yield str(int(index[1])), text
        elif not isinstance(member, str) and _SIZES.get(str(name).lower(), size) == size:
            yield from _pcrs(member, size)


def _value(item: Any, size: int) -> str | None:
    if isinstance(item, str):
        data = octets(item.removeprefix("0x"))
    elif isinstance(item, list) and item and all(isinstance(byte, int) and 0 <= byte < 256 for byte in item):
        data = bytes(item)
    else:
        return None
    return data.hex() if len(data) == size else None


def _native(data: bytes) -> dict[str, str]:
    """tpm2-tools' own structures: TPML_PCR_SELECTION (132 bytes), a count, TPML_DIGESTs of eight TPM2B_DIGESTs (532 bytes each)."""
    if len(data) < 136 or int.from_bytes(data[:4], "little") != 1:
        return {}
    bits = int.from_bytes(data[7:11], "little")
    digests: list[bytes] = []
    for start in range(136, len(data) - 531, 532):
        count = int.from_bytes(data[start : start + 4], "little")
        for place in range(min(count, 8)):
            at = start + 4 + 66 * place
            digests.append(data[at + 2 : at + 2 + int.from_bytes(data[at : at + 2], "little")])
    indexes = [index for index in range(32) if bits >> index & 1]
    return {str(index): value.hex() for index, value in zip(indexes, digests, strict=False)}
