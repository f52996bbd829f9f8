"""Is it genuine: every right shape is accepted; in each other case one field lies, and the complaint is exact."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from tests.attest.snp.world import NOW, REPORT_DATA, ROOTS, chip, genuine, verify
from tests.support import need_recorded_vectors, refused

import confide_sim
from confide.attest.checks import Checks
from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.attest.revocation import expiry
from confide.attest.roots import AMD_ROOTS
from confide.attest.snp.layout import Product, SigningKey, Tcb
from confide.attest.snp.verify import _kept
from confide.attest.x509 import Revocation, load_certificate, load_crls
from confide.codes import Code
from confide.errors import CollateralError, ConfideError, EvidenceError
from confide_sim import der, x509
from confide_sim.amd import ARC, FalseAmd, FalseChip, name
from confide_sim.keys import false_amd_key

DAY = timedelta(days=1)
MILAN, GENOA = FalseAmd(), FalseAmd(Product.GENOA)


def pem(*certificates: bytes) -> bytes:
    return b"".join(load_certificate(certificate).public_bytes(Encoding.PEM) for certificate in certificates)


def armour(revocation_list: bytes) -> bytes:
    return b"-----BEGIN X509 CRL-----\n" + base64.encodebytes(revocation_list) + b"-----END X509 CRL-----\n"


# --- what is right ---


@pytest.mark.parametrize("key", [SigningKey.VCEK, SigningKey.VLEK], ids=lambda key: key.name)
@pytest.mark.parametrize("product", list(Product))
def test_a_chip_of_each_product_and_kind_of_key_is_genuine(product: Product, key: SigningKey) -> None:
    claims = genuine(product, key)
    assert (claims.product, claims.signing_key, claims.simulated) == (product, key, True)
    assert claims.report_data == REPORT_DATA
    assert claims.measurements == (("measurement", claims.report.measurement),)
    assert claims.reported_tcb == chip(product).tcb
    assert claims.tcb_status is None
    assert claims.platform_id == ("" if key is SigningKey.VLEK else chip(product).chip_id.hex())
    assert (claims.csp_id is not None) == (key is SigningKey.VLEK)


@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_report_versions_2_to_5_are_read(version: int) -> None:
    claims = genuine(report={"version": version})
    assert claims.report.version == version
    assert (claims.report.cpuid is None) == (version == 2)
    assert (claims.report.current_mit_vector is None) == (version != 5)


def test_a_turin_report_of_version_2_is_read_by_the_chain_alone() -> None:
    assert genuine(Product.TURIN, report={"version": 2}).product is Product.TURIN


@pytest.mark.parametrize("model", [0x10, 0x11, 0x1F, 0xA0, 0xAF])
def test_bergamo_and_siena_belong_to_genoas_chain(model: int) -> None:
    assert genuine(Product.GENOA, report={"cpuid_model": model}).product is Product.GENOA


@pytest.mark.parametrize("text", ["Genoa", "Genoa-B1", "Bergamo-A2", "Siena"])
def test_product_names_of_genoas_chain_are_accepted(text: str) -> None:
    leaf = chip(Product.GENOA).issue(amd={"2": der.text(text, der.IA5)})
    assert genuine(Product.GENOA, endorsements={"vcek": leaf}).product is Product.GENOA


def test_pem_is_accepted_for_every_certificate_and_list() -> None:
    one = chip()
    listed = one.amd.crl(at=NOW)
    genuine(endorsements={"vcek": pem(one.certificate), "ask": pem(MILAN.ask), "ark": pem(MILAN.ark), "crl": armour(listed)})


def test_a_chain_file_of_several_pem_certificates_is_accepted() -> None:
    bundle = pem(MILAN.ask, MILAN.ark)
    genuine(endorsements={"ask": None, "ark": None, "cert_chain": bundle})
    genuine(endorsements={"vcek": None, "ask": None, "ark": None, "cert_chain": pem(chip().certificate) + bundle})
    genuine(endorsements={"vcek": pem(chip().certificate) + bundle, "ask": None, "ark": None})


def test_zeros_behind_a_der_certificate_are_padding() -> None:
    genuine(endorsements={"vcek": chip().certificate + bytes(64), "ask": MILAN.ask + bytes(3)})


def test_zeros_behind_the_report_are_the_devices_buffer() -> None:
    one = chip()
    padded = one.report(report_data=REPORT_DATA).ljust(4000, b"\x00")
    assert verify(Evidence("snp", {"report": padded}), one.endorsements()).report_data == REPORT_DATA


def test_the_root_need_not_come_with_the_evidence() -> None:
    genuine(endorsements={"ark": None})


def test_a_reissued_certificate_of_the_same_key_is_accepted() -> None:
    again = chip().issue(not_before=NOW - 3 * DAY)
    assert again != chip().certificate
    genuine(endorsements={"vcek": again})


def test_endorsements_for_both_kinds_of_key_may_lie_side_by_side() -> None:
    genuine(endorsements={"vlek": chip(key=SigningKey.VLEK).certificate, "asvk": MILAN.asvk})


def test_an_intermediate_of_the_same_name_but_another_key_is_passed_over() -> None:
    other = MILAN.issue_ask(public_key=x509.spki(false_amd_key("ask_genoa")))
    genuine(endorsements={"ask": other, "cert_chain": pem(MILAN.ask)})


def test_a_masked_chip_id_is_listed_as_not_checked() -> None:
    checks = Checks()
    claims = genuine(report={"chip_id": bytes(64)}, checks=checks)
    assert claims.chip_masked
    assert claims.platform_id == ""
    assert "CHIP_ID" in {item.what for item in checks.not_checked}


def test_an_octet_string_around_hwid_is_the_same_hwid() -> None:
    genuine(endorsements={"vcek": chip().issue(amd={"4": der.octets(chip().chip_id)})})


def test_unknown_platform_info_bits_and_reserved_bytes_do_not_refuse() -> None:
    genuine(report={"platform_info": 1 << 63 | 0x67, "reserved_18b": b"\x01" * 21, "reserved_208": b"\x02" * 152, "reserved_4c": 7})


def test_the_claims_hold_while_all_certificates_and_lists_hold() -> None:
    claims = genuine()
    leaf = load_certificate(chip().certificate)
    assert claims.not_before == max(leaf.not_valid_before_utc, NOW - DAY)
    assert claims.not_after == NOW + 29 * DAY
    unlisted = genuine(endorsements={"crl": False}, revocation=Revocation(required=False))
    assert unlisted.not_after == leaf.not_valid_after_utc


def test_the_last_second_of_every_window_belongs_to_it() -> None:
    leaf = load_certificate(chip().certificate)
    for now in (leaf.not_valid_before_utc, leaf.not_valid_after_utc):
        verify(
            chip().evidence(report_data=REPORT_DATA), chip().endorsements(crl=False), now=now, revocation=Revocation(required=False)
        )


def test_a_leaf_that_may_sign_and_is_no_authority_is_accepted() -> None:
    extra = (x509.key_usage(digital_signature=True), x509.basic_constraints(ca=False))
    genuine(endorsements={"vcek": chip().issue(more_extensions=extra)})


# --- one field lies ---


@dataclass(frozen=True)
class Lie:
    """Overrides of one report, or of the certificates beside it; and the code that must come of it."""

    code: Code
    report: dict[str, Any] = field(default_factory=dict)
    endorsements: Callable[[], dict[str, Any]] = dict
    product: Product = Product.MILAN
    key: SigningKey = SigningKey.VCEK


def leaf(**overrides: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {"vcek": chip().issue(**overrides)}


def vlek(**overrides: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {"vlek": chip(key=SigningKey.VLEK).issue(**overrides)}


def ask(**overrides: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {"ask": MILAN.issue_ask(**overrides)}


def crl(**overrides: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {"crl": MILAN.crl(at=NOW, **overrides)}


def amd(key: str, value: bytes | None) -> Callable[[], dict[str, Any]]:
    return leaf(amd={key: value})


def other_p384() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(7, ec.SECP384R1())


UNKNOWN_CRITICAL = (der.extension("1.3.6.1.4.1.3704.99", der.null(), critical=True),)
REPEATED = (der.extension(ARC + "1", der.integer(0)),)
X400_NAME = der.extension("2.5.29.17", der.seq(der.tlv(0xA3, b"")))
X400_ISSUER = der.extension("2.5.29.35", der.seq(der.tlv(0xA1, der.tlv(0xA3, b"")), der.tlv(0x82, b"\x00")))
ISSUER_0 = der.extension("2.5.29.35", der.seq(der.tlv(0xA1, der.tlv(0x82, b"x")), der.tlv(0x82, b"\x00")))
UNKNOWN_FEATURE = der.extension("1.3.6.1.5.5.7.1.24", der.seq(der.integer(9)))
BROKEN_CONSTRAINTS = der.extension(x509.BASIC_CONSTRAINTS, b"\x30\x05\x01", critical=True)
CA = (x509.key_usage(cert_sign=True), x509.basic_constraints(ca=True, path_length=0))

LIES: dict[str, Lie] = {
    # the report's header and signature encoding
    "version 1": Lie(Code.SNP_VERSION, {"version": 1}),
    "negative serial number": Lie(Code.X509_MALFORMED, endorsements=leaf(serial_number=-1)),
    "ASK with a negative serial number": Lie(Code.X509_MALFORMED, endorsements=ask(serial_number=-65537)),
    "subjectAltName of an unsupported form": Lie(Code.X509_EXTENSION, endorsements=leaf(more_extensions=(X400_NAME,))),
    "ASK with a subjectAltName of an unsupported form": Lie(Code.X509_EXTENSION, endorsements=ask(more_extensions=(X400_NAME,))),
    "TLS feature of an unknown number": Lie(Code.X509_EXTENSION, endorsements=leaf(more_extensions=(UNKNOWN_FEATURE,))),
    "ASK with a TLS feature of an unknown number": Lie(Code.X509_EXTENSION, endorsements=ask(more_extensions=(UNKNOWN_FEATURE,))),
    "list with an authority of an unsupported form": Lie(Code.X509_CRL_EXTENSION, endorsements=crl(extensions=(X400_ISSUER,))),
    "version 6": Lie(Code.SNP_VERSION, {"version": 6}),
    "SIGNATURE_ALGO 2": Lie(Code.SNP_SIGNATURE_ALGO, {"signature_algo": 2}),
    "a bit beside SIGNING_KEY": Lie(Code.SNP_KEY_INFO, {"key_info": 1 << 5}),
    "reserved SIGNING_KEY": Lie(Code.SNP_SIGNING_KEY, {"signing_key": 3}),
    "no SIGNING_KEY": Lie(Code.SNP_SIGNING_KEY, {"signing_key": 7}),
    "VLEK in the report, VCEK beside it": Lie(Code.SNP_SIGNING_KEY, {"signing_key": 1}),
    "VCEK in the report, VLEK beside it": Lie(Code.SNP_SIGNING_KEY, {"signing_key": 0}, key=SigningKey.VLEK),
    "R of 2^384": Lie(Code.SNP_SIGNATURE_RANGE, {"edited": {"signature_r": 1 << 384}}),
    "S of 2^384": Lie(Code.SNP_SIGNATURE_RANGE, {"edited": {"signature_s": 1 << 384}}),
    "bytes behind S": Lie(Code.SNP_SIGNATURE_PADDING, {"edited": {"signature_rest": b"\x00" * 367 + b"\x01"}}),
    # the signature
    "R of zero": Lie(Code.SNP_SIGNATURE, {"edited": {"signature_r": 0}}),
    "R of the field's size": Lie(Code.SNP_SIGNATURE, {"edited": {"signature_r": (1 << 384) - 1}}),
    "measurement edited": Lie(Code.SNP_SIGNATURE, {"edited": {"measurement": b"\x5b" * 48}}),
    "policy edited": Lie(Code.SNP_SIGNATURE, {"edited": {"policy": 0xB0000}}),
    "reserved byte edited": Lie(Code.SNP_SIGNATURE, {"edited": {"reserved_208": b"\x01" * 152}}),
    "signed by another key": Lie(Code.SNP_SIGNATURE, {"key": other_p384()}),
    "certificate of another key": Lie(Code.SNP_SIGNATURE, endorsements=leaf(public_key=x509.spki(other_p384()))),
    # report against certificate
    "CPUID of Genoa in Milan's chain": Lie(Code.SNP_CPUID, {"cpuid_model": 0x11}),
    "CPUID unknown": Lie(Code.SNP_CPUID, {"cpuid_family": 0x17}),
    "CPUID of a later family 1Ah": Lie(Code.SNP_CPUID, {"cpuid_model": 0x50}, product=Product.TURIN),
    "REPORTED_TCB above the certificate": Lie(Code.SNP_REPORTED_TCB, {"reported_tcb": bytes((5, 0, 0, 0, 0, 0, 24, 219))}),
    "REPORTED_TCB below the certificate": Lie(Code.SNP_REPORTED_TCB, {"reported_tcb": bytes((4, 0, 0, 0, 0, 0, 24, 218))}),
    "reserved byte of REPORTED_TCB": Lie(Code.SNP_REPORTED_TCB, {"reported_tcb": bytes((4, 0, 1, 0, 0, 0, 24, 219))}),
    "Milan's TCB layout on Turin": Lie(
        Code.SNP_REPORTED_TCB, {"reported_tcb": bytes((1, 0, 0, 0, 0, 0, 2, 71))}, product=Product.TURIN
    ),
    "blSPL": Lie(Code.SNP_REPORTED_TCB, endorsements=amd("3.1", der.integer(3))),
    "teeSPL": Lie(Code.SNP_REPORTED_TCB, endorsements=amd("3.2", der.integer(1))),
    "snpSPL": Lie(Code.SNP_REPORTED_TCB, endorsements=amd("3.3", der.integer(23))),
    "ucodeSPL": Lie(Code.SNP_REPORTED_TCB, endorsements=amd("3.8", der.integer(218))),
    "spl4": Lie(Code.SNP_REPORTED_TCB, endorsements=amd("3.4", der.integer(1))),
    "fmcSPL": Lie(
        Code.SNP_REPORTED_TCB,
        endorsements=lambda: {"vcek": chip(Product.TURIN).issue(amd={"3.9": der.integer(1)})},
        product=Product.TURIN,
    ),
    "CHIP_ID of another chip": Lie(Code.SNP_HWID, {"chip_id": b"\x07" * 64}),
    "CHIP_ID of Turin with more than 8 bytes": Lie(Code.SNP_HWID, {"chip_id": bytes(range(1, 65))}, product=Product.TURIN),
    "hwID of another chip": Lie(Code.SNP_HWID, endorsements=leaf(hwid=b"\x07" * 64)),
    # AMD's extensions
    "structVersion 2": Lie(Code.SNP_STRUCT_VERSION, endorsements=amd("1", der.integer(2))),
    "productName of another product": Lie(Code.SNP_PRODUCT_NAME, endorsements=amd("2", der.text("Genoa-B0", der.IA5))),
    "productName that begins like ours": Lie(Code.SNP_PRODUCT_NAME, endorsements=amd("2", der.text("Milano", der.IA5))),
    "cspID in a VCEK": Lie(Code.SNP_CSP_ID, endorsements=amd("5", der.text("CN=x", der.IA5))),
    "no cspID in a VLEK": Lie(Code.SNP_CSP_ID, endorsements=vlek(amd={"5": None}), key=SigningKey.VLEK),
    "no structVersion": Lie(Code.SNP_EXTENSION, endorsements=amd("1", None)),
    "no productName": Lie(Code.SNP_EXTENSION, endorsements=amd("2", None)),
    "no blSPL": Lie(Code.SNP_EXTENSION, endorsements=amd("3.1", None)),
    "no hwID": Lie(Code.SNP_EXTENSION, endorsements=amd("4", None)),
    "no hwID beside a masked CHIP_ID": Lie(Code.SNP_EXTENSION, {"chip_id": bytes(64)}, endorsements=amd("4", None)),
    "no fmcSPL on Turin": Lie(
        Code.SNP_EXTENSION, endorsements=lambda: {"vcek": chip(Product.TURIN).issue(amd={"3.9": None})}, product=Product.TURIN
    ),
    "hwID of 8 bytes on Milan": Lie(Code.SNP_EXTENSION, endorsements=amd("4", bytes(8))),
    "hwID of 64 bytes on Turin": Lie(
        Code.SNP_EXTENSION, endorsements=lambda: {"vcek": chip(Product.TURIN).issue(amd={"4": bytes(64)})}, product=Product.TURIN
    ),
    "blSPL of 256": Lie(Code.SNP_EXTENSION, endorsements=amd("3.1", der.integer(256))),
    **{
        f"blSPL as {value.hex()}": Lie(Code.SNP_EXTENSION, endorsements=amd("3.1", value))
        for value in (
            b"",
            b"\x04",
            b"\x02\x01",
            b"\x04\x01\x04",
            b"\x02\x02\x04",
            b"\x02\x01\x04\x00",
            b"\x02\x02\x01\x80",
            b"\x04\x02\x00\x80",
            b"\x02\x03\x00\x80",
            b"\x02\x02\x00\x80\x00",
            b"\x02\x81\x01\x04",
        )
    },
    **{
        f"productName as {value.hex()}": Lie(Code.SNP_EXTENSION, endorsements=amd("2", value))
        for value in (b"", b"\x16\x00", b"\x16\x09Milan-B0", b"\x16\x07Milan-B0", b"\x13\x08Milan-B0", b"\x16\x08Milan-B\xe9")
    },
    "hwID in an OCTET STRING of another length": Lie(Code.SNP_EXTENSION, endorsements=amd("4", b"\x04\x3f" + bytes(range(1, 65)))),
    "hwID in another type": Lie(Code.SNP_EXTENSION, endorsements=amd("4", b"\x03\x40" + bytes(range(1, 65)))),
    "blSPL negative": Lie(Code.SNP_EXTENSION, endorsements=amd("3.1", b"\x02\x01\x84")),
    "blSPL in a second spelling": Lie(Code.SNP_EXTENSION, endorsements=amd("3.1", b"\x02\x02\x00\x04")),
    "productName in UTF-8": Lie(Code.SNP_EXTENSION, endorsements=amd("2", der.text("Milan-B0"))),
    "productName with a zero byte": Lie(Code.SNP_EXTENSION, endorsements=amd("2", der.text("Milan\x00-B0", der.IA5))),
    "productName over 128 bytes": Lie(Code.SNP_EXTENSION, endorsements=amd("2", der.text("Milan-" + "B" * 130, der.IA5))),
    # the certificates: names, keys, windows, fields
    "leaf subject": Lie(Code.SNP_SIGNING_KEY, endorsements=leaf(subject=name("SEV-XCEK"))),
    "leaf subject without common name": Lie(Code.SNP_SIGNING_KEY, endorsements=leaf(subject=name("SEV-VCEK")[:-1])),
    "leaf issuer": Lie(Code.X509_MISSING, endorsements=leaf(issuer=name("SEV-Rome"))),
    "leaf of another intermediate": Lie(Code.X509_SIGNATURE, endorsements=leaf(key=false_amd_key("ask_genoa"))),
    "leaf signed with PKCS #1 v1.5": Lie(Code.X509_SIGNATURE_ALGORITHM, endorsements=leaf(algorithm=x509.pkcs1())),
    "leaf signed with salt 32": Lie(Code.X509_SIGNATURE_ALGORITHM, endorsements=leaf(algorithm=x509.pss(salt=32))),
    "leaf signed with SHA-256": Lie(Code.X509_SIGNATURE_ALGORITHM, endorsements=leaf(algorithm=x509.pss("sha256", 32))),
    "leaf key P-256": Lie(Code.SNP_ENDORSED_KEY, endorsements=leaf(public_key=x509.spki(ec.derive_private_key(7, ec.SECP256R1())))),
    "leaf key RSA": Lie(Code.SNP_ENDORSED_KEY, endorsements=leaf(public_key=x509.spki(false_amd_key("ask_milan")))),
    "leaf key unknown": Lie(
        Code.SNP_ENDORSED_KEY, endorsements=leaf(public_key=der.seq(der.seq(der.oid("1.3.6.1.4.1.3704.99")), der.bits(b"\x00")))
    ),
    "leaf not yet valid": Lie(Code.X509_NOT_YET_VALID, endorsements=leaf(not_before=NOW + DAY)),
    "leaf expired": Lie(Code.X509_EXPIRED, endorsements=leaf(not_after=NOW - DAY)),
    "VLEK expired after its year": Lie(Code.X509_EXPIRED, endorsements=vlek(at=NOW - 400 * DAY), key=SigningKey.VLEK),
    "leaf with an unknown critical extension": Lie(Code.X509_EXTENSION, endorsements=leaf(more_extensions=UNKNOWN_CRITICAL)),
    "leaf with a repeated extension": Lie(Code.X509_EXTENSION, endorsements=leaf(more_extensions=REPEATED)),
    "leaf is an authority": Lie(Code.X509_BASIC_CONSTRAINTS, endorsements=leaf(more_extensions=CA[1:])),
    "leaf may not sign": Lie(Code.X509_KEY_USAGE, endorsements=leaf(more_extensions=CA[:1])),
    "ASK subject of another product": Lie(
        Code.SNP_SUBJECT,
        endorsements=lambda: leaf(issuer=name("SEV-Genoa"))() | {"ask": MILAN.issue_ask(subject=name("SEV-Genoa"))},
    ),
    "ASVK in place of the ASK": Lie(
        Code.SNP_SUBJECT,
        endorsements=lambda: {
            "vcek": chip().issue(issuer=name("SEV-VLEK-Milan"), key=false_amd_key("asvk_milan")),
            "ask": MILAN.asvk,
        },
    ),
    "ASK issuer": Lie(Code.X509_ROOT, endorsements=ask(issuer=name("ARK-Rome"))),
    "ASK issuer, and no ARK beside": Lie(
        Code.X509_ROOT, endorsements=lambda: {"ask": MILAN.issue_ask(issuer=name("ARK-Rome")), "ark": None}
    ),
    "ASK of another root": Lie(Code.X509_SIGNATURE, endorsements=ask(key=false_amd_key("ark_genoa"))),
    "ASK signed with PKCS #1 v1.5": Lie(Code.X509_SIGNATURE_ALGORITHM, endorsements=ask(algorithm=x509.pkcs1())),
    "ASK not yet valid": Lie(Code.X509_NOT_YET_VALID, endorsements=ask(not_before=NOW + DAY)),
    "ASK expired": Lie(Code.X509_EXPIRED, endorsements=ask(not_after=NOW - DAY)),
    "ASK without extensions": Lie(Code.X509_BASIC_CONSTRAINTS, endorsements=ask(extensions=())),
    "ASK is no authority": Lie(Code.X509_BASIC_CONSTRAINTS, endorsements=ask(extensions=(CA[0], x509.basic_constraints(ca=False)))),
    "ASK without path length": Lie(
        Code.X509_BASIC_CONSTRAINTS, endorsements=ask(extensions=(CA[0], x509.basic_constraints(ca=True)))
    ),
    "ASK without keyUsage": Lie(Code.X509_KEY_USAGE, endorsements=ask(extensions=CA[1:])),
    "ASK without keyCertSign": Lie(Code.X509_KEY_USAGE, endorsements=ask(extensions=(x509.key_usage(crl_sign=True), CA[1]))),
    "ASK with an unknown critical extension": Lie(Code.X509_EXTENSION, endorsements=ask(more_extensions=UNKNOWN_CRITICAL)),
    "ASK with broken basicConstraints": Lie(Code.X509_EXTENSION, endorsements=ask(extensions=(CA[0], BROKEN_CONSTRAINTS))),
    "ARK beside the evidence is not the pinned one": Lie(Code.X509_ROOT, endorsements=lambda: {"ark": MILAN.issue_ark()}),
    "ARK beside the evidence has another name": Lie(
        Code.X509_ROOT, endorsements=lambda: {"ark": MILAN.issue_ark(subject=name("ARK-Rome"))}
    ),
    "ARK beside the evidence is another product's": Lie(Code.X509_ROOT, endorsements=lambda: {"ark": GENOA.ark}),
    "a foreign root in the chain file": Lie(
        Code.X509_ROOT,
        endorsements=lambda: {"cert_chain": MILAN.issue_ark(subject=name("ARK-Rome"), issuer=name("ARK-Rome"))},
    ),
    "the chain of another product": Lie(
        Code.X509_MISSING,
        endorsements=lambda: {
            "ask": None,
            "ark": None,
            "cert_chain": pem(FalseAmd(Product.GENOA).ask, FalseAmd(Product.GENOA).ark),
        },
    ),
    "no ASK": Lie(Code.X509_MISSING, endorsements=lambda: {"ask": None}),
    "no endorsement certificate": Lie(Code.X509_MISSING, endorsements=lambda: {"vcek": None, "ask": None, "ark": None}),
    # revocation
    "ASK revoked": Lie(Code.X509_REVOKED, endorsements=crl(revoked=(99, MILAN.serial_number("ask")))),
    "ASVK revoked": Lie(Code.X509_REVOKED, endorsements=crl(revoked=(MILAN.serial_number("asvk"),)), key=SigningKey.VLEK),
    "ARK revoked": Lie(Code.X509_REVOKED, endorsements=crl(revoked=(MILAN.serial_number("ark"),))),
    "no list": Lie(Code.X509_CRL_MISSING, endorsements=lambda: {"crl": False}),
    "list of another root": Lie(Code.X509_CRL_MISSING, endorsements=lambda: {"crl": GENOA.crl(at=NOW)}),
    "list signed by another root": Lie(Code.X509_CRL_SIGNATURE, endorsements=crl(key=false_amd_key("ark_genoa"))),
    "list signed by the ASK": Lie(Code.X509_CRL_SIGNATURE, endorsements=crl(key=false_amd_key("ask_milan"))),
    "list signed with PKCS #1 v1.5": Lie(Code.X509_CRL_ALGORITHM, endorsements=crl(algorithm=x509.pkcs1())),
    "list of the future": Lie(Code.X509_CRL_NOT_YET_VALID, endorsements=crl(this_update=NOW + DAY)),
    "list past its nextUpdate": Lie(Code.X509_CRL_EXPIRED, endorsements=crl(next_update=NOW - timedelta(seconds=1))),
    "list without nextUpdate": Lie(Code.X509_CRL_EXPIRED, endorsements=crl(next_update=None)),
    "list with a critical extension": Lie(Code.X509_CRL_EXTENSION, endorsements=crl(extensions=UNKNOWN_CRITICAL)),
    "list with a critical extension of an entry": Lie(
        Code.X509_CRL_EXTENSION, endorsements=crl(revoked=(99,), entry_extensions=UNKNOWN_CRITICAL)
    ),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_one_lie_is_refused_with_its_own_code(lie: Lie) -> None:
    with refused(lie.code):
        genuine(lie.product, lie.key, report=lie.report, endorsements=lie.endorsements())


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_lenient_record_shows_the_same_lie_and_gives_no_claims(lie: Lie) -> None:
    checks = Checks(strict=False)
    with pytest.raises(ConfideError) as caught:
        genuine(lie.product, lie.key, report=lie.report, endorsements=lie.endorsements(), checks=checks)
    shown = {check.code for check in checks.done if not check.ok}
    assert lie.code in shown | {caught.value.code}


# --- roots, clocks, revocation settings ---


def test_simulated_evidence_does_not_reach_amds_roots() -> None:
    with refused(Code.X509_ROOT):
        genuine(roots=AMD_ROOTS)


def test_no_roots_accept_nothing() -> None:
    with refused(Code.X509_ROOT):
        genuine(roots=())


def test_another_products_root_does_not_stand_in() -> None:
    with refused(Code.X509_ROOT):
        genuine(roots=tuple(root for root in confide_sim.roots() if "Genoa" in root.name))


def test_a_root_that_is_pinned_under_an_unknown_product_is_refused() -> None:
    root = confide_sim.roots()[0]
    odd = MILAN.issue_ark(subject=name("ARK-Rome"), issuer=name("ARK-Rome"))
    ask = MILAN.issue_ask(issuer=name("ARK-Rome"))
    with refused(Code.SNP_SUBJECT):
        genuine(endorsements={"ask": ask, "ark": odd}, roots=(type(root)(root.kind, "odd", odd, simulated=True),))


@pytest.mark.parametrize(
    ("overrides", "code"),
    [
        ({"public_key": x509.spki(rsa.generate_private_key(public_exponent=65537, key_size=2048))}, Code.X509_ISSUER_KEY),
        ({"public_key": x509.spki(other_p384())}, Code.X509_ISSUER_KEY),
        ({"extensions": (x509.key_usage(cert_sign=True), x509.basic_constraints(ca=True))}, Code.X509_KEY_USAGE),
        ({"extensions": CA[:1]}, Code.X509_BASIC_CONSTRAINTS),
        ({"not_after": NOW - DAY}, Code.X509_EXPIRED),
        ({"not_before": NOW + DAY}, Code.X509_NOT_YET_VALID),
    ],
    ids=["RSA 2048", "P-384", "no cRLSign", "no basicConstraints", "expired", "not yet valid"],
)
def test_a_pinned_root_with_wrong_fields_is_refused(overrides: dict[str, Any], code: Code) -> None:
    root = confide_sim.roots()[0]
    odd = MILAN.issue_ark(**overrides)
    with refused(code):
        genuine(endorsements={"ark": odd}, roots=(type(root)(root.kind, "odd", odd, simulated=True),))


def test_a_pss_signature_whose_parameters_differ_between_body_and_envelope_is_refused() -> None:
    certificate = bytearray(chip().certificate)
    position = certificate.rfind(b"\x02\x01\x30", 0, -512)
    certificate[position + 2] = 0x2F
    with pytest.raises(EvidenceError) as caught:
        genuine(endorsements={"vcek": bytes(certificate)})
    assert caught.value.code in {Code.X509_SIGNATURE_ALGORITHM, Code.X509_SIGNATURE}


def test_a_naive_clock_is_the_callers_mistake() -> None:
    with refused(Code.EVIDENCE_CLOCK):
        genuine(now=datetime(2026, 6, 1))  # noqa: DTZ001 - the point of the test


def test_evidence_without_a_report_is_refused() -> None:
    with refused(Code.EVIDENCE_MISSING):
        verify(Evidence("snp", {"quote": b""}), chip().endorsements())


def test_a_missing_list_is_named_when_none_is_required() -> None:
    checks = Checks()
    genuine(endorsements={"crl": False}, revocation=Revocation(required=False), checks=checks)
    assert "revocation" in {item.what for item in checks.not_checked}


def test_a_list_that_is_not_required_still_revokes() -> None:
    with refused(Code.X509_REVOKED):
        genuine(endorsements=crl(revoked=(MILAN.serial_number("ask"),))(), revocation=Revocation(required=False))


def test_of_several_lists_each_one_counts() -> None:
    lists = armour(MILAN.crl(at=NOW)) + armour(MILAN.crl(at=NOW, revoked=(MILAN.serial_number("ask"),)))
    with refused(Code.X509_REVOKED):
        genuine(endorsements={"crl": lists + armour(FalseAmd(Product.TURIN).crl(at=NOW))})


@pytest.mark.parametrize(("limit", "accepted"), [(DAY, True), (DAY - timedelta(seconds=1), False)])
def test_a_list_may_not_be_older_than_the_policy_allows(limit: timedelta, accepted: bool) -> None:
    revocation = Revocation(max_age=limit)
    if accepted:
        genuine(revocation=revocation)
    else:
        with refused(Code.X509_CRL_AGE):
            genuine(revocation=revocation)


def test_collateral_problems_are_collateral_errors_and_lies_are_evidence_errors() -> None:
    with pytest.raises(CollateralError):
        genuine(now=NOW + 365 * 30 * DAY)
    with pytest.raises(EvidenceError):
        genuine(report={"edited": {"measurement": bytes(48)}})


def test_what_came_with_the_evidence_is_not_replaced_by_what_we_ship() -> None:
    """A genuine VCEK of AMD beside a chain that is not its own is refused, although AMD's ASK is at hand."""
    folder = need_recorded_vectors() / "snp" / "virtee-milan-v2"
    evidence = Evidence("snp", {"report": (folder / "report.bin").read_bytes()})
    vcek, now = (folder / "vcek.der").read_bytes(), datetime(2023, 5, 3, 19, 23, 43, tzinfo=UTC)
    given: dict[str, Any] = {"now": now, "revocation": Revocation(required=False)}
    assert not verify(evidence, Endorsements({"vcek": vcek}), **given).simulated
    with refused(Code.X509_MISSING):
        verify(evidence, Endorsements({"vcek": vcek, "ask": MILAN.ask}), **given)


