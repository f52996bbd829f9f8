"""Trust on first use, and its better: a policy signed by those who answer for it.

`propose_policy` writes down exactly what a node showed, for a person (or `--accept-digest`) to accept; the policy says `origin =
"first-use"` ever after. The digest covers what would be trusted and nothing that changes from boot to boot (keys, nonces, times),
so that the same software on the same firmware gives the same digest. `match_release` compares a node with a signed policy instead.
Left to others: asking (`cli`), fetching and writing files (`client`).
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import tomli_w

from confide.attest.claims import Claims
from confide.attest.evidence import Roots
from confide.attest.keyset import Keyset
from confide.codes import Code
from confide.errors import PolicyError
from confide.formats import dsse, strictjson
from confide.policy.accept import table
from confide.policy.explanation import Explanation
from confide.policy.instants import aware
from confide.policy.load import load_policy
from confide.policy.model import VERSION, Origin, Policy
from confide.policy.verdict import Unbound, Verdict
from confide.policy.verify import explain, verify, verify_as_of

LABEL = b"confide/v1/first-use\x00"
VALID_FOR = timedelta(days=90)  # long enough to be left alone, short enough to be looked at again
_COMMENT = """\
# Written by `confide trust` from what the node itself showed (first use), not from what its makers signed.
# It accepts exactly this software, this configuration and these models, on firmware no older than was seen.
# What would be trusted, as one digest: {digest}
"""
_OWNED = """\
# The node obeys an owner: clients accept it while it shows an admission by authority_key (`confide admit`).
"""


@dataclass(frozen=True)
class Proposal:
    """A policy that nobody has accepted yet.

    Attributes:
        policy: the TOML file to write after a yes.
        digest: hex SHA-256 over what would be trusted; what a person compares and `--accept-digest` takes.
        trusted: that same content, for showing.
        explanation: every check of the evidence, without a policy.
    """

    policy: bytes = field(repr=False)
    digest: str
    trusted: Mapping[str, Any]
    explanation: Explanation

    def require_digest(self, accepted: str) -> None:
        """Raise `verdict.accept_digest` unless the digest that somebody accepted elsewhere is this one."""
        if not hmac.compare_digest(accepted.strip().lower().encode(), self.digest.encode()):
            hint = "the node runs something else than was accepted: do not use it"
            raise PolicyError(Code.VERDICT_ACCEPT_DIGEST, found=self.digest, wanted=accepted[:80], hint=hint)


def propose_policy(
    document: bytes,
    *,
    now: datetime,
    nonce: bytes | Unbound,
    roots: Roots,
    name: str,
    valid_for: timedelta = VALID_FOR,
    serial: int = 1,
    unsafe_accept_simulated: bool = False,
) -> Proposal:
    """What a policy would say that accepts exactly this node.

    Raises:
        ConfideError: the evidence is not genuine, not bound or in a state that no default policy accepts: nothing to trust.
        PolicyError: `policy.simulated` without `unsafe_accept_simulated`.
    """
    explanation = explain(document, None, now=now, nonce=nonce, roots=roots)
    if explanation.failure is not None:
        raise explanation.failure
    _require_vendor(explanation, admitted=unsafe_accept_simulated)
    trusted = _trusted(explanation)
    digest = hashlib.sha256(LABEL + strictjson.dumps(trusted)).hexdigest()
    head: dict[str, Any] = {
        "version": VERSION,
        "name": name,
        "serial": serial,
        "expires": (aware(now) + valid_for).replace(microsecond=0),
    }
    owned = explanation.keyset is not None and explanation.keyset.authority_key is not None
    text = (
        _COMMENT.format(digest=digest)
        + (_OWNED if owned else "")
        + "\n"
        + dump_policy_toml({**head, "origin": Origin.FIRST_USE.value, **trusted})
    )
    policy = text.encode()
    # A policy that refuses its own model helps nobody. It may refuse it until its owner has admitted it.
    verify_as_of(document, load_policy(policy), at=now, roots=roots, nonce=nonce, admitting=True)
    return Proposal(policy, digest, trusted, explanation)


def match_release(
    release: bytes,
    document: bytes,
    *,
    keys: tuple[dsse.PublicKey, ...],
    now: datetime,
    nonce: bytes | Unbound,
    roots: Roots,
) -> tuple[Policy, Verdict]:
    """A signed policy and the verdict about a node by it: the way that needs no first use.

    Raises:
        PolicyError: `policy.signer` when none of `keys` signed it, and what `load_policy` raises.
        ConfideError: what `verify` raises when the node is not what was signed.
    """
    policy = load_policy(release, name_hint="the release", keys=keys)
    return policy, verify(document, policy, now=now, nonce=nonce, roots=roots)


def dump_policy_toml(members: Mapping[str, Any]) -> str:
    """The members of a policy file as TOML, in the order given; what TOML asks to come last (tables) comes last."""
    return tomli_w.dumps(members)


def _require_vendor(explanation: Explanation, *, admitted: bool) -> None:
    if any(claims.simulated for claims in explanation.claims) and not admitted:
        hint = "trust it only to try things out: --unsafe-accept-simulated"
        raise PolicyError(Code.POLICY_SIMULATED, found="SIMULATED", wanted="a vendor's pinned root", hint=hint)


def _trusted(explanation: Explanation) -> Mapping[str, Any]:
    """The policy's members without name, serial and times. Claims and keyset are there: no failure was noted."""
    if explanation.keyset is None:
        raise PolicyError(Code.POLICY_UNCONSTRAINED, found="no keyset", wanted="a verified one")
    members: dict[str, Any] = {}
    if explanation.simulated:
        members["unsafe_accept_simulated"] = True
    return members | {
        "accept": _accepting(explanation.claims),
        "node": _node(explanation.keyset),
        "models": {alias: [digest.hex()] for alias, digest in sorted(explanation.keyset.models.items())},
    }


def _accepting(claims: Sequence[Claims]) -> list[Mapping[str, Any]]:
    """An entry for each piece of evidence; devices that are alike share one."""
    entries: list[Mapping[str, Any]] = []
    for each in claims:
        entry = table.of(each.kind)[1].observed(each)
        entries += [] if entry in entries else [entry]
    return entries


def _node(keyset: Keyset) -> Mapping[str, Any]:
    key = keyset.authority_key
    return {
        "role": keyset.role.value,
        "authority_key": "none" if key is None else f"{key.alg.value}:{key.raw.hex()}",
        "config_digests": [keyset.config_digest.hex()],
        "software_digests": [keyset.software_digest.hex()],
        "isolation": [keyset.isolation.value],
    }
