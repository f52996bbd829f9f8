"""Comparing a verified node with a policy (spec/07-verify.md, steps 1, 4 and 6 to 10). Each function is one family of rules.

Everything here works on claims and keysets that are already genuine and bound. Left to others: the order of the rules (`verify`),
and what a kind of TEE must look like (`attest`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from confide.attest.admission import Admission, verify_admission
from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.constraints import Constraints, Ignored
from confide.attest.document import Document
from confide.attest.keyset import Isolation, Keyset
from confide.attest.verifiers import validate
from confide.codes import Code
from confide.errors import PolicyError
from confide.formats import dsse
from confide.formats.fields import format_time
from confide.policy import composite
from confide.policy.accept import table
from confide.policy.model import AcceptEntry, NodeRules, Origin, Policy, PoolRule
from confide.policy.record import absorb
from confide.policy.verdict import KEM_XWING, Custody, Unbound

WITHOUT = "no policy says what is accepted"
NO_POLICY = "none was given: what runs there was compared with nothing"
_SHOWN = 4  # digests spelled out in a message; the rest is counted


def standing(policy: Policy, *, now: datetime, checks: Checks) -> None:
    """Step 1: the policy itself has not expired; that it admits simulation, and where its values come from, is said."""
    found, wanted = format_time(now), f"before {format_time(policy.expires)}"
    _rule(checks, now < policy.expires, Code.POLICY_EXPIRED, "policy expiry", found=found, wanted=wanted)
    if policy.unsafe_accept_simulated:
        checks.relax("unsafe_accept_simulated", "SIMULATED evidence is accepted: it protects nothing")
    if policy.origin is Origin.FIRST_USE:
        checks.skip("who built the software", "origin = first-use: the accepted values were taken from a node, not from its makers")


def caller_nonce(policy: Policy, *, nonce: bytes | Unbound, checks: Checks) -> None:
    """Step 1: a policy that wants the caller's nonce gets one (`policy.client_nonce`)."""
    if not policy.require.client_nonce:
        checks.relax("require.client_nonce", "old evidence may be shown again")
        return
    given = not isinstance(nonce, Unbound)
    _rule(checks, given, Code.POLICY_CLIENT_NONCE, "caller's nonce", found="given" if given else "none", wanted="a nonce")


def simulated(policy: Policy, claims: Sequence[Claims], *, checks: Checks) -> None:
    """Step 4: a false vendor is admitted only by `unsafe_accept_simulated = true`."""
    if policy.unsafe_accept_simulated:
        return
    false = any(each.simulated for each in claims)
    found = "SIMULATED" if false else "a vendor's pinned root"
    _rule(checks, not false, Code.POLICY_SIMULATED, "vendor", found=found, wanted="a vendor's pinned root")


def accepted(policy: Policy, claims: Claims, *, checks: Checks) -> AcceptEntry:
    """Step 6: the evidence satisfies one `accept` entry of its kind, whole. None fits: the nearest one's failure is told."""
    entries = [entry for entry in policy.accept if str(entry.tee) == str(claims.kind)]
    wanted = ", ".join(sorted({entry.tee.value for entry in policy.accept}))
    _rule(checks, bool(entries), Code.POLICY_TEE, "kind of TEE", found=claims.kind.value, wanted=wanted)
    checks.conclude()  # a lenient record goes on elsewhere: there is nothing to compare with here
    trials = [(entry, _trial(entry.constraints, claims)) for entry in entries]
    entry, trial = min(trials, key=lambda pair: sum(not check.ok for check in pair[1].done))
    absorb(checks, trial)
    return entry


def presentable(claims: Claims, checks: Checks) -> None:
    """Without a policy: the strict state checks alone. What they would compare with reference values is listed as not checked."""
    trial = _trial(table.of(claims.kind)[1].without_references(claims), claims)
    told = [replace(item, why=WITHOUT) if item.why.startswith("the policy ") else item for item in trial.not_checked]
    absorb(checks, replace(trial, relaxations=[], not_checked=told))
    for item in trial.relaxations:
        checks.skip(item.setting, WITHOUT)


def _trial(constraints: Constraints, claims: Claims) -> Checks:
    trial = Checks(strict=False)
    validate(claims, constraints, checks=trial)
    return trial


def node(rules: NodeRules, keyset: Keyset, *, checks: Checks) -> None:
    """Step 7: role, authority, configuration, software, isolation."""
    role = keyset.role
    _rule(checks, role is rules.role, Code.POLICY_ROLE, "role", found=str(role), wanted=str(rules.role))
    _authority(rules, keyset, checks=checks)
    digests = (
        ("config_digests", Code.POLICY_CONFIG_DIGEST, "configuration digest", keyset.config_digest, rules.config_digests),
        ("software_digests", Code.POLICY_SOFTWARE_DIGEST, "software digest", keyset.software_digest, rules.software_digests),
    )
    for setting, code, title, found, allowed in digests:
        if isinstance(allowed, Ignored):
            checks.relax(f"node.{setting}", f"any {title} is accepted")
        else:
            _rule(checks, found in allowed, code, title, found=found.hex(), wanted=_one_of(allowed))
    _isolation(rules.isolation, keyset, checks=checks)


def _authority(rules: NodeRules, keyset: Keyset, *, checks: Checks) -> None:
    if isinstance(rules.authority_key, Ignored):
        checks.relax("node.authority_key", "whoever owns the deployment decides what the node obeys")
        return
    same = keyset.authority_key == rules.authority_key
    found, wanted = key_text(keyset.authority_key), key_text(rules.authority_key)
    _rule(checks, same, Code.POLICY_AUTHORITY_KEY, "authority key", found=found, wanted=wanted)


