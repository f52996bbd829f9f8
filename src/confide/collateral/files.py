"""Collateral as files: a node's `collateral_dir`, and bundle files that lack some.

Names are the same for both, by kind of evidence; those of devices carry their number. Left to others: asking services (`collect`),
and whether any of it is genuine (`attest`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from confide.attest.dcap.collateral import MAX_BODY
from confide.attest.document import Document, add_collateral, parse_document
from confide.attest.evidence import Evidence, Kind
from confide.attest.keyset import MAX_GPUS
from confide.attest.nvidia.xml import MAX_XML
from confide.attest.wire import collateral_name, collateral_share
from confide.attest.x509 import MAX_BUNDLE, MAX_CRL
from confide.codes import Code
from confide.collateral.collect import NOTHING, Collector
from confide.collateral.windows import ends_of
from confide.errors import MisuseError

MAX_STATUS = 256 << 10  # bytes: OCSP responses of both chains, 2 KiB each
Files = Mapping[str, tuple[str, int]]  # file -> role in `Endorsements`, and its bound in bytes
AMD: Files = {
    "vcek.der": ("vcek", MAX_BUNDLE),
    "vlek.der": ("vlek", MAX_BUNDLE),
    "cert-chain.pem": ("cert-chain", MAX_BUNDLE),
    "crl.der": ("crl", MAX_CRL),
}
INTEL: Files = {
    "tcb-info.json": ("tcb-info", MAX_BODY),
    "tcb-info-chain.pem": ("tcb-info-chain", MAX_BUNDLE),
    "qe-identity.json": ("qe-identity", MAX_BODY),
    "qe-identity-chain.pem": ("qe-identity-chain", MAX_BUNDLE),
    "pck-chain.pem": ("pck-chain", MAX_BUNDLE),
    "pck-crl.der": ("pck-crl", MAX_CRL),
    "pck-crl-chain.pem": ("pck-crl-chain", MAX_BUNDLE),
    "root-crl.der": ("root-crl", MAX_CRL),
}
TPM: Files = {
    "ak-cert.der": ("ak-cert", MAX_BUNDLE),
    "ak-chain.pem": ("ak-chain", MAX_BUNDLE),
    "ak-crl.der": ("ak-crl", MAX_CRL),
}
NVIDIA: Files = {
    "gpu-{index}-rim-driver.xml": ("rim-driver", MAX_XML),
    "gpu-{index}-rim-vbios.xml": ("rim-vbios", MAX_XML),
    "gpu-{index}-ocsp.der": ("ocsp", MAX_STATUS),
}
FILES: Mapping[Kind, Files] = {
    Kind.SNP: AMD,
    Kind.SGX: INTEL,
    Kind.TDX: INTEL,
    Kind.NITRO: {},
    Kind.NITROTPM: {},
    Kind.CCA: {},
    Kind.TPM: TPM,
    Kind.AZ_SNP_VTPM: AMD,
    Kind.AZ_TDX_VTPM: INTEL,
    Kind.NVIDIA: NVIDIA,
}


@dataclass(frozen=True)
class Piece:
    """One file, or one item of a bundle, and when it ends by what is written in it."""

    file: str
    size: int
    ends: datetime | None


def files_of(kind: Kind, index: int = 0) -> Files:
    """The files of one piece of evidence."""
    return numbered(FILES.get(kind, {}), index)


def numbered(files: Files, index: int) -> Files:
    """The same with a device's number in their names."""
    return {name.format(index=index): place for name, place in files.items()}


def read_folder(folder: Path, files: Files) -> Mapping[str, bytes]:
    """Roles to bytes of the `files` that are there.

    Raises:
        MisuseError: `collateral.cache` where the folder or a file in it cannot be read, is empty or too large.
    """
    if not folder.is_dir():
        raise MisuseError(Code.COLLATERAL_CACHE, found=f"{folder}: no folder", wanted="a folder of collateral")
    return {role: _read(folder / name, limit) for name, (role, limit) in files.items() if (folder / name).exists()}


def write_folder(folder: Path, kind: Kind, items: Mapping[str, bytes], *, index: int = 0) -> tuple[Piece, ...]:
    """Each item under its name, written whole beside the old one and then put in its place. Items without a name are left out.

    Raises:
        MisuseError: `collateral.cache` where the folder cannot be written to.
    """
    pieces = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, (role, _) in files_of(kind, index).items():
            if role in items:
                new = folder / f".{name}.new"
                new.write_bytes(items[role])
                new.replace(folder / name)
                pieces.append(Piece(name, len(items[role]), ends_of(role, items[role])))
    except OSError as error:
        raise MisuseError(Code.COLLATERAL_CACHE, found=f"{folder}: {error.strerror}", wanted="a folder to write to") from None
    return in_order(pieces)


def pieces_of(folder: Path) -> tuple[Piece, ...]:
    """What a folder holds, of any kind. Raises as `read_folder`."""
    known = {name: place for kind in FILES for index in range(MAX_GPUS) for name, place in files_of(kind, index).items()}
    found = [
        Piece(name, len(data), ends_of(role, data))
        for name, (role, limit) in known.items()
        for data in read_folder(folder, {name: (role, limit)}).values()
    ]
    return in_order(found)


def pieces_in(document: Document) -> tuple[Piece, ...]:
    """What a bundle holds, by its names on the wire: each once, also where it serves several devices."""
    known = ((name, data, collateral_share(name)) for name, data in document.collateral.items())
    return in_order([Piece(name, len(data), ends_of(share[0].role, data)) for name, data, share in known if share is not None])


def in_order(pieces: list[Piece]) -> tuple[Piece, ...]:
    """Soonest end first; those that do not say when they end come last."""
    never = datetime.max.replace(tzinfo=UTC)
    return tuple(sorted(pieces, key=lambda each: (each.ends or never, each.file)))


def completed(raw: bytes, *, folder: Path | None = None, collector: Collector | None = None) -> bytes:
    """A bundle with what it lacked, from a folder and then from a vendor's service. What is in it already stays.

    Raises:
        EvidenceError: no document, or one that would grow too large.
        MisuseError, CollateralError: as `read_folder` and `Collector.collect`.
    """
    document = parse_document(raw)
    added: dict[str, bytes] = {}
    for evidence in document.evidence:
        there = document.endorsements_of(evidence).items
        own = NOTHING if folder is None else read_folder(folder, files_of(Kind(evidence.kind), evidence.index))
        asked = NOTHING if collector is None else _asked(collector, evidence, {**own, **there})
        for role, value in {**asked, **own}.items():
            name = collateral_name(evidence.kind, role, evidence.index)
            if role not in there and name is not None:
                added[name] = value
    return add_collateral(document, added)


def _asked(collector: Collector, evidence: Evidence, given: Mapping[str, bytes]) -> Mapping[str, bytes]:
    return collector.collect(evidence, given).items


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise MisuseError(Code.COLLATERAL_CACHE, found=f"{path}: {error.strerror}", wanted="a readable file") from None
    if not 0 < len(data) <= limit:
        raise MisuseError(Code.COLLATERAL_CACHE, found=f"{path}: {len(data)} bytes", wanted=f"1 to {limit}")
    return data
