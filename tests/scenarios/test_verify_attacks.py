"""Attacks on a whole document, by the false vendor, a hostile host, a man in the middle: each refused, and for the right reason.

`verify()` must raise the code, `explain()` must show the same as its first failure, and neither may yield a verdict. What is not
about the moment, the caller or the state must be refused as of the past too.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.policy.world import (
    MEASUREMENT,
    NONCE,
    NOW,
    OTHERS,
    OWNED,
    OWNED_KEYS,
    ROOTS,
    STRANGER,
    World,
    admission,
    keyset,
    policy,
)

import confide_sim
from confide.attest.binding import binding, nonce_path, nonces_root
from confide.attest.document import NoncePath, parse_document
from confide.attest.evidence import Endorsements, Evidence, Roots
from confide.attest.keyset import Role
from confide.attest.roots import VENDOR_ROOTS
from confide.attest.snp.layout import Product, SigningKey, Tcb
from confide.codes import Code
from confide.errors import ConfideError
from confide.policy.rollback import RollbackState
from confide.policy.verdict import Unbound
from confide.policy.verify import explain, verify, verify_as_of
from confide_sim import x509
from confide_sim.amd import FalseAmd, FalseChip

DEBUG, MIGRATE, BASE = 1 << 19, 1 << 18, 0x30000


@dataclass(frozen=True)
class Attack:
    """One lie. `fixed` attacks do not depend on the moment, the caller's nonce or the rollback state."""

    code: Code
    document: Callable[[], bytes] = lambda: World().document()
    policy: Mapping[str, Any] = field(default_factory=dict)
    now: datetime = NOW
    nonce: bytes | Unbound = NONCE
    roots: Roots = ROOTS
    rollback: RollbackState = field(default_factory=RollbackState)
    fixed: bool = True


def told(**report: Any) -> Callable[[], bytes]:
    """A genuine report about a guest in another state."""
    return lambda: World(report=report).document()


def collateral(**overrides: Any) -> Callable[[], bytes]:
    return lambda: World(collateral=overrides).document()


def edited(change: Callable[[dict[str, Any]], Any]) -> Callable[[], bytes]:
    """The document with its JSON changed on the way."""

    def make() -> bytes:
        members = json.loads(World().document())
        change(members)
        return json.dumps(members).encode()

    return make


def flipped(role: str, offset: int) -> Callable[[], bytes]:
    """One bit of the report or of a certificate changed on the way."""

    def make() -> bytes:
        world = World()
        report = bytearray(world.chip.report(report_data=binding_of(world), measurement=MEASUREMENT))
        items = {name: bytearray(value) for name, value in world.chip.endorsements().items.items()}
        target = report if role == "report" else items[role]
        target[offset] ^= 1
        evidence = Evidence("snp", {"report": bytes(report)})
        return world.document(evidence=evidence, endorsements=Endorsements({name: bytes(value) for name, value in items.items()}))

    return make


def binding_of(world: World) -> bytes:
    return parse_document(world.document()).binding


def another_chips_certificate() -> bytes:
    """The report of one chip with the genuine certificate of another."""
    other = FalseChip(at=NOW, chip_id=b"\x0d" * 64)
    return World().document(endorsements=other.endorsements())


def another_products_chain() -> bytes:
    return World().document(endorsements=FalseChip(Product.GENOA, at=NOW, chip_id=b"\x0c" * 64).endorsements())


def self_made_intermediate() -> bytes:
    """An intermediate in AMD's words, signed by the attacker's own key."""
    ask = FalseAmd().issue_ask(key=World().chip.key, algorithm=x509.ecdsa())
    return World(collateral={"ask": ask}).document()


def self_made_root() -> bytes:
    """A root in AMD's words with the attacker's own key, brought along with the evidence."""
    amd = FalseAmd()
    return World(collateral={"ark": amd.issue_ark(public_key=x509.spki(World().chip.key))}).document()


def two_nodes_spliced() -> bytes:
    """The evidence of one node with the keyset of another, both genuine, both of the same software."""
    return World().document(keyset=keyset(node_id=b"\x66" * 32))


def keyset_swapped_with_its_binding_in_clear() -> bytes:
    """A machine in the middle puts its own keyset in and quotes the binding right; only the hardware's signature is missing."""
    mine = keyset(node_id=b"\x66" * 32)
    world = World()
    forged = binding(nonces=nonces_root(world.nonces), keyset=mine.raw)
    edited_report = {"report_data": forged}
    world = World(report={"edited": edited_report})
    return world.document(keyset=mine)


def nonce_path_of_a_stranger() -> bytes:
    """The right root, but the path of somebody else's nonce."""
    nonces = World().nonces
    return World().document(nonce_path=NoncePath(0, len(nonces), tuple(nonce_path(nonces, 0))))


