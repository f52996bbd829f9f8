"""vectors/07a-snp.json. Reports for parsing and acceptance rebuild; signed ones are random and kept from the committed file.

ECDSA and RSA-PSS signatures cannot be made twice, so a case that is there keeps its input, and the test verifies it again.
"""

import functools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from confide.attest.snp.layout import GuestPolicy, Product, SigningKey
from confide.codes import Code
from confide.formats.fields import format_time
from confide_sim import der, report, x509
from confide_sim.amd import ARC, CSP_ID, FalseAmd, FalseChip, name
from confide_sim.keys import false_amd_key
from scripts.vectors._cases import accept, reject

Case = dict[str, Any]
Made = Callable[[], dict[str, Any]]

PROVENANCE = (
    "Made by scripts/vectors/snp.py with the false AMD of confide-sim, whose private keys are public (sim/make_assets.py); every "
    "certificate says SIMULATED. Signatures are random, so signed inputs are kept from the committed file and verified again. "
    "Reports under snp.parse and snp.validate are unsigned and rebuild."
)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DATA = bytes(range(64))
MILAN, GENOA, TURIN = Product.MILAN, Product.GENOA, Product.TURIN
AMD = FalseAmd()
POLICY = 0x30000


@functools.cache
def _chip(product: Product, key: SigningKey) -> FalseChip:
    return FalseChip(product, signing_key=key, at=NOW, chip_id=bytes(range(1, 65)))


def signed(
    *,
    product: Product = MILAN,
    key: SigningKey = SigningKey.VCEK,
    fields: dict[str, Any] | None = None,
    roots: tuple[bytes, ...] | None = None,
    revocation: dict[str, Any] | None = None,
    at: datetime = NOW,
    **endorsements: Any,
) -> Made:
    """The input of `snp.authenticate`; `endorsements` override roles, and may be functions of the chip."""

    def make() -> dict[str, Any]:
        chip = _chip(product, key)
        given = {role: value(chip) if callable(value) else value for role, value in endorsements.items()}
        items = chip.endorsements(**given).items
        return {
            "report": chip.report(report_data=DATA, **(fields or {})).hex(),
            "endorsements": {role: value.hex() for role, value in items.items()},
            "roots": [root.hex() for root in (roots or (FalseAmd(product).ark,))],
            "now": format_time(at),
            "revocation": revocation or {"required": True},
        }

    return make


def leaf(**overrides: Any) -> Callable[[FalseChip], bytes]:
    """The chip's certificate with one lie."""
    return lambda chip: chip.issue(**overrides)


def amd(key: str, value: bytes | None) -> Callable[[FalseChip], bytes]:
    """The chip's certificate with one AMD extension replaced or left out."""
    return leaf(amd={key: value})


def ask(**overrides: Any) -> Callable[[FalseChip], bytes]:
    """Milan's ASK with one lie."""
    return lambda _: AMD.issue_ask(**overrides)


def crl(**overrides: Any) -> Callable[[FalseChip], bytes]:
    """Milan's revocation list with one lie."""
    return lambda _: AMD.crl(at=NOW, **overrides)


CRITICAL = (der.extension(ARC + "99", der.null(), critical=True),)
CERT_SIGN, CA_0 = x509.key_usage(cert_sign=True), x509.basic_constraints(ca=True, path_length=0)
CHAIN = " ".join(f"SNP-{number}" for number in range(1, 31))

