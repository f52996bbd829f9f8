"""Admissions: the owner says whose hands a node is in (spec/05-admission.md).

A measurement does not: anyone can run the same image. An admission is a DSSE envelope signed by the authority key for at most
24 hours. It names a receipt key, which is born in one TEE and never leaves it, so the admission cannot be moved to another machine;
the platform, as the hardware gives it; and the place, which only the owner knows. Left to others: whether an admission is required,
and which authority and places are wanted (`policy`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from confide.attest.checks import Checks
from confide.attest.keyset import Keyset
from confide.attest.reading import VERSION, Format, malformed, read
from confide.codes import Code
from confide.errors import EvidenceError, PolicyError
from confide.formats import dsse, strictjson
from confide.formats.fields import Hex32, Line, format_time, parse_time

PAYLOAD_TYPE = "application/vnd.confide.admission+json"
MAX_ADMISSION = 64 * 1024  # bytes of envelope; one with an ML-DSA-65 signature has 6 KiB
MAX_PAYLOAD = 4096  # bytes
LONGEST = timedelta(hours=24)  # DESIGN section 4

FORMAT = Format(MAX_PAYLOAD, too_large=Code.ADMISSION_MALFORMED, malformed=Code.ADMISSION_MALFORMED, version=Code.ADMISSION_VERSION)


@dataclass(frozen=True)
class Admission:
    """What the owner said.

    Attributes:
        node_id: the keyset's node id.
        node_key: `dsse.PublicKey.keyid` of one of the keyset's receipt keys.
        platform_id: chip or host identity in hex, as in `Claims.platform_id`; empty where the hardware hides it.
        place: for people and policies, such as "eu-west-1" or "Paris, rack 4".
    """

    node_id: bytes
    node_key: str
    platform_id: str
    place: str
    not_before: datetime
    not_after: datetime


class _Admission(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    node_id: Hex32
    node_key: Hex32
    platform_id: Annotated[str, Meta(pattern=r"\A([0-9a-f]{2}){1,64}\Z")] | None
    place: Line
    not_before: str
    not_after: str


def sign_admission(admission: Admission, *, key: dsse.SigningKey) -> bytes:
    """The owner's side: the bytes of a DSSE envelope. Raises as `parse_admission` for what nobody would accept."""
    members = {
        "version": VERSION,
        "node_id": admission.node_id.hex(),
        "node_key": admission.node_key,
        "platform_id": admission.platform_id or None,
        "place": admission.place,
        "not_before": format_time(admission.not_before),
        "not_after": format_time(admission.not_after),
    }
    payload = strictjson.dumps(members)
    parse_admission(payload)
    return dsse.sign(payload, payload_type=PAYLOAD_TYPE, keys=(key,))


def parse_admission(payload: bytes) -> Admission:
    """The statement in an envelope's payload; only `verify_admission` says whether the owner made it.

    Raises:
        EvidenceError: `admission.malformed`, `admission.version` or `admission.window`.
    """
    parsed = read(payload, _Admission, FORMAT)
    with malformed(FORMAT):
        not_before, not_after = parse_time(parsed.not_before), parse_time(parsed.not_after)
    if not timedelta(0) < not_after - not_before <= LONGEST:
        raise EvidenceError(Code.ADMISSION_WINDOW, found=f"{parsed.not_before} to {parsed.not_after}", wanted="at most 24 hours")
    return Admission(bytes.fromhex(parsed.node_id), parsed.node_key, parsed.platform_id or "", parsed.place, not_before, not_after)


def signed_admission(envelope: bytes, *, authority_key: dsse.PublicKey) -> Admission:
    """What the owner signed, before it is compared with any node.

    Raises:
        EvidenceError: `admission.signature`, and what `parse_admission` raises.
    """
    return parse_admission(_signed_payload(envelope, authority_key, Checks()))


def require_newer(admission: Admission, held: Admission | None) -> None:
    """A later admission takes the place of the one that a node holds, never the other way round (ADM-10).

    Later is the one that begins later; of two that begin together, the one that ends later. So a copy of an old admission cannot
    be used to cut a new one short, while the owner may shorten one by signing it anew.

    Raises:
        EvidenceError: `admission.older`.
    """
    if held is not None and _age(admission) < _age(held):
        found, wanted = (f"{format_time(each.not_before)} to {format_time(each.not_after)}" for each in (admission, held))
        raise EvidenceError(Code.ADMISSION_OLDER, found=found, wanted=f"one that begins and ends no earlier than {wanted}")


