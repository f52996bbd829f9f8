"""`confide admit`: the owner's word for a node, signed and delivered, and kept alive."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from confide.cli.key import passphrase_option
from confide.cli.options import PATH, json_option, option, policy_option, signer_option, state_option, timeout_option
from confide.cli.output import banner, emit, emit_json, note, table

if TYPE_CHECKING:
    from confide.client.admission import Admitted, Candidate
    from confide.client.renewal import Event


@click.command("admit", short_help="Vouch for a node that you own.")
@click.argument("url")
@policy_option()
@signer_option
@option(
    "--key", "key_file", type=PATH, required=True, metavar="FILE", help="The owner's private key, as `confide key new` writes it."
)
@passphrase_option
@option("--place", required=True, metavar="TEXT", help="Where the node is, such as 'Paris, rack 4'.")
@option("--hours", type=click.FloatRange(min=0.01, max=24), default=12.0, show_default=True, metavar="N", help="For how long.")
@option("--renew", is_flag=True, help="Stay, and admit it again before the time is over, and when it was restarted.")
@state_option
@timeout_option
@json_option
def command(
    url: str,
    *,
    policy: Path,
    policy_signers: tuple[Path, ...],
    key_file: Path,
    passphrase_file: Path | None,
    place: str,
    hours: float,
    renew: bool,
    state: Path | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Verify the node at URL, sign that it is yours and where it is, and give it that.

    The node is verified against the policy with everything but the admission. What is being admitted is shown before it is signed.
    The admission goes through the sealed channel; then the node is verified again, as any client does.

    With --renew, one line for each admission (with --json, one object per line); ends when the node is no longer what the policy
    wants, or does not answer ten times in a row.
    """
    from confide.client import admission, loading, renewal  # noqa: PLC0415 - the library loads when a command runs
    from confide.client.keyfiles import read_key_file  # noqa: PLC0415
    from confide.client.state import default_path  # noqa: PLC0415

    owner = admission.Owner(read_key_file(key_file, passphrase_file=passphrase_file), place, timedelta(hours=hours))
    given: dict[str, Any] = {
        "policy": policy,
        "policy_signers": loading.read_signers(policy_signers),
        "owner": owner,
        "state_path": state or default_path(),
        "timeout": timeout,
        "announce": _announce,
    }
    if renew:
        renewal.renew(url, tell=lambda event: _tell(event, as_json=as_json), **given)
        return
    admitted = admission.admit(url, **given)
    if as_json:
        emit_json(_plain(admitted))
    else:
        emit(_line("admitted", admitted))


def _announce(candidate: "Candidate") -> None:
    """On stderr, before anything is signed."""
    banner(candidate.verdict.simulated)
    note(f"admitting, by policy {candidate.verdict.policy}:")
    note(table(candidate.facts.items()))


def _tell(event: "Event", *, as_json: bool) -> None:
    if event.admitted is not None:
        text, plain = _line(event.what, event.admitted), _plain(event.admitted)
    elif event.error is not None:
        found = f"{event.error.code.value}: {event.error.found}"
        text = f"no answer ({found}); looking again in {event.pause:.0f} s, attempt {event.attempt}"
        plain = {"error": event.error.as_dict(), "attempt": event.attempt, "pause": event.pause}
    else:
        text, plain = "the node shows none of our admissions: it was restarted, and is looked at anew", {}
    if as_json:
        emit_json({"event": event.what, **plain}, line=True)
    else:
        emit(text)


def _line(what: str, admitted: "Admitted") -> str:
    facts = admitted.candidate.facts
    return (
        f"{what} node {facts['node'][:16]}… at {facts['place']} until {facts['until']}; custody: {admitted.verdict.custody.value}"
    )


def _plain(admitted: "Admitted") -> dict[str, Any]:
    return {
        **admitted.candidate.facts,
        "policy": str(admitted.verdict.policy),
        "custody": admitted.verdict.custody.value,
        "simulated": admitted.verdict.simulated,
        "not_checked": [item.what for item in admitted.verdict.not_checked],
    }
