"""False Azure confidential VMs: HCL reports over false hardware, and quotes by the paravisor's key that they name.

Everything is right unless one field is overridden: `vm.evidence(extra_data=..., hcl={"status": 1})`,
`vm.evidence(runtime=b"...", covered=...)`. Left to others: the false hardware (`amd`,
`intel`), and the bytes of quotes (`tpm_structures`).
"""

import base64
import hashlib
import json
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa

from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.attest.snp.layout import Product
from confide_sim import tpm
from confide_sim.amd import FalseChip
from confide_sim.intel import FalsePlatform

Key = rsa.RSAPrivateKey | rsa.RSAPublicKey  # runtime data need the public half only
HASHES: Final[Mapping[int, str]] = {1: "sha256", 2: "sha384", 3: "sha512"}
SIZE = 2600  # of the NV index
SNP, TDX = 2, 4
CONFIGURATION: Final[Mapping[str, Any]] = {
    "console-enabled": True,
    "secure-boot": True,
    "tpm-enabled": True,
    "vmUniqueId": "00000000-0000-4000-8000-51ED51ED51ED",
}


def jwk(kid: str, key: Key, **overrides: Any) -> dict[str, Any]:
    """A key of the runtime data."""
    numbers = (key.public_key() if isinstance(key, rsa.RSAPrivateKey) else key).public_numbers()
    n, e = numbers.n.to_bytes((key.key_size + 7) // 8), numbers.e.to_bytes(3)
    return {"kid": kid, "key_ops": ["sign"], "kty": "RSA", "e": _base64url(e), "n": _base64url(n), **overrides}


def runtime(key: Key, *, configuration: Mapping[str, Any] | None = None, **members: Any) -> bytes:
    """The runtime data for an attestation key; `members` replace or add, None leaves out."""
    given: dict[str, Any] = {
        "keys": [jwk("HCLAkPub", key), jwk("HCLEkPub", key, key_ops=["encrypt"])],
        "vm-configuration": {**CONFIGURATION, **(configuration or {})},
        "user-data": "00" * 64,
        **{name.replace("_", "-"): value for name, value in members.items()},
    }
    return json.dumps({name: value for name, value in given.items() if value is not None}, separators=(",", ":")).encode()


def covered(data: bytes, hash_type: int = 1) -> bytes:
    """REPORT_DATA for runtime data."""
    return hashlib.new(HASHES[hash_type], data).digest().ljust(64, b"\x00")


def hcl_report(
    hardware: bytes,
    data: bytes,
    *,
    report_type: int = SNP,
    hash_type: int = 1,
    signature: bytes = b"HCLA",
    version: int = 2,
    status: int = 0,
    data_version: int = 1,
    report_size: int | None = None,
    data_size: int | None = None,
    length: int | None = None,
    behind: bytes = b"",
    size: int = SIZE,
) -> bytes:
    """The file in the NV index; `behind` follows the hardware report."""
    given = len(data) if length is None else length
    total = 0x4D4 + given if report_size is None else report_size
    head = struct.pack("<4sIIII12x", signature, version, total, 2, status) + (hardware + behind).ljust(0x4C0 - 0x20, b"\x00")
    inner = 20 + given if data_size is None else data_size
    return (head + struct.pack("<IIIII", inner, data_version, report_type, hash_type, given) + data).ljust(size, b"\x00")


def td_report(report_data: bytes) -> bytes:
    """A TDREPORT of 1024 bytes (Intel TDX Module ABI Specification, TDREPORT_STRUCT); nobody but its platform can check its MAC."""
    return (b"\x81" + bytes(127) + report_data).ljust(1024, b"\x00")


class _FalseVm(ABC):
    """What false VMs share: a paravisor's attestation key, PCRs."""

    kind: Kind
    report_type: int

    def __init__(self, *, at: datetime | None, key: rsa.RSAPrivateKey | None) -> None:
        self.at = at or datetime.now(UTC)
        self.key = key or rsa.generate_private_key(65537, 2048)
        self.tpm = tpm.FalseTpm(tpm.AZURE, at=self.at, key=self.key)

    @abstractmethod
    def hardware(self, report_data: bytes, **fields: Any) -> tuple[bytes, dict[str, bytes]]:
        """What stands in the HCL report, and further items of evidence."""

    @abstractmethod
    def endorsements(self, **overrides: Any) -> Endorsements:
        """Those of the hardware."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(SIMULATED)"

    def items(
        self,
        *,
        extra_data: bytes,
        data: bytes | None = None,
        report_data: bytes | None = None,
        hardware: Mapping[str, Any] | None = None,
        hcl: Mapping[str, Any] | None = None,
        edited: Callable[[bytes], bytes] = lambda file: file,
        items: Mapping[str, bytes | None] | None = None,
        **quote: Any,
    ) -> dict[str, bytes]:
        """All items of evidence. `data`: the runtime data; `report_data`: what the hardware covers; `hardware`, `hcl`, `quote`:
        fields of those parts; `edited` is applied to the HCL report at the end; `items` replaces an item, or leaves it out."""
        said = runtime(self.key) if data is None else data
        header: dict[str, Any] = {"report_type": self.report_type, **(hcl or {})}
        signed = covered(said, header.get("hash_type", 1)) if report_data is None else report_data
        given, own = self.hardware(signed, **(hardware or {}))
        quoted = self.tpm.items(extra_data=extra_data, **quote)
        found: dict[str, bytes | None] = {
            "hcl-report": edited(hcl_report(given, said, **header)),
            "tpm-attest": quoted["attest"],
            "tpm-signature": quoted["signature"],
            "pcrs": quoted["pcrs"],
            "event-log": quoted["event-log"],
            **own,
            **(items or {}),
        }
        return {role: value for role, value in found.items() if value is not None}

    def evidence(self, *, extra_data: bytes, **overrides: Any) -> Evidence:
        """Evidence of the kind."""
        return Evidence(self.kind.value, self.items(extra_data=extra_data, **overrides))


class FalseVm(_FalseVm):
    """A false Azure VM on SEV-SNP.

    Args:
        at: when it is.
        chip: the false hardware, made when left out.
        key: the attestation key.
    """

    kind = Kind.AZ_SNP_VTPM
    report_type = SNP

    def __init__(self, *, at: datetime | None = None, chip: FalseChip | None = None, key: rsa.RSAPrivateKey | None = None) -> None:
        super().__init__(at=at, key=key)
        self.chip = chip or FalseChip(Product.MILAN, at=self.at)

    def hardware(self, report_data: bytes, **fields: Any) -> tuple[bytes, dict[str, bytes]]:
        """The chip's report; nothing beside it."""
        return self.chip.report(report_data=report_data, **fields), {}

    def endorsements(self, **overrides: Any) -> Endorsements:
        """AMD's."""
        return self.chip.endorsements(**overrides)


class FalseTdVm(_FalseVm):
    """A false Azure VM on TDX: a TDREPORT in the HCL report, and the quote over it that the host gives.

    Args:
        at: when it is.
        platform: the false hardware, made when left out.
        key: the attestation key.
    """

    kind = Kind.AZ_TDX_VTPM
    report_type = TDX

    def __init__(
        self, *, at: datetime | None = None, platform: FalsePlatform | None = None, key: rsa.RSAPrivateKey | None = None
    ) -> None:
        super().__init__(at=at, key=key)
        self.platform = platform or FalsePlatform(Kind.TDX, at=self.at)

    def hardware(self, report_data: bytes, **fields: Any) -> tuple[bytes, dict[str, bytes]]:
        """A TDREPORT, and the quote; `fields` are of the quote."""
        return td_report(report_data), {"td-quote": self.quote_of(td_report(report_data), **fields)}

    def quote_of(self, report: bytes, **fields: Any) -> bytes:
        """The quote that the host gives for a TDREPORT."""
        return self.platform.quote(**{"report_data": report[128:192], **fields})

    def endorsements(self, **overrides: Any) -> Endorsements:
        """Intel's."""
        return self.platform.endorsements(**overrides)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
