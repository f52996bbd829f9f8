"""Admitting nodes: the owner looks, signs, delivers, and looks again (spec/05-admission.md, "Giving and renewing").

1. Ask the node for evidence and verify it against the policy, with everything but the admission (`policy.verify_for_admission`);
   the keyset names the owner's key, and the policy's places name the place: `look`
2. Sign: this node id, this boot's receipt key, the platform that the hardware shows, the place, at most 24 hours: `statement`
3. Deliver it through the seal, to keys of that verdict; nothing else is ever sent on it: `_deliver`
4. Ask for fresh evidence and verify it as any client does, now with the admission; it is the one that was signed: `_confirm`

Left to others: doing so again and again (`renewal`), what a node takes (`guest.admissions`), keys in files (`keyfiles`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import cast

from confide.attest.admission import LONGEST, Admission, sign_admission
from confide.attest.document import parse_document
from confide.attest.evidence import Roots
from confide.client import source, state
from confide.client.exchange import Exchanged, KeyChangedError, Sealed
from confide.client.flow import Flow, blocking, drive
from confide.client.loading import load
from confide.client.patience import PATIENCE, Tries, patiently
from confide.client.remote import raise_remote
from confide.client.roots import roots_for
from confide.client.session import Attested, utc_now
from confide.client.source import Obtained
from confide.client.transport import HttpTransport, Transport
from confide.codes import Code
from confide.errors import ChannelError, EvidenceError, PolicyError, TransportError
from confide.formats import dsse
from confide.formats.fields import format_time
from confide.policy.model import Policy
from confide.policy.verdict import AdmittingVerdict, Verdict
from confide.policy.verify import verify, verify_for_admission
from confide.seal.bhttp import Request
from confide.seal.keyconfig import KeyConfig, parse_key_config
from confide.seal.ohttp import INNER_AUTHORITY

PATH = b"/v1/admission"
CONTENT_TYPE = b"application/vnd.dsse+json"
USUAL = timedelta(hours=12)
SKEW = timedelta(minutes=5)  # the node's clock may be behind the owner's: an admission that has not begun is refused


@dataclass(frozen=True)
class Owner:
    """Who admits, where the node is, and for how long."""

    key: dsse.SigningKey
    place: str
    lasting: timedelta = USUAL


@dataclass(frozen=True)
class Task:
    """One node to admit: by whom, under which policy, with what was seen before."""

    policy: Policy
    owner: Owner
    roots: Roots
    state_path: Path | None = None
    patience: float = PATIENCE
    now: Callable[[], datetime] = utc_now


@dataclass(frozen=True)
class Candidate:
    """A node that passed everything but the admission, and what its owner is about to sign."""

    verdict: AdmittingVerdict
    admission: Admission
    key: KeyConfig = field(repr=False)

    @property
    def facts(self) -> dict[str, str]:
        """What is being admitted, for people."""
        claims, admission = self.verdict.claims[0], self.admission
        measurements = ", ".join(f"{name} {value.hex()}" for name, value in claims.measurements)
        return {
            "node": admission.node_id.hex(),
            "tee": f"{'SIMULATED ' if claims.simulated else ''}{claims.kind.value}",
            "platform": admission.platform_id or "hidden by the hardware",
            "measurement": measurements.removeprefix("measurement "),
            "software": self.verdict.keyset.software_digest.hex(),
            "place": admission.place,
            "from": format_time(admission.not_before),
            "until": format_time(admission.not_after),
        }


@dataclass(frozen=True)
class Admitted:
    """A node that shows the owner's admission; `verdict` is by the whole policy."""

    candidate: Candidate
    envelope: bytes = field(repr=False)
    verdict: Verdict

    @property
    def admission(self) -> Admission:
        """What was signed."""
        return self.candidate.admission


Announce = Callable[[Candidate], object]


def admit(
    url: str,
    *,
    policy: str | Path | Policy,
    owner: Owner,
    policy_signers: Sequence[dsse.PublicKey] = (),
    state_path: Path | None = None,
    timeout: float = 60.0,
    patience: float = PATIENCE,
    announce: Announce | None = None,
    transport: Transport | None = None,
    now: Callable[[], datetime] = utc_now,
) -> Admitted:
    """Admit the node at `url`, once.

    Args:
        announce: called with what is about to be signed; an exception of it stops everything before anything is signed.

    Raises:
        EvidenceError, CollateralError, PolicyError: the node is not what the policy wants, or obeys another owner.
        RemoteError: the node refuses the admission.
        TransportError, ChannelError: it was not delivered, or is not shown.
    """
    task = task_of(policy, owner, policy_signers=policy_signers, state_path=state_path, patience=patience, now=now)
    sender = transport or HttpTransport(url, timeout=timeout)
    try:
        return drive(admit_flow(task, announce=announce), sender)
    finally:
        sender.close()


def admit_flow(task: Task, *, announce: Announce | None = None) -> Flow[Admitted]:
    """Steps 1 to 4; from the first once more when the node's keys changed in between. As `admit`."""
    try:
        candidate, envelope = yield from _given(task, announce)
    except KeyChangedError:
        candidate, envelope = yield from _given(task, None)
    return (yield from _confirm(candidate, envelope, task))


def _given(task: Task, announce: Announce | None) -> Flow[tuple[Candidate, bytes]]:
    """Steps 1 to 3."""
    candidate = yield from look(task)
    if announce is not None:
        announce(candidate)
    envelope = yield from blocking(partial(sign_admission, candidate.admission, key=task.owner.key))
    yield from _deliver(candidate, envelope, task)
    return candidate, envelope


