"""The folder of a boot's log on disk (10-log.md, "On disk": LOG-13, LOG-14), read and never written.

Whether its lock is held is asked with a shared lock, which no other reader notices and which lets a node that is starting fail only
if it starts in that very moment; the page does not say how to ask.
"""

from __future__ import annotations

import fcntl
from dataclasses import dataclass
from pathlib import Path

from conformance.second.checkpoint import MAX_CHECKPOINT
from conformance.second.receipt import MAX_ENVELOPE
from conformance.second.strict_json import Refused

_LENGTH = 4


@dataclass(frozen=True)
class Records:
    """The whole records of a file and the number of bytes behind them that were cut (LOG-14)."""

    records: tuple[bytes, ...]
    cut: int


@dataclass(frozen=True)
class Folder:
    """A log folder as it was read; nothing of it is verified. `documents` are by file name."""

    leaves: Records
    checkpoints: Records
    documents: dict[str, bytes]
    live: bool


def read_records(data: bytes, limit: int) -> Records:
    """The records of a file, without a partial last one and without zeros at the end."""
    records = []
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + _LENGTH])
        whole = len(data) - at >= _LENGTH
        if whole and length == 0 and not any(data[at:]):
            break
        if whole and not 1 <= length <= limit:
            raise Refused("log.record", f"a length of {length} at {at}")
        end = at + _LENGTH + length
        if not whole or end > len(data):
            break
        records.append(data[at + _LENGTH : end])
        at = end
    return Records(tuple(records), len(data) - at)


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock file exclusively."""
    try:
        lock = path.open("rb")
    except FileNotFoundError:
        return False
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def read_folder(path: Path) -> Folder:
    """Leaves and checkpoints are read lock first, checkpoints next, leaves last: a live node appends leaves before checkpoints."""
    live = is_locked(path / "lock")
    checkpoints = read_records(_bytes(path / "checkpoints"), MAX_CHECKPOINT)
    leaves = read_records(_bytes(path / "leaves"), MAX_ENVELOPE)
    documents = {file.name: file.read_bytes() for file in sorted((path / "keysets").glob("*.json"))}
    return Folder(leaves, checkpoints, documents, live)


def _bytes(path: Path) -> bytes:
    """A file of records; one that was never written has none."""
    return path.read_bytes() if path.exists() else b""