GENUINE: list[tuple[str, str, Made]] = [
    ("Milan, VCEK", CHAIN, signed()),
    ("Milan, VLEK", CHAIN, signed(key=SigningKey.VLEK)),
    ("Genoa, VCEK", CHAIN, signed(product=GENOA)),
    ("Genoa, VLEK", CHAIN, signed(product=GENOA, key=SigningKey.VLEK)),
    ("Turin, VCEK, 8 bytes of hwID, version 5", CHAIN, signed(product=TURIN)),
    ("Turin, VLEK", CHAIN, signed(product=TURIN, key=SigningKey.VLEK)),
    ("version 2 without CPUID", "SNP-2 SNP-29", signed(fields={"version": 2, "cpuid_family": 0, "cpuid_model": 0})),
    ("version 4, read as 3", "SNP-2", signed(fields={"version": 4})),
    ("version 2 on Turin", "SNP-2 SNP-29", signed(product=TURIN, fields={"version": 2})),
    ("Siena in Genoa's chain", "SNP-29", signed(product=GENOA, fields={"cpuid_model": 0xA0})),
    ("Bergamo named in Genoa's chain", "SNP-26", signed(product=GENOA, vcek=amd("2", der.text("Bergamo-A2", der.IA5)))),
    ("unknown PLATFORM_INFO bits", "SNP-4", signed(fields={"platform_info": 1 << 63 | 0x67})),
    ("masked CHIP_ID", "SNP-30", signed(fields={"chip_id": bytes(64)})),
    ("hwID in an OCTET STRING", "SNP-24", signed(vcek=lambda chip: chip.issue(amd={"4": der.octets(chip.chip_id)}))),
    ("no root with the evidence", "SNP-9", signed(ark=None)),
    ("the root among others that are pinned", "SNP-9", signed(roots=(FalseAmd(TURIN).ark, AMD.ark))),
    ("no list, none required", "SNP-19", signed(crl=False, revocation={"required": False})),
    ("a list of the greatest age", "SNP-21", signed(revocation={"required": True, "max_age": 86400})),
    ("the last second of the certificate", "SNP-11", signed(crl=False, revocation={"required": False}, at=NOW + 2554 * DAY)),
    (
        "keyUsage with digitalSignature",
        "SNP-14",
        signed(vcek=leaf(more_extensions=(x509.key_usage(digital_signature=True),))),
    ),
]


def _p384(secret: int = 7) -> bytes:
    return x509.spki(ec.derive_private_key(secret, ec.SECP384R1()))


