"""Evidence documents: what is built is what is parsed, each member has its refusal, and nonces are found (spec/04-document.md)."""

from typing import Any

import pytest
from scripts.vectors._node import NOW, b64, bytes_of, document_members, encode, keyset, keyset_members

from confide.attest.binding import NO_NONCES, binding, nonce_path, nonces_root
from confide.attest.checks import Checks
from confide.attest.document import (
    MAX_DOCUMENT,
    Document,
    NoncePath,
    build_document,
    check_nonce,
    parse_document,
)
from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.attest.wire import DEVICE_EVIDENCE, EVIDENCE_TYPES
from confide.codes import Code
from confide.errors import EvidenceError, MisuseError

NONCES = [bytes_of(f"nonce {i}") for i in range(5)]
REPORT = Evidence("snp", {"report": bytes_of("report", 1184)})
VENDOR = Endorsements({"vcek": bytes_of("vcek", 1300), "ask": b"ask", "ark": b"ark", "cert-chain": b"chain", "crl": b"crl"})


def refusal(raw: bytes) -> EvidenceError:
    with pytest.raises(EvidenceError) as caught:
        parse_document(raw)
    return caught.value


def code_of(**changes: Any) -> Code:
    return refusal(encode(document_members(**changes))).code


def parsed(**changes: Any) -> Document:
    return parse_document(encode(document_members(**changes)))


def for_nonce(index: int) -> Document:
    """What the node hands to the client whose nonce is number `index`."""
    path = NoncePath(index, len(NONCES), tuple(nonce_path(NONCES, index)))
    raw = build_document(
        keyset=keyset(), nonces=nonces_root(NONCES), nonce_path=path, evidence=REPORT, endorsements=VENDOR, issued_at=NOW
    )
    return parse_document(raw)


def test_each_member_is_read() -> None:
    raw = encode(document_members())
    document = parse_document(raw)
    assert document.raw == raw
    assert document.keyset.raw == encode(keyset_members())
    assert (document.nonces, document.nonce_path) == (bytes_of("root"), NoncePath(1, 2, (bytes_of("sibling"),)))
    assert document.evidence == (REPORT,)
    assert document.endorsements_of(document.evidence[0]) == Endorsements(
        {"vcek": bytes_of("vcek", 1300), "crl": bytes_of("crl", 900)}
    )
    assert (document.admission, document.issued_at, document.skipped) == (b"{}", NOW, ())


def test_what_is_built_is_what_is_parsed() -> None:
    document = for_nonce(3)
    assert document.keyset == keyset()
    assert (document.nonces, document.nonce_path) == (nonces_root(NONCES), NoncePath(3, 5, tuple(nonce_path(NONCES, 3))))
    assert (document.evidence, document.endorsements_of(REPORT)) == ((REPORT,), VENDOR)
    assert (document.admission, document.issued_at) == (None, NOW)


def test_a_document_for_nobody_has_no_nonces() -> None:
    raw = build_document(keyset=keyset(), evidence=REPORT, endorsements=VENDOR, issued_at=NOW, admission=b"envelope")
    document = parse_document(raw)
    assert (document.nonces, document.nonce_path, document.admission) == (NO_NONCES, None, b"envelope")


def test_its_binding_covers_its_nonces_and_the_exact_keyset_bytes() -> None:
    document = for_nonce(0)
    assert document.binding == binding(nonces=nonces_root(NONCES), keyset=keyset().raw)
    assert parsed(nonces=None).binding == binding(nonces=NO_NONCES, keyset=encode(keyset_members()))


def test_its_repr_shows_no_evidence() -> None:
    shown = repr(parsed())
    assert "1184 bytes" in shown
    assert repr(bytes_of("report", 1184))[2:20] not in shown


# Bytes and version


def test_the_bound_includes_itself() -> None:
    raw = encode(document_members())
    assert len(parse_document(raw + b" " * (MAX_DOCUMENT - len(raw))).raw) == MAX_DOCUMENT
    assert refusal(raw + b" " * (MAX_DOCUMENT - len(raw) + 1)).code is Code.DOCUMENT_TOO_LARGE


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("json.malformed", b""),
        ("json.malformed", encode(document_members())[:-1]),
        ("json.malformed", encode(document_members()) + b"\0"),
        ("json.duplicate_member", encode(document_members())[:-1] + b',"nonces":null}'),
    ],
)
def test_what_is_not_strict_json_is_refused_and_says_why(name: str, raw: bytes) -> None:
    error = refusal(raw)
    assert error.code is Code.DOCUMENT_MALFORMED
    assert error.found.startswith(name)


