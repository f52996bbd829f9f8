"""Operations of vectors/07-verify.json: verify, use the verdict later, judge as of another time, read a state, trust on first use.

Input: `document`, `policy` (hex of their bytes, `policy` unsigned), `now`, `nonce` (hex; null where the caller has none), `roots`,
and `rollback` (hex of a state, or null).
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from confide.attest.evidence import Kind, Root, Roots
from confide.formats.fields import format_time
from confide.policy.load import load_policy
from confide.policy.rollback import RollbackState
from confide.policy.trust import Proposal, propose_policy
from confide.policy.verdict import Unbound, Verdict, VerdictBase
from confide.policy.verify import verify, verify_as_of, verify_for_admission


def _roots(given: dict[str, Any]) -> Roots:
    return tuple(
        Root(Kind(root["kind"]), root["name"], bytes.fromhex(root["der"]), simulated=root["simulated"]) for root in given["roots"]
    )


def _nonce(given: dict[str, Any]) -> bytes | Unbound:
    return Unbound("the vector gives none") if given["nonce"] is None else bytes.fromhex(given["nonce"])


def _verdict(given: dict[str, Any]) -> Verdict:
    state = given["rollback"]
    return verify(
        bytes.fromhex(given["document"]),
        load_policy(bytes.fromhex(given["policy"])),
        now=datetime.fromisoformat(given["now"]),
        nonce=_nonce(given),
        roots=_roots(given),
        rollback=None if state is None else RollbackState.from_json(bytes.fromhex(state)),
    )


def _verify(given: dict[str, Any]) -> dict[str, Any]:
    verdict = _verdict(given)
    keys = [config.hex() for config in verdict.ohttp_key_configs]
    return _common(verdict) | {"key_configs": keys, "rollback": verdict.rollback.to_json().hex()}


def _use(given: dict[str, Any]) -> dict[str, Any]:
    """Verify, then use the verdict at the time `at`."""
    verdict = _verdict(given)
    verdict.require_usable(datetime.fromisoformat(given["at"]))
    return {"expires": format_time(verdict.expires)}


def _for_admission(given: dict[str, Any]) -> dict[str, Any]:
    """As an owner verifies who is about to admit."""
    verdict = verify_for_admission(
        bytes.fromhex(given["document"]),
        load_policy(bytes.fromhex(given["policy"])),
        now=datetime.fromisoformat(given["now"]),
        nonce=_nonce(given),
        roots=_roots(given),
    )
    return _common(verdict) | {"admission_not_checked": "admission" in [item.what for item in verdict.not_checked]}


def _as_of(given: dict[str, Any]) -> dict[str, Any]:
    policy, at = load_policy(bytes.fromhex(given["policy"])), datetime.fromisoformat(given["now"])
    return _common(verify_as_of(bytes.fromhex(given["document"]), policy, at=at, roots=_roots(given), nonce=_nonce(given)))


def _common(verdict: VerdictBase) -> dict[str, Any]:
    return {
        "policy_digest": verdict.policy.digest.hex(),
        "keyset_digest": verdict.keyset.digest.hex(),
        "verified_at": format_time(verdict.verified_at),
        "expires": format_time(verdict.expires),
        "simulated": verdict.simulated,
        "custody": verdict.custody.value,
        "nonce": verdict.nonce and verdict.nonce.hex(),
        "relaxations": sorted(item.setting for item in verdict.relaxations),
    }


def _state(given: dict[str, Any]) -> dict[str, Any]:
    """Read a rollback state (plus `spaces` blanks) and write it again."""
    state = RollbackState.from_json(bytes.fromhex(given["state"]) + b" " * given.get("spaces", 0))
    return {"state": state.to_json().hex()}


def _proposal(given: dict[str, Any]) -> Proposal:
    return propose_policy(
        bytes.fromhex(given["document"]),
        now=datetime.fromisoformat(given["now"]),
        nonce=_nonce(given),
        roots=_roots(given),
        name=given["name"],
        unsafe_accept_simulated=given["unsafe_accept_simulated"],
    )


def _trust(given: dict[str, Any]) -> dict[str, Any]:
    """Propose a policy and accept it by a digest; what was accepted must then pass."""
    proposal = _proposal(given)
    proposal.require_digest(given["accept_digest"])
    return {"digest": proposal.digest, "trusted": dict(proposal.trusted)}


OPS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "verify": _verify,
    "verify.use": _use,
    "verify.as_of": _as_of,
    "verify.for_admission": _for_admission,
    "verify.rollback_state": _state,
    "verify.trust": _trust,
}
