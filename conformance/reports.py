"""SEV-SNP reports that source projects keep field by field, put together again. Harness only: the product reads bytes.

Known: JSON objects with the names of virtee/sev (`plat_info`, TCBs and versions as objects) or of go-sev-guest's protobuf in JSON
(`platformInfo`, TCBs as numbers), and that protobuf itself (`sevsnp.Attestation` or `sevsnp.Report`). Bytes that these leave out
are zero in a report that AMD signed, or the signature will tell.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

REPORT_SIZE = 0x4A0
MAX_DEPTH = 8


class _Place(NamedTuple):
    """Where a field stands in the report, its size, and its number in `sevsnp.Report`."""

    offset: int
    size: int
    number: int


_FIELDS = {
    "version": _Place(0x000, 4, 1),
    "guestsvn": _Place(0x004, 4, 2),
    "policy": _Place(0x008, 8, 3),
    "familyid": _Place(0x010, 16, 4),
    "imageid": _Place(0x020, 16, 5),
    "vmpl": _Place(0x030, 4, 6),
    "signaturealgo": _Place(0x034, 4, 7),
    "currenttcb": _Place(0x038, 8, 8),
    "platforminfo": _Place(0x040, 8, 9),
    "signerinfo": _Place(0x048, 4, 10),
    "reportdata": _Place(0x050, 64, 11),
    "measurement": _Place(0x090, 48, 12),
    "hostdata": _Place(0x0C0, 32, 13),
    "idkeydigest": _Place(0x0E0, 48, 14),
    "authorkeydigest": _Place(0x110, 48, 15),
    "reportid": _Place(0x140, 32, 16),
    "reportidma": _Place(0x160, 32, 17),
    "reportedtcb": _Place(0x180, 8, 18),
    "cpuidfamid": _Place(0x188, 1, 0),
    "cpuidmodid": _Place(0x189, 1, 0),
    "cpuidstep": _Place(0x18A, 1, 0),
    "chipid": _Place(0x1A0, 64, 19),
    "committedtcb": _Place(0x1E0, 8, 20),
    "currentbuild": _Place(0x1E8, 1, 21),
    "currentminor": _Place(0x1E9, 1, 22),
    "currentmajor": _Place(0x1EA, 1, 23),
    "committedbuild": _Place(0x1EC, 1, 24),
    "committedminor": _Place(0x1ED, 1, 25),
    "committedmajor": _Place(0x1EE, 1, 26),
    "launchtcb": _Place(0x1F0, 8, 27),
    "signature": _Place(0x2A0, 512, 28),
    "launchmitvector": _Place(0x1F8, 8, 30),
    "currentmitvector": _Place(0x200, 8, 31),
}
_ALIASES = {"platinfo": "platforminfo", "sigalgo": "signaturealgo", "keyinfo": "signerinfo", "authorkeyen": "signerinfo"}
_NEEDED = {"version", "policy", "reportdata", "measurement", "signature"}
_CPUID_NUMBER = 29  # cpuid1eax_fms
_CERTIFICATES = {1: "vcek", 2: "ask", 3: "ark", 6: "vlek"}  # sevsnp.CertificateChain


def from_members(members: Mapping[str, Any]) -> bytes | None:
    """The report that a JSON object spells out; None when it is no such object, ValueError when a field does not fit."""
    given = {_name(key): value for key, value in members.items()}
    if not set(given) >= _NEEDED:
        return None
    given |= {f"{which}{part}": value for which in ("current", "committed") for part, value in _parts(given.get(which))}
    if given.get("cpuid1eaxfms") is not None:
        given |= _cpuid(int(given["cpuid1eaxfms"]))
    turin = given.get("cpuidfamid") == 0x1A
    report = bytearray(REPORT_SIZE)
    for name, place in _FIELDS.items():
        if given.get(name) is not None:
            report[place.offset : place.offset + place.size] = _bytes(given[name], place.size, turin=turin)
    return bytes(report)


def from_protobuf(data: bytes) -> dict[str, bytes]:
    """Roles in a `sevsnp.Attestation`, or the report of a bare `sevsnp.Report`; else a whole report, and a certificate, that stand
    as bytes at any depth. ValueError where there is no report.
    """
    try:
        return _spelled(data)
    except (ValueError, TypeError, KeyError, OverflowError):
        found = dict(_whole(data))
        if "report" not in found:
            raise
        return found


def _whole(data: bytes, depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """Values of a report's size, and certificates in DER, in nested messages."""
    try:
        fields = [value for _, value in wire_fields(data) if isinstance(value, bytes)]
    except ValueError:
        return
    for value in fields:
        if len(value) == REPORT_SIZE:
            yield "report", value
        elif value[:2] == b"\x30\x82":
            yield "vcek", value
        elif depth < MAX_DEPTH:
            yield from _whole(value, depth + 1)


