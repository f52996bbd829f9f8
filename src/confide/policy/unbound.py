"""Evidence by itself, as a vendor's tools record it. Without a document there is no keyset: it can be explained, never verified.

What it proves is looked at as in a document (`genuine`, `rules`): vendor, state, and a policy's accept entries. What it carries is
shown; nothing says whose keys and which session that is about, so there is no verdict. Left to others: reading files
(`client.recorded`).
"""

from collections.abc import Sequence
from datetime import datetime

from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.evidence import Evidence, Roots
from confide.policy import composite, rules
from confide.policy.explanation import Explanation
from confide.policy.genuine import Pieces, genuine
from confide.policy.instants import aware
from confide.policy.model import AcceptEntry, Policy
from confide.policy.record import Record, each_piece
from confide.policy.verdict import Stage

WHY = "evidence without a document: what it carries is shown, and is compared with nothing"


def explain_evidence(pieces: Pieces, policy: Policy | None, *, now: datetime, roots: Roots) -> Explanation:
    """Every check of evidence without a document, as of `now`. Never raises for what the evidence or the policy holds.

    Raises:
        MisuseError: `verdict.time`.
    """
    at, record = aware(now), Record(strict=False)
    if policy is not None:
        record.run(Stage.POLICY, lambda checks: rules.standing(policy, now=at, checks=checks))
    found: list[Claims] = []
    genuine_all = record.run(Stage.GENUINE, lambda checks: _genuine(pieces, policy, at, roots, checks, found))
    if genuine_all is not None:
        _state([evidence for evidence, _ in pieces], genuine_all, policy, record)
    return Explanation(
        policy=policy.ref if policy else None,
        at=at,
        historic=True,
        sections=record.sections,
        not_checked=record.not_checked,
        relaxations=record.relaxations,
        keyset=None,
        claims=tuple(found),
        verdict=None,
        past=None,
        failure=record.failure,
        bound=False,
    )


def _genuine(
    pieces: Pieces, policy: Policy | None, at: datetime, roots: Roots, checks: Checks, found: list[Claims]
) -> tuple[Claims, ...]:
    found.extend(genuine(pieces, policy, now=at, roots=roots, checks=checks))
    checks.conclude()
    if policy is not None:
        rules.simulated(policy, found, checks=checks)
    return tuple(found)


def _state(evidence: Sequence[Evidence], claims: tuple[Claims, ...], policy: Policy | None, record: Record) -> None:
    record.run(Stage.BOUND, lambda checks: checks.skip("binding, freshness", WHY))
    if policy is None:
        record.run(Stage.ACCEPTABLE, lambda checks: each_piece(evidence, claims, rules.presentable, checks=checks))
        record.run(Stage.POLICY, lambda checks: checks.skip("policy", rules.NO_POLICY))
        return

    def accepted(each: Claims, checks: Checks) -> AcceptEntry:
        return rules.accepted(policy, each, checks=checks)

    record.run(Stage.ACCEPTABLE, lambda checks: each_piece(evidence, claims, accepted, checks=checks))
    record.run(Stage.POLICY, lambda checks: composite.wanted_pieces(policy, claims, checks=checks))
    record.run(Stage.POLICY, lambda checks: checks.skip("node, models, custody", "there is no keyset to compare with"))
