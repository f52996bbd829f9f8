"""Operations of vectors/07g-nvidia.json: `nvidia.authenticate`, `nvidia.validate`, `nvidia.manifest`.

The second takes the first's input and `constraints` in the words of an entry of `accept`. Reports, DER and responses are hex; PEM
and XML are text.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from confide.attest import verifiers
from confide.attest.checks import Checks
from confide.attest.evidence import Endorsements, Evidence, Kind, Root, Roots
from confide.attest.nvidia.claims import NvidiaClaims
from confide.attest.nvidia.ocsp import load_responses
from confide.attest.nvidia.rim import RIM_ROOT, verify_manifest
from confide.attest.x509 import Revocation
from confide.policy.accept import nvidia

TEXTS = {"cert-chain", "rim-driver", "rim-vbios"}


def _roots(given: dict[str, Any]) -> Roots:
    """The first vouches for devices, the second for manifests."""
    names = ("devices", f"manifests ({RIM_ROOT})")
    return tuple(
        Root(Kind.NVIDIA, name, bytes.fromhex(der), simulated=True) for name, der in zip(names, given["roots"], strict=True)
    )


def _claims(given: dict[str, Any], checks: Checks) -> NvidiaClaims:
    items = {role: value.encode() if role in TEXTS else bytes.fromhex(value) for role, value in given["endorsements"].items()}
    claims = verifiers.authenticate(
        Evidence("nvidia", {"gpu-report": bytes.fromhex(given["report"])}),
        Endorsements(items),
        roots=_roots(given),
        now=datetime.fromisoformat(given["now"]),
        revocation=Revocation(required=given["required"]),
        checks=checks,
    )
    if not isinstance(claims, NvidiaClaims):
        raise TypeError(type(claims).__name__)
    return claims


def _authenticate(given: dict[str, Any]) -> dict[str, Any]:
    checks = Checks()
    claims = _claims(given, checks)
    return {
        "nonce": claims.report_data.hex(),
        "architecture": claims.architecture,
        "driver_version": claims.driver_version,
        "vbios_version": claims.vbios_version,
        "leaf_key_sha256": claims.leaf_key_sha256.hex(),
        "on_hold": claims.on_hold,
        "manifest_failures": [each.code.value for each in claims.manifest_failures],
        "not_after": claims.not_after.isoformat(),
        "not_checked": [item.what for item in checks.not_checked],
    }


def _validate(given: dict[str, Any]) -> dict[str, Any]:
    checks = Checks()
    claims = _claims(given, Checks())
    verifiers.validate(claims, nvidia.constraints({"tee": "nvidia", **given["constraints"]}), checks=checks)
    return {
        "not_checked": [item.what for item in checks.not_checked],
        "relaxations": [item.setting for item in checks.relaxations],
    }


def _manifest(given: dict[str, Any]) -> dict[str, Any]:
    manifest = verify_manifest(
        given["manifest"].encode(),
        title="manifest",
        roots=_roots(given),
        now=datetime.fromisoformat(given["now"]),
        responses=load_responses(bytes.fromhex(given["ocsp"])),
        revocation=Revocation(required=given["required"]),
        checks=Checks(),
    )
    golden = {str(index): [value.hex() for value in values] for index, values in manifest.golden.items()}
    return {"version": manifest.version, "product": manifest.product, "golden": golden}


OPS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "nvidia.authenticate": _authenticate,
    "nvidia.validate": _validate,
    "nvidia.manifest": _manifest,
}
