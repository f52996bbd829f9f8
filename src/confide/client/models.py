"""Which package digest a request must reach: the policy decides, the node only says which one it holds (DESIGN section 5)."""

import hmac

from confide.codes import Code
from confide.errors import PolicyError
from confide.policy.model import Policy
from confide.policy.verdict import Verdict


def accepted_digests(policy: Policy, model: str) -> tuple[bytes, ...]:
    """The digests the policy accepts for this alias; `client.model` when it names none."""
    accepted = policy.models.get(model, ())
    if not accepted:
        known = ", ".join(sorted(policy.models)) or "none"
        hint = "ask for one of these, or add the model's digest to [models] of the policy"
        raise PolicyError(Code.CLIENT_MODEL, found=f"models: {known}", wanted=f"a digest for {model[:64]}", hint=hint)
    return accepted


def required_digest(policy: Policy, verdict: Verdict, model: str) -> bytes:
    """The digest to demand inside the seal: the one the attested keyset names, if the policy accepts it.

    Raises:
        PolicyError: `client.model`, or `client.model_digest` when the keyset names a digest that is not accepted.
    """
    accepted = accepted_digests(policy, model)
    held = verdict.keyset.models.get(model)
    if held is None:  # not a start-up model; the node itself refuses when it holds another one
        return accepted[0]
    if not any(hmac.compare_digest(held, digest) for digest in accepted):
        wanted = " or ".join(digest.hex() for digest in accepted)
        raise PolicyError(Code.CLIENT_MODEL_DIGEST, found=held.hex(), wanted=wanted)
    return held
