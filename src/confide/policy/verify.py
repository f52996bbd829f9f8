"""The whole verification, once for programs and once for people (spec/07-verify.md).

`verify()` raises the first failure; `explain()` runs the same steps with a lenient record and tells every check. `verify_as_of()`
judges as of another time, `verify_for_admission()` without the admission, and both return another type. Pure: the document, the
policy, `now`, the caller's nonce, the pinned roots and the rollback state are arguments.

Steps, in the order in which a strict record meets them:

 1. the policy holds at `now` and is not older than one seen before; the caller gives the nonce it wants: `_standing`
 2. the document is read: `attest.document`
 3. the evidence is genuine: vendor chain, revocation, signature, TCB: `genuine`, `attest.verifiers`
 4. it is not simulated, unless the policy admits that: `rules.simulated`
 5. it is one machine's, bound to these keys, valid at `now`, and to the caller's nonce: `_bound`, `bound`, `composite`
 6. the state of the TEE satisfies one `accept` entry, whole: `rules.accepted`
 7. the keyset has the wanted role, authority, configuration, software and isolation: `rules.node`
 8. key sharing, post-quantum and receipt keys are as required: `rules.requirements`
 9. start-up models have accepted digests: `rules.models`
10. admission and custody: `rules.custody`
11. the node did not go back to older policy or TCB data: `rollback`
12. the verdict, which expires with the first of its parts: `conclude`

Left to others: getting documents (`client`), keeping the rollback state (`client`), words for people (`text`).
"""

from dataclasses import dataclass
from datetime import datetime

from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.document import Document, parse_document, piece_of
from confide.attest.evidence import Roots
from confide.attest.keyset import Keyset
from confide.policy import bound, composite, conclude, rules
from confide.policy.conclude import Verified
from confide.policy.explanation import Explanation
from confide.policy.genuine import genuine
from confide.policy.instants import aware
from confide.policy.model import AcceptEntry, Policy
from confide.policy.record import Record, each_piece
from confide.policy.rollback import RollbackState
from confide.policy.verdict import AdmittingVerdict, HistoricVerdict, Stage, Unbound, Verdict

HISTORIC = Unbound("judged as of another time, without the caller's nonce")


def verify(
    document: bytes,
    policy: Policy,
    *,
    now: datetime,
    nonce: bytes | Unbound,
    roots: Roots,
    rollback: RollbackState | None = None,
) -> Verdict:
    """The verdict about a document now.

    Args:
        nonce: the caller's own 32 random bytes for this document; `Unbound(reason)` only where the policy lets it be missing.
        rollback: the state of earlier verdicts, `RollbackState()` at first; the advanced one is in the verdict.

    Raises:
        ConfideError: the first check that fails, with its code; nothing may be sent to the node then.
    """
    question = _Question(policy, now=aware(now), nonce=nonce, roots=roots, rollback=rollback)
    record = Record(strict=True)
    return conclude.verdict(_run(question, document, record), record, rollback=question.seen)


def verify_for_admission(
    document: bytes,
    policy: Policy,
    *,
    now: datetime,
    nonce: bytes | Unbound,
    roots: Roots,
    rollback: RollbackState | None = None,
) -> AdmittingVerdict:
    """The verdict of an owner who is about to admit the node: all that `policy` wants but the admission, which is not looked at.

    It is of another type than `verify` gives, and lists the admission under what was not checked: no request can be sent on it.

    Raises:
        ConfideError: as `verify`.
    """
    question = _Question(policy, now=aware(now), nonce=nonce, roots=roots, rollback=rollback, admitting=True)
    record = Record(strict=True)
    return conclude.admitting(_run(question, document, record), record, rollback=question.seen)


def verify_as_of(
    document: bytes,
    policy: Policy,
    *,
    at: datetime,
    roots: Roots,
    nonce: bytes | Unbound = HISTORIC,
    admitting: bool = False,
) -> HistoricVerdict:
    """The verdict about a document as of another time: for receipts and audits, never for opening a channel.

    Args:
        admitting: look for no admission, which is then listed under what was not checked (as `verify_for_admission`).

    Raises:
        ConfideError: as `verify`.
    """
    question = _Question(policy, now=aware(at), nonce=nonce, roots=roots, rollback=None, historic=True, admitting=admitting)
    record = Record(strict=True)
    return conclude.past(_run(question, document, record), record)


def explain(
    document: bytes,
    policy: Policy | None,
    *,
    now: datetime,
    nonce: bytes | Unbound,
    roots: Roots,
    rollback: RollbackState | None = None,
    historic: bool = False,
) -> Explanation:
    """Every check with what was found and wanted. Never raises for what the document or the policy holds.

    Raises:
        MisuseError: `verdict.time`, `verdict.nonce_form`: the call itself is wrong.
    """
    question = _Question(policy, now=aware(now), nonce=nonce, roots=roots, rollback=rollback, historic=historic)
    record, partial = Record(strict=False), _Partial()
    verified = _run(question, document, record, partial)
    return Explanation(
        policy=policy.ref if policy else None,
        at=question.now,
        historic=historic,
        sections=record.sections,
        not_checked=record.not_checked,
        relaxations=record.relaxations,
        keyset=partial.keyset,
        claims=partial.claims,
        verdict=conclude.verdict(verified, record, rollback=question.seen) if verified and not historic else None,
        past=conclude.past(verified, record) if verified and historic else None,
        failure=record.failure,
    )


