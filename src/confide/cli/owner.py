"""`confide owner`: tokens of package owners; and where the other commands take one from. Never from an option's value."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from confide.cli.options import PATH, json_option, option
from confide.cli.output import emit, emit_json, note
from confide.codes import Code
from confide.errors import MisuseError

if TYPE_CHECKING:
    from confide.client.tokens import Token

NAME = r"[a-z0-9][a-z0-9._-]{0,63}"


@click.group("owner", short_help="Make tokens of package owners.")
def command() -> None:
    """Make tokens of package owners: those who may put models on a node while it runs."""


@command.command("new", short_help="Make an owner's token.")
@click.argument("name")
@option("-o", "--output", type=PATH, metavar="FILE", help="Write the token to a new file, mode 0600, instead of printing it.")
@json_option
def new(name: str, *, output: Path | None, as_json: bool) -> None:
    """Make a token for the owner NAME, print it once, and print the lines for the node's configuration.

    The node's configuration holds the token's SHA-256 only, so nothing can restore a token that is lost.
    """
    import re  # noqa: PLC0415 - as the rest, when the command runs

    from confide.client.files import write_file  # noqa: PLC0415
    from confide.client.tokens import Token  # noqa: PLC0415

    if not re.fullmatch(NAME, name) or name == "operator":
        raise MisuseError(Code.CLI_INPUT, found=f"a name of {len(name)} characters", wanted="a-z 0-9 . _ -, and not operator")
    if output is not None and output.exists():
        raise MisuseError(Code.CLI_EXISTS, found=str(output), wanted="a new file")
    token = Token.new()
    if output is not None:
        write_file(output, f"{token.text}\n".encode())
    if as_json:
        shown = {} if output is not None else {"token": token.text}
        emit_json({"name": name, "token_sha256": token.sha256, **shown})
        return
    if output is not None:
        note(f"wrote {output}: keep it; it is not shown anywhere else")
    else:
        note("the token, shown once; keep it where CONFIDE_OWNER_TOKEN comes from:")
        note(token.text)
    emit(f'[owners.{name}]\ntoken_sha256 = "{token.sha256}"')


def token_option(function: click.decorators.FC) -> click.decorators.FC:
    """`--token-file FILE`: never the token itself."""
    text = "File with the token of a package owner. Default: what CONFIDE_OWNER_TOKEN holds."
    return option("--token-file", type=PATH, metavar="FILE", help=text)(function)


def find_token(file: Path | None) -> "Token | None":
    """The token of a file, or of the environment; None where there is neither."""
    from confide.client.tokens import VARIABLE, Token, read_token  # noqa: PLC0415

    if file is not None:
        return read_token(file)
    text = os.environ.get(VARIABLE)
    return Token.parse(text) if text else None


def require_token(file: Path | None) -> "Token":
    """`client.token` where there is none."""
    token = find_token(file)
    if token is None:
        raise MisuseError(
            Code.CLIENT_TOKEN,
            found="no token",
            wanted="that of a package owner",
            hint="set CONFIDE_OWNER_TOKEN, or --token-file FILE",
        )
    return token
