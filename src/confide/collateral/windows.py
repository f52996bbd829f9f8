"""When each piece of collateral ends, by what is written in it. For renewing and for warning: read, never verified, here.

Left to others: whether the pieces are genuine and hold at a given time (`attest`).
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from confide.attest import x509
from confide.attest.nvidia.ocsp import load_responses
from confide.attest.x509 import UNREADABLE
from confide.errors import ConfideError
from confide.formats import strictjson

MAX_JSON = 4 << 20
_CERTIFICATE = re.compile(rb"<(?:[A-Za-z0-9]+:)?X509Certificate>([A-Za-z0-9+/=\s]+)</")
_CERTIFICATES = frozenset(
    {"vcek", "vlek", "ask", "asvk", "ark", "cert-chain", "pck-chain", "pck-crl-chain", "tcb-info-chain", "qe-identity-chain"}
    | {"ak-cert", "ak-chain"}
)
_LISTS = frozenset({"crl", "pck-crl", "root-crl", "ak-crl"})
_INTEL = {"tcb-info": "tcbInfo", "qe-identity": "enclaveIdentity"}
_MANIFESTS = frozenset({"rim-driver", "rim-vbios"})


@dataclass(frozen=True)
class Window:
    """One piece: its role, and the first moment at which something in it no longer holds. None: it does not say."""

    role: str
    ends: datetime | None

    def days_left(self, now: datetime) -> float | None:
        """Days until the end, negative once it is over."""
        return None if self.ends is None else (self.ends - now) / timedelta(days=1)


def windows(items: Mapping[str, bytes]) -> tuple[Window, ...]:
    """The window of each item, soonest end first; those that do not say come last."""
    found = [Window(role, ends_of(role, value)) for role, value in items.items()]
    return tuple(sorted(found, key=lambda each: (each.ends is None, each.ends or datetime.max.replace(tzinfo=UTC), each.role)))


def ends_of(role: str, value: bytes) -> datetime | None:
    """The earliest end written in an item; None where it has none or cannot be read."""
    try:
        ends = list(_ends(role, value))
    except (ConfideError, *UNREADABLE, binascii.Error):
        return None
    return min(ends, default=None)


def _ends(role: str, value: bytes) -> Iterator[datetime]:
    if role in _CERTIFICATES:
        yield from (certificate.not_valid_after_utc for certificate in x509.load_certificates(value))
    elif role in _LISTS:
        yield from (crl.next_update_utc for crl in x509.load_crls(value) if crl.next_update_utc is not None)
    elif role in _INTEL:
        yield _next_update(strictjson.loads(value, limit=MAX_JSON), _INTEL[role])
    elif role in _MANIFESTS:
        for text in _CERTIFICATE.findall(value):
            yield x509.load_certificate(base64.b64decode(b"".join(text.split()))).not_valid_after_utc
    elif role == "ocsp":
        yield from (each.next_update for each in load_responses(value) if each.next_update is not None)


def _next_update(body: object, member: str) -> datetime:
    """`nextUpdate` of TCB info or an enclave identity (Intel PCS API version 4)."""
    inner = body.get(member) if isinstance(body, dict) else None
    text = inner.get("nextUpdate") if isinstance(inner, dict) else None
    if not isinstance(text, str):
        raise TypeError("nextUpdate")
    return datetime.fromisoformat(text).astimezone(UTC)
