"""Revocation of NVIDIA's certificates, which by themselves hold for ever: OCSP responses (RFC 6960), one behind the other in DER.

A response is by the issuer itself, or by a responder that the issuer has certified for it (section 4.2.2.2). One that does not hold
at `now` says nothing about `now`; one that names a revocation before `now` counts whenever it was made. `certificateHold` is used
for devices under investigation. Left to others: fetching (`collateral`).
"""

import base64
import binascii
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, Hash, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ExtendedKeyUsage, ExtensionNotFound, ReasonFlags, ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from confide.attest import x509
from confide.attest.checks import Checks
from confide.attest.x509 import UNREADABLE, Certificate, Revocation, extensions_of
from confide.codes import Code
from confide.errors import CollateralError, ConfideError, EvidenceError
from confide.formats.fields import format_time

MAX_RESPONSES = 32
MAX_BYTES = 256 << 10
MAX_CERTIFICATES = 4  # that come with a response: its responder's, and perhaps those above
KNOWN = frozenset({ExtensionOID.EXTENDED_KEY_USAGE, ExtensionOID.OCSP_NO_CHECK})  # critical ones that a responder may have
STRONG = (SHA256, SHA384, SHA512)  # what may sign a response; a CertID may be hashed with less, nothing hangs on it


@dataclass(frozen=True, slots=True)
class Response:
    """One successful response, every field read (BasicOCSPResponse, RFC 6960 section 4.2.1)."""

    serial: int
    name_hash: bytes
    key_hash: bytes
    hashed_with: HashAlgorithm
    status: ocsp.OCSPCertStatus
    revoked_at: datetime | None
    on_hold: bool
    this_update: datetime
    next_update: datetime | None
    certificates: tuple[Certificate, ...]
    signed: bytes
    signature: bytes
    signed_with: HashAlgorithm | None


def load_responses(data: bytes) -> tuple[Response, ...]:
    """The responses in `data`: DER, one behind the other, or lines of base 64.

    Raises:
        CollateralError: `nvidia.ocsp`.
    """
    if len(data) > MAX_BYTES:
        raise _malformed(f"{len(data)} bytes", f"at most {MAX_BYTES}")
    found: list[Response] = []
    for count, der in enumerate(_ders(data)):
        if count == MAX_RESPONSES:
            raise _malformed("more responses", f"at most {MAX_RESPONSES}")
        try:
            response = ocsp.load_der_ocsp_response(der)
            if response.response_status is ocsp.OCSPResponseStatus.SUCCESSFUL:
                x509.require_whole_bytes(der, response.signature)
                if len(response.certificates) > MAX_CERTIFICATES:
                    raise _malformed(f"{len(response.certificates)} certificates in a response", f"at most {MAX_CERTIFICATES}")
                found.append(_read(response))
        except (UnsupportedAlgorithm, *UNREADABLE):
            raise _malformed("a response that does not decode", "OCSP in DER, by algorithms that are known here") from None
    return tuple(found)


def _read(response: ocsp.OCSPResponse) -> Response:
    """Every field at once: the library decodes some of them only when they are asked for."""
    return Response(
        serial=response.serial_number,
        name_hash=response.issuer_name_hash,
        key_hash=response.issuer_key_hash,
        hashed_with=response.hash_algorithm,
        status=response.certificate_status,
        revoked_at=response.revocation_time_utc,
        on_hold=response.revocation_reason is ReasonFlags.certificate_hold,
        this_update=response.this_update_utc,
        next_update=response.next_update_utc,
        certificates=tuple(response.certificates),
        signed=response.tbs_response_bytes,
        signature=response.signature,
        signed_with=response.signature_hash_algorithm,
    )


def check_status(
    certificate: Certificate,
    issuer: Certificate,
    responses: Sequence[Response],
    *,
    title: str,
    now: datetime,
    revocation: Revocation,
    checks: Checks,
) -> tuple[bool, datetime | None]:
    """Whether the certificate is on hold, and until when its status is known (None: it is not).

    Raises:
        EvidenceError: `nvidia.revoked`.
        CollateralError: `nvidia.ocsp`, `nvidia.ocsp_stale` where a status is required.
    """
    about = _by_whom(responses, certificate, issuer)
    hold = False
    for response, _ in about:  # whoever was certified to answer, then or now
        if response.status is ocsp.OCSPCertStatus.REVOKED and _before(response, now):
            hold = hold or response.on_hold
            if not response.on_hold:
                raise EvidenceError(Code.NVIDIA_REVOKED, found=f"{title} revoked", wanted="not revoked")
    ends = [
        _end(response, signer) for response, signer in about if _says(response, now) and _holds(response, signer, now, revocation)
    ]
    if ends:
        checks.require(True, Code.NVIDIA_REVOKED, f"{title} revocation", found="on hold" if hold else "good", wanted="not revoked")
        return hold, max(ends)
    if revocation.required:
        code = Code.NVIDIA_OCSP_STALE if about else Code.NVIDIA_OCSP
        found = _newest(about) if about else "no response"
        wanted = f"a response for this certificate that holds at {format_time(now)}"
        checks.require(False, code, f"{title} revocation", found=found, wanted=wanted, error=CollateralError)
    else:
        checks.skip(f"{title} revocation", "no OCSP response that holds now was given, and none is required")
    return hold, None


