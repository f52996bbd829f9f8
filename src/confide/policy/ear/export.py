"""A verdict as an EAR: a JWT with a submodule for each piece of evidence (draft-ietf-rats-ear-04, section 3).

Private claims carry what AR4SI has no words for: what was relaxed and what was not checked (`confide_relaxations`,
`confide_not_checked`), the digests of keyset and policy, and that evidence was simulated. No keys to seal to are in it, and no
raw evidence: whoever wants to talk to the node verifies it. Only a verdict about now is exported, never one as of another time.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from confide import __version__
from confide.attest.claims import Claims
from confide.formats import strictjson
from confide.policy.ear import jws
from confide.policy.ear.vector import status_of, vector_of
from confide.policy.instants import aware
from confide.policy.verdict import Verdict

PROFILE = "tag:ietf.org,2026:rats/ear#04"
DEVELOPER = "confide"
LIFE = timedelta(hours=1)


def export(verdict: Verdict, key: jws.PrivateKey, *, now: datetime, life: timedelta = LIFE) -> str:
    """The signed token. It ends after `life`, and never after the verdict.

    Raises:
        PolicyError: `ear.algorithm` for a key of another kind.
    """
    return jws.sign(strictjson.dumps(claims_set(verdict, now=now, life=life)), key)


def claims_set(verdict: Verdict, *, now: datetime, life: timedelta = LIFE) -> Mapping[str, Any]:
    """What is signed."""
    issued, ends = aware(now), min(aware(now) + life, verdict.expires)
    members: dict[str, Any] = {
        "eat_profile": PROFILE,
        "iat": int(issued.timestamp()),
        "exp": int(ends.timestamp()),
        "ear_verifier_id": {"developer": DEVELOPER, "build": f"confide {__version__}"},
        "submods": {name: _submodule(claims, verdict) for name, claims in named(verdict.claims).items()},
        "confide_keyset_sha256": verdict.keyset.digest.hex(),
        "confide_custody": verdict.custody.value,
        "confide_simulated": verdict.simulated,
        "confide_relaxations": [{"setting": each.setting, "effect": each.effect} for each in verdict.relaxations],
        "confide_not_checked": [{"what": each.what, "why": each.why} for each in verdict.not_checked],
    }
    return members if verdict.nonce is None else {**members, "eat_nonce": verdict.nonce.hex()}


def named(claims: tuple[Claims, ...]) -> Mapping[str, Claims]:
    """A name for each piece: its kind, and a number where there are several."""
    kinds = [each.kind.value for each in claims]
    names = [f"{kind}-{kinds[:place].count(kind)}" if kinds.count(kind) > 1 else kind for place, kind in enumerate(kinds)]
    return dict(zip(names, claims, strict=True))


def _submodule(claims: Claims, verdict: Verdict) -> Mapping[str, Any]:
    vector = vector_of(claims, verdict)
    attester: dict[str, Any] = {"measurements": {name: value.hex() for name, value in claims.measurements}}
    attester |= {"platform_id": claims.platform_id} if claims.platform_id else {}
    attester |= {"tcb_status": claims.tcb_status, "advisories": list(claims.advisories)} if claims.tcb_status else {}
    return {
        "ear_status": status_of(vector, relaxed=bool(verdict.relaxations)).value,
        "ear_trustworthiness_vector": dict(vector),
        "ear_appraisal_policy_ids": [f"sha256:{verdict.policy.digest.hex()}"],
        "ear_attester_claims": attester,
    }