def test_names_that_do_not_decode_are_malformed() -> None:
    broken = chip().certificate.replace(b"\x0c\x08SEV-VCEK", b"\x0c\x08SEV-\xff\xfeEK")
    with refused(Code.X509_MALFORMED):
        genuine(endorsements={"vcek": broken})
    with refused(Code.X509_MALFORMED):
        genuine(endorsements=crl(issuer=(*name("x")[:5], ("2.5.4.6", "\u00e9")))())


@pytest.mark.parametrize(
    "public_key", [der.seq(der.seq(der.oid("1.3.6.1.4.1.3704.99")), der.bits(b"\x00"))], ids=["an unknown algorithm"]
)
def test_issuing_keys_that_cannot_be_read_are_refused(public_key: bytes) -> None:
    with refused(Code.X509_ISSUER_KEY):
        genuine(endorsements={"ask": MILAN.issue_ask(public_key=public_key)})
    root = confide_sim.roots()[0]
    odd = MILAN.issue_ark(public_key=public_key)
    checks = Checks(strict=False)
    with pytest.raises(EvidenceError):
        genuine(endorsements={"ark": odd}, roots=(type(root)(root.kind, "odd", odd, simulated=True),), checks=checks)
    assert Code.X509_CRL_SIGNATURE in {check.code for check in checks.done if not check.ok}


