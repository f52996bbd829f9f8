"""Trust on first use: what is proposed, what the digest covers, and the way that needs no first use."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.policy.test_load import as_json, as_toml
from tests.policy.world import (
    CONFIG,
    MEASUREMENT,
    MODEL,
    NONCE,
    NOW,
    OTHERS,
    OWNED_KEYS,
    POLICY_SIGNER,
    RECEIPTS,
    ROOTS,
    SOFTWARE,
    STRANGER,
    X25519,
    XWING,
    World,
    ed25519,
    snp_of,
)

from confide.attest.keyset import Pool
from confide.attest.snp.layout import Product, SigningKey, Tcb
from confide.codes import Code
from confide.errors import ConfideError, PolicyError
from confide.policy.explanation import Explanation
from confide.policy.load import load_policy, sign_policy
from confide.policy.model import Origin
from confide.policy.trust import Proposal, _trusted, match_release, propose_policy
from confide.policy.verdict import Unbound
from confide.policy.verify import explain, verify
from confide_sim.amd import FalseChip


def propose(world: World | None = None, **overrides: Any) -> Proposal:
    arguments: dict[str, Any] = {"now": NOW, "nonce": NONCE, "roots": ROOTS, "name": "trusted", "unsafe_accept_simulated": True}
    return propose_policy((world or World()).document(), **(arguments | overrides))


def test_the_proposed_policy_accepts_the_node_it_was_made_from() -> None:
    world = World()
    policy = load_policy(propose(world).policy)
    verdict = verify(world.document(), policy, now=NOW, nonce=NONCE, roots=ROOTS)
    assert verdict.policy.origin is Origin.FIRST_USE
    assert "who built the software" in {item.what for item in verdict.not_checked}


def test_the_proposed_policy_pins_what_was_seen() -> None:
    policy = load_policy(propose().policy)
    entry = snp_of(policy)
    assert entry.measurements == (MEASUREMENT,)
    assert entry.minimum_tcb == {Product.MILAN: FalseChip(Product.MILAN, at=NOW).tcb}
    assert entry.products == (Product.MILAN,)
    assert entry.signing_keys == (SigningKey.VCEK,)
    assert entry.host_data == (bytes(32),)
    assert entry.id_key_digests == (bytes(48),)
    assert (policy.node.config_digests, policy.node.software_digests) == ((CONFIG,), (SOFTWARE,))
    assert policy.node.authority_key is None
    assert policy.models == {"minilm": (MODEL,)}
    assert (policy.name, policy.serial, policy.expires) == ("trusted", 1, NOW + timedelta(days=90))


def test_the_proposed_policy_needs_no_relaxation_but_simulation() -> None:
    world = World()
    verdict = verify(world.document(), load_policy(propose(world).policy), now=NOW, nonce=NONCE, roots=ROOTS)
    assert {item.setting for item in verdict.relaxations} == {"unsafe_accept_simulated"}


def test_signed_identity_and_a_providers_key_are_pinned_where_the_report_has_them() -> None:
    report = {"author_key_en": True, "author_key_digest": b"\x0a" * 48, "id_key_digest": b"\x0b" * 48}
    world = World(report=report, signing_key=SigningKey.VLEK)
    entry = snp_of(load_policy(propose(world).policy))
    assert entry.author_key_digests == (b"\x0a" * 48,)
    assert entry.id_key_digests == (b"\x0b" * 48,)
    assert entry.csp_ids == ("CN=simulated-cloud.invalid",)


def test_turins_extra_component_is_pinned_too() -> None:
    world = World(product=Product.TURIN)
    assert snp_of(load_policy(propose(world).policy)).minimum_tcb == {Product.TURIN: world.chip.tcb}


# --- the digest


@pytest.mark.parametrize(
    ("world", "arguments"),
    [
        (World(keys={"node_id": b"\x01" * 32}), {}),
        (World(keys={"receipt_keys": [ed25519(77).public]}), {}),
        (World(keys={"ohttp_key_configs": [XWING[:3] + b"\x99" * 1216 + XWING[-6:]]}), {}),
        (World(keys={"not_after": NOW + timedelta(hours=1)}), {}),
        (World(nonces=[NONCE]), {}),
        (World(), {"nonce": Unbound("from a file")}),
        (World(), {"now": NOW + timedelta(minutes=5), "name": "another", "serial": 9, "valid_for": timedelta(days=1)}),
    ],
    ids=["node id", "receipt key", "content key", "window", "nonces", "no nonce", "time, name, serial"],
)
def test_the_digest_does_not_change_with_what_changes_from_boot_to_boot(world: World, arguments: dict[str, Any]) -> None:
    assert propose(world, **arguments).digest == propose().digest


@pytest.mark.parametrize(
    "world",
    [
        World(report={"host_data": b"\x01" * 32}),
        World(report={"id_key_digest": b"\x01" * 48}),
        World(keys={"config_digest": bytes(32)}),
        World(keys={"software_digest": bytes(32)}),
        World(keys={"models": {"minilm": bytes(32)}}),
        World(keys={"models": {"minilm": MODEL, "more": MODEL}}),
        World(product=Product.GENOA),
    ],
    ids=["host data", "identity", "configuration", "software", "model", "one more model", "product"],
)
def test_the_digest_changes_with_everything_that_is_trusted(world: World) -> None:
    assert propose(world).digest != propose().digest


def test_the_digest_changes_with_the_firmware() -> None:
    world = World()
    world.chip = FalseChip(at=NOW, chip_id=b"\x0c" * 64, tcb=Tcb(boot_loader=5, tee=0, snp=24, microcode=219))
    assert propose(world).digest != propose().digest


def test_the_digest_stands_in_the_policy_and_is_what_accepts_it() -> None:
    proposal = propose()
    assert proposal.digest.encode() in proposal.policy
    proposal.require_digest(f" {proposal.digest.upper()}\n")
    for other in ("", "00" * 32, proposal.digest[:-1], "é"):
        with pytest.raises(PolicyError) as caught:
            proposal.require_digest(other)
        assert caught.value.code is Code.VERDICT_ACCEPT_DIGEST


# --- what is never proposed


def test_simulated_evidence_is_proposed_only_when_asked_for_by_its_frightening_name() -> None:
    with pytest.raises(PolicyError) as caught:
        propose(unsafe_accept_simulated=False)
    assert caught.value.code is Code.POLICY_SIMULATED


def test_a_node_whose_owner_has_not_admitted_it_yet_is_proposed_and_refused_until_then() -> None:
    world = World(keys=OWNED_KEYS)
    proposal = propose(world)
    loaded = load_policy(proposal.policy)
    assert loaded.require.admission
    assert b"confide admit" in proposal.policy
    with pytest.raises(PolicyError) as caught:
        verify(world.document(), loaded, now=NOW, nonce=NONCE, roots=ROOTS)
    assert caught.value.code is Code.POLICY_ADMISSION
    admitted = World(keys=OWNED_KEYS, admitted={})
    assert verify(admitted.document(), loaded, now=NOW, nonce=NONCE, roots=ROOTS).admission is not None


@pytest.mark.parametrize(
    ("world", "arguments", "code"),
    [
        (World(report={"policy": 0x30000 | 1 << 19}), {}, Code.SNP_DEBUG),
        (World(report={"vmpl": 1}), {}, Code.SNP_VMPL),
        (World(), {"nonce": OTHERS[0]}, Code.VERDICT_NONCE),
        (World(), {"now": NOW + timedelta(days=2)}, Code.VERDICT_KEYSET_EXPIRED),
        (World(keys={"ohttp_key_configs": [X25519]}), {}, Code.POLICY_POST_QUANTUM),
        (World(keys={"pool": Pool("paris", 1)}), {}, Code.POLICY_POOL),
    ],
    ids=lambda value: value.value if isinstance(value, Code) else "",
)
def test_a_node_that_no_default_policy_accepts_is_not_proposed(world: World, arguments: dict[str, Any], code: Code) -> None:
    with pytest.raises(ConfideError) as caught:
        propose(world, **arguments)
    assert caught.value.code is code


def test_a_node_with_an_owner_is_proposed_with_its_admission() -> None:
    world = World(keys=OWNED_KEYS, admitted={})
    policy = load_policy(propose(world).policy)
    assert policy.node.authority_key == OWNED_KEYS["authority_key"]
    assert policy.require.admission


def test_a_real_vendors_node_needs_no_simulation_in_its_policy() -> None:
    """Nobody here can sign as a vendor, so the mark is taken off verified claims by hand."""
    explained = explain(World().document(), None, now=NOW, nonce=NONCE, roots=ROOTS)
    claims = tuple(replace(each, simulated=False) for each in explained.claims)
    assert "unsafe_accept_simulated" not in _trusted(replace(explained, claims=claims))
    assert "unsafe_accept_simulated" in _trusted(explained)


def test_nothing_is_trusted_without_a_verified_keyset() -> None:
    explained = explain(b"", None, now=NOW, nonce=NONCE, roots=ROOTS)
    assert isinstance(explained, Explanation)
    with pytest.raises(PolicyError) as caught:
        _trusted(explained)
    assert caught.value.code is Code.POLICY_UNCONSTRAINED


# --- a signed policy instead


def test_a_release_that_fits_gives_its_policy_and_a_verdict() -> None:
    release = sign_policy(as_toml(), keys=(POLICY_SIGNER,))
    policy, verdict = match_release(release, World().document(), keys=(POLICY_SIGNER.public,), now=NOW, nonce=NONCE, roots=ROOTS)
    assert (policy.origin, policy.signer) == (Origin.RELEASE, POLICY_SIGNER.public.keyid)
    assert verdict.policy == policy.ref
    assert "signed" in str(verdict.policy)


@pytest.mark.parametrize(
    ("overrides", "signer", "code"),
    [
        ({}, STRANGER, Code.POLICY_SIGNER),
        ({}, RECEIPTS, Code.POLICY_SIGNER),
        ({"accept__measurements": ["00" * 48]}, POLICY_SIGNER, Code.SNP_MEASUREMENT),
        ({"expires": "2026-01-01T00:00:00Z"}, POLICY_SIGNER, Code.POLICY_EXPIRED),
    ],
    ids=["stranger", "the node itself", "other software", "old"],
)
def test_a_release_that_does_not_fit_refuses(overrides: dict[str, Any], signer: Any, code: Code) -> None:
    release = sign_policy(as_json(**overrides), keys=(signer,))
    with pytest.raises(ConfideError) as caught:
        match_release(release, World().document(), keys=(POLICY_SIGNER.public,), now=NOW, nonce=NONCE, roots=ROOTS)
    assert caught.value.code is code


def test_a_proposal_lasts_as_long_as_asked_for() -> None:
    policy = load_policy(propose(valid_for=timedelta(days=1)).policy)
    assert policy.expires == datetime(2026, 11, 26, 12, tzinfo=UTC)
