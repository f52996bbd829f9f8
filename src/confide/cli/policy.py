"""`confide policy`: sign a policy, see what one says, take values of a software's maker into it."""

from datetime import UTC, datetime
from pathlib import Path

import click

from confide.cli.key import passphrase_option
from confide.cli.options import PATH, at_option, json_option, option, signer_option
from confide.cli.output import banner, emit, emit_json, note
from confide.codes import Code
from confide.errors import MisuseError


@click.group("policy", short_help="Check and sign policies.")
def command() -> None:
    """Check and sign policies."""


@command.command("sign", short_help="Sign a policy.")
@click.argument("policy", type=PATH)
@option("--key", "key_file", type=PATH, required=True, metavar="FILE", help="Private key, as `confide key new` writes it.")
@passphrase_option
@option("-o", "--output", type=PATH, required=True, metavar="FILE", help="Where to write the signed policy.")
@option("--force", is_flag=True, help="Replace an existing file.")
@json_option
def sign(policy: Path, *, key_file: Path, passphrase_file: Path | None, output: Path, force: bool, as_json: bool) -> None:
    """Write the policy in POLICY (TOML or JSON), signed, to a file that --policy-signer accepts.

    A policy that would not load is not signed.
    """
    from confide.client.owner import sign_policy_file  # noqa: PLC0415 - the library loads when a command runs

    if output.exists() and not force:
        raise MisuseError(Code.CLI_EXISTS, found=str(output), wanted="a new file", hint="choose another name, or --force")
    signed = sign_policy_file(policy, key_file=key_file, passphrase_file=passphrase_file, output=output)
    if as_json:
        emit_json({"policy": str(output), "signed": str(signed), "signer": signed.signer, "digest": signed.digest.hex()})
    else:
        emit(f"wrote {output}: {signed}, by key {signed.signer}")


@command.command("check", short_help="Load a policy and show what it says.")
@click.argument("file", type=PATH)
@signer_option
@json_option
def check(file: Path, *, policy_signers: tuple[Path, ...], as_json: bool) -> None:
    """Load the policy in FILE and show in short what it demands. Exits 0 only if it loads."""
    from confide.client import loading  # noqa: PLC0415
    from confide.client.owner import demands  # noqa: PLC0415

    loaded = loading.load(file, signers=loading.read_signers(policy_signers))
    shown = demands(loaded)
    banner(loaded.unsafe_accept_simulated)
    if as_json:
        emit_json(shown)
        return
    for name, value in shown.items():
        first, *more = value if isinstance(value, list) else [value]
        emit(f"{name.replace('_', ' '):<12}{first}")
        for each in more:
            emit(f"{'':<12}{each}")


@command.command("import", short_help="Take reference values of a software's maker into a policy.")
@click.argument("file", type=PATH)
@option("--signer", type=PATH, metavar="FILE", help="Public key (PEM) that must have signed FILE, a CoRIM.")
@option("--unsigned", is_flag=True, help="Take FILE without a signature: you know where it is from.")
@option("--into", "policy", type=PATH, metavar="POLICY", help="Policy whose accept entries take the values.")
@option("-o", "--output", type=PATH, metavar="FILE", help="Where to write that policy.")
@option("--keep", is_flag=True, help="Keep the entries as they are and add those with the values.")
@option("--force", is_flag=True, help="Replace an existing file.")
@at_option
@json_option
def import_(
    file: Path,
    *,
    signer: Path | None,
    unsigned: bool,
    policy: Path | None,
    output: Path | None,
    keep: bool,
    force: bool,
    at: datetime | None,
    as_json: bool,
) -> None:
    """Read reference values from FILE, a CoRIM (CBOR) or JSON, and take them into a policy.

    Entries of the kinds that FILE speaks of get its values; minimum firmware and everything else stays as the policy has it.
    Without --into, show what FILE holds.
    """
    from confide.client import references  # noqa: PLC0415 - the library loads when a command runs

    if unsigned == (signer is not None):
        raise MisuseError(Code.CLI_INPUT, found="both or neither of --signer and --unsigned", wanted="one of them")
    if (policy is None) != (output is None):
        raise MisuseError(Code.CLI_INPUT, found="one of --into and --output", wanted="both or neither")
    if output is not None and output.exists() and not force:
        raise MisuseError(Code.CLI_EXISTS, found=str(output), wanted="a new file", hint="choose another name, or --force")
    found = references.read(file, signer=signer, now=at or datetime.now(UTC))
    merged = None if policy is None or output is None else references.into(found, policy, output, keep=keep)
    if as_json:
        emit_json(references.as_dict(found, merged))
        return
    for line in references.lines(found, merged):
        emit(line)
    if output is not None:
        note(f"wrote {output}")
