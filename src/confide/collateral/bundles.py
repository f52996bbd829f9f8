"""Bundle files and folders for the command line: what is in them, and completing one. Nothing is verified here."""

from collections.abc import Sequence
from pathlib import Path

from confide.attest.document import MAX_DOCUMENT, parse_document, piece_of
from confide.attest.evidence import Endorsements, Evidence
from confide.codes import Code
from confide.collateral.files import Piece, completed, pieces_in, pieces_of
from confide.collateral.sources import collector_of
from confide.errors import MisuseError


def read_bundle(path: Path) -> bytes:
    """The bytes of a bundle file.

    Raises:
        MisuseError: `collateral.cache` where it cannot be read, or is too large.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_DOCUMENT + 1)
    except OSError as error:
        raise MisuseError(Code.COLLATERAL_CACHE, found=f"{path}: {error.strerror}", wanted="a folder or a bundle file") from None
    if len(data) > MAX_DOCUMENT:
        raise MisuseError(Code.COLLATERAL_CACHE, found=f"{path}: over {MAX_DOCUMENT} bytes", wanted="a bundle file")
    return data


def pieces(path: Path) -> tuple[Piece, ...]:
    """What a folder or a bundle file holds, soonest end first. Raises as `read_bundle` and `parse_document`."""
    return pieces_of(path) if path.is_dir() else pieces_of_bytes(read_bundle(path))


def pieces_of_bytes(raw: bytes) -> tuple[Piece, ...]:
    """What a document holds, soonest end first."""
    return pieces_in(parse_document(raw))


def complete(path: Path, *, folder: Path | None, source: str) -> bytes:
    """As `files.completed`, of a file and a source by its name."""
    return completed(read_bundle(path), folder=folder, collector=collector_of(source) if source else None)


def asked(pieces: Sequence[tuple[Evidence, Endorsements]], source: str) -> tuple[tuple[Evidence, Endorsements], ...]:
    """Recorded evidence with what it lacked, from a source by its name. What came with it stays.

    Raises:
        CollateralError: as `Collector.collect`.
        MisuseError: `collateral.service`.
    """
    collector = collector_of(source)
    found = ((evidence, {**collector.collect(evidence, given.items).items, **given.items}) for evidence, given in pieces)
    return tuple((evidence, Endorsements(items)) for evidence, items in found)


def contents(raw: bytes) -> tuple[list[str], list[str]]:
    """Kinds of evidence, and names of collateral."""
    document = parse_document(raw)
    return [piece_of(each) for each in document.evidence], sorted(document.collateral)
