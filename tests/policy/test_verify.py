"""What a verdict says when everything holds, rule by rule, and what each rule refuses.

Lies about the evidence itself are in `tests/scenarios/test_verify_attacks.py`.
"""

from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.policy.world import (
    NONCE,
    NOW,
    OTHERS,
    OWNED,
    OWNED_KEYS,
    ROOTS,
    X25519,
    XWING,
    World,
    keyset,
    members,
    ml_dsa,
    policy,
)

from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.document import parse_document
from confide.attest.keyset import Pool
from confide.attest.roots import VENDOR_ROOTS
from confide.attest.snp.layout import Product, SigningKey
from confide.codes import Code
from confide.errors import CollateralError, ConfideError, EvidenceError, MisuseError, PolicyError
from confide.policy import conclude, rules
from confide.policy import verify as module
from confide.policy.accept import snp
from confide.policy.model import Origin
from confide.policy.record import Record
from confide.policy.rollback import RollbackState
from confide.policy.verdict import Custody, HistoricVerdict, Stage, Unbound, Verdict
from confide.policy.verify import explain, verify, verify_as_of
from confide_sim.amd import FalseAmd

UNSAFE = "unsafe_ignored"
BUNDLE = Unbound("read from a file")


def judge(world: World | None = None, **overrides: Any) -> Verdict:
    """The verdict about a world under the policy with these overrides."""
    world = world or World()
    return verify(world.document(), policy(product=world.product, **overrides), now=NOW, nonce=NONCE, roots=ROOTS)


def refused(code: Code, world: World | None = None, **overrides: Any) -> ConfideError:
    with pytest.raises(ConfideError) as caught:
        judge(world, **overrides)
    assert caught.value.code is code
    return caught.value


def relaxed(verdict: Verdict | HistoricVerdict) -> set[str]:
    return {item.setting for item in verdict.relaxations}


def unchecked(verdict: Verdict | HistoricVerdict) -> set[str]:
    return {item.what for item in verdict.not_checked}


# --- the verdict


@pytest.mark.parametrize("product", list(Product))
@pytest.mark.parametrize("signing_key", [SigningKey.VCEK, SigningKey.VLEK])
def test_a_node_that_fits_gets_a_verdict(product: Product, signing_key: SigningKey) -> None:
    keys = {"accept__signing_keys": ["vlek"], "accept__csp_ids": ["CN=simulated-cloud.invalid"]}
    world = World(product=product, signing_key=signing_key)
    verdict = judge(world, **(keys if signing_key is SigningKey.VLEK else {}))
    assert verdict.keyset == world.keyset
    assert verdict.claims[0].kind == "snp"
    assert (verdict.verified_at, verdict.nonce) == (NOW, NONCE)
    assert all(check.ok for check in verdict.checks)
    assert [section.stage for section in verdict.sections] == [Stage.GENUINE, Stage.BOUND, Stage.ACCEPTABLE, Stage.POLICY]


def test_a_verdict_is_frozen() -> None:
    verdict: Any = judge()
    with pytest.raises(FrozenInstanceError):
        verdict.expires = datetime.max.replace(tzinfo=UTC)


def test_a_verdict_says_which_policy_it_was() -> None:
    reference, mine = judge().policy, policy()
    assert (reference.name, reference.serial, reference.digest, reference.origin) == ("demo", 3, mine.digest, Origin.FILE)


def test_the_nonce_may_be_any_of_those_gathered() -> None:
    alone = World(nonces=[NONCE])
    assert judge(alone).nonce == NONCE
    assert judge(World(nonces=[*OTHERS, NONCE])).nonce == NONCE


def test_a_verdict_ends_when_the_revocation_list_gets_too_old() -> None:
    """Made a day ago, to be at most 30 hours old: six hours are left, though list, keys and policy hold longer."""
    verdict = verify(World().document(), policy(require__max_crl_age="30h"), now=NOW, nonce=NONCE, roots=ROOTS)
    assert verdict.expires == NOW + timedelta(hours=6)


@pytest.mark.parametrize(
    "edge",
    [datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))), datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=5)))],
)
def test_a_time_beyond_the_calendar_is_the_callers_mistake(edge: datetime) -> None:
    with pytest.raises(MisuseError) as caught:
        verify(World().document(), policy(), now=edge, nonce=NONCE, roots=ROOTS)
    assert caught.value.code is Code.VERDICT_TIME


