"""NVIDIA's services: reference integrity manifests by id, and OCSP for the certificates of chains.

    {rim}/v1/rim/{id}   JSON: `id`, `rim` (base 64 of the XML), `sha256` where given
    {ocsp}/             RFC 6960 over HTTP, POST

OCSP answers are about a nonce (RFC 9654) where the responder keeps it; verifiers then rest on its window. Left to others: which
ids and certificates a report needs (`collect`), and what the answers prove (`attest.nvidia`).
"""

import base64
import binascii
import hashlib
import hmac
import itertools
import re
import secrets
from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import OCSPNonce, ocsp

from confide.attest import x509
from confide.attest.evidence import Evidence
from confide.attest.nvidia import xml, xmlsig
from confide.attest.nvidia.spdm import Measurements, Opaque, parse_measurements
from confide.attest.x509 import Certificate
from confide.codes import Code
from confide.collateral.fetch import Fetcher, Question
from confide.collateral.services import Services
from confide.errors import CollateralError
from confide.formats import strictjson

MAX_MANIFEST = 2 << 20  # bytes; a driver's is 20 KiB, in base 64 and JSON 30
MAX_OCSP = 64 << 10
SWITCH_PROJECT = "5612_0002_890"
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}\Z")


def fetch_manifest(identifier: str, fetcher: Fetcher, services: Services) -> bytes:
    """The XML of one manifest, such as `NV_GPU_DRIVER_GH100_550.90.07`.

    Raises:
        CollateralError: what `Fetcher.ask` raises; `collateral.answer` for one that is no manifest, or another's.
    """
    if not _ID.match(identifier):
        found = f"an id of {len(identifier)} characters"
        raise CollateralError(Code.COLLATERAL_UNKNOWN_PLATFORM, found=found, wanted="letters, digits, dot, dash, underscore")
    answer = fetcher.ask(Question(f"{services.nvidia_rim}/v1/rim/{identifier}", MAX_MANIFEST, accept="application/json"))
    try:
        members = strictjson.loads(answer.content, limit=MAX_MANIFEST)
        named, text = members["id"], members["rim"]
        manifest = base64.b64decode(text, validate=True)
        digest = members.get("sha256")
        same = digest is None or hmac.compare_digest(hashlib.sha256(manifest).hexdigest(), str(digest).lower())
    except (strictjson.JsonError, KeyError, TypeError, AttributeError, ValueError, binascii.Error):
        raise _answer(f"{len(answer.content)} bytes that are no manifest") from None
    if named != identifier or not same:
        raise _answer("a manifest with another id or digest")
    return manifest


def fetch_nvidia(evidence: Evidence, given: Mapping[str, bytes], fetcher: Fetcher, services: Services) -> Mapping[str, bytes]:
    """Roles to bytes of what verifiers of a device's report need beside its certificates: `rim-driver` (not of a switch),
    `rim-vbios`, `ocsp` of both chains.

    Raises:
        EvidenceError: the report cannot be read.
        CollateralError: what the others here raise; `x509.missing` without the device's `cert-chain` in `given`.
    """
    report = parse_measurements(evidence.items.get("gpu-report", b""))
    if "cert-chain" not in given:
        raise CollateralError(Code.X509_MISSING, found="no certificates of the device", wanted="cert-chain")
    chain = x509.load_certificates(given["cert-chain"])
    architecture = x509.common_name(chain[0]).split(" ", 1)[0]
    names = manifest_ids(report, architecture)
    found = {role: fetch_manifest(name, fetcher, services) for role, name in names.items()}
    signers = {data: xmlsig.read(xml.parse(data)).certificates for data in found.values()}
    pairs = [*itertools.pairwise(chain[1:]), *(pair for signer in signers.values() for pair in itertools.pairwise(signer))]
    return {**found, "ocsp": fetch_status(pairs, fetcher, services)}


def manifest_ids(report: Measurements, architecture: str) -> Mapping[str, str]:
    """By role, as NVIDIA's RIM service names them (attestation documentation, "RIM service"): by driver version; by project, its
    SKU, the chip's, and the VBIOS without dots. Switches have one project (nvtrust, `nv_attestation_sdk`)."""
    vbios = report.vbios_version.replace(".", "")
    if architecture.startswith("LS"):
        return {"rim-vbios": f"NV_SWITCH_BIOS_{SWITCH_PROJECT}_{vbios}"}
    project = "_".join(report.text(kind) for kind in (Opaque.PROJECT, Opaque.PROJECT_SKU, Opaque.CHIP_SKU))
    return {
        "rim-driver": f"NV_GPU_DRIVER_{architecture}_{report.driver_version}",
        "rim-vbios": f"NV_GPU_VBIOS_{project}_{vbios}".upper(),
    }


def fetch_status(pairs: Sequence[tuple[Certificate, Certificate]], fetcher: Fetcher, services: Services) -> bytes:
    """OCSP answers for each certificate, with its issuer: DER, one behind the other (RFC 6960 section 4.1). Of a device's chain
    the leaf is left out, which the device issued to itself.

    Raises:
        CollateralError: what `Fetcher.ask` raises; `collateral.answer` for one that is no OCSP response.
    """
    return b"".join(_status(each, issuer, fetcher, services) for each, issuer in dict.fromkeys(pairs))


def _status(certificate: Certificate, issuer: Certificate, fetcher: Fetcher, services: Services) -> bytes:
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, SHA384())
    request = builder.add_extension(OCSPNonce(secrets.token_bytes(32)), critical=False).build().public_bytes(Encoding.DER)
    question = Question(
        f"{services.nvidia_ocsp}/",
        MAX_OCSP,
        body=request,
        content_type="application/ocsp-request",
        accept="application/ocsp-response",
    )
    content = fetcher.ask(question).content
    try:
        response = ocsp.load_der_ocsp_response(content)
    except ValueError:
        raise _answer(f"{len(content)} bytes that are no OCSP response") from None
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise _answer(f"OCSP status {response.response_status.name}")
    return content


def _answer(found: str) -> CollateralError:
    return CollateralError(Code.COLLATERAL_ANSWER, found=found, wanted="what the service documents")
