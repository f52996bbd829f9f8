"""Write docs/reference/cli.md from every command's --help; `--check` fails when the file is not what the commands say."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from confide.cli.app import confide

OUTPUT = Path(__file__).resolve().parent.parent / "docs" / "reference" / "cli.md"
WIDTH = 100
HEAD = """# Command line

Made from `--help` by `scripts/cli_docs.py`. Every option has an environment twin, shown with it. Errors go to stderr as `error:`
and `hint:`; with `--json` the error is also one JSON object on stdout. Exit codes: [exit-codes.md](exit-codes.md).
"""


def commands(command: click.Command, path: str) -> Iterator[tuple[str, str]]:
    """Each command's path and help text, groups before their members."""
    names = ["-h", "--help"]
    context = click.Context(command, info_name=path, max_content_width=WIDTH, terminal_width=WIDTH, help_option_names=names)
    yield path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            member = command.get_command(context, name)
            if member is not None:
                yield from commands(member, f"{path} {name}")


def page() -> str:
    """The whole page."""
    parts = [f"## {path}\n\n```\n{text}\n```\n" for path, text in commands(confide, "confide")]
    return "\n".join([HEAD, *parts])


def main() -> int:
    """Write, or compare."""
    if "--check" in sys.argv[1:]:
        if OUTPUT.is_file() and OUTPUT.read_text(encoding="utf-8") == page():
            return 0
        print(f"{OUTPUT} is not current: run scripts/cli_docs.py", file=sys.stderr)
        return 1
    OUTPUT.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
