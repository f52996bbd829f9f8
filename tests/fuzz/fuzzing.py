"""Changes bytes, keeps what reaches new lines, and tells what came out that should not.

Each run changes one input of a target: bits, bytes, lengths, pieces cut, doubled, moved, or taken from another kept input. Where
the interpreter can say which lines ran (`sys.monitoring`, Python 3.12), an input that reached a new one is kept and changed on. The
same seed and number of runs do the same.
"""

import random
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from tests.fuzz.target import Items, Target

from confide.errors import ConfideError

MAX_SIZE = 1 << 17  # bytes of a changed input
MAX_KEPT = 2000
SLOW = 2.0  # seconds of CPU for one input
WATCHED = 1000  # runs
NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, (1 << 63) - 1, (1 << 64) - 1)
WORDS = (
    b"",
    b"\x00",
    b'"',
    b"\\u0000",
    b"{",
    b"[",
    b"]]>",
    b"&#0;",
    b"<!",
    b"-1",
    b"1e999",
    b"null",
    b"\xd8\x00",
    b"\x30\x80",
    b"\x9f",
    b"\xff",
)


@dataclass
class Outcome:
    """What one session saw."""

    runs: int = 0
    believed: int = 0
    refused: int = 0
    kept: int = 0
    lines: int = 0
    slowest: float = 0.0
    failures: dict[str, tuple[str, bytes]] = field(default_factory=dict)  # place to what happened, and the input


def fuzz(
    target: Target,
    *,
    seed: int = 0,
    runs: int | None = None,
    seconds: float | None = None,
    watch: Callable[[Outcome], object] = lambda _: None,
) -> Outcome:
    """Until so many runs are done or so much time is over; `watch` sees what there is every `WATCHED` runs."""
    rng, outcome = random.Random(seed), Outcome()
    corpus = {role: [data] for role, data in target.items.items()}
    ends = None if seconds is None else time.monotonic() + seconds
    with _lines() as reached:
        while (runs is None or outcome.runs < runs) and (ends is None or time.monotonic() < ends):
            role = rng.choice(list(corpus))
            changed = change(rng.choice(corpus[role]), corpus[role], rng)
            before = len(reached)
            _run(target, {**target.items, role: changed}, role, changed, outcome)
            if len(reached) > before and len(corpus[role]) < MAX_KEPT:
                corpus[role].append(changed)
            if outcome.runs % WATCHED == 0:
                watch(outcome)
        outcome.lines = len(reached)
    outcome.kept = sum(map(len, corpus.values())) - len(corpus)
    return outcome


def _run(target: Target, items: Items, role: str, changed: bytes, outcome: Outcome) -> None:
    outcome.runs += 1
    started = time.process_time()
    try:
        target.run(items)
        outcome.believed += 1
    except ConfideError:
        outcome.refused += 1
    except Exception as error:  # noqa: BLE001 - whatever comes out is the finding
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{role}: {type(error).__name__} at {frame.filename.rpartition('/')[2]}:{frame.lineno}"
        outcome.failures.setdefault(place, (str(error)[:200], changed))
    took = time.process_time() - started
    outcome.slowest = max(outcome.slowest, took)
    if took > SLOW:
        outcome.failures.setdefault(f"{role}: {took:.1f} s", ("slow", changed))


@contextmanager
def _lines() -> Iterator[set[tuple[CodeType, int]]]:
    """The lines of `confide` that ran, each noted once: after that the interpreter does not even ask."""
    reached: set[tuple[CodeType, int]] = set()
    monitoring: Any = getattr(sys, "monitoring", None)
    if monitoring is None or monitoring.get_tool(monitoring.COVERAGE_ID) is not None:
        yield reached
        return

    def note(code: CodeType, line: int) -> Any:
        if "/confide/" in code.co_filename:
            reached.add((code, line))
        return monitoring.DISABLE

    monitoring.use_tool_id(monitoring.COVERAGE_ID, "fuzzing")
    monitoring.register_callback(monitoring.COVERAGE_ID, monitoring.events.LINE, note)
    monitoring.set_events(monitoring.COVERAGE_ID, monitoring.events.LINE)
    monitoring.restart_events()
    try:
        yield reached
    finally:
        monitoring.set_events(monitoring.COVERAGE_ID, 0)
        monitoring.register_callback(monitoring.COVERAGE_ID, monitoring.events.LINE, None)
        monitoring.free_tool_id(monitoring.COVERAGE_ID)


# --- changes ----------------------------------------------------------------------------------------------------------------------


def change(data: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """One to four changes."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        rng.choice(_CHANGES)(found, others, rng)
    return bytes(found[:MAX_SIZE])


def _bit(data: bytearray, _: list[bytes], rng: random.Random) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _byte(data: bytearray, _: list[bytes], rng: random.Random) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)


def _number(data: bytearray, _: list[bytes], rng: random.Random) -> None:
    """A length or a count that is at an edge, in either order of bytes."""
    size, value = rng.choice((1, 2, 3, 4, 8)), rng.choice(NUMBERS) + rng.choice((-1, 0, 0, 1))
    if len(data) >= size:
        at = rng.randrange(len(data) - size + 1)
        data[at : at + size] = (value % (1 << (8 * size))).to_bytes(size, rng.choice(("big", "little")))


def _nudge(data: bytearray, _: list[bytes], rng: random.Random) -> None:
    """A number a little larger or smaller than it was."""
    if data:
        at = rng.randrange(len(data))
        data[at] = (data[at] + rng.choice((-2, -1, 1, 2))) % 256


def _cut(data: bytearray, _: list[bytes], rng: random.Random) -> None:
    if data:
        at = rng.randrange(len(data))
        del data[at : at + rng.choice((1, 2, 4, 16, 64, len(data)))]


def _double(data: bytearray, _: list[bytes], rng: random.Random) -> None:
    if data:
        at, size = rng.randrange(len(data)), rng.choice((1, 4, 16, 64, 256))
        data[at:at] = data[at : at + size] * rng.choice((1, 1, 2, 50))


def _move(data: bytearray, _: list[bytes], rng: random.Random) -> None:
    if data:
        at, size = rng.randrange(len(data)), rng.choice((1, 4, 16, 64))
        piece = data[at : at + size]
        del data[at : at + size]
        to = rng.randrange(len(data) + 1)
        data[to:to] = piece


def _word(data: bytearray, _: list[bytes], rng: random.Random) -> None:
    at, word = rng.randrange(len(data) + 1), rng.choice(WORDS)
    data[at : at + rng.choice((0, len(word)))] = word


def _splice(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    other = rng.choice(others)
    if data and other:
        at, start = rng.randrange(len(data)), rng.randrange(len(other))
        size = rng.choice((8, 64, 512))
        data[at : at + size] = other[start : start + size]


_CHANGES: tuple[Callable[[bytearray, list[bytes], random.Random], None], ...] = (
    _bit,
    _bit,
    _byte,
    _number,
    _number,
    _nudge,
    _cut,
    _double,
    _move,
    _word,
    _splice,
)
