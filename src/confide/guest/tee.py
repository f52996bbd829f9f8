"""Finds the TEE that this process runs in.

A simulated TEE, or a TPM that the host makes, is used only when it is asked for by name: a node that finds no device never falls
back to one. Real devices are
looked for at the paths that their kernels document; those of `DRIVEN` are driven (`guest.devices`), and the others are named as
found but not driven in this version (docs/reference/configuration.md, `tee`). Left to others: what a quote means (`attest`), the
false vendor (`confide-sim`).
"""

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from confide.attest.evidence import Roots
from confide.attest.roots import VENDOR_ROOTS
from confide.codes import Code
from confide.collateral.keeper import Keeper
from confide.guest import GuestError, gpus
from confide.guest.devices.azure import AzureSnpSource, AzureTdxSource
from confide.guest.devices.cca import CcaSource, with_platform_key
from confide.guest.devices.checked import open_checked, utc_now
from confide.guest.devices.intel import TDX_PROVIDER, GramineSource, TdxSource
from confide.guest.devices.nitro import NsmSource
from confide.guest.devices.platforms import PLATFORMS
from confide.guest.devices.sev_guest import SevGuest
from confide.guest.devices.snp import SnpSource
from confide.guest.devices.source import AnotherKindError, Finding, Source
from confide.guest.devices.tpm.nitro import NitroTpmSource
from confide.guest.devices.tpm.source import TpmSource
from confide.guest.devices.tsm import TsmReports
from confide.guest.quote import REPORT_DATA_SIZE, Quote, Tee

__all__ = ["DEVICES", "KINDS", "REPORT_DATA_SIZE", "Finding", "Quote", "Tee", "detect", "probe", "survey"]

SIMULATED = "simulated"
AUTO = "auto"
SNP, TDX, SGX, NITRO, NITROTPM, TPM = "snp", "tdx", "sgx", "nitro", "nitrotpm", "tpm"
AZ_SNP, AZ_TDX = "az-snp-vtpm", "az-tdx-vtpm"
CCA = "cca"


# Where each kind of device shows, in order of preference; relative to the root of the file system, so that tests can give one.
DEVICES: Mapping[str, tuple[str, ...]] = {
    "configfs-tsm": ("sys/kernel/config/tsm/report",),  # Linux Documentation/ABI/testing/configfs-tsm-report
    "sev-guest": ("dev/sev-guest",),  # Linux Documentation/virt/coco/sev-guest.rst
    "tdx-guest": ("dev/tdx_guest",),  # Linux include/uapi/linux/tdx-guest.h
    "gramine": ("dev/attestation/quote",),  # Gramine documentation, "Attestation and Secret Provisioning"
    "nitro": ("dev/nsm",),  # AWS Nitro Enclaves NSM API
    "tpm": ("dev/tpmrm0",),  # TCG TPM resource manager
    "nitrotpm": ("dev/tpm0",),  # the TPM itself, as AWS's tool
}
KINDS: Mapping[str, tuple[str, ...]] = {
    SNP: ("configfs-tsm", "sev-guest"),
    TDX: ("configfs-tsm", "tdx-guest"),
    SGX: ("gramine",),
    NITRO: ("nitro",),
    AZ_SNP: ("tpm",),
    AZ_TDX: ("tpm",),
    NITROTPM: ("nitrotpm",),
    TPM: ("tpm",),
    CCA: ("configfs-tsm",),
}
NAMED_ONLY = frozenset({TPM, NITROTPM})  # the host makes it: nobody gets it who asked for a TEE
HOST_MADE = frozenset(name for kind in NAMED_ONLY for name in KINDS[kind])  # interfaces; a paravisor's TPM shows as one of them too
VMPL = "sys/devices/system/cpu/sev/vmpl"  # Linux Documentation/ABI/testing/sysfs-devices-system-cpu, since 6.12


def _snp_tsm(path: Path, _: Path) -> Source:
    return SnpSource(TsmReports(path))


