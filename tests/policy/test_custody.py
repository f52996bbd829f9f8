"""In whose hands: every way in which an admission or a list of chips does not hold, and what an owner may leave open to admit."""

from datetime import timedelta
from typing import Any

import pytest
from tests.policy.world import (
    NONCE,
    NOW,
    OTHERS,
    OWNED,
    OWNED_KEYS,
    OWNER,
    ROOTS,
    STRANGER,
    X25519,
    World,
    admission,
    keyset,
    members,
    policy,
)
from tests.support import refused

from confide.attest.keyset import Role
from confide.attest.snp.layout import SigningKey
from confide.codes import Code
from confide.policy.model import Policy
from confide.policy.rollback import RollbackState
from confide.policy.text import render
from confide.policy.verdict import AdmittingVerdict, Custody, HistoricVerdict, Unbound, Verdict
from confide.policy.verify import HISTORIC, explain, verify, verify_as_of, verify_for_admission

HOUR = timedelta(hours=1)
CHIP = "0c" * 64
CSP = ["CN=simulated-cloud.invalid"]


def judged(world: World, wanted: Policy, *, document: bytes | None = None, **more: Any) -> Verdict:
    given: dict[str, Any] = {"now": NOW, "nonce": NONCE, "roots": ROOTS} | more
    return verify(world.document() if document is None else document, wanted, **given)


def admitting(world: World, wanted: Policy, **more: Any) -> AdmittingVerdict:
    given: dict[str, Any] = {"now": NOW, "nonce": NONCE, "roots": ROOTS} | more
    return verify_for_admission(world.document(), wanted, **given)


def word(**changes: Any) -> World:
    return World(keys=OWNED_KEYS, admitted=changes)


@pytest.mark.parametrize(
    ("world", "code"),
    [
        (World(keys=OWNED_KEYS), Code.POLICY_ADMISSION),
        (word(key=STRANGER), Code.ADMISSION_SIGNATURE),
        (word(node_id=b"\x08" * 32), Code.ADMISSION_NODE),
        (word(node_key=STRANGER.public.keyid), Code.ADMISSION_NODE_KEY),
        (word(platform_id="0d" * 64), Code.ADMISSION_PLATFORM),
        (word(platform_id=""), Code.ADMISSION_PLATFORM),
        (word(place="Rome"), Code.ADMISSION_PLACE),
        (word(not_before=NOW + HOUR), Code.ADMISSION_NOT_YET_VALID),
        (word(not_after=NOW), Code.ADMISSION_EXPIRED),
    ],
    ids=lambda value: value.value if isinstance(value, Code) else "",
)
def test_each_way_in_which_an_admission_does_not_hold_has_its_code(world: World, code: Code) -> None:
    wanted = policy(**OWNED, require__places=["Paris, rack 4"])
    with refused(code):
        judged(world, wanted)
    shown = explain(world.document(), wanted, now=NOW, nonce=NONCE, roots=ROOTS)
    assert shown.failure is not None
    assert shown.failure.code is code
    assert shown.verdict is None


def test_an_admission_by_a_key_that_the_policy_names_but_the_keyset_does_not() -> None:
    """A node that obeys a stranger shows the owner's word: the keyset decides, before the admission is looked at."""
    world = World(keys={"authority_key": STRANGER.public})
    document = world.document(admission=admission(world.keyset, world.chip))
    with refused(Code.POLICY_AUTHORITY_KEY):
        judged(world, policy(**OWNED), document=document)


def test_an_admission_that_is_no_envelope_is_refused() -> None:
    world = World(keys=OWNED_KEYS)
    with refused(Code.ADMISSION_MALFORMED):
        judged(world, policy(**OWNED), document=world.document(admission=b"{}"))


def test_a_verdict_ends_with_the_admission() -> None:
    verdict = judged(word(not_after=NOW + HOUR), policy(**OWNED))
    assert verdict.expires == NOW + HOUR
    verdict.require_usable(NOW + HOUR - timedelta(seconds=1))
    with refused(Code.VERDICT_EXPIRED):
        verdict.require_usable(NOW + HOUR)


def test_a_hint_for_whoever_meets_a_node_that_is_not_admitted() -> None:
    shown = explain(World(keys=OWNED_KEYS).document(), policy(**OWNED), now=NOW, nonce=NONCE, roots=ROOTS)
    assert "confide admit" in render(shown)


@pytest.mark.parametrize(
    ("chips", "custody"),
    [([CHIP], Custody.CHIP_LIST), (["0d" * 64, CHIP], Custody.CHIP_LIST), (None, Custody.NOT_CHECKED)],
    ids=["listed", "one of two", "no list"],
)
def test_a_list_of_chips_is_custody(chips: list[str] | None, custody: Custody) -> None:
    verdict = judged(World(), policy(accept__chip_ids=chips))
    assert verdict.custody is custody
    assert ("custody" in {item.what for item in verdict.not_checked}) == (custody is Custody.NOT_CHECKED)


@pytest.mark.parametrize(
    "world",
    [World(), World(report={"chip_id": bytes(64)}), World(signing_key=SigningKey.VLEK)],
    ids=["another chip", "hidden chip", "provider's key"],
)
def test_a_chip_that_is_not_listed_is_refused(world: World) -> None:
    listed = {"accept__chip_ids": ["0d" * 64], "accept__signing_keys": ["vcek", "vlek"], "accept__csp_ids": CSP}
    with refused(Code.SNP_CHIP_ID):
        judged(world, policy(**listed))


