"""X.509 certificates and revocation lists (RFC 5280): loading, windows, one link of a chain. One loader for all kinds.

AMD's VCEK and VLEK certificates have serial number 0, which RFC 5280 section 4.1.2.2 forbids and `cryptography` deprecates. Only
code under `_quietly` meets that warning; exactly that message and two more are silenced there, and `pyproject.toml` bounds
`cryptography` to versions that load them. Negative ones refuse. Pure functions of exact bytes are memoised, bounded: an
intermediate is verified once per process.

Left to others: applying revocation lists (`revocation.py`), which roots are pinned (`roots.py`), vendor extensions
(`snp/extensions.py`), fetching (`collateral`).
"""

import base64
import functools
import re
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.x509.oid import NameOID

from confide.attest.checks import Checks
from confide.codes import Code
from confide.errors import CollateralError, MisuseError
from confide.formats.fields import format_time

E = TypeVar("E", bound=x509.ExtensionType)
Certificate = x509.Certificate
RevocationList = x509.CertificateRevocationList

MAX_CERTIFICATES = 16  # in one bundle; AMD's chains have 3
MAX_BUNDLE = 1 << 17  # bytes of one role; a PEM chain of AMD's is 5 KiB
MAX_CRL = 1 << 20  # bytes; AMD's lists are under 1 KiB, Intel's under 100 KiB
SERIAL_NUMBER_WARNING = r"Parsed a serial number which wasn't positive"
WARNINGS = (SERIAL_NUMBER_WARNING, r"Attribute's length must be ", r"The parsed certificate contains a NULL parameter value")
_SILENCED = "|".join(WARNINGS)
KNOWN_EXTENSIONS = {x509.BasicConstraints.oid, x509.KeyUsage.oid}  # critical ones that this module interprets

# What `cryptography` raises where bytes inside a certificate or list do not decode. It decodes late, and every extension it knows:
# a TLS feature of unknown number is a KeyError, an x400Address its own kind of exception.
UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
Extensions = frozenset[x509.ObjectIdentifier]
MAX_SHOWN = 120  # characters of a name in a message
SHOWN = 4  # object identifiers spelled out in a message

_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_filters = threading.Lock()  # `warnings.catch_warnings` changes the whole process


@dataclass(frozen=True)
class Revocation:
    """How revocation is applied: required by default, and at any age inside the list's own window unless `max_age` says less.

    `grace`: how long lists and TCB data count after their end; shown as a relaxation wherever it is made use of.
    """

    required: bool = True
    max_age: timedelta | None = None
    grace: timedelta = timedelta()

    def extended(self, end: datetime) -> datetime:
        """`end`, and the grace behind it; the end of the calendar is never passed."""
        return end + min(self.grace, datetime.max.replace(tzinfo=end.tzinfo) - end)


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


@dataclass(frozen=True)
class Names:
    """The names of a certificate: encoded, for exact comparison (RFC 5280 section 7.1), and as text.

    Whoever made the certificate chose the text, and it ends up in messages and on terminals: it is printable ASCII and short.
    """

    issuer: bytes
    subject: bytes
    issuer_text: str
    subject_text: str
    common_name: str
    issuer_common_name: str


class _Same:
    """A memo's key by identity: lists have no hash, and a certificate's reads all of it. What is loaded twice is one object."""

    __slots__ = ("value",)

    def __init__(self, value: Certificate | RevocationList) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value


@dataclass(frozen=True)
class _Decoded:
    """What `cryptography` decodes anew at each call, or late. `extensions` is None where they do not decode."""

    issuer: x509.Name
    subject: x509.Name  # of a list its issuer's
    serial: int
    extensions: x509.Extensions | None


@functools.lru_cache(maxsize=256)
def _decoded(signed: _Same) -> _Decoded:
    """All of it in one silence; raises one of `UNREADABLE` for names that do not decode."""
    value, extensions = signed.value, None
    with _quietly():
        with suppress(*UNREADABLE):
            extensions = value.extensions  # authorityKeyIdentifier holds a serial number too
        if isinstance(value, Certificate):
            return _Decoded(value.issuer, value.subject, value.serial_number, extensions)
        return _Decoded(value.issuer, value.issuer, 0, extensions)