def _isolation(allowed: Sequence[Isolation], keyset: Keyset, *, checks: Checks) -> None:
    found, wanted = str(keyset.isolation), " or ".join(str(mode) for mode in allowed)
    _rule(checks, keyset.isolation in allowed, Code.POLICY_ISOLATION, "engine isolation", found=found, wanted=wanted)


def requirements(policy: Policy, keyset: Keyset, *, checks: Checks) -> None:
    """Step 8: key sharing, post-quantum keys, receipt keys."""
    require = policy.require
    pool = "keys of this node only" if keyset.pool is None else f"keys of pool {keyset.pool.id}"
    alone = keyset.pool is None or require.pool is PoolRule.SHARED
    _rule(checks, alone, Code.POLICY_POOL, "key sharing", found=pool, wanted=require.pool.value)
    hybrid = sum(key.kem_id == KEM_XWING for key in keyset.ohttp_keys)
    if require.post_quantum:
        _rule(checks, hybrid > 0, Code.POLICY_POST_QUANTUM, "post-quantum key", found=f"{hybrid} X-Wing keys", wanted="at least 1")
    else:
        checks.relax("require.post_quantum", "what is recorded today may be read by a quantum computer later")
    signers = sum(key.alg is dsse.SignatureAlgorithm.ED25519 for key in keyset.receipt_keys)
    if require.receipts:
        _rule(checks, signers > 0, Code.POLICY_RECEIPTS, "receipt key", found=f"{signers} Ed25519 keys", wanted="at least 1")
    else:
        checks.relax("require.receipts", "answers may come without proof")
    if require.log_proof:
        makers = sum(key.alg is dsse.SignatureAlgorithm.ML_DSA_65 for key in keyset.receipt_keys)
        _rule(checks, makers > 0, Code.POLICY_LOG_PROOF, "log key", found=f"{makers} ML-DSA-65 keys", wanted="at least 1")


def models(policy: Policy, keyset: Keyset, *, checks: Checks) -> None:
    """Step 9: a start-up model under an alias of the policy has an accepted digest. Other aliases are names nobody relies on."""
    for alias, digests in policy.models.items():
        found = keyset.models.get(alias)
        if found is None:
            checks.skip(f"model {alias}", "the node did not start with it; its digest is compared when it is used")
        else:
            _rule(checks, found in digests, Code.POLICY_MODEL_DIGEST, f"model {alias}", found=found.hex(), wanted=_one_of(digests))


@dataclass(frozen=True)
class Holder:
    """What is known about who holds the machine."""

    custody: Custody
    admission: Admission | None


def custody(
    policy: Policy,
    document: Document,
    claims: Sequence[Claims],
    *,
    entries: Sequence[AcceptEntry],
    now: datetime,
    admitting: bool,
    checks: Checks,
) -> Holder:
    """Step 10: an admission where the policy asks for one, or chip allow-lists; `custody: not checked` is said aloud.

    Who is about to admit the node looks for no admission (`admitting`), which is said aloud too.
    """
    admission = None
    if admitting:
        checks.skip("admission", "this verification is for admitting the node; it opens no channel for requests")
    else:
        admission = _admission(policy, document, claims, now=now, checks=checks)
    listed = bool(entries) and all(entry.constraints.platforms is not None for entry in entries)
    if admission is None and not listed:
        checks.skip("custody", "neither an admission nor a chip allow-list says in whose hands the machine is")
    return Holder(_CUSTODY[admission is not None, listed], admission)


_CUSTODY = {
    (False, False): Custody.NOT_CHECKED,
    (True, False): Custody.ADMISSION,
    (False, True): Custody.CHIP_LIST,
    (True, True): Custody.ADMISSION_AND_CHIP_LIST,
}


def _admission(policy: Policy, document: Document, claims: Sequence[Claims], *, now: datetime, checks: Checks) -> Admission | None:
    key = policy.node.authority_key
    if not policy.require.admission:
        if isinstance(key, dsse.PublicKey):
            checks.relax("require.admission", "any machine with this software is accepted, whoever holds it")
        return None
    envelope = document.admission
    found = "none" if envelope is None else "present"
    checks.require(
        envelope is not None,
        Code.POLICY_ADMISSION,
        "admission",
        found=found,
        wanted="one by the authority key",
        error=PolicyError,
        hint="do not use it; its owner can admit it: confide admit",
    )
    if envelope is None or not isinstance(key, dsse.PublicKey):  # the second half never holds (schema._requirements)
        return None
    return verify_admission(
        envelope,
        keyset=document.keyset,
        authority_key=key,
        now=now,
        platform_id=composite.machine(claims).platform_id,
        places=policy.require.places,
        checks=checks,
    )


def key_text(key: dsse.PublicKey | None) -> str:
    """A public key by algorithm and keyid."""
    return "none" if key is None else f"{key.alg.value} keyid {key.keyid}"


def _one_of(digests: Sequence[bytes]) -> str:
    shown = ", ".join(digest.hex() for digest in digests[:_SHOWN])
    return shown if len(digests) <= _SHOWN else f"{shown} or {len(digests) - _SHOWN} more"


def _rule(checks: Checks, ok: bool, code: Code, title: str, *, found: str, wanted: str) -> None:
    checks.require(ok, code, title, found=found, wanted=wanted, error=PolicyError)