def test_repr_shows_neither_keys_nor_evidence() -> None:
    verdict = judge()
    explanation = explain(World().document(), policy(), now=NOW, nonce=NONCE, roots=ROOTS)
    assert repr(verdict) == f"Verdict(SIMULATED, demo serial 3 (file), until 2026-11-26T11:00:00Z, {len(verdict.checks)} checks)"
    assert repr(explanation) == f"Explanation(accepted, {len(verdict.checks)} checks)"
    assert "raw" not in repr(policy())


# --- expiry


@pytest.mark.parametrize(
    ("world", "overrides", "until"),
    [
        (World(), {}, NOW + timedelta(hours=23)),
        (World(), {"expires": "2026-11-25T13:00:00Z"}, NOW + timedelta(hours=1)),
        (World(keys=OWNED_KEYS, admitted={}), OWNED, NOW + timedelta(hours=8)),
        (World(keys={"not_after": NOW + timedelta(days=900)}), {"expires": "2099-01-01T00:00:00Z"}, NOW + timedelta(days=29)),
    ],
    ids=["keyset", "policy", "admission", "certificates and lists"],
)
def test_a_verdict_expires_with_the_first_of_its_parts(world: World, overrides: Any, until: datetime) -> None:
    verdict = judge(world, **overrides)
    assert verdict.expires == until
    verdict.require_usable(until - timedelta(seconds=1))
    with pytest.raises(EvidenceError) as caught:
        verdict.require_usable(until)
    assert caught.value.code is Code.VERDICT_EXPIRED


def test_a_verdict_is_not_used_by_a_clock_without_a_zone() -> None:
    with pytest.raises(MisuseError) as caught:
        judge().require_usable(NOW.replace(tzinfo=None))
    assert caught.value.code is Code.VERDICT_TIME


# --- keys that may be used


def test_only_post_quantum_keys_are_usable_by_default() -> None:
    assert judge().ohttp_key_configs == (XWING,)


def test_other_keys_follow_the_post_quantum_ones_when_the_policy_gives_up_on_them() -> None:
    verdict = judge(require__post_quantum=UNSAFE)
    assert verdict.ohttp_key_configs == (XWING, X25519)
    assert "require.post_quantum" in relaxed(verdict)


def test_a_historic_verdict_has_no_keys_to_seal_to() -> None:
    past = verify_as_of(World().document(), policy(), at=NOW, roots=ROOTS)
    assert isinstance(past, HistoricVerdict)
    assert not isinstance(past, Verdict)
    assert not hasattr(past, "ohttp_key_configs")
    assert not hasattr(past, "require_usable")


# --- time and nonce are the caller's


def test_a_time_without_a_zone_is_the_callers_mistake() -> None:
    naive, document = NOW.replace(tzinfo=None), World().document()
    for call in (
        lambda: verify(document, policy(), now=naive, nonce=NONCE, roots=ROOTS),
        lambda: verify_as_of(document, policy(), at=naive, roots=ROOTS),
        lambda: explain(document, policy(), now=naive, nonce=NONCE, roots=ROOTS),
    ):
        with pytest.raises(MisuseError) as caught:
            call()
        assert caught.value.code is Code.VERDICT_TIME


def test_any_zone_will_do() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=9)))
    verdict = verify(World().document(), policy(), now=there, nonce=NONCE, roots=ROOTS)
    assert verdict.verified_at.tzinfo is UTC


@pytest.mark.parametrize("nonce", [b"", b"\x01" * 31, b"\x01" * 33, bytes(32)], ids=["empty", "short", "long", "zero"])
def test_a_nonce_of_another_form_is_the_callers_mistake(nonce: bytes) -> None:
    for call in (verify, explain):
        with pytest.raises(MisuseError) as caught:
            call(World().document(), policy(), now=NOW, nonce=nonce, roots=ROOTS)
        assert caught.value.code is Code.VERDICT_NONCE_FORM


def test_a_policy_wants_the_callers_nonce_unless_it_says_otherwise() -> None:
    with pytest.raises(PolicyError) as caught:
        verify(World().document(), policy(), now=NOW, nonce=BUNDLE, roots=ROOTS)
    assert caught.value.code is Code.POLICY_CLIENT_NONCE
    free = policy(require__client_nonce=UNSAFE)
    verdict = verify(World(nonces=()).document(), free, now=NOW, nonce=BUNDLE, roots=ROOTS)
    assert "require.client_nonce" in relaxed(verdict)
    assert {item.what: item.why for item in verdict.not_checked}["freshness"].startswith("read from a file")
    assert verdict.nonce is None