def names(certificate: Certificate) -> Names:
    """Decoding names costs more than comparing them; a chain compares each several times."""
    return _names(_Same(certificate))


@functools.lru_cache(maxsize=256)
def _names(certificate: _Same) -> Names:
    decoded = _decoded(certificate)
    issuer, subject = decoded.issuer, decoded.subject
    return Names(
        issuer.public_bytes(),
        subject.public_bytes(),
        *_texts(issuer, subject),
    )


def _texts(issuer: x509.Name, subject: x509.Name) -> tuple[str, str, str, str]:
    above, below = _text(issuer), _text(subject)
    return above[0], below[0], below[1], above[1]


@functools.lru_cache(maxsize=256)
def _text(name: x509.Name) -> tuple[str, str]:
    """RFC 4514 and the common name. An issuer's is a subject's elsewhere in the chain."""
    return printable(name.rfc4514_string()) or "an empty name", _common_name(name)


def common_name(certificate: Certificate) -> str:
    """The one common name of the subject, made `printable`; empty when there is none or several."""
    return names(certificate).common_name


def printable(text: str) -> str:
    """Text of a stranger's for a message: escape sequences stay visible, and a long text is cut."""
    shown = _UNPRINTABLE.sub(lambda match: f"\\u{{{ord(match[0]):x}}}", text[: MAX_SHOWN + 1])
    return shown if len(shown) <= MAX_SHOWN else f"{shown[: MAX_SHOWN - 3]}..."


def serial_number(certificate: Certificate) -> int:
    """The serial number, 0 included."""
    return _decoded(_Same(certificate)).serial


def subject_of(certificate: Certificate) -> x509.Name:
    """The subject's name."""
    return _decoded(_Same(certificate)).subject


def issuer_of(crl: RevocationList) -> x509.Name:
    """The issuer's name."""
    return _decoded(_Same(crl)).issuer


def extensions_of(signed: Certificate | RevocationList) -> x509.Extensions:
    """The extensions; raises one of `UNREADABLE` when any does not decode."""
    found = _decoded(_Same(signed)).extensions
    if found is not None:
        return found
    with _quietly():
        return signed.extensions


def require_clock(now: datetime) -> None:
    """Refuse a naive clock: it would be compared as local time."""
    if now.tzinfo is None or now.utcoffset() is None:
        raise MisuseError(Code.EVIDENCE_CLOCK, found="a naive datetime", wanted="a datetime with a time zone")


def check_distinct(chain: Sequence[Certificate], *, title: str, checks: Checks) -> None:
    """RFC 5280 section 6.1: a certificate does not appear more than once in a path."""
    repeated = next((names(each).subject_text for place, each in enumerate(chain) if each in chain[:place]), None)
    found = f"{repeated} twice" if repeated is not None else f"{len(chain)} different ones"
    checks.require(repeated is None, Code.X509_REPEATED, f"{title} chain", found=found, wanted="each certificate once")


def check_window(certificate: Certificate, *, now: datetime, title: str, checks: Checks) -> None:
    """RFC 5280 section 4.1.2.5: both ends belong to the period of validity."""
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    found = format_time(now)
    checks.require(
        now >= start,
        Code.X509_NOT_YET_VALID,
        f"{title} notBefore",
        found=found,
        wanted=f"from {format_time(start)}",
        error=CollateralError,
    )
    checks.require(
        now <= end, Code.X509_EXPIRED, f"{title} notAfter", found=found, wanted=f"until {format_time(end)}", error=CollateralError
    )


def check_link(
    child: Certificate, issuer: Certificate, *, title: str, checks: Checks, algorithms: "Algorithms | None" = None
) -> None:
    """`child` was issued by the key of `issuer` with one of `algorithms`, AMD's by default (RFC 5280 section 6.1.3)."""
    allowed = algorithms or AMD
    below, above = names(child), names(issuer)
    same = below.issuer == above.subject
    checks.require(same, Code.X509_ISSUER, f"{title} issuer", found=below.issuer_text, wanted=above.subject_text)
    key, algorithm = key_name(issuer), signature_name(child)
    checks.require(key in allowed, Code.X509_ISSUER_KEY, f"{title} issuing key", found=key, wanted=" or ".join(allowed))
    wanted = allowed.get(key, ())
    checks.require(
        algorithm in wanted,
        Code.X509_SIGNATURE_ALGORITHM,
        f"{title} signatureAlgorithm",
        found=algorithm,
        wanted=" or ".join(wanted) or "another issuing key",
    )
    good = signed_by(child, issuer)
    checks.require(
        good, Code.X509_SIGNATURE, f"{title} signature", found=told(good), wanted=f"a signature by {common_name(issuer)}"
    )


