"""Is a genuine device acceptable? Its firmware is what NVIDIA says it should be, and the device is one that the policy wants.

Golden measurements: of both manifests every active index i is compared with SPDM block i + 1, any alternative fits; no index may be
active in both. Driver index 35 belongs to NVDEC0 and is left out while the device says that NVDEC0 is disabled (NVIDIA, "nvtrust",
local verifier). What a report does not show: whether the driver has switched confidential computing on, or development tools, is
the word of the guest that asked it; the measured firmware refuses to sign for devices in debug mode. Left to others: the nonce
(`binding`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from confide.attest.checks import Checks
from confide.attest.constraints import Constraints, Ignored
from confide.attest.nvidia.claims import NvidiaClaims
from confide.attest.nvidia.rim import Manifest
from confide.attest.nvidia.spdm import Opaque
from confide.codes import Code
from confide.errors import CollateralError, EvidenceError, PolicyError

SHOWN = 4
NVDEC0_INDEX = 35
NVDEC0_DISABLED = 0x55
PROTECTED_PCIE = 1  # FEATURE_FLAG and PROTECTED_PCIE_STATUS: several GPUs and their switches as one
Digests = tuple[bytes, ...]


@dataclass(frozen=True)
class NvidiaConstraints(Constraints):
    """What a device must satisfy.

    Attributes:
        architectures: such as `GH100`; None accepts any that NVIDIA vouches for.
        driver_versions, vbios_versions: accepted ones, upper case; None where the policy names none.
        devices: digests of accepted devices' leaf keys.
        allow_missing_manifests: `Ignored.UNSAFE_IGNORED` accepts firmware that nothing is compared with.
        allow_hold: accepts devices that NVIDIA has put on hold.
        protected_pcie: True demands the mode of several GPUs, False the mode of one, None takes either.
    """

    architectures: tuple[str, ...] | None = None
    driver_versions: tuple[str, ...] | None = None
    vbios_versions: tuple[str, ...] | None = None
    devices: Digests | None = None
    allow_missing_manifests: Ignored | None = None
    allow_hold: Ignored | None = None
    protected_pcie: bool | None = None

    @property
    def platforms(self) -> int | None:
        """How many devices are listed."""
        return None if self.devices is None else len(self.devices)


def validate(claims: NvidiaClaims, constraints: NvidiaConstraints, *, checks: Checks) -> None:
    """Compare verified claims with `constraints`.

    Raises:
        EvidenceError: `nvidia.hold`, `nvidia.measurement`, `nvidia.rim_*`.
        CollateralError: `nvidia.rim_missing`, or what was wrong with a manifest.
        PolicyError: `nvidia.*` for what the constraints do not list.
    """
    _hold(claims, constraints, checks)
    for failure in claims.manifest_failures:
        title = "reference manifest"
        checks.require(False, failure.code, title, found=failure.found, wanted=failure.wanted, error=type(failure))
    driver = _manifest(claims.driver_manifest, claims.driver_version, "driver", constraints, checks) if not claims.is_switch else {}
    vbios = _manifest(claims.vbios_manifest, claims.vbios_version, "VBIOS", constraints, checks)
    _golden(claims, driver, vbios, checks)
    _listed(claims, constraints, checks)
    _mode(claims, constraints, checks)
    checks.skip(
        "confidential mode and development tools", "the report does not show them; the measured guest answers for how it set them"
    )


def _hold(claims: NvidiaClaims, constraints: NvidiaConstraints, checks: Checks) -> None:
    if constraints.allow_hold is not None:
        checks.relax("allow_hold", "devices that NVIDIA has put on hold are accepted")
        return
    found = "on hold" if claims.on_hold else "not on hold"
    checks.require(not claims.on_hold, Code.NVIDIA_HOLD, "certificate hold", found=found, wanted="not on hold")


def _manifest(
    manifest: Manifest | None, version: str, what: str, constraints: NvidiaConstraints, checks: Checks
) -> Mapping[int, Digests]:
    if manifest is None:
        if constraints.allow_missing_manifests is not None:
            checks.relax("allow_missing_manifests", f"the {what} is compared with nothing")
        else:
            title, wanted = f"{what} manifest", f"the one of {version or 'its firmware'}"
            checks.require(False, Code.NVIDIA_RIM_MISSING, title, found="none", wanted=wanted, error=CollateralError)
        return {}
    same = manifest.version == version.upper()
    checks.require(
        same, Code.NVIDIA_RIM_VERSION, f"{what} manifest", found=manifest.version[:40] or "none", wanted=version or "none"
    )
    count, title = len(manifest.golden), f"measurements of the {what} manifest"
    checks.require(count > 0, Code.NVIDIA_RIM, title, found=f"{count} active", wanted="at least one", error=CollateralError)
    return manifest.golden


def _golden(claims: NvidiaClaims, driver: Mapping[int, Digests], vbios: Mapping[int, Digests], checks: Checks) -> None:
    both = sorted(set(driver) & set(vbios))
    if both:
        title = "active measurements"
        checks.require(False, Code.NVIDIA_MEASUREMENT, title, found=f"index {both[0]} in both manifests", wanted="in one")
    status = claims.measurements_report.opaque.get(Opaque.NVDEC0_STATUS, b"")
    skipped = {NVDEC0_INDEX} if status[:1] == bytes([NVDEC0_DISABLED]) else set()
    for index, allowed in sorted({**driver, **vbios}.items()):
        if index in skipped and index in driver:
            checks.skip(f"measurement {index}", "NVDEC0 is disabled")
            continue
        value = claims.measurements_report.blocks.get(index + 1)
        wanted = ", ".join(each.hex() for each in allowed[:SHOWN])
        shown = "none" if value is None else value.hex()
        checks.require(
            value in allowed, Code.NVIDIA_MEASUREMENT, f"measurement {index}", found=shown, wanted=wanted, error=EvidenceError
        )


def _listed(claims: NvidiaClaims, constraints: NvidiaConstraints, checks: Checks) -> None:
    for found, allowed, code, title in (
        (claims.architecture, constraints.architectures, Code.NVIDIA_ARCHITECTURE, "architecture"),
        (claims.driver_version, None if claims.is_switch else constraints.driver_versions, Code.NVIDIA_DRIVER, "driver"),
        (claims.vbios_version, constraints.vbios_versions, Code.NVIDIA_VBIOS, "VBIOS"),
    ):
        if allowed is None:
            checks.skip(title, "the policy names none")
        else:
            wanted = ", ".join(allowed[:SHOWN])
            checks.require(found in allowed, code, title, found=found or "none", wanted=wanted, error=PolicyError)
    if constraints.devices is None:
        checks.skip("device", "the policy names none")
        return
    wanted = f"one of {len(constraints.devices)} listed"
    known, shown = claims.leaf_key_sha256 in constraints.devices, claims.leaf_key_sha256.hex()
    checks.require(known, Code.NVIDIA_DEVICE, "device", found=shown, wanted=wanted, error=PolicyError)


def _mode(claims: NvidiaClaims, constraints: NvidiaConstraints, checks: Checks) -> None:
    """Protected PCIe, by the device's own word."""
    opaque = claims.measurements_report.opaque
    value = int.from_bytes(opaque.get(Opaque.FEATURE_FLAG, opaque.get(Opaque.PROTECTED_PCIE_STATUS, b"")), "little")
    if constraints.protected_pcie is None:
        checks.skip("protected PCIe", "the policy takes either mode")
        return
    on = value == PROTECTED_PCIE
    found, wanted = ("on" if on else "off"), ("on" if constraints.protected_pcie else "off")
    checks.require(
        on == constraints.protected_pcie, Code.NVIDIA_MODE, "protected PCIe", found=found, wanted=wanted, error=PolicyError
    )
