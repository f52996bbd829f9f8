"""Logs of boots as a node keeps them, read and judged: a folder per boot, named by its log's id (spec/10-log.md). Offline.

Keysets come from the documents kept beside the log, each judged by the policy as of its issue; without a policy they are only read,
and the result says so. Left to others: the judgement of leaves and checkpoints (`receipt.whole`), words (`cli`).
"""

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from confide.attest.document import MAX_DOCUMENT, parse_document
from confide.attest.keyset import Keyset
from confide.client.files import read_file
from confide.client.judge import FILE
from confide.client.roots import roots_for
from confide.codes import Code
from confide.errors import MisuseError
from confide.policy.model import Policy
from confide.policy.verify import verify_as_of
from confide.receipt.checkpoint import MAX_CHECKPOINT
from confide.receipt.frames import FrameReader
from confide.receipt.statement import MAX_RECEIPT
from confide.receipt.whole import LogReport, examine_log

SLICE = 1 << 20
MAX_KEYSETS = 4096  # of one boot: months of hourly keys
LEAVES, CHECKPOINTS, KEYSETS, LOCK = "leaves", "checkpoints", "keysets", "lock"


@dataclass(frozen=True)
class Judged:
    """One boot's log. `trusted`: its keysets satisfied a policy; otherwise nothing says whose log it is."""

    folder: Path
    report: LogReport
    keysets: int
    trusted: bool
    cut: int  # bytes at the ends of the files that belong to no whole record


def folders(place: Path) -> list[Path]:
    """The boots under a log directory, or the one that was named; `client.file` when there is none."""
    if (place / LEAVES).is_file():
        return [place]
    found = sorted(path.parent for path in place.glob(f"*/{LEAVES}")) if place.is_dir() else []
    if not found:
        raise MisuseError(Code.CLIENT_FILE, found=f"{place}: no log in it", wanted="a node's log_dir, or one boot's folder in it")
    return found


def judge(folder: Path, policy: Policy | None) -> Judged:
    """Judge one boot's log, leaf by leaf.

    Raises:
        MisuseError: `client.file` for what cannot be read.
        ConfideError: a keyset's document does not satisfy the policy.
    """
    keysets = [_keyset(path, policy) for path in sorted((folder / KEYSETS).glob("*.json"))[:MAX_KEYSETS]]
    live, cuts = _locked(folder / LOCK), [0, 0]
    report = examine_log(
        _records(folder / LEAVES, cuts, 0, limit=MAX_RECEIPT),
        _records(folder / CHECKPOINTS, cuts, 1, limit=MAX_CHECKPOINT),
        keysets=keysets,
        live=live,
    )
    return Judged(folder, report, len(keysets), policy is not None, sum(cuts))


def _keyset(path: Path, policy: Policy | None) -> Keyset:
    document = read_file(path, limit=MAX_DOCUMENT)
    parsed = parse_document(document)
    if policy is None:
        return parsed.keyset
    return verify_as_of(document, policy, at=parsed.issued_at, roots=roots_for(policy), nonce=FILE).keyset


def _records(path: Path, cuts: list[int], place: int, *, limit: int) -> Iterator[bytes]:
    reader = FrameReader(limit=limit)
    try:
        with path.open("rb") as file:
            while piece := file.read(SLICE):
                yield from reader.feed(piece)
    except OSError as error:
        raise MisuseError(Code.CLIENT_FILE, found=f"{path}: {error.strerror}", wanted="a file that can be read") from None
    cuts[place] = reader.cut


def _locked(path: Path) -> bool:
    """Whether the boot lives: its lock is held."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
