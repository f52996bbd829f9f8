"""`confide doctor`: which TEE is here, whether it can be used, and what its evidence would tell clients."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from confide.cli.options import PATH, gpus_option, json_option, option, vtpm_option
from confide.cli.output import emit, emit_json, fail_text, table

if TYPE_CHECKING:
    from confide.guest.examination import Part


@click.command("doctor", short_help="Show the TEE of this machine and whether it works.")
@option("--collateral-dir", type=PATH, metavar="FOLDER", help="As the node's setting: vendor files that the host does not give.")
@option("--collateral-source", default="", metavar="vendors|URL", help="As the node's setting: who is asked for the rest.")
@option("--tee", "kind", metavar="KIND", help="Look at this kind, as the node's setting; by default what a node would choose.")
@gpus_option
@vtpm_option
@json_option
def command(collateral_dir: Path | None, collateral_source: str, kind: str | None, gpus: str, *, vtpm: bool, as_json: bool) -> int:
    """Show which TEE interfaces this machine has, whether this user may use them, and verify evidence of the one in use.

    Exits 0 if clients would find the evidence genuine, else with the code of what is wrong.
    """
    from confide.guest.examination import examine  # noqa: PLC0415 - the library loads when a command runs

    found = examine(kind, gpus=gpus, vtpm=vtpm, collateral_dir=collateral_dir, collateral_source=collateral_source)
    problem = found.problem
    code = 0 if problem is None else int(problem.code.exit)
    if as_json:
        emit_json(found.as_dict() | {"exit": code})
        return code
    emit("interfaces" if found.interfaces else "interfaces  none")
    for each in found.interfaces:
        emit(f"  {'✓' if each.usable else '✗'} {each.name:<14}{each.path:<34}{each.found}")
    if found.interface:
        emit(f"in use      {found.interface}")
    _show(found.own, "evidence")
    for name, part in found.beside.items():
        if part.problem is not None:
            emit(f"{name:<12}no good: {part.problem.code.value}")
        _show(part, name)
    for part in (found.own, *found.beside.values()):
        if part.problem is not None:
            click.echo(fail_text(part.problem), err=True)
    return code


def _show(part: "Part", name: str) -> None:
    if part.facts:
        emit(f"{name:<12}verifies")
        emit(table((fact.replace("_", " "), value) for fact, value in part.facts.items()))
    for warning in part.warnings:
        emit(f"warning     policies refuse this guest unless they say otherwise: {warning}")
