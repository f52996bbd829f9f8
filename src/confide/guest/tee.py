"""Finds the TEE that this process runs in.

A simulated TEE is used only when it is asked for by name: a node that finds no device never falls back to one. Real devices are
looked for at the paths that their kernels document; of these, SEV-SNP's are driven (`guest.devices`), and the others are named as
found but not driven in this version (docs/reference/configuration.md, `tee`). Left to others: what a quote means (`attest`), the
false vendor (`confide-sim`).
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from confide.attest.evidence import Roots
from confide.attest.roots import VENDOR_ROOTS
from confide.codes import Code
from confide.guest import GuestError
from confide.guest.devices.reports import ReportSource
from confide.guest.devices.sev_guest import SevGuest
from confide.guest.devices.snp import SnpTee, open_snp, utc_now
from confide.guest.devices.tsm import TsmReports
from confide.guest.quote import REPORT_DATA_SIZE, Quote, Tee

__all__ = ["DEVICES", "KINDS", "REPORT_DATA_SIZE", "Finding", "Quote", "Tee", "detect", "probe", "survey"]

SIMULATED = "simulated"
AUTO = "auto"
SNP = "snp"


# Where each kind of device shows, in order of preference; relative to the root of the file system, so that tests can give one.
DEVICES: Mapping[str, tuple[str, ...]] = {
    "configfs-tsm": ("sys/kernel/config/tsm/report",),  # Linux Documentation/ABI/testing/configfs-tsm-report
    "sev-guest": ("dev/sev-guest",),  # Linux Documentation/virt/coco/sev-guest.rst
    "tdx-guest": ("dev/tdx_guest",),  # Linux include/uapi/linux/tdx-guest.h
    "gramine": ("dev/attestation/quote",),  # Gramine documentation, "Attestation and Secret Provisioning"
    "nitro": ("dev/nsm",),  # AWS Nitro Enclaves NSM API
    "tpm": ("dev/tpmrm0",),  # TCG TPM resource manager
}
KINDS: Mapping[str, tuple[str, ...]] = {
    SNP: ("configfs-tsm", "sev-guest"),
    "tdx": ("configfs-tsm", "tdx-guest"),
    "sgx": ("gramine",),
    "nitro": ("nitro",),
    "tpm": ("tpm",),
}
VMPL = "sys/devices/system/cpu/sev/vmpl"  # Linux Documentation/ABI/testing/sysfs-devices-system-cpu, since 6.12


@dataclass(frozen=True)
class Finding:
    """One interface that exists: whether this version can use it here, and if not, why."""

    name: str
    path: str
    usable: bool
    found: str


def probe(root: Path = Path("/")) -> tuple[str, ...]:
    """The device interfaces that exist, by name. Existence only: nothing is opened."""
    return tuple(name for name, paths in DEVICES.items() if any((root / path).exists() for path in paths))


def survey(root: Path = Path("/")) -> tuple[Finding, ...]:
    """Every interface that exists, tried as far as that asks no firmware for anything."""
    return tuple(_finding(name, root) for name in probe(root))


def detect(
    prefer: str | None = None,
    *,
    software_digest: bytes,
    root: Path = Path("/"),
    collateral_dir: Path | None = None,
    roots: Roots = VENDOR_ROOTS,
    now: Callable[[], datetime] = utc_now,
) -> Tee:
    """The TEE of this process, ready to be asked: its evidence verifies under `roots`.

    Args:
        prefer: `simulated`, one of `KINDS`, or `auto` (the same as None) for whatever is found.
        software_digest: what a false device derives its measurement from; real ones measure by themselves.
        root: the root of the file system.
        collateral_dir: vendor certificates and lists that the host does not give (`devices.collateral`).

    Raises:
        GuestError: `guest.no_tee`, `guest.unsupported_tee`, `guest.unknown_tee` or `guest.no_simulator`; `guest.device` where
            one is there and cannot be used; and what `devices.snp.open_snp` raises where it does not give good evidence.
    """
    if prefer == SIMULATED:
        return _simulated(software_digest)
    wanted = _wanted(prefer)
    found = [name for name in probe(root) if name in wanted]
    if not found:
        raise GuestError(
            Code.GUEST_NO_TEE,
            found=f"no device of {', '.join(probe(root)) or 'any kind'} that fits" if probe(root) else "no device",
            wanted="one of " + ", ".join(f"/{path}" for name in wanted for path in DEVICES[name]),
            hint="run in a confidential VM, or ask for the simulated TEE by name: --tee simulated",
        )
    if prefer not in {None, AUTO, SNP} or not set(found) & set(KINDS[SNP]):
        raise _unsupported(", ".join(found))
    return open_snp(usable_source(found, root), roots=roots, collateral_dir=collateral_dir, now=now)


def open_found(*, root: Path, collateral_dir: Path | None, roots: Roots, now: Callable[[], datetime]) -> SnpTee:
    """The TEE that `detect("snp")` would choose, not yet asked for evidence: for showing what it gives, good or not."""
    found = [name for name in probe(root) if name in KINDS[SNP]]
    return SnpTee(usable_source(found, root), roots=roots, collateral_dir=collateral_dir, now=now)


def usable_source(found: Sequence[str], root: Path) -> ReportSource:
    """The first of SEV-SNP's interfaces that can be used, configfs-tsm before the device of its own.

    Raises:
        GuestError: `guest.device`, saying of each what is wrong; `guest.unsupported_tee` for reports of another vendor.
    """
    refusals = []
    for name in KINDS[SNP]:
        if name in found:
            source = _source(name, root)
            try:
                source.check()
            except GuestError as error:
                refusals.append(error)
                continue
            return source
    if not refusals:
        hint = "in a SEV-SNP guest: modprobe sev-guest; mount -t configfs none /sys/kernel/config"
        raise GuestError(Code.GUEST_NO_TEE, found="no device of SEV-SNP", wanted="/" + " or /".join(_snp_paths()), hint=hint)
    if all("provider" in error.found for error in refusals):
        raise _unsupported("; ".join(error.found for error in refusals))
    raise GuestError(
        Code.GUEST_DEVICE,
        found="; ".join(error.found for error in refusals),
        wanted=refusals[0].wanted,
        hint=refusals[0].hint,
    )


def _finding(name: str, root: Path) -> Finding:
    path = next(path for path in DEVICES[name] if (root / path).exists())
    if name not in KINDS[SNP]:
        return Finding(name, f"/{path}", usable=False, found="this version does not drive it")
    try:
        _source(name, root).check()
    except GuestError as error:
        return Finding(name, f"/{path}", usable=False, found=f"{error.found}; wanted {error.wanted}")
    level = vmpl(root)
    said = "gives reports of SEV-SNP" + (f" at VMPL {level}" if level is not None and name == "sev-guest" else "")
    return Finding(name, f"/{path}", usable=True, found=said)


def vmpl(root: Path) -> int | None:
    """The guest's privilege level where the kernel tells it. At another one the firmware gives no report."""
    path = root / VMPL
    if not path.exists():
        return None
    text = path.read_text("ascii", "replace").strip()
    return int(text) if text in {"0", "1", "2", "3"} else None