def test_a_list_whose_entries_do_not_decode_is_refused() -> None:
    twice = (der.extension("2.5.29.21", der.tlv(0x0A, b"\x01")), der.extension("2.5.29.21", der.tlv(0x0A, b"\x01")))
    with refused(Code.X509_CRL_EXTENSION):
        genuine(endorsements=crl(revoked=(99,), entry_extensions=twice)())


def test_a_certificate_that_is_not_one_is_malformed() -> None:
    with refused(Code.X509_MALFORMED):
        genuine(endorsements={"vcek": b"\x30\x03\x02\x01\x00"})


def test_two_chips_do_not_mix() -> None:
    other = FalseChip(at=NOW, tcb=Tcb(boot_loader=4, snp=24, microcode=219))
    with refused(Code.SNP_SIGNATURE):
        verify(chip().evidence(report_data=REPORT_DATA), other.endorsements())


def test_the_roots_of_amd_and_of_the_simulator_have_different_names() -> None:
    certified = [root for root in ROOTS if root.kind is not Kind.CCA]  # whose anchors are keys
    names = {load_certificate(root.der).subject for root in certified}
    assert len(names) == len(certified)
    assert all("SIMULATED" in load_certificate(root.der).subject.rfc4514_string() for root in certified if root.simulated)


def test_what_is_odd_in_a_certificate_is_told_by_checks_and_not_by_warnings() -> None:
    """An authority's serial number 0, and a name that is too long: `cryptography` warns of both, and warnings may be errors."""
    genuine(endorsements={"vcek": chip().issue(more_extensions=(ISSUER_0,)), "crl": MILAN.crl(at=NOW, extensions=(ISSUER_0,))})
    with refused(Code.SNP_SIGNING_KEY):
        genuine(endorsements={"vcek": chip().issue(subject=name("A" * 70))})