def _sev_guest(path: Path, root: Path) -> Source:
    return SnpSource(SevGuest(path, vmpl=vmpl(root) or 0))


def _tdx_tsm(path: Path, root: Path) -> Source:
    return TdxSource(TsmReports(path, provider=TDX_PROVIDER), root=root)


def _gramine(path: Path, _: Path) -> Source:
    return GramineSource(path.parent)


def _nsm(path: Path, _: Path) -> Source:
    return NsmSource(path)


def _az_snp(path: Path, root: Path) -> Source:
    return AzureSnpSource(path, root=root)


def _az_tdx(path: Path, root: Path) -> Source:
    return AzureTdxSource(path, root=root)


def _nitrotpm(path: Path, _: Path) -> Source:
    return NitroTpmSource(path)


def _tpm(path: Path, root: Path) -> Source:
    return TpmSource(path, root=root)


def _cca_tsm(path: Path, _: Path) -> Source:
    return CcaSource(path)


# Kind and interface to what makes its source of the interface's path and the root; in the order in which `auto` tries them.
DRIVEN: Mapping[tuple[str, str], Callable[[Path, Path], Source]] = {
    (SNP, "configfs-tsm"): _snp_tsm,
    (SNP, "sev-guest"): _sev_guest,
    (TDX, "configfs-tsm"): _tdx_tsm,
    (SGX, "gramine"): _gramine,
    (NITRO, "nitro"): _nsm,
    (AZ_SNP, "tpm"): _az_snp,
    (AZ_TDX, "tpm"): _az_tdx,
    (NITROTPM, "nitrotpm"): _nitrotpm,
    (TPM, "tpm"): _tpm,
    (CCA, "configfs-tsm"): _cca_tsm,
}
UNDRIVEN = {  # why, where there is more to say than that
    "tdx-guest": "gives reports that only this machine can check; quotes come through configfs-tsm (Linux 6.7)",
}


def probe(root: Path = Path("/")) -> tuple[str, ...]:
    """The device interfaces that exist, by name. Existence only: nothing is opened."""
    return tuple(name for name, paths in DEVICES.items() if any((root / path).exists() for path in paths))


def survey(root: Path = Path("/")) -> tuple[Finding, ...]:
    """Every interface that exists, tried as far as that asks no firmware for anything."""
    found, devices = [_finding(name, root) for name in probe(root)], gpus.finding(root)
    return tuple(found) if devices is None else (*found, devices)