def check_authority(
    certificate: Certificate,
    *,
    path_length: int | None,
    crl_sign: bool,
    title: str,
    checks: Checks,
    known: Extensions = frozenset(),
) -> None:
    """basicConstraints and keyUsage of a CA, as AMD's ARK, ASK and ASVK have them (RFC 5280 sections 4.2.1.3 and 4.2.1.9)."""
    if not check_extensions(certificate, title=title, checks=checks, known=known):
        return
    constraints = _extension(certificate, x509.BasicConstraints)
    checks.require(
        constraints is not None and constraints.ca and (path_length is None or constraints.path_length == path_length),
        Code.X509_BASIC_CONSTRAINTS,
        f"{title} basicConstraints",
        found=_constraints_text(constraints),
        wanted="CA" if path_length is None else f"CA, pathLen {path_length}",
    )
    usage = _extension(certificate, x509.KeyUsage)
    allowed = usage is not None and usage.key_cert_sign and (usage.crl_sign or not crl_sign)
    checks.require(
        allowed,
        Code.X509_KEY_USAGE,
        f"{title} keyUsage",
        found=_usage_text(usage),
        wanted="keyCertSign, cRLSign" if crl_sign else "keyCertSign",
    )


def _constraints_text(found: x509.BasicConstraints | None) -> str:
    if found is None:
        return "none"
    length = "" if found.path_length is None else f", pathLen {found.path_length}"
    return f"CA{length}" if found.ca else "no CA"


def _usage_text(found: x509.KeyUsage | None) -> str:
    """The usages that matter here, by their names in RFC 5280 section 4.2.1.3."""
    if found is None:
        return "none"
    named = {"digitalSignature": found.digital_signature, "keyCertSign": found.key_cert_sign, "cRLSign": found.crl_sign}
    return ", ".join(name for name, given in named.items() if given) or "another use"


def check_path(certificate: Certificate, *, below: int, title: str, checks: Checks) -> None:
    """At most pathLenConstraint authorities stand below an authority (RFC 5280 section 4.2.1.9)."""
    try:
        constraints = _extension(certificate, x509.BasicConstraints)
    except UNREADABLE:
        constraints = None
    length = None if constraints is None else constraints.path_length
    checks.require(
        length is None or length >= below,
        Code.X509_BASIC_CONSTRAINTS,
        f"{title} pathLen",
        found="none" if length is None else str(length),
        wanted=f"at least {below}, or none",
    )


def check_end_entity(certificate: Certificate, *, title: str, checks: Checks, known: Extensions = frozenset()) -> bool:
    """An end entity is no CA and may sign; AMD's VCEK and VLEK carry neither extension. False when extensions cannot be read."""
    if not check_extensions(certificate, title=title, checks=checks, known=known):
        return False
    constraints, usage = _extension(certificate, x509.BasicConstraints), _extension(certificate, x509.KeyUsage)
    checks.require(
        constraints is None or not constraints.ca,
        Code.X509_BASIC_CONSTRAINTS,
        f"{title} basicConstraints",
        found=_constraints_text(constraints),
        wanted="no CA",
    )
    checks.require(
        usage is None or usage.digital_signature,
        Code.X509_KEY_USAGE,
        f"{title} keyUsage",
        found=_usage_text(usage),
        wanted="digitalSignature, or no keyUsage",
    )
    return True


def check_extensions(certificate: Certificate, *, title: str, checks: Checks, known: Extensions = frozenset()) -> bool:
    """No malformed, repeated or unknown critical extension (RFC 5280 section 4.2). False when they cannot be read at all.

    `known`: further critical ones that the caller interprets.
    """
    understood = KNOWN_EXTENSIONS | known
    try:
        unknown = [e.oid.dotted_string for e in extensions_of(certificate) if e.critical and e.oid not in understood]
        found = ", ".join(unknown[:SHOWN]) or "all critical ones known"
        readable = True
    except UNREADABLE as error:
        unknown, found, readable = ["?"], type(error).__name__, False
    checks.require(not unknown, Code.X509_EXTENSION, f"{title} extensions", found=found, wanted="all critical ones known")
    return readable


