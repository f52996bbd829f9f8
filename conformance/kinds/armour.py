"""Text around one binary blob, undone before an adapter sees a file: hex, base 64, lists of numbers, one JSON object, gzip.

Whatever a source project keeps evidence in, the product takes bytes. PEM and XML are formats of their own and stay; so does what
more than one blob stands in, which is an adapter's to sort out. Left to others: wrappings of one kind (`unwrap`, `intel`,
`quotes`).
"""

import base64
import binascii
import gzip
import io
import json
import re
from collections.abc import Iterator
from typing import Any

from conformance.kinds.case import File

LEAST = 48  # bytes of the smallest blob: an ECDSA signature with P-256 in any spelling has more
MOST = 4 << 20  # bytes out of gzip
# Roles whose files are one binary blob, with the names that JSON members have for it.
NAMES = {
    "quote": {"quote", "raw_quote", "intel_quote", "sgx_quote", "tdx_quote", "td_quote"},
    "td-quote": {"td_quote", "quote", "tdx_quote"},
    "report": {"report", "attestation_report", "snp_report", "raw_report", "attestation"},
    "token": {"token", "cca_token", "cbor", "evidence"},
    "document": set[str](),  # its adapter looks for the longest
    "gpu-report": set[str](),  # its adapter looks for the magic
    "hcl-report": {"hcl_report", "report"},
    "tpm-attest": {"attest", "message", "quote", "quoted"},
    "tpm-signature": {"signature", "sig"},
    "event-log": {"event_log", "eventlog", "cc_eventlog", "ccel"},
    "ccel-table": {"ccel", "ccel_table", "table"},
    **{name: {name, "certificate", "cert"} for name in ("vcek", "vlek", "ask", "asvk", "ark", "cert-chain", "ak-cert", "ak-chain")},
    **{name: {name.replace("-", "_"), "crl"} for name in ("crl", "pck-crl", "root-crl", "ak-crl")},
    "attestation-protobuf": set[str](),
    "ocsp": {"ocsp", "response"},
    "rim": set[str](),
    "rim-driver": {"rim"},
    "rim-vbios": {"rim"},
}


def bare(file: File) -> File:
    """The file without its armour, where it is one blob in a form known here."""
    if file.role not in NAMES:
        return file
    return file._replace(data=_bare(_unzipped(file.data), file.role))


def _unzipped(data: bytes) -> bytes:
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            return stream.read(MOST)
    except (OSError, EOFError):
        return data


def _bare(data: bytes, role: str) -> bytes:
    text = data.removeprefix(b"\xef\xbb\xbf").strip()
    if not text.isascii() or text[:1] in {b"", b"<"} or b"-----BEGIN" in text[:200]:
        return data
    found = _of_json(text, role) if text[:1] in {b"{", b"[", b'"'} else None
    return found or _of_text(text.decode()) or data


def _of_text(text: str) -> bytes | None:
    """Hex (bare, with 0x, spaced, or as numbers of C), or base 64 of either alphabet; None for other text and for what is small."""
    numbers = re.fullmatch(r"[\s,{}\[\]]*(?:0x[0-9a-fA-F]{2}[\s,{}\[\];]*)+", text) if "," in text else None
    plain = "".join(re.findall("0x([0-9a-fA-F]{2})", text)) if numbers else "".join(text.split())
    digits = plain.removeprefix("0x").removeprefix("0X")
    if re.fullmatch(r"(?:[0-9a-fA-F]{2})+", digits):
        found = bytes.fromhex(digits)
    elif re.fullmatch(r"[A-Za-z0-9+/_-]+={0,2}", plain):
        try:
            standard = plain.rstrip("=").replace("-", "+").replace("_", "/")
            found = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
        except binascii.Error:
            return None
    else:
        return None
    return found if len(found) >= LEAST else None


def _of_json(text: bytes, role: str) -> bytes | None:
    """The one blob in it, or the one with a name of this role."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    blobs = list(_blobs("", value))
    named = [blob for name, blob in blobs if name in NAMES[role]]
    chosen = named if len(named) == 1 else [blob for _, blob in blobs]
    return chosen[0] if len(chosen) == 1 else None


def _blobs(name: str, value: Any) -> Iterator[tuple[str, bytes]]:
    """Names, in one spelling, and what decodes, at any depth."""
    if isinstance(value, str):
        found = value.encode() if "-----BEGIN" in value[:200] else _of_text(value)
        if found is not None:
            yield name, found
    elif isinstance(value, list) and len(value) >= LEAST and all(type(each) is int and 0 <= each < 256 for each in value):
        yield name, bytes(value)
    elif isinstance(value, list | dict):
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _blobs(str(key).lower().replace("-", "_") if isinstance(value, dict) else name, member)
