"""Evidence as a vendor's tools record it, from files: one file, a folder for one kind, or a folder with a folder for each piece.

    quote.bin                                   the item that a kind cannot do without, with its kind said
    tdx/quote.bin, tdx/tcb-info.json, ...       files are called by their roles (attest/wire.py), whatever their ending
    host/snp/..., host/nvidia-0/..., host/tpm/  several pieces of one machine; devices have numbers

Left to others: every check (`policy.unbound`), and vendors' services (`collateral`).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.attest.wire import MAX_DEVICES, collateral_roles, evidence_roles
from confide.client.files import read_file
from confide.client.source import BUNDLE
from confide.codes import Code
from confide.errors import MisuseError

MAX_ITEM = 1 << 20  # bytes, as the whole of a document
MAX_FILES = 64  # in a folder: no kind has half as many roles
_PIECE = re.compile(r"(?P<kind>[a-z][a-z-]*[a-z]|[a-z]+)(?:-(?P<index>[0-9]{1,2}))?")


@dataclass(frozen=True)
class Recorded:
    """What was read. `skipped` are files whose names say no role."""

    pieces: tuple[tuple[Evidence, Endorsements], ...]
    skipped: tuple[str, ...]


def is_machine(place: Path) -> bool:
    """Whether a place is a folder of recorded evidence, rather than one that an answer was saved to."""
    return place.is_dir() and not (place / BUNDLE).exists()


def read(place: Path, tee: str | None, *, collateral: Path | None = None) -> Recorded:
    """The evidence at a place, of the kind that `tee` names, and the collateral beside it or in a folder of its own.

    Raises:
        MisuseError: `client.file`; `client.input` where the place does not say what is there.
    """
    if tee is None:
        return _several(place, collateral)
    kind = _kind(tee)
    if kind is None:
        wanted = ", ".join(kind.value for kind in Kind)
        raise MisuseError(Code.CLIENT_INPUT, found=f"a kind {tee[:40]!r}", wanted=wanted)
    if place.is_dir():
        return _piece(_files(place), _files(collateral) if collateral else [], kind, 0)
    role = evidence_roles(kind)[0]
    given = _piece([], _files(collateral) if collateral else [], kind, 0)
    evidence = Evidence(kind.value, {role: read_file(place, limit=MAX_ITEM)})
    return Recorded(((evidence, given.pieces[0][1]),), given.skipped)


def _several(place: Path, collateral: Path | None) -> Recorded:
    """A folder for each piece."""
    folders = sorted(each for each in _entries(place) if each.is_dir()) if place.is_dir() else []
    if not folders:
        hint = f"say which kind it is: --tee {'|'.join(kind.value for kind in Kind)}"
        raise MisuseError(Code.CLIENT_INPUT, found=f"{place}: no folders", wanted="a folder for each piece of evidence", hint=hint)
    shared = _files(collateral) if collateral else []
    found = [_piece(_files(folder), shared, *_named(folder)) for folder in folders]
    return Recorded(tuple(each.pieces[0] for each in found), tuple(name for each in found for name in each.skipped))


def _named(folder: Path) -> tuple[Kind, int]:
    """A kind and a device's number by the name of a folder."""
    match = _PIECE.fullmatch(folder.name)
    kind = None if match is None else _kind(match["kind"])
    if (
        match is None
        or kind is None
        or (match["index"] is not None) != (kind is Kind.NVIDIA)
        or int(match["index"] or 0) >= MAX_DEVICES
    ):
        wanted = "folders called snp, tdx, tpm, ..., and nvidia-0, nvidia-1, ..."
        raise MisuseError(Code.CLIENT_INPUT, found=f"a folder {folder.name[:40]!r}", wanted=wanted)
    return kind, int(match["index"] or 0)


def _kind(name: str) -> Kind | None:
    return next((kind for kind in Kind if kind.value == name), None)


def _piece(files: Sequence[Path], shared: Sequence[Path], kind: Kind, index: int) -> Recorded:
    """What lies beside the evidence counts before what is shared."""
    own, given = evidence_roles(kind), collateral_roles(kind)
    evidence = dict(_items(files, own))
    endorsements = {**dict(_items(shared, given)), **dict(_items(files, given))}
    skipped = tuple(f"{each.parent.name}/{each.name}" for each in files if each.stem not in {*own, *given})
    return Recorded(((Evidence(kind.value, evidence, index), Endorsements(endorsements)),), skipped)


def _items(files: Sequence[Path], roles: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for role in roles:
        named = [each for each in files if each.stem == role]
        if len(named) > 1:
            found = " and ".join(each.name for each in named[:2])
            raise MisuseError(Code.CLIENT_INPUT, found=found, wanted=f"one file called {role}")
        for each in named:
            yield role, read_file(each, limit=MAX_ITEM)


def _files(folder: Path) -> list[Path]:
    return [each for each in _entries(folder) if each.is_file()]


def _entries(folder: Path) -> list[Path]:
    """In the order of their names; `client.file` where there are too many, or the folder cannot be read."""
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        wanted = "a readable folder"
        raise MisuseError(Code.CLIENT_FILE, found=f"{folder}: {error.strerror}", wanted=wanted) from None
    if len(found) > MAX_FILES:
        raise MisuseError(Code.CLIENT_FILE, found=f"{folder}: {len(found)} entries", wanted=f"at most {MAX_FILES}")
    return found