def test_a_message_about_many_certificates_is_short() -> None:
    crowd = pem(*(MILAN.issue_ask(subject=name("\u202e" * 60 + str(number))) for number in range(16)))
    with pytest.raises(ConfideError) as caught:
        genuine(endorsements={"cert_chain": crowd, "ask": None})
    assert caught.value.code is Code.X509_MISSING
    assert "and 12 more" in caught.value.found
    assert len(str(caught.value)) < 900


def test_names_of_a_stranger_cannot_write_on_a_terminal() -> None:
    for lie in (
        {"vcek": chip().issue(subject=name("\x1b[2J\u202eSEV-VCEK\n"))},
        {"ask": MILAN.issue_ask(subject=name("\x1b[2J" * 999))},
    ):
        with pytest.raises(ConfideError) as caught:
            genuine(endorsements=lie)
        assert str(caught.value).isascii()
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 600


@pytest.mark.parametrize(("age", "days"), [(None, 29), (timedelta(days=300), 29), (timedelta(days=2), 1), (timedelta(days=1), 0)])
def test_claims_end_when_the_list_gets_too_old(age: timedelta | None, days: int) -> None:
    """The list was made a day ago, and says itself that it is good for 29 more."""
    assert genuine(revocation=Revocation(max_age=age)).not_after == NOW + days * DAY


