"""Fills a node's `collateral_dir` on the machine that the node runs on: evidence from its device, collateral from the vendor.

Left to others: what is asked of whom (`collateral.collect`), the names of files (`collateral.files`).
"""

import secrets
from pathlib import Path

from confide.attest.binding import carried_by
from confide.attest.evidence import Evidence
from confide.collateral.files import Piece, write_folder
from confide.collateral.sources import collector_of
from confide.guest.quote import REPORT_DATA_SIZE
from confide.guest.tee import usable_source


def stock(
    folder: Path,
    source: str,
    *,
    prefer: str | None = None,
    root: Path = Path("/"),
) -> tuple[Piece, ...]:
    """Everything that verifiers of this machine's evidence need and its vendor publishes.

    Args:
        source: who is asked, as `collateral.sources` has it.

    Raises:
        GuestError: there is no device, or it gives no evidence.
        CollateralError: `collateral.*`.
        MisuseError: `collateral.cache` where the folder cannot be written to.
    """
    device = usable_source(root, prefer)
    raw = device.read(carried_by(device.kind, secrets.token_bytes(REPORT_DATA_SIZE)))
    found = collector_of(source).collect(Evidence(device.kind.value, raw.evidence), raw.endorsements)
    return write_folder(folder, device.kind, found.items)
