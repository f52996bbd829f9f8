"""Policy files: three spellings, one meaning; and everything that must refuse before anything is compared."""

import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.policy.world import CONFIG, MEASUREMENT, MODEL, OWNED, OWNER, POLICY_SIGNER, SOFTWARE, STRANGER, members, ml_dsa, snp_of

from confide.attest.constraints import Ignored
from confide.attest.keyset import Isolation, Role
from confide.attest.snp.layout import PlatformInfo, Product, SigningKey, Tcb
from confide.codes import Code
from confide.errors import ConfideError, PolicyError
from confide.formats import dsse
from confide.policy.load import MAX_ENVELOPE, MAX_POLICY, load_policy, sign_policy
from confide.policy.model import PAYLOAD_TYPE, Origin, Policy, PoolRule

UNSAFE = "unsafe_ignored"


def as_json(**overrides: Any) -> bytes:
    return json.dumps(members(**overrides)).encode()


def as_toml(**overrides: Any) -> bytes:
    given = members(**overrides)
    given["expires"] = datetime(2026, 12, 31, tzinfo=UTC)
    return tomli_w.dumps(given).encode()


def signed(key: dsse.SigningKey = POLICY_SIGNER, **overrides: Any) -> bytes:
    return sign_policy(as_json(**overrides), keys=(key,))


def refused(data: bytes, code: Code, *, keys: tuple[dsse.PublicKey, ...] = ()) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        load_policy(data, keys=keys)
    assert caught.value.code is code
    return caught.value


def test_toml_json_and_signed_json_say_the_same() -> None:
    toml, plain, envelope = load_policy(as_toml()), load_policy(as_json()), load_policy(signed(), keys=(POLICY_SIGNER.public,))
    for policy in (toml, plain, envelope):
        assert (policy.name, policy.serial, policy.expires) == ("demo", 3, datetime(2026, 12, 31, tzinfo=UTC))
        assert policy.accept == toml.accept
        assert (policy.node, policy.require, policy.models) == (toml.node, toml.require, toml.models)


def test_the_digest_is_of_the_exact_bytes_and_of_the_payload_when_signed() -> None:
    assert load_policy(as_json()).digest != load_policy(as_json() + b"\n").digest
    payload = dsse.unverified_payload(signed(), payload_type=PAYLOAD_TYPE)
    assert load_policy(signed(), keys=(POLICY_SIGNER.public,)).digest == load_policy(payload).digest


def test_raw_is_what_was_read() -> None:
    assert load_policy(as_toml()).raw == as_toml()
    assert load_policy(signed(), keys=(POLICY_SIGNER.public,)).raw == signed()


def test_absent_members_take_the_strict_defaults_of_the_specification() -> None:
    policy = load_policy(as_json(require=None, models=None, unsafe_accept_simulated=None))
    assert policy.require.post_quantum
    assert policy.require.receipts
    assert policy.require.client_nonce
    assert not policy.require.admission
    assert policy.require.pool is PoolRule.NODE_ONLY
    assert policy.require.max_crl_age is None
    assert policy.require.places is None
    assert policy.node.isolation == (Isolation.WORKER_PROCESS,)
    assert policy.models == {}
    assert policy.origin is Origin.FILE
    assert not policy.unsafe_accept_simulated


def test_every_member_arrives_in_its_type() -> None:
    policy = load_policy(
        as_json(
            node__role="broker",
            node__isolation=["in-process", "worker-process"],
            require__pool="shared",
            require__max_crl_age="30d",
            require__admission=True,
            require__places=["Paris, rack 4"],
            **OWNED,
        )
    )
    assert policy.node.role is Role.BROKER
    assert policy.node.authority_key == OWNER.public
    assert policy.node.config_digests == (CONFIG,)
    assert policy.node.software_digests == (SOFTWARE,)
    assert policy.node.isolation == (Isolation.IN_PROCESS, Isolation.WORKER_PROCESS)
    assert policy.require.pool is PoolRule.SHARED
    assert policy.require.max_crl_age == timedelta(days=30)
    assert policy.require.places == ("Paris, rack 4",)
    assert policy.models == {"minilm": (MODEL,)}


