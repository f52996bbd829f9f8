"""What goes into a verifier: evidence, endorsements, pinned roots."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """Kinds of evidence (DESIGN section 4). Those that have a verifier are in `verifiers.ROOMS`."""

    SNP = "snp"  # AMD SEV-SNP
    SGX = "sgx"  # Intel SGX, DCAP quotes
    TDX = "tdx"  # Intel TDX
    NITRO = "nitro"  # AWS Nitro Enclaves
    NITROTPM = "nitrotpm"  # EC2 instance attestation
    TPM = "tpm"  # TPM 2.0 quotes whose attestation key a maker or a cloud vouches for
    AZ_SNP_VTPM = "az-snp-vtpm"  # Azure confidential VM on SEV-SNP: HCL report, vTPM quote
    AZ_TDX_VTPM = "az-tdx-vtpm"  # the same on TDX
    NVIDIA = "nvidia"  # NVIDIA GPUs and NVSwitches
    CCA = "cca"  # Arm CCA, experimental


@dataclass(frozen=True)
class Evidence:
    """Unverified evidence of one kind: role to bytes, such as `{"report": ...}`. Its repr shows sizes only.

    Attributes:
        index: which of several devices of the kind (GPUs, switches) this is; 0 where there is one.
    """

    kind: str
    items: Mapping[str, bytes] = field(repr=False)
    index: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "items", MappingProxyType(dict(self.items)))

    def __repr__(self) -> str:
        return f"Evidence({self.kind}, {_sizes(self.items)})"


@dataclass(frozen=True)
class Endorsements:
    """Vendor collateral beside the evidence: role to bytes, such as `{"vcek": der, "crl": der}`. Unverified."""

    items: Mapping[str, bytes] = field(repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "items", MappingProxyType(dict(self.items)))

    def __repr__(self) -> str:
        return f"Endorsements({_sizes(self.items)})"


@dataclass(frozen=True)
class Root:
    """A pinned vendor trust anchor: the whole certificate, by value (never by name); of Arm CCA a SubjectPublicKeyInfo."""

    kind: Kind
    name: str
    der: bytes = field(repr=False)
    simulated: bool = False


Roots = tuple[Root, ...]


def _sizes(items: Mapping[str, bytes]) -> str:
    return ", ".join(f"{role}: {len(value)} bytes" for role, value in items.items())
