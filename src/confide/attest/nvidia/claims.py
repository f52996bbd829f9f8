"""What the verifier of NVIDIA's devices returns."""

from dataclasses import dataclass, field

from confide.attest.claims import Claims
from confide.attest.nvidia.rim import Manifest
from confide.attest.nvidia.spdm import Measurements
from confide.errors import ConfideError


@dataclass(frozen=True)
class NvidiaClaims(Claims):
    """Verified claims of one GPU or switch. `report_data` is the nonce that it was asked with; `platform_id` its leaf key's digest.

    Attributes:
        measurements_report: request and response, field by field.
        architecture: `GH100`, `GB100`, `LS10`, ... by the device's certificate.
        driver_version, vbios_version: as the device says, upper case; a switch has no driver.
        leaf_key_sha256: digest of the key that signed, as the keyset names it.
        on_hold: NVIDIA has put a certificate of the chain on hold.
        driver_manifest, vbios_manifest: NVIDIA's reference values where they came and verify.
        manifest_failures: what was wrong with those that came and do not.
    """

    measurements_report: Measurements = field(repr=False)
    architecture: str
    driver_version: str
    vbios_version: str
    leaf_key_sha256: bytes = field(repr=False)
    on_hold: bool
    driver_manifest: Manifest | None = field(repr=False)
    vbios_manifest: Manifest | None = field(repr=False)
    manifest_failures: tuple[ConfideError, ...] = field(repr=False)

    @property
    def bound_key_sha256(self) -> bytes:
        """The leaf key's."""
        return self.leaf_key_sha256

    @property
    def is_switch(self) -> bool:
        """An NVSwitch rather than a GPU."""
        return self.architecture.startswith("LS")
