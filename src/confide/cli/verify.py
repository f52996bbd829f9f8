"""`confide verify`: one verdict, about a node now or about a saved bundle as of a time."""

from datetime import UTC, datetime
from pathlib import Path

import click

from confide.cli.key import passphrase_option
from confide.cli.options import PATH, at_option, json_option, option, policy_option, signer_option, state_option, timeout_option
from confide.cli.output import banner, emit, emit_json, note
from confide.codes import Code, Exit
from confide.errors import MisuseError


@click.command("verify", short_help="Verify a node, or a bundle file, against a policy.")
@click.argument("source", metavar="URL|BUNDLE")
@policy_option()
@signer_option
@option("--offline", is_flag=True, help="Refuse to use the network: SOURCE must be a bundle file.")
@at_option
@option("--ear", type=PATH, metavar="FILE", help="Write the verdict for others too: a signed attestation result (EAR).")
@option("--ear-key", type=PATH, metavar="FILE", help="Private key that signs it, as `confide key new` writes one.")
@passphrase_option
@option("--save", type=PATH, metavar="FILE", help="Write the verified evidence to a bundle file.")
@state_option
@timeout_option
@json_option
def command(
    source: str,
    *,
    policy: Path,
    policy_signers: tuple[Path, ...],
    offline: bool,
    at: datetime | None,
    ear: Path | None,
    ear_key: Path | None,
    passphrase_file: Path | None,
    save: Path | None,
    state: Path | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Verify a node, or a bundle file, against a policy.

    A node is asked for fresh evidence. A bundle is judged as of --at, or as of now; that needs no network.

    \b
    Exit codes; docs/reference/failures.md has what leads to each, by kind of evidence.
      0  verified
      2  the call or a file is wrong: nothing was judged
      3  the evidence is malformed, not genuine, revoked, debuggable or of another session
      4  certificates, lists, TCB data or manifests are missing or have ended
      5  genuine, but not what the policy accepts; or the policy is not signed, over, or rolled back
      6  the network: nothing is known about the node
    """
    from confide.client import ear as results  # noqa: PLC0415
    from confide.client import judge, loading  # noqa: PLC0415 - the library loads when a command runs
    from confide.client.files import write_file  # noqa: PLC0415
    from confide.client.state import default_path  # noqa: PLC0415
    from confide.policy.text import as_dict, render  # noqa: PLC0415

    if (ear is None) != (ear_key is None):
        raise MisuseError(Code.CLI_INPUT, found="one of --ear and --ear-key", wanted="both or neither")
    signer = None if ear_key is None else results.read_signing_key(ear_key, passphrase_file=passphrase_file)
    loaded = loading.load(policy, signers=loading.read_signers(policy_signers))
    obtained = judge.get(source, offline=offline, at=at, timeout=timeout)
    judged = judge.judge(obtained, loaded, now=datetime.now(UTC), at=at, state_path=state or default_path())
    if save is not None:
        write_file(save, judged.document)
    if ear is not None and signer is not None:
        results.write(ear, judged.verdict, signer, now=datetime.now(UTC))
    if as_json:
        banner(judged.verdict.simulated)
        emit_json(as_dict(judged.verdict) | {"exit": int(Exit.OK)})
    else:
        emit(render(judged.verdict).rstrip())
    for written in filter(None, (save, ear)):
        note(f"saved {written}")