LIES: list[tuple[str, str, Code, Made]] = [
    ("no SIGNING_KEY", "SNP-5", Code.SNP_SIGNING_KEY, signed(fields={"signing_key": 7})),
    ("SIGNING_KEY VLEK beside a VCEK", "SNP-5", Code.SNP_SIGNING_KEY, signed(fields={"signing_key": 1})),
    (
        "SIGNING_KEY VCEK beside a VLEK",
        "SNP-5",
        Code.SNP_SIGNING_KEY,
        signed(key=SigningKey.VLEK, fields={"signing_key": 0}),
    ),
    ("no ASK", "SNP-8", Code.X509_MISSING, signed(ask=None)),
    ("the ASK of another product", "SNP-8", Code.X509_MISSING, signed(ask=lambda _: FalseAmd(GENOA).ask, ark=None)),
    ("another root is pinned", "SNP-9", Code.X509_ROOT, signed(roots=(FalseAmd(GENOA).ark,), ark=None)),
    ("a root of the same name and key, another certificate", "SNP-9", Code.X509_ROOT, signed(ark=lambda _: AMD.issue_ark())),
    ("certificate not yet valid", "SNP-10", Code.X509_NOT_YET_VALID, signed(vcek=leaf(not_before=NOW + DAY))),
    ("ASK not yet valid", "SNP-10", Code.X509_NOT_YET_VALID, signed(ask=ask(not_before=NOW + DAY))),
    ("certificate expired", "SNP-11", Code.X509_EXPIRED, signed(vcek=leaf(not_after=NOW - DAY))),
    ("ASK expired", "SNP-11", Code.X509_EXPIRED, signed(ask=ask(not_after=NOW - DAY))),
    (
        "intermediate of another product",
        "SNP-12",
        Code.SNP_SUBJECT,
        signed(vcek=leaf(issuer=name("SEV-Genoa")), ask=ask(subject=name("SEV-Genoa"))),
    ),
    (
        "ASVK in place of the ASK",
        "SNP-12",
        Code.SNP_SUBJECT,
        signed(vcek=leaf(issuer=name("SEV-VLEK-Milan"), key=false_amd_key("asvk_milan")), ask=lambda _: AMD.asvk),
    ),
    ("ASK without basicConstraints", "SNP-13", Code.X509_BASIC_CONSTRAINTS, signed(ask=ask(extensions=(CERT_SIGN,)))),
    ("endorsement certificate is a CA", "SNP-13", Code.X509_BASIC_CONSTRAINTS, signed(vcek=leaf(more_extensions=(CA_0,)))),
    ("ASK without keyCertSign", "SNP-14", Code.X509_KEY_USAGE, signed(ask=ask(extensions=(CA_0, x509.key_usage(crl_sign=True))))),
    ("endorsement certificate may not sign", "SNP-14", Code.X509_KEY_USAGE, signed(vcek=leaf(more_extensions=(CERT_SIGN,)))),
    ("a negative serial number", "SNP-15", Code.X509_MALFORMED, signed(vcek=leaf(serial_number=-1))),
    ("ASK with a negative serial number", "SNP-15", Code.X509_MALFORMED, signed(ask=ask(serial_number=-65537))),
    ("an unknown critical extension", "SNP-15", Code.X509_EXTENSION, signed(vcek=leaf(more_extensions=CRITICAL))),
    (
        "a repeated extension",
        "SNP-15",
        Code.X509_EXTENSION,
        signed(vcek=leaf(more_extensions=(der.extension(ARC + "1", der.integer(0)),))),
    ),
    ("ASK with a key of P-384", "SNP-16", Code.X509_ISSUER_KEY, signed(ask=lambda _: AMD.issue_ask(public_key=_p384()))),
    (
        "endorsement certificate signed with PKCS #1 v1.5",
        "SNP-17",
        Code.X509_SIGNATURE_ALGORITHM,
        signed(vcek=leaf(algorithm=x509.pkcs1())),
    ),
    ("ASK signed with salt 32", "SNP-17", Code.X509_SIGNATURE_ALGORITHM, signed(ask=ask(algorithm=x509.pss(salt=32)))),
    (
        "certificate signed by another ASK",
        "SNP-18",
        Code.X509_SIGNATURE,
        signed(vcek=leaf(key=false_amd_key("ask_genoa"))),
    ),
    ("ASK signed by another root", "SNP-18", Code.X509_SIGNATURE, signed(ask=ask(key=false_amd_key("ark_genoa")))),
    ("no list", "SNP-19", Code.X509_CRL_MISSING, signed(crl=False)),
    ("the list of another root", "SNP-19", Code.X509_CRL_MISSING, signed(crl=lambda _: FalseAmd(GENOA).crl(at=NOW))),
    ("list signed with PKCS #1 v1.5", "SNP-20", Code.X509_CRL_ALGORITHM, signed(crl=crl(algorithm=x509.pkcs1()))),
    ("list signed by the ASK", "SNP-20", Code.X509_CRL_SIGNATURE, signed(crl=crl(key=false_amd_key("ask_milan")))),
    ("list with a critical extension", "SNP-20", Code.X509_CRL_EXTENSION, signed(crl=crl(extensions=CRITICAL))),
    ("list of the future", "SNP-21", Code.X509_CRL_NOT_YET_VALID, signed(crl=crl(this_update=NOW + DAY))),
    ("list past nextUpdate", "SNP-21", Code.X509_CRL_EXPIRED, signed(crl=crl(next_update=NOW - DAY))),
    ("list without nextUpdate", "SNP-21", Code.X509_CRL_EXPIRED, signed(crl=crl(next_update=None))),
    ("list too old", "SNP-21", Code.X509_CRL_AGE, signed(revocation={"required": True, "max_age": 86399})),
    ("ASK revoked", "SNP-22", Code.X509_REVOKED, signed(crl=crl(revoked=(AMD.serial_number("ask"),)))),
    ("ARK revoked", "SNP-22", Code.X509_REVOKED, signed(crl=crl(revoked=(AMD.serial_number("ark"),)))),
    (
        "revoked though no list is required",
        "SNP-22",
        Code.X509_REVOKED,
        signed(crl=crl(revoked=(AMD.serial_number("ask"),)), revocation={"required": False}),
    ),
    (
        "endorsed key of P-256",
        "SNP-23",
        Code.SNP_ENDORSED_KEY,
        signed(vcek=leaf(public_key=x509.spki(ec.derive_private_key(7, ec.SECP256R1())))),
    ),
    ("no blSPL", "SNP-24", Code.SNP_EXTENSION, signed(vcek=amd("3.1", None))),
    ("blSPL in a second spelling", "SNP-24", Code.SNP_EXTENSION, signed(vcek=amd("3.1", b"\x02\x02\x00\x04"))),
    ("no hwID", "SNP-24", Code.SNP_EXTENSION, signed(vcek=amd("4", None))),
    ("hwID of 64 bytes on Turin", "SNP-24", Code.SNP_EXTENSION, signed(product=TURIN, vcek=amd("4", bytes(64)))),
    ("no fmcSPL on Turin", "SNP-24", Code.SNP_EXTENSION, signed(product=TURIN, vcek=amd("3.9", None))),
    ("structVersion 2", "SNP-25", Code.SNP_STRUCT_VERSION, signed(vcek=amd("1", der.integer(2)))),
    ("productName of another product", "SNP-26", Code.SNP_PRODUCT_NAME, signed(vcek=amd("2", der.text("Genoa", der.IA5)))),
    ("cspID in a VCEK", "SNP-27", Code.SNP_CSP_ID, signed(vcek=amd("5", der.text("CN=x", der.IA5)))),
    ("no cspID in a VLEK", "SNP-27", Code.SNP_CSP_ID, signed(key=SigningKey.VLEK, vlek=amd("5", None))),
    ("MEASUREMENT edited", "SNP-28", Code.SNP_SIGNATURE, signed(fields={"edited": {"measurement": bytes(48)}})),
    ("the certificate of another chip", "SNP-28", Code.SNP_SIGNATURE, signed(vcek=lambda chip: chip.issue(public_key=_p384()))),
    ("CPUID of Genoa in Milan's chain", "SNP-29", Code.SNP_CPUID, signed(fields={"cpuid_model": 0x11})),
    ("CPUID of a later family 1Ah", "SNP-29", Code.SNP_CPUID, signed(product=TURIN, fields={"cpuid_model": 0x50})),
    (
        "REPORTED_TCB above the certificate",
        "SNP-30",
        Code.SNP_REPORTED_TCB,
        signed(fields={"reported_tcb": bytes((5, 0, 0, 0, 0, 0, 24, 219))}),
    ),
    (
        "a reserved byte of REPORTED_TCB",
        "SNP-30",
        Code.SNP_REPORTED_TCB,
        signed(fields={"reported_tcb": bytes((4, 0, 1, 0, 0, 0, 24, 219))}),
    ),
    (
        "Milan's layout of REPORTED_TCB on Turin",
        "SNP-30",
        Code.SNP_REPORTED_TCB,
        signed(product=TURIN, fields={"reported_tcb": bytes((1, 0, 0, 0, 0, 0, 2, 71))}),
    ),
    ("CHIP_ID of another chip", "SNP-30", Code.SNP_HWID, signed(fields={"chip_id": b"\x07" * 64})),
]