def nonce_root_that_was_not_signed() -> bytes:
    """A root that holds the caller's nonce, put beside evidence that was made for others."""
    old = World(nonces=OTHERS)
    mine = [NONCE]
    return old.document(nonces=nonces_root(mine), nonce_path=NoncePath(0, 1, ()), bound=binding_of(old))


def nonces_left_out() -> bytes:
    """Evidence made for nonces, shown as if it had been made for none."""
    return World().document(nonces=bytes(32), nonce_path=None)


def admitted_elsewhere() -> bytes:
    """The owner's genuine admission of another node."""
    world, other = World(keys=OWNED_KEYS), keyset(node_id=b"\x66" * 32, **OWNED_KEYS)
    return world.document(admission=admission(other, world.chip))


def admitted_by_a_stranger() -> bytes:
    world = World(keys=OWNED_KEYS)
    return world.document(admission=admission(world.keyset, world.chip, key=STRANGER))


def moved_to_another_machine() -> bytes:
    """The same boot's admission, on a chip that the owner did not name."""
    world = World(keys=OWNED_KEYS)
    return world.document(admission=admission(world.keyset, world.chip, platform_id="0d" * 64))


def older_firmware() -> bytes:
    world = World()
    world.chip = FalseChip(at=NOW, chip_id=b"\x0c" * 64, tcb=Tcb(boot_loader=4, tee=0, snp=23, microcode=219))
    return world.document()


def firmware_that_can_be_rolled_back() -> bytes:
    """REPORTED_TCB is high enough, but the host has not committed to it."""
    return World(report={"committed_tcb": bytes([4, 0, 0, 0, 0, 0, 23, 219])}).document()


def a_providers_key() -> bytes:
    return World(signing_key=SigningKey.VLEK).document()