# --- the policy itself


def test_an_expired_policy_refuses_whatever_the_evidence() -> None:
    refused(Code.POLICY_EXPIRED, expires="2026-11-25T12:00:00Z")
    judge(expires="2026-11-25T12:00:01Z")
    with pytest.raises(PolicyError) as caught:
        verify(b"", policy(expires="2020-01-01T00:00:00Z"), now=NOW, nonce=NONCE, roots=ROOTS)
    assert caught.value.code is Code.POLICY_EXPIRED


def test_first_use_is_said_in_every_verdict() -> None:
    assert "who built the software" in unchecked(judge(origin="first-use"))
    assert "who built the software" not in unchecked(judge())


@pytest.mark.parametrize("moment", [NOW - timedelta(hours=1), NOW + timedelta(hours=23) - timedelta(seconds=1)])
def test_a_keyset_holds_from_its_first_second_to_its_last(moment: datetime) -> None:
    verify(PLAIN, policy(), now=moment, nonce=NONCE, roots=ROOTS)


# --- simulated evidence


def test_simulated_evidence_refuses_under_a_production_policy_even_with_false_roots_at_hand() -> None:
    refused(Code.POLICY_SIMULATED, unsafe_accept_simulated=None)


def test_simulated_evidence_is_not_genuine_where_only_vendors_roots_are_pinned() -> None:
    with pytest.raises(ConfideError) as caught:
        verify(World().document(), policy(), now=NOW, nonce=NONCE, roots=VENDOR_ROOTS)
    assert caught.value.code is Code.X509_ROOT


def test_simulated_evidence_that_the_policy_admits_is_marked() -> None:
    verdict = judge()
    assert verdict.simulated
    assert "unsafe_accept_simulated" in relaxed(verdict)


# --- revocation


def test_a_revocation_list_is_required_by_default() -> None:
    world = World(collateral={"crl": False})
    with pytest.raises(CollateralError):
        judge(world)
    verdict = judge(world, require__max_crl_age=UNSAFE)
    assert "require.max_crl_age" in relaxed(verdict)
    assert any("revocation" in what for what in unchecked(verdict))


def test_a_revocation_list_older_than_the_policy_wants_refuses() -> None:
    judge(require__max_crl_age="24h")
    with pytest.raises(CollateralError) as caught:
        judge(require__max_crl_age="23h")
    assert caught.value.code is Code.X509_CRL_AGE


def test_a_list_that_ended_counts_for_the_grace_that_the_policy_spells_out() -> None:
    ended = FalseAmd().crl(at=NOW, this_update=NOW - timedelta(hours=30), next_update=NOW - timedelta(hours=2))
    world = World(collateral={"crl": ended})
    for grace in (None, "1h"):
        with pytest.raises(CollateralError) as caught:
            judge(world, require__collateral_grace=grace)
        assert caught.value.code is Code.X509_CRL_EXPIRED
    assert "collateral_grace" in relaxed(judge(world, require__collateral_grace="3h"))
    assert "collateral_grace" not in relaxed(judge(require__collateral_grace="3h"))


# --- accept


def test_one_entry_that_fits_is_enough() -> None:
    other = {**members()["accept"][0], "measurements": ["00" * 48]}
    judge(accept=[other, members()["accept"][0]])


def test_when_no_entry_fits_the_nearest_ones_failure_is_told() -> None:
    far = {**members()["accept"][0], "measurements": ["00" * 48], "chip_ids": ["11" * 64]}
    near = {**members()["accept"][0], "chip_ids": ["11" * 64]}
    refused(Code.SNP_CHIP_ID, accept=[far, near])
    refused(Code.SNP_CHIP_ID, accept=[near, far])


def test_halves_of_two_entries_do_not_make_one() -> None:
    entry = members()["accept"][0]
    one, other = {**entry, "measurements": ["00" * 48]}, {**entry, "chip_ids": ["11" * 64]}
    refused(Code.SNP_MEASUREMENT, accept=[one, other])


@pytest.mark.parametrize("setting", ["measurements", "minimum_tcb"])
def test_what_an_entry_skips_is_listed(setting: str) -> None:
    assert setting in relaxed(judge(None, **{f"accept__{setting}": UNSAFE}))


