"""A quote of the host's TPM beside a TEE's report: one verdict, each held by its own entry, and the relaxation told."""

import json
from typing import Any

import pytest
from tests.policy.world import NONCE, NOW, ROOTS, World, members
from tests.policy.world import policy as plain
from tests.support import refused

from confide.attest.binding import binding, carried_by
from confide.attest.evidence import Kind
from confide.attest.tpm.verify import spki_sha256
from confide.codes import Code
from confide.policy.load import load_policy
from confide.policy.model import Policy
from confide.policy.verdict import Verdict
from confide.policy.verify import verify
from confide_sim.tpm import FalseTpm

TPM = FalseTpm(at=NOW)
PCRS = {str(index): [TPM.pcrs()[index].hex()] for index in (0, 4, 7, 8)}
ENTRY = {"tee": "tpm", "pcrs": PCRS, "allow_host_trusted": "unsafe_ignored", "secure_boot": True}


def policy(**entry: Any) -> Policy:
    """The false node's policy with a second entry."""
    tables = members()
    tables["accept"].append({name: value for name, value in {**ENTRY, **entry}.items() if value is not None})
    return load_policy(json.dumps(tables).encode())


def verdict(policy: Policy, **overrides: Any) -> Verdict:
    """The real verifier over a report and a quote; overrides are of the quote."""
    world = World(keys={"tpm_ak_spki_sha256": spki_sha256(TPM.key.public_key())})
    root, _ = world._nonces()
    bound = carried_by(Kind.TPM, binding(nonces=root, keyset=world.keyset.raw))
    quote = (TPM.evidence(**{"extra_data": bound, **overrides}), TPM.endorsements())
    return verify(world.document(others=[quote]), policy, now=NOW, nonce=NONCE, roots=ROOTS)


def test_both_are_held_by_their_own_entries_and_the_host_is_named_as_trusted() -> None:
    found = verdict(policy())
    assert {claims.kind for claims in found.claims} == {Kind.SNP, Kind.TPM}
    assert "allow_host_trusted" in {item.setting for item in found.relaxations}


CASES: list[tuple[str, Code, dict[str, Any], dict[str, Any]]] = [
    ("a host that is not trusted by name", Code.TPM_HOST_TRUSTED, {"allow_host_trusted": None}, {}),
    ("another boot", Code.TPM_PCR, {"pcrs": {"4": ["00" * 32]}}, {}),
    ("a quote for somebody else", Code.BINDING_MISMATCH, {}, {"extra_data": bytes(32)}),
    ("a quote with the 64 bytes themselves", Code.BINDING_MISMATCH, {}, {"extra_data": bytes(64)}),
    ("a quote by no TPM", Code.TPM_MAGIC, {}, {"magic": b"XXXX"}),
]


@pytest.mark.parametrize(("what", "code", "entry", "quote"), CASES, ids=[what for what, _, _, _ in CASES])
def test_what_lies_refuses_the_whole(what: str, code: Code, entry: dict[str, Any], quote: dict[str, Any]) -> None:
    with refused(code):
        verdict(policy(**entry), **quote)


def test_a_quote_that_no_entry_names_refuses() -> None:
    with refused(Code.POLICY_TEE):
        verdict(plain())
