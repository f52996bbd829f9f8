"""Options that several commands share. Each option has an environment twin, `CONFIDE_` and its name; no option takes a secret."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


class Option(click.Option):
    """An option with its environment twin. Repeatable ones take one value per line from the environment."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("show_envvar", True)
        super().__init__(*args, **kwargs)
        if self.envvar is None and self.name is not None:
            self.envvar = f"CONFIDE_{self.name.upper()}"

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """Lines, where click would split at every blank."""
        value = self.resolve_envvar_value(ctx)
        return value.splitlines() if value is not None and self.multiple else super().value_from_envvar(ctx)


def parse_time(text: str) -> datetime:
    """RFC 3339 with a zone, as UTC: a time without one could be hours off."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a time such as 2026-01-31T12:00:00Z") from None
    if moment.tzinfo is None:
        raise click.BadParameter(f"{text!r} has no time zone; write 2026-01-31T12:00:00Z")
    return moment.astimezone(UTC)


PATH = click.Path(path_type=Path)


def option(*names: str, **kwargs: Any) -> Callable[[F], F]:
    """`click.option` with an environment twin."""
    return click.option(*names, cls=Option, **kwargs)


def json_option(function: F) -> F:
    """`--json`."""
    return option("--json", "as_json", is_flag=True, envvar="CONFIDE_JSON", help="Print one JSON object instead of text.")(function)


def policy_option(*, required: bool = True) -> Callable[[F], F]:
    """`--policy FILE`."""
    text = "Policy file that says what to accept; `confide trust` writes one."
    return option("-p", "--policy", type=PATH, required=required, metavar="FILE", help=text)


def signer_option(function: F) -> F:
    """`--policy-signer FILE`."""
    text = "The policy must be signed by this public key (JSON: alg, public_key); repeat for more."
    return option("--policy-signer", "policy_signers", multiple=True, type=PATH, metavar="FILE", help=text)(function)


def timeout_option(function: F) -> F:
    """`--timeout SECONDS`."""
    kind = click.FloatRange(min=0.1, max=3600)
    return option("--timeout", type=kind, default=60.0, show_default=True, metavar="SECONDS", help="For one exchange.")(function)


def state_option(function: F) -> F:
    """`--state FILE`."""
    text = "Where to keep what was seen, against rollback. Default: the user's state folder."
    return option("--state", type=PATH, metavar="FILE", help=text)(function)


def at_option(function: F) -> F:
    """`--at TIME`."""
    return option("--at", type=parse_time, metavar="TIME", help="Judge as of this time, such as 2026-01-31T12:00:00Z.")(function)


def gpus_option(function: F) -> F:
    """`--gpus none|nvidia`."""
    kind = click.Choice(["none", "nvidia"])
    return option("--gpus", type=kind, default="none", show_default=True, help="As the node's setting: GPUs beside the TEE.")(
        function
    )


def vtpm_option(function: F) -> F:
    """`--vtpm`."""
    return option("--vtpm", is_flag=True, help="As the node's setting: the cloud's TPM beside a SEV-SNP guest or a TD.")(function)