def test_evidence_of_a_kind_that_no_entry_names_refuses() -> None:
    class OtherKind(str):
        value = "other"

    claims = judge().claims[0]
    kind: Any = OtherKind("other")
    foreign = replace(claims, kind=kind)
    for strict in (True, False):
        with pytest.raises(PolicyError) as caught:
            rules.accepted(policy(), foreign, checks=Checks(strict=strict))
        assert caught.value.code is Code.POLICY_TEE


def test_claims_without_amds_fields_are_not_taken_for_amds() -> None:
    claims = judge().claims[0]
    plain = Claims(**{name: getattr(claims, name) for name in Claims.__dataclass_fields__})
    with pytest.raises(PolicyError) as caught:
        snp.observed(plain)
    assert caught.value.code is Code.POLICY_TEE


# --- node, requirements, models


@pytest.mark.parametrize(
    ("overrides", "code"),
    [
        ({"node__role": "trainer"}, Code.POLICY_ROLE),
        ({"node__config_digests": ["00" * 32]}, Code.POLICY_CONFIG_DIGEST),
        ({"node__config_digests": [f"{n:064x}" for n in range(6)]}, Code.POLICY_CONFIG_DIGEST),
        ({"node__software_digests": ["00" * 32]}, Code.POLICY_SOFTWARE_DIGEST),
        ({"node__isolation": ["in-process"]}, Code.POLICY_ISOLATION),
        ({"models": {"minilm": ["00" * 32]}}, Code.POLICY_MODEL_DIGEST),
        (OWNED, Code.POLICY_AUTHORITY_KEY),
    ],
    ids=lambda value: value.value if isinstance(value, Code) else "",
)
def test_a_node_that_is_not_what_the_policy_wants_refuses(overrides: dict[str, Any], code: Code) -> None:
    error = refused(code, **overrides)
    assert error.found
    assert error.wanted


@pytest.mark.parametrize(
    ("keys", "overrides", "code"),
    [
        ({"ohttp_key_configs": [X25519]}, {}, Code.POLICY_POST_QUANTUM),
        ({"receipt_keys": [ml_dsa(5).public]}, {}, Code.POLICY_RECEIPTS),
        ({}, {"require__log_proof": True}, Code.POLICY_LOG_PROOF),
        (OWNED_KEYS, {}, Code.POLICY_AUTHORITY_KEY),
    ],
)
def test_a_keyset_without_what_is_required_refuses(keys: Any, overrides: Any, code: Code) -> None:
    refused(code, World(keys=keys), **overrides)


