"""Is it genuine: every right shape is accepted; in each other case one field lies, and the complaint is exact."""

import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.attest.tpm.world import DAY, EXTRA, NOW, genuine, tpm, verify
from tests.support import refused

from confide.attest.checks import Checks
from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.attest.roots import TPM_ROOTS
from confide.attest.tpm.ak import Authority
from confide.attest.tpm.platform import Platform, Technology
from confide.attest.x509 import Revocation, load_certificate, load_crls
from confide.codes import Code
from confide_sim import der, tpm_structures, x509
from confide_sim.tpm import AZURE, CLOUDS, EK_USAGE, GCE_INSTANCE, GOOGLE, FalseCloud, FalseTpm, boot_events, instance, name, usages
from confide_sim.tpm_structures import Event

SHA1, SHA256, SHA384, SHA512 = 0x0004, 0x000B, 0x000C, 0x000D


def leaf(**overrides: Any) -> dict[str, Any]:
    """The attestation key's certificate with one lie."""
    return {"ak_cert": tpm().issue(**overrides)}


def signer(cloud: FalseCloud = GOOGLE, **overrides: Any) -> dict[str, Any]:
    """The intermediate with one lie."""
    return {"ak_chain": cloud.issue_signer(**overrides)}


def crl(**overrides: Any) -> dict[str, Any]:
    """The root's list with one lie."""
    return {"crl": GOOGLE.crl(at=NOW, **overrides)}


# --- what is right ---


@pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.label)
def test_a_quote_of_each_clouds_tpm_is_genuine(cloud: FalseCloud) -> None:
    claims = genuine(cloud)
    assert (claims.kind, claims.simulated, claims.tcb_status) == (Kind.TPM, True, None)
    assert claims.report_data == EXTRA
    assert claims.authority is (Authority.GOOGLE if cloud is GOOGLE else Authority.AZURE)
    assert dict(claims.pcrs) == tpm(cloud).pcrs()
    assert claims.measurements[4] == ("pcr4", claims.pcrs[4])
    assert claims.event_log_replayed


def test_googles_certificate_names_the_machine_and_azures_does_not() -> None:
    google, azure = genuine(), genuine(AZURE)
    assert google.instance is not None
    assert (google.instance.zone, google.instance.project_id, google.instance.production) == (
        "nowhere1-a",
        "simulated-project",
        True,
    )
    assert google.platform_id == "0123456789abcdef"
    assert (azure.instance, azure.platform_id) == (None, "")


def test_claims_end_with_the_first_window() -> None:
    claims = genuine(revocation=Revocation(max_age=3 * DAY))
    assert (claims.not_before, claims.not_after) == (NOW - DAY, NOW + 2 * DAY)


def test_without_lists_claims_last_as_long_as_certificates() -> None:
    claims = genuine(endorsements={"crl": False}, revocation=Revocation(required=False))
    assert claims.not_after.year == 2050 or claims.not_after > NOW + 9000 * DAY


@pytest.mark.parametrize(
    ("scheme", "digest"), [(0x0014, SHA256), (0x0014, SHA384), (0x0014, SHA512), (0x0016, SHA256), (0x0016, SHA384)]
)
def test_rsa_keys_sign_with_either_scheme_and_every_long_hash(scheme: int, digest: int) -> None:
    public = tpm_structures.public(tpm(AZURE).key, scheme=scheme, digest=digest)
    claims = genuine(AZURE, scheme=scheme, signature_hash=digest, items={"ak-public": public})
    assert len(claims.attest.pcr_digest) == {SHA256: 32, SHA384: 48, SHA512: 64}[digest]


@pytest.mark.parametrize("bank", [SHA1, SHA256, SHA384])
def test_a_quote_of_any_bank_decodes(bank: int) -> None:
    assert genuine(bank=bank).bank == bank


def test_a_p384_key_signs_with_sha_384() -> None:
    device = FalseTpm(at=NOW, key=ec.generate_private_key(ec.SECP384R1()))
    assert genuine(one=device, signature_hash=SHA384).bank == SHA256


def test_only_selected_pcrs_are_claimed() -> None:
    claims = genuine(indexes=(0, 7), items={"event-log": None})
    assert sorted(claims.pcrs) == [0, 7]


