"""`confide explain`: every check, with what was found and what was wanted, whatever the outcome."""

from datetime import UTC, datetime
from pathlib import Path

import click

from confide.cli.options import PATH, at_option, json_option, option, policy_option, signer_option, state_option, timeout_option
from confide.cli.output import banner, emit, emit_json, note
from confide.codes import Code, Exit
from confide.errors import MisuseError


@click.command("explain", short_help="Show every check of a node, a bundle file, or recorded evidence.")
@click.argument("source", metavar="URL|BUNDLE|EVIDENCE")
@policy_option(required=False)
@signer_option
@option("--tee", "evidence_kind", metavar="KIND", help="SOURCE is evidence of this kind by itself, as a vendor's tools record it.")
@option(
    "--collateral",
    "evidence_collateral",
    type=PATH,
    metavar="FOLDER",
    help="Its certificates and lists, named by their roles.",
)
@option(
    "--source",
    "evidence_source",
    default="",
    metavar="vendors|URL",
    help="Ask the vendors' services, or a cache (PCCS), for the rest.",
)
@option("--offline", is_flag=True, help="Refuse to use the network: SOURCE must be a file.")
@at_option
@state_option
@timeout_option
@json_option
def command(
    source: str,
    *,
    policy: Path | None,
    policy_signers: tuple[Path, ...],
    evidence_kind: str | None,
    evidence_collateral: Path | None,
    evidence_source: str,
    offline: bool,
    at: datetime | None,
    state: Path | None,
    timeout: float,
    as_json: bool,
) -> int:
    """Show what a node, or a bundle file, proves about itself, check by check.

    Without --policy nothing is compared with what you want, and nothing is trusted.

    Evidence that a vendor's tools recorded is explained too, by itself: a file with --tee, a folder with --tee whose files are
    called by their roles (quote.bin, tcb-info.json), or a folder of such folders (snp, nvidia-0, tpm). It is bound to no keys, so
    there is never a verdict about it.

    Exits 0 if every check held, else with the code of the first that did not: `confide verify --help` lists them.
    """
    from confide.client import judge, loading, recorded  # noqa: PLC0415 - the library loads when a command runs
    from confide.client.state import default_path  # noqa: PLC0415
    from confide.collateral import bundles  # noqa: PLC0415
    from confide.policy.text import as_dict, render  # noqa: PLC0415

    loaded = loading.load(policy, signers=loading.read_signers(policy_signers)) if policy else None
    if evidence_kind is not None or recorded.is_machine(Path(source)):
        if offline and evidence_source:
            raise MisuseError(Code.CLI_INPUT, found="--offline and --source", wanted="one of them, or neither")
        found = recorded.read(Path(source), evidence_kind, collateral=evidence_collateral)
        if found.skipped:
            note(f"not read, by their names no part of this evidence: {', '.join(found.skipped)}")
        pieces = bundles.asked(found.pieces, evidence_source) if evidence_source else found.pieces
        explanation = judge.look_at(pieces, loaded, now=datetime.now(UTC), at=at)
    elif evidence_collateral is not None or evidence_source:
        hint = "name the kind with --tee; `confide bundle complete` completes a bundle"
        raise MisuseError(Code.CLI_INPUT, found="--collateral or --source, and no --tee", wanted="recorded evidence", hint=hint)
    else:
        obtained = judge.get(source, offline=offline, at=at, timeout=timeout)
        explanation = judge.look(obtained, loaded, now=datetime.now(UTC), at=at, state_path=state or default_path())
    code = int(Exit.OK if explanation.failure is None else explanation.failure.code.exit)
    if as_json:
        banner(explanation.simulated)
        emit_json(as_dict(explanation) | {"exit": code})
    else:
        emit(render(explanation).rstrip())
    return code
