"""Admissions: signed by the owner, for this node, platform, place and time; each by a field that lies (spec/05-admission.md)."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from scripts.vectors._node import (
    AUTHORITY,
    DAY,
    LOG,
    NOW,
    PLATFORM,
    RECEIPT,
    admission_members,
    bytes_of,
    ed25519,
    encode,
    key_members,
    keyset,
    ml_dsa_65,
)

from confide.attest.admission import (
    MAX_PAYLOAD,
    PAYLOAD_TYPE,
    Admission,
    parse_admission,
    require_newer,
    sign_admission,
    signed_admission,
    verify_admission,
)
from confide.attest.checks import Checks
from confide.codes import Code
from confide.errors import ConfideError, EvidenceError, PolicyError
from confide.formats import dsse, strictjson
from confide.formats.dsse import SigningKey

TITLES = [
    "signature of the admission",
    "authority key in the keyset",
    "node id in the admission",
    "receipt key in the admission",
    "platform in the admission",
    "beginning of the admission",
    "end of the admission",
]
MIDNIGHT = NOW.replace(hour=0)


def envelope(key: SigningKey = AUTHORITY, payload_type: str = PAYLOAD_TYPE, **changes: Any) -> bytes:
    return dsse.sign(encode(admission_members(**changes)), payload_type=payload_type, keys=(key,))


def verify(signed: bytes, *, checks: Checks | None = None, **changes: Any) -> Admission:
    given: dict[str, Any] = {"keyset": keyset(), "authority_key": AUTHORITY.public, "now": NOW, "platform_id": PLATFORM} | changes
    return verify_admission(signed, checks=checks or Checks(), **given)


def refusal(signed: bytes, **changes: Any) -> ConfideError:
    with pytest.raises(ConfideError) as caught:
        verify(signed, **changes)
    return caught.value


def test_an_admission_of_this_node_is_accepted_and_every_check_is_noted() -> None:
    checks = Checks()
    admission = verify(envelope(), checks=checks)
    assert admission == Admission(bytes_of("node"), RECEIPT.public.keyid, PLATFORM, "Paris, rack 4", MIDNIGHT, MIDNIGHT + DAY)
    assert [check.title for check in checks.done] == TITLES
    assert all(check.ok for check in checks.done)
    assert [item.what for item in checks.not_checked] == ["place in the admission"]


def test_what_the_owner_signs_is_what_is_verified() -> None:
    admission = Admission(bytes_of("node"), LOG.public.keyid, PLATFORM, "lab", NOW, NOW + timedelta(hours=1))
    assert verify(sign_admission(admission, key=AUTHORITY)) == admission


def test_an_owner_may_use_a_post_quantum_key() -> None:
    owner = ml_dsa_65("owner")
    admitted = keyset(authority_key=key_members(owner))
    assert verify(envelope(owner), authority_key=owner.public, keyset=admitted).place == "Paris, rack 4"


# Signature


def test_a_strangers_signature_is_refused() -> None:
    error = refusal(envelope(ed25519("stranger")))
    assert error.code is Code.ADMISSION_SIGNATURE
    assert AUTHORITY.public.keyid in error.wanted


def test_a_changed_statement_is_refused() -> None:
    payload = dsse.unverified_payload(envelope(), payload_type=PAYLOAD_TYPE)
    moved = envelope().replace(strictjson.b64(payload).encode(), strictjson.b64(payload.replace(b"rack 4", b"rack 5")).encode())
    assert refusal(moved).code is Code.ADMISSION_SIGNATURE


def test_a_signature_for_another_purpose_is_refused() -> None:
    assert refusal(envelope(payload_type="application/vnd.confide.policy+json")).code is Code.ADMISSION_MALFORMED


@pytest.mark.parametrize(
    "signed", [b"", b"{}", envelope()[:-1], envelope() + b" " * 65536], ids=["empty", "object", "cut", "large"]
)
def test_what_is_not_an_envelope_is_refused(signed: bytes) -> None:
    assert refusal(signed).code is Code.ADMISSION_MALFORMED


def test_an_unsigned_statement_stops_a_lenient_record_too() -> None:
    checks = Checks(strict=False)
    error = refusal(envelope(ed25519("stranger")), checks=checks)
    assert error.code is Code.ADMISSION_SIGNATURE
    assert [(check.title, check.ok) for check in checks.done] == [("signature of the admission", False)]
    assert checks.failure is not None


# Statement


@pytest.mark.parametrize("member", admission_members())
def test_each_member_is_required(member: str) -> None:
    members = admission_members()
    del members[member]
    with pytest.raises(EvidenceError) as caught:
        parse_admission(encode(members))
    assert caught.value.code is Code.ADMISSION_MALFORMED


@pytest.mark.parametrize(
    "changes",
    [
        {"unknown": 1},
        {"version": "1"},
        {"node_id": "0" * 63},
        {"node_id": "A" * 64},
        {"node_key": None},
        {"node_key": RECEIPT.public.keyid.upper()},
        {"platform_id": ""},
        {"platform_id": "abc"},
        {"platform_id": "AB"},
        {"platform_id": "00" * 65},
        {"place": ""},
        {"place": None},
        {"place": "a\x1b[2J"},
        {"place": "a" * 129},
        {"not_before": "2026-11-25"},
        {"not_after": "2026-11-25T24:00:00Z"},
    ],
    ids=lambda changes: str(changes)[:50],
)
def test_other_members_types_and_values_are_refused(changes: dict[str, Any]) -> None:
    assert refusal(envelope(**changes)).code is Code.ADMISSION_MALFORMED


def test_another_version_is_refused_naming_both() -> None:
    error = refusal(envelope(version=3))
    assert (error.code, error.found, error.wanted) == (Code.ADMISSION_VERSION, "version 3", "version 1")


def test_the_bound_on_the_statement_includes_itself() -> None:
    payload = encode(admission_members())
    assert parse_admission(payload + b" " * (MAX_PAYLOAD - len(payload))).place == "Paris, rack 4"
    with pytest.raises(EvidenceError) as caught:
        parse_admission(payload + b" " * (MAX_PAYLOAD - len(payload) + 1))
    assert caught.value.code is Code.ADMISSION_MALFORMED


@pytest.mark.parametrize("end", ["2026-11-26T00:00:01Z", "2027-11-25T00:00:00Z", "2026-11-25T00:00:00Z", "2026-11-24T00:00:00Z"])
def test_a_window_over_24_hours_or_under_a_second_is_refused(end: str) -> None:
    assert refusal(envelope(not_after=end)).code is Code.ADMISSION_WINDOW


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"not_after": NOW + timedelta(hours=25)}, Code.ADMISSION_WINDOW),
        ({"place": ""}, Code.ADMISSION_MALFORMED),
        ({"node_id": b"short"}, Code.ADMISSION_MALFORMED),
    ],
    ids=str,
)
def test_an_owner_cannot_sign_what_nobody_accepts(change: dict[str, Any], code: Code) -> None:
    fields: dict[str, Any] = {
        "node_id": bytes_of("node"),
        "node_key": RECEIPT.public.keyid,
        "platform_id": PLATFORM,
        "place": "lab",
        "not_before": NOW,
        "not_after": NOW + DAY,
    }
    with pytest.raises(EvidenceError) as caught:
        sign_admission(Admission(**fields | change), key=AUTHORITY)
    assert caught.value.code is code


# Node, platform, place, time


def test_the_keyset_must_name_the_same_authority() -> None:
    for key in (None, key_members(ed25519("other owner"))):
        assert refusal(envelope(), keyset=keyset(authority_key=key)).code is Code.ADMISSION_AUTHORITY


def test_an_admission_of_another_node_is_refused() -> None:
    assert refusal(envelope(node_id=bytes_of("neighbour").hex())).code is Code.ADMISSION_NODE


def test_an_admission_does_not_move_to_another_boot_or_machine() -> None:
    rebooted = keyset(receipt_keys=[key_members(ed25519("receipt key of the next boot"))])
    assert refusal(envelope(), keyset=rebooted).code is Code.ADMISSION_NODE_KEY


def test_a_key_id_covers_the_algorithm_too() -> None:
    assert refusal(envelope(node_key=AUTHORITY.public.keyid)).code is Code.ADMISSION_NODE_KEY


def test_an_admission_for_another_platform_is_refused() -> None:
    error = refusal(envelope(platform_id=bytes_of("other chip", 64).hex()))
    assert (error.code, error.wanted) == (Code.ADMISSION_PLATFORM, PLATFORM)


def test_a_platform_that_the_hardware_shows_must_be_named() -> None:
    assert refusal(envelope(platform_id=None)).code is Code.ADMISSION_PLATFORM


def test_a_platform_that_the_hardware_hides_cannot_be_named() -> None:
    assert refusal(envelope(), platform_id="").code is Code.ADMISSION_PLATFORM


def test_a_hidden_platform_is_noted_as_not_checked() -> None:
    checks = Checks()
    assert verify(envelope(platform_id=None), platform_id="", checks=checks).platform_id == ""
    assert "platform in the admission" in [item.what for item in checks.not_checked]


def test_a_listed_place_is_accepted() -> None:
    checks = Checks()
    verify(envelope(), places=("Paris, rack 4", "lab"), checks=checks)
    assert "place in the admission" in [check.title for check in checks.done]
    assert checks.not_checked == []


@pytest.mark.parametrize("places", [("lab",), ()])
def test_a_place_that_is_not_listed_is_the_policys_refusal(places: tuple[str, ...]) -> None:
    error = refusal(envelope(), places=places)
    assert isinstance(error, PolicyError)
    assert error.code is Code.ADMISSION_PLACE


@pytest.mark.parametrize("now", [MIDNIGHT, MIDNIGHT + DAY - timedelta(seconds=1)])
def test_the_window_includes_its_beginning_and_its_last_second(now: datetime) -> None:
    assert verify(envelope(), now=now).not_before <= now


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (MIDNIGHT - timedelta(seconds=1), Code.ADMISSION_NOT_YET_VALID),
        (MIDNIGHT + DAY, Code.ADMISSION_EXPIRED),
        (MIDNIGHT + DAY + timedelta(seconds=1), Code.ADMISSION_EXPIRED),
    ],
)
def test_outside_the_window_it_is_refused(now: datetime, code: Code) -> None:
    assert refusal(envelope(), now=now).code is code


def test_a_lenient_record_notes_every_field_that_lies() -> None:
    checks = Checks(strict=False)
    lies = envelope(node_id=bytes_of("n").hex(), node_key=bytes_of("k").hex(), platform_id="00", place="Rome")
    verify(lies, checks=checks, now=NOW + DAY, places=("lab",), keyset=keyset(authority_key=None))
    assert [check.code for check in checks.done if not check.ok] == [
        Code.ADMISSION_AUTHORITY,
        Code.ADMISSION_NODE,
        Code.ADMISSION_NODE_KEY,
        Code.ADMISSION_PLATFORM,
        Code.ADMISSION_PLACE,
        Code.ADMISSION_EXPIRED,
    ]


def held(begin: timedelta, end: timedelta) -> Admission:
    return Admission(bytes_of("node"), RECEIPT.public.keyid, PLATFORM, "lab", NOW + begin, NOW + end)


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(("begin", "end"), [(-HOUR, 2 * HOUR), (-HOUR, HOUR), (timedelta(), HOUR - timedelta(seconds=1))], ids=str)
def test_an_older_admission_does_not_cut_a_newer_one_short(begin: timedelta, end: timedelta) -> None:
    with pytest.raises(EvidenceError) as caught:
        require_newer(held(begin, end), held(timedelta(), HOUR))
    assert caught.value.code is Code.ADMISSION_OLDER


@pytest.mark.parametrize(("begin", "end"), [(timedelta(), HOUR), (timedelta(), 2 * HOUR), (HOUR / 2, HOUR / 2)], ids=str)
def test_a_later_admission_takes_the_place_of_an_earlier_one(begin: timedelta, end: timedelta) -> None:
    require_newer(held(begin, end), held(timedelta(), HOUR))
    require_newer(held(begin, end), None)


def test_a_signed_admission_is_read_only_with_its_own_key() -> None:
    assert signed_admission(envelope(), authority_key=AUTHORITY.public).place == "Paris, rack 4"
    with pytest.raises(ConfideError) as caught:
        signed_admission(envelope(ed25519("somebody")), authority_key=AUTHORITY.public)
    assert caught.value.code is Code.ADMISSION_SIGNATURE