HEADERS: list[tuple[str, str, Code, dict[str, Any]]] = [
    ("version 1", "SNP-2", Code.SNP_VERSION, {"version": 1}),
    ("version 6", "SNP-2", Code.SNP_VERSION, {"version": 6}),
    ("SIGNATURE_ALGO 2", "SNP-3", Code.SNP_SIGNATURE_ALGO, {"signature_algo": 2}),
    ("a bit beside SIGNING_KEY", "SNP-4", Code.SNP_KEY_INFO, {"key_info": 32}),
    ("reserved SIGNING_KEY", "SNP-5", Code.SNP_SIGNING_KEY, {"signing_key": 2}),
    ("R of 2^384", "SNP-6", Code.SNP_SIGNATURE_RANGE, {"signature_r": 1 << 384}),
    ("S of 2^384", "SNP-6", Code.SNP_SIGNATURE_RANGE, {"signature_s": 1 << 384}),
    ("a byte after S", "SNP-7", Code.SNP_SIGNATURE_PADDING, {"signature_rest": 1}),
]

BASE = {"measurements": ["5a" * 48], "minimum_tcb": {"Milan": {"boot_loader": 4, "tee": 0, "snp": 24, "microcode": 219}}}
UNSAFE = "unsafe_ignored"


def tcb(*, snp: int = 24, microcode: int = 219) -> bytes:
    """A TCB_VERSION of Milan."""
    return bytes((4, 0, 0, 0, 0, 0, snp, microcode))


