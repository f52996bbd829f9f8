"""The GPUs of this machine, beside its TEE (setting `gpus`).

All that NVML shows or none: a device that is left out is one that nobody answers for. Each is verified before the node serves, and
only then the driver is told that they may work (NVIDIA, "Confidential Computing deployment guide": ready state). Left to others:
the TEE (`tee`), the nonces (`machine`).
"""

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from confide.attest.evidence import Roots
from confide.attest.roots import VENDOR_ROOTS
from confide.codes import Code
from confide.collateral.keeper import Keeper
from confide.guest import GuestError
from confide.guest.devices import nvml
from confide.guest.devices.checked import CheckedTee, open_checked, utc_now
from confide.guest.devices.gpu import GpuSource
from confide.guest.devices.source import Finding, Source

log = logging.getLogger("confide.guest")
NONE, NVIDIA = "none", "nvidia"
CONTROL = "dev/nvidiactl"  # of NVIDIA's driver


def sources(wanted: str) -> tuple[Source, ...]:
    """One for each GPU, in NVML's order; none for `none`. Nothing is asked of the devices.

    Raises:
        GuestError: `guest.device` where there are none, or they are not in the mode for it; `guest.unknown_tee`.
    """
    if wanted == NONE:
        return ()
    if wanted != NVIDIA:
        raise GuestError(Code.GUEST_UNKNOWN_TEE, found=wanted[:40], wanted=f"{NONE} or {NVIDIA}")
    library = nvml.load()
    library.mode().require()
    return tuple(GpuSource(library, index) for index in range(library.count()))


def open_gpus(
    wanted: str,
    *,
    collateral_dir: Path | None = None,
    keeper: Callable[[], Keeper | None] = lambda: None,
    roots: Roots = VENDOR_ROOTS,
    now: Callable[[], datetime] = utc_now,
) -> tuple[CheckedTee, ...]:
    """The GPUs, whose evidence verifies now, allowed to work.

    Args:
        wanted: `none` or `nvidia`.
        keeper: one for each GPU, which asks NVIDIA for what the folder lacks.

    Raises:
        GuestError: as `sources`, and as `devices.checked.open_checked`; `guest.device` for GPUs that NVIDIA would not vouch for.
    """
    opened = []
    for index, source in enumerate(sources(wanted)):
        gpu = open_checked(source, roots=roots, collateral_dir=collateral_dir, keeper=keeper(), now=now, index=index)
        if gpu.warnings:
            found = f"GPU {index}: {gpu.warnings[0]}"
            raise GuestError(Code.GUEST_DEVICE, found=found, wanted="GPUs that clients would accept")
        opened.append(gpu)
    if opened and not nvml.load().make_ready():
        log.warning("the GPUs take no work yet and this user may not allow it; as root: nvidia-smi conf-compute -srs 1")
    return tuple(opened)


def finding(root: Path = Path("/")) -> Finding | None:
    """What a survey says of GPUs; None where NVIDIA's driver is not loaded."""
    if not (root / CONTROL).exists():
        return None
    try:
        found = len(sources(NVIDIA))
    except GuestError as error:
        return Finding("nvml", f"/{CONTROL}", usable=False, found=f"{error.found}; wanted {error.wanted}")
    told = f"gives evidence of {found} NVIDIA GPU{'' if found == 1 else 's'}, where the setting gpus says so"
    return Finding("nvml", f"/{CONTROL}", usable=True, found=told)
