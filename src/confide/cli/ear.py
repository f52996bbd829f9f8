"""`confide ear`: another verifier's attestation result, checked. `confide verify URL --ear` writes one."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from confide.cli.options import PATH, at_option, json_option, option
from confide.cli.output import emit, emit_json, note, table

ACCEPTED = ("affirming", "none", "warning", "contraindicated")  # best first; AR4SI section 2.3.2


@click.group("ear", short_help="Check attestation results (EAR) of other verifiers.")
def command() -> None:
    """Check attestation results (EAR) of other verifiers. `confide verify URL --ear FILE` writes one."""


@command.command("check", short_help="Check a signed attestation result.")
@click.argument("token", type=PATH)
@option(
    "--key", type=PATH, required=True, metavar="FILE", help="The verifier's public key: PEM, JWK, or as `confide key` writes it."
)
@option("--nonce", metavar="TEXT", help="The nonce that you gave the verifier, spelled as in the token.")
@option("--accept", type=click.Choice(ACCEPTED), default=ACCEPTED[0], show_default=True, help="The worst status that you accept.")
@option(
    "--max-age", type=click.FloatRange(min=0.01, max=8760), default=24.0, show_default=True, metavar="HOURS", help="Of the token."
)
@at_option
@json_option
def check(token: Path, *, key: Path, nonce: str | None, accept: str, max_age: float, at: datetime | None, as_json: bool) -> None:
    """Check the token in TOKEN: signature, profile, age, nonce, and the status of everything in it.

    Exits 0 only if it holds. It is the verifier's word and opens no channel: only a verdict of your own does.
    """
    from confide.client import ear  # noqa: PLC0415 - the library loads when a command runs

    age = timedelta(hours=max_age)
    checked = ear.check(token, key=key, now=at or datetime.now(UTC), nonce=nonce, accept=accept, max_age=age)
    if as_json:
        emit_json(ear.as_dict(checked))
        return
    emit(table(ear.rows(checked), indent=""))
    if nonce is None:
        note("no nonce was given: the token may answer somebody else's question")