def judged(fields: dict[str, Any], constraints: dict[str, Any], *, csp_id: str | None = None) -> dict[str, Any]:
    """The input of `snp.validate`: an unsigned report of a Milan chip."""
    same = {key: tcb() for key in ("current_tcb", "reported_tcb", "committed_tcb", "launch_tcb")}
    plain = {"measurement": b"\x5a" * 48, "chip_id": bytes(range(1, 65)), "cpuid_family": 0x19, "cpuid_model": 1}
    data = report.encode({**plain, **same, **fields})
    given = {"report": data.hex(), "product": "Milan", "constraints": {**BASE, **constraints}}
    return given | ({"csp_id": csp_id} if csp_id else {})


ACCEPTABLE: list[tuple[str, str, dict[str, Any]]] = [
    ("strict", " ".join(f"SNP-{number}" for number in (32, *range(34, 49))), judged({}, {})),
    ("a listed product", "SNP-31", judged({}, {"products": ["Genoa", "Milan"]})),
    (
        "VLEK of a listed provider",
        "SNP-32 SNP-33",
        judged({"signing_key": 1}, {"signing_keys": ["VCEK", "VLEK"], "csp_ids": [CSP_ID]}, csp_id=CSP_ID),
    ),
    ("VLEK of any provider", "SNP-33", judged({"signing_key": 1}, {"signing_keys": ["VLEK"], "csp_ids": UNSAFE}, csp_id=CSP_ID)),
    (
        "CURRENT above COMMITTED above REPORTED",
        "SNP-34 SNP-37",
        judged({"current_tcb": tcb(snp=26), "committed_tcb": tcb(snp=25)}, {}),
    ),
    ("no minimum", "SNP-35", judged({"reported_tcb": bytes(8)}, {"minimum_tcb": UNSAFE})),
    ("the minimum ABI", "SNP-39", judged({}, {"minimum_abi": [1, 55]})),
    (
        "known POLICY bits",
        "SNP-40 SNP-56",
        judged({"policy": 0x3FFFFFF & ~(GuestPolicy.DEBUG | GuestPolicy.MIGRATE_MA)}, {"cxl": True}),
    ),
    ("protections asked for", "SNP-57", judged({"policy": 0x1120000}, {"guest_policy": 0x1100000})),
    (
        "mitigations in place",
        "SNP-58",
        judged({"version": 5, "launch_mit_vector": 3, "current_mit_vector": 7}, {"launch_mit_vector": 1, "current_mit_vector": 6}),
    ),
    ("debug ignored", "SNP-41", judged({"policy": POLICY | GuestPolicy.DEBUG}, {"allow_debug": UNSAFE})),
    ("no SMT", "SNP-42", judged({"policy": 0x20000}, {"smt": False})),
    (
        "migration ignored",
        "SNP-43 SNP-44",
        judged({"policy": POLICY | GuestPolicy.MIGRATE_MA, "report_id_ma": bytes(32)}, {"allow_migration": UNSAFE}),
    ),
    ("VMPL 2 allowed", "SNP-45", judged({"vmpl": 2}, {"max_vmpl": 2})),
    ("a required PLATFORM_INFO bit", "SNP-46", judged({"platform_info": 0x25}, {"platform_info": 0x20})),
    ("any measurement", "SNP-47", judged({"measurement": bytes(48)}, {"measurements": UNSAFE})),
    ("GUEST_SVN at the minimum", "SNP-48", judged({"guest_svn": 3}, {"minimum_guest_svn": 3})),
    ("HOST_DATA", "SNP-49", judged({"host_data": b"\x01" * 32}, {"host_data": ["01" * 32]})),
    ("ID_KEY_DIGEST", "SNP-50", judged({"id_key_digest": b"\x02" * 48}, {"id_key_digests": ["02" * 48]})),
    (
        "AUTHOR_KEY_DIGEST",
        "SNP-51",
        judged({"author_key_digest": b"\x03" * 48, "author_key_en": 1}, {"author_key_digests": ["03" * 48]}),
    ),
    ("FAMILY_ID", "SNP-52", judged({"family_id": b"\x04" * 16}, {"family_ids": ["04" * 16]})),
    ("IMAGE_ID", "SNP-53", judged({"image_id": b"\x05" * 16}, {"image_ids": ["05" * 16]})),
    ("REPORT_ID", "SNP-54", judged({"report_id": b"\x06" * 32}, {"report_ids": ["06" * 32]})),
    ("CHIP_ID", "SNP-55", judged({}, {"chip_ids": [bytes(range(1, 65)).hex()]})),
]

