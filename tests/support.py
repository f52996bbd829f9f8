"""What several suites share: where recorded evidence lies, and how a refusal is asserted."""

import os
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from confide.codes import Code
from confide.errors import ConfideError

ROOT = Path(__file__).resolve().parents[1]
FRUGAL = 24 << 20  # bytes; inputs are at most 1 MiB, and Python's smallest list takes 56 bytes


def recorded_vectors() -> Path | None:
    """The folder of recorded vendor evidence: `CONFIDE_VECTORS`, or `shared/vectors` beside the checkout; None without one."""
    named = os.environ.get("CONFIDE_VECTORS")
    folder = Path(named) if named else ROOT.parent / "shared" / "vectors"
    return folder if (folder / "MANIFEST.json").is_file() else None


def need_recorded_vectors() -> Path:
    """As `recorded_vectors`; without them the test is skipped, loudly, or fails where `CONFIDE_REQUIRE` lists `vectors`."""
    folder = recorded_vectors()
    if folder is not None:
        return folder
    reason = "no recorded vendor evidence: set CONFIDE_VECTORS to a folder with a MANIFEST.json"
    if "vectors" in os.environ.get("CONFIDE_REQUIRE", ""):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def refused(code: Code) -> Iterator[None]:
    """The block must refuse with exactly this code, and say what it found and wanted."""
    with pytest.raises(ConfideError) as caught:
        yield
    assert caught.value.code is code, str(caught.value)
    assert caught.value.found
    assert caught.value.wanted


@contextmanager
def frugal(bound: int = FRUGAL) -> Iterator[None]:
    """The block may not hold more than so many bytes at once, beside what was there before."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < bound
    finally:
        tracemalloc.stop()
