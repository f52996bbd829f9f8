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
        super().__init__(*args, show_envvar=True, **kwargs)
        if self.envvar is None and self.name is not None:
            self.envvar = f"CONFIDE_{self.name.upper()}"

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """Lines, where click would split at every blank."""
        value = self.resolve_envvar_value(ctx)
        return value.splitlines() if value is not None and self.multiple else super().value_from_envvar(ctx)


class Time(click.ParamType):
    """RFC 3339 with a zone: a time without one could be hours off."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """An aware datetime in UTC."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a time such as 2026-01-31T12:00:00Z", param, ctx)
        if moment.tzinfo is None:
            self.fail(f"{value!r} has no time zone; write 2026-01-31T12:00:00Z", param, ctx)
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
    return option("--at", type=Time(), metavar="TIME", help="Judge as of this time, such as 2026-01-31T12:00:00Z.")(function)