def test_another_version_is_refused_naming_both() -> None:
    error = refusal(encode({"version": 2}))
    assert (error.code, error.found, error.wanted) == (Code.DOCUMENT_VERSION, "version 2", "version 1")


# Members


@pytest.mark.parametrize("member", document_members())
def test_each_member_is_required(member: str) -> None:
    members = document_members()
    del members[member]
    assert refusal(encode(members)).code is Code.DOCUMENT_MALFORMED


@pytest.mark.parametrize("place", [(), ("nonces",), ("evidence", 0), ("collateral", 1)], ids=str)
def test_an_unknown_member_is_refused_everywhere(place: tuple[str | int, ...]) -> None:
    members = document_members()
    inner: Any = members
    for step in place:
        inner = inner[step]
    inner["unknown"] = 1
    assert refusal(encode(members)).code is Code.DOCUMENT_MALFORMED


def nonces(**changes: Any) -> dict[str, Any]:
    return {"root": bytes_of("root").hex(), "index": 1, "size": 2, "path": [bytes_of("sibling").hex()]} | changes


@pytest.mark.parametrize(
    "changes",
    [
        {"keyset": None},
        {"keyset": keyset_members()},
        {"keyset": "QR=="},
        {"keyset": b64(bytes(128 * 1024 + 1))},
        {"nonces": []},
        {"nonces": nonces(root=bytes_of("root").hex().upper())},
        {"nonces": nonces(root=None)},
        {"nonces": nonces(index=2)},
        {"nonces": nonces(index=-1)},
        {"nonces": nonces(index=True)},
        {"nonces": nonces(size=0, index=0)},
        {"nonces": nonces(size=65537)},
        {"nonces": nonces(path=["00"])},
        {"nonces": nonces(path=[bytes_of("s").hex()] * 17)},
        {"evidence": []},
        {"evidence": None},
        {"evidence": [{"type": f"t{i}", "value": ""} for i in range(33)]},
        {"evidence": [{"type": "sev-snp-report", "value": "QR=="}]},
        {"evidence": [{"type": "SEV-SNP-REPORT", "value": ""}]},
        {"evidence": [{"type": "sev-snp-report"}]},
        {"collateral": None},
        {"collateral": [{"type": f"t{i}", "value": ""} for i in range(65)]},
        {"collateral": [{"type": "vcek", "value": "QQ"}]},
        {"collateral": [{"type": "", "value": ""}]},
        {"admission": {}},
        {"admission": "Q"},
        {"admission": b64(bytes(64 * 1024 + 1))},
        {"issued_at": "2026-11-25T12:00:00+00:00"},
        {"issued_at": "yesterday"},
        {"issued_at": None},
        {"issued_at": 1764072000},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_other_types_values_and_counts_are_refused(changes: dict[str, Any]) -> None:
    assert code_of(**changes) is Code.DOCUMENT_MALFORMED


@pytest.mark.parametrize(
    "changes",
    [
        {"nonces": None},
        {"nonces": nonces(index=65535, size=65536, path=[bytes_of("s").hex()] * 16)},
        {"collateral": []},
        {"collateral": [{"type": f"t{i}", "value": ""} for i in range(64)]},
        {"admission": None},
        {"admission": b64(bytes(64 * 1024))},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_members_may_be_none_or_reach_their_bounds(changes: dict[str, Any]) -> None:
    assert parsed(**changes).keyset.raw == encode(keyset_members())


@pytest.mark.parametrize(
    ("members", "code"),
    [({"version": 2}, Code.KEYSET_VERSION), (keyset_members(role="admin"), Code.KEYSET_MALFORMED)],
    ids=["version", "role"],
)
def test_a_keyset_that_is_refused_refuses_the_document(members: dict[str, Any], code: Code) -> None:
    assert code_of(keyset=b64(encode(members))) is code


def test_evidence_of_an_unknown_type_is_refused_with_its_name() -> None:
    items = [*document_members()["evidence"], {"type": "moon-quote", "value": ""}]
    error = refusal(encode(document_members(evidence=items)))
    assert (error.code, error.found) == (Code.DOCUMENT_EVIDENCE_TYPE, "moon-quote")


def test_collateral_of_an_unknown_type_is_left_out_and_named() -> None:
    items = [*document_members()["collateral"], {"type": "tcb-info", "value": "QQ=="}]
    document = parsed(collateral=items)
    assert set(document.collateral) == {"vcek", "crl"}
    assert document.skipped == ("tcb-info",)


@pytest.mark.parametrize("member", ["evidence", "collateral"])
@pytest.mark.parametrize("value", ["", "QQ=="])
def test_two_items_of_one_type_are_refused(member: str, value: str) -> None:
    items = document_members()[member]
    assert code_of(**{member: [*items, items[0] | {"value": value}]}) is Code.DOCUMENT_DUPLICATE


def test_two_items_of_an_unknown_type_are_refused_too() -> None:
    assert code_of(collateral=[{"type": "tcb-info", "value": ""}] * 2) is Code.DOCUMENT_DUPLICATE


def test_each_kind_has_a_type_on_the_wire() -> None:
    assert {place.kind for table in (EVIDENCE_TYPES, DEVICE_EVIDENCE) for place in table.values()} == set(Kind)


# Building


@pytest.mark.parametrize("part", [Evidence("tdx", {"report": b""}), Evidence("snp", {"quote": b""})], ids=str)
def test_evidence_without_a_type_is_not_built_into_a_document(part: Evidence) -> None:
    with pytest.raises(EvidenceError) as caught:
        build_document(keyset=keyset(), evidence=part, endorsements=VENDOR, issued_at=NOW)
    assert caught.value.code is Code.DOCUMENT_EVIDENCE_TYPE


def test_collateral_without_a_type_is_not_built_into_a_document() -> None:
    with pytest.raises(EvidenceError) as caught:
        build_document(keyset=keyset(), evidence=REPORT, endorsements=Endorsements({"tcb-info": b"{}"}), issued_at=NOW)
    assert caught.value.code is Code.DOCUMENT_EVIDENCE_TYPE


@pytest.mark.parametrize(
    "given", [{"nonces": bytes_of("root")}, {"nonce_path": NoncePath(0, 1, ())}], ids=lambda given: next(iter(given))
)
def test_a_root_and_its_path_come_together(given: dict[str, Any]) -> None:
    with pytest.raises(MisuseError) as caught:
        build_document(keyset=keyset(), evidence=REPORT, endorsements=VENDOR, issued_at=NOW, **given)
    assert caught.value.code is Code.BINDING_LENGTH


# Nonces


@pytest.mark.parametrize("index", range(5))
def test_each_client_finds_its_own_nonce(index: int) -> None:
    checks = Checks()
    check_nonce(for_nonce(index), NONCES[index], checks)
    assert [(check.code, check.ok) for check in checks.done] == [(Code.VERDICT_NONCE, True)]


@pytest.mark.parametrize("other", [NONCES[1], NONCES[3], bytes_of("stranger"), nonces_root(NONCES)])
def test_another_nonce_is_not_found(other: bytes) -> None:
    with pytest.raises(EvidenceError) as caught:
        check_nonce(for_nonce(2), other, Checks())
    assert caught.value.code is Code.VERDICT_NONCE


@pytest.mark.parametrize(
    "change",
    [{"index": 3}, {"size": 9}, {"path": []}, {"path": [NO_NONCES.hex()] * 3}, {"root": bytes_of("other").hex()}],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_path_does_not_lead_to_the_nonce(change: dict[str, Any]) -> None:
    path = [node.hex() for node in nonce_path(NONCES, 2)]
    document = parsed(nonces={"root": nonces_root(NONCES).hex(), "index": 2, "size": 5, "path": path} | change)
    with pytest.raises(EvidenceError) as caught:
        check_nonce(document, NONCES[2], Checks())
    assert caught.value.code is Code.VERDICT_NONCE


def test_a_document_for_nobody_is_not_for_this_caller() -> None:
    with pytest.raises(EvidenceError) as caught:
        check_nonce(parsed(nonces=None), NONCES[0], Checks())
    assert caught.value.code is Code.VERDICT_NO_NONCE


def test_a_lenient_record_notes_a_missing_nonce_and_goes_on() -> None:
    checks = Checks(strict=False)
    check_nonce(parsed(nonces=None), NONCES[0], checks)
    assert checks.failure is not None
    assert checks.failure.code is Code.VERDICT_NO_NONCE


@pytest.mark.parametrize("nonce", [b"", bytes(31), bytes_of("33", 33), NO_NONCES], ids=len)
def test_a_nonce_of_another_form_is_the_callers_mistake(nonce: bytes) -> None:
    with pytest.raises(MisuseError) as caught:
        check_nonce(for_nonce(0), nonce, Checks())
    assert caught.value.code is Code.VERDICT_NONCE_FORM