def test_an_accept_entry_arrives_as_constraints() -> None:
    entry = {
        "tee": "snp",
        "measurements": [MEASUREMENT.hex()],
        "minimum_tcb": {"Turin": {"fmc": 1, "boot_loader": 2, "tee": 3, "snp": 4, "microcode": 5}},
        "products": ["Turin"],
        "signing_keys": ["vcek", "vlek"],
        "csp_ids": ["CN=cloud"],
        "max_vmpl": 2,
        "minimum_abi": [1, 55],
        "minimum_guest_svn": 7,
        "smt": False,
        "platform_info": ["alias_check_complete", "ecc_en"],
        "allow_debug": UNSAFE,
        "allow_migration": UNSAFE,
        "host_data": ["00" * 32],
        "id_key_digests": ["01" * 48],
        "author_key_digests": ["02" * 48],
        "family_ids": ["03" * 16],
        "image_ids": ["04" * 16],
        "report_ids": ["05" * 32],
        "chip_ids": ["06" * 64],
    }
    constraints = snp_of(load_policy(as_json(accept=[entry])))
    assert constraints.measurements == (MEASUREMENT,)
    assert constraints.minimum_tcb == {Product.TURIN: Tcb(fmc=1, boot_loader=2, tee=3, snp=4, microcode=5)}
    assert constraints.products == (Product.TURIN,)
    assert constraints.signing_keys == (SigningKey.VCEK, SigningKey.VLEK)
    assert constraints.csp_ids == ("CN=cloud",)
    assert (constraints.max_vmpl, constraints.minimum_abi, constraints.minimum_guest_svn) == (2, (1, 55), 7)
    assert constraints.smt is False
    assert constraints.platform_info == PlatformInfo.ALIAS_CHECK_COMPLETE | PlatformInfo.ECC_EN
    assert constraints.allow_debug is Ignored.UNSAFE_IGNORED
    assert constraints.allow_migration is Ignored.UNSAFE_IGNORED
    assert constraints.host_data == (bytes(32),)
    assert constraints.id_key_digests == (b"\x01" * 48,)
    assert constraints.author_key_digests == (b"\x02" * 48,)
    assert constraints.family_ids == (b"\x03" * 16,)
    assert constraints.image_ids == (b"\x04" * 16,)
    assert constraints.report_ids == (b"\x05" * 32,)
    assert constraints.chip_ids == (b"\x06" * 64,)


@pytest.mark.parametrize(
    ("member", "read"),
    [
        ("accept__0__measurements", lambda policy: snp_of(policy).measurements),
        ("accept__0__minimum_tcb", lambda policy: snp_of(policy).minimum_tcb),
        ("node__authority_key", lambda policy: policy.node.authority_key),
        ("node__config_digests", lambda policy: policy.node.config_digests),
        ("node__software_digests", lambda policy: policy.node.software_digests),
        ("require__max_crl_age", lambda policy: policy.require.max_crl_age),
    ],
)
def test_skipping_takes_the_word_that_says_so(member: str, read: Any) -> None:
    assert read(load_policy(as_json(**{member.replace("accept__0__", "accept__"): UNSAFE}))) is Ignored.UNSAFE_IGNORED


@pytest.mark.parametrize("member", ["post_quantum", "receipts", "client_nonce", "admission"])
def test_a_requirement_is_true_or_skipped_aloud_but_never_false(member: str) -> None:
    policy = load_policy(as_json(**{f"require__{member}": UNSAFE}, **OWNED))
    assert getattr(policy.require, member) is False
    error = refused(as_json(**{f"require__{member}": False}), Code.POLICY_SHAPE)
    assert UNSAFE in error.wanted


def test_a_named_authority_key_requires_its_admission_unless_skipped_aloud() -> None:
    assert load_policy(as_json(**OWNED)).require.admission
    assert not load_policy(as_json(require__admission=UNSAFE, **OWNED)).require.admission


@pytest.mark.parametrize("key", ["none", UNSAFE])
def test_an_admission_cannot_be_required_without_the_key_that_signs_it(key: str) -> None:
    refused(as_json(require__admission=True, node__authority_key=key), Code.POLICY_UNCONSTRAINED)


def test_an_ml_dsa_authority_key_is_read() -> None:
    key = ml_dsa(9).public
    assert load_policy(as_json(node__authority_key=f"ml-dsa-65:{key.raw.hex()}")).node.authority_key == key


@pytest.mark.parametrize("age", ["1h", "24h", "99999d"])
def test_an_age_is_in_hours_or_days(age: str) -> None:
    number, unit = int(age[:-1]), age[-1]
    assert load_policy(as_json(require__max_crl_age=age)).require.max_crl_age == timedelta(
        hours=number * (1 if unit == "h" else 24)
    )


@pytest.mark.parametrize(
    ("overrides", "names"),
    [
        ({"accept": None}, "accept"),
        ({"accept": []}, "accept"),
        ({"accept__measurements": None}, "accept.measurements"),
        ({"accept__minimum_tcb": None}, "accept.minimum_tcb"),
        ({"node": None}, "node.role"),
        ({"node__role": None}, "node.role"),
        ({"node__authority_key": None}, "node.authority_key"),
        ({"node__config_digests": None}, "node.config_digests"),
        ({"node__software_digests": None}, "node.software_digests"),
    ],
)
def test_what_every_policy_must_constrain_refuses_when_absent(overrides: dict[str, Any], names: str) -> None:
    error = refused(as_json(**overrides), Code.POLICY_UNCONSTRAINED)
    assert error.found == f"no {names}"
    assert UNSAFE in error.hint