UNACCEPTABLE: list[tuple[str, str, Code, dict[str, Any]]] = [
    ("product", "SNP-31", Code.SNP_PRODUCT, judged({}, {"products": ["Genoa"]})),
    ("VLEK by default", "SNP-32", Code.SNP_SIGNING_KEY_TYPE, judged({"signing_key": 1}, {}, csp_id=CSP_ID)),
    (
        "provider that is not listed",
        "SNP-33",
        Code.SNP_CSP_ID_UNKNOWN,
        judged({"signing_key": 1}, {"signing_keys": ["VLEK"]}, csp_id=CSP_ID),
    ),
    ("CURRENT_TCB in one component", "SNP-34", Code.SNP_CURRENT_TCB, judged({"current_tcb": tcb(snp=25, microcode=218)}, {})),
    ("no minimum for the product", "SNP-35", Code.SNP_MINIMUM_TCB_MISSING, judged({}, {"minimum_tcb": {"Genoa": {}}})),
    ("REPORTED_TCB", "SNP-36", Code.SNP_MINIMUM_REPORTED_TCB, judged({"reported_tcb": tcb(snp=23)}, {})),
    ("COMMITTED_TCB", "SNP-37", Code.SNP_MINIMUM_COMMITTED_TCB, judged({"committed_tcb": tcb(snp=23)}, {})),
    ("current firmware below committed", "SNP-38", Code.SNP_CURRENT_VERSION, judged({"current_build": 28}, {})),
    ("committed ABI", "SNP-39", Code.SNP_MINIMUM_ABI, judged({"current_minor": 56}, {"minimum_abi": [1, 56]})),
    ("POLICY bit 17 clear", "SNP-40", Code.SNP_POLICY, judged({"policy": 0x10000}, {})),
    ("POLICY bit 26", "SNP-40", Code.SNP_POLICY, judged({"policy": POLICY | 1 << 26}, {})),
    ("debug", "SNP-41", Code.SNP_DEBUG, judged({"policy": POLICY | GuestPolicy.DEBUG}, {})),
    ("SMT", "SNP-42", Code.SNP_SMT, judged({}, {"smt": False})),
    ("CXL", "SNP-56", Code.SNP_CXL, judged({"policy": POLICY | GuestPolicy.CXL_ALLOW}, {})),
    ("a protection not asked for", "SNP-57", Code.SNP_GUEST_POLICY, judged({}, {"guest_policy": 0x1000000})),
    ("a mitigation not in place", "SNP-58", Code.SNP_MIT_VECTOR, judged({"version": 5}, {"current_mit_vector": 1})),
    ("no mitigations in version 3", "SNP-58", Code.SNP_MIT_VECTOR, judged({}, {"launch_mit_vector": 1})),
    ("migration", "SNP-43", Code.SNP_MIGRATION, judged({"policy": POLICY | GuestPolicy.MIGRATE_MA}, {})),
    ("a migration agent", "SNP-44", Code.SNP_REPORT_ID_MA, judged({"report_id_ma": bytes(32)}, {})),
    ("VMPL 1", "SNP-45", Code.SNP_VMPL, judged({"vmpl": 1}, {})),
    ("the host asked", "SNP-45", Code.SNP_VMPL, judged({"vmpl": 0xFFFFFFFF}, {"max_vmpl": 3})),
    ("PLATFORM_INFO", "SNP-46", Code.SNP_PLATFORM_INFO, judged({"platform_info": 5}, {"platform_info": 0x20})),
    ("MEASUREMENT", "SNP-47", Code.SNP_MEASUREMENT, judged({"measurement": bytes(48)}, {})),
    ("no measurement listed", "SNP-47", Code.SNP_MEASUREMENT, judged({}, {"measurements": []})),
    ("GUEST_SVN", "SNP-48", Code.SNP_GUEST_SVN, judged({"guest_svn": 2}, {"minimum_guest_svn": 3})),
    ("HOST_DATA", "SNP-49", Code.SNP_HOST_DATA, judged({}, {"host_data": ["01" * 32]})),
    ("ID_KEY_DIGEST", "SNP-50", Code.SNP_ID_KEY_DIGEST, judged({}, {"id_key_digests": ["02" * 48]})),
    (
        "AUTHOR_KEY_DIGEST without AUTHOR_KEY_EN",
        "SNP-51",
        Code.SNP_AUTHOR_KEY_DIGEST,
        judged({"author_key_digest": b"\x03" * 48}, {"author_key_digests": ["03" * 48]}),
    ),
    ("FAMILY_ID", "SNP-52", Code.SNP_FAMILY_ID, judged({}, {"family_ids": ["04" * 16]})),
    ("IMAGE_ID", "SNP-53", Code.SNP_IMAGE_ID, judged({}, {"image_ids": ["05" * 16]})),
    ("REPORT_ID", "SNP-54", Code.SNP_REPORT_ID, judged({}, {"report_ids": ["06" * 32]})),
    ("CHIP_ID", "SNP-55", Code.SNP_CHIP_ID, judged({}, {"chip_ids": ["07" * 64]})),
    ("masked CHIP_ID", "SNP-55", Code.SNP_CHIP_ID, judged({"chip_id": bytes(64)}, {"chip_ids": ["00" * 64]})),
]