def look(task: Task) -> Flow[Candidate]:
    """Step 1 and the statement of step 2: nothing is signed yet, and nothing was sent but a nonce."""
    obtained = yield from source.evidence(Tries(task.patience, repeatable=True))
    return (yield from blocking(lambda: _candidate(obtained, task)))


def statement(verdict: AdmittingVerdict, owner: Owner, *, now: datetime) -> Admission:
    """What the owner signs for a node that `verdict` is about.

    It begins a little before `now`, always by as much, so that a later one never looks older; a whole day ends as much earlier.
    """
    if not timedelta(0) < owner.lasting <= LONGEST:
        raise EvidenceError(Code.ADMISSION_WINDOW, found=f"{owner.lasting}", wanted="more than nothing and at most 24 hours")
    keyset, start = verdict.keyset, now.replace(microsecond=0) - SKEW
    end = min(start + SKEW + owner.lasting, start + LONGEST)
    return Admission(
        node_id=keyset.node_id,
        node_key=keyset.receipt_keys[0].keyid,
        platform_id=verdict.claims[0].platform_id,
        place=owner.place,
        not_before=start,
        not_after=end,
    )


def _candidate(obtained: Obtained, task: Task) -> Candidate:
    now, seen = task.now(), state.load(task.state_path)
    nonce = obtained.nonce or b""  # a node's document always has one; an empty nonce matches nothing
    verdict = verify_for_admission(obtained.document, task.policy, now=now, nonce=nonce, roots=task.roots, rollback=seen)
    state.keep(task.state_path, verdict.rollback)
    _require_ours(verdict, task)
    keys = verdict.ohttp_key_configs
    if not keys:
        raise ChannelError(Code.CLIENT_NO_KEY, found="no key configuration that the policy allows", wanted="X-Wing or X25519")
    return Candidate(verdict, statement(verdict, task.owner, now=now), parse_key_config(keys[0]))


def _require_ours(verdict: AdmittingVerdict, task: Task) -> None:
    """Before anything is signed: clients would refuse a statement by another key or about another place."""
    key, named, places = task.owner.key.public, verdict.keyset.authority_key, task.policy.require.places
    if named != key:
        found = f"a node that obeys {named.keyid}" if named else "a node that obeys nobody"
        hint = "set authority_key in the node's configuration to the key that signs"
        raise EvidenceError(Code.ADMISSION_AUTHORITY, found=found, wanted=key.keyid, hint=hint)
    if places is not None and task.owner.place not in places:
        raise PolicyError(Code.ADMISSION_PLACE, found=task.owner.place, wanted=" or ".join(sorted(places)))


def _deliver(candidate: Candidate, envelope: bytes, task: Task) -> Flow[None]:
    """Step 3. The same admission twice changes nothing, so it may be sent again."""
    # `Sealed` reads keyset and key of what it is given. No other request is ever made with an `AdmittingVerdict`.
    to = cast("Attested", _Addressee(candidate.verdict, candidate.key))
    headers = ((b"content-type", CONTENT_TYPE),)
    request = Request(b"PUT", b"https", INNER_AUTHORITY, PATH, headers, envelope)
    tries = Tries(task.patience, repeatable=True)
    while True:
        candidate.verdict.require_usable(task.now())
        try:
            done: Exchanged = yield from Sealed(to, request, models=None).exchange()
        except TransportError as error:
            yield from patiently(tries, error)
        else:
            break
    if done.status != 200:
        raise_remote(done.status, done.content)


@dataclass(frozen=True)
class _Addressee:
    verdict: AdmittingVerdict
    key: KeyConfig


def _confirm(candidate: Candidate, envelope: bytes, task: Task) -> Flow[Admitted]:
    """Step 4."""
    obtained = yield from source.evidence(Tries(task.patience, repeatable=True))
    return (yield from blocking(lambda: _confirmed(obtained, candidate, envelope, task)))


def _confirmed(obtained: Obtained, candidate: Candidate, envelope: bytes, task: Task) -> Admitted:
    nonce, seen = obtained.nonce or b"", state.load(task.state_path)
    shown = parse_document(obtained.document)
    if shown.admission != envelope or shown.keyset.node_id != candidate.admission.node_id:
        found = "no admission" if shown.admission is None else "another admission"
        found = found if shown.keyset.node_id == candidate.admission.node_id else "another node, or another boot"
        hint = "was it restarted just now? is there one node at this address? admit each node at an address of its own"
        raise ChannelError(Code.CLIENT_ADMISSION, found=found, wanted="the admission that was delivered", hint=hint)
    verdict = verify(obtained.document, task.policy, now=task.now(), nonce=nonce, roots=task.roots, rollback=seen)
    state.keep(task.state_path, verdict.rollback)
    return Admitted(candidate, envelope, verdict)


def task_of(
    policy: str | Path | Policy,
    owner: Owner,
    *,
    policy_signers: Sequence[dsse.PublicKey],
    state_path: Path | None,
    now: Callable[[], datetime],
    patience: float = PATIENCE,
) -> Task:
    """A task from a policy file or a `Policy`."""
    loaded = load(policy, signers=policy_signers)
    return Task(loaded, owner, roots_for(loaded), state_path=state_path, patience=patience, now=now)
