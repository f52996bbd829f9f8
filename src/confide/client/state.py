"""The rollback state: what this user has seen before, so that no older policy or vendor data is accepted later (DESIGN section 4).

One small JSON file per user, replaced atomically under a lock. A file that cannot be read is an error, never a fresh start: whoever
can make it unreadable must not be able to roll anything back. Left to others: what the state holds (`policy/rollback.py`).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from confide.client.files import read_file, write_file
from confide.codes import Code
from confide.errors import ConfideError, MisuseError
from confide.policy.rollback import RollbackState

try:
    import fcntl
except ImportError:  # no advisory locks on Windows: the last writer wins there
    fcntl = None  # type: ignore[assignment]

MAX_STATE = 1 << 20  # bytes


def default_path() -> Path:
    """`$CONFIDE_STATE`, else `$XDG_STATE_HOME/confide/rollback.json`, else under `~/.local/state` (XDG base directories 0.8)."""
    if chosen := os.environ.get("CONFIDE_STATE"):
        return Path(chosen)
    home = os.environ.get("XDG_STATE_HOME", "")
    base = Path(home) if home.startswith("/") else Path.home() / ".local" / "state"
    return base / "confide" / "rollback.json"


def load(path: Path | None) -> RollbackState:
    """What was seen so far; empty where there is no file yet, or no path at all."""
    if path is None or not path.exists():
        return RollbackState()
    try:
        return RollbackState.from_json(read_file(path, limit=MAX_STATE))
    except ConfideError as error:
        hint = f"restore {path}; delete it only if you accept that older policies and vendor data pass again"
        raise MisuseError(Code.CLIENT_STATE, found=f"{path}: {error.code.value}", wanted="a rollback state", hint=hint) from None


def keep(path: Path | None, seen: RollbackState) -> None:
    """Add what a verdict saw; two processes at once lose nothing."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            known = load(path)
            merged = known.merge(seen)
            if merged != known:
                write_file(path, merged.to_json())
    except OSError as error:
        hint = "choose another place with state=PATH or CONFIDE_STATE"
        raise MisuseError(Code.CLIENT_STATE, found=f"{path}: {error.strerror}", wanted="a writable place", hint=hint) from None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.with_name(f"{path.name}.lock").open("ab") as lock:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file closes
        yield
