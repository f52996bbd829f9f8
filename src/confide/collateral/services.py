"""Where the vendors' services are, and that each may be a cache of one's own.

Origins: Intel Provisioning Certification Service, API version 4 (a PCCS speaks the same paths); AMD 57230, "VCEK Certificate and
KDS Interface Specification"; NVIDIA attestation documentation, RIM and OCSP services. Left to others: what is asked of them
(`intel`, `amd`, `nvidia`).
"""

import urllib.parse
from dataclasses import dataclass, fields

from confide.codes import Code
from confide.errors import MisuseError

MAX_URL = 2048


@dataclass(frozen=True)
class Services:
    """Base addresses. Plain `http` is allowed: everything that comes back is signed, and checked later.

    Attributes:
        intel: PCS, or a PCCS (`https://pccs.example:8081`).
        intel_root_crl: the whole address of the root's revocation list; a PCCS has it at `/sgx/certification/v4/rootcacrl`.
        amd: KDS, or a proxy of it.
        nvidia_rim, nvidia_ocsp: reference manifests, and revocation.
    """

    intel: str = "https://api.trustedservices.intel.com"
    intel_root_crl: str = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"
    amd: str = "https://kdsintf.amd.com"
    nvidia_rim: str = "https://rim.attestation.nvidia.com"
    nvidia_ocsp: str = "https://ocsp.ndis.nvidia.com"

    def __post_init__(self) -> None:
        for member in fields(self):
            object.__setattr__(self, member.name, _base(member.name, getattr(self, member.name)))


def _base(name: str, url: str) -> str:
    """The address without a slash at its end.

    Raises:
        MisuseError: `collateral.service` for anything but an http(s) address without user, query or fragment.
    """
    wanted = f"an http or https address for {name}"
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError:
        raise MisuseError(Code.COLLATERAL_SERVICE, found="no address", wanted=wanted) from None
    plain = parts.scheme in {"http", "https"} and parts.hostname and not (parts.query or parts.fragment or parts.username)
    if not plain or len(url) > MAX_URL or port == 0 or not url.isascii() or not url.isprintable() or " " in url:
        raise MisuseError(Code.COLLATERAL_SERVICE, found=f"{len(url)} characters", wanted=wanted)
    return url.rstrip("/")
