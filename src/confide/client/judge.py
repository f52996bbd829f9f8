"""Looking at evidence without using it: `confide verify`, `explain` and `trust`. Fetches or reads, then asks `policy`.

A live node is judged now, with a nonce of ours. A file is judged as of a stated time (now, if none is stated) and never opens a
channel. Left to others: every check.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from confide.attest.document import parse_document
from confide.attest.evidence import Roots
from confide.client import source, state
from confide.client.roots import looking_roots, roots_for
from confide.client.source import Obtained
from confide.client.transport import require_url
from confide.codes import Code
from confide.errors import ConfideError, MisuseError
from confide.formats import dsse
from confide.formats.fields import format_time
from confide.policy.explanation import Explanation
from confide.policy.genuine import Pieces
from confide.policy.load import load_policy
from confide.policy.model import Policy
from confide.policy.trust import Proposal, match_release, propose_policy
from confide.policy.unbound import explain_evidence
from confide.policy.verdict import HistoricVerdict, Unbound, Verdict
from confide.policy.verify import explain, verify, verify_as_of

FILE = Unbound("read from a file: how old the evidence is rests on the vendor's dates")
# What ends by itself: evidence that held when it was saved fails with these when it is judged as of later.
DATED = frozenset(
    {
        Code.X509_EXPIRED,
        Code.X509_CRL_EXPIRED,
        Code.X509_CRL_AGE,
        Code.DCAP_COLLATERAL_EXPIRED,
        Code.NVIDIA_OCSP_STALE,
        Code.NITRO_AGE,
        Code.VERDICT_KEYSET_EXPIRED,
    }
)
LACKING = frozenset(
    {
        Code.X509_MISSING,
        Code.X509_CRL_MISSING,
        Code.DCAP_COLLATERAL_MISSING,
        Code.NVIDIA_OCSP,
        Code.NVIDIA_RIM_MISSING,
    }
)
UNREADABLE = frozenset({Code.DOCUMENT_MALFORMED, Code.DOCUMENT_TOO_LARGE})


@dataclass(frozen=True)
class Judged:
    """A verdict and the document it is about."""

    verdict: Verdict | HistoricVerdict
    document: bytes = field(repr=False)


def get(where: str, *, offline: bool, at: datetime | None, timeout: float) -> Obtained:
    """The document of a node or a file; `client.input` where a live node is asked for the past or without network."""
    if source.is_url(where) and (offline or at is not None):
        hint = "save a bundle first: confide verify URL --policy FILE --save bundle.json"
        raise MisuseError(Code.CLIENT_INPUT, found="a live node", wanted="a bundle file, with --offline or --at", hint=hint)
    return source.obtain(where, timeout=timeout)


def ask(url: str, *, timeout: float) -> Obtained:
    """The document of a live node, and of nothing else; `client.url` for a file."""
    return source.obtain(require_url(url), timeout=timeout)


def judge(obtained: Obtained, policy: Policy, *, now: datetime, at: datetime | None, state_path: Path | None) -> Judged:
    """The verdict, or the error that there is none. Only a live verdict advances the rollback state."""
    roots = roots_for(policy)
    if obtained.nonce is None:
        return Judged(_past(obtained.document, policy, now=now, at=at, roots=roots), obtained.document)
    seen = state.load(state_path)
    verdict = verify(obtained.document, policy, now=now, nonce=obtained.nonce, roots=roots, rollback=seen)
    state.keep(state_path, verdict.rollback)
    return Judged(verdict, obtained.document)


def look(
    obtained: Obtained, policy: Policy | None, *, now: datetime, at: datetime | None, state_path: Path | None = None
) -> Explanation:
    """Every check with what was found, whatever the outcome. Without a policy, simulated evidence is recognised and marked.

    A live node is compared with the rollback state at `state_path`; looking never advances it.
    """
    live = obtained.nonce is not None
    explanation = explain(
        obtained.document,
        policy,
        now=at or now,
        nonce=FILE if obtained.nonce is None else obtained.nonce,
        roots=roots_for(policy) if policy else looking_roots(),
        rollback=state.load(state_path) if policy and live and state_path else None,
        historic=not live,
    )
    if explanation.failure is not None and not live:
        _hint(explanation.failure, obtained.document, at)
    return explanation


def _past(document: bytes, policy: Policy, *, now: datetime, at: datetime | None, roots: Roots) -> HistoricVerdict:
    try:
        return verify_as_of(document, policy, at=at or now, roots=roots, nonce=FILE)
    except ConfideError as error:
        _hint(error, document, at)
        raise


def _hint(error: ConfideError, document: bytes, at: datetime | None) -> None:
    """What to do with a file: the usual words are about a node."""
    if error.code in UNREADABLE:
        error.hint = "`confide bundle save URL FILE` writes a bundle; a vendor's own evidence: `confide explain FILE --tee KIND`"
    elif error.code in DATED and at is None:
        made = format_time(parse_document(document).issued_at)
        error.hint = f"a file is judged as of now: add --at {made}, when it was made by its host's clock"
    elif error.code in LACKING:
        error.hint = "`confide bundle complete` adds what is missing, from a folder or from the vendor's service"


def look_at(recorded: Pieces, policy: Policy | None, *, now: datetime, at: datetime | None) -> Explanation:
    """Every check of evidence without a document (`explain_evidence`), as of `at` or now."""
    roots = roots_for(policy) if policy else looking_roots()
    explanation = explain_evidence(recorded, policy, now=at or now, roots=roots)
    failure = explanation.failure
    if failure is not None and failure.code in LACKING:
        failure.hint = "put it beside the evidence, or into --collateral FOLDER; --source vendors asks the vendor's service"
    elif failure is not None and failure.code in DATED and at is None:
        failure.hint = "recorded evidence is judged as of now: add --at TIME, when it was recorded"
    return explanation


def propose(obtained: Obtained, *, name: str, now: datetime, unsafe_accept_simulated: bool) -> Proposal:
    """A policy that accepts exactly this node, for somebody to accept (`propose_policy`)."""
    return propose_policy(
        obtained.document,
        now=now,
        nonce=FILE if obtained.nonce is None else obtained.nonce,
        roots=looking_roots(),
        name=name,
        unsafe_accept_simulated=unsafe_accept_simulated,
    )


def match(obtained: Obtained, release: bytes, *, signers: Sequence[dsse.PublicKey], now: datetime) -> Verdict:
    """The verdict about a node by a policy that one of `signers` signed: trust without first use (`match_release`)."""
    nonce = FILE if obtained.nonce is None else obtained.nonce
    policy = load_policy(release, name_hint="the release", keys=tuple(signers))
    _, verdict = match_release(release, obtained.document, keys=tuple(signers), now=now, nonce=nonce, roots=roots_for(policy))
    return verdict


def name_of(url: str) -> str:
    """A policy name from a node's address, such as `node-127.0.0.1-8711`."""
    place = urlsplit(url).netloc.rpartition("@")[2].lower()
    return "node-" + (re.sub(r"[^a-z0-9._-]+", "-", place).strip("-") or "unnamed")[:48]