def test_banks_without_selected_pcrs_are_passed_over() -> None:
    chosen = tpm_structures.selection(((SHA1, ()), (SHA256, range(24))))
    assert genuine(selected=chosen).bank == SHA256


def test_a_public_area_with_a_length_in_front_is_read() -> None:
    public = tpm_structures.sized(tpm_structures.public(tpm().key))
    checks = Checks()
    genuine(items={"ak-public": public}, checks=checks)
    assert "attestation key attributes" in [check.title for check in checks.done]


AREA = "public area of the attestation key"


@pytest.mark.parametrize("hierarchy", [0x40000001, 0x40000007, 0x4000000B, 0x4000000C], ids=hex)
def test_a_quote_that_names_its_key_by_the_public_area_proves_it(hierarchy: int) -> None:
    checks, area = Checks(), tpm_structures.public(tpm().key)
    for public in (area, tpm_structures.sized(area)):
        genuine(signer=tpm_structures.qualified_name(area, hierarchy=hierarchy), items={"ak-public": public}, checks=checks)
    assert [check.title for check in checks.done].count(AREA) == 2
    assert AREA not in [item.what for item in checks.not_checked]


PUBLIC = tpm_structures.public(tpm().key)
OTHER_NAMES: dict[str, dict[str, Any]] = {
    "a key below another one": {"signer": tpm_structures.qualified_name(PUBLIC, hierarchy=0x81010001)},
    "another key": {"signer": tpm_structures.qualified_name(tpm_structures.public(ec.derive_private_key(9, ec.SECP256R1())))},
    "no name": {"signer": b""},
    "a handle": {"signer": (0x81010001).to_bytes(4)},
    "an attribute more": {"items": {"ak-public": tpm_structures.public(tpm().key, attributes=tpm_structures.ATTRIBUTES | 1 << 10)}},
    "another nameAlg": {"items": {"ak-public": PUBLIC[:2] + (0x000C).to_bytes(2) + PUBLIC[4:]}},
    "a nameAlg of SHA-1": {"items": {"ak-public": PUBLIC[:2] + (0x0004).to_bytes(2) + PUBLIC[4:]}},
}


@pytest.mark.parametrize("what", OTHER_NAMES)
def test_a_public_area_that_the_quote_does_not_name_is_told_as_not_checked(what: str) -> None:
    checks = Checks()
    genuine(**OTHER_NAMES[what], checks=checks)
    assert AREA not in [check.title for check in checks.done]
    assert AREA in [item.what for item in checks.not_checked]


def test_without_a_public_area_its_attributes_are_told_as_not_checked() -> None:
    checks = Checks()
    genuine(items={"ak-public": None}, checks=checks)
    assert "attestation key attributes" in [item.what for item in checks.not_checked]


def test_a_false_intermediate_is_not_shipped() -> None:
    with refused(Code.X509_MISSING):  # the false one is not shipped
        genuine(endorsements={"ak_chain": None})


def test_the_root_may_come_too() -> None:
    assert genuine(endorsements={"ak_chain": _pem(GOOGLE.signer, GOOGLE.root)}).simulated


def test_of_several_intermediates_of_one_name_the_fitting_one_is_taken() -> None:
    other = GOOGLE.issue_signer(public_key=_rsa_spki(), serial_number=99)
    assert genuine(endorsements={"ak_chain": _pem(other, GOOGLE.signer)}).simulated


def test_a_list_of_the_intermediate_is_applied_where_it_came() -> None:
    both = _crls(GOOGLE.crl(at=NOW), GOOGLE.crl(at=NOW, of="signer", revoked=(0x5151,)))
    with refused(Code.X509_REVOKED):
        genuine(endorsements={"crl": both})


# --- one field lies ---