def _source(name: str, root: Path) -> ReportSource:
    path = root / DEVICES[name][0]
    return TsmReports(path) if name == "configfs-tsm" else SevGuest(path, vmpl=vmpl(root) or 0)


def _snp_paths() -> tuple[str, ...]:
    return tuple(path for name in KINDS[SNP] for path in DEVICES[name])


def _unsupported(found: str) -> GuestError:
    hint = "this version drives SEV-SNP and the simulated TEE only"
    return GuestError(Code.GUEST_UNSUPPORTED_TEE, found=found, wanted=f"{SNP} or {SIMULATED}", hint=hint)


def _wanted(prefer: str | None) -> tuple[str, ...]:
    if prefer in (None, AUTO):
        return tuple(DEVICES)
    if prefer not in KINDS:
        raise GuestError(Code.GUEST_UNKNOWN_TEE, found=str(prefer)[:40], wanted=", ".join((AUTO, SIMULATED, *KINDS)))
    return KINDS[prefer]


def _simulated(software_digest: bytes) -> Tee:
    """`confide-sim` is a distribution of its own and never a dependency: it is looked up only here, only when named."""
    try:
        module = importlib.import_module("confide_sim.device")
    except ImportError:
        raise GuestError(
            Code.GUEST_NO_SIMULATOR, found="no module confide_sim", wanted="confide-sim", hint="pip install 'confide[sim]'"
        ) from None
    make: Callable[..., Tee] = module.FalseDevice
    return make(software_digest=software_digest)
