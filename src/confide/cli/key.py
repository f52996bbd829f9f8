"""`confide key`: an owner's key pair, for signing policies and admissions."""

from pathlib import Path

import click

from confide.cli.options import PATH, json_option, option
from confide.cli.output import emit, emit_json, note

ALGORITHMS = ("ed25519", "ml-dsa-65")


def passphrase_option(function: click.decorators.FC) -> click.decorators.FC:
    """`--passphrase-file FILE`: never the passphrase itself."""
    text = "File whose first line is the passphrase of the private key."
    return option("--passphrase-file", type=PATH, metavar="FILE", help=text)(function)


@click.group("key", short_help="Make and show an owner's keys.")
def command() -> None:
    """Make and show an owner's keys, which sign policies and admissions."""


@command.command("new", short_help="Make a key pair.")
@click.argument("file", type=PATH)
@option("--alg", type=click.Choice(ALGORITHMS), default=ALGORITHMS[0], show_default=True, help="Signature algorithm.")
@passphrase_option
@json_option
def new(file: Path, *, alg: str, passphrase_file: Path | None, as_json: bool) -> None:
    """Write a new private key to FILE and its public half to FILE.pub.json; print the public key.

    Without --passphrase-file the private key is not encrypted, and readable by you alone.

    The printed text is what a node's authority_key and a policy's node.authority_key take; FILE.pub.json is what --policy-signer
    takes. Nothing here can restore a private key that is lost.
    """
    from confide.client.keyfiles import new_key_file  # noqa: PLC0415 - the library loads when a command runs

    made = new_key_file(file, alg=alg, passphrase_file=passphrase_file)
    if as_json:
        emit_json({"private": str(made.private), "public": str(made.public), "key": made.text, "encrypted": made.encrypted})
        return
    note(f"wrote {made.private} ({'encrypted' if made.encrypted else 'not encrypted, mode 0600'}) and {made.public}")
    emit(made.text)


@command.command("public", short_help="Print the public half of a private key.")
@click.argument("file", type=PATH)
@option("-o", "--output", type=PATH, metavar="FILE", help="Write it as JSON too, for --policy-signer.")
@passphrase_option
@json_option
def public(file: Path, *, output: Path | None, passphrase_file: Path | None, as_json: bool) -> None:
    """Print the public half of the private key in FILE."""
    from confide.client.files import write_file  # noqa: PLC0415
    from confide.client.keyfiles import key_text, public_json, read_key_file  # noqa: PLC0415

    key = read_key_file(file, passphrase_file=passphrase_file).public
    if output is not None:
        write_file(output, public_json(key))
    if as_json:
        emit_json({"key": key_text(key), "keyid": key.keyid})
    else:
        emit(key_text(key))
