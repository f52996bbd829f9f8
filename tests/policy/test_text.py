"""What people and machines read."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.policy.accept.test_nvidia import GPUS, machine
from tests.policy.accept.test_nvidia import policy as with_gpus
from tests.policy.world import CONFIG, NONCE, NOW, OTHERS, OWNED, OWNED_KEYS, RECEIPTS, ROOTS, World, policy

from confide.attest.evidence import Kind
from confide.codes import Code
from confide.errors import ConfideError
from confide.policy.meaning import MEANINGS
from confide.policy.text import WIDTH, as_dict, render, render_proposal
from confide.policy.trust import propose_policy
from confide.policy.verdict import Unbound
from confide.policy.verify import explain, verify, verify_as_of


def explained(world: World | None = None, **overrides: object) -> str:
    world = world or World()
    return render(explain(world.document(), policy(**overrides), now=NOW, nonce=NONCE, roots=ROOTS))


def test_everything_about_simulated_evidence_says_so_first() -> None:
    document = World().document()
    for text in (
        render(verify(document, policy(), now=NOW, nonce=NONCE, roots=ROOTS)),
        render(verify_as_of(document, policy(), at=NOW, roots=ROOTS)),
        explained(),
        explained(unsafe_accept_simulated=None),
        render(explain(document, None, now=NOW, nonce=NONCE, roots=ROOTS)),
        render(explain(b"", policy(), now=NOW, nonce=NONCE, roots=ROOTS)),
    ):
        assert "SIMULATED" in text.split("\n")[1]


def test_a_policy_that_admits_simulation_is_marked_even_where_the_vendor_is_real() -> None:
    whole = explain(World().document(), policy(), now=NOW, nonce=NONCE, roots=ROOTS)
    real = replace(whole, claims=tuple(replace(each, simulated=False) for each in whole.claims))
    assert render(real).split("\n")[1].startswith("SIMULATED evidence would pass")


def test_an_accepted_node_reads_as_accepted_until_a_time_with_custody() -> None:
    text = explained()
    assert "ACCEPTED by policy demo serial 3 (file), until 2026-11-26T11:00:00Z; custody: not checked" in text
    assert "NOT CHECKED" in text
    assert "✗" not in text
    assert "What to do: use it to try things out." in text


def test_a_verdict_reads_shorter_than_an_explanation() -> None:
    verdict = verify(World().document(), policy(), now=NOW, nonce=NONCE, roots=ROOTS)
    assert "EVERY CHECK" not in render(verdict)
    assert "EVERY CHECK" in render(verdict, every_check=True)
    assert f"{len(verdict.sections[0].checks)} checks" in render(verdict)


def test_a_refusal_shows_the_first_failure_whole_and_counts_the_rest() -> None:
    text = explained(node__config_digests=["00" * 32], node__role="trainer")
    assert "REFUSED at 2026-11-25T12:00:00Z by policy demo" in text
    assert "policy.role: the keyset's role is not the policy's" in text
    assert "This is the first of 2 checks that failed" in text
    assert f"✗ {'configuration digest':<30}  policy.config_digest" in text
    assert CONFIG.hex() in text
    assert "What to do: stop: do not send anything to this node" in text


def test_a_single_failure_is_not_counted() -> None:
    assert "This is the first of" not in explained(node__role="trainer")


def test_relaxations_are_in_capitals() -> None:
    text = explained(node__config_digests="unsafe_ignored")
    assert "SWITCHED OFF BY THE POLICY" in text
    assert "! NODE.CONFIG_DIGESTS: any configuration digest is accepted" in text


def test_long_hex_is_shortened_where_a_check_held() -> None:
    text = explained()
    assert CONFIG.hex() not in text
    assert f"{CONFIG.hex()[:16]}…{CONFIG.hex()[-8:]}" in text


def test_a_document_that_cannot_be_read_is_explained_too() -> None:
    text = render(explain(b"{", policy(), now=NOW, nonce=NONCE, roots=ROOTS))
    assert "REFUSED" in text
    assert "document.malformed" in text
    assert "everything about the node: the document cannot be read" in text


def test_a_past_verdict_opens_no_channel_and_says_so() -> None:
    text = render(verify_as_of(World().document(), policy(unsafe_accept_simulated=True), at=NOW, roots=ROOTS))
    assert "HELD as of 2026-11-25T12:00:00Z by policy demo" in text
    assert "opens no channel" in text


def test_without_a_policy_nothing_is_trusted() -> None:
    text = render(explain(World().document(), None, now=NOW, nonce=NONCE, roots=ROOTS))
    assert "GENUINE at 2026-11-25T12:00:00Z, but compared with no policy" in text
    assert "What to do: trust nothing yet" in text
    refused = render(explain(b"", None, now=NOW, nonce=NONCE, roots=ROOTS))
    assert "REFUSED at 2026-11-25T12:00:00Z\n" in refused


def test_a_real_vendors_node_is_told_apart() -> None:
    """No recorded evidence is ours to bind, so the simulated mark is taken off a verdict by hand: only for its words."""
    whole = explain(World().document(), policy(), now=NOW, nonce=NONCE, roots=ROOTS)
    claims = tuple(replace(each, simulated=False) for each in whole.claims)
    real = replace(whole, claims=claims, relaxations=(), not_checked=())
    assert "NOT CHECKED" not in render(real)
    assert "SIMULATED" not in render(real).split("\n")[0]
    assert "send until the verdict expires" in " ".join(render(real).split())
    past = explain(World().document(), policy(), now=NOW, nonce=Unbound("a file"), roots=ROOTS, historic=True)
    assert "ask the node for fresh evidence" in " ".join(render(replace(past, claims=claims, relaxations=())).split())


@pytest.mark.parametrize(
    "text", [explained(), explained(node__role="trainer"), explained(World(keys=OWNED_KEYS, admitted={}), **OWNED)]
)
def test_lines_fit_a_terminal_unless_they_hold_hex_to_be_copied(text: str) -> None:
    for line in text.splitlines():
        assert len(line) <= WIDTH or max(map(len, line.split())) > 40, line


def test_a_proposal_shows_exactly_what_a_yes_would_trust() -> None:
    proposal = propose_policy(World().document(), now=NOW, nonce=NONCE, roots=ROOTS, name="x", unsafe_accept_simulated=True)
    text = render_proposal(proposal)
    assert "A YES WOULD TRUST" in text
    assert CONFIG.hex() in text
    assert f"digest of all this: {proposal.digest}" in text
    assert "boot_loader: 4" in text


# --- for machines


def test_as_dict_is_json_and_has_the_same_members_whatever_the_outcome() -> None:
    document = World(keys={**OWNED_KEYS, "policy_digest": bytes(32), "policy_serial": 2}, admitted={}).document()
    mine = policy(**OWNED)
    outcomes = {
        "accepted": as_dict(verify(document, mine, now=NOW, nonce=NONCE, roots=ROOTS)),
        "held": as_dict(verify_as_of(document, mine, at=NOW, roots=ROOTS)),
        "refused": as_dict(explain(b"", mine, now=NOW, nonce=NONCE, roots=ROOTS)),
        "no-policy": as_dict(explain(document, None, now=NOW, nonce=NONCE, roots=ROOTS)),
    }
    for outcome, value in outcomes.items():
        assert json.loads(json.dumps(value)) == value
        assert value["outcome"] == outcome
        assert set(value) == set(outcomes["accepted"])
    assert outcomes["accepted"]["expires"] == "2026-11-25T20:00:00Z"
    assert outcomes["accepted"]["place"] == "Paris, rack 4"
    assert outcomes["accepted"]["policy"]["serial"] == 3
    assert outcomes["refused"]["failure"]["code"] == "document.malformed"
    assert outcomes["refused"]["keyset"] is None


def test_as_dict_of_a_verdict_and_of_its_explanation_are_equal() -> None:
    document = World().document()
    verdict = verify(document, policy(), now=NOW, nonce=NONCE, roots=ROOTS)
    assert as_dict(verdict) == as_dict(explain(document, policy(), now=NOW, nonce=NONCE, roots=ROOTS))


def test_neither_text_nor_dict_holds_evidence_or_keys() -> None:
    world = World()
    verdict = verify(world.document(), policy(), now=NOW, nonce=NONCE, roots=ROOTS)
    machine = json.dumps(as_dict(verdict))
    for secret in (world.keyset.ohttp_keys[0].public_key, world.chip.certificate[:40], RECEIPTS.public.raw):
        assert secret.hex() not in machine
        assert secret.hex() not in render(verdict, every_check=True)


def test_what_was_refused_by_verify_is_what_explain_shows() -> None:
    late = NOW + timedelta(hours=23)
    with pytest.raises(ConfideError) as caught:
        verify(World().document(), policy(), now=late, nonce=OTHERS[0], roots=ROOTS)
    shown = as_dict(explain(World().document(), policy(), now=late, nonce=OTHERS[0], roots=ROOTS))
    assert shown["failure"] == caught.value.as_dict()


# --- kinds and pieces of evidence


def test_every_kind_says_what_it_proves_who_vouches_and_what_it_does_not() -> None:
    assert set(MEANINGS) == set(Kind)
    for meaning in MEANINGS.values():
        assert all((meaning.name, meaning.vendor, meaning.proves, meaning.not_proven))
        assert not any(text.endswith(".") for text in (meaning.name, meaning.vendor, meaning.proves, *meaning.not_proven))


def test_evidence_that_holds_says_what_it_proves_and_what_it_does_not() -> None:
    text = explained()
    assert "AMD SEV-SNP virtual machine (snp), on the word of AMD" in text
    assert "proves: a genuine AMD processor" in text
    assert "NOT PROVEN, HOWEVER MANY CHECKS HELD" in text
    refused = explained(node__role="trainer")
    assert "on the word of AMD" in refused
    assert "proves:" not in refused
    assert "NOT PROVEN" not in refused


LATE = NOW + timedelta(days=3)  # later than devices' statuses, before the revocation lists end


def test_of_several_pieces_each_is_looked_at_and_a_failure_says_which() -> None:
    shown = explain(machine(*GPUS[:2], short=True), with_gpus(), now=LATE, nonce=NONCE, roots=ROOTS)
    assert shown.failure is not None
    assert shown.failure.about == "nvidia 0: GH100 A01 GSP BROM revocation"
    assert shown.failure.found.startswith("one from 2026-11-24")
    assert {check.piece for check in shown.sections[0].checks if not check.ok} == {"nvidia 0", "nvidia 1"}
    assert [claims.kind for claims in shown.claims] == [Kind.SNP]  # the report alone is genuine then
    with pytest.raises(ConfideError) as caught:
        verify(machine(*GPUS[:2], short=True), with_gpus(), now=LATE, nonce=NONCE, roots=ROOTS)
    assert caught.value.code is shown.failure.code
    assert (caught.value.about, caught.value.found) == (shown.failure.about, shown.failure.found)


def test_of_one_piece_nothing_says_which() -> None:
    assert "[snp]" not in explained()
    late = explain(World().document(), policy(), now=NOW + timedelta(days=30), nonce=NONCE, roots=ROOTS)
    assert late.failure is not None
    assert late.failure.about == "revocation list of ARK-Milan nextUpdate"


def test_checks_of_several_pieces_stand_behind_their_names() -> None:
    text = render(explain(machine(*GPUS[:2], short=True), with_gpus(), now=NOW, nonce=NONCE, roots=ROOTS))
    assert "2 of NVIDIA GPU or NVSwitch (nvidia), on the word of NVIDIA" in text
    assert text.index("  [snp]\n") < text.index("  [nvidia 0]\n") < text.index("  [nvidia 1]\n")
    assert "- [nvidia 0, nvidia 1] protected PCIe: the policy takes either mode" in text
    assert "- [snp] that time, files, devices" in text


def test_devices_that_no_entry_names_are_refused_one_by_one() -> None:
    shown = explain(machine(*GPUS[:2], short=True), policy(), now=NOW, nonce=NONCE, roots=ROOTS)
    assert [(check.piece, check.code) for section in shown.sections for check in section.checks if not check.ok] == [
        ("nvidia 0", Code.POLICY_TEE),
        ("nvidia 1", Code.POLICY_TEE),
    ]


def test_values_stand_in_one_column() -> None:
    text = render(explain(machine(GPUS[0], short=True), with_gpus(), now=NOW, nonce=NONCE, roots=ROOTS))
    section = text[text.index("  [snp]\n") : text.index("  Bound:")].splitlines()
    for line in section:
        assert line.startswith("  [") or "  " not in line[4:] or line[38:40] == "  ", line
