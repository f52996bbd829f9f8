"""`confide run --stream`: items as they come, for people or as NDJSON; what proves them all at the end.

An item is authentic when it is printed, and proven only when the command ends well: where it does not, that is said aloud.
Left to others: the command (`run`), the stream itself (`client.items`).
"""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from confide.cli.output import banner, emit, note
from confide.cli.receipt import receipt_dict
from confide.errors import ConfideError

if TYPE_CHECKING:
    from confide.client import Answer, Node
    from confide.client.items import Item, Stream

SHOWN_NUMBERS = 4


def run_streamed(node: "Node", model: str, inputs: Sequence[str], *, keep: bool, as_json: bool) -> "Answer | None":
    """Ask, and print what comes; the answer, where it was to be kept."""
    stream = node.stream(model, inputs, keep=keep)
    _show(stream, inputs, as_json=as_json)
    return stream.answer if keep else None


def _show(stream: "Stream", inputs: Sequence[str], *, as_json: bool) -> None:
    """Print items while they come; an error leaves a note that they are not proven."""
    progress = _Progress(len(inputs), shown=not as_json and sys.stderr.isatty())
    try:
        for item in stream:
            progress.clear()
            if progress.count == 0 and stream.verdict is not None:
                banner(stream.verdict.simulated)
            emit(_json(_as_dict(item)) if as_json else _line(item, inputs[item.index]))
            progress.step()
            if item.truncated:
                note(f"note: text {item.index + 1} was cut after {item.tokens} tokens")
    except (ConfideError, KeyboardInterrupt):
        if progress.count:
            note(f"note: the {progress.count} items above are not proven: their stream did not end as it should")
        raise
    finally:
        progress.clear()
    emit(_json(_end(stream, progress.count)) if as_json else _proof(stream, progress.count))


class _Progress:
    """How far it is, in one line of a terminal that the next output replaces."""

    def __init__(self, total: int, *, shown: bool) -> None:
        self._total, self._shown = total, shown
        self.count = 0

    def step(self) -> None:
        self.count += 1
        if self._shown and self.count < self._total:
            click.echo(f"{self.count} of {self._total} ...", nl=False, err=True)

    def clear(self) -> None:
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)


def _line(item: "Item", text: str) -> str:
    shown = shorten(text)
    first = item.value[0]
    if not isinstance(first, float):
        return f"{item.index + 1:4d}  {first.score:6.1%}  {first.label}  {shown}"
    numbers = ", ".join(f"{number:.4f}" for number in item.value[:SHOWN_NUMBERS] if isinstance(number, float))
    return f"{item.index + 1:4d}  {len(item.value)} numbers, {numbers}, ...  {shown}"


def _as_dict(item: "Item") -> dict[str, Any]:
    output = [value if isinstance(value, float) else value._asdict() for value in item.value]
    return {"index": item.index, "output": output, "tokens": item.tokens, "truncated": item.truncated}


def _end(stream: "Stream", count: int) -> dict[str, Any]:
    """The last line of NDJSON; without it the lines before are not proven."""
    receipt, verdict = stream.receipt, stream.verdict
    return {
        "done": True,
        "count": count,
        "simulated": verdict is not None and verdict.simulated,
        "policy": None if verdict is None else str(verdict.policy),
        "receipt": None if receipt is None else receipt_dict(receipt),
    }


def _proof(stream: "Stream", count: int) -> str:
    receipt = stream.receipt
    word = "SIMULATED, proven" if stream.verdict is not None and stream.verdict.simulated else "proven"
    how = "no receipt, which this policy allows" if receipt is None else f"receipt checked, number {receipt.log_index}"
    return f"{count} items, {word}: {how}"


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)


def shorten(text: str, width: int = 48) -> str:
    """A text in one line of a table."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 3] + "..."
