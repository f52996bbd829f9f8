"""`confide models`: what a node offers; and for owners: upload packages, name them, take them away."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from confide.cli.options import PATH, json_option, option, policy_option, signer_option, state_option, timeout_option
from confide.cli.output import banner, emit, emit_json, note, table
from confide.cli.owner import find_token, require_token, token_option
from confide.cli.receipt import receipt_dict

if TYPE_CHECKING:
    from confide.client import Node
    from confide.client.tokens import Token

F = TypeVar("F", bound=Callable[..., Any])
VISIBILITIES = ("owner", "public")


def _node_options(function: F) -> F:
    """What every command here takes, in the order in which `--help` shows it."""
    return token_option(policy_option()(signer_option(state_option(timeout_option(json_option(function))))))


@click.group("models", short_help="List, upload, name and delete models on a node.")
def command() -> None:
    """List, upload, name and delete models on a verified node.

    Owners' tokens come from CONFIDE_OWNER_TOKEN or --token-file; `confide owner new` makes them.
    """


@command.command("list", short_help="What a node offers.")
@click.argument("url")
@_node_options
def listing(url: str, *, as_json: bool, token_file: Path | None, **connection: Any) -> None:
    """List the models that the node at URL offers; with a token also those that only their owner may use."""
    with _connect(url, find_token(token_file), **connection) as node:
        models = node.models()
        banner(node.verdict.simulated)
    if as_json:
        emit_json([{"alias": model.id, "digest": model.digest, "task": model.task} for model in models])
    else:
        emit(table(((model.id, model.digest, model.task) for model in models), indent=""))


@command.command("upload", short_help="Put a package on a node.")
@click.argument("url")
@click.argument("package", type=PATH, metavar="FILE")
@option("--alias", metavar="NAME", help="Its name on the node. Default: the file's name.")
@option("--visibility", type=click.Choice(VISIBILITIES), default="owner", show_default=True, help="Who may use it.")
@option("--no-resume", is_flag=True, help="Give up when the connection breaks, instead of going on where it broke.")
@_node_options
def upload(
    url: str,
    package: Path,
    *,
    alias: str | None,
    visibility: str,
    no_resume: bool,
    as_json: bool,
    token_file: Path | None,
    **connection: Any,
) -> None:
    """Put the package FILE on the node at URL, sealed all the way, and give it a name. Returns when the node has loaded it."""
    token, name = require_token(token_file), alias or package.stem.lower()
    with _connect(url, token, **connection) as node:
        banner(node.verdict.simulated)
        with _progress(package, quiet=as_json) as bar:
            done = node.upload(
                package,
                alias=name,
                visibility=visibility,
                resume=not no_resume,
                progress=lambda at, _: bar.update(at - bar.pos) if bar is not None else None,
            )
    if as_json:
        receipt = None if done.receipt is None else receipt_dict(done.receipt)
        members = {"alias": done.alias, "digest": done.digest, "version": done.version, "visibility": done.visibility}
        emit_json({**members, "receipt": receipt})
        return
    emit(
        table(
            [("loaded", f"{done.alias}, version {done.version}, for {_for(done.visibility)}"), ("digest", done.digest)], indent=""
        )
    )
    note(f'a policy takes it as [models] {done.alias} = ["{done.digest}"]')


@command.command("alias", short_help="Show or move an alias.")
@click.argument("url")
@click.argument("alias")
@click.argument("digest", required=False)
@option("--delete", is_flag=True, help="Forget the alias; its package stays.")
@_node_options
def alias(
    url: str, alias: str, digest: str | None, *, delete: bool, as_json: bool, token_file: Path | None, **connection: Any
) -> None:
    """Show what ALIAS stands for on the node at URL, or let it stand for the owner's package DIGEST from the next request on."""
    from confide.client.uploads import alias_flow, delete_alias_flow  # noqa: PLC0415 - the library loads when a command runs

    if delete and digest:
        raise click.UsageError("--delete takes no DIGEST")
    with _connect(url, require_token(token_file), **connection) as node:
        banner(node.verdict.simulated)
        if delete:
            node.drive(delete_alias_flow(node.core, alias))
            note(f"forgot {alias}")
            return
        state = node.set_alias(alias, digest) if digest else node.drive(alias_flow(node.core, alias))
    versions = [{"version": each.version, "digest": each.digest, "since": each.since} for each in state.versions]
    if as_json:
        emit_json({"alias": state.alias, "digest": state.digest, "version": state.version, "versions": versions})
        return
    rows = [(f"version {each['version']}", str(each["digest"]), str(each["since"] or "since the start")) for each in versions]
    emit(table(rows, indent=""))


@command.command("delete", short_help="Take a package off a node.")
@click.argument("url")
@click.argument("digest")
@_node_options
def delete(url: str, digest: str, *, as_json: bool, token_file: Path | None, **connection: Any) -> None:
    """Take the owner's package DIGEST off the node at URL, with the aliases that stand on it. Requests under way are finished."""
    with _connect(url, require_token(token_file), **connection) as node:
        banner(node.verdict.simulated)
        gone = node.delete_package(digest)
    if as_json:
        emit_json({"digest": digest, "aliases": list(gone)})
    else:
        emit(f"deleted {digest}" + (f" and {', '.join(gone)}" if gone else ""))


def _connect(
    url: str, token: "Token | None", *, policy: Path, policy_signers: tuple[Path, ...], state: Path | None, timeout: float
) -> "Node":
    from confide.client import connect, loading  # noqa: PLC0415
    from confide.client.state import default_path  # noqa: PLC0415

    signers = loading.read_signers(policy_signers)
    return connect(url, policy=policy, policy_signers=signers, timeout=timeout, state=state or default_path(), token=token)


def _progress(package: Path, *, quiet: bool) -> AbstractContextManager[Any]:
    """A bar on a terminal; nothing into files and pipes."""
    if quiet or not sys.stderr.isatty() or not package.is_file():
        return nullcontext()
    bar: AbstractContextManager[Any] = click.progressbar(length=package.stat().st_size, label=package.name, file=sys.stderr)
    return bar


def _for(visibility: str) -> str:
    return "its owner" if visibility == "owner" else "everyone"
