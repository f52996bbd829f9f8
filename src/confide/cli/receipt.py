"""`confide receipt verify`: whether a saved receipt holds. Needs no network, no node, and nothing of ours but this program."""

from pathlib import Path

import click

from confide.cli.options import PATH, json_option, option, policy_option
from confide.cli.output import banner, emit, emit_json, table

MAX_RECEIPT = 1 << 20  # bytes
MAX_CONTENT = 64 << 20


@click.group("receipt")
def command() -> None:
    """Work with receipts."""


@command.command("verify")
@click.argument("receipt", type=PATH)
@option("--bundle", type=PATH, metavar="FILE", help="The node's evidence. Default: bundle.json, where RECEIPT is a saved folder.")
@policy_option()
@option("--request", type=PATH, metavar="FILE", help="What was asked, to compare with the receipt.")
@option("--response", type=PATH, metavar="FILE", help="What was answered, to compare with the receipt.")
@option("--salts", type=PATH, metavar="FILE", help="The salts that came with the receipt; needed to compare.")
@json_option
def verify(
    receipt: Path,
    *,
    bundle: Path | None,
    policy: Path,
    request: Path | None,
    response: Path | None,
    salts: Path | None,
    as_json: bool,
) -> None:
    """Verify a receipt offline: who signed it, on what hardware, with which model, about which question and answer.

    RECEIPT is a receipt file, or a folder written by `confide run --save`; the folder's other files are then used where no option
    names one.
    """
    from confide.client import loading, saved  # noqa: PLC0415 - the library loads when a command runs

    kept = saved.find(receipt, bundle=bundle, request=request, response=response, salts=salts)
    result = saved.verify(kept, loading.load(policy))
    banner(result.verdict.simulated)
    if as_json:
        emit_json(result.as_dict())
    else:
        emit(saved.render(result))


__all__ = ["command", "table"]