@functools.lru_cache(maxsize=256)
def signed_by(child: Certificate, issuer: Certificate) -> bool:
    """Whether the signature of `child` verifies with the key of `issuer`, whose subject it names. Equality is that of the bytes."""
    try:
        with _quietly():
            child.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def is_rsa_4096(certificate: Certificate) -> bool:
    """Whether the key is of the kind that AMD's ARK, ASK and ASVK have."""
    try:
        key = certificate.public_key()
    except UNREADABLE:
        return False
    return isinstance(key, rsa.RSAPublicKey) and key.key_size == 4096


@functools.lru_cache(maxsize=128)
def same_key(one: Certificate, other: Certificate) -> bool:
    """Whether two certificates hold one public key; never for keys that do not decode."""
    try:
        return one.public_key() == other.public_key()
    except UNREADABLE:
        return False


PSS_SHA384 = "RSASSA-PSS, SHA-384, MGF1 SHA-384, salt 48"
Algorithms = Mapping[str, tuple[str, ...]]  # issuing key as `key_name` calls it, to signatures as `signature_name` does
AMD: Algorithms = MappingProxyType({"RSA 4096": (PSS_SHA384,)})  # AMD 57230
P256: Algorithms = MappingProxyType({"P-256": ("ECDSA, SHA-256",)})  # Intel's chains (PCK Certificate and CRL Specification)
P384: Algorithms = MappingProxyType({"P-384": ("ECDSA, SHA-384",)})  # AWS's and NVIDIA's chains
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


def signature_name(signed: Certificate | RevocationList) -> str:
    """Scheme and hash in words: `PSS_SHA384` for exactly these parameters (RFC 4055 section 3.1), `ECDSA, SHA-256` (RFC 5758),
    `RSASSA-PKCS1-v1_5, SHA-256` (RFC 4055 section 5); otherwise the object identifier."""
    oid = signed.signature_algorithm_oid.dotted_string
    try:
        parameters, digest = signed.signature_algorithm_parameters, signed.signature_hash_algorithm
    except UNREADABLE:
        return f"{oid} with unknown parameters"
    named = "" if digest is None else digest.name.upper().replace("SHA", "SHA-")
    if isinstance(parameters, ec.ECDSA):
        return f"ECDSA, {named}"
    if isinstance(parameters, padding.PKCS1v15):
        return f"RSASSA-PKCS1-v1_5, {named}"
    if not isinstance(parameters, padding.PSS):
        return oid
    mgf, salt = parameters.mgf._algorithm, parameters._salt_length  # no public accessors (cryptography 48 to 50)
    if isinstance(digest, SHA384) and isinstance(mgf, SHA384) and salt == 48:
        return PSS_SHA384
    return f"RSASSA-PSS, {getattr(digest, 'name', '?')}, MGF1 {mgf.name}, salt {salt}"


def told(good: bool) -> str:
    """A signature in words."""
    return "a good one" if good else "a bad one"


@contextmanager
def _quietly() -> Iterator[None]:
    """Silence `WARNINGS`, in this block only: what a stranger's bytes are like is told by checks, not on standard error, and does
    not raise where warnings are errors. Filters belong to the process, hence the lock."""
    with _filters, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_SILENCED)
        yield


@functools.lru_cache(maxsize=128)
def _load_der(der: bytes) -> Certificate:
    try:
        with _quietly():
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
        with _quietly():
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


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return printable(str(found[0].value)) if len(found) == 1 else ""


def _extension(certificate: Certificate, kind: type[E]) -> E | None:
    try:
        return extensions_of(certificate).get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def key_name(certificate: Certificate) -> str:
    """The key in words: `RSA 4096`, `P-256`, `P-384`, or its type."""
    try:
        key = certificate.public_key()
    except UNREADABLE:
        return "an unknown key"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _CURVES.get(key.curve.name, key.curve.name)
    return type(key).__name__.lstrip("_")
