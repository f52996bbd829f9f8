"""Cases of NVIDIA's devices, and of manifests by themselves."""

import base64
import binascii
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from confide.attest import verifiers, x509
from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.nvidia import xml, xmlsig
from confide.attest.nvidia.claims import NvidiaClaims
from confide.attest.nvidia.rim import verify_manifest
from confide.attest.nvidia.validate import NvidiaConstraints
from confide.attest.roots import VENDOR_ROOTS
from confide.errors import ConfideError
from conformance.kinds.case import Adapter, Case, File, Parts, require_inputs, require_nonce

RECORDED_V1 = NvidiaConstraints()
MAGIC = bytes.fromhex("11e0")


def sort(files: Sequence[File]) -> Parts:
    """Reports out of hex, base 64 or JSON; manifests by their role or their name; OCSP responses joined."""
    evidence: dict[str, bytes] = {}
    endorsements: dict[str, bytes] = {}
    for role, name, data in files:
        if role == "gpu-report":
            evidence[role] = unwrap(data)
        elif role == "rim":
            evidence[role] = data
        elif role == "ocsp":
            endorsements[role] = endorsements.get(role, b"") + _der(data)
        elif role.startswith("rim"):
            driver = "driver" in role or "driver" in name.lower()
            endorsements["rim-driver" if driver else "rim-vbios"] = data
        else:
            endorsements[role] = data
    return Parts(evidence, endorsements)


def unwrap(data: bytes) -> bytes:
    """The request and what follows it."""
    if data[:2] == MAGIC:
        return data
    for text in re.findall(rb"[A-Za-z0-9+/=_-]{200,}", data):
        for decode in (bytes.fromhex, base64.b64decode):
            try:
                plain = decode(text.decode())
            except (ValueError, binascii.Error):
                continue
            if plain[:2] == MAGIC:
                return plain
    return data


def _der(data: bytes) -> bytes:
    try:
        return data if data[:1] == b"\x30" else base64.b64decode(b"".join(data.split()), validate=True)
    except binascii.Error:
        return data


def judge(claims: Claims, case: Case, checks: Checks) -> None:
    """`recorded-v1`, then the nonce, then what else the case expects."""
    verifiers.validate(claims, RECORDED_V1, checks=checks)
    if not isinstance(claims, NvidiaClaims):
        raise TypeError(type(claims).__name__)
    if case.nonce is not None:
        require_nonce(case, claims.report_data, {case.nonce})
    else:
        checks.skip("nonce", "the case records none")
    require_inputs(case, fields(claims))


def fields(claims: NvidiaClaims) -> dict[str, Any]:
    """Field names of the manifests to values."""
    found: dict[str, Any] = {
        "nonce": claims.report_data,
        "architecture": claims.architecture,
        "driver_version": claims.driver_version,
        "vbios_version": claims.vbios_version,
        "measurements": {str(index): value for index, value in claims.measurements_report.blocks.items()},
    }
    return found | {f"expected_{name}": value for name, value in found.items()}


def starts(parts: Parts) -> list[datetime]:
    """notBefore of the device's chain, and of those in manifests."""
    found: list[datetime] = []
    try:
        if "cert-chain" in parts.endorsements:
            found += [each.not_valid_before_utc for each in x509.load_certificates(parts.endorsements["cert-chain"])]
        for role, data in (*parts.endorsements.items(), *parts.evidence.items()):
            if role.startswith("rim"):
                found += [each.not_valid_before_utc for each in xmlsig.read(xml.parse(data)).certificates]
    except ConfideError:
        return found  # the verifier will say so
    return found


def alone(case: Case, checks: Checks) -> bool:
    """A manifest by itself."""
    if "rim" not in case.evidence.items or "gpu-report" in case.evidence.items:
        return False
    verify_manifest(case.evidence.items["rim"], title="manifest", roots=VENDOR_ROOTS, now=case.as_of, checks=checks)
    return True


ADAPTER = Adapter(sort, judge, starts, alone)