QUOTES: list[tuple[str, Code, dict[str, Any]]] = [
    ("another magic", Code.TPM_MAGIC, {"magic": b"XXXG"}),
    ("a certification", Code.TPM_MAGIC, {"kind": 0x8017}),
    ("trailing bytes", Code.TPM_STRUCTURE, {"trailing": b"\x00"}),
    ("safe of 2", Code.TPM_STRUCTURE, {"safe": 2}),
    ("a bank twice", Code.TPM_STRUCTURE, {"selected": tpm_structures.selection(((SHA256, (0,)), (SHA256, (1,))))}),
    ("no selection", Code.TPM_STRUCTURE, {"selected": bytes(4)}),
    ("a selection of no bytes", Code.TPM_STRUCTURE, {"selected": bytes.fromhex("00000001000b00")}),
    ("a selection of five bytes", Code.TPM_STRUCTURE, {"selected": bytes.fromhex("00000001000b050000000000")}),
    ("seventeen banks", Code.TPM_STRUCTURE, {"selected": bytes.fromhex("00000011")}),
    ("nothing selected", Code.TPM_SELECTION, {"indexes": ()}),
    ("two banks", Code.TPM_SELECTION, {"selected": tpm_structures.selection(((SHA1, (0,)), (SHA256, (0,))))}),
    ("an unknown bank", Code.TPM_SELECTION, {"selected": tpm_structures.selection(((0x0012, (0,)),))}),
    ("another digest", Code.TPM_PCR_DIGEST, {"digest": bytes(32)}),
    (
        "a digest by another hash than the scheme's",
        Code.TPM_PCR_DIGEST,
        {"digest": hashlib.sha384(b"".join(tpm().pcrs().values())).digest()},
    ),
    ("edited after signing", Code.TPM_SIGNATURE, {"edited": lambda data: data[:-40] + bytes((data[-40] ^ 1,)) + data[-39:]}),
    ("signed by another key", Code.TPM_SIGNATURE, {"key": ec.generate_private_key(ec.SECP256R1())}),
    ("signed with RSA by an ECC key's name", Code.TPM_SCHEME, {"key": rsa.generate_private_key(65537, 2048)}),
]


@pytest.mark.parametrize(("what", "code", "lie"), QUOTES, ids=[what for what, _, _ in QUOTES])
def test_a_quote_in_which_one_field_lies_is_refused(what: str, code: Code, lie: dict[str, Any]) -> None:
    with refused(code):
        genuine(**lie)


def test_ak_attributes_are_those_of_an_attestation_key() -> None:
    for bit in (1 << 1, 1 << 4, 1 << 5, 1 << 16, 1 << 18):
        public = tpm_structures.public(tpm().key, attributes=tpm_structures.ATTRIBUTES & ~bit)
        with refused(Code.TPM_ATTRIBUTES):
            genuine(items={"ak-public": public})
    public = tpm_structures.public(tpm().key, attributes=tpm_structures.ATTRIBUTES | 1 << 17)
    with refused(Code.TPM_ATTRIBUTES):
        genuine(items={"ak-public": public})


