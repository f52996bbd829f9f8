"""Bytes to certificates and revocation lists: DER or PEM, bounded; one loader for all kinds of evidence.

Pure functions of exact bytes are memoised, bounded. Left to others: reading what is in them (`decoded`).
"""

import base64
import functools
import re

from cryptography import x509

from confide.attest.x509.decoded import UNREADABLE, Certificate, RevocationList, issuer_of, names, quietly, serial_number
from confide.codes import Code
from confide.errors import CollateralError

MAX_CERTIFICATES = 16  # in one bundle; AMD's chains have 3
MAX_BUNDLE = 1 << 17  # bytes of one role; a PEM chain of AMD's is 5 KiB
MAX_CRL = 1 << 20  # bytes; AMD's lists are under 1 KiB, Intel's under 100 KiB


def load_certificate(data: bytes) -> Certificate:
    """The one certificate in `data`, DER or PEM."""
    certificates = load_certificates(data)
    if len(certificates) != 1:
        raise CollateralError(Code.X509_MALFORMED, found=f"{len(certificates)} certificates", wanted="one")
    return certificates[0]


@functools.lru_cache(maxsize=64)
def load_certificates(data: bytes) -> tuple[Certificate, ...]:
    """The certificates in `data`, in order: one in DER, or up to 16 in PEM.

    Raises:
        CollateralError: `x509.too_large` or `x509.malformed`.
    """
    return tuple(_load_der(der) for der in _ders(data, label=b"CERTIFICATE", limit=MAX_BUNDLE))


@functools.lru_cache(maxsize=8)
def load_crls(data: bytes) -> tuple[RevocationList, ...]:
    """The revocation lists in `data`, in order: one in DER, or up to 16 in PEM. Errors as `load_certificates`."""
    return tuple(_load_crl(der) for der in _ders(data, label=b"X509 CRL", limit=MAX_CRL))


@functools.lru_cache(maxsize=128)
def _load_der(der: bytes) -> Certificate:
    try:
        with quietly():
            certificate = x509.load_der_x509_certificate(der)
        names(certificate)  # `cryptography` decodes them late; a certificate whose names do not decode is malformed
        negative = serial_number(certificate) < 0
        require_whole_bytes(der, certificate.signature)
    except UNREADABLE as error:
        raise CollateralError(Code.X509_MALFORMED, found=type(error).__name__, wanted="a DER or PEM certificate") from None
    if negative:  # RFC 5280 section 4.1.2.2; no revocation list can name it
        raise CollateralError(Code.X509_MALFORMED, found="a negative serial number", wanted="0 or a positive one")
    return certificate


def _load_crl(der: bytes) -> RevocationList:
    try:
        with quietly():
            crl = x509.load_der_x509_crl(der)
        issuer_of(crl).public_bytes()  # decoded late, as above
        require_whole_bytes(der, crl.signature)
    except UNREADABLE as error:
        raise CollateralError(Code.X509_MALFORMED, found=type(error).__name__, wanted="a DER or PEM revocation list") from None
    return crl


def require_whole_bytes(der: bytes, signature: bytes) -> None:
    """The BIT STRING of a signature has no unused bits (RFC 5280 section 4.1.1.3, RFC 6960 section 4.2.1; X.690 section 8.6.2);
    `ValueError` otherwise. Nothing signs that number: one that is not 0 is a second spelling where the last bits happen to be zero.
    """
    if b"\x00" + signature not in der:
        raise ValueError("unused bits in the signature")


def _ders(data: bytes, *, label: bytes, limit: int) -> list[bytes]:
    """The DER encodings in `data`: the blocks of one label (RFC 7468), or one DER value that zeros may follow (padded tables)."""
    if len(data) > limit:
        raise CollateralError(Code.X509_TOO_LARGE, found=f"{len(data)} bytes", wanted=f"at most {limit}")
    if b"-----BEGIN " not in data:
        return [_without_padding(data)]
    blocks = re.findall(b"-----BEGIN %b-----([A-Za-z0-9+/=\\s]+)-----END %b-----" % (label, label), data)
    begun = max(data.count(b"-----%b %b-----" % (edge, label)) for edge in (b"BEGIN", b"END"))
    if not 1 <= len(blocks) <= MAX_CERTIFICATES or begun != len(blocks):  # a block that came is used or refused
        raise CollateralError(
            Code.X509_MALFORMED,
            found=f"{len(blocks)} whole PEM blocks of {begun}",
            wanted=f"1 to {MAX_CERTIFICATES} of {label.decode()}",
        )
    try:
        return [base64.b64decode(b"".join(block.split()), validate=True) for block in blocks]
    except ValueError:
        raise CollateralError(Code.X509_MALFORMED, found="broken base 64", wanted="PEM (RFC 7468)") from None


def _without_padding(der: bytes) -> bytes:
    """Cut zeros behind a SEQUENCE with a two-byte length, the form of every certificate and list here (X.690 section 8.1.3.5)."""
    size = 4 + int.from_bytes(der[2:4], "big")
    if der[:2] == b"\x30\x82" and len(der) > size and not any(der[size:]):
        return der[:size]
    return der
