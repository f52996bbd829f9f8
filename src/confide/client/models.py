"""Which package digest a request must reach: the policy decides, the node only says which one it holds (DESIGN section 5)."""

import hmac

from confide.attest.constraints import Ignored
from confide.codes import Code
from confide.errors import PolicyError
from confide.policy.model import Policy
from confide.policy.verdict import Verdict


def accepted_digests(policy: Policy, model: str) -> tuple[bytes, ...] | None:
    """The digests the policy accepts for this alias; None when the policy says `unsafe_ignored`.

    Raises:
        PolicyError: `client.model` when the policy names none.
    """
    if isinstance(policy.models, Ignored):
        return None
    accepted = policy.models.get(model, ())
    if isinstance(accepted, Ignored):
        return None
    if not accepted:
        known = ", ".join(sorted(policy.models)) or "none"
        hint = "add its digest to [models] in the policy; `confide trust` does so after showing it"
        raise PolicyError(Code.CLIENT_MODEL, found=f"models: {known}", wanted=f"a digest for {model}", hint=hint)
    return tuple(accepted)


def required_digest(policy: Policy, verdict: Verdict, model: str) -> bytes | None:
    """The digest to demand inside the seal: the node's attested one if the policy accepts it. None only under `unsafe_ignored` for a
    model the keyset does not name.

    Raises:
        PolicyError: `client.model`, or `client.model_digest` when the keyset names a digest that is not accepted.
    """
    accepted = accepted_digests(policy, model)
    held = verdict.keyset.models.get(model)
    if accepted is None:
        return held
    if held is None:  # not a start-up model; the node refuses by itself if it holds another one
        return accepted[0]
    if not any(hmac.compare_digest(held, digest) for digest in accepted):
        wanted = " or ".join(digest.hex() for digest in accepted)
        raise PolicyError(Code.CLIENT_MODEL_DIGEST, found=held.hex(), wanted=wanted)
    return held
