"""How results and errors look. Lower case, two lines for an error, JSON on one stream, SIMULATED where it applies."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

from confide.errors import ConfideError

ASCII = str.maketrans({"✓": "+", "✗": "X", "…": "~"})
SIMULATED = "SIMULATED: a false vendor signed this evidence. It protects nothing; never send real data."


def fail_text(error: ConfideError) -> str:
    """`error:` with code, what it is about, found and wanted, then `hint:` with what to do."""
    lines = [f"error: {error.code.meaning} ({error.code.value})"]
    if error.about:
        lines.append(f"  about:  {error.about}")
    if error.found:
        lines.append(f"  found:  {error.found}")
    if error.wanted:
        lines.append(f"  wanted: {error.wanted}")
    return "\n".join([*lines, f"hint: {error.hint}"])


def emit_json(value: Any, *, line: bool = False) -> None:
    """One JSON object on stdout; on one line where more follow."""
    click.echo(json.dumps(value, indent=None if line else 2, ensure_ascii=False))


def emit(text: str = "") -> None:
    """A line for people on stdout."""
    click.echo(_spelled(text, sys.stdout.encoding))


def note(text: str) -> None:
    """A line for people on stderr: progress, banners, what is not the result."""
    click.echo(_spelled(text, sys.stderr.encoding), err=True)


def _spelled(text: str, encoding: str | None) -> str:
    """Marks in ASCII where the terminal has no others: one sign of doubt for both would say nothing."""
    try:
        text.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return text.translate(ASCII)
    return text


def banner(simulated: bool) -> None:
    """In plain sight, first, and on stderr so that it survives a pipe."""
    if simulated:
        note(click.style(SIMULATED, bold=True, fg="yellow"))


def table(rows: Iterable[Sequence[str]], *, indent: str = "  ") -> str:
    """Left-aligned columns."""
    cells = [list(row) for row in rows]
    if not cells:
        return ""
    widths = [max(len(row[column]) for row in cells if column < len(row)) for column in range(max(map(len, cells)))]
    lines = (indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def milliseconds(seconds: float) -> str:
    """`12.3 ms`, or `1.2 s` from one second on."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"