def _age(admission: Admission) -> tuple[datetime, datetime]:
    return admission.not_before, admission.not_after


def verify_admission(
    envelope: bytes,
    *,
    keyset: Keyset,
    authority_key: dsse.PublicKey,
    now: datetime,
    platform_id: str,
    checks: Checks,
    places: Collection[str] | None = None,
) -> Admission:
    """The admission of this very node, on this platform, now.

    Args:
        authority_key: the owner's key that the policy accepts; the keyset must name the same.
        platform_id: from the verified claims, never from the admission.
        places: those that the policy lists; None is noted as not checked.

    Raises:
        EvidenceError: through `checks`, an `admission` code; at once, even in a lenient record, when there is no signed statement.
        PolicyError: through `checks`, `admission.place`.
    """
    admission = parse_admission(_signed_payload(envelope, authority_key, checks))
    _check_node(admission, keyset, authority_key, checks)
    _check_platform(admission, platform_id, checks)
    _check_place(admission, places, checks)
    _check_time(admission, now, checks)
    return admission


def _signed_payload(envelope: bytes, authority_key: dsse.PublicKey, checks: Checks) -> bytes:
    title, wanted = "signature of the admission", f"{authority_key.alg.value} key {authority_key.keyid}"
    try:
        payload, _ = dsse.verify(envelope, payload_type=PAYLOAD_TYPE, keys=(authority_key,), limit=MAX_ADMISSION)
    except dsse.DsseError as error:
        code = Code.ADMISSION_SIGNATURE if error.code is Code.DSSE_SIGNATURE else Code.ADMISSION_MALFORMED
        failure = EvidenceError(code, found=f"{error.code.value}: {error.found}", wanted=wanted)
        checks.require(False, code, title, found=failure.found, wanted=wanted)
        raise failure from None
    checks.require(True, Code.ADMISSION_SIGNATURE, title, found="signed", wanted=wanted)
    return payload


def _check_node(admission: Admission, keyset: Keyset, authority_key: dsse.PublicKey, checks: Checks) -> None:
    named = keyset.authority_key.keyid if keyset.authority_key else "none"
    checks.require(
        keyset.authority_key == authority_key,
        Code.ADMISSION_AUTHORITY,
        "authority key in the keyset",
        found=named,
        wanted=authority_key.keyid,
    )
    checks.require(
        admission.node_id == keyset.node_id,
        Code.ADMISSION_NODE,
        "node id in the admission",
        found=admission.node_id.hex(),
        wanted=keyset.node_id.hex(),
    )
    keys = [key.keyid for key in keyset.receipt_keys]
    checks.require(
        admission.node_key in keys,
        Code.ADMISSION_NODE_KEY,
        "receipt key in the admission",
        found=admission.node_key,
        wanted=" or ".join(keys),
    )


def _check_platform(admission: Admission, platform_id: str, checks: Checks) -> None:
    """Equality, also of "hidden" with "hidden": an owner who knows the chip must not leave it out."""
    found, wanted = admission.platform_id or "none", platform_id or "none, since the hardware hides it"
    checks.require(
        admission.platform_id == platform_id, Code.ADMISSION_PLATFORM, "platform in the admission", found=found, wanted=wanted
    )
    if not platform_id:
        checks.skip(
            "platform in the admission", "the hardware hides its identity; the receipt key still ties the admission to this boot"
        )


def _check_place(admission: Admission, places: Collection[str] | None, checks: Checks) -> None:
    if places is None:
        checks.skip("place in the admission", "the policy lists no places")
        return
    checks.require(
        admission.place in places,
        Code.ADMISSION_PLACE,
        "place in the admission",
        found=admission.place,
        wanted=" or ".join(sorted(places)) or "none",
        error=PolicyError,
    )


def _check_time(admission: Admission, now: datetime, checks: Checks) -> None:
    begins, ends, at = format_time(admission.not_before), format_time(admission.not_after), format_time(now)
    checks.require(
        admission.not_before <= now,
        Code.ADMISSION_NOT_YET_VALID,
        "beginning of the admission",
        found=begins,
        wanted=f"at or before {at}",
    )
    checks.require(now < admission.not_after, Code.ADMISSION_EXPIRED, "end of the admission", found=ends, wanted=f"after {at}")
