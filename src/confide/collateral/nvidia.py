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
from collections.abc import Sequence

from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import OCSPNonce, ocsp

from confide.attest.x509 import Certificate
from confide.codes import Code
from confide.collateral.fetch import Fetcher, Question
from confide.collateral.services import Services
from confide.errors import CollateralError
from confide.formats import strictjson

MAX_MANIFEST = 2 << 20  # bytes; a driver's is 20 KiB, in base 64 and JSON 30
MAX_OCSP = 64 << 10
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


def fetch_status(chain: Sequence[Certificate], fetcher: Fetcher, services: Services) -> bytes:
    """OCSP answers for each certificate of a chain but the leaf, which the device issued to itself, and the root: DER, one behind
    the other (RFC 6960 section 4.1).

    Raises:
        CollateralError: what `Fetcher.ask` raises; `collateral.answer` for one that is no OCSP response.
    """
    return b"".join(_status(each, issuer, fetcher, services) for each, issuer in itertools.pairwise(chain[1:]))


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
