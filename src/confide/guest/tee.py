"""Finds the TEE that this process runs in, and asks it for quotes.

A simulated TEE is used only when it is asked for by name: a node that finds no device never falls back to one. Real devices are
looked for at the paths that their kernels document; driving them is not in this version, which says so with what it found
(docs/reference/configuration.md, `tee`). Left to others: what a quote means (`attest`), the false vendor (`confide-sim`).
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from confide.attest.evidence import Endorsements, Evidence
from confide.codes import Code
from confide.guest import GuestError

REPORT_DATA_SIZE = 64  # SEV-SNP ABI 56860 table 23, TDX TDREPORT, SGX REPORT: all carry 64 bytes
SIMULATED = "simulated"
AUTO = "auto"


@dataclass(frozen=True)
class Quote:
    """One piece of evidence with the vendor's collateral for it.

    Attributes:
        evidence: kind and roles, as `attest` takes them.
        endorsements: certificates and revocation lists.
        fresh_until: the first moment at which a certificate or list in it expires or is due for renewal (UTC).
    """

    evidence: Evidence
    endorsements: Endorsements
    fresh_until: datetime


class Tee(Protocol):
    """A device that signs 64 bytes together with the measurement of what runs in it."""

    @property
    def kind(self) -> str:
        """The kind of its evidence, such as `snp`."""
        ...

    @property
    def simulated(self) -> bool:
        """Whether a false vendor signs."""
        ...

    def quote(self, report_data: bytes) -> Quote:
        """Evidence over exactly `report_data` (64 bytes). May block for milliseconds; call it off the event loop."""
        ...


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
    "snp": ("configfs-tsm", "sev-guest"),
    "tdx": ("configfs-tsm", "tdx-guest"),
    "sgx": ("gramine",),
    "nitro": ("nitro",),
    "tpm": ("tpm",),
}


def probe(root: Path = Path("/")) -> tuple[str, ...]:
    """The device interfaces that exist, by name. Existence only: nothing is opened."""
    return tuple(name for name, paths in DEVICES.items() if any((root / path).exists() for path in paths))


def detect(prefer: str | None = None, *, software_digest: bytes, root: Path = Path("/")) -> Tee:
    """The TEE of this process.

    Args:
        prefer: `simulated`, one of `KINDS`, or `auto` (the same as None) for whatever is found.
        software_digest: what a false device derives its measurement from; real ones measure by themselves.
        root: the root of the file system.

    Raises:
        GuestError: `guest.no_tee`, `guest.unsupported_tee`, `guest.unknown_tee` or `guest.no_simulator`.
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
    raise GuestError(
        Code.GUEST_UNSUPPORTED_TEE,
        found=", ".join(found),
        wanted=SIMULATED,
        hint="this version drives the simulated TEE only; device code for this interface is not written yet",
    )


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
