"""`confide trust`: look at a node, say yes, get a policy that accepts exactly this."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from confide.cli.options import PATH, json_option, option, signer_option, timeout_option
from confide.cli.output import banner, emit, emit_json, note
from confide.codes import Code
from confide.errors import MisuseError, PolicyError

if TYPE_CHECKING:
    from confide.client.source import Obtained


@click.command("trust", short_help="Look at a node and write a policy that accepts it.")
@click.argument("url")
@option("-o", "--output", type=PATH, required=True, metavar="FILE", help="Where to write the policy.")
@option("--accept-digest", metavar="HEX", help="Accept without a question, if this is what the node runs. For scripts.")
@option(
    "--release", type=PATH, metavar="FILE", help="A signed policy of the software's makers; asks nothing. Needs --policy-signer."
)
@signer_option
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
    release: Path | None,
    policy_signers: tuple[Path, ...],
    name: str | None,
    unsafe_accept_simulated: bool,
    force: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Show what the node at URL proves about itself and, after a yes, write a policy that accepts exactly that.

    This is trust on first use: the policy says so (origin = "first-use"), and so does every verdict made with it. Compare the
    digest with one you got from the node's owner, or better, give the policy they signed: with --release nothing is asked and
    nothing is taken from the node; it must be what the signers say.
    """
    from confide.client import judge  # noqa: PLC0415 - the library loads when a command runs
    from confide.client.files import write_file  # noqa: PLC0415
    from confide.policy.text import render_proposal  # noqa: PLC0415

    if output.exists() and not force:
        raise MisuseError(Code.CLI_EXISTS, found=str(output), wanted="a new file", hint="choose another name, or --force")
    if bool(release) != bool(policy_signers):
        hint = "trust URL -o policy.json --release release.json --policy-signer maker.json"
        raise MisuseError(Code.CLI_INPUT, found="one of --release, --policy-signer", wanted="both or none", hint=hint)
    obtained = judge.ask(url, timeout=timeout)
    if release is not None:
        _trust_release(obtained, release, policy_signers, output=output, as_json=as_json)
        return
    proposal = judge.propose(
        obtained, name=name or judge.name_of(url), now=datetime.now(UTC), unsafe_accept_simulated=unsafe_accept_simulated
    )
    if accept_digest is not None:
        banner(proposal.explanation.simulated)
        proposal.require_digest(accept_digest)
    else:
        note(render_proposal(proposal).rstrip())
        _ask(proposal.digest)
    write_file(output, proposal.policy)
    if as_json:
        emit_json({"policy": str(output), "digest": proposal.digest, "simulated": proposal.explanation.simulated})
    else:
        emit(f"wrote {output}: it accepts what has the digest {proposal.digest}")


def _trust_release(obtained: "Obtained", release: Path, signers: tuple[Path, ...], *, output: Path, as_json: bool) -> None:
    """The node must be what the release says; the release itself becomes the policy."""
    from confide.client import judge  # noqa: PLC0415
    from confide.client.files import write_file  # noqa: PLC0415
    from confide.client.loading import read_policy, read_signers  # noqa: PLC0415

    signed = read_policy(release)
    verdict = judge.match(obtained, signed, signers=read_signers(signers), now=datetime.now(UTC))
    banner(verdict.simulated)
    write_file(output, signed)
    if as_json:
        emit_json({"policy": str(output), "release": str(verdict.policy), "simulated": verdict.simulated})
    else:
        emit(f"wrote {output}: the node is what {verdict.policy} says")


def _ask(digest: str) -> None:
    """A yes on a terminal; `cli.not_accepted` otherwise."""
    if not sys.stdin.isatty():
        hint = f"compare the digest with the owner's, then add: --accept-digest {digest}"
        raise PolicyError(Code.CLI_NOT_ACCEPTED, found="no terminal to ask on", wanted="a yes", hint=hint)
    if not click.confirm("Trust this node from now on?", err=True):
        raise PolicyError(Code.CLI_NOT_ACCEPTED, found="a no", wanted="a yes", hint="nothing was written")