OTHER = ec.generate_private_key(ec.SECP256R1())
ITEMS: list[tuple[str, Code, dict[str, bytes | None]]] = [
    ("no quote", Code.EVIDENCE_MISSING, {"attest": None}),
    ("no signature", Code.EVIDENCE_MISSING, {"signature": None}),
    ("no PCR values", Code.EVIDENCE_MISSING, {"pcrs": None}),
    ("an empty quote", Code.TPM_STRUCTURE, {"attest": b""}),
    ("a long quote", Code.TPM_STRUCTURE, {"attest": bytes(1025)}),
    ("a cut quote", Code.TPM_STRUCTURE, {"attest": b"\xffTCG\x80\x18\x00\x22"}),
    ("an empty signature", Code.TPM_STRUCTURE, {"signature": b""}),
    ("a bare signature", Code.TPM_SCHEME, {"signature": bytes(64)}),
    ("an HMAC", Code.TPM_SCHEME, {"signature": bytes.fromhex("0005000b0000")}),
    ("a signature with SHA-1", Code.TPM_SCHEME, {"signature": bytes.fromhex("00180004000000000000")}),
    ("a signature of zeros", Code.TPM_SIGNATURE, {"signature": bytes.fromhex("0018000b0001000001 00".replace(" ", ""))}),
    (
        "RSASSA by an ECC key without a public area",
        Code.TPM_SIGNATURE,
        {"signature": bytes.fromhex("0014000b000101"), "ak-public": None},
    ),
    ("RSASSA by an ECC key", Code.TPM_SCHEME, {"signature": bytes.fromhex("0014000b000101")}),
    ("a signature with bytes behind it", Code.TPM_STRUCTURE, {"signature": bytes.fromhex("0018000b00010100010100")}),
    ("PCRs that are no JSON", Code.TPM_STRUCTURE, {"pcrs": b"\x00"}),
    ("PCRs in a list", Code.TPM_STRUCTURE, {"pcrs": b'["00"]'}),
    ("a PCR twice", Code.TPM_STRUCTURE, {"pcrs": b'{"0": "00", "00": "00"}'}),
    ("PCR 32", Code.TPM_STRUCTURE, {"pcrs": b'{"32": "00"}'}),
    ("a PCR with a sign", Code.TPM_STRUCTURE, {"pcrs": b'{"+0": "00"}'}),
    ("a PCR below 0", Code.TPM_STRUCTURE, {"pcrs": b'{"-1": "00"}'}),
    ("a PCR with a space", Code.TPM_STRUCTURE, {"pcrs": b'{" 0": "00"}'}),
    ("a PCR with an underline", Code.TPM_STRUCTURE, {"pcrs": b'{"1_0": "00"}'}),
    ("a PCR in other digits", Code.TPM_STRUCTURE, {"pcrs": '{"０": "00"}'.encode()}),
    ("PCRs of another type", Code.TPM_STRUCTURE, {"pcrs": b'{"0": 0}'}),
    ("a PCR missing", Code.TPM_SELECTION, {"pcrs": b'{"0": "00"}'}),
    ("another key's public area", Code.TPM_KEY, {"ak-public": tpm_structures.public(OTHER)}),
    ("a public area of P-521", Code.TPM_KEY, {"ak-public": tpm_structures.public(ec.generate_private_key(ec.SECP521R1()))}),
    ("a storage key", Code.TPM_KEY, {"ak-public": tpm_structures.public(OTHER, symmetric=0x0006)}),
    ("a key without a scheme", Code.TPM_SCHEME, {"ak-public": tpm_structures.public(OTHER, scheme=0x0010)}),
    ("a key that signs with SHA-1", Code.TPM_SCHEME, {"ak-public": tpm_structures.public(OTHER, digest=SHA1)}),
    ("a symmetric key", Code.TPM_KEY, {"ak-public": bytes.fromhex("0025000b000500720000")}),
    ("a public area that is cut", Code.TPM_STRUCTURE, {"ak-public": tpm_structures.public(OTHER)[:-1]}),
    ("a public area with bytes behind it", Code.TPM_STRUCTURE, {"ak-public": tpm_structures.public(OTHER) + b"\x00"}),
    ("a long public area", Code.TPM_STRUCTURE, {"ak-public": bytes(1025)}),
    ("no point of the curve", Code.TPM_KEY, {"ak-public": tpm_structures.public(OTHER)[:-1] + b"\x00"}),
    ("no event log", Code.EVENTLOG_MALFORMED, {"event-log": bytes(64)}),
]


@pytest.mark.parametrize(("what", "code", "items"), ITEMS, ids=[what for what, _, _ in ITEMS])
def test_an_item_that_lies_is_refused(what: str, code: Code, items: dict[str, bytes | None]) -> None:
    with refused(code):
        genuine(items=items)


@pytest.mark.parametrize(("bits", "said"), [(1024, None), (2048, 3072)], ids=["1024 bits", "a length that is not the key's"])
def test_an_rsa_public_area_is_of_2048_bits_or_more_and_of_the_length_it_says(bits: int, said: int | None) -> None:
    public = tpm_structures.public(rsa.generate_private_key(65537, bits))
    if said:
        public = public[:16] + said.to_bytes(2) + public[18:]
    with refused(Code.TPM_KEY):
        genuine(AZURE, items={"ak-public": public})


def test_the_scheme_is_the_one_that_the_key_has() -> None:
    public = tpm_structures.public(tpm(AZURE).key, scheme=0x0016)
    with refused(Code.TPM_SCHEME):
        genuine(AZURE, items={"ak-public": public})