def test_an_age_beyond_the_end_of_time_is_no_limit() -> None:
    late = datetime(9999, 12, 1, tzinfo=UTC)
    lists = load_crls(MILAN.crl(at=late))
    assert expiry(lists[0], Revocation(max_age=timedelta(days=99999))) == lists[0].next_update_utc


def test_reprs_show_no_evidence_and_name_no_machine() -> None:
    claims = genuine(report={"host_data": b"\x77" * 32})
    for text in (repr(claims), repr(claims.report)):
        assert "\\x" not in text
        assert claims.platform_id not in text
        assert len(text) < 900


def test_the_revocation_of_single_chips_is_listed_as_not_checked() -> None:
    checks = Checks()
    genuine(checks=checks)
    assert "VCEK revocation" in {item.what for item in checks.not_checked}


def test_what_is_kept_is_kept_for_these_bytes_roots_and_demands_only() -> None:
    """The same endorsements, asked again: with other roots, with a list demanded, later, fresher, and with one byte changed."""
    kept = chip().endorsements(crl=False)
    evidence = chip().evidence(report_data=REPORT_DATA)
    verify(evidence, kept, revocation=Revocation(required=False))
    with refused(Code.X509_CRL_MISSING):
        verify(evidence, kept)
    with refused(Code.X509_ROOT):
        verify(evidence, kept, roots=AMD_ROOTS, revocation=Revocation(required=False))
    with refused(Code.X509_EXPIRED):
        verify(evidence, kept, now=NOW + 8 * 365 * DAY, revocation=Revocation(required=False))
    listed = chip().endorsements()
    verify(evidence, listed)
    with refused(Code.X509_CRL_AGE):
        verify(evidence, listed, revocation=Revocation(max_age=timedelta(hours=1)))
    with refused(Code.X509_SIGNATURE):
        verify(evidence, Endorsements({**listed.items, "vcek": listed.items["vcek"][:-1] + b"\x00"}))


def test_what_is_kept_shows_every_check_each_time() -> None:
    first, second = Checks(), Checks()
    _kept.cache_clear()
    evidence, endorsements = chip().evidence(report_data=REPORT_DATA), chip().endorsements()
    verify(evidence, endorsements, checks=first)
    verify(evidence, endorsements, checks=second)
    assert (first.done, first.not_checked) == (second.done, second.not_checked)
    assert _kept.cache_info().hits
