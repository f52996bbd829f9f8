"""Is a document genuine? Each thing that lies is refused, by its own code."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from tests.attest.nitro.world import MINUTE, NOW, USER_DATA, genuine, host, verify
from tests.support import refused

from confide.attest.checks import Checks
from confide.attest.evidence import Evidence, Kind
from confide.attest.roots import VENDOR_ROOTS
from confide.codes import Code
from confide_sim import aws, der, x509
from confide_sim.aws import Raw

KINDS = [Kind.NITRO, Kind.NITROTPM]
HOUR = 60 * MINUTE
OTHER = ec.derive_private_key(7, ec.SECP384R1())
UNKNOWN_KEY = der.seq(der.seq(der.oid("1.3.6.1.4.1.3704.99")), der.bits(b"\x00"))
P256 = ec.derive_private_key(7, ec.SECP256R1())


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_genuine_document_gives_its_claims(kind: Kind) -> None:
    checks = Checks()
    found = genuine(kind, arguments={"checks": checks})
    assert (found.kind, found.simulated, found.report_data, found.region) == (kind, True, USER_DATA, "eu-central-1")
    assert bytes.fromhex(found.platform_id).decode() == host(kind).instance_id
    assert found.not_after == NOW - MINUTE + 3 * HOUR
    assert "revocation" in {each.what for each in checks.not_checked}
    assert dict(found.measurements)["pcr4"] == host(kind).pcrs()[4]


def test_a_tag_may_stand_in_front() -> None:
    assert genuine(message={"tag": 18}).report_data == USER_DATA


MESSAGE: dict[str, tuple[Code, dict[str, Any]]] = {
    "another tag": (Code.COSE_SHAPE, {"tag": 17}),
    "ES256": (Code.COSE_ALGORITHM, {"protected": {1: -7}}),
    "no algorithm": (Code.COSE_ALGORITHM, {"protected": {}}),
    "the algorithm unprotected": (Code.COSE_SHAPE, {"protected": {}, "unprotected": {1: -35}}),
    "critical headers": (Code.COSE_SHAPE, {"protected": {1: -35, 2: [4], 4: b"key"}}),
    "a header twice": (Code.CBOR_MALFORMED, {"protected": bytes.fromhex("a2013822013822")}),
    "another key": (Code.COSE_SIGNATURE, {"key": OTHER}),
    "SHA-256": (Code.COSE_SIGNATURE, {"digest": SHA256()}),
    "a signature in DER": (Code.COSE_SIGNATURE, {"signature": lambda value: b"\x30" + value}),
    "a flipped bit": (Code.COSE_SIGNATURE, {"signature": lambda value: bytes([value[0] ^ 1]) + value[1:]}),
    "half a signature": (Code.COSE_SIGNATURE, {"signature": lambda value: value[:48]}),
    "zeros": (Code.COSE_SIGNATURE, {"signature": lambda value: bytes(len(value))}),
}


@pytest.mark.parametrize(("code", "overrides"), MESSAGE.values(), ids=MESSAGE.keys())
def test_a_message_that_lies_is_refused(code: Code, overrides: dict[str, Any]) -> None:
    with refused(code):
        genuine(message=overrides)


DOCUMENT: dict[str, tuple[Code, dict[str, Any]]] = {
    "another digest": (Code.NITRO_DIGEST, {"digest": "SHA256"}),
    "a time before the leaf": (Code.NITRO_TIMESTAMP, {"timestamp": round((NOW - 2 * MINUTE).timestamp() * 1000)}),
    "a time after now": (Code.NITRO_TIMESTAMP, {"timestamp": round((NOW + 6 * MINUTE).timestamp() * 1000)}),
    "no bundle": (Code.NITRO_DOCUMENT, {"cabundle": []}),
    "a member twice": (Code.CBOR_MALFORMED, {"public_key": Raw(b"\xf6" + aws.cbor("nonce") + b"\xf6")}),
    "a certificate that is none": (Code.X509_MALFORMED, {"certificate": b"none"}),
}


@pytest.mark.parametrize(("code", "overrides"), DOCUMENT.values(), ids=DOCUMENT.keys())
def test_a_document_that_lies_is_refused(code: Code, overrides: dict[str, Any]) -> None:
    with refused(code):
        genuine(**overrides)


CERTIFICATES: dict[str, tuple[Code, str, dict[str, Any]]] = {
    "regional is no CA": (Code.X509_BASIC_CONSTRAINTS, "regional", {"extensions": aws.end_entity()}),
    "zonal may not sign": (
        Code.X509_KEY_USAGE,
        "zonal",
        {"extensions": (x509.basic_constraints(ca=True, path_length=1), x509.key_usage(digital_signature=True))},
    ),
    "zonal has no extensions": (Code.X509_BASIC_CONSTRAINTS, "zonal", {"extensions": (x509.key_usage(cert_sign=True),)}),
    "regional allows no authority below": (Code.X509_BASIC_CONSTRAINTS, "regional", {"extensions": aws.authority(0)}),
    "another key signed zonal": (Code.X509_SIGNATURE, "zonal", {"key": OTHER}),
    "another name issued zonal": (Code.X509_ISSUER, "zonal", {"issuer": aws.name("somebody")}),
    "zonal signed with SHA-256": (Code.X509_SIGNATURE_ALGORITHM, "zonal", {"algorithm": aws.ecdsa("sha256")}),
    "instance expired": (Code.X509_EXPIRED, "instance", {"not_after": NOW - MINUTE}),
    "instance of tomorrow": (Code.X509_NOT_YET_VALID, "instance", {"not_before": NOW + MINUTE}),
}


@pytest.mark.parametrize(("code", "which", "overrides"), CERTIFICATES.values(), ids=CERTIFICATES.keys())
def test_an_authority_that_lies_is_refused(code: Code, which: str, overrides: dict[str, Any]) -> None:
    with refused(code):
        genuine(certificates={which: overrides})


LEAVES: dict[str, tuple[Code, dict[str, Any]]] = {
    "an authority": (Code.X509_BASIC_CONSTRAINTS, {"extensions": aws.authority()}),
    "may not sign": (Code.X509_KEY_USAGE, {"extensions": (x509.basic_constraints(ca=False), x509.key_usage())}),
    "another issuer": (Code.X509_ISSUER, {"issuer": aws.name("somebody")}),
    "another key signed it": (Code.X509_SIGNATURE, {"key": OTHER}),
    "expired": (Code.X509_EXPIRED, {"not_after": NOW - MINUTE}),
    "of tomorrow": (Code.X509_NOT_YET_VALID, {"not_before": NOW + MINUTE}),
    "holds another key": (Code.COSE_SIGNATURE, {"public_key": x509.spki(OTHER)}),
    "holds a key that nobody knows": (Code.COSE_SIGNATURE, {"public_key": UNKNOWN_KEY}),
    "holds a key of another curve": (Code.COSE_SIGNATURE, {"public_key": x509.spki(P256)}),
}


@pytest.mark.parametrize(("code", "overrides"), LEAVES.values(), ids=LEAVES.keys())
def test_a_leaf_that_lies_is_refused(code: Code, overrides: dict[str, Any]) -> None:
    with refused(code):
        genuine(leaf=overrides)


def test_order_and_completeness_of_the_bundle_count() -> None:
    bundle = host().bundle()
    for wrong, code in (
        (bundle[::-1], Code.X509_ROOT),
        (bundle[1:], Code.X509_ROOT),
        ([bundle[0], bundle[2], bundle[3]], Code.X509_ISSUER),
        (bundle[:-1], Code.X509_ISSUER),
        ([*bundle, bundle[-1]], Code.X509_REPEATED),
    ):
        with refused(code):
            genuine(cabundle=wrong)


def test_a_false_root_is_nobodys() -> None:
    with refused(Code.X509_ROOT):
        genuine(arguments={"roots": VENDOR_ROOTS})


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_two_kinds_do_not_pass_for_each_other(kind: Kind) -> None:
    other = Kind.NITROTPM if kind is Kind.NITRO else Kind.NITRO
    with refused(Code.NITRO_KIND):
        verify(Evidence(other.value, {"document": host(kind).document(user_data=USER_DATA)}))


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("module", ["", "i-0123456789abcdef0", "i-0-enc1-tpm0", "i-0-ENC1", 7, None], ids=repr)
def test_a_module_id_of_neither_kind_is_refused(kind: Kind, module: Any) -> None:
    with refused(Code.NITRO_KIND):
        genuine(kind, module_id=module)


def test_a_time_beyond_the_leafs_end_is_refused_though_clocks_may_differ() -> None:
    """The leaf holds now, for a moment; the document says that it was made when it will not."""
    end = NOW - MINUTE + timedelta(hours=3)
    at = {"now": end - MINUTE}
    assert genuine(timestamp=round(end.timestamp() * 1000), arguments=at).age == -MINUTE
    with refused(Code.NITRO_TIMESTAMP):
        genuine(timestamp=round((end + MINUTE).timestamp() * 1000), arguments=at)


def test_every_byte_behind_a_document_and_every_cut_is_refused() -> None:
    whole = host().document(user_data=USER_DATA)
    with refused(Code.CBOR_MALFORMED):
        verify(Evidence("nitro", {"document": whole + b"\x00"}))
    for end in range(0, len(whole), 97):
        with refused(Code.CBOR_MALFORMED):
            verify(Evidence("nitro", {"document": whole[:end]}))


def test_no_document_is_told() -> None:
    with refused(Code.EVIDENCE_MISSING):
        verify(Evidence("nitro", {}))


def test_without_user_data_nothing_is_bound() -> None:
    assert genuine(report_data=None).report_data == b""


def test_a_region_that_certificates_disagree_about_is_none() -> None:
    assert (
        genuine(
            certificates={
                "zonal": {"subject": aws.name("x.zonal.us-east-1.aws.nitro-enclaves")},
                "instance": {"issuer": aws.name("x.zonal.us-east-1.aws.nitro-enclaves")},
            }
        ).region
        == ""
    )