ATTACKS: dict[str, Attack] = {
    # the document
    "empty": Attack(Code.DOCUMENT_MALFORMED, lambda: b""),
    "truncated": Attack(Code.DOCUMENT_MALFORMED, lambda: World().document()[:-1]),
    "trailing bytes": Attack(Code.DOCUMENT_MALFORMED, lambda: World().document() + b"{}"),
    "oversized": Attack(Code.DOCUMENT_TOO_LARGE, lambda: World().document().ljust((1 << 20) + 1)),
    "a member twice": Attack(Code.DOCUMENT_MALFORMED, lambda: World().document()[:-1] + b',"version":1}'),
    "an unknown member": Attack(Code.DOCUMENT_MALFORMED, edited(lambda members: members.update(more=1))),
    "another version": Attack(Code.DOCUMENT_VERSION, edited(lambda members: members.update(version=2))),
    "evidence left out": Attack(Code.DOCUMENT_MALFORMED, edited(lambda members: members.update(evidence=[]))),
    "evidence of an unknown kind": Attack(
        Code.DOCUMENT_EVIDENCE_TYPE, edited(lambda members: members["evidence"][0].update(type="moon-quote"))
    ),
    "the same evidence twice": Attack(
        Code.DOCUMENT_DUPLICATE, edited(lambda members: members["evidence"].append(members["evidence"][0]))
    ),
    # genuine
    "a false vendor where vendors are pinned": Attack(Code.X509_ROOT, roots=VENDOR_ROOTS),
    "no roots at all": Attack(Code.X509_ROOT, roots=()),
    "a false vendor under a production policy": Attack(Code.POLICY_SIMULATED, policy={"unsafe_accept_simulated": None}),
    "no certificate of the chip": Attack(Code.X509_MISSING, collateral(vcek=None)),
    "another chip's certificate": Attack(Code.SNP_SIGNATURE, another_chips_certificate),
    "another product's chain": Attack(Code.SNP_SIGNATURE, another_products_chain),
    "an intermediate that the root did not sign": Attack(Code.X509_SIGNATURE_ALGORITHM, self_made_intermediate),
    "a root brought along": Attack(Code.X509_ROOT, self_made_root),
    "a report changed after signing": Attack(Code.SNP_SIGNATURE, flipped("report", 0x90)),
    "a chip's certificate changed after signing": Attack(Code.X509_SIGNATURE, flipped("vcek", -1)),
    "a revocation list changed after signing": Attack(Code.X509_CRL_SIGNATURE, flipped("crl", -1)),
    "certificates that have expired": Attack(
        Code.X509_EXPIRED, now=NOW + timedelta(days=366 * 7), policy={"expires": "2099-01-01T00:00:00Z"}
    ),
    "certificates from the future": Attack(Code.X509_NOT_YET_VALID, now=NOW - timedelta(days=3)),
    "no revocation list": Attack(Code.X509_CRL_MISSING, collateral(crl=None)),
    "an old revocation list": Attack(Code.X509_CRL_EXPIRED, collateral(at=NOW - timedelta(days=40))),
    "a revoked intermediate": Attack(
        Code.X509_REVOKED, collateral(crl=FalseAmd().crl(at=NOW, revoked=(FalseAmd().serial_number("ask"),)))
    ),
    # bound
    "two nodes spliced": Attack(Code.BINDING_MISMATCH, two_nodes_spliced),
    "another keyset with a forged binding": Attack(Code.SNP_SIGNATURE, keyset_swapped_with_its_binding_in_clear),
    "a binding that is almost right": Attack(Code.BINDING_MISMATCH, lambda: World().document(bound=b"\x01" * 64)),
    "a root that was not signed": Attack(Code.BINDING_MISMATCH, nonce_root_that_was_not_signed),
    "nonces left out": Attack(Code.BINDING_MISMATCH, nonces_left_out),
    "a stale nonce": Attack(Code.VERDICT_NONCE, nonce=OTHERS[0], fixed=False),
    "another caller's path": Attack(Code.VERDICT_NONCE, nonce_path_of_a_stranger, fixed=False),
    "evidence for nobody": Attack(Code.VERDICT_NO_NONCE, lambda: World(nonces=()).document(), fixed=False),
    "no nonce from a careless caller": Attack(Code.POLICY_CLIENT_NONCE, nonce=Unbound("careless"), fixed=False),
    "keys that have died": Attack(Code.VERDICT_KEYSET_EXPIRED, now=NOW + timedelta(hours=23)),
    "keys of tomorrow": Attack(Code.VERDICT_KEYSET_EARLY, now=NOW - timedelta(hours=2)),
    # acceptable
    "a debugged guest": Attack(Code.SNP_DEBUG, told(policy=BASE | DEBUG)),
    "a guest that may be moved": Attack(Code.SNP_MIGRATION, told(policy=BASE | MIGRATE)),
    "a guest with a migration agent": Attack(Code.SNP_REPORT_ID_MA, told(report_id_ma=b"\x01" * 32)),
    "a report from a lower privilege level": Attack(Code.SNP_VMPL, told(vmpl=1)),
    "a report that the host asked for": Attack(Code.SNP_VMPL, told(vmpl=0xFFFFFFFF)),
    "other software": Attack(Code.SNP_MEASUREMENT, policy={"accept__measurements": ["00" * 48]}),
    "older firmware": Attack(Code.SNP_MINIMUM_REPORTED_TCB, older_firmware),
    "firmware that can be rolled back": Attack(Code.SNP_MINIMUM_COMMITTED_TCB, firmware_that_can_be_rolled_back),
    "a product without a minimum": Attack(Code.SNP_MINIMUM_TCB_MISSING, lambda: World(product=Product.GENOA).document()),
    "a provider's key where chips are wanted": Attack(Code.SNP_SIGNING_KEY_TYPE, a_providers_key),
    "an unknown provider": Attack(Code.SNP_CSP_ID_UNKNOWN, a_providers_key, {"accept__signing_keys": ["vlek"]}),
    "a machine that is not on the list": Attack(Code.SNP_CHIP_ID, policy={"accept__chip_ids": ["0d" * 64]}),
    "a machine that hides its name": Attack(
        Code.SNP_CHIP_ID,
        a_providers_key,
        {"accept__signing_keys": ["vlek"], "accept__csp_ids": ["CN=simulated-cloud.invalid"], "accept__chip_ids": ["00" * 64]},
    ),
    # policy
    "an expired policy": Attack(Code.POLICY_EXPIRED, policy={"expires": "2026-11-25T00:00:00Z"}),
    "a broker in place of a node": Attack(Code.POLICY_ROLE, lambda: World(keys={"role": Role.BROKER}).document()),
    "another owner": Attack(
        Code.POLICY_AUTHORITY_KEY, lambda: World(keys={"authority_key": STRANGER.public}, admitted={}).document(), OWNED
    ),
    "an owner where there should be none": Attack(
        Code.POLICY_AUTHORITY_KEY, lambda: World(keys={"authority_key": STRANGER.public}).document()
    ),
    "another configuration": Attack(Code.POLICY_CONFIG_DIGEST, lambda: World(keys={"config_digest": b"\x01" * 32}).document()),
    "another application": Attack(Code.POLICY_SOFTWARE_DIGEST, lambda: World(keys={"software_digest": b"\x01" * 32}).document()),
    "a model under a trusted name": Attack(
        Code.POLICY_MODEL_DIGEST, lambda: World(keys={"models": {"minilm": b"\x01" * 32}}).document()
    ),
    "no admission": Attack(Code.POLICY_ADMISSION, lambda: World(keys=OWNED_KEYS).document(), OWNED),
    "an admission of another node": Attack(Code.ADMISSION_NODE, admitted_elsewhere, OWNED),
    "an admission by a stranger": Attack(Code.ADMISSION_SIGNATURE, admitted_by_a_stranger, OWNED),
    "an admission for another machine": Attack(Code.ADMISSION_PLATFORM, moved_to_another_machine, OWNED),
    "an older policy": Attack(Code.POLICY_ROLLBACK, rollback=RollbackState({"demo": 4}), fixed=False),
    "a node that went back": Attack(Code.VERDICT_ROLLBACK, rollback=RollbackState({}, {"demo": 1}), fixed=False),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=list(ATTACKS))
