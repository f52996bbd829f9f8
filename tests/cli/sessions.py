"""CLI sessions as text files, in the manner of age's testdata: what is typed, what comes back, and the exit code.

    # a comment; `# needs: node` asks for a running node
    $ confide verify bundle.json --policy policy.toml
    < standard input, line by line
    1> expected standard output; `...` inside a line stands for anything, a line of only `...` for any number of lines
    2> expected standard error
    ? 3

A stream without expectations must stay empty. `{url}` and other names in braces are filled in by the test.
"""

import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent / "sessions"


@dataclass
class Step:
    """One command with its input and what is expected of it."""

    command: list[str]
    line: int
    stdin: list[str] = field(default_factory=list)
    stdout: list[str] = field(default_factory=list)
    stderr: list[str] = field(default_factory=list)
    exit: int = 0


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    stdout: str
    stderr: str
    exit: int


def parse(text: str, names: dict[str, str]) -> list[Step]:
    """The steps of a session file."""
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    steps: list[Step] = []
    for number, line in enumerate(text.splitlines(), 1):
        mark, _, rest = line.partition(" ")
        if mark == "$":
            words = shlex.split(rest)
            assert words[0] == "confide", f"line {number}"
            steps.append(Step(words[1:], number))
        elif mark in {"<", "1>", "2>"}:
            {"<": steps[-1].stdin, "1>": steps[-1].stdout, "2>": steps[-1].stderr}[mark].append(rest)
        elif mark == "?":
            steps[-1].exit = int(rest)
        else:
            assert not mark or mark.startswith("#"), f"line {number}: {line!r}"
    return steps


def play(steps: Iterable[Step], run: Callable[[Step], Outcome]) -> None:
    """Run each step and compare; the message shows the whole outcome."""
    for step in steps:
        outcome = run(step)
        typed = f"line {step.line}: $ confide {shlex.join(step.command)}"
        where = f"{typed}\nexit {outcome.exit}\n{outcome.stdout}\n--- stderr\n{outcome.stderr}"
        assert outcome.exit == step.exit, where
        assert matches(step.stdout, outcome.stdout), where
        assert matches(step.stderr, outcome.stderr), where


def matches(expected: list[str], found: str) -> bool:
    """Whether `found` is what the lines say."""
    parts = [r"(?:.*\n)*?" if line == "..." else ".*".join(map(re.escape, line.split("..."))) + r"\n" for line in expected]
    text = found if not found or found.endswith("\n") else found + "\n"
    return re.fullmatch("".join(parts), text) is not None
