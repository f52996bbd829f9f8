"""The one certificate loader: serial number 0, PEM and DER, bounds; and the bound on `cryptography` that serial number 0 needs."""

import base64
import contextlib
import re
import threading
import tomllib
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version

import cryptography.x509
import pytest
from cryptography.utils import CryptographyDeprecationWarning
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import ROOT, refused

from confide.attest import x509
from confide.attest.roots import AMD_INTERMEDIATES, AMD_ROOTS, pinned
from confide.attest.snp.layout import Product
from confide.codes import Code
from confide.errors import CollateralError, MisuseError
from confide_sim import der
from confide_sim.amd import FalseAmd, FalseChip
from confide_sim.x509 import Algorithm
from confide_sim.x509 import pss as rsa_pss

NOW = datetime(2026, 6, 1, tzinfo=UTC)
VCEK = FalseChip(at=NOW).certificate
ASK = FalseAmd().ask
SIGNATURE = 512  # bytes, RSA 4096


def pem(data: bytes, label: str = "CERTIFICATE") -> bytes:
    return f"-----BEGIN {label}-----\n".encode() + base64.encodebytes(data) + f"-----END {label}-----\n".encode()


def test_cryptography_still_warns_about_serial_number_0_and_the_loader_silences_only_that() -> None:
    with pytest.warns(CryptographyDeprecationWarning, match=x509.SERIAL_NUMBER_WARNING):
        cryptography.x509.load_der_x509_certificate(VCEK)
    x509.loading._load_der.cache_clear()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert x509.serial_number(x509.load_certificate(VCEK)) == 0
        warnings.warn("another one", CryptographyDeprecationWarning, stacklevel=1)
    assert [str(item.message) for item in seen] == ["another one"]