def test_verify_refuses_an_attack_for_the_right_reason(attack: Attack) -> None:
    with pytest.raises(ConfideError) as caught:
        verify(
            attack.document(),
            policy(**attack.policy),
            now=attack.now,
            nonce=attack.nonce,
            roots=attack.roots,
            rollback=attack.rollback,
        )
    assert caught.value.code is attack.code


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=list(ATTACKS))
def test_explain_tells_the_same_first_reason_and_gives_no_verdict(attack: Attack) -> None:
    explanation = explain(
        attack.document(),
        policy(**attack.policy),
        now=attack.now,
        nonce=attack.nonce,
        roots=attack.roots,
        rollback=attack.rollback,
    )
    assert explanation.failure is not None
    assert explanation.failure.code is attack.code
    assert explanation.verdict is None
    failed = [check.code for section in explanation.sections for check in section.checks if not check.ok]
    assert attack.code in failed


@pytest.mark.parametrize(
    "attack", [attack for attack in ATTACKS.values() if attack.fixed], ids=[name for name, item in ATTACKS.items() if item.fixed]
)
def test_the_past_refuses_it_too(attack: Attack) -> None:
    with pytest.raises(ConfideError) as caught:
        verify_as_of(attack.document(), policy(**attack.policy), at=attack.now, roots=attack.roots)
    assert caught.value.code is attack.code


def test_nothing_of_this_is_refused_when_nobody_lies() -> None:
    verify(World().document(), policy(), now=NOW, nonce=NONCE, roots=ROOTS)
    owned = World(keys=OWNED_KEYS, admitted={})
    verify(owned.document(), policy(**OWNED), now=NOW, nonce=NONCE, roots=ROOTS)


def test_false_roots_are_marked_and_no_vendors_root_is() -> None:
    assert all(root.simulated for root in confide_sim.roots())
    assert not any(root.simulated for root in VENDOR_ROOTS)


@pytest.mark.parametrize("offset", range(0x000, 0x2A0, 0x1D))
def test_no_bit_of_a_signed_report_can_be_changed(offset: int) -> None:
    with pytest.raises(ConfideError):
        verify(flipped("report", offset)(), policy(), now=NOW, nonce=NONCE, roots=ROOTS)


PLAIN = World().document()
PARTS = json.loads(PLAIN)


def garbled(place: tuple[str, int], edits: list[tuple[int, int]], length: int) -> bytes:
    """The document with bytes of one inner value changed and its end cut off, encoded correctly again."""
    members = json.loads(PLAIN)
    name, index = place
    inner = bytearray(base64.b64decode(members[name][index]["value"] if name != "keyset" else members[name]))
    for offset, value in edits:
        inner[offset % len(inner)] = value
    text = base64.b64encode(bytes(inner[: len(inner) - length])).decode()
    if name == "keyset":
        members[name] = text
    else:
        members[name][index]["value"] = text
    return json.dumps(members).encode()


PLACES = [("keyset", 0), ("evidence", 0), *(("collateral", index) for index in range(len(PARTS["collateral"])))]
EDITS = st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=3)


def never_raises(document: bytes) -> None:
    """Whatever the bytes, `explain` returns, and `verify` gives the same verdict or the same refusal."""
    explained = explain(document, policy(), now=NOW, nonce=NONCE, roots=ROOTS)
    if explained.failure is None:
        assert verify(document, policy(), now=NOW, nonce=NONCE, roots=ROOTS) == explained.verdict
        return
    with pytest.raises(ConfideError) as caught:
        verify(document, policy(), now=NOW, nonce=NONCE, roots=ROOTS)
    assert caught.value.code is explained.failure.code


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PLACES), EDITS, st.integers(0, 3))
def test_garbled_parts_are_refused_and_never_crash(place: tuple[str, int], edits: list[tuple[int, int]], length: int) -> None:
    never_raises(garbled(place, edits, length))


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=300) | st.integers(0, len(PLAIN)).map(lambda end: PLAIN[:end]))
def test_any_bytes_are_explained(data: bytes) -> None:
    never_raises(data)


@pytest.mark.deep
@settings(max_examples=3000, deadline=None)
@given(st.sampled_from(PLACES), EDITS, st.integers(0, 40))
def test_garbled_parts_are_refused_and_never_crash_for_long(
    place: tuple[str, int], edits: list[tuple[int, int]], length: int
) -> None:
    never_raises(garbled(place, edits, length))
