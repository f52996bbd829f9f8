"""`confide explain`: every check, with what was found and what was wanted, whatever the outcome."""

from datetime import UTC, datetime
from pathlib import Path

import click

from confide.cli.options import at_option, json_option, option, policy_option, signer_option, state_option, timeout_option
from confide.cli.output import banner, emit, emit_json
from confide.codes import Exit


@click.command("explain", short_help="Show every check of a node, or of a bundle file.")
@click.argument("source", metavar="URL|BUNDLE")
@policy_option(required=False)
@signer_option
@option("--offline", is_flag=True, help="Refuse to use the network: SOURCE must be a bundle file.")
@at_option
@state_option
@timeout_option
@json_option
def command(
    source: str,
    *,
    policy: Path | None,
    policy_signers: tuple[Path, ...],
    offline: bool,
    at: datetime | None,
    state: Path | None,
    timeout: float,
    as_json: bool,
) -> int:
    """Show what a node, or a bundle file, proves about itself, check by check.

    Without --policy nothing is compared with what you want, and nothing is trusted.

    Exits 0 if every check held, else with the code of the first that did not: `confide verify --help` lists them.
    """
    from confide.client import judge, loading  # noqa: PLC0415 - the library loads when a command runs
    from confide.client.state import default_path  # noqa: PLC0415
    from confide.policy.text import as_dict, render  # noqa: PLC0415

    loaded = loading.load(policy, signers=loading.read_signers(policy_signers)) if policy else None
    obtained = judge.get(source, offline=offline, at=at, timeout=timeout)
    explanation = judge.look(obtained, loaded, now=datetime.now(UTC), at=at, state_path=state or default_path())
    code = int(Exit.OK if explanation.failure is None else explanation.failure.code.exit)
    if as_json:
        banner(explanation.simulated)
        emit_json(as_dict(explanation) | {"exit": code})
    else:
        emit(render(explanation).rstrip())
    return code
