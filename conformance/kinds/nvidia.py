"""Cases of NVIDIA's devices, and of manifests by themselves."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from confide.attest import verifiers, x509
from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.nvidia import xml, xmlsig
from confide.attest.nvidia.claims import NvidiaClaims
from confide.attest.nvidia.ocsp import load_responses
from confide.attest.nvidia.rim import verify_manifest
from confide.attest.nvidia.spdm import NONCE_SIZE, REQUEST_SIZE, Measurements, Opaque
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
        elif role == "attestation-json":
            evidence["gpu-report"] = unwrap(data)
            endorsements["cert-chain"] = chain(data)
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


def chain(data: bytes) -> bytes:
    """The first certificates in a JSON text that go on to an end: PEM in base 64, or as it is."""
    for text in re.findall(rb"LS0tLS1CRUdJTi[A-Za-z0-9+/=]{200,}", data):
        return base64.b64decode(text)
    return data.replace(b"\\n", b"\n")


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
    found = {**fields(claims), **_leaf_fields(case.endorsements.items)}
    require_inputs(case, found | {f"expected_{name}": value for name, value in found.items()})


def _leaf_fields(endorsements: Mapping[str, bytes]) -> dict[str, Any]:
    """Of certificates: the device's own, and the signers' of its manifests. A device's name is cut after 40 characters there."""
    leaf = x509.load_certificates(endorsements["cert-chain"])[0]
    signers = [xmlsig.read(xml.parse(data)).certificates[0] for role, data in endorsements.items() if role.startswith("rim")]
    end = min((each.not_valid_after_utc.isoformat() for each in signers), default=None)
    named = {"rim_signing_certs_valid_until": end}
    return named | {"leaf_cn": leaf.subject.rfc4514_string()[:40], "leaf_serial": x509.serial_number(leaf)}


def fields(claims: NvidiaClaims) -> dict[str, Any]:
    """Field names of the manifests to values; None for opaque data that the device does not send."""
    report = claims.measurements_report
    texts = ("driver_version", "project", "project_sku", "chip_sku")
    octets = ("fwid", "nvdec0_status", "protected_pcie_status", "feature_flag")
    found: dict[str, Any] = {name: report.text(Opaque[name.upper()]) or None for name in texts}
    found |= {name: report.opaque.get(Opaque[name.upper()]) for name in octets}
    return found | {
        "request_nonce": report.nonce,
        "response_nonce": report.signed[_answered(report)],
        "slot": report.signed[REQUEST_SIZE - 1],
        "measurement_blocks": len(report.blocks),
        "vbios_version_raw": report.opaque.get(Opaque.VBIOS_VERSION),
        "opaque_types": sorted(report.opaque),
        "nonce": claims.report_data,
        "architecture": claims.architecture,
        "vbios_version": claims.vbios_version,
        "measurements": {str(index): value for index, value in claims.measurements_report.blocks.items()},
    }


def _answered(report: Measurements) -> slice:
    """Where the device's own randomness stands: behind the record of measurements."""
    at = REQUEST_SIZE + 8 + int.from_bytes(report.signed[REQUEST_SIZE + 5 : REQUEST_SIZE + 8], "little")
    return slice(at, at + NONCE_SIZE)


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


def alone(case: Case, checks: Checks) -> dict[str, Any] | None:
    """A manifest by itself."""
    if "rim" not in case.evidence.items or "gpu-report" in case.evidence.items:
        return None
    data = case.evidence.items["rim"]
    manifest = verify_manifest(
        data,
        title="manifest",
        roots=VENDOR_ROOTS,
        now=case.as_of,
        responses=load_responses(case.endorsements.items.get("ocsp", b"")),
        revocation=verifiers.Revocation(required=False),
        checks=checks,
    )
    end = xmlsig.read(xml.parse(data)).certificates[0].not_valid_after_utc.isoformat()
    golden = {str(index): values[0] for index, values in manifest.golden.items() if len(values) == 1}
    found = {"colloquialVersion": manifest.version, "product": manifest.product, "leaf_not_after": end, "measurements": golden}
    return found | {f"expected_{name}": value for name, value in found.items()}


ADAPTER = Adapter(sort, judge, starts, alone)