def _ders(data: bytes) -> Iterator[bytes]:
    if data[:1] != b"\x30":
        for line in data.split():
            try:
                yield base64.b64decode(line, validate=True)
            except (binascii.Error, ValueError):
                raise _malformed("neither DER nor base 64", "OCSP responses") from None
        return
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at + 2 : at + 4]) + 4 if data[at : at + 2] == b"\x30\x82" else 0
        if size < 8 or at + size > len(data):
            raise _malformed("bytes that are no response", "OCSP responses in DER")
        yield data[at : at + size]
        at += size


def _about(response: Response, certificate: Certificate, issuer: Certificate) -> bool:
    """CertID: hashes of the issuer's name and key, and the serial number (RFC 6960 section 4.1.1)."""
    if response.serial != x509.serial_number(certificate):
        return False
    key = issuer.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint) if _is_ec(issuer) else b""
    pairs = ((x509.names(issuer).subject, response.name_hash), (key, response.key_hash))
    for value, wanted in pairs:
        digest = Hash(response.hashed_with)
        digest.update(value)
        if not hmac.compare_digest(digest.finalize(), wanted):
            return False
    return True


def _by_whom(responses: Sequence[Response], certificate: Certificate, issuer: Certificate) -> list[tuple[Response, Certificate]]:
    """Responses about the certificate, each with who signed it: the issuer, or whom the issuer certified for OCSP signing."""
    found = []
    for response in responses:
        if _about(response, certificate, issuer):
            signers = (issuer, *(each for each in response.certificates if _is_responder(each, issuer)))
            signer = next((each for each in signers if _signed(response, each)), None)
            found += [] if signer is None else [(response, signer)]
    return found


def _is_responder(certificate: Certificate, issuer: Certificate) -> bool:
    """RFC 6960 section 4.2.2.2: issued by the authority itself, for id-kp-OCSPSigning; by the rules of every end entity here."""
    trial = Checks()
    try:
        x509.check_end_entity(certificate, title="responder", checks=trial, known=KNOWN)
        x509.check_link(certificate, issuer, title="responder", checks=trial, algorithms=x509.P384)
        usage = extensions_of(certificate).get_extension_for_class(ExtendedKeyUsage).value
    except (ConfideError, ExtensionNotFound, *UNREADABLE):
        return False
    return ExtendedKeyUsageOID.OCSP_SIGNING in usage


def _signed(response: Response, signer: Certificate) -> bool:
    key = signer.public_key() if _is_ec(signer) else None
    algorithm = response.signed_with
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(algorithm, STRONG):
        return False
    try:
        key.verify(response.signature, response.signed, ec.ECDSA(algorithm))
    except InvalidSignature:
        return False
    return True


def _is_ec(certificate: Certificate) -> bool:
    return x509.key_name(certificate).startswith("P-")


def _says(response: Response, now: datetime) -> bool:
    """Good, or on hold: `unknown` says nothing (RFC 6960 section 2.2), nor does a revocation that is yet to come."""
    status = response.status
    return status is ocsp.OCSPCertStatus.GOOD or (status is ocsp.OCSPCertStatus.REVOKED and _before(response, now))


def _before(response: Response, now: datetime) -> bool:
    return response.revoked_at is None or response.revoked_at <= now


def _holds(response: Response, signer: Certificate, now: datetime, revocation: Revocation) -> bool:
    """thisUpdate <= now <= nextUpdate, no older than is wanted; its signer's certificate holds too (RFC 6960 section 4.2.2.2)."""
    young = revocation.max_age is None or now - response.this_update <= revocation.max_age
    valid = signer.not_valid_before_utc <= now <= signer.not_valid_after_utc
    return response.this_update <= now and response.next_update is not None and now <= response.next_update and young and valid


def _end(response: Response, signer: Certificate) -> datetime:
    """Until when it holds; one without nextUpdate holds at no time."""
    return min(response.next_update or response.this_update, signer.not_valid_after_utc)


def _newest(about: Sequence[tuple[Response, Certificate]]) -> str:
    """The window of the one that was made last, and when its signer's certificate ends."""
    last, signer = max(about, key=lambda pair: pair[0].this_update)
    end = "without a nextUpdate" if last.next_update is None else f"to {format_time(last.next_update)}"
    return f"one from {format_time(last.this_update)} {end}, its signer until {format_time(signer.not_valid_after_utc)}"


def _malformed(found: str, wanted: str) -> CollateralError:
    return CollateralError(Code.NVIDIA_OCSP, found=found, wanted=wanted)