CRITICAL = (der.extension("1.2.3.4", der.null(), critical=True),)
MACHINE = (der.text("nowhere1-a"), der.integer(7), der.text("project"), der.integer(9), der.text("name"))
CHAINS: list[tuple[str, Code, dict[str, Any]]] = [
    ("no certificate", Code.X509_MISSING, {"ak_cert": None}),
    ("no intermediate", Code.X509_MISSING, {"ak_chain": None}),
    ("an intermediate of Azure's", Code.X509_MISSING, {"ak_chain": AZURE.signer}),
    ("an unknown issuer", Code.X509_MISSING, signer(issuer=name("nobody"))),
    (
        "another root of the same name",
        Code.X509_ROOT,
        {"ak_chain": GOOGLE.signer, "extra": lambda: GOOGLE.issue_root(serial_number=9)},
    ),
    ("a certificate that has expired", Code.X509_EXPIRED, leaf(not_after=NOW - DAY)),
    ("a certificate of the future", Code.X509_NOT_YET_VALID, leaf(not_before=NOW + DAY)),
    ("an intermediate that has expired", Code.X509_EXPIRED, signer(not_after=NOW - DAY)),
    ("an intermediate of the future", Code.X509_NOT_YET_VALID, signer(not_before=NOW + DAY)),
    ("an intermediate that is no CA", Code.X509_BASIC_CONSTRAINTS, signer(extensions=())),
    (
        "an intermediate that may not certify",
        Code.X509_KEY_USAGE,
        signer(extensions=(x509.basic_constraints(ca=True), x509.key_usage(crl_sign=True))),
    ),
    (
        "an intermediate for other uses",
        Code.TPM_USAGE,
        signer(extensions=(x509.basic_constraints(ca=True), x509.key_usage(cert_sign=True), usages("1.3.6.1.5.5.7.3.1"))),
    ),
    ("a key that is a CA", Code.X509_BASIC_CONSTRAINTS, leaf(usual=(x509.basic_constraints(ca=True),))),
    ("a key for other uses", Code.TPM_USAGE, leaf(extensions=(usages("1.3.6.1.5.5.7.3.1"),))),
    ("a critical extension", Code.X509_EXTENSION, leaf(more_extensions=CRITICAL)),
    ("signed by the root's key", Code.X509_SIGNATURE, leaf(key=rsa.generate_private_key(65537, 2048))),
    ("an intermediate signed by itself", Code.X509_SIGNATURE, signer(key=rsa.generate_private_key(65537, 2048))),
    ("no list", Code.X509_CRL_MISSING, {"crl": False}),
    ("a list of the intermediate alone", Code.X509_CRL_MISSING, {"crl": GOOGLE.crl(at=NOW, of="signer")}),
    ("the intermediate revoked", Code.X509_REVOKED, crl(revoked=(2,))),
    ("a list past nextUpdate", Code.X509_CRL_EXPIRED, crl(next_update=NOW - DAY)),
    ("a list of the future", Code.X509_CRL_NOT_YET_VALID, crl(this_update=NOW + DAY)),
    (
        "a list signed by another",
        Code.X509_CRL_SIGNATURE,
        crl(key=rsa.generate_private_key(65537, 4096 // 2)),
    ),
    ("a machine that is not for production", Code.TPM_PRODUCTION, leaf(extensions=(instance(production=False),))),
    ("a machine without properties", Code.TPM_PRODUCTION, leaf(extensions=(instance(production=None),))),
    ("a machine that does not decode", Code.TPM_EXTENSION, leaf(extensions=(der.extension(GCE_INSTANCE, b"0"),))),
    (
        "a machine with other members",
        Code.TPM_EXTENSION,
        leaf(extensions=(der.extension(GCE_INSTANCE, der.seq(der.integer(1))),)),
    ),
    (
        "a machine with properties of another tag",
        Code.TPM_EXTENSION,
        leaf(extensions=(der.extension(GCE_INSTANCE, der.seq(*MACHINE, der.explicit(1, der.seq()))),)),
    ),
    (
        "a long extension",
        Code.TPM_EXTENSION,
        leaf(extensions=(der.extension(GCE_INSTANCE, der.seq(der.text("x" * 1100))),)),
    ),
]


@pytest.mark.parametrize(("what", "code", "lie"), CHAINS, ids=[what for what, _, _ in CHAINS])
def test_a_chain_in_which_one_field_lies_is_refused(what: str, code: Code, lie: dict[str, Any]) -> None:
    lie = dict(lie)
    extra = lie.pop("extra", None)
    if extra:
        lie["ak_chain"] = _pem(lie["ak_chain"], extra())
    with refused(code):
        genuine(endorsements=lie)


@pytest.mark.parametrize("size", [1024])
def test_a_certified_key_is_long_enough(size: int) -> None:
    public = x509.spki(rsa.generate_private_key(65537, size))
    with refused(Code.TPM_KEY):
        genuine(endorsements=leaf(public_key=public))


def test_a_certified_key_decodes() -> None:
    public = x509.spki(OTHER)
    with refused(Code.TPM_KEY):
        genuine(endorsements=leaf(public_key=public[:-1] + bytes((public[-1] ^ 1,))))


def test_an_rsa_public_area_holds_an_rsa_key() -> None:
    public = tpm_structures.public(tpm(AZURE).key)
    with refused(Code.TPM_KEY):
        genuine(AZURE, items={"ak-public": public[:18] + (4).to_bytes(4) + public[22:]})  # an even exponent


@pytest.mark.parametrize("indexes", [(0, 4), (4,)])
def test_claims_of_few_pcrs_tell_nothing_of_others(indexes: tuple[int, ...]) -> None:
    assert [name for name, _ in genuine(indexes=indexes).measurements] == [f"pcr{index}" for index in indexes]


def test_a_certified_key_is_rsa_or_ecc() -> None:
    public = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    with refused(Code.TPM_KEY):
        genuine(endorsements=leaf(public_key=public))


def test_production_verifiers_do_not_know_false_clouds() -> None:
    with refused(Code.X509_MISSING):
        genuine(roots=TPM_ROOTS)


def test_a_chain_without_end_is_refused() -> None:
    key = rsa.generate_private_key(65537, 2048)
    links = [
        GOOGLE.issue_signer(subject=name(f"CA {number}"), issuer=name(f"CA {number + 1}"), key=key, public_key=x509.spki(key))
        for number in range(8)
    ]
    lie = {"ak_cert": tpm().issue(issuer=name("CA 0"), key=key), "ak_chain": _pem(*links)}
    with refused(Code.X509_MISSING):
        genuine(endorsements=lie)


def test_a_naive_clock_is_refused() -> None:
    with refused(Code.EVIDENCE_CLOCK):
        genuine(now=NOW.replace(tzinfo=None))


# --- event logs ---


def test_an_event_log_that_leaves_events_out_is_refused() -> None:
    log = tpm_structures.event_log([event for event in tpm().events if event.register != 4])
    with refused(Code.TPM_EVENT_LOG):
        genuine(items={"event-log": log})


def test_an_event_log_with_another_event_is_refused() -> None:
    log = tpm_structures.event_log([*tpm().events, Event(9, 0x0D, b"more")])
    with refused(Code.TPM_EVENT_LOG):
        genuine(items={"event-log": log})


def test_an_event_log_without_the_quoted_bank_is_refused() -> None:
    log = tpm_structures.event_log(tpm().events, banks=(SHA1,))
    with refused(Code.EVENTLOG_ALGORITHM):
        genuine(items={"event-log": log})


def test_pcrs_of_later_software_are_told_as_not_explained() -> None:
    device = FalseTpm(at=NOW, key=OTHER)
    pcrs = device.pcrs() | {10: b"\x5a" * 32}
    checks = Checks()
    genuine(one=device, pcrs=pcrs, checks=checks)
    assert "what led to PCRs 10" in [item.what for item in checks.not_checked]


def test_firmware_pcrs_without_events_are_refused() -> None:
    device = FalseTpm(at=NOW, events=(), key=OTHER)
    pcrs = device.pcrs() | {3: b"\x5a" * 32}
    with refused(Code.TPM_EVENT_LOG):
        genuine(one=device, pcrs=pcrs)


@pytest.mark.parametrize("technology", list(Technology))
def test_what_the_firmware_says_of_the_memory_is_read(technology: Technology) -> None:
    device = FalseTpm(at=NOW, events=boot_events(technology=technology), key=OTHER)
    assert genuine(one=device).platform == Platform(technology, 1, secure_boot=True)


def test_secure_boot_that_is_off_is_read() -> None:
    device = FalseTpm(at=NOW, events=boot_events(secure_boot=False), key=OTHER)
    assert genuine(one=device).platform.secure_boot is False


SEV_SNP = b"GCE NonHostInfo\x00\x04" + bytes(15)
VERSION = "GCE Virtual Firmware v1\x00".encode("utf-16-le")
UNBELIEVED: list[tuple[str, tuple[Event, ...]]] = [
    ("words that the digest does not cover", (Event(0, 0x11, SEV_SNP, said=b"other"),)),
    ("an unknown technology", (Event(0, 0x11, b"GCE NonHostInfo\x00\x09" + bytes(15)),)),
    ("a technology of another length", (Event(0, 0x11, b"GCE NonHostInfo\x00\x04"),)),
    ("two technologies", (Event(0, 0x11, SEV_SNP), Event(0, 0x11, b"GCE NonHostInfo\x00\x00" + bytes(15)))),
    ("a technology in another register", (Event(1, 0x11, SEV_SNP),)),
    ("a version that is no number", (Event(0, 0x08, "GCE Virtual Firmware vX\x00".encode("utf-16-le")),)),
    ("a version whose digest is of other words", (Event(0, 0x08, VERSION, said=b"other"),)),
    ("a version twice", (Event(0, 0x08, VERSION), Event(0, 0x08, VERSION))),
    ("a version after the separator, whose type is hidden", (Event(0, 0x0D, bytes(4)), Event(0, 0x08, VERSION))),
    ("Secure Boot of another value", (Event(7, 0x80000001, tpm_structures.efi_variable("SecureBoot", b"\x02")),)),
    ("Secure Boot in another register", (Event(5, 0x80000001, tpm_structures.efi_variable("SecureBoot", b"\x01")),)),
    (
        "Secure Boot on, extended by software after firmware said off",
        tuple(Event(7, 0x80000001, tpm_structures.efi_variable("SecureBoot", bytes((value,)))) for value in (0, 1)),
    ),
    ("another variable", (Event(7, 0x80000001, tpm_structures.efi_variable("SetupMode", b"\x01")),)),
]


@pytest.mark.parametrize(("what", "events"), UNBELIEVED, ids=[what for what, _ in UNBELIEVED])
def test_what_the_log_says_is_believed_only_as_far_as_it_is_covered(what: str, events: tuple[Event, ...]) -> None:
    device = FalseTpm(at=NOW, events=events, key=OTHER)
    assert genuine(one=device).platform == Platform()


def test_what_the_log_says_of_a_pcr_that_is_not_quoted_is_not_believed() -> None:
    assert genuine(indexes=(4,)).platform == Platform()


def test_a_lenient_record_tells_all_and_gives_no_claims() -> None:
    checks = Checks(strict=False)
    lie = {"public_key": x509.spki(OTHER), "not_after": NOW - DAY}
    with refused(Code.TPM_KEY):  # the first failure is raised at the end
        genuine(endorsements=leaf(**lie), checks=checks)
    assert {Code.TPM_KEY, Code.X509_EXPIRED, Code.TPM_SIGNATURE} <= {check.code for check in checks.done if not check.ok}


def test_evidence_of_another_kind_has_no_items_here() -> None:
    empty = Evidence(Kind.TPM, {"report": b""})
    with refused(Code.EVIDENCE_MISSING):
        verify(empty, Endorsements())


def test_a_certificate_may_name_both_usages() -> None:
    assert genuine(endorsements=leaf(extensions=(usages(EK_USAGE, "1.3.6.1.5.5.7.3.1"), instance()))).simulated


def _pem(*certificates: bytes) -> bytes:
    return b"".join(load_certificate(each).public_bytes(Encoding.PEM) for each in certificates)


def _crls(*lists: bytes) -> bytes:
    return b"".join(load_crls(each)[0].public_bytes(Encoding.PEM) for each in lists)


def _rsa_spki() -> bytes:
    return x509.spki(rsa.generate_private_key(65537, 2048))


@pytest.mark.parametrize(
    ("given", "code"),
    [({"ak_chain": None}, Code.X509_MISSING), ({"ak_chain": GOOGLE.issue_root(serial_number=9)}, Code.X509_ROOT)],
    ids=["no intermediate", "another root"],
)
def test_a_lenient_record_shows_a_chain_that_leads_nowhere_and_makes_no_claims(given: dict[str, Any], code: Code) -> None:
    checks = Checks(strict=False)
    with refused(code):
        genuine(endorsements=given, checks=checks)
    assert [check.code for check in checks.done if not check.ok] == [code]