def test_the_upper_bound_of_cryptography_is_one_that_loads_serial_number_0() -> None:
    """A release that refuses them must not be installable; raise the bound only after this suite has passed on it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    specifier = next(item for item in project["dependencies"] if item.startswith("cryptography"))
    lower, upper = map(int, re.fullmatch(r"cryptography>=(\d+),<(\d+)", specifier).groups())  # type: ignore[union-attr]
    installed = int(version("cryptography").split(".", 1)[0])
    assert (lower, upper) == (48, 51)
    assert lower <= installed < upper
    assert x509.serial_number(x509.load_certificate(VCEK)) == 0


def test_certificates_load_in_several_threads() -> None:
    x509.loading._load_der.cache_clear()
    loaded: list[int] = []
    threads = [threading.Thread(target=lambda: loaded.append(x509.serial_number(x509.load_certificate(VCEK)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loaded == [0] * 8


def test_pem_with_text_around_it_and_other_blocks_is_read() -> None:
    text = b"subject=CN\r\n" + pem(b"\x30\x00", "X509 CRL") + pem(ASK).replace(b"\n", b"\r\n") + b"\x00\n"
    assert x509.load_certificates(text) == (x509.load_certificate(ASK),)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30\x82",
        VCEK[:-1],
        VCEK + b"\x01",
        b"\x00" + VCEK,
        VCEK.hex().encode(),
        b"-----BEGIN CERTIFICATE-----\n",
        pem(VCEK[:-1]),
        pem(ASK).replace(b"M", b"*", 1),
        b"-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----",
        pem(ASK, "PRIVATE KEY"),
        pem(ASK) * 17,
        pem(ASK) + pem(VCEK).replace(b"-----BEGIN", b"----BEGIN"),
        pem(ASK) + pem(VCEK).replace(b"-----END", b"----END"),
    ],
    ids=[
        "empty",
        "header",
        "cut",
        "trailing",
        "leading",
        "hex",
        "open",
        "cut PEM",
        "odd",
        "short base 64",
        "other label",
        "17",
        "no begin",
        "no end",
    ],
)
def test_what_is_no_certificate_is_malformed(data: bytes) -> None:
    with refused(Code.X509_MALFORMED):
        x509.load_certificates(data)


def zero_at_the_end(sign: Callable[[], bytes]) -> bytes:
    """The first of several whose signature ends in a zero bit, saying that this bit is unused."""
    signed = next(made for made in (sign() for _ in range(64)) if not made[-1] & 1)
    at = len(signed) - SIGNATURE - 1
    assert signed[at] == 0
    return signed[:at] + b"\x01" + signed[at + 1 :]


def test_unused_bits_in_a_signature_are_malformed() -> None:
    """Nothing signs their number; the signature itself would verify (X.690 section 11.2.1)."""
    with refused(Code.X509_MALFORMED):
        x509.load_certificates(zero_at_the_end(lambda: FalseChip(at=NOW).issue()))
    with refused(Code.X509_MALFORMED):
        x509.load_crls(zero_at_the_end(lambda: FalseAmd().crl(at=NOW)))


def test_certificates_of_another_version_are_malformed() -> None:
    body = VCEK.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07", 1)
    with refused(Code.X509_MALFORMED):
        x509.load_certificates(body)


def test_several_certificates_are_not_one() -> None:
    assert len(x509.load_certificates(pem(ASK) + pem(VCEK))) == 2
    with refused(Code.X509_MALFORMED):
        x509.load_certificate(pem(ASK) + pem(VCEK))


def test_bundles_and_lists_are_bounded_before_they_are_parsed() -> None:
    with refused(Code.X509_TOO_LARGE):
        x509.load_certificates(bytes(x509.MAX_BUNDLE + 1))
    with refused(Code.X509_TOO_LARGE):
        x509.load_crls(bytes(x509.MAX_CRL + 1))


def test_a_certificate_is_no_list() -> None:
    with refused(Code.X509_MALFORMED):
        x509.load_crls(ASK)


@settings(max_examples=50, deadline=None)
@given(
    st.binary(max_size=200) | st.integers(0, len(VCEK) - 1).map(lambda at: VCEK[:at] + bytes((VCEK[at] ^ 0x55,)) + VCEK[at + 1 :])
)
def test_hostile_bytes_give_a_certificate_or_our_own_error(data: bytes) -> None:
    with contextlib.suppress(CollateralError):
        x509.load_certificates(data)


def pss(digest: bytes, mask: bytes, salt: int, *, function: str = "1.2.840.113549.1.1.8") -> bytes:
    """The AlgorithmIdentifier of RSASSA-PSS with these parameters (RFC 4055 section 3.1)."""
    mgf = der.seq(der.oid(function), mask)
    return der.seq(der.oid(PSS), der.seq(der.explicit(0, digest), der.explicit(1, mgf), der.explicit(2, der.integer(salt))))


PSS = "1.2.840.113549.1.1.10"
SHA256, SHA384, SHA3 = (der.seq(der.oid(f"2.16.840.1.101.3.4.2.{number}"), der.null()) for number in (1, 2, 9))


@pytest.mark.parametrize(
    ("identifier", "name"),
    [
        (pss(SHA384, SHA384, 48), x509.PSS_SHA384),
        (pss(SHA384, SHA384, 47), "RSASSA-PSS, sha384, MGF1 sha384, salt 47"),
        (pss(SHA256, SHA384, 48), "RSASSA-PSS, sha256, MGF1 sha384, salt 48"),
        (pss(SHA384, SHA256, 48), "RSASSA-PSS, sha384, MGF1 sha256, salt 48"),
        (pss(SHA3, SHA384, 48), "RSASSA-PSS, sha3-384, MGF1 sha384, salt 48"),
        (pss(der.seq(der.oid("1.2.3")), SHA384, 48), f"{PSS} with unknown parameters"),
        (pss(SHA384, SHA384, 48, function="1.2.3"), f"{PSS} with unknown parameters"),
        (der.seq(der.oid(PSS)), f"{PSS} with unknown parameters"),
        (der.seq(der.oid(PSS), der.seq()), "RSASSA-PSS, sha1, MGF1 sha1, salt 20"),
        (der.seq(der.oid("1.2.840.10045.4.3.3")), "ECDSA, SHA-384"),
    ],
)
def test_signature_algorithms_are_told_apart_by_every_parameter(identifier: bytes, name: str) -> None:
    """Certificates and lists alike; whatever the identifier says, the bytes here are signed as AMD signs."""
    algorithm = Algorithm(identifier, rsa_pss().sign)
    amd, good = FalseAmd(), name == x509.PSS_SHA384
    certificate = x509.load_certificate(amd.issue_ask(algorithm=algorithm))
    listed = x509.load_crls(amd.crl(at=NOW, algorithm=algorithm))[0]
    assert x509.signature_name(certificate) == x509.signature_name(listed) == name
    assert x509.signed_by(certificate, x509.load_certificate(amd.ark)) == good


def test_amds_roots_and_intermediates_are_the_pinned_ones() -> None:
    assert [root.name for root in AMD_ROOTS] == ["ARK-Milan", "ARK-Genoa", "ARK-Turin"]
    assert all(not root.simulated for root in AMD_ROOTS)
    roots = [x509.load_certificate(root.der) for root in AMD_ROOTS]
    assert all(x509.signed_by(root, root) for root in roots)
    assert all(x509.signature_name(root) == x509.PSS_SHA384 for root in roots)
    for data in AMD_INTERMEDIATES:
        assert sum(x509.signed_by(x509.load_certificate(data), root) for root in roots) == 1


def test_a_replaced_root_stops_the_import() -> None:
    with pytest.raises(MisuseError) as caught:
        pinned("ARK-Milan", b"another", "00" * 32)
    assert caught.value.code is Code.X509_ROOT


def test_an_empty_subject_is_not_the_issuers() -> None:
    """RFC 5280 section 4.1.2.6 allows one beside a subjectAltName; clouds make attestation keys with it."""
    certificate = x509.load_certificate(FalseChip(at=NOW).issue(subject=()))
    names = x509.names(certificate)
    assert names.subject == b"\x30\x00"
    assert names.issuer != names.subject
    assert (names.subject_text, names.common_name) == ("an empty name", "")
    assert len(x509.subject_of(certificate)) == 0


def test_what_is_read_of_a_list_is_its_own() -> None:
    first, second = (x509.load_crls(FalseAmd(product).crl(at=NOW))[0] for product in (Product.MILAN, Product.GENOA))
    assert x509.issuer_of(first) != x509.issuer_of(second)
    assert x509.extensions_of(first) is not None
