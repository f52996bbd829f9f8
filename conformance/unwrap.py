"""Source projects' own wrappings of evidence, undone before the product sees it. Harness only: the product knows none of these.

Known: a guest device's response (32-byte header before the report), the GUID certificate table of extended reports (AMD 56421),
and JSON in which reports, certificates and tables stand as base 64, hex, PEM or lists of numbers under any name. Left to others:
reports that are kept field by field (`reports.py`).
"""

import base64
import binascii
import json
import re
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from conformance.reports import REPORT_SIZE, from_members

GUIDS = {
    "63da758de6644564adc5f4b93be8accd": "vcek",
    "a8074bc2a25a483eaae639c045a0b8a1": "vlek",
    "4ab7b379bbac4fe4a02f05aef327c782": "ask",
    "c0b406a4a803495297433fb6014cd0ae": "ark",
}
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_NAMES = (  # common names by which a certificate's role is told; the product decides by itself what it makes of them
    (rb"SEV-VCEK", "vcek"),
    (rb"SEV-VLEK\x30", "vlek"),  # the end of the subject, before the key; the ASVK's names go on with the product
)


def unwrap_report(data: bytes) -> bytes:
    """The report inside a device's response: status 0, size 0x4A0, 24 reserved bytes (AMD 56860, MSG_REPORT_RSP)."""
    if len(data) >= REPORT_SIZE + 0x20 and struct.unpack_from("<II", data) == (0, REPORT_SIZE):
        return data[0x20 : 0x20 + REPORT_SIZE]
    if len(data) > REPORT_SIZE and data.isascii():  # a report as hex or base 64 text
        return next(_decoded(data.decode().strip()), data)
    return data


def unwrap_table(data: bytes) -> dict[str, bytes]:
    """Roles of a GUID certificate table; empty when `data` is none."""
    found: dict[str, bytes] = {}
    for position in range(0, min(len(data), 24 * 16) - 23, 24):
        guid, (offset, length) = data[position : position + 16].hex(), struct.unpack_from("<II", data, position + 16)
        if guid in GUIDS and offset + length <= len(data):
            found[GUIDS[guid]] = data[offset : offset + length]
        elif not any(data[position : position + 24]):
            break
    return found


def unwrap_json(data: bytes) -> dict[str, bytes]:
    """Roles found anywhere in a JSON text: `report`, `vcek`, `vlek`, and other certificates together as `cert-chain`."""
    found: dict[str, bytes] = {}
    chain: list[bytes] = []
    for value in _blobs(parsed := json.loads(data)):
        report = unwrap_report(value)
        table = unwrap_table(value)
        certificates = _PEM.findall(value)
        if len(report) == REPORT_SIZE and report[:2] != b"\x30\x82":  # whatever its version: the verifier judges that
            found.setdefault("report", report)
        elif table:
            found |= table
        elif certificates:
            chain += certificates
        elif value[:2] == b"\x30\x82":
            chain.append(_armour(value))
    if "report" not in found:
        found.update(("report", report) for report in _spelled(parsed))
    for certificate in chain:
        role = _role(certificate)
        found[role] = found.get(role, b"") + certificate + b"\n" if role == "cert-chain" else certificate
    return found


def unwrap_collateral(role: str, data: bytes) -> dict[str, bytes]:
    """Roles in a file of endorsements: a certificate table, a service's JSON answer (Azure's THIM), or the file itself."""
    if data[:1] in {b"{", b"["}:
        return {key: value for key, value in unwrap_json(data).items() if key != "report"}
    return unwrap_table(data) or {role: data}


def _spelled(value: Any) -> Iterator[bytes]:
    """Reports that stand there field by field, at any depth."""
    if isinstance(value, Mapping):
        report = from_members(value)
        if report is not None:
            yield report
            return
    members = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for member in members:
        yield from _spelled(member)


def join_certificates(first: bytes, second: bytes) -> bytes:
    """Two files of one role as one PEM bundle."""
    return b"\n".join(data if b"-----BEGIN " in data else _armour(data) for data in (first, second))


def _blobs(value: Any) -> Iterator[bytes]:
    if isinstance(value, Mapping):
        for member in value.values():
            yield from _blobs(member)
    elif isinstance(value, list):
        if len(value) > 64 and all(isinstance(item, int) and 0 <= item < 256 for item in value):
            yield bytes(value)
        else:
            for item in value:
                yield from _blobs(item)
    elif isinstance(value, str) and len(value) > 64:
        yield from _decoded(value)


def _decoded(text: str) -> Iterator[bytes]:
    if text.lstrip()[:1] in {"{", "["}:
        yield from _inner(text.strip().encode())
    elif "-----BEGIN " in text:
        yield text.encode()
    elif re.fullmatch(r"(?:[0-9a-fA-F]{2})+", text):
        yield bytes.fromhex(text)
    elif re.fullmatch(r"[A-Za-z0-9+/_\-\s]+=*\s*", text):
        plain = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
        try:
            inner = base64.b64decode(plain + "=" * (-len(plain) % 4))
        except binascii.Error:
            return
        yield from _inner(inner)


def _inner(data: bytes) -> Iterator[bytes]:
    """Decoded bytes, or what stands in the JSON text that they are."""
    try:
        value = json.loads(data) if data[:1] in {b"{", b"["} else None
    except ValueError:
        value = None
    if value is None:
        yield data
    else:
        yield from _blobs(value)


def _armour(der: bytes) -> bytes:
    body = base64.encodebytes(der)
    return b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n"


def _role(certificate: bytes) -> str:
    der = base64.b64decode(b"".join(certificate.split(b"-----")[2].split()))
    return next((role for pattern, role in _NAMES if re.search(pattern, der)), "cert-chain")
