"""One GPU: its SPDM report over our nonce, its certificates; NVIDIA's manifests and OCSP responses come from elsewhere.

Left to others: NVML (`nvml`), checking it all (`checked`), which GPUs a machine has (`guest.gpus`).
"""

from collections.abc import Mapping

from confide.attest import x509
from confide.attest.claims import Claims
from confide.attest.evidence import Evidence, Kind
from confide.attest.nvidia.claims import NvidiaClaims
from confide.attest.nvidia.spdm import NONCE_SIZE, parse_measurements
from confide.attest.nvidia.validate import NvidiaConstraints
from confide.attest.x509 import Certificate
from confide.codes import Code
from confide.collateral import files
from confide.collateral.nvidia import manifest_ids
from confide.guest import GuestError
from confide.guest.devices.nvml import Nvml
from confide.guest.devices.source import Raw

FILES = files.NVIDIA


class GpuSource:
    """Evidence of GPU `index`, by NVML's numbers, which follow the PCI bus."""

    kind = Kind.NVIDIA
    name = "nvml"

    def __init__(self, nvml: Nvml, index: int) -> None:
        self._nvml, self._index = nvml, index

    def check(self) -> None:
        """Raises `guest.device` unless confidential computing is on, and development tools are off."""
        self._nvml.mode().require()

    def read(self, carried: bytes) -> Raw:
        """The mode is asked about each time: an administrator may set it, and no report tells."""
        if len(carried) != NONCE_SIZE:
            raise GuestError(Code.GUEST_QUOTE, found=f"{len(carried)} bytes", wanted=f"a nonce of {NONCE_SIZE}")
        self.check()
        report = self._nvml.report(self._index, carried)
        return Raw({"gpu-report": report}, {"cert-chain": self._nvml.certificates(self._index)})


def missing(evidence: Evidence, there: Mapping[str, bytes]) -> Mapping[str, str]:
    """Files that verifiers will miss, and what belongs in them.

    Raises:
        EvidenceError, CollateralError: report or certificates cannot be read.
    """
    wanted = manifest_ids(parse_measurements(evidence.items["gpu-report"]), _architecture(there))
    found = {role: f"NVIDIA's manifest {name} (RIM service)" for role, name in wanted.items()}
    found["ocsp"] = "OCSP responses for the device's chain and the signers of manifests"
    named = files.numbered(FILES, evidence.index)
    return {name: found[role] for name, (role, _) in named.items() if role in found and role not in there}


def open_constraints(claims: Claims) -> NvidiaConstraints:
    """Firmware as NVIDIA's manifests say; any device, driver and VBIOS that they vouch for."""
    _nvidia(claims)
    return NvidiaConstraints()


def facts(claims: Claims) -> Mapping[str, str]:
    """What an operator wants to see."""
    found = _nvidia(claims)
    return {"architecture": found.architecture, "driver": found.driver_version or "none", "vbios": found.vbios_version}


def _nvidia(claims: Claims) -> NvidiaClaims:
    if not isinstance(claims, NvidiaClaims):
        raise TypeError(type(claims).__name__)
    return claims


def _architecture(there: Mapping[str, bytes]) -> str:
    chain: tuple[Certificate, ...] = x509.load_certificates(there.get("cert-chain", b""))
    return x509.common_name(chain[0]).split(" ", 1)[0]
