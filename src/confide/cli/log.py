"""`confide log verify`: whether a node's log holds from its first receipt to its last. Offline."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from confide.cli.options import PATH, json_option, policy_option, signer_option
from confide.cli.output import emit, emit_json, table

if TYPE_CHECKING:
    from confide.client.logs import Judged


_TIME = "%Y-%m-%dT%H:%M:%SZ"


@click.group("log", short_help="Work with logs of receipts.")
def command() -> None:
    """Work with logs of receipts."""


@command.command("verify", short_help="Verify whole logs that a node keeps.")
@click.argument("directory", type=PATH)
@policy_option(required=False)
@signer_option
@json_option
def verify(directory: Path, *, policy: Path | None, policy_signers: tuple[Path, ...], as_json: bool) -> None:
    """Verify every receipt, every checkpoint and the end of each log in DIRECTORY, a node's log_dir or one boot's folder in it.

    A log without a closing checkpoint whose node is gone "ended uncleanly": receipts after its last may be missing. Without a
    policy nothing says whose log it is.
    """
    from confide.client import loading, logs  # noqa: PLC0415 - the library loads when a command runs

    loaded = loading.load(policy, signers=loading.read_signers(policy_signers)) if policy else None
    found = [logs.judge(folder, loaded) for folder in logs.folders(directory)]
    if as_json:
        emit_json([_as_dict(each) for each in found])
    else:
        emit("\n".join(_render(each) for each in found))
    for each in found:
        if each.report.failure is not None:
            raise each.report.failure


def _render(judged: "Judged") -> str:
    report = judged.report
    holds = "holds" if report.failure is None else f"REFUSED: {report.failure.code.value}"
    broken = "" if report.broken is None else f" at receipt {report.broken}"
    span = "" if report.first_at is None else f", {report.first_at:{_TIME}} to {report.last_at:{_TIME}}"
    rows = [
        ("log", report.log_id.hex()),
        ("result", f"{holds}{broken}"),
        ("receipts", f"{report.leaves}{span}"),
        ("checkpoints", f"{report.checkpoints}; {report.covered} receipts under the last, {report.uncovered} after it"),
        ("end", report.ending.value),
        ("keysets", f"{judged.keysets}, {'accepted by the policy' if judged.trusted else 'NOT JUDGED: no policy was given'}"),
    ]
    return table(rows + ([("cut", f"{judged.cut} bytes of a record that was never whole")] if judged.cut else []), indent="")


def _as_dict(judged: "Judged") -> dict[str, Any]:
    report = judged.report
    return {
        "log_id": report.log_id.hex(),
        "holds": report.failure is None,
        "code": None if report.failure is None else report.failure.code.value,
        "broken_at": report.broken,
        "receipts": report.leaves,
        "covered": report.covered,
        "checkpoints": report.checkpoints,
        "ending": report.ending.value,
        "keysets": judged.keysets,
        "policy": judged.trusted,
        "cut_bytes": judged.cut,
    }
