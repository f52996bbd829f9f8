"""Nitro cases of both kinds: documents raw, in hex, base 64 or JSON."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from confide.attest import cbor, verifiers, x509
from confide.attest.cbor import Tagged
from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.constraints import Ignored
from confide.attest.evidence import Kind
from confide.attest.nitro.claims import NitroClaims
from confide.attest.nitro.validate import NitroConstraints, NitroTpmConstraints
from confide.errors import ConfideError
from conformance.kinds.case import Adapter, Case, File, Parts, require_inputs, require_nonce

DOCUMENTS = {"document", "attestation-json"}
RECORDED_V1 = {
    Kind.NITRO: NitroConstraints(pcrs=Ignored.UNSAFE_IGNORED),
    Kind.NITROTPM: NitroTpmConstraints(pcrs=Ignored.UNSAFE_IGNORED),
}


def sort(files: Sequence[File]) -> Parts:
    """The document; other roles as they are."""
    return Parts({"document" if role in DOCUMENTS else role: unwrap(data) for role, _, data in files}, {})


def unwrap(data: bytes) -> bytes:
    """Text encodings undone; JSON searched for the longest decodable member."""
    text = data.strip()
    if text[:1] in {b"{", b"["}:
        found = [unwrap(item.encode()) for item in _strings(json.loads(text)) if len(item) > 200]
        return max(found, key=len, default=data)
    if re.fullmatch(rb"(?:0x)?(?:[0-9a-fA-F]{2})+", text):
        return bytes.fromhex(text.removeprefix(b"0x").decode())
    if re.fullmatch(rb"[A-Za-z0-9+/_\-\s]+=*", text) and len(text) > 64:
        plain = b"".join(text.split()).replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
        try:
            return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
        except binascii.Error:
            return data
    return data


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for member in members for text in _strings(member)]


def judge(claims: Claims, case: Case, checks: Checks) -> None:
    """`recorded-v1`, then the nonce, then what else the case expects."""
    verifiers.validate(claims, RECORDED_V1[claims.kind], checks=checks)
    if not isinstance(claims, NitroClaims):
        raise TypeError(type(claims).__name__)
    if case.nonce is not None:
        forms = {case.nonce, *(hashlib.new(name, case.nonce).digest() for name in ("sha256", "sha384", "sha512"))}
        require_nonce(case, claims.document.nonce or b"", forms)
    else:
        checks.skip("nonce", "the case records none")
    require_inputs(case, fields(claims))


def fields(claims: NitroClaims) -> dict[str, Any]:
    """Field names of the manifests to values."""
    document = claims.document
    pcrs = {str(index): value for index, value in document.pcrs.items()}
    found: dict[str, Any] = {
        "module_id": document.module_id,
        "digest": document.digest,
        "timestamp_ms": round(document.timestamp.timestamp() * 1000),
        "pcrs": pcrs,
        "pcr_indexes": list(document.pcrs),
        "pcr_field": "nitrotpm_pcrs" if claims.kind is Kind.NITROTPM else "pcrs",
        "public_key": document.public_key,
        "user_data": document.user_data,
        "nonce": document.nonce,
        "debug": document.debug,
        "region": claims.region,
    }
    found |= {f"pcr{index}": value for index, value in document.pcrs.items()}
    return found | {f"expected_{name}": value for name, value in found.items()}


def starts(parts: Parts) -> list[datetime]:
    """The document's own time, where it can be read; and notBefore of its certificates."""
    try:
        value = cbor.loads(parts.evidence.get("document", b""))
        value = value.value if isinstance(value, Tagged) else value
        payload = cbor.loads(value[2])
        ders = [payload["certificate"], *payload["cabundle"]]
        found = [datetime.fromisoformat("1970-01-01T00:00:00+00:00") + timedelta(milliseconds=payload["timestamp"])]
        return found + [x509.load_certificate(der).not_valid_before_utc for der in ders]
    except (ConfideError, TypeError, KeyError, IndexError, OverflowError):
        return []


ADAPTER = Adapter(sort, judge, starts)