def build(previous: dict[str, Any] | None) -> dict[str, Any]:
    """The whole file."""
    kept = {case["id"]: case["input"] for case in previous["cases"]} if previous else {}
    return {
        "spec": "spec/07a-snp.md",
        "generator": "scripts/vectors/snp.py",
        "provenance": PROVENANCE,
        "cases": [*_parsed(), *_authenticated(kept), *_validated()],
    }


def _parsed() -> Iterator[Case]:
    plain = report.encode({"measurement": b"\x5a" * 48, "version": 5, "cpuid_family": 0x19, "signature_r": 7, "signature_s": 9})
    yield accept("snp-parse-accept-version-5", "SNP-1 SNP-2 SNP-3 SNP-4 SNP-5 SNP-6 SNP-7", "snp.parse", {"report": plain.hex()})
    yield accept("snp-parse-accept-device-buffer", "SNP-1", "snp.parse", {"report": plain.hex(), "zeros": 2816})
    for size, given in (("short", plain[:-1]), ("empty", b""), ("trailing", plain + b"\x01")):
        yield reject(f"snp-parse-reject-{size}", "SNP-1", "snp.parse", {"report": given.hex()}, Code.SNP_SIZE)
    yield reject("snp-parse-reject-over-buffer", "SNP-1", "snp.parse", {"report": plain.hex(), "zeros": 2817}, Code.SNP_SIZE)
    for what, musts, code, fields in HEADERS:
        yield reject(f"snp-parse-reject-{_slug(what)}", musts, "snp.parse", {"report": report.encode(fields).hex()}, code)


def _authenticated(kept: dict[str, Any]) -> Iterator[Case]:
    """Signed inputs are made once: the identifier names what lies in them, and a new lie needs a new identifier."""
    for what, musts, make in GENUINE:
        identifier = f"snp-authenticate-accept-{_slug(what)}"
        yield accept(identifier, musts, "snp.authenticate", kept.get(identifier) or make())
    for what, musts, code, make in LIES:
        identifier = f"snp-authenticate-reject-{_slug(what)}"
        yield reject(identifier, musts, "snp.authenticate", kept.get(identifier) or make(), code)


def _validated() -> Iterator[Case]:
    for what, musts, given in ACCEPTABLE:
        yield accept(f"snp-validate-accept-{_slug(what)}", musts, "snp.validate", given)
    for what, musts, code, given in UNACCEPTABLE:
        yield reject(f"snp-validate-reject-{_slug(what)}", musts, "snp.validate", given, code)


def _slug(what: str) -> str:
    return "-".join("".join(letter if letter.isalnum() else " " for letter in what.lower()).split())
