"""`confide trust`: look at a node, say yes, get a policy that accepts exactly this."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from confide.cli.options import PATH, json_option, option, timeout_option
from confide.cli.output import banner, emit, emit_json, note
from confide.codes import Code
from confide.errors import MisuseError, PolicyError


@click.command("trust", short_help="Look at a node and write a policy that accepts it.")
@click.argument("url")
@option("-o", "--output", type=PATH, required=True, metavar="FILE", help="Where to write the policy.")
@option("--accept-digest", metavar="HEX", help="Accept without a question, if this is what the node runs. For scripts.")
@option("--name", metavar="NAME", help="Name of the policy. Default: made from the address.")
@option("--unsafe-accept-simulated", is_flag=True, help="Write a policy for a simulated node. It protects nothing.")
@option("--force", is_flag=True, help="Replace an existing file.")
@timeout_option
@json_option
def command(
    url: str,
    *,
    output: Path,
    accept_digest: str | None,
    name: str | None,
    unsafe_accept_simulated: bool,
    force: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Show what the node at URL proves about itself and, after a yes, write a policy that accepts exactly that.

    This is trust on first use: the policy says so (origin = "first-use"), and so does every verdict made with it. Compare the
    digest with one you got from the node's owner, or better, use a policy they signed.
    """
    from confide.client import judge  # noqa: PLC0415 - the library loads when a command runs
    from confide.client.files import write_file  # noqa: PLC0415
    from confide.policy.text import render_proposal  # noqa: PLC0415

    if output.exists() and not force:
        raise MisuseError(Code.CLI_EXISTS, found=str(output), wanted="a new file", hint="choose another name, or --force")
    obtained = judge.ask(url, timeout=timeout)
    proposal = judge.propose(
        obtained, name=name or judge.name_of(url), now=datetime.now(UTC), unsafe_accept_simulated=unsafe_accept_simulated
    )
    if accept_digest is not None:
        banner(proposal.explanation.simulated)
        proposal.require_digest(accept_digest)
    else:
        note(render_proposal(proposal))
        _ask(proposal.digest)
    write_file(output, proposal.policy)
    if as_json:
        emit_json({"policy": str(output), "digest": proposal.digest, "simulated": proposal.explanation.simulated})
    else:
        emit(f"wrote {output}: it accepts what has the digest {proposal.digest}")


def _ask(digest: str) -> None:
    """A yes on a terminal; `cli.not_accepted` otherwise."""
    if not sys.stdin.isatty():
        hint = f"compare the digest with the owner's, then add: --accept-digest {digest}"
        raise PolicyError(Code.CLI_NOT_ACCEPTED, found="no terminal to ask on", wanted="a yes", hint=hint)
    if not click.confirm("Trust this node from now on?", err=True):
        raise PolicyError(Code.CLI_NOT_ACCEPTED, found="a no", wanted="a yes", hint="nothing was written")
