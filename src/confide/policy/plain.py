"""Explanations and verdicts as plain values for `--json`: every check whole, digests in hex. No keys, no evidence."""

from collections.abc import Mapping
from typing import Any

from confide.attest.claims import Claims
from confide.attest.keyset import Keyset
from confide.formats.fields import format_time
from confide.policy.explanation import Explanation
from confide.policy.meaning import MEANINGS
from confide.policy.model import PolicyRef
from confide.policy.verdict import HistoricVerdict, Section, Verdict, VerdictBase

VERSION = 1


def as_dict(subject: Explanation | Verdict | HistoricVerdict) -> dict[str, Any]:
    """The same members whatever the outcome; what does not apply is null."""
    explanation = Explanation.of(subject) if isinstance(subject, VerdictBase) else subject
    verdict = explanation.verdict or explanation.past
    return {
        "version": VERSION,
        "outcome": explanation.outcome.value,
        "simulated": explanation.simulated,
        "policy": _policy(explanation.policy) if explanation.policy else None,
        "at": format_time(explanation.at),
        "historic": explanation.historic,
        "expires": format_time(verdict.expires) if verdict else None,
        "custody": verdict.custody.value if verdict else None,
        "place": verdict.admission.place if verdict and verdict.admission else None,
        "failure": explanation.failure.as_dict() if explanation.failure else None,
        "relaxations": [{"setting": item.setting, "effect": item.effect} for item in explanation.relaxations],
        "not_checked": [{"piece": item.piece or None, "what": item.what, "why": item.why} for item in explanation.not_checked],
        "checks": [check for section in explanation.sections for check in _checks(section)],
        "claims": [_claims(claims) for claims in explanation.claims],
        "keyset": _keyset(explanation.keyset) if explanation.keyset else None,
    }


def _checks(section: Section) -> list[Mapping[str, Any]]:
    return [
        {
            "stage": section.stage.value,
            "piece": check.piece or None,
            "code": check.code.value,
            "title": check.title,
            "ok": check.ok,
            "found": check.found,
            "wanted": check.wanted,
        }
        for check in section.checks
    ]


def _policy(policy: PolicyRef) -> Mapping[str, Any]:
    return {
        "name": policy.name,
        "serial": policy.serial,
        "digest": policy.digest.hex(),
        "origin": policy.origin.value,
        "signer": policy.signer or None,
    }


def _claims(claims: Claims) -> Mapping[str, Any]:
    return {
        "kind": claims.kind.value,
        "name": MEANINGS[claims.kind].name,
        "vouched_by": MEANINGS[claims.kind].vendor,
        "proves": MEANINGS[claims.kind].proves,
        "not_proven": list(MEANINGS[claims.kind].not_proven),
        "simulated": claims.simulated,
        "measurements": {name: value.hex() for name, value in claims.measurements},
        "carries": claims.report_data.hex(),
        "platform_id": claims.platform_id or None,
        "tcb_status": claims.tcb_status,
        "advisories": list(claims.advisories),
        "not_before": format_time(claims.not_before),
        "not_after": format_time(claims.not_after),
    }


def _keyset(keyset: Keyset) -> Mapping[str, Any]:
    return {
        "digest": keyset.digest.hex(),
        "node_id": keyset.node_id.hex(),
        "role": keyset.role.value,
        "authority_key": keyset.authority_key.keyid if keyset.authority_key else None,
        "software_digest": keyset.software_digest.hex(),
        "config_digest": keyset.config_digest.hex(),
        "policy_digest": keyset.policy_digest.hex() if keyset.policy_digest else None,
        "policy_serial": keyset.policy_serial,
        "pool": keyset.pool.id if keyset.pool else None,
        "isolation": keyset.isolation.value,
        "models": {alias: digest.hex() for alias, digest in keyset.models.items()},
        "not_before": format_time(keyset.not_before),
        "not_after": format_time(keyset.not_after),
    }