WRONG_MEMBERS: list[dict[str, Any]] = [
    {"surprise": 1},
    {"node__surprise": 1},
    {"require__surprise": 1},
    {"accept__surprise": 1},
    {"accept__allow_debug": True},
    {"accept__measurements": []},
    {"accept__measurements": ["5A" * 48]},
    {"accept__measurements": ["5a" * 47]},
    {"accept__measurements": "ignored"},
    {"accept__minimum_tcb": {}},
    {"accept__minimum_tcb": {"Milan": {}}},
    {"accept__minimum_tcb": {"Milan": {"boot_loader": 1, "tee": 1, "snp": 1}}},
    {"accept__minimum_tcb": {"Milan": {"boot_loader": 1, "tee": 1, "snp": 1, "microcode": 1, "fmc": 1}}},
    {"accept__minimum_tcb": {"Milan": {"boot_loader": 256, "tee": 1, "snp": 1, "microcode": 1}}},
    {"accept__minimum_tcb": {"Rome": {"boot_loader": 1, "tee": 1, "snp": 1, "microcode": 1}}},
    {"accept__signing_keys": ["none"]},
    {"accept__max_vmpl": 4},
    {"accept__minimum_abi": [1]},
    {"accept__platform_info": ["bit_6"]},
    {"accept": "all"},
    {"name": None},
    {"name": "Demo"},
    {"name": ""},
    {"serial": None},
    {"serial": 0},
    {"serial": True},
    {"version": None},
    {"version": "1"},
    {"version": True},
    {"expires": None},
    {"expires": "2026-12-31"},
    {"expires": "2026-12-31T00:00:00+01:00"},
    {"origin": "hearsay"},
    {"origin": "release"},
    {"node__role": "king"},
    {"node__authority_key": "ed25519:00"},
    {"node__authority_key": "rsa:" + "00" * 32},
    {"node__authority_key": "somebody"},
    {"node__config_digests": []},
    {"node__isolation": []},
    {"node__isolation": ["none"]},
    {"require__pool": "any"},
    {"require__max_crl_age": "0h"},
    {"require__collateral_grace": "0h"},
    {"require__collateral_grace": "31d"},
    {"require__collateral_grace": "unsafe_ignored"},
    {"require__max_crl_age": "1w"},
    {"require__max_crl_age": "24h\n"},
    {"require__places": []},
    {"models": {"minilm": []}},
    {"models": {"minilm": "00"}},
    {"models": {"a b": ["00" * 32]}},
    {"unsafe_accept_simulated": "yes"},
]


@pytest.mark.parametrize("overrides", WRONG_MEMBERS, ids=lambda overrides: json.dumps(overrides)[:60])
def test_a_wrong_member_refuses_and_is_named(overrides: dict[str, Any]) -> None:
    error = refused(as_json(**overrides), Code.POLICY_SHAPE)
    assert error.found


def test_a_kind_of_tee_without_a_verifier_refuses() -> None:
    refused(as_json(accept__tee="sev"), Code.POLICY_TEE)
    refused(as_json(accept__tee=None), Code.POLICY_TEE)


@pytest.mark.parametrize("version", [0, 2, -1])
def test_another_version_is_told_before_its_unknown_members(version: int) -> None:
    refused(as_json(version=version, surprise=1), Code.POLICY_VERSION)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"{",
        b'{"version": 1, "version": 1}',
        b"version = 1\nversion = 1",
        b"[[[[",
        b"a = " + b"[" * 5000 + b"]" * 5000,
        b"a = 1" + b"0" * 5000,
        b'{"a": NaN}',
        b"{}x",
        b"a." * 3000 + b"b = 1",
        b"a." * 100_000 + b"b = 1",
        b"expires = 0001-01-01T00:00:00+05:00",
        b"expires = 9999-12-31T23:59:59-05:00",
        b" " * (MAX_ENVELOPE + 1),
        b"# " + b"x" * MAX_POLICY,
    ],
    ids=lambda data: repr(data[:20]),
)
def test_bytes_that_are_no_policy_refuse(data: bytes) -> None:
    with pytest.raises(PolicyError) as caught:
        load_policy(data)
    wanted = Code.POLICY_SHAPE if data == b"" else Code.POLICY_MALFORMED  # nothing at all is well-formed TOML
    assert caught.value.code is wanted


