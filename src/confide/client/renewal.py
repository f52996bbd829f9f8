"""Keeping a node admitted: look each minute, admit it again after two thirds of the time, and anew when it was restarted.

A restarted node has new keys and no admission. It is verified like any new one before it is admitted, so that a node that is no
longer what the policy wants ends the renewing. What may pass (no answer, a node that starts or stops) is waited for, ten failures
in a row. Left to others: admitting once (`admission`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from confide.attest.admission import signed_admission
from confide.attest.document import parse_document
from confide.client import source
from confide.client.admission import Admitted, Announce, Owner, Task, admit_flow, task_of
from confide.client.flow import Flow, drive, sleep
from confide.client.patience import PATIENCE, Tries
from confide.client.session import utc_now
from confide.client.transport import HttpTransport, Transport
from confide.codes import Remedy
from confide.errors import ConfideError, EvidenceError, TransportError
from confide.formats import dsse
from confide.policy.model import Policy

LOOK_SECONDS = 60.0
MAX_FAILURES = 10  # in a row; with the pauses between them about six minutes


@dataclass(frozen=True)
class Event:
    """What happened: `admitted`, `renewed`, `restarted` (the node shows none of ours), `waiting` after a failure that may pass."""

    what: str
    admitted: Admitted | None = None
    error: ConfideError | None = None
    attempt: int = 0
    pause: float = 0.0


Tell = Callable[[Event], object]


def renew(
    url: str,
    *,
    policy: str | Path | Policy,
    owner: Owner,
    policy_signers: Sequence[dsse.PublicKey] = (),
    state_path: Path | None = None,
    timeout: float = 60.0,
    patience: float = PATIENCE,
    announce: Announce | None = None,
    tell: Tell | None = None,
    look_seconds: float = LOOK_SECONDS,
    keep_on: Callable[[], bool] = lambda: True,
    transport: Transport | None = None,
    now: Callable[[], datetime] = utc_now,
) -> None:
    """Admit the node at `url` and keep it admitted, as long as `keep_on` says so.

    Raises:
        ConfideError: as `admit`, at once; for what may pass, after ten failures in a row.
    """
    task = task_of(policy, owner, policy_signers=policy_signers, state_path=state_path, patience=patience, now=now)
    sender = transport or HttpTransport(url, timeout=timeout)
    try:
        drive(renew_flow(task, announce=announce, tell=tell, look_seconds=look_seconds, keep_on=keep_on), sender)
    finally:
        sender.close()


def renew_flow(
    task: Task,
    *,
    announce: Announce | None = None,
    tell: Tell | None = None,
    look_seconds: float = LOOK_SECONDS,
    keep_on: Callable[[], bool] = lambda: True,
) -> Flow[None]:
    """Admit, look, renew. As `renew`."""
    tell = tell or (lambda _: None)
    held: Admitted | None = None
    failures, what = 0, "admitted"
    look_seconds = min(look_seconds, task.owner.lasting.total_seconds() / 6)
    while keep_on():
        pause = look_seconds
        try:
            if held is not None and not (yield from _still_shown(held, task)):
                held, what = None, "admitted"
                tell(Event("restarted"))
            if held is None or task.now() >= held.admission.not_after - task.owner.lasting / 3:
                held = yield from admit_flow(task, announce=announce if what == "admitted" else None)
                tell(Event(what, held))
                what = "renewed"
            failures = 0
        except ConfideError as error:
            failures += 1
            if not _may_pass(error) or failures >= MAX_FAILURES:
                raise
            pause = min(look_seconds / 32 * 2**failures, look_seconds)
            tell(Event("waiting", error=error, attempt=failures, pause=pause))
        yield from sleep(pause)


def _still_shown(held: Admitted, task: Task) -> Flow[bool]:
    """Whether the node shows ours, or a later one by the same key. Unverified: a lie makes us look again, or is a refusal's lie."""
    obtained = yield from source.evidence(Tries(task.patience, repeatable=True))
    document = parse_document(obtained.document)
    if document.admission == held.envelope:
        return document.keyset.node_id == held.admission.node_id
    if document.admission is None:
        return False
    try:
        shown = signed_admission(document.admission, authority_key=task.owner.key.public)
    except EvidenceError:
        return False
    return shown.node_key == held.admission.node_key and shown.not_after >= held.admission.not_after


def _may_pass(error: ConfideError) -> bool:
    """The network, or a node that is starting or stopping: the next look may find it well."""
    return isinstance(error, TransportError) or error.code.remedy is Remedy.RETRY
