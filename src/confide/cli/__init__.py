"""The command line: one thin module per command group, which asks the library and prints what it says.

Nothing here verifies, opens or decides anything (`tests/cli/test_layering.py`). Commands load when they are called.
Left to others: everything but options, output and exit codes.
"""

import io
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """The `confide` command: runs one command and exits with its code."""
    from confide.cli.app import run  # noqa: PLC0415 - importing a room must not import click

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a character still gets the line
    raise SystemExit(run(arguments))
