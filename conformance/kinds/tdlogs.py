"""TD quotes and event logs as source projects keep them, for the harness only: the product reads quotes and TCG's binary logs.

Known: quotes inside other messages (Intel's QGS response, SCALE, protobuf, JSON with hex, base 64 or lists of numbers), logs in
gzip, hex or base 64, and dstack's logs, a JSON list of `{imr, event_type, digest, event, event_payload}`, out of which a TCG log
is made.
"""

import base64
import binascii
import gzip
import hashlib
import json
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from confide.attest.dcap.quote import INTEL_QE_VENDOR

VENDOR_AT = 12  # of the QE vendor in a quote's header
SPEC_ID = b"Spec ID Event03\x00" + struct.pack("<IBBBBIHHB", 0, 0, 2, 0, 2, 1, 12, 48, 0)  # SHA-384 alone, as CCEL logs have it
COLLATERAL = {"tcb_info", "qe_identity"}


def quote_in(data: bytes) -> bytes | None:
    """The quote somewhere in `data`, cut by its own lengths; None where there is none."""
    start = data.find(INTEL_QE_VENDOR) - VENDOR_AT
    if start < 0:
        return None
    rest = data[start:]
    body = 48 + 584 if int.from_bytes(rest[:2], "little") < 5 else 54 + int.from_bytes(rest[50:54], "little")
    end = body + 4 + int.from_bytes(rest[body : body + 4], "little")
    return rest[:end]


def unwrap_log(data: bytes) -> bytes:
    """A TCG log, out of whatever it came in; anything unknown as it is."""
    plain = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    text = plain.strip()
    if text[:1] in {b"[", b"{"}:
        found = next(_lists(json.loads(text)), None)
        return plain if found is None else from_events(found)
    inner = next(decoded(text.decode()), None) if text.isascii() and len(text) > 64 else None
    return plain if inner is None else unwrap_log(inner)


def from_events(events: Sequence[Mapping[str, Any]]) -> bytes:
    """dstack's events as TCG_PCR_EVENT2 of measurement registers 1 to 4. What its runtime extends stays with its digest; digests
    that it leaves out are made from name and payload as its guest agent does."""
    log = struct.pack("<II20xI", 1, 3, len(SPEC_ID)) + SPEC_ID
    for event in events:
        payload, kind = bytes.fromhex(event.get("event_payload") or ""), int(event["event_type"])
        digest = bytes.fromhex(event.get("digest") or "") or _digest(kind, str(event["event"]), payload)
        log += struct.pack("<IIIH", int(event["imr"]) + 1, kind, 1, 12) + digest + struct.pack("<I", len(payload)) + payload
    return log


def _digest(kind: int, name: str, payload: bytes) -> bytes:
    return hashlib.sha384(kind.to_bytes(4, "little") + b":" + name.encode() + b":" + payload).digest()


def from_json(value: Any) -> dict[str, bytes]:
    """Roles found anywhere in an object: `quote`, `event-log`, and `collateral` as one JSON text."""
    found: dict[str, bytes] = {}
    events = next(_lists(value), None)
    if events is not None:
        found["event-log"] = from_events(events)
    for name, item in _items(value):
        if isinstance(item, Mapping) and item.keys() >= COLLATERAL:
            found.setdefault("collateral", json.dumps(item).encode())
        for data in _octets(item):
            quote = quote_in(data)
            if quote is not None:
                found.setdefault("quote", quote)
            elif b"Spec ID Event03" in data[:64] and "log" in name.lower():
                found.setdefault("event-log", data)
    return found


def _items(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Members and elements at any depth, JSON inside of strings too."""
    yield name, value
    if isinstance(value, str) and value.lstrip()[:1] in {"{", "["}:
        try:
            yield from _items(json.loads(value), name)
        except ValueError:
            return
    elif isinstance(value, Mapping):
        for key, member in value.items():
            yield from _items(member, str(key))
    elif isinstance(value, list) and not _is_octets(value):
        for element in value:
            yield from _items(element, name)


def _lists(value: Any) -> Iterator[list[Mapping[str, Any]]]:
    for _, item in _items(value):
        if (
            isinstance(item, list)
            and item
            and all(isinstance(each, Mapping) and {"imr", "event_type"} <= each.keys() for each in item)
        ):
            yield item


def _octets(value: Any) -> Iterator[bytes]:
    if _is_octets(value):
        yield bytes(value)
    elif isinstance(value, str) and len(value) > 64:
        yield from decoded(value)


def _is_octets(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 64 and all(isinstance(item, int) and 0 <= item < 256 for item in value)


def decoded(text: str) -> Iterator[bytes]:
    """Hex or base 64 of either alphabet undone."""
    plain = "".join(text.split())
    if re.fullmatch(r"(?:0x)?(?:[0-9a-fA-F]{2})+", plain):
        yield bytes.fromhex(plain.removeprefix("0x"))
    elif re.fullmatch(r"[A-Za-z0-9+/_\-]+=*", plain):
        plain = plain.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            yield base64.b64decode(plain + "=" * (-len(plain) % 4))
        except binascii.Error:
            return