def test_one_entry_without_a_list_leaves_custody_open() -> None:
    """Only the entry that the evidence satisfied counts."""
    plain = members()["accept"][0]
    both = [{**plain, "measurements": ["00" * 48], "chip_ids": [CHIP]}, plain]
    assert judged(World(), policy(accept=both)).custody is Custody.NOT_CHECKED


# --- admitting -------------------------------------------------------------------------------------------------------------------


def test_an_owner_can_use_the_policy_that_demands_the_admission() -> None:
    verdict = admitting(World(keys=OWNED_KEYS), policy(**OWNED))
    assert verdict.admission is None
    assert verdict.custody is Custody.NOT_CHECKED
    assert {"admission", "custody"} <= {item.what for item in verdict.not_checked}
    assert verdict.require.admission


def test_it_is_no_verdict_that_opens_channels() -> None:
    verdict = admitting(World(keys=OWNED_KEYS), policy(**OWNED))
    assert not isinstance(verdict, Verdict | HistoricVerdict)
    assert isinstance(judged(word(), policy(**OWNED)), Verdict)


def test_whatever_admission_is_there_is_not_looked_at() -> None:
    for world in (word(), word(key=STRANGER), word(not_after=NOW)):
        assert admitting(world, policy(**OWNED)).admission is None


def test_a_list_of_chips_is_custody_for_an_owner_too() -> None:
    assert admitting(World(keys=OWNED_KEYS), policy(**OWNED, accept__chip_ids=[CHIP])).custody is Custody.CHIP_LIST


@pytest.mark.parametrize(
    ("world", "wanted", "more", "code"),
    [
        (World(keys=OWNED_KEYS), {"expires": "2026-11-25T12:00:00Z"}, {}, Code.POLICY_EXPIRED),
        (World(keys=OWNED_KEYS), {}, {"rollback": RollbackState({"demo": 4})}, Code.POLICY_ROLLBACK),
        (World(keys=OWNED_KEYS), {}, {"nonce": Unbound("none")}, Code.POLICY_CLIENT_NONCE),
        (World(keys=OWNED_KEYS), {}, {"nonce": OTHERS[0]}, Code.VERDICT_NONCE),
        (World(keys=OWNED_KEYS), {}, {"roots": ()}, Code.X509_ROOT),
        (World(keys=OWNED_KEYS), {"unsafe_accept_simulated": None}, {}, Code.POLICY_SIMULATED),
        (World(keys=OWNED_KEYS), {}, {"now": NOW + 24 * HOUR}, Code.VERDICT_KEYSET_EXPIRED),
        (World(keys=OWNED_KEYS, report={"policy": 0x30000 | 1 << 19}), {}, {}, Code.SNP_DEBUG),
        (World(keys=OWNED_KEYS), {"accept__measurements": ["00" * 48]}, {}, Code.SNP_MEASUREMENT),
        (World(keys=OWNED_KEYS), {"accept__chip_ids": ["0d" * 64]}, {}, Code.SNP_CHIP_ID),
        (World(keys={**OWNED_KEYS, "role": Role.BROKER}), {}, {}, Code.POLICY_ROLE),
        (World(keys={"authority_key": STRANGER.public}), {}, {}, Code.POLICY_AUTHORITY_KEY),
        (World(), {}, {}, Code.POLICY_AUTHORITY_KEY),
        (World(keys=OWNED_KEYS), {"node__config_digests": ["00" * 32]}, {}, Code.POLICY_CONFIG_DIGEST),
        (World(keys=OWNED_KEYS), {"node__software_digests": ["00" * 32]}, {}, Code.POLICY_SOFTWARE_DIGEST),
        (World(keys={**OWNED_KEYS, "ohttp_key_configs": [X25519]}), {}, {}, Code.POLICY_POST_QUANTUM),
        (World(keys=OWNED_KEYS), {"models": {"minilm": ["00" * 32]}}, {}, Code.POLICY_MODEL_DIGEST),
    ],
    ids=lambda value: value.value if isinstance(value, Code) else "",
)
def test_everything_but_the_admission_is_required(world: World, wanted: dict[str, Any], more: dict[str, Any], code: Code) -> None:
    with refused(code):
        admitting(world, policy(**{**OWNED, **wanted}), **more)


def test_evidence_about_another_keyset_is_refused() -> None:
    world = World(keys=OWNED_KEYS)
    other = world.document(keyset=keyset(node_id=b"\x66" * 32, authority_key=OWNER.public))
    with refused(Code.BINDING_MISMATCH):
        verify_for_admission(other, policy(**OWNED), now=NOW, nonce=NONCE, roots=ROOTS)


def test_it_advances_the_rollback_state_as_any_verdict_does() -> None:
    assert admitting(World(keys=OWNED_KEYS), policy(**OWNED)).rollback.policy_serials == {"demo": 3}


def test_judging_the_past_may_leave_the_admission_out_and_says_so() -> None:
    world = World(keys=OWNED_KEYS)
    with refused(Code.POLICY_ADMISSION):
        verify_as_of(world.document(), policy(**OWNED), at=NOW, roots=ROOTS)
    past = verify_as_of(world.document(), policy(**OWNED), at=NOW, roots=ROOTS, nonce=HISTORIC, admitting=True)
    assert "admission" in {item.what for item in past.not_checked}
