"""The command group, and the one place where errors become lines on stderr and exit codes."""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

import click

from confide import __version__
from confide.cli.output import emit_json, fail_text
from confide.codes import Code, Exit
from confide.errors import ConfideError, MisuseError

COMMANDS = {
    "pack": "confide.cli.pack",
    "serve": "confide.cli.serve",
    "trust": "confide.cli.trust",
    "verify": "confide.cli.verify",
    "explain": "confide.cli.explain",
    "run": "confide.cli.run",
    "receipt": "confide.cli.receipt",
    "log": "confide.cli.log",
    "models": "confide.cli.models",
    "admit": "confide.cli.admit",
    "key": "confide.cli.key",
    "policy": "confide.cli.policy",
    "owner": "confide.cli.owner",
    "doctor": "confide.cli.doctor",
    "collateral": "confide.cli.collateral",
    "bundle": "confide.cli.bundle",
    "ear": "confide.cli.ear",
}
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class Commands(click.Group):
    """Finds a command's module when it is asked for: `confide verify` loads no engine."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order of a first day: make, serve, trust, use, prove."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The `command` of the module."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name]).command
        return command if isinstance(command, click.Command) else None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="confide")
def confide() -> None:
    """Confidential AI: verify the enclave, seal the request, get a signed receipt.

    Exit codes: 0 fine, 2 misuse, 3 bad evidence, 4 missing collateral, 5 refused by policy, 6 transport, 7 sealed channel,
    8 receipt, 9 model package, 10 engine, 1 a fault in confide itself.
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return the exit code. Never a traceback, unless CONFIDE_TRACEBACK=1 asks for it."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    return guarded(lambda: confide.main(args=words, prog_name="confide", standalone_mode=False), as_json=_wants_json(words))


def guarded(action: Callable[[], object], *, as_json: bool = False) -> int:
    """Run `action`; its errors become `error:` and `hint:` on stderr, and the exit code of their code."""
    try:
        result = action()
    except ConfideError as error:
        return _failed(error, as_json)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return int(Exit.MISUSE)
    except click.ClickException as error:
        return _failed(_misuse(error), as_json)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:  # the reader (`| head`) has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(Exit.OK)
    except Exception as error:  # the last line of defence: people get a sentence, not a traceback
        if os.environ.get("CONFIDE_TRACEBACK") == "1":
            raise
        return _failed(_internal(error), as_json)
    return result if isinstance(result, int) else int(Exit.OK)


def _failed(error: ConfideError, as_json: bool) -> int:
    if as_json:
        emit_json({"error": error.as_dict(), "exit": int(error.code.exit)})
    click.echo(fail_text(error), err=True)
    return int(error.code.exit)


def _misuse(error: click.ClickException) -> MisuseError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "confide"
    message = error.format_message().rstrip(".")
    return MisuseError(Code.CLI_INPUT, found=message[:1].lower() + message[1:], hint=f"see `{path} --help`")


def _internal(error: Exception) -> ConfideError:
    """The type and place of the fault; never its message, which may hold content."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}" if trace is not None else ""
    hint = "please report it; CONFIDE_TRACEBACK=1 shows more, and may show content"
    return ConfideError(Code.CLI_INTERNAL, found=f"{type(error).__name__}{place}", hint=hint)


def _wants_json(words: Sequence[str]) -> bool:
    """Known before options are parsed, so that a misuse is told in JSON too."""
    return "--json" in words or os.environ.get("CONFIDE_JSON", "").lower() in {"1", "true", "yes", "on"}
