"""Keysets: what a node builds is what a client reads, and each member has its refusal (spec/02-keyset.md)."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from scripts.vectors._node import (
    AUTHORITY,
    DAY,
    LOG,
    NOW,
    RECEIPT,
    SUITES,
    X25519,
    XWING,
    b64,
    bytes_of,
    encode,
    key_config,
    key_members,
    keyset_members,
)

from confide.attest import keyset as module
from confide.attest.keyset import MAX_KEYSET, Isolation, Keyset, Pool, Role, build_keyset, parse_keyset
from confide.codes import Code
from confide.errors import EvidenceError
from confide.seal.kem import Kem, PrivateKey
from confide.seal.keyconfig import build_key_config, parse_key_config

MINIMAL: dict[str, Any] = {
    "node_id": bytes_of("node"),
    "ohttp_key_configs": [X25519],
    "receipt_keys": [RECEIPT.public],
    "software_digest": bytes_of("software"),
    "config_digest": bytes_of("config"),
    "not_before": NOW,
    "not_after": NOW + DAY,
}
UNKNOWN_KEM = bytes.fromhex("09 0050") + bytes_of("ml-kem-1024", 1568) + SUITES


def refusal(raw: bytes) -> EvidenceError:
    with pytest.raises(EvidenceError) as caught:
        parse_keyset(raw)
    return caught.value


def code_of(**changes: Any) -> Code:
    return refusal(encode(keyset_members(**changes))).code


def parsed(**changes: Any) -> Keyset:
    return parse_keyset(encode(keyset_members(**changes)))


def test_each_member_is_read() -> None:
    raw = encode(keyset_members())
    keyset = parse_keyset(raw)
    assert keyset.raw == raw
    assert keyset.digest == hashlib.sha256(raw).digest()
    assert (keyset.node_id, keyset.role, keyset.isolation) == (bytes_of("node"), Role.NODE, Isolation.WORKER_PROCESS)
    assert [(key.key_id, key.kem_id, key.config) for key in keyset.ohttp_keys] == [(1, 0x647A, XWING), (2, 0x0020, X25519)]
    assert keyset.ohttp_keys[1].public_key == X25519[3:35]
    assert keyset.ohttp_keys[1].suites == ((1, 1), (1, 2), (1, 3))
    assert keyset.receipt_keys == (RECEIPT.public, LOG.public)
    assert keyset.authority_key == AUTHORITY.public
    assert keyset.tls_spki_sha256 == bytes_of("tls")
    assert keyset.tpm_ak_spki_sha256 == bytes_of("ak")
    assert keyset.gpu_leaf_key_sha256 == (bytes_of("gpu 0"), bytes_of("gpu 1"))
    assert (keyset.software_digest, keyset.config_digest) == (bytes_of("software"), bytes_of("config"))
    assert (keyset.policy_digest, keyset.policy_serial) == (bytes_of("policy"), 7)
    assert keyset.pool == Pool("eu-1", 3)
    assert keyset.models == {"minilm": bytes_of("minilm")}
    assert (keyset.not_before, keyset.not_after) == (datetime(2026, 11, 25, tzinfo=UTC), datetime(2026, 12, 2, tzinfo=UTC))
    assert (keyset.extensions, keyset.skipped) == ({}, ())


def test_what_is_built_is_what_is_parsed() -> None:
    full = parsed(extensions={"com.example/note": {"a": [1]}})
    again = build_keyset(
        node_id=full.node_id,
        role=full.role,
        ohttp_key_configs=[key.config for key in full.ohttp_keys],
        receipt_keys=full.receipt_keys,
        tls_spki_sha256=full.tls_spki_sha256,
        tpm_ak_spki_sha256=full.tpm_ak_spki_sha256,
        gpu_leaf_key_sha256=full.gpu_leaf_key_sha256,
        authority_key=full.authority_key,
        software_digest=full.software_digest,
        config_digest=full.config_digest,
        policy_digest=full.policy_digest,
        policy_serial=full.policy_serial,
        pool=full.pool,
        isolation=full.isolation,
        models=full.models,
        not_before=full.not_before,
        not_after=full.not_after,
        extensions=full.extensions,
    )
    assert json.loads(again.raw) == json.loads(full.raw)
    assert again.raw == json.dumps(json.loads(full.raw), separators=(",", ":")).encode()


def test_a_minimal_keyset_says_none_for_the_rest() -> None:
    keyset = build_keyset(**MINIMAL)
    none = (keyset.tls_spki_sha256, keyset.tpm_ak_spki_sha256, keyset.authority_key, keyset.policy_digest, keyset.policy_serial)
    assert none == (None,) * 5
    assert (keyset.pool, keyset.gpu_leaf_key_sha256, keyset.models, keyset.extensions) == (None, (), {}, {})


def test_it_reads_the_same_keys_as_the_channel_does() -> None:
    configs = [build_key_config(i, kem, PrivateKey.generate(kem).public_bytes).raw for i, kem in enumerate(Kem)]
    for key in build_keyset(**MINIMAL | {"ohttp_key_configs": configs}).ohttp_keys:
        theirs = parse_key_config(key.config)
        assert (key.key_id, key.kem_id, key.public_key) == (theirs.key_id, theirs.kem, theirs.public_key)


def test_keysets_are_equal_when_their_bytes_are() -> None:
    raw = encode(keyset_members())
    assert parse_keyset(raw) == parse_keyset(raw)
    assert len({parse_keyset(raw), parse_keyset(raw), parse_keyset(raw + b" ")}) == 2


def test_a_second_spelling_of_the_same_members_is_another_keyset() -> None:
    raw = encode(keyset_members())
    assert parse_keyset(raw).digest != parse_keyset(raw.replace(b" ", b"")).digest


def test_its_repr_is_short_and_shows_no_keys() -> None:
    shown = repr(parsed())
    assert len(shown) < 600
    assert b64(RECEIPT.public.raw) not in shown
    assert repr(RECEIPT.public.raw) not in shown


def test_models_and_extensions_cannot_be_changed_afterwards() -> None:
    keyset = parsed()
    with pytest.raises(TypeError):
        keyset.models["other"] = bytes(32)  # type: ignore[index]
    with pytest.raises(TypeError):
        keyset.extensions["other"] = 1  # type: ignore[index]


# Bytes and version


def test_the_bound_includes_itself() -> None:
    raw = encode(keyset_members())
    assert len(parse_keyset(raw + b" " * (MAX_KEYSET - len(raw))).raw) == MAX_KEYSET
    assert refusal(raw + b" " * (MAX_KEYSET - len(raw) + 1)).code is Code.KEYSET_TOO_LARGE


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("json.malformed", b""),
        ("json.malformed", encode(keyset_members())[:-1]),
        ("json.malformed", encode(keyset_members()) + b"{}"),
        ("json.malformed", b"\xef\xbb\xbf" + encode(keyset_members())),
        ("json.malformed", encode(keyset_members(extensions={"a": float("nan")}))),
        ("json.duplicate_member", encode(keyset_members())[:-1] + b',"role":"node"}'),
        ("json.duplicate_member", encode(keyset_members())[:-1] + b',"version":1}'),
    ],
)
def test_what_is_not_strict_json_is_refused_and_says_why(name: str, raw: bytes) -> None:
    error = refusal(raw)
    assert error.code is Code.KEYSET_MALFORMED
    assert error.found.startswith(name)


@pytest.mark.parametrize("version", [0, 2, -1, 2**53 - 1])
def test_another_version_is_refused_naming_both(version: int) -> None:
    error = refusal(encode({"version": version, "anything": "else"}))
    assert (error.code, error.found, error.wanted) == (Code.KEYSET_VERSION, f"version {version}", "version 1")


@pytest.mark.parametrize("version", [True, "1", 1.0, None, [1]])
def test_a_version_of_another_type_is_malformed(version: Any) -> None:
    assert code_of(version=version) is Code.KEYSET_MALFORMED


@pytest.mark.parametrize("raw", [b"[]", b"null", b'"version"', b"1"])
def test_what_is_not_an_object_is_malformed(raw: bytes) -> None:
    assert refusal(raw).code is Code.KEYSET_MALFORMED


# Members


@pytest.mark.parametrize("member", [name for name in keyset_members() if name != "version"])
def test_each_member_is_required(member: str) -> None:
    members = keyset_members()
    del members[member]
    assert refusal(encode(members)).code is Code.KEYSET_MALFORMED


@pytest.mark.parametrize("place", [(), ("policy",), ("pool",), ("authority_key",), ("receipt_keys", 0)], ids=str)
def test_an_unknown_member_is_refused_everywhere(place: tuple[str | int, ...]) -> None:
    members = keyset_members()
    inner: Any = members
    for step in place:
        inner = inner[step]
    inner["unknown"] = 1
    assert refusal(encode(members)).code is Code.KEYSET_MALFORMED


@pytest.mark.parametrize("member", ["tls_spki_sha256", "tpm_ak_spki_sha256", "authority_key", "policy", "pool"])
def test_null_says_none_where_there_may_be_none(member: str) -> None:
    assert not getattr(parsed(**{member: None}), {"policy": "policy_digest"}.get(member, member))


@pytest.mark.parametrize(
    "member", sorted(keyset_members().keys() - {"tls_spki_sha256", "tpm_ak_spki_sha256", "authority_key", "policy", "pool"})
)
def test_null_is_refused_elsewhere(member: str) -> None:
    assert code_of(**{member: None}) is Code.KEYSET_MALFORMED


@pytest.mark.parametrize("member", ["node_id", "tls_spki_sha256", "tpm_ak_spki_sha256", "software_digest", "config_digest"])
@pytest.mark.parametrize(
    "value", ["", "0" * 62, "0" * 66, "A" * 64, "g" * 64, "0" * 63 + "\n", "0" * 64 + "\n", 0, ["0" * 64]], ids=repr
)
def test_digests_have_one_spelling(member: str, value: Any) -> None:
    assert code_of(**{member: value}) is Code.KEYSET_MALFORMED


@pytest.mark.parametrize(
    "changes",
    [
        {"role": "admin"},
        {"role": "Node"},
        {"isolation": "none"},
        {"ohttp_key_configs": []},
        {"ohttp_key_configs": b64(X25519)},
        {"ohttp_key_configs": [b64(key_config(i, 0x0020, 32)) for i in range(17)]},
        {"receipt_keys": []},
        {"receipt_keys": [key_members(RECEIPT) | {"public_key": b64(bytes_of(str(i)))} for i in range(9)]},
        {"receipt_keys": [key_members(RECEIPT) | {"alg": "Ed25519"}]},
        {"receipt_keys": [{"alg": "ed25519"}]},
        {"gpu_leaf_key_sha256": [bytes_of(str(i)).hex() for i in range(33)]},
        {"gpu_leaf_key_sha256": [None]},
        {"policy": {"digest": bytes_of("policy").hex()}},
        {"policy": {"serial": 1}},
        {"policy": {"digest": bytes_of("policy").hex(), "serial": -1}},
        {"policy": {"digest": bytes_of("policy").hex(), "serial": 2**53}},
        {"policy": {"digest": bytes_of("policy").hex(), "serial": True}},
        {"pool": {"id": "", "epoch": 1}},
        {"pool": {"id": "eu 1", "epoch": 1}},
        {"pool": {"id": "eu-1", "epoch": 1.5}},
        {"models": {"minilm": "digest"}},
        {"models": {"": bytes_of("m").hex()}},
        {"models": {"a\nb": bytes_of("m").hex()}},
        {"models": {f"m{i}": bytes_of("m").hex() for i in range(257)}},
        {"models": []},
        {"extensions": {f"e{i}": 1 for i in range(33)}},
        {"extensions": {" e": 1}},
        {"extensions": []},
        {"critical": {}},
    ],
    ids=lambda changes: str(changes)[:50],
)
def test_other_types_values_and_counts_are_refused(changes: dict[str, Any]) -> None:
    assert code_of(**changes) is Code.KEYSET_MALFORMED


@pytest.mark.parametrize(
    "changes",
    [
        {"ohttp_key_configs": [b64(key_config(i, 0x0020, 32)) for i in range(16)]},
        {"receipt_keys": [key_members(RECEIPT) | {"public_key": b64(bytes_of(str(i)))} for i in range(8)]},
        {"gpu_leaf_key_sha256": [bytes_of(str(i)).hex() for i in range(32)]},
        {"models": {f"m{i}": bytes_of("m").hex() for i in range(256)}},
        {"extensions": {f"e{i}": 1 for i in range(32)}},
        {"policy": {"digest": bytes_of("policy").hex(), "serial": 2**53 - 1}},
        {"pool": {"id": "eu-1", "epoch": 0}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_counts_may_reach_their_bounds(changes: dict[str, Any]) -> None:
    assert parsed(**changes).node_id == bytes_of("node")


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("isolation", Isolation)
def test_each_role_and_isolation_is_read(role: Role, isolation: Isolation) -> None:
    keyset = parsed(role=role.value, isolation=isolation.value)
    assert (keyset.role, keyset.isolation) == (role, isolation)


# Keys


@pytest.mark.parametrize(
    "config",
    [
        b"",
        X25519[:3],
        X25519[:20],
        X25519[:35],
        X25519[:36],
        X25519[:37],
        X25519[:-1],
        X25519 + b"\0",
        key_config(2, 0x0020, 31),
        key_config(2, 0x0020, 33),
        key_config(1, 0x647A, 1215),
        key_config(1, 0x647A, 1217),
        key_config(2, 0x0020, 32, bytes.fromhex("0000")),
        key_config(2, 0x0020, 32, bytes.fromhex("0002 0001")),
        key_config(2, 0x0020, 32, bytes.fromhex("0006 0001 0001 0001")),
        key_config(2, 0x0020, 32, bytes.fromhex("0008 0001 0001")),
        len(X25519).to_bytes(2) + X25519,
    ],
    ids=lambda config: f"{len(config)}-{config[-8:].hex()}",
)
def test_a_key_configuration_whose_lengths_do_not_fit_is_refused(config: bytes) -> None:
    expected = Code.KEYSET_KEY if config[:2] != len(X25519).to_bytes(2) else Code.KEYSET_NO_USABLE_KEY  # reads as KEM 0x2f02
    assert code_of(ohttp_key_configs=[b64(config)]) is expected


@pytest.mark.parametrize("text", [b64(X25519) + "\n", b64(X25519)[:-1], b64(X25519).replace("A", "-", 1), "A" * 5468, "QR=="])
def test_a_second_spelling_of_base_64_is_refused(text: str) -> None:
    assert code_of(ohttp_key_configs=[text]) is Code.KEYSET_MALFORMED
    assert code_of(receipt_keys=[{"alg": "ed25519", "public_key": text}]) is Code.KEYSET_MALFORMED
    assert code_of(receipt_keys=[key_members(RECEIPT), {"alg": "slh-dsa", "public_key": text}]) is Code.KEYSET_MALFORMED
    assert code_of(authority_key={"alg": "ed25519", "public_key": text}) is Code.KEYSET_MALFORMED


def test_content_keys_of_unknown_suites_are_skipped_and_named() -> None:
    no_aead = key_config(8, 0x0020, 32, bytes.fromhex("0004 0001 ffff"))
    no_kdf = key_config(7, 0x0020, 32, bytes.fromhex("0004 0003 0001"))
    keyset = parsed(ohttp_key_configs=[b64(config) for config in (UNKNOWN_KEM, no_aead, X25519, no_kdf)])
    assert [key.config for key in keyset.ohttp_keys] == [X25519]
    assert keyset.skipped == ("content key 9 of KEM 0x0050", "content key 8 of KEM 0x0020", "content key 7 of KEM 0x0020")


def test_one_known_pair_among_unknown_ones_makes_a_key_usable() -> None:
    config = key_config(2, 0x0020, 32, bytes.fromhex("0008 ffff ffff 0001 0003"))
    assert parsed(ohttp_key_configs=[b64(config)]).ohttp_keys[0].suites == ((0xFFFF, 0xFFFF), (1, 3))


def test_without_a_usable_content_key_it_is_refused() -> None:
    assert code_of(ohttp_key_configs=[b64(UNKNOWN_KEM)]) is Code.KEYSET_NO_USABLE_KEY


def test_receipt_keys_of_unknown_algorithms_are_skipped_and_named() -> None:
    keyset = parsed(receipt_keys=[{"alg": "slh-dsa-sha2-128s", "public_key": "QQ=="}, key_members(RECEIPT)])
    assert (keyset.receipt_keys, keyset.skipped) == ((RECEIPT.public,), ("receipt key slh-dsa-sha2-128s",))


def test_without_a_usable_receipt_key_it_is_refused() -> None:
    assert code_of(receipt_keys=[{"alg": "slh-dsa", "public_key": "QQ=="}]) is Code.KEYSET_NO_USABLE_KEY


@pytest.mark.parametrize("alg", ["ed25519", "ml-dsa-65"])
@pytest.mark.parametrize("size", [0, 31, 33, 1951, 1953])
def test_signature_keys_have_the_length_of_their_algorithm(alg: str, size: int) -> None:
    key = {"alg": alg, "public_key": b64(bytes(size))}
    assert code_of(receipt_keys=[key]) is Code.KEYSET_KEY
    assert code_of(authority_key=key) is Code.KEYSET_KEY


def test_an_authority_key_of_an_unknown_algorithm_is_not_skipped() -> None:
    assert code_of(authority_key={"alg": "slh-dsa", "public_key": "QQ=="}) is Code.KEYSET_KEY


@pytest.mark.parametrize(
    "changes",
    [
        {"ohttp_key_configs": [b64(X25519), b64(X25519)]},
        {"ohttp_key_configs": [b64(X25519), b64(key_config(2, 0x647A, 1216))]},
        {"ohttp_key_configs": [b64(X25519), b64(b"\x02" + UNKNOWN_KEM[1:])]},
        {"receipt_keys": [key_members(RECEIPT), key_members(LOG), key_members(RECEIPT)]},
        {"gpu_leaf_key_sha256": [bytes_of("gpu").hex()] * 2},
        {"critical": ["a", "a"], "extensions": {"a": 1}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_nothing_is_listed_twice(changes: dict[str, Any]) -> None:
    assert code_of(**changes) is Code.KEYSET_DUPLICATE


# Extensions and window


def test_unknown_extensions_are_carried() -> None:
    assert parsed(extensions={"com.example/x": {"deep": [None]}}).extensions == {"com.example/x": {"deep": [None]}}


def test_an_unknown_critical_extension_is_refused() -> None:
    error = refusal(encode(keyset_members(extensions={"x": 1, "y": 1}, critical=["y"])))
    assert (error.code, error.found) == (Code.KEYSET_CRITICAL, "y")


def test_a_known_critical_extension_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KNOWN_EXTENSIONS", frozenset({"y"}))
    assert parsed(extensions={"x": 1, "y": 1}, critical=["y"]).extensions["y"] == 1


def test_a_critical_extension_must_be_there() -> None:
    assert code_of(critical=["x"]) is Code.KEYSET_MALFORMED


@pytest.mark.parametrize("end", ["2026-11-25T00:00:00Z", "2026-11-24T23:59:59Z"])
def test_a_window_that_ends_before_it_begins_is_refused(end: str) -> None:
    assert code_of(not_after=end) is Code.KEYSET_WINDOW


def test_a_window_of_one_second_is_accepted() -> None:
    keyset = parsed(not_after="2026-11-25T00:00:01Z")
    assert (keyset.not_after - keyset.not_before).total_seconds() == 1


@pytest.mark.parametrize("member", ["not_before", "not_after"])
@pytest.mark.parametrize("text", ["2026-11-26T00:00:00+00:00", "2026-11-26T00:00:00.5Z", "2026-02-30T00:00:00Z", "", 1764115200])
def test_times_have_one_spelling(member: str, text: Any) -> None:
    assert code_of(**{member: text}) is Code.KEYSET_MALFORMED


# Building


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"node_id": b"short"}, Code.KEYSET_MALFORMED),
        ({"ohttp_key_configs": []}, Code.KEYSET_MALFORMED),
        ({"ohttp_key_configs": [UNKNOWN_KEM]}, Code.KEYSET_NO_USABLE_KEY),
        ({"policy_digest": bytes(32)}, Code.KEYSET_MALFORMED),
        ({"policy_serial": 1}, Code.KEYSET_MALFORMED),
        ({"not_after": NOW}, Code.KEYSET_WINDOW),
        ({"models": {"a b": bytes(32)}}, Code.KEYSET_MALFORMED),
        ({"critical": ["x"]}, Code.KEYSET_MALFORMED),
    ],
    ids=str,
)
def test_a_node_cannot_build_what_a_client_refuses(changes: dict[str, Any], code: Code) -> None:
    with pytest.raises(EvidenceError) as caught:
        build_keyset(**MINIMAL | changes)
    assert caught.value.code is code
