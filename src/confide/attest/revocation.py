"""Certificate revocation lists (RFC 5280 section 6.3), applied: whose, signed how, good when, and whom they revoke.

Left to others: loading them (`x509.loading`) and fetching them (`collateral`).
"""

import functools
from collections.abc import Iterable
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from confide.attest.checks import Checks
from confide.attest.x509 import (
    AMD,
    SHOWN,
    UNREADABLE,
    Algorithms,
    Certificate,
    Revocation,
    RevocationList,
    common_name,
    extensions_of,
    issuer_of,
    key_name,
    load_crls,
    names,
    serial_number,
    signature_name,
    subject_of,
    told,
)
from confide.codes import Code
from confide.errors import CollateralError
from confide.formats.fields import format_span, format_time


def check_revocation(
    chain: Iterable[tuple[str, Certificate]],
    crls: Iterable[RevocationList],
    *,
    issuer: Certificate,
    required: bool,
    checks: Checks,
    algorithms: Algorithms = AMD,
) -> tuple[RevocationList, ...]:
    """Apply every list of `issuer` to the certificates of `chain` that it issued; returns the lists used (RFC 5280 section 6.3).

    Whether a list holds at a given time is left to `check_list_windows`.
    """
    name = common_name(issuer)
    subject = subject_of(issuer)
    used = tuple(crl for crl in crls if issuer_of(crl) == subject)  # across string types: the signature decides
    if not used:
        _no_list(name, required, checks)
    for crl in used:
        _check_crl(crl, issuer, title=_title(issuer), checks=checks, algorithms=algorithms)
    for title, certificate in chain:
        if names(certificate).issuer != names(issuer).subject:
            checks.skip(
                f"{title} revocation", f"the lists of {name} cover what it issued itself; the issuer of the {title} has none"
            )
        elif used:
            number = serial_number(certificate)
            revoked = any(crl.get_revoked_certificate_by_serial_number(number) is not None for crl in used)
            serial = f"serial {number:#x}"
            checks.require(
                not revoked,
                Code.X509_REVOKED,
                f"{title} revocation",
                found=f"{serial} {'' if revoked else 'not '}listed",
                wanted="not listed",
            )
    return used


def check_list_windows(
    lists: Iterable[RevocationList], *, issuer: Certificate, now: datetime, revocation: Revocation, checks: Checks
) -> None:
    """Every list used holds at `now` and is as fresh as wanted (RFC 5280 sections 5.1.2.4 and 5.1.2.5)."""
    for crl in lists:
        _check_crl_window(crl, now=now, revocation=revocation, title=_title(issuer), checks=checks)


def expiry(crl: RevocationList, revocation: Revocation) -> datetime:
    """Until when a list counts: its nextUpdate and the grace, or the end of the age that is allowed, whichever comes first."""
    end = revocation.extended(crl.next_update_utc or crl.last_update_utc)  # a list without nextUpdate has been refused
    if revocation.max_age is None or revocation.max_age >= end - crl.last_update_utc:
        return end
    return crl.last_update_utc + revocation.max_age


def _title(issuer: Certificate) -> str:
    return f"revocation list of {common_name(issuer)}"


def _no_list(name: str, required: bool, checks: Checks) -> None:
    if not required:
        checks.skip("revocation", f"no revocation list of {name} was given and none is required")
        return
    checks.require(
        False, Code.X509_CRL_MISSING, "revocation list", found="none", wanted=f"a list issued by {name}", error=CollateralError
    )


def _check_crl(crl: RevocationList, issuer: Certificate, *, title: str, checks: Checks, algorithms: Algorithms) -> None:
    algorithm, allowed = signature_name(crl), algorithms.get(key_name(issuer), ())
    checks.require(
        algorithm in allowed,
        Code.X509_CRL_ALGORITHM,
        f"{title} signatureAlgorithm",
        found=algorithm,
        wanted=" or ".join(allowed) or "another issuing key",
        error=CollateralError,
    )
    good = _crl_signed_by(crl, issuer)
    checks.require(
        good, Code.X509_CRL_SIGNATURE, f"{title} signature", found=told(good), wanted="a good one", error=CollateralError
    )
    _check_crl_extensions(crl, title=title, checks=checks)


def _check_crl_window(crl: RevocationList, *, now: datetime, revocation: Revocation, title: str, checks: Checks) -> None:
    start, own, max_age = crl.last_update_utc, crl.next_update_utc, revocation.max_age
    end = None if own is None else revocation.extended(own)
    found = format_time(now)
    checks.require(
        now >= start,
        Code.X509_CRL_NOT_YET_VALID,
        f"{title} thisUpdate",
        found=found,
        wanted=f"from {format_time(start)}",
        error=CollateralError,
    )
    wanted = "a nextUpdate" if end is None else f"until {format_time(end)}"
    checks.require(
        end is not None and now <= end,
        Code.X509_CRL_EXPIRED,
        f"{title} nextUpdate",
        found=found,
        wanted=wanted,
        error=CollateralError,
    )
    if own is not None and end is not None and own < now <= end:
        checks.relax("collateral_grace", f"the {title} ended at {format_time(own)} and is used for a while")
    if max_age is not None:
        checks.require(
            now - start <= max_age,
            Code.X509_CRL_AGE,
            f"{title} age",
            found=format_span(now - start),
            wanted=f"at most {format_span(max_age)}",
            error=CollateralError,
        )


def _check_crl_extensions(crl: RevocationList, *, title: str, checks: Checks) -> None:
    """A critical extension (indirect, partial, delta list) narrows what the list says: none is accepted (RFC 5280 section 5.2)."""
    try:
        unknown = [extension.oid.dotted_string for extension in extensions_of(crl) if extension.critical]
        unknown += [e.oid.dotted_string for entry in crl for e in entry.extensions if e.critical]
    except UNREADABLE as error:
        unknown = [type(error).__name__]
    checks.require(
        not unknown,
        Code.X509_CRL_EXTENSION,
        f"{title} extensions",
        found=", ".join(unknown[:SHOWN]) or "no critical ones",
        wanted="no critical ones",
        error=CollateralError,
    )


def _crl_signed_by(crl: RevocationList, issuer: Certificate) -> bool:
    return _crl_verifies(crl.public_bytes(Encoding.DER), issuer)


@functools.lru_cache(maxsize=16)
def _crl_verifies(crl: bytes, issuer: Certificate) -> bool:
    try:
        key = issuer.public_key()
        return isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)) and load_crls(crl)[0].is_signature_valid(key)
    except UNREADABLE:
        return False
