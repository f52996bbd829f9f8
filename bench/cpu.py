"""CPU time of processes, and medians with their spread."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One published figure. `spread` is the distance between the quartiles of its `n` samples."""

    value: float
    unit: str
    n: int
    spread: float

    @classmethod
    def of(cls, samples: Sequence[float], unit: str) -> "Figure":
        """Median and interquartile range."""
        low, _, high = statistics.quantiles(samples, n=4) if len(samples) > 1 else (samples[0],) * 3
        return cls(round(statistics.median(samples), 4), unit, len(samples), round(high - low, 4))

    @classmethod
    def exact(cls, value: float, unit: str, n: int) -> "Figure":
        """A count, or anything else without noise."""
        return cls(value, unit, n, 0.0)


def process_cpu(pid: int) -> float:
    """CPU seconds that all threads of a process have run, at nanosecond resolution (/proc/PID/task/*/schedstat)."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def children(pid: int) -> list[int]:
    """Direct children of a process, whichever of its threads started them."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(text) for text in (task / "children").read_text().split()]
    return sorted(set(found))


def descendants(pid: int) -> list[int]:
    """Children, grandchildren and so on."""
    found = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


def timed_us(call: Callable[[], object], *, repeat: int = 200, loops: int = 1) -> list[float]:
    """CPU microseconds of a call, `repeat` samples of `loops` calls each, after one unmeasured call."""
    call()
    samples = []
    for _ in range(repeat):
        start = time.process_time_ns()
        for _ in range(loops):
            call()
        samples.append((time.process_time_ns() - start) / 1e3 / loops)
    return samples
