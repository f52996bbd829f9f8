"""`confide bundle`: keep a node's evidence as a file, and complete one whose collateral is not in it."""

from pathlib import Path

import click

from confide.cli.options import PATH, json_option, option, timeout_option
from confide.cli.output import emit, emit_json, table
from confide.codes import Code
from confide.errors import MisuseError


@click.group("bundle", short_help="Keep a node's evidence as a file, for checking without network.")
def command() -> None:
    """Bundle files: a node's evidence document with the collateral that verifying it needs.

    `confide verify BUNDLE --offline --at TIME` and `confide explain BUNDLE` judge one.
    """


@command.command("save", short_help="Save a node's evidence, as it is, without judging it.")
@click.argument("url", metavar="URL")
@click.argument("file", type=PATH, metavar="FILE")
@timeout_option
@json_option
def save(url: str, file: Path, *, timeout: float, as_json: bool) -> None:
    """Save what a node shows. Nothing is verified and nothing is trusted: that is what `confide verify FILE` is for."""
    from confide.client import judge  # noqa: PLC0415 - the library loads when a command runs

    _write(file, judge.ask(url, timeout=timeout).document, as_json=as_json)


@command.command("complete", short_help="Put missing collateral into a bundle file.")
@click.argument("bundle", type=PATH, metavar="BUNDLE")
@option("--output", "-o", type=PATH, required=True, metavar="FILE", help="Where the completed bundle goes.")
@option("--collateral", "folder", type=PATH, metavar="FOLDER", help="Files named as in a node's collateral_dir.")
@option("--source", default="", metavar="vendors|URL", help="Ask the vendors' services, or a cache (PCCS), for the rest.")
@json_option
def complete(bundle: Path, output: Path, folder: Path | None, source: str, *, as_json: bool) -> None:
    """Put into a bundle what it lacks, from a folder, then from the vendor. What is in it already stays.

    A document is not signed as a whole: collateral proves itself, so adding some cannot make a bad bundle good.
    """
    from confide.collateral import bundles  # noqa: PLC0415

    if folder is None and not source:
        raise MisuseError(Code.CLI_INPUT, found="neither --collateral nor --source", wanted="one of them, or both")
    _write(output, bundles.complete(bundle, folder=folder, source=source), as_json=as_json)


def _write(file: Path, document: bytes, *, as_json: bool) -> None:
    """Write what can be read as a document, and say what is in it."""
    from confide.client.files import write_file  # noqa: PLC0415
    from confide.collateral import bundles  # noqa: PLC0415

    kinds, names = bundles.contents(document)
    write_file(file, document)
    if as_json:
        emit_json({"file": str(file), "bytes": len(document), "evidence": kinds, "collateral": names})
        return
    emit(f"wrote {file}: {len(document):,} bytes, not verified: `confide verify` or `confide explain` does that")
    emit(table([("evidence", ", ".join(kinds)), ("collateral", ", ".join(names) or "none")]))
