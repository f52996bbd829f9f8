"""`confide serve`: run a node with these packages until it is told to stop."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from confide.cli.options import PATH, option
from confide.cli.output import banner, note, table
from confide.codes import Code
from confide.errors import MisuseError

if TYPE_CHECKING:
    from confide.server.node import Node


@click.command("serve", short_help="Run a node.")
@click.argument("packages", nargs=-1, type=PATH, metavar="PACKAGE...")
@option(
    "--alias", "aliases", multiple=True, metavar="NAME=PACKAGE", help="Serve a package under this name. Default: its file name."
)
@option("--tee", metavar="KIND", help="auto, snp, ..., or simulated, which protects nothing. Default: auto.")
@option("--host", metavar="ADDRESS", help="Address to listen on. Default: 127.0.0.1.")
@option("--port", type=click.IntRange(0, 65535), metavar="PORT", help="Port to listen on, 0 for a free one. Default: 8711.")
@option("--workers", type=click.IntRange(0, 1024), metavar="N", help="Engine processes. Default: one per core.")
@option("--config", type=PATH, metavar="FILE", help="TOML file with the settings of docs/reference/configuration.md.")
def command(
    packages: tuple[Path, ...],
    *,
    aliases: tuple[str, ...],
    tee: str | None,
    host: str | None,
    port: int | None,
    workers: int | None,
    config: Path | None,
) -> None:
    """Serve model packages from inside a TEE: evidence, the sealed channel, and nothing in the clear.

    Needs the server extra: pip install 'confide[server]'. Stop it with Ctrl-C; requests under way are finished.
    """
    try:
        from confide.server import serve  # noqa: PLC0415 - the base install has no server
        from confide.server.config import load_config  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise missing_extra(error, "server") from None
    models = _models(packages, aliases)
    flags = {"tee": tee, "host": host, "port": port, "workers": workers, "models": models or None}
    serve.run(load_config(file=config, flags=flags), announce=_announce)


def _announce(url: str, node: "Node") -> None:
    """The node is ready: where it is, what it serves, what to do next."""
    banner(node.simulated)
    note(f"serving {url}  (TEE: {node.config.tee}, engine: {node.keyset.isolation.value}); Ctrl-C stops it")
    note(table((alias, digest.hex()) for alias, digest in node.keyset.models.items()))
    unsafe = " --unsafe-accept-simulated" if node.simulated else ""
    note(f"clients start with: confide trust {url} -o policy.toml{unsafe}")


def missing_extra(error: ModuleNotFoundError, extra: str) -> MisuseError:
    """`cli.extra`, for a command whose libraries are an extra."""
    hint = f"pip install 'confide[{extra}]'"
    return MisuseError(Code.CLI_EXTRA, found=f"no module {error.name}", wanted=f"confide[{extra}]", hint=hint)


def _models(packages: Sequence[Path], aliases: Sequence[str]) -> dict[str, str]:
    """Alias to package. A package that an --alias names is not served under its file name too."""
    models: dict[str, str] = {}
    for text in aliases:
        alias, equals, path = text.partition("=")
        if not (alias and equals and path):
            raise MisuseError(Code.CLI_INPUT, found=f"--alias {text[:80]!r}", wanted="--alias NAME=PACKAGE")
        _add(models, alias, path)
    named = {Path(path) for path in models.values()}
    for package in packages:
        if package not in named:
            _add(models, package.stem.lower(), str(package))
    return models


def _add(models: dict[str, str], alias: str, path: str) -> None:
    if alias in models:
        hint = "give one of them another name: --alias NAME=PACKAGE"
        raise MisuseError(Code.CLI_INPUT, found=f"two packages named {alias}", wanted="one per name", hint=hint)
    models[alias] = path