@dataclass(frozen=True)
class _Question:
    """What was asked: everything but the document."""

    policy: Policy | None
    now: datetime
    nonce: bytes | Unbound
    roots: Roots
    rollback: RollbackState | None
    historic: bool = False
    admitting: bool = False

    def __post_init__(self) -> None:
        bound.require_form(self.nonce)

    @property
    def seen(self) -> RollbackState:
        """The state to compare with and to advance."""
        return self.rollback or RollbackState()


@dataclass
class _Partial:
    """What was verified before a lenient record met a failure: for showing only."""

    claims: tuple[Claims, ...] = ()
    keyset: Keyset | None = None


def _run(question: _Question, data: bytes, record: Record, partial: _Partial | None = None) -> Verified | None:
    """Steps 1 to 11. None: something failed and the record is lenient, or there is no policy."""
    partial = partial or _Partial()
    record.run(Stage.POLICY, lambda checks: _standing(question, checks))
    document = record.run(Stage.DOCUMENT, lambda _: parse_document(data))
    if document is None:
        _not_reached(record, "everything about the node", "the document cannot be read")
        return None
    claims = record.run(Stage.GENUINE, lambda checks: _genuine(question, document, checks, partial))
    if claims is None:
        _not_reached(record, "binding, state, policy", "the evidence is not genuine, so nothing in it is believed")
        return None
    record.run(Stage.GENUINE, lambda checks: _vendors(question.policy, claims, checks))
    partial.keyset = record.run(Stage.BOUND, lambda checks: _bound(document, claims, checks))
    record.run(Stage.BOUND, lambda checks: bound.in_window(document.keyset, now=question.now, checks=checks))
    record.run(Stage.BOUND, lambda checks: bound.to_nonce(document, question.nonce, checks=checks))
    policy = question.policy
    if policy is None:
        record.run(Stage.ACCEPTABLE, lambda checks: _presentable(document, claims, checks))
        _not_reached(record, "policy", rules.NO_POLICY)
        return None
    entries = record.run(Stage.ACCEPTABLE, lambda checks: _acceptable(policy, document, claims, checks))
    if partial.keyset is None:
        _not_reached(record, "node, models, custody", "the keyset is not the one that the evidence is about")
        return None
    return _judge(question, policy, document, claims, entries or (), record)


def _standing(question: _Question, checks: Checks) -> None:
    """Step 1."""
    policy = question.policy
    if policy is None:
        return
    rules.standing(policy, now=question.now, checks=checks)
    if question.historic:
        checks.skip("rollback", "judged as of another time")
        return
    if question.rollback is None:
        checks.skip("rollback", "the caller keeps no state of what was seen before")
    question.seen.check_policy(policy, checks=checks)
    rules.caller_nonce(policy, nonce=question.nonce, checks=checks)


def _genuine(question: _Question, document: Document, checks: Checks, partial: _Partial) -> tuple[Claims, ...]:
    """Step 3, for all evidence there is."""
    pieces = [(evidence, document.endorsements_of(evidence)) for evidence in document.evidence]
    partial.claims = genuine(pieces, question.policy, now=question.now, roots=question.roots, checks=checks)
    checks.conclude()
    return partial.claims


def _vendors(policy: Policy | None, claims: tuple[Claims, ...], checks: Checks) -> None:
    """Step 4."""
    if policy is not None:
        rules.simulated(policy, claims, checks=checks)


def _bound(document: Document, claims: tuple[Claims, ...], checks: Checks) -> Keyset:
    """Step 5."""
    composite.primary(claims, checks=checks)
    for evidence, each in zip(document.evidence, claims, strict=True):
        with checks.about(piece_of(evidence), among=len(claims)):
            bound.to_keyset(document, each, index=evidence.index, checks=checks)
    composite.named_keys(document.evidence, claims, document.keyset, checks=checks)
    return document.keyset


def _acceptable(policy: Policy, document: Document, claims: tuple[Claims, ...], checks: Checks) -> tuple[AcceptEntry, ...]:
    """Step 6, for all pieces."""
    return each_piece(document.evidence, claims, lambda each, checks: rules.accepted(policy, each, checks=checks), checks=checks)


def _presentable(document: Document, claims: tuple[Claims, ...], checks: Checks) -> None:
    """Step 6 without a policy."""
    each_piece(document.evidence, claims, rules.presentable, checks=checks)


def _judge(
    question: _Question,
    policy: Policy,
    document: Document,
    claims: tuple[Claims, ...],
    entries: tuple[AcceptEntry, ...],
    record: Record,
) -> Verified | None:
    """Steps 7 to 11. Every rule runs, also in a lenient record where one before it failed."""
    keyset, run = document.keyset, record.run
    run(Stage.POLICY, lambda checks: composite.wanted_pieces(policy, claims, checks=checks))
    run(Stage.POLICY, lambda checks: rules.node(policy.node, keyset, checks=checks))
    run(Stage.POLICY, lambda checks: rules.requirements(policy, keyset, checks=checks))
    run(Stage.POLICY, lambda checks: rules.models(policy, keyset, checks=checks))
    holder = run(
        Stage.POLICY,
        lambda checks: rules.custody(
            policy, document, claims, entries=entries, now=question.now, admitting=question.admitting, checks=checks
        ),
    )
    if not question.historic:
        run(Stage.POLICY, lambda checks: question.seen.check_node(policy, keyset, claims, checks=checks))
    if holder is None or record.failure is not None:
        return None
    return Verified(policy, keyset, claims, holder, verified_at=question.now, nonce=question.nonce)


def _not_reached(record: Record, what: str, why: str) -> None:
    record.run(Stage.POLICY, lambda checks: checks.skip(what, why))
