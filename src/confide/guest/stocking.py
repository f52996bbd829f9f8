"""Fills a node's `collateral_dir` on the machine that the node runs on: evidence from its devices, collateral
from their vendors.

Left to others: what is asked of whom (`collateral.collect`), the names of files (`collateral.files`).
"""

import secrets
from pathlib import Path

from confide.attest.binding import carried_by
from confide.attest.evidence import Evidence
from confide.collateral.files import Piece, in_order, write_folder
from confide.collateral.sources import collector_of
from confide.guest.devices.platforms import platform_of
from confide.guest.gpus import NONE, sources
from confide.guest.tee import TPM, usable_source


def stock(
    folder: Path,
    source: str,
    *,
    prefer: str | None = None,
    gpus: str = NONE,
    vtpm: bool = False,
    root: Path = Path("/"),
) -> tuple[Piece, ...]:
    """Everything that verifiers of this machine's evidence need and its vendors publish.

    Args:
        source: who is asked, as `collateral.sources` has it.
        prefer, gpus, vtpm: as the node's settings `tee`, `gpus` and `vtpm`.

    Raises:
        GuestError: there is no device, or it gives no evidence.
        CollateralError: `collateral.*`.
        MisuseError: `collateral.cache` where the folder cannot be written to.
    """
    collector = collector_of(source)
    devices = [(usable_source(root, prefer), 0), *([(usable_source(root, TPM), 0)] if vtpm else [])]
    devices += [(gpu, index) for index, gpu in enumerate(sources(gpus))]
    pieces: list[Piece] = []
    for device, index in devices:
        raw = device.read(carried_by(device.kind, secrets.token_bytes(platform_of(device.kind).asked)))
        found = collector.collect(Evidence(device.kind.value, raw.evidence, index), raw.endorsements)
        pieces += write_folder(folder, device.kind, found.items, index=index)
    return in_order(pieces)
