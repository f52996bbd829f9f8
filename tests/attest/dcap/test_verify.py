"""Is it genuine: every right shape is accepted; in each other case one field lies, and the complaint is exact."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tests.attest.dcap.world import DAY, NOW, REPORT_DATA, ROOTS, chain, genuine, platform, verify
from tests.support import refused

from confide.attest.checks import Checks
from confide.attest.dcap.signatures import P256_ORDER
from confide.attest.dcap.tcb import TcbStatus
from confide.attest.evidence import Evidence, Kind, Root
from confide.attest.roots import INTEL_ROOTS
from confide.attest.sgx.claims import SgxClaims
from confide.attest.x509 import Revocation, load_certificate
from confide.codes import Code
from confide.errors import ConfideError
from confide_sim import der, intel, td, x509
from confide_sim.intel import key_of, level, pem, svn_level

OPEN = Revocation(required=False)
COLLATERAL = ("tcb_info", "tcb_info_chain", "qe_identity", "qe_identity_chain")
NOTHING = dict.fromkeys(COLLATERAL)
OTHER = key_of("somebody else's")
P384 = ec.derive_private_key(7, ec.SECP384R1())
RSA = rsa.generate_private_key(65537, 2048)


# --- what is right ---


@pytest.mark.parametrize("ca", ["platform", "processor"])
@pytest.mark.parametrize("version", [3, 4, 5])
def test_an_enclave_in_each_version_and_of_each_ca_is_genuine(version: int, ca: str) -> None:
    claims = genuine(ca=ca, quote={"version": version})
    assert isinstance(claims, SgxClaims)
    assert (claims.kind, claims.simulated, claims.quote_version) == (Kind.SGX, True, version)
    assert claims.report_data == REPORT_DATA
    assert claims.measurements == (("mr_enclave", b"\xe1" * 32), ("mr_signer", b"\x51" * 32))
    assert (claims.tcb_status, claims.advisories, claims.tcb_evaluation_number) == ("UpToDate", (), 17)
    assert claims.standing is TcbStatus.UP_TO_DATE


@pytest.mark.parametrize("size", [td.TD_10, td.TD_15, td.TD_15_EX])
def test_a_td_in_each_body_is_genuine(size: int) -> None:
    claims = genuine(Kind.TDX, quote={"size": size})
    assert (claims.kind, claims.quote_version, claims.tcb_status) == (Kind.TDX, 4 if size == td.TD_10 else 5, "UpToDate")


def test_the_certificate_says_what_intel_knows_of_the_platform() -> None:
    server, client = genuine().pck, genuine(ca="processor").pck
    assert (server.fmspc, server.pce_id, server.ppid) == (intel.FMSPC, intel.PCE_ID, platform().ppid)
    assert (server.components, server.pce_svn, server.cpu_svn) == ((5,) * 16, 13, b"\x05" * 16)
    assert server.platform_instance_id == platform().instance_id
    assert (server.dynamic_platform, server.cached_keys, server.smt_enabled) == (True, True, False)
    assert (client.platform_instance_id, client.dynamic_platform, client.cached_keys, client.smt_enabled) == (None,) * 4
    assert genuine().platform_id == platform().instance_id.hex()
    assert genuine(ca="processor").platform_id == platform(ca="processor").ppid.hex()


def test_a_chain_beside_the_quote_serves_where_the_quote_carries_an_identifier_alone() -> None:
    for kind in (1, 2, 3, 7):
        claims = genuine(quote={"certification": (kind, bytes(404))}, endorsements={"pck_chain": platform().chain()})
        assert claims.tcb_status == "UpToDate"


def test_a_leaf_in_the_quote_needs_its_ca_alone() -> None:
    leaf = pem(platform().certificate)
    assert genuine(quote={"certification": (4, leaf)}).tcb_status == "UpToDate"  # the CA is in pck-crl-chain
    genuine(quote={"certification": (4, leaf)}, endorsements={"pck_crl_chain": None, "pck_chain": platform().chain()})
    genuine(quote={"version": 4, "certification": (4, leaf)})


def test_zeros_behind_quote_and_chain_are_padding() -> None:
    padded = platform().quote(report_data=REPORT_DATA, certification=(5, platform().chain() + b"\x00"), behind=bytes(900))
    assert verify(Evidence("sgx", {"quote": padded}), platform().endorsements()).report_data == REPORT_DATA


def test_a_root_need_not_come_with_the_chain() -> None:
    two = pem(platform().certificate, intel.ca_certificate())
    genuine(quote={"certification": (5, two)}, endorsements={"tcb_info_chain": pem(intel.tcb_signing_certificate())})


def test_an_edition_of_the_root_with_its_name_and_key_is_the_root() -> None:
    again = intel.root_certificate(not_before=NOW - DAY)
    assert again != intel.root().der
    genuine(quote=chain(root=again))


def test_lists_come_in_der_or_pem_and_those_of_both_cas_together() -> None:
    both = intel.armour("X509 CRL", intel.crl("processor", at=NOW)) + intel.armour("X509 CRL", intel.crl("platform", at=NOW))
    genuine(endorsements={"pck_crl": both, "root_crl": intel.armour("X509 CRL", intel.crl("root", at=NOW))})


def test_the_claims_hold_while_all_that_was_used_holds() -> None:
    claims = genuine()
    assert (claims.not_before, claims.not_after) == (NOW - DAY, NOW + 29 * DAY)
    early = intel.crl("platform", at=NOW, next_update=NOW + DAY)
    assert genuine(endorsements={"pck_crl": early}).not_after == NOW + DAY
    short = intel.tcb_info(at=NOW, nextUpdate="2026-06-03T00:00:00Z")
    assert genuine(endorsements={"tcb_info": short}).not_after == NOW + 2 * DAY
    assert genuine(revocation=Revocation(max_age=3 * DAY)).not_after == NOW + 2 * DAY


@pytest.mark.parametrize("now", [NOW - DAY, NOW + 29 * DAY])
def test_the_first_and_last_moment_of_every_window_belong_to_it(now: Any) -> None:
    assert genuine(now=now).tcb_status == "UpToDate"


def test_without_collateral_the_quote_is_genuine_and_its_tcb_unknown_and_said_so() -> None:
    checks = Checks()
    claims = genuine(endorsements={**NOTHING, "pck_crl": None, "root_crl": None}, revocation=OPEN, checks=checks)
    assert (claims.tcb_status, claims.standing, claims.tcb_evaluation_number, claims.advisories) == (None, None, None, ())
    assert {item.what for item in checks.not_checked} == {"TCB status", "revocation"}


def test_the_lower_evaluation_number_counts() -> None:
    assert genuine(endorsements={"qe_identity": intel.qe_identity(at=NOW, tcbEvaluationDataNumber=16)}).tcb_evaluation_number == 16


def test_unknown_members_of_collateral_and_of_the_certificate_do_not_refuse() -> None:
    info = intel.tcb_info(at=NOW, somethingNew={"x": 1})
    leaf = platform().pck(pck={"9": der.null()})
    assert genuine(quote=chain(leaf), endorsements={"tcb_info": info}).tcb_status == "UpToDate"


def test_hex_of_collateral_may_be_in_either_case() -> None:
    genuine(endorsements={"tcb_info": intel.tcb_info(at=NOW, fmspc="00806f050000")})


# --- grace ---


def test_ended_collateral_counts_for_a_grace_that_was_asked_and_shows() -> None:
    checks = Checks()
    claims = genuine(now=NOW + 31 * DAY, revocation=Revocation(grace=3 * DAY), checks=checks)
    assert claims.not_after == NOW + 32 * DAY
    assert [item.setting for item in checks.relaxations] == ["collateral_grace"] * 4  # two lists, TCB info, QE identity
    within = Checks()
    genuine(revocation=Revocation(grace=3 * DAY), checks=within)
    assert within.relaxations == []


def test_the_grace_ends_too_and_helps_no_certificate() -> None:
    with refused(Code.X509_CRL_EXPIRED):
        genuine(now=NOW + 33 * DAY, revocation=Revocation(grace=3 * DAY))
    with refused(Code.X509_EXPIRED):
        genuine(quote=chain(platform().pck(not_after=NOW - DAY)), revocation=Revocation(grace=3 * DAY))


# --- one field lies ---


@dataclass(frozen=True)
class Lie:
    """Overrides of one quote, or of the collateral beside it; and the code that must come of it."""

    code: Code
    quote: dict[str, Any] = field(default_factory=dict)
    beside: Callable[[], dict[str, Any]] = dict
    kind: Kind = Kind.SGX


def head(code: Code, **fields: Any) -> Lie:
    return Lie(code, {"header": fields})


def leaf(code: Code, **overrides: Any) -> Lie:
    return Lie(code, chain(platform().pck(**overrides)))


def ext(key: str, value: bytes | None) -> Lie:
    return leaf(Code.DCAP_PCK_EXTENSION, pck={key: value})


def authority(code: Code, **overrides: Any) -> Lie:
    return Lie(code, chain(ca=intel.ca_certificate(**overrides)))


def listed(code: Code, issuer: str, **overrides: Any) -> Lie:
    role = "root_crl" if issuer == "root" else "pck_crl"
    return Lie(code, beside=lambda: {role: intel.crl(issuer, at=NOW, **overrides)})


def info(code: Code, **members: Any) -> Lie:
    return Lie(code, beside=lambda: {"tcb_info": intel.tcb_info(at=NOW, **members)})


def identity(code: Code, **members: Any) -> Lie:
    return Lie(code, beside=lambda: {"qe_identity": intel.qe_identity(at=NOW, **members)})


def raw_info(code: Code, data: bytes) -> Lie:
    return Lie(code, beside=lambda: {"tcb_info": data})


def without(role: str) -> Lie:
    return Lie(Code.DCAP_COLLATERAL_MISSING, beside=lambda: {role: None})


def signer(code: Code, **overrides: Any) -> Lie:
    return Lie(code, beside=lambda: {"tcb_info_chain": pem(intel.tcb_signing_certificate(**overrides), intel.root().der)})


def qe(code: Code, **fields: Any) -> Lie:
    return Lie(code, {"qe": fields})


def part(code: Code, **parts: Any) -> Lie:
    return Lie(code, {"part": parts})


def cut(size: int) -> Lie:
    return Lie(Code.DCAP_SIZE, {"edited": lambda quote: quote[:size]})


def put(code: Code, offset: int, value: bytes) -> Lie:
    return Lie(code, {"edited": lambda quote: quote[:offset] + value + quote[offset + len(value) :]})


UNKNOWN_CRITICAL = (der.extension("1.2.840.113741.99", der.null(), critical=True),)
CA = (x509.key_usage(cert_sign=True, crl_sign=True), x509.basic_constraints(ca=True, path_length=0))
UNKNOWN_KEY = der.seq(der.seq(der.oid("1.2.840.113741.98")), der.bits(b"\x00"))
EDITED_INFO = intel.tcb_info(at=NOW, tcbLevels=[level("OutOfDate")]).replace(b'"OutOfDate"', b'"UpToDate"')
R_ZERO, S_ORDER = bytes(64), b"\x01" * 32 + P256_ORDER.to_bytes(32)

BASE = "1.2.840.113741.1.13.1"  # PCK Certificate and CRL Profile, section 1.3.5
FOREIGN, OWN, PPID = (der.seq(der.oid(name), der.octets(bytes(16))) for name in ("1.2.3.4", BASE, f"{BASE}.1"))


def longer(quote: bytes) -> bytes:
    """A byte more in the signature data, of which its length tells."""
    size = int.from_bytes(quote[432:436], "little") + 1
    return quote[:432] + size.to_bytes(4, "little") + quote[436:] + b"\x00"


LIES: dict[str, Lie] = {
    # the quote's form
    "empty": cut(0),
    "cut in the header": cut(47),
    "cut in the body": cut(300),
    "cut in the signature": cut(470),
    "one byte short": cut(-1),
    "over 64 KiB": Lie(Code.DCAP_SIZE, {"behind": bytes(1 << 16)}),
    "version 2": head(Code.DCAP_VERSION, version=2),
    "version 6": head(Code.DCAP_VERSION, version=6),
    "a TEE type in version 3": head(Code.DCAP_TEE_TYPE, tee_type=0x81),
    "reserved bytes in version 3": head(Code.DCAP_TEE_TYPE, tee_type=1),
    "SGX version 4 of a TD": Lie(Code.DCAP_TEE_TYPE, {"version": 4, "header": {"tee_type": 0x81}}),
    "TDX quote that says SGX": Lie(Code.DCAP_TEE_TYPE, {"header": {"tee_type": 0}}, kind=Kind.TDX),
    "TDX quote of version 3": Lie(Code.DCAP_TEE_TYPE, {"header": {"version": 3}}, kind=Kind.TDX),
    "P-384 attestation key": head(Code.DCAP_KEY_TYPE, key_type=3),
    "attestation key type 0": head(Code.DCAP_KEY_TYPE, key_type=0),
    "another QE vendor": head(Code.DCAP_QE_VENDOR, vendor=bytes(16)),
    "body type of a TD in an SGX quote": Lie(Code.DCAP_BODY_TYPE, {"version": 5, "part": {"body_type": 2}}),
    "unknown body type": Lie(Code.DCAP_BODY_TYPE, {"version": 5, "part": {"body_type": 9}}),
    "body size beside its type": Lie(Code.DCAP_BODY_TYPE, {"version": 5, "part": {"body_size": 385}}),
    "body type of an enclave in a TD quote": Lie(Code.DCAP_BODY_TYPE, {"size": td.TD_15, "part": {"body_type": 1}}, kind=Kind.TDX),
    "signature data beyond its bound": put(Code.DCAP_SIZE, 432, b"\xff\xff\xff\x7f"),
    "authentication data beyond its bound": put(Code.DCAP_SIZE, 1012, b"\xff\xff"),
    "certification data beyond its bound": put(Code.DCAP_SIZE, 1048, b"\xff\xff\xff\x7f"),
    "bytes behind the quote": Lie(Code.DCAP_TRAILING, {"behind": b"\x00\x01"}),
    "bytes behind the certification data": part(Code.DCAP_TRAILING, behind=b"\x00"),
    "bytes behind the outer certification data": Lie(Code.DCAP_TRAILING, {"version": 4, "edited": longer}),
    "bytes behind wrapped certification data": Lie(Code.DCAP_TRAILING, {"version": 4, "part": {"behind": b"\x00"}}),
    "version 4 without type 6": Lie(Code.DCAP_CERTIFICATION, {"version": 4, "part": {"outer": 5}}),
    # certification data that leads nowhere
    "a plain PPID": Lie(Code.DCAP_CERTIFICATION, {"certification": (1, bytes(36))}),
    "an encrypted PPID, RSA 2048": Lie(Code.DCAP_CERTIFICATION, {"certification": (2, bytes(276))}),
    "an encrypted PPID, RSA 3072": Lie(Code.DCAP_CERTIFICATION, {"certification": (3, bytes(404))}),
    "a platform manifest": Lie(Code.DCAP_CERTIFICATION, {"certification": (7, bytes(100))}),
    "type 6 within": Lie(Code.DCAP_CERTIFICATION, {"version": 4, "certification": (6, bytes(100))}),
    "type 6 within, and a chain beside": Lie(
        Code.DCAP_CERTIFICATION, {"certification": (6, b"")}, beside=lambda: {"pck_chain": platform().chain()}
    ),
    "type 8": Lie(Code.DCAP_CERTIFICATION, {"certification": (8, b"")}, beside=lambda: {"pck_chain": platform().chain()}),
    "a leaf without its CA": Lie(
        Code.DCAP_CERTIFICATION, {"certification": (4, pem(platform().certificate))}, beside=lambda: {"pck_crl_chain": None}
    ),
    "a leaf, and another one beside it": Lie(
        Code.DCAP_SUBJECT,
        {"certification": (4, pem(platform().certificate))},
        beside=lambda: {"pck_chain": platform().chain(serial=9)},
    ),
    "a chain that is no certificate": Lie(Code.X509_MALFORMED, {"certification": (5, b"no certificate")}),
    "an empty chain": Lie(Code.X509_MALFORMED, {"certification": (5, b"")}),
    "seventeen certificates": Lie(Code.X509_MALFORMED, {"certification": (5, pem(*[intel.ca_certificate()] * 17)[: 16 << 10])}),
    # signatures of the quote
    "enclave edited": put(Code.DCAP_SIGNATURE, 112, b"\x00"),
    "report data edited": put(Code.DCAP_SIGNATURE, 368, b"\xff"),
    "user data edited": put(Code.DCAP_SIGNATURE, 30, b"\xff"),
    "signed by another key": Lie(Code.DCAP_SIGNATURE, {"key": OTHER}),
    "signature of zeros": part(Code.DCAP_SIGNATURE, signature=R_ZERO),
    "S of the order": part(Code.DCAP_SIGNATURE, signature=S_ORDER),
    "attestation key off the curve": Lie(Code.DCAP_SIGNATURE, {"part": {"attestation_key": b"\x01" * 64}}),
    "attestation key of zeros": Lie(Code.DCAP_SIGNATURE, {"part": {"attestation_key": bytes(64)}}),
    "QE report by another key": Lie(Code.DCAP_QE_SIGNATURE, {"qe_key": OTHER}),
    "QE report edited": put(Code.DCAP_QE_SIGNATURE, 564, b"\xff"),
    "QE report signature of zeros": part(Code.DCAP_QE_SIGNATURE, qe_signature=R_ZERO),
    "QE vouches for another key": qe(Code.DCAP_QE_REPORT_DATA, report_data=bytes(64)),
    "QE report data with more behind": Lie(
        Code.DCAP_QE_REPORT_DATA, {"edited": lambda quote: quote, "qe": {"report_data": b"\x01" * 64}}
    ),
    "authentication data edited": put(Code.DCAP_QE_REPORT_DATA, 1014, b"\xff"),
    "TD edited": Lie(Code.DCAP_SIGNATURE, {"edited": lambda q: q[:200] + b"\xff" + q[201:]}, kind=Kind.TDX),
    # PCK certificate
    "no leaf": Lie(Code.X509_MISSING, {"certification": (5, pem(intel.ca_certificate(), intel.root().der))}),
    "no CA": Lie(Code.X509_MISSING, {"certification": (5, pem(platform().certificate, intel.root().der))}),
    "the other CA": Lie(Code.X509_MISSING, chain(ca=intel.ca_certificate("processor"))),
    "two leaves": Lie(Code.DCAP_SUBJECT, {"certification": (5, platform().chain() + pem(platform().pck(serial=9)))}),
    "leaf subject": leaf(Code.X509_MISSING, subject=intel.name("Intel SGX PCK Certificat")),
    "leaf by another key": leaf(Code.X509_SIGNATURE, key=OTHER),
    "leaf with SHA-384": leaf(Code.X509_SIGNATURE_ALGORITHM, algorithm=intel.ecdsa("sha384")),
    "leaf of P-384": leaf(Code.DCAP_QE_SIGNATURE, public_key=x509.spki(P384)),
    "leaf of RSA": leaf(Code.DCAP_QE_SIGNATURE, public_key=x509.spki(RSA)),
    "leaf of an unknown key": leaf(Code.DCAP_QE_SIGNATURE, public_key=UNKNOWN_KEY),
    "leaf not yet valid": leaf(Code.X509_NOT_YET_VALID, not_before=NOW + DAY),
    "leaf expired": leaf(Code.X509_EXPIRED, not_after=NOW - DAY),
    "leaf with an unknown critical extension": leaf(Code.X509_EXTENSION, more_extensions=UNKNOWN_CRITICAL),
    "leaf is an authority": leaf(Code.X509_BASIC_CONSTRAINTS, extensions=(x509.key_usage(digital_signature=True), CA[1])),
    "leaf may not sign": leaf(Code.X509_KEY_USAGE, extensions=(CA[0], x509.basic_constraints(ca=False))),
    "leaf with a negative serial number": leaf(Code.X509_MALFORMED, serial=-1),
    # its extension
    "no extension": leaf(Code.DCAP_PCK_EXTENSION, extensions=()),
    "extension of garbage": leaf(Code.DCAP_PCK_EXTENSION, extension=b"\x30\x03\x01"),
    "extension with a member of somebody's": leaf(Code.DCAP_PCK_EXTENSION, extension=der.seq(FOREIGN)),
    "extension named as its own member": leaf(Code.DCAP_PCK_EXTENSION, extension=der.seq(OWN)),
    "extension with a member twice": leaf(Code.DCAP_PCK_EXTENSION, extension=der.seq(PPID, PPID)),
    "no PPID": ext("1", None),
    "PPID of 15 bytes": ext("1", der.octets(bytes(15))),
    "no TCB": ext("2", None),
    "TCB of another type": ext("2", der.octets(b"")),
    "no component 16": ext("2.16", None),
    "component of 256": ext("2.1", der.integer(256)),
    "component negative": ext("2.1", der.integer(-1)),
    "component in a second spelling": ext("2.1", b"\x02\x02\x00\x05"),
    "no PCESVN": ext("2.17", None),
    "CPUSVN of 15 bytes": ext("2.18", der.octets(bytes(15))),
    "no PCE-ID": ext("3", None),
    "FMSPC of 5 bytes": ext("4", der.octets(bytes(5))),
    "SGX type 3": ext("5", der.tlv(0x0A, b"\x03")),
    "SGX type as INTEGER": ext("5", der.integer(1)),
    "platform instance id of 8 bytes": ext("6", der.octets(bytes(8))),
    "configuration with a boolean of 01": ext("7.1", b"\x01\x01\x01"),
    # authorities
    "CA by another key": authority(Code.X509_SIGNATURE, key=OTHER),
    "CA with SHA-384": authority(Code.X509_SIGNATURE_ALGORITHM, algorithm=intel.ecdsa("sha384")),
    "CA of P-384": Lie(
        Code.X509_ISSUER_KEY,
        chain(platform().pck(key=P384, algorithm=intel.ecdsa("sha384")), intel.ca_certificate(public_key=x509.spki(P384))),
    ),
    "CA issuer": authority(Code.X509_ROOT, issuer=intel.name("Intel SGX Root CB")),
    "CA expired": authority(Code.X509_EXPIRED, not_after=NOW - DAY),
    "CA not yet valid": authority(Code.X509_NOT_YET_VALID, not_before=NOW + DAY),
    "CA without path length": authority(Code.X509_BASIC_CONSTRAINTS, extensions=(CA[0], x509.basic_constraints(ca=True))),
    "CA is none": authority(Code.X509_BASIC_CONSTRAINTS, extensions=(CA[0], x509.basic_constraints(ca=False))),
    "CA without cRLSign": authority(Code.X509_KEY_USAGE, extensions=(x509.key_usage(cert_sign=True), CA[1])),
    "CA without keyCertSign": authority(Code.X509_KEY_USAGE, extensions=(x509.key_usage(crl_sign=True), CA[1])),
    "CA with an unknown critical extension": authority(Code.X509_EXTENSION, more_extensions=UNKNOWN_CRITICAL),
    "root of the same name and another key": Lie(
        Code.X509_ROOT, chain(root=intel.root_certificate(public_key=x509.spki(OTHER), key=OTHER))
    ),
    "Intel's own root beside a false chain": Lie(Code.X509_ROOT, chain(root=INTEL_ROOTS[0].der)),
    "a stranger's root in the chain": Lie(
        Code.X509_ROOT,
        {"certification": (5, platform().chain() + pem(intel.root_certificate(subject=intel.name("X"), issuer=intel.name("X"))))},
    ),
    # lists
    "no PCK list": Lie(Code.X509_CRL_MISSING, beside=lambda: {"pck_crl": None}),
    "no root list": Lie(Code.X509_CRL_MISSING, beside=lambda: {"root_crl": None}),
    "list of the other CA": Lie(Code.X509_CRL_MISSING, beside=lambda: {"pck_crl": intel.crl("processor", at=NOW)}),
    "leaf revoked": listed(Code.X509_REVOKED, "platform", revoked=(5, platform().serial)),
    "CA revoked": listed(Code.X509_REVOKED, "root", revoked=(intel.serial_number("platform"),)),
    "TCB signer revoked": listed(Code.X509_REVOKED, "root", revoked=(intel.serial_number("tcb"),)),
    "PCK list by another key": listed(Code.X509_CRL_SIGNATURE, "platform", key=OTHER),
    "PCK list by the root": listed(Code.X509_CRL_SIGNATURE, "platform", key=key_of("root")),
    "root list by the CA": listed(Code.X509_CRL_SIGNATURE, "root", key=key_of("platform")),
    "PCK list with SHA-384": listed(Code.X509_CRL_ALGORITHM, "platform", algorithm=intel.ecdsa("sha384")),
    "PCK list of the future": listed(Code.X509_CRL_NOT_YET_VALID, "platform", this_update=NOW + DAY),
    "PCK list past its end": listed(Code.X509_CRL_EXPIRED, "platform", next_update=NOW - timedelta(seconds=1)),
    "root list past its end": listed(Code.X509_CRL_EXPIRED, "root", next_update=NOW - timedelta(seconds=1)),
    "list without an end": listed(Code.X509_CRL_EXPIRED, "root", next_update=None),
    "list with a critical extension": listed(Code.X509_CRL_EXTENSION, "platform", extensions=UNKNOWN_CRITICAL),
    # TCB info and QE identity: form
    **{f"no {role}": without(role) for role in COLLATERAL},
    "TCB info of garbage": raw_info(Code.DCAP_COLLATERAL, b"\x00\xff"),
    "TCB info of a list": raw_info(Code.DCAP_COLLATERAL, b"[]"),
    "TCB info over 1 MiB": raw_info(Code.DCAP_COLLATERAL, b" " * (1 << 20) + b"{}"),
    "TCB info with a member twice": raw_info(
        Code.DCAP_COLLATERAL, intel.tcb_info(at=NOW)[:-1] + b',"signature":"' + b"0" * 128 + b'"}'
    ),
    "TCB info too deep": raw_info(Code.DCAP_COLLATERAL, b'{"tcbInfo":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    "TCB info without a signature": raw_info(Code.DCAP_COLLATERAL, b'{"tcbInfo":{"version":3}}'),
    "a QE identity as TCB info": raw_info(Code.DCAP_COLLATERAL, intel.qe_identity(at=NOW)),
    "TCB info of version 2": info(Code.DCAP_COLLATERAL_VERSION, version=2),
    "TCB info of version 4": info(Code.DCAP_COLLATERAL_VERSION, version=4),
    "QE identity of version 1": identity(Code.DCAP_COLLATERAL_VERSION, version=1),
    "no FMSPC": info(Code.DCAP_COLLATERAL, fmspc=None),
    "TCB info with an FMSPC of 5 bytes": info(Code.DCAP_COLLATERAL, fmspc="00806F0500"),
    "no levels": info(Code.DCAP_COLLATERAL, tcbLevels=[]),
    "15 components": info(Code.DCAP_COLLATERAL, tcbLevels=[level(sgx=(5,) * 15)]),
    "TCB info with a component of 256": info(Code.DCAP_COLLATERAL, tcbLevels=[level(sgx=(256,) * 16)]),
    "an evaluation number in words": info(Code.DCAP_COLLATERAL, tcbEvaluationDataNumber="17"),
    "a date that is none": info(Code.DCAP_COLLATERAL, nextUpdate="tomorrow"),
    "a thousand levels": info(Code.DCAP_COLLATERAL, tcbLevels=[level()] * 1000),
    "no MRSIGNER": identity(Code.DCAP_COLLATERAL, mrsigner=None),
    "no identity levels": identity(Code.DCAP_COLLATERAL, tcbLevels=[]),
    # ids, signatures, windows
    "TCB info of TDX": info(Code.DCAP_COLLATERAL_ID, id="TDX"),
    "QE identity of TDX": identity(Code.DCAP_COLLATERAL_ID, id="TD_QE"),
    "QE identity of the QVE": identity(Code.DCAP_COLLATERAL_ID, id="QVE"),
    "TCB info of SGX for a TD": Lie(Code.DCAP_COLLATERAL_ID, beside=lambda: {"tcb_info": intel.tcb_info(at=NOW)}, kind=Kind.TDX),
    "TCB info edited": raw_info(Code.DCAP_COLLATERAL_SIGNATURE, EDITED_INFO),
    "TCB info serialised anew": raw_info(Code.DCAP_COLLATERAL_SIGNATURE, intel.tcb_info(at=NOW).replace(b'":', b'": ')),
    "TCB info by another key": info(Code.DCAP_COLLATERAL_SIGNATURE, key=OTHER),
    "TCB info by the PCK CA": info(Code.DCAP_COLLATERAL_SIGNATURE, key=key_of("platform")),
    "QE identity by another key": identity(Code.DCAP_COLLATERAL_SIGNATURE, key=OTHER),
    "no TCB signer": Lie(Code.X509_MISSING, beside=lambda: {"tcb_info_chain": pem(intel.root().der)}),
    "the PCK CA as TCB signer": Lie(Code.X509_MISSING, beside=lambda: {"qe_identity_chain": pem(intel.ca_certificate())}),
    "TCB signer by another key": signer(Code.X509_SIGNATURE, key=OTHER),
    "TCB signer by another authority": signer(Code.X509_ROOT, issuer=intel.name("Intel SGX PCK Platform CA")),
    "TCB signer expired, its key as before": signer(Code.X509_EXPIRED, not_after=NOW - DAY),
    "TCB signer not yet valid": signer(Code.X509_NOT_YET_VALID, not_before=NOW + DAY),
    "TCB signer is an authority": signer(
        Code.X509_BASIC_CONSTRAINTS, extensions=(x509.key_usage(digital_signature=True), x509.basic_constraints(ca=True))
    ),
    "TCB signer may not sign": signer(Code.X509_KEY_USAGE, extensions=CA[:1]),
    "TCB info of the future": info(Code.DCAP_COLLATERAL_EARLY, issueDate="2026-06-01T00:00:01Z"),
    "TCB info past its end": info(Code.DCAP_COLLATERAL_EXPIRED, nextUpdate="2026-05-31T23:59:59Z"),
    "QE identity of the future": identity(Code.DCAP_COLLATERAL_EARLY, issueDate="2026-06-01T00:00:01Z"),
    "QE identity past its end": identity(Code.DCAP_COLLATERAL_EXPIRED, nextUpdate="2026-05-31T23:59:59Z"),
    # what it is about
    "TCB info of another FMSPC": info(Code.DCAP_FMSPC, fmspc="00906ED50000"),
    "certificate of another FMSPC": leaf(Code.DCAP_FMSPC, pck={"4": der.octets(bytes(6))}),
    "TCB info of another PCE": info(Code.DCAP_PCE_ID, pceId="0100"),
    "QE of another signer": qe(Code.DCAP_QE_IDENTITY, mr_signer=bytes(32)),
    "another product of the signer": qe(Code.DCAP_QE_IDENTITY, isv_prod_id=2),
    "QE with another MISCSELECT": qe(Code.DCAP_QE_IDENTITY, misc_select=1),
    "QE without INIT": qe(Code.DCAP_QE_IDENTITY, flags=0x14),
    "debug QE": qe(Code.DCAP_QE_IDENTITY, flags=0x17),
    "debug QE, and an identity that does not mask it": Lie(
        Code.DCAP_QE_IDENTITY,
        {"qe": {"flags": 0x17}},
        beside=lambda: {"qe_identity": intel.qe_identity(at=NOW, attributesMask="00" * 16, attributes="00" * 16)},
    ),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_one_lie_is_refused_with_its_own_code(lie: Lie) -> None:
    with refused(lie.code):
        genuine(lie.kind, quote=lie.quote, endorsements=lie.beside())


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_lenient_record_shows_the_same_lie_and_gives_no_claims(lie: Lie) -> None:
    checks = Checks(strict=False)
    with pytest.raises(ConfideError) as caught:
        genuine(lie.kind, quote=lie.quote, endorsements=lie.beside(), checks=checks)
    shown = {check.code for check in checks.done if not check.ok}
    assert lie.code in shown | {caught.value.code}


# --- roots, clocks, what is required ---


def test_simulated_evidence_does_not_reach_intels_root() -> None:
    with refused(Code.X509_ROOT):
        genuine(roots=INTEL_ROOTS)


def test_no_roots_accept_nothing() -> None:
    with refused(Code.X509_ROOT):
        genuine(roots=())


def test_a_naive_clock_is_refused() -> None:
    with refused(Code.EVIDENCE_CLOCK):
        genuine(now=NOW.replace(tzinfo=None))


@pytest.mark.parametrize("now", [NOW - 2 * DAY, NOW + 30 * DAY])
def test_another_time_is_refused(now: Any) -> None:
    with pytest.raises(ConfideError):
        genuine(now=now)


def test_lists_older_than_allowed_are_refused() -> None:
    with refused(Code.X509_CRL_AGE):
        genuine(revocation=Revocation(max_age=timedelta(hours=12)))


def test_half_of_the_collateral_is_refused_even_where_none_is_required() -> None:
    for role in COLLATERAL:
        with refused(Code.DCAP_COLLATERAL_MISSING):
            genuine(endorsements={role: None}, revocation=OPEN)


def test_no_collateral_at_all_is_refused_unless_none_is_required() -> None:
    nothing: dict[str, Any] = dict.fromkeys(COLLATERAL)
    with refused(Code.DCAP_COLLATERAL_MISSING):
        genuine(endorsements=nothing)
    assert genuine(endorsements=nothing, revocation=OPEN).tcb_status is None


def test_a_list_of_others_is_refused_even_where_none_is_required() -> None:
    for role, issuer in (("pck_crl", "processor"), ("root_crl", "platform")):
        with refused(Code.X509_CRL_MISSING):
            genuine(endorsements={role: intel.crl(issuer, at=NOW)}, revocation=OPEN)


def test_a_list_that_came_is_applied_even_where_none_is_required() -> None:
    with refused(Code.X509_REVOKED):
        genuine(endorsements={"pck_crl": intel.crl("platform", at=NOW, revoked=(platform().serial,))}, revocation=OPEN)


def test_evidence_without_a_quote_is_refused() -> None:
    with refused(Code.EVIDENCE_MISSING):
        verify(Evidence("sgx", {"report": b""}), platform().endorsements())


def test_an_sgx_quote_is_no_tdx_evidence_and_the_other_way_round() -> None:
    for kind, other in ((Kind.SGX, Kind.TDX), (Kind.TDX, Kind.SGX)):
        with refused(Code.DCAP_TEE_TYPE):
            verify(Evidence(kind.value, {"quote": platform(other).quote()}), platform(kind).endorsements())


def test_parts_of_two_genuine_platforms_do_not_mix() -> None:
    other = intel.FalsePlatform(at=NOW, seed=b"another")
    with refused(Code.DCAP_QE_SIGNATURE):
        genuine(quote={"certification": (5, other.chain())})
    mine, theirs = platform().quote(report_data=REPORT_DATA), other.quote(report_data=b"\x01" * 64)
    with refused(Code.DCAP_SIGNATURE):
        verify(Evidence("sgx", {"quote": mine[:432] + theirs[432:]}), platform().endorsements())


def test_a_qe_that_is_out_of_date_makes_the_platform_so() -> None:
    claims = genuine(quote={"qe": {"isv_svn": 6}})
    assert (claims.tcb_status, claims.advisories) == ("OutOfDate", ("INTEL-SA-00003",))
    assert genuine(quote={"qe": {"isv_svn": 1}}).tcb_status == "TCBNotSupported"
    revoked = intel.qe_identity(at=NOW, tcbLevels=[svn_level(8, "Revoked")])
    assert genuine(endorsements={"qe_identity": revoked}).tcb_status == "Revoked"


def test_the_names_of_root_and_certificates_say_simulated() -> None:
    for der_bytes in (intel.root().der, intel.ca_certificate(), intel.tcb_signing_certificate(), platform().certificate):
        assert "SIMULATED" in load_certificate(der_bytes).subject.rfc4514_string()
    assert all(root.simulated == ("SIMULATED" in root.name) for root in ROOTS)


def test_of_two_pinned_roots_of_one_name_the_fitting_one_vouches() -> None:
    """Intel has issued its root twice; a stranger's of the same name stands for nothing, in whatever order."""
    other = intel.root_certificate(public_key=x509.spki(OTHER), key=OTHER)
    stranger = Root(Kind.SGX, "another edition", other)
    chain_without_root = {"certification": (5, pem(platform().certificate, intel.ca_certificate()))}
    signers = pem(intel.tcb_signing_certificate())
    beside = {"tcb_info_chain": signers, "qe_identity_chain": signers, "pck_crl_chain": None}
    for roots in ((stranger, intel.root()), (intel.root(), stranger)):
        assert genuine(quote=chain_without_root, endorsements=beside, roots=roots).simulated
    with refused(Code.X509_SIGNATURE):
        genuine(quote=chain_without_root, endorsements=beside, roots=(stranger,))