def detect(
    prefer: str | None = None,
    *,
    software_digest: bytes,
    root: Path = Path("/"),
    collateral_dir: Path | None = None,
    keeper: Keeper | None = None,
    roots: Roots = VENDOR_ROOTS,
    now: Callable[[], datetime] = utc_now,
) -> Tee:
    """The TEE of this process, ready to be asked: its evidence verifies under `roots`.

    Args:
        prefer: `simulated`, one of `KINDS`, or `auto` (the same as None) for whatever is found.
        software_digest: what a false device derives its measurement from; real ones measure by themselves.
        root: the root of the file system.
        collateral_dir: vendor certificates and lists that the host does not give (`devices.collateral`).
        keeper: asks the vendor's service for what neither gives.

    Raises:
        GuestError: `guest.no_tee`, `guest.unsupported_tee`, `guest.unknown_tee` or `guest.no_simulator`; `guest.device` where
            one is there and cannot be used; and what `devices.checked.open_checked` raises where it gives no good evidence.
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
    source = usable_source(root, prefer)
    roots = with_platform_key(source.kind, roots, collateral_dir)
    return open_checked(source, roots=roots, collateral_dir=collateral_dir, keeper=keeper, now=now)


def found_source(prefer: str | None, *, root: Path) -> Source:
    """What `detect` would ask: for showing what it gives, good or not. Raises as `usable_source`, and `guest.unknown_tee`."""
    _wanted(prefer)
    return usable_source(root, prefer)


def usable_source(root: Path, prefer: str | None = AUTO) -> Source:
    """The first interface that can be used, of one kind or any.

    Raises:
        GuestError: `guest.device`, saying of each what is wrong; `guest.unsupported_tee` where none is driven, or reports are
            another vendor's; `guest.no_tee` where there is no interface.
    """
    refusals = []
    for source in _sources(root, prefer):
        try:
            source.check()
        except GuestError as error:
            refusals.append(error)
            continue
        return source
    if not probe(root):
        drivers = "in a SEV-SNP guest: modprobe sev-guest; in a TD: modprobe tdx-guest; in a realm: modprobe arm-cca-guest"
        hint = f"{drivers}; mount -t configfs none /sys/kernel/config"
        paths = dict.fromkeys(f"/{DEVICES[name][0]}" for _, name in DRIVEN)
        raise GuestError(Code.GUEST_NO_TEE, found="no device", wanted=" or ".join(paths), hint=hint)
    told = [error for error in refusals if not isinstance(error, AnotherKindError)]
    if not told and prefer in {None, AUTO} and not set(probe(root)) - HOST_MADE:
        hint = "its evidence is worth as much as the host is trusted: ask for it by name, --tee tpm, or --tee nitrotpm on AWS"
        raise GuestError(Code.GUEST_NO_TEE, found="a TPM, which the host makes", wanted="a TEE", hint=hint)
    if not told:
        undriven = [name for name in probe(root) if name in UNDRIVEN]
        raise _unsupported("; ".join(dict.fromkeys((*undriven, *(error.found for error in refusals)))) or ", ".join(probe(root)))
    found = "; ".join(dict.fromkeys(error.found for error in told))
    raise GuestError(Code.GUEST_DEVICE, found=found, wanted=told[0].wanted, hint=told[0].hint)


def _sources(root: Path, prefer: str | None) -> Iterator[Source]:
    for (kind, name), make in DRIVEN.items():
        path = root / DEVICES[name][0]
        if (prefer == kind or (prefer in {None, AUTO} and kind not in NAMED_ONLY)) and path.exists():
            yield make(path, root)


def _finding(name: str, root: Path) -> Finding:
    path = next(path for path in DEVICES[name] if (root / path).exists())
    kinds = [kind for kind, driven in DRIVEN if driven == name]
    if not kinds:
        return Finding(name, f"/{path}", usable=False, found=UNDRIVEN.get(name, "this version does not drive it"))
    refusals = []
    for kind in kinds:
        source = DRIVEN[kind, name](root / path, root)
        try:
            source.check()
        except GuestError as error:
            refusals.append(f"{error.found}; wanted {error.wanted}")
            continue
        level = vmpl(root)
        said = f"gives evidence of {PLATFORMS[source.kind].title}"
        said += f" at VMPL {level}" if level is not None and name == "sev-guest" else ""
        return Finding(name, f"/{path}", usable=True, found=said)
    return Finding(name, f"/{path}", usable=False, found=" or ".join(_joined(refusals)))


def _joined(refusals: Sequence[str]) -> Sequence[str]:
    """Each once; of several that found the same, what the later ones wanted."""
    head = refusals[0].split("; wanted ", 1)[0]
    same = all(refusal.startswith(f"{head}; wanted ") for refusal in refusals)
    if same:
        return tuple(dict.fromkeys((refusals[0], *(refusal.split("; wanted ", 1)[1] for refusal in refusals[1:]))))
    return tuple(dict.fromkeys(refusals))


def vmpl(root: Path) -> int | None:
    """The guest's privilege level where the kernel tells it. At another one the firmware gives no report."""
    path = root / VMPL
    if not path.exists():
        return None
    text = path.read_text("ascii", "replace").strip()
    return int(text) if text in {"0", "1", "2", "3"} else None


def _unsupported(found: str) -> GuestError:
    driven = ", ".join(dict.fromkeys(kind for kind, _ in DRIVEN))
    hint = f"this version drives {driven} and the simulated TEE only"
    return GuestError(Code.GUEST_UNSUPPORTED_TEE, found=found, wanted=f"{driven} or {SIMULATED}", hint=hint)


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
