"""Names on the wire: which item of a document is which role of which kind (spec/04-document.md, its two tables).

Devices of which there may be several carry their index as the last part of the name, such as `nvidia-gpu-3`. Left to others: the
document (`document`), and what a role means (the kind's own folder).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from confide.attest.evidence import Kind

MAX_DEVICES = 32  # an HGX board has 8 GPUs and 4 switches; the keyset's bound on GPU keys is the same
_INDEXED = re.compile(r"([a-z0-9-]+?)-(0|[1-9][0-9]?)\Z")


@dataclass(frozen=True)
class Place:
    """One kind's role; `index` says which of several devices, or 0."""

    kind: Kind
    role: str
    index: int = 0


def _roles(kind: Kind, prefix: str, *roles: str) -> dict[str, Place]:
    return {f"{prefix}-{role}": Place(kind, role) for role in roles}


# One item of each of these at most. Unknown evidence refuses a document.
EVIDENCE_TYPES: Mapping[str, Place] = MappingProxyType(
    {
        "sev-snp-report": Place(Kind.SNP, "report"),
        "sgx-quote": Place(Kind.SGX, "quote"),
        **_roles(Kind.TDX, "tdx", "quote", "event-log", "ccel-table"),
        "nitro-document": Place(Kind.NITRO, "document"),
        "nitrotpm-document": Place(Kind.NITROTPM, "document"),
        **_roles(Kind.TPM, "tpm", "attest", "signature", "pcrs", "ak-public", "event-log"),
        **_roles(Kind.AZ_SNP_VTPM, "az-snp", "hcl-report", "tpm-attest", "tpm-signature", "pcrs", "event-log"),
        **_roles(Kind.AZ_TDX_VTPM, "az-tdx", "hcl-report", "td-quote", "tpm-attest", "tpm-signature", "pcrs", "event-log"),
        "cca-token": Place(Kind.CCA, "token"),
    }
)
# One item for each device, the index behind the name.
DEVICE_EVIDENCE: Mapping[str, Place] = MappingProxyType({"nvidia-gpu": Place(Kind.NVIDIA, "gpu-report")})

_AMD = (Kind.SNP, Kind.AZ_SNP_VTPM)
_INTEL = (Kind.SGX, Kind.TDX, Kind.AZ_TDX_VTPM)


@dataclass(frozen=True)
class Share:
    """Which kinds an item of collateral serves, and under which role."""

    kinds: tuple[Kind, ...]
    role: str


# Unknown collateral is left out: it can only be missed, never mislead.
COLLATERAL_TYPES: Mapping[str, Share] = MappingProxyType(
    {
        **{role: Share(_AMD, role) for role in ("vcek", "vlek", "ask", "asvk", "ark", "cert-chain", "crl")},
        **{
            f"intel-{role}": Share(_INTEL, role)
            for role in (
                "pck-chain",
                "pck-crl",
                "pck-crl-chain",
                "root-crl",
                "tcb-info",
                "tcb-info-chain",
                "qe-identity",
                "qe-identity-chain",
            )
        },
        **{f"tpm-{role}": Share((Kind.TPM,), role) for role in ("ak-cert", "ak-chain", "ak-crl")},
    }
)
# One item for each device, or for the device with the lowest index of those that share it.
DEVICE_COLLATERAL: Mapping[str, Share] = MappingProxyType(
    {f"nvidia-{role}": Share((Kind.NVIDIA,), role) for role in ("cert-chain", "rim-driver", "rim-vbios", "ocsp")}
)


def evidence_roles(kind: Kind) -> tuple[str, ...]:
    """The roles that evidence of a kind may have, the one without which there is none first."""
    return tuple(place.role for place in (*EVIDENCE_TYPES.values(), *DEVICE_EVIDENCE.values()) if place.kind is kind)


def collateral_roles(kind: Kind) -> tuple[str, ...]:
    """The roles that its collateral may have."""
    return tuple(share.role for share in (*COLLATERAL_TYPES.values(), *DEVICE_COLLATERAL.values()) if kind in share.kinds)


def evidence_place(name: str) -> Place | None:
    """Where an item of evidence belongs; None for a name that is unknown."""
    known = EVIDENCE_TYPES.get(name)
    if known is not None:
        return known
    base, index = _split(name)
    device = DEVICE_EVIDENCE.get(base)
    return Place(device.kind, device.role, index) if device is not None and index is not None else None


def evidence_name(kind: str, role: str, index: int) -> str | None:
    """The name of an item of evidence; None where the wire has none."""
    for name, place in EVIDENCE_TYPES.items():
        if (place.kind, place.role, place.index) == (kind, role, index):
            return name
    for name, place in DEVICE_EVIDENCE.items():
        if (place.kind, place.role) == (kind, role) and 0 <= index < MAX_DEVICES:
            return f"{name}-{index}"
    return None


def collateral_share(name: str) -> tuple[Share, int | None] | None:
    """Whom an item of collateral serves, and which device only (None: all of the kind). None for a name that is unknown."""
    known = COLLATERAL_TYPES.get(name)
    if known is not None:
        return known, None
    base, index = _split(name)
    device = DEVICE_COLLATERAL.get(base)
    return (device, index) if device is not None and index is not None else None


def collateral_name(kind: str, role: str, index: int) -> str | None:
    """The name of an item of collateral of one kind; None where the wire has none."""
    for name, share in COLLATERAL_TYPES.items():
        if kind in share.kinds and share.role == role:
            return name
    for name, share in DEVICE_COLLATERAL.items():
        if kind in share.kinds and share.role == role and 0 <= index < MAX_DEVICES:
            return f"{name}-{index}"
    return None


def _split(name: str) -> tuple[str, int | None]:
    match = _INDEXED.fullmatch(name)
    if match is None or int(match[2]) >= MAX_DEVICES:
        return name, None
    return match[1], int(match[2])
