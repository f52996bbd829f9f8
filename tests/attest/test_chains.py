"""Each certificate of each kind's chain, crossed with each way to lie, and the exact code (RFC 5280 section 6.1).

Left to others: chains that are wrong as a whole (`test_whole_chains.py`), lists and OCSP, and what only one vendor writes
(`<kind>/test_verify.py`).
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from tests.attest.accepted import NOW, accepted
from tests.attest.links import CA, CERTIFIES, LEAF, LINKS, SIGNS, Link
from tests.support import refused

from confide.attest.checks import Checks
from confide.codes import Code
from confide.errors import ConfideError
from confide_sim import der, x509

SECOND = timedelta(seconds=1)
UNKNOWN = der.extension("1.3.6.1.4.1.3704.99", der.null(), critical=True)
CONSTRAINED = der.extension("2.5.29.30", der.seq(der.explicit(0, der.seq(der.tlv(0x82, b"example")))), critical=True)
POLICIES = der.extension("2.5.29.36", der.seq(der.tlv(0x80, b"\x00")), critical=True)
NO_POLICY = der.extension("2.5.29.54", der.integer(0), critical=True)
BROKEN = der.extension("2.5.29.17", b"\x30\x05\x01")  # a subjectAltName that ends too early
HARMLESS = der.extension("2.5.29.14", der.octets(bytes(20)))
BROKEN_CONSTRAINTS = der.extension(x509.BASIC_CONSTRAINTS, b"\x30\x05\x01", critical=True)

NO_KEY = der.seq(der.seq(der.oid("1.3.6.1.4.1.3704.99")), der.bits(b"\x00"))
ED25519 = der.seq(der.seq(der.oid("1.3.101.112")), der.bits(bytes(range(32))))

Lie = tuple[Code, Mapping[str, Any]]
EVERY: Mapping[str, Lie] = {
    "not yet valid": (Code.X509_NOT_YET_VALID, {"not_before": NOW + SECOND}),
    "expired": (Code.X509_EXPIRED, {"not_after": NOW - SECOND}),
    "valid never": (Code.X509_NOT_YET_VALID, {"not_before": NOW + SECOND, "not_after": NOW - SECOND}),
    "a negative serial number": (Code.X509_MALFORMED, {"serial_number": -1}),
    "an unknown critical extension": (Code.X509_EXTENSION, {"extra": (UNKNOWN,)}),
    "name constraints": (Code.X509_EXTENSION, {"extra": (CONSTRAINED,)}),
    "policy constraints": (Code.X509_EXTENSION, {"extra": (POLICIES,)}),
    "no policy inhibited": (Code.X509_EXTENSION, {"extra": (NO_POLICY,)}),
    "an extension twice": (Code.X509_EXTENSION, {"extra": (HARMLESS, HARMLESS)}),
    "an extension that ends too early": (Code.X509_EXTENSION, {"extra": (BROKEN,)}),
    "basicConstraints that end too early": (Code.X509_EXTENSION, {"constraints": BROKEN_CONSTRAINTS}),
}
END_ENTITY: Mapping[str, Lie] = {
    "an authority": (Code.X509_BASIC_CONSTRAINTS, {"constraints": CA}),
    "an authority with a path length": (
        Code.X509_BASIC_CONSTRAINTS,
        {"constraints": x509.basic_constraints(ca=True, path_length=0)},
    ),
    "may only certify": (Code.X509_KEY_USAGE, {"usage": CERTIFIES}),
    "may do nothing": (Code.X509_KEY_USAGE, {"usage": x509.key_usage()}),
}
AUTHORITY: Mapping[str, Lie] = {
    "no authority": (Code.X509_BASIC_CONSTRAINTS, {"constraints": LEAF}),
    "no basicConstraints": (Code.X509_BASIC_CONSTRAINTS, {"constraints": None}),
    "a path length and no authority": (Code.X509_EXTENSION, {"constraints": x509.basic_constraints(ca=False, path_length=0)}),
    "may only sign": (Code.X509_KEY_USAGE, {"usage": SIGNS}),
    "may only sign lists": (Code.X509_KEY_USAGE, {"usage": x509.key_usage(crl_sign=True)}),
    "no keyUsage": (Code.X509_KEY_USAGE, {"usage": None}),
}


def renamed(link: Link, algorithm: str) -> x509.Algorithm:
    """The link's other algorithm under another name."""
    return x509.Algorithm(der.seq(der.oid(algorithm)), link.weak.sign)


def lies(link: Link) -> dict[str, Lie]:
    """Those that a link of this place can tell."""
    own: dict[str, Lie] = {
        "another key signed it": (Code.X509_SIGNATURE, {"key": link.key}),
        "another hash": (Code.X509_SIGNATURE_ALGORITHM, {"algorithm": link.weak}),
        "another issuer": (link.issuer, {"issuer": (("2.5.4.3", "somebody"),)}),
        "no issuer": (link.issuer, {"issuer": ()}),
        "an algorithm that signs without a hash": (Code.X509_SIGNATURE_ALGORITHM, {"algorithm": renamed(link, "1.3.101.112")}),
        "an algorithm that nobody knows": (Code.X509_SIGNATURE_ALGORITHM, {"algorithm": renamed(link, "1.3.6.1.4.1.3704.98")}),
    }
    if link.below is None:
        return {**EVERY, **END_ENTITY, **own}
    own["a key of Ed25519"] = (Code.X509_ISSUER_KEY, {"public_key": ED25519})
    own["a key that nobody knows"] = (Code.X509_ISSUER_KEY, {"public_key": NO_KEY})
    if link.below:
        short = x509.basic_constraints(ca=True, path_length=link.below - 1)
        own["a path length that is too short"] = (Code.X509_BASIC_CONSTRAINTS, {"constraints": short})
    return {**EVERY, **AUTHORITY, **own}


CASES = [(name, lie, code, fields) for name, link in LINKS.items() for lie, (code, fields) in lies(link).items()]


@pytest.mark.parametrize(("name", "lie", "code", "fields"), CASES, ids=[f"{name}: {lie}" for name, lie, _, _ in CASES])
def test_a_certificate_in_which_one_field_lies_is_refused(name: str, lie: str, code: Code, fields: Mapping[str, Any]) -> None:
    link = LINKS[name]
    with refused(code):
        accepted(link.name).verify(**link.give(**fields))


@pytest.mark.parametrize(("name", "lie", "code", "fields"), CASES, ids=[f"{name}: {lie}" for name, lie, _, _ in CASES])
def test_a_lenient_record_shows_the_same_failure_first(name: str, lie: str, code: Code, fields: Mapping[str, Any]) -> None:
    """spec/07-verify.md: a verifier for people goes on where it can; its first failure is the same, and there are no claims."""
    link, checks = LINKS[name], Checks(strict=False)
    with pytest.raises(ConfideError) as caught:
        accepted(link.name).judge(checks, **link.give(**fields))
    failed = [check.code for check in checks.done if not check.ok]
    manifest = "manifests" in name  # a GPU's manifests are judged by themselves, strictly
    assert (failed or [caught.value.code])[0] is code or (manifest and caught.value.code is code)


@pytest.mark.parametrize("name", LINKS)
def test_a_certificate_that_is_made_anew_is_taken(name: str) -> None:
    """Nothing but the lie is refused above; and both ends belong to a window (RFC 5280 section 4.1.2.5)."""
    link = LINKS[name]
    for fields in ({}, {"extra": ()}, {"extra": (HARMLESS,)}, {"not_after": NOW}):
        accepted(link.name).verify(**link.give(**fields))
