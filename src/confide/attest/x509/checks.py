"""One certificate of a chain, and one link: windows, extensions, issuers, signatures (RFC 5280 section 6).

Left to others: revocation (`attest.revocation`), which roots are pinned (`attest.roots`), extensions of vendors (`snp.extensions`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from cryptography import x509

from confide.attest.checks import Checks
from confide.attest.x509.decoded import UNREADABLE, Certificate, common_name, extensions_of, names
from confide.attest.x509.signatures import AMD, Algorithms, key_name, signature_name, signed_by, told
from confide.codes import Code
from confide.errors import CollateralError, MisuseError
from confide.formats.fields import format_time

E = TypeVar("E", bound=x509.ExtensionType)
Extensions = frozenset[x509.ObjectIdentifier]
KNOWN_EXTENSIONS = {x509.BasicConstraints.oid, x509.KeyUsage.oid}  # critical ones that this module interprets
SHOWN = 4  # object identifiers spelled out in a message


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
    child: Certificate, issuer: Certificate, *, title: str, checks: Checks, algorithms: Algorithms | None = None
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


def _extension(certificate: Certificate, kind: type[E]) -> E | None:
    try:
        return extensions_of(certificate).get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