def test_a_policy_of_exactly_the_bound_is_read() -> None:
    assert load_policy(as_json().ljust(MAX_POLICY)).name == "demo"
    refused(as_json().ljust(MAX_POLICY + 1), Code.POLICY_MALFORMED)


def test_a_local_date_in_toml_refuses_since_nobody_knows_whose_day_it_is() -> None:
    for spelling in (b"2026-12-31", b"2026-12-31T00:00:00", b"00:00:00"):
        refused(as_toml().replace(b"2026-12-31 00:00:00+00:00", spelling), Code.POLICY_SHAPE)


def test_an_offset_time_in_toml_is_the_same_instant() -> None:
    policy = load_policy(as_toml().replace(b"2026-12-31 00:00:00+00:00", b"2026-12-31T02:00:00+02:00"))
    assert policy.expires == datetime(2026, 12, 31, tzinfo=UTC)


def test_a_signed_policy_is_a_release_with_its_signer_unless_it_says_otherwise() -> None:
    policy = load_policy(signed(), keys=(STRANGER.public, POLICY_SIGNER.public))
    assert (policy.origin, policy.signer) == (Origin.RELEASE, POLICY_SIGNER.public.keyid)
    assert load_policy(signed(origin="first-use"), keys=(POLICY_SIGNER.public,)).origin is Origin.FIRST_USE


def test_a_policy_in_toml_can_be_signed_too() -> None:
    envelope = sign_policy(as_toml(), keys=(POLICY_SIGNER,))
    assert load_policy(envelope, keys=(POLICY_SIGNER.public,)).node == load_policy(as_toml()).node


def test_a_policy_that_does_not_load_is_not_signed() -> None:
    with pytest.raises(PolicyError) as caught:
        sign_policy(as_json(accept=[]), keys=(POLICY_SIGNER,))
    assert caught.value.code is Code.POLICY_UNCONSTRAINED


def test_a_policy_signed_by_a_stranger_refuses() -> None:
    refused(signed(STRANGER), Code.POLICY_SIGNER, keys=(POLICY_SIGNER.public,))


def test_a_changed_payload_refuses() -> None:
    envelope = json.loads(signed())
    envelope["payload"] = json.loads(signed(serial=4))["payload"]
    refused(json.dumps(envelope).encode(), Code.POLICY_SIGNER, keys=(POLICY_SIGNER.public,))


def test_a_signed_policy_without_keys_to_check_it_refuses() -> None:
    refused(signed(), Code.POLICY_SIGNER)


@pytest.mark.parametrize("data", [as_json(), as_toml()], ids=["json", "toml"])
def test_an_unsigned_policy_refuses_where_a_signature_is_wanted(data: bytes) -> None:
    refused(data, Code.POLICY_SIGNER, keys=(POLICY_SIGNER.public,))


def test_a_signed_something_else_is_no_policy() -> None:
    other = dsse.sign(as_json(), payload_type="application/vnd.confide.admission+json", keys=(POLICY_SIGNER,))
    refused(other, Code.POLICY_MALFORMED, keys=(POLICY_SIGNER.public,))
    garbage = dsse.sign(b"[]", payload_type=PAYLOAD_TYPE, keys=(POLICY_SIGNER,))
    refused(garbage, Code.POLICY_MALFORMED, keys=(POLICY_SIGNER.public,))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode) | st.integers(0, 600).map(lambda n: as_json()[:n]))
def test_any_bytes_give_a_policy_or_our_own_error(data: bytes) -> None:
    """Whatever the bytes, `load_policy` returns a `Policy` or raises `ConfideError`."""
    with contextlib.suppress(ConfideError):
        assert isinstance(load_policy(data), Policy)


def test_messages_about_a_policy_cannot_write_on_a_terminal() -> None:
    for data in (b'{"\\u001b[2J": 1}', '"\u202e" = 1'.encode(), b'"\\u001b[2J" = 1\n"\\u001b[2J" = 1', as_json(expires="\x1b[2J")):
        with pytest.raises(PolicyError) as caught:
            load_policy(data, name_hint="policy")
        assert str(caught.value).isprintable()


def test_a_wrong_member_is_named_first() -> None:
    error = refused(as_json(name="Demo+1"), Code.POLICY_SHAPE)
    assert error.found.startswith("name: expected `str` matching regex")
    assert refused(as_json(serial="3"), Code.POLICY_SHAPE).found == "serial: expected `int`, got `str`"


def test_a_proof_by_the_log_needs_receipts() -> None:
    assert load_policy(as_json(require__log_proof=True)).require.log_proof
    refused(as_json(require__log_proof=True, require__receipts=UNSAFE), Code.POLICY_SHAPE)