@pytest.mark.parametrize(
    ("keys", "overrides", "setting"),
    [
        ({"ohttp_key_configs": [X25519]}, {"require__post_quantum": UNSAFE}, "require.post_quantum"),
        ({"receipt_keys": [ml_dsa(5).public]}, {"require__receipts": UNSAFE}, "require.receipts"),
        (OWNED_KEYS, {"node__authority_key": UNSAFE}, "node.authority_key"),
        ({"config_digest": bytes(32)}, {"node__config_digests": UNSAFE}, "node.config_digests"),
        ({"software_digest": bytes(32)}, {"node__software_digests": UNSAFE}, "node.software_digests"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_skipped_passes_and_is_listed(keys: Any, overrides: Any, setting: str) -> None:
    assert setting in relaxed(judge(World(keys=keys), **overrides))


def test_a_pool_that_shares_keys_refuses_unless_shared_keys_are_accepted() -> None:
    world = World(keys={"pool": Pool("paris", 4)})
    refused(Code.POLICY_POOL, world)
    judge(world, require__pool="shared")


def test_a_model_that_the_node_did_not_start_with_is_listed_and_another_alias_is_nobodys_business() -> None:
    verdict = judge(models={"other": ["00" * 32]})
    assert "model other" in unchecked(verdict)


# --- custody

CHIP = {"accept__chip_ids": ["0c" * 64]}


@pytest.mark.parametrize(
    ("world", "overrides", "custody"),
    [
        (World(), {}, Custody.NOT_CHECKED),
        (World(), CHIP, Custody.CHIP_LIST),
        (World(keys=OWNED_KEYS, admitted={}), OWNED, Custody.ADMISSION),
        (World(keys=OWNED_KEYS, admitted={}), {**OWNED, **CHIP}, Custody.ADMISSION_AND_CHIP_LIST),
        (World(keys=OWNED_KEYS), {**OWNED, "require__admission": UNSAFE}, Custody.NOT_CHECKED),
    ],
    ids=["nothing", "chip list", "admission", "both", "admission skipped"],
)
def test_custody_is_what_was_checked_about_it(world: World, overrides: Any, custody: Custody) -> None:
    verdict = judge(world, **overrides)
    assert verdict.custody is custody
    assert ("custody" in unchecked(verdict)) == (custody is Custody.NOT_CHECKED)
    assert ("require.admission" in relaxed(verdict)) == ("require__admission" in overrides)


def test_a_required_admission_that_is_missing_refuses() -> None:
    refused(Code.POLICY_ADMISSION, World(keys=OWNED_KEYS), **OWNED)


def test_an_admission_elsewhere_refuses_where_the_policy_lists_places() -> None:
    world = World(keys=OWNED_KEYS, admitted={})
    verdict = judge(world, **OWNED, require__places=["Paris, rack 4"])
    assert verdict.admission is not None
    assert verdict.admission.place == "Paris, rack 4"
    refused(Code.ADMISSION_PLACE, world, **OWNED, require__places=["Lyon"])


def test_an_admission_that_has_ended_refuses() -> None:
    ended = {"not_before": NOW - timedelta(hours=2), "not_after": NOW}
    refused(Code.ADMISSION_EXPIRED, World(keys=OWNED_KEYS, admitted=ended), **OWNED)


# --- as of another time


def test_evidence_holds_as_of_its_own_time_for_good() -> None:
    document = World().document()
    old = policy(expires="2040-01-01T00:00:00Z")
    past = verify_as_of(document, old, at=NOW, roots=ROOTS)
    assert {"rollback", "freshness"} <= unchecked(past)
    with pytest.raises(ConfideError):
        verify_as_of(document, old, at=NOW + timedelta(days=365 * 5), roots=ROOTS)


def test_a_historic_verdict_can_still_prove_the_callers_nonce() -> None:
    document = World().document()
    assert verify_as_of(document, policy(), at=NOW, roots=ROOTS, nonce=NONCE).nonce == NONCE
    with pytest.raises(EvidenceError) as caught:
        verify_as_of(document, policy(), at=NOW, roots=ROOTS, nonce=OTHERS[0])
    assert caught.value.code is Code.VERDICT_NONCE


def test_a_policy_that_had_expired_then_judges_nothing() -> None:
    with pytest.raises(PolicyError) as caught:
        verify_as_of(World().document(), policy(), at=datetime(2027, 1, 1, tzinfo=UTC), roots=ROOTS)
    assert caught.value.code is Code.POLICY_EXPIRED


# --- explain


LIES: dict[str, Any] = {
    "expires": "2026-11-25T00:00:00Z",
    "unsafe_accept_simulated": None,
    "accept__measurements": ["00" * 48],
    "accept__chip_ids": ["11" * 64],
    "node__role": "trainer",
    "node__authority_key": f"ed25519:{'00' * 32}",
    "node__config_digests": ["00" * 32],
    "node__software_digests": ["00" * 32],
    "node__isolation": ["in-process"],
    "require__max_crl_age": "1h",
    "models": {"minilm": ["00" * 32]},
}
PLAIN = World().document()


@settings(max_examples=50, deadline=None)
@given(st.sets(st.sampled_from(sorted(LIES))), st.sampled_from([NONCE, b"\x01" * 32]), st.sampled_from([0, -2, 23]))
def test_whatever_does_not_fit_verify_raises_what_explain_shows_first(lies: set[str], nonce: bytes, hours: int) -> None:
    """`verify` gives a verdict exactly where `explain` does, and else raises its first failure."""
    mine, now = policy(**{name: LIES[name] for name in lies}), NOW + timedelta(hours=hours)
    explained = explain(PLAIN, mine, now=now, nonce=nonce, roots=ROOTS)
    if explained.failure is None:
        assert verify(PLAIN, mine, now=now, nonce=nonce, roots=ROOTS) == explained.verdict
        return
    assert explained.verdict is None
    with pytest.raises(ConfideError) as caught:
        verify(PLAIN, mine, now=now, nonce=nonce, roots=ROOTS)
    assert caught.value.as_dict() == explained.failure.as_dict()


def test_explain_reaches_the_same_verdict_by_the_same_checks() -> None:
    document, mine = World().document(), policy()
    strict = verify(document, mine, now=NOW, nonce=NONCE, roots=ROOTS)
    explained = explain(document, mine, now=NOW, nonce=NONCE, roots=ROOTS)
    assert explained.verdict == strict
    assert explained.failure is None
    assert (explained.sections, explained.keyset, explained.claims) == (strict.sections, strict.keyset, strict.claims)


def test_explain_goes_on_after_a_failure_and_keeps_the_first() -> None:
    mine = policy(node__role="trainer", models={"minilm": ["00" * 32]}, accept__measurements=["00" * 48])
    explained = explain(World().document(), mine, now=NOW, nonce=OTHERS[0], roots=ROOTS)
    failed = [check.code for section in explained.sections for check in section.checks if not check.ok]
    assert set(failed) == {Code.VERDICT_NONCE, Code.SNP_MEASUREMENT, Code.POLICY_ROLE, Code.POLICY_MODEL_DIGEST}
    assert explained.failure is not None
    assert explained.failure.code is Code.VERDICT_NONCE
    assert explained.verdict is None
    assert explained.keyset is not None


def test_explain_shows_a_required_admission_that_is_missing() -> None:
    explained = explain(World(keys=OWNED_KEYS).document(), policy(**OWNED), now=NOW, nonce=NONCE, roots=ROOTS)
    assert explained.failure is not None
    assert explained.failure.code is Code.POLICY_ADMISSION
    assert explained.verdict is None


def test_explain_without_a_policy_compares_with_nothing_and_reaches_no_verdict() -> None:
    explained = explain(World().document(), None, now=NOW, nonce=NONCE, roots=ROOTS)
    assert explained.failure is None
    assert explained.verdict is None
    assert explained.relaxations == ()
    assert {"policy", "measurements", "minimum_tcb"} <= {item.what for item in explained.not_checked}
    assert explained.simulated


def test_explain_without_a_policy_still_refuses_a_debugged_guest() -> None:
    world = World(report={"policy": 0x30000 | 1 << 19})
    explained = explain(world.document(), None, now=NOW, nonce=NONCE, roots=ROOTS)
    assert explained.failure is not None
    assert explained.failure.code is Code.SNP_DEBUG


def test_explain_of_a_bundle_reaches_a_historic_verdict() -> None:
    explained = explain(World().document(), policy(), now=NOW, nonce=BUNDLE, roots=ROOTS, historic=True)
    assert explained.verdict is None
    assert explained.past == verify_as_of(World().document(), policy(), at=NOW, roots=ROOTS) or explained.past is not None


def test_explain_marks_simulated_evidence_that_it_refuses() -> None:
    explained = explain(World().document(), policy(unsafe_accept_simulated=None), now=NOW, nonce=NONCE, roots=ROOTS)
    assert explained.failure is not None
    assert explained.failure.code is Code.POLICY_SIMULATED
    assert explained.simulated


def test_explain_believes_no_keyset_that_the_evidence_is_not_about() -> None:
    document = World().document(keyset=keyset(node_id=bytes(32)))
    explained = explain(document, policy(), now=NOW, nonce=NONCE, roots=ROOTS)
    assert explained.failure is not None
    assert explained.failure.code is Code.BINDING_MISMATCH
    assert explained.keyset is None


def test_a_document_without_evidence_is_not_genuine_for_lack_of_anything_false() -> None:
    empty = replace(parse_document(PLAIN), evidence=())
    question = module._Question(policy(), now=NOW, nonce=NONCE, roots=ROOTS, rollback=None)
    with pytest.raises(EvidenceError) as caught:
        module._genuine(question, empty, Checks(), module._Partial())
    assert caught.value.code is Code.DOCUMENT_MALFORMED


def test_no_verdict_is_made_of_a_record_with_a_failure_in_it() -> None:
    record = Record(strict=False)
    record.run(
        Stage.POLICY, lambda checks: checks.require(False, Code.POLICY_ROLE, "role", found="a", wanted="b", error=PolicyError)
    )
    for call in (lambda: conclude.past(None, record), lambda: conclude.verdict(None, record, rollback=RollbackState())):
        with pytest.raises(PolicyError) as caught:
            call()
        assert caught.value.code is Code.POLICY_ROLE


def test_no_verdict_is_made_of_a_record_that_judged_by_no_policy() -> None:
    with pytest.raises(PolicyError) as caught:
        conclude.verdict(None, Record(strict=True), rollback=RollbackState())
    assert caught.value.code is Code.POLICY_UNCONSTRAINED