def _spelled(data: bytes) -> dict[str, bytes]:
    fields = dict(wire_fields(data))
    inner = fields.get(1)
    if not isinstance(inner, bytes):
        return {"report": _report_of(fields)}
    chain = dict(wire_fields(fields[2])) if isinstance(fields.get(2), bytes) else {}  # type: ignore[arg-type]
    certificates = {role: chain[number] for number, role in _CERTIFICATES.items() if chain.get(number)}
    return {"report": _report_of(dict(wire_fields(inner))), **{k: v for k, v in certificates.items() if isinstance(v, bytes)}}


def _report_of(fields: Mapping[int, int | bytes]) -> bytes:
    members: dict[str, Any] = {name: fields[place.number] for name, place in _FIELDS.items() if place.number in fields}
    members["cpuid1eaxfms"] = fields.get(_CPUID_NUMBER)
    report = from_members({"policy": 0, **members})
    if report is None:
        raise ValueError("no sevsnp.Report")
    return report


def _name(key: str) -> str:
    plain = key.replace("_", "").lower()
    return _ALIASES.get(plain, plain)


def _parts(version: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(version, Mapping):
        yield from ((part, version.get(part)) for part in ("build", "minor", "major"))


def _cpuid(eax: int) -> dict[str, int]:
    """CPUID Fn0000_0001_EAX: extended family and model are added to, and put before, the base ones."""
    family = (eax >> 8 & 0xF) + (eax >> 20 & 0xFF)
    return {"cpuidfamid": family, "cpuidmodid": eax >> 4 & 0xF | eax >> 12 & 0xF0, "cpuidstep": eax & 0xF} if eax else {}


def _bytes(value: Any, size: int, *, turin: bool) -> bytes:
    if isinstance(value, Mapping):
        data = _tcb(value, turin=turin) if size == 8 else _signature(value)
    elif isinstance(value, bytes):
        data = value
    elif isinstance(value, list):
        data = bytes(value)
    elif isinstance(value, int):
        data = value.to_bytes(size, "little")
    elif size <= 8:  # a 64-bit number of protobuf's JSON
        data = int(value, 0).to_bytes(size, "little")
    else:
        data = _text(value, size)
    if len(data) > size:
        raise ValueError("too long")
    return data.ljust(size, b"\x00")


def _text(value: str, size: int) -> bytes:
    if len(value) == 2 * size:
        return bytes.fromhex(value)
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        raise ValueError("neither hex nor base 64") from None


def _tcb(value: Mapping[str, Any], *, turin: bool) -> bytes:
    if isinstance(value.get("raw"), list):
        return bytes(value["raw"])
    given = {_name(key): int(item or 0) for key, item in value.items() if isinstance(item, int | None)}
    boot, tee, snp, microcode = (given.get(name, 0) for name in ("bootloader", "tee", "snp", "microcode"))
    return bytes((given.get("fmc", 0), boot, tee, snp, 0, 0, 0, microcode) if turin else (boot, tee, 0, 0, 0, 0, snp, microcode))


def _signature(value: Mapping[str, Any]) -> bytes:
    return bytes(value["r"]).ljust(72, b"\x00") + bytes(value["s"]).ljust(72, b"\x00")


def wire_fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Protobuf wire format: varint, 64-bit, length-delimited, 32-bit."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        value: int | bytes
        if key & 7 == 0:
            value, position = _varint(data, position)
        elif key & 7 == 2:
            size, position = _varint(data, position)
            value, position = data[position : position + size], position + size
        elif key & 7 in {1, 5}:
            size = 8 if key & 7 == 1 else 4
            value, position = int.from_bytes(data[position : position + size], "little"), position + size
        else:
            raise ValueError("no protobuf")
        if position > len(data):
            raise ValueError("cut off")
        yield key >> 3, value


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise ValueError("cut off")
        value |= (data[position] & 0x7F) << shift
        position += 1
        if data[position - 1] < 0x80:
            return value, position
    raise ValueError("a number of more than 64 bits")
