"""vectors/07e-tpm.json. Quotes for parsing and acceptance rebuild; signed ones are random and kept from the committed file.

ECDSA signatures cannot be made twice, so a case that is there keeps its input, and the test verifies it again.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from confide.attest.dcap.signatures import P256_ORDER
from confide.codes import Code
from confide.formats.fields import format_time
from confide_sim import der, tpm_structures, x509
from confide_sim.tpm import AZURE, GCE_INSTANCE, GOOGLE, FalseCloud, FalseTpm, asset_key, boot_events, instance, usages
from confide_sim.tpm_structures import Event
from scripts.vectors._cases import accept, reject

Case = dict[str, Any]
Made = Callable[[], dict[str, Any]]

PROVENANCE = (
    "Made by scripts/vectors/tpm.py with the false clouds of confide-sim, whose private keys are public (sim/make_tpm_assets.py); "
    "every certificate says SIMULATED. ECDSA signatures are random, so signed inputs are kept from the committed file and verified "
    "again."
)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
EXTRA = bytes(range(32))
SHA1, SHA256, SHA384 = 0x0004, 0x000B, 0x000C
KEY, OTHER = ec.derive_private_key(7, ec.SECP256R1()), ec.derive_private_key(9, ec.SECP256R1())
TPM = FalseTpm(GOOGLE, at=NOW, key=KEY)
QUOTED = (0, 4, 7)


def signed(
    *,
    cloud: FalseCloud = GOOGLE,
    tpm: FalseTpm | None = None,
    items: dict[str, bytes | None] | None = None,
    log: bytes | None = None,
    roots: tuple[bytes, ...] | None = None,
    revocation: dict[str, Any] | None = None,
    at: datetime = NOW,
    endorsements: dict[str, Any] | None = None,
    **quote: Any,
) -> Made:
    """The input of `tpm.authenticate`; `items`, `endorsements` and `quote` are overrides."""

    def make() -> dict[str, Any]:
        device = tpm or (TPM if cloud is GOOGLE else FalseTpm(cloud, at=NOW, key=asset_key("azure_signer")))
        found = device.items(**{"extra_data": EXTRA, "indexes": QUOTED, "items": {"event-log": log, **(items or {})}, **quote})
        if "pcrs" not in (items or {}):
            chosen = quote.get("indexes", QUOTED)
            values = quote.get("pcrs") or device.pcrs(quote.get("bank", SHA256))
            found["pcrs"] = tpm_structures.pcrs_json({index: values[index] for index in chosen})
        return {
            "evidence": {role: value.hex() for role, value in found.items()},
            "endorsements": {role: value.hex() for role, value in device.endorsements(**(endorsements or {})).items.items()},
            "roots": [root.hex() for root in (roots or (device.cloud.root,))],
            "now": format_time(at),
            "revocation": revocation or {"required": True},
        }

    return make


def leaf(**overrides: Any) -> Made:
    """The key's certificate with one lie."""
    return signed(endorsements={"ak_cert": TPM.issue(**overrides)})


def signer(**overrides: Any) -> Made:
    """The intermediate with one lie."""
    return signed(endorsements={"ak_chain": GOOGLE.issue_signer(**overrides)})


def crl(revocation: dict[str, Any] | None = None, **overrides: Any) -> Made:
    """The root's list with one lie."""
    return signed(endorsements={"crl": GOOGLE.crl(at=NOW, **overrides)}, revocation=revocation)


def logged(events: tuple[Event, ...], banks: tuple[int, ...] = (SHA256,), **quote: Any) -> Made:
    """A quote with an event log of the boot that it is about."""
    device = FalseTpm(GOOGLE, at=NOW, key=KEY, events=events)
    return signed(tpm=device, log=tpm_structures.event_log(events, banks), **quote)


def respelled(change: Callable[[bytes, bytes], tuple[bytes, bytes]]) -> Made:
    """The quote with r and s of its signature written otherwise (TPM 2.0 Library part 2, section 11.3.2)."""

    def make() -> dict[str, Any]:
        found = signed()()
        whole = bytes.fromhex(found["evidence"]["signature"])
        numbers = change(whole[6:38], whole[40:72])
        found["evidence"]["signature"] = (whole[:4] + b"".join(map(tpm_structures.sized, numbers))).hex()
        return found

    return make


def negative(s: bytes) -> bytes:
    """As good as s itself: FIPS 186-5 section 6.4.2 leaves both."""
    return (P256_ORDER - int.from_bytes(s)).to_bytes(32)


BOOT = boot_events()
SEV = boot_events(technology=1, secure_boot=False)
CRITICAL = (der.extension("1.2.3.4", der.null(), critical=True),)
CA, CERT_SIGN = x509.basic_constraints(ca=True), x509.key_usage(cert_sign=True, crl_sign=True)
_SPKI = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
ALL = " ".join(f"TPM-{number}" for number in (*range(1, 14), *range(16, 21)))
AK = "TPM-14 TPM-15"
LOG = "TPM-21 TPM-22 TPM-23"
CUBED = rsa.RSAPublicNumbers(3, asset_key("azure_signer").public_key().public_numbers().n).public_key().public_bytes(*_SPKI)
_ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()

GENUINE: list[tuple[str, str, Made]] = [
    ("Google, P-256, a public area", f"{ALL} {AK}", signed()),
    ("Azure, RSASSA", f"{ALL} {AK}", signed(cloud=AZURE)),
    (
        "Azure, RSAPSS with SHA-384",
        "TPM-3 TPM-15 TPM-17 TPM-20",
        signed(
            cloud=AZURE,
            scheme=0x0016,
            signature_hash=SHA384,
            items={"ak-public": tpm_structures.public(asset_key("azure_signer"), scheme=0x0016, digest=SHA384)},
        ),
    ),
    ("s negated", "TPM-17", respelled(lambda r, s: (r, negative(s)))),
    ("no public area", "TPM-14", signed(items={"ak-public": None})),
    ("a public area behind its length", "TPM-14", signed(items={"ak-public": tpm_structures.sized(tpm_structures.public(KEY))})),
    ("a bank of SHA-384", "TPM-19 TPM-20", signed(bank=SHA384)),
    ("an empty bank beside", "TPM-19", signed(selected=tpm_structures.selection(((SHA1, ()), (SHA256, QUOTED))))),
    ("values beyond the selection", "TPM-19", signed(items={"pcrs": tpm_structures.pcrs_json(TPM.pcrs())})),
    ("a machine without an extension", "TPM-12", leaf(extensions=())),
    ("no list, none required", "TPM-11", signed(endorsements={"crl": False}, revocation={"required": False})),
    ("a list of the greatest age", "TPM-16", signed(revocation={"required": True, "max_age": 86400})),
    ("an event log", LOG, logged(BOOT)),
    ("an event log of plain SEV, Secure Boot off", LOG, logged(SEV)),
    (
        "an event log that says what its digests do not cover",
        LOG,
        logged((Event(0, 0x11, b"GCE NonHostInfo\x00\x04" + bytes(15), b"x"),)),
    ),
    ("PCR 10 of later software", "TPM-23", logged(BOOT, pcrs=TPM.pcrs() | {10: b"\x5a" * 32}, indexes=(0, 10))),
]

LIES: list[tuple[str, str, Code, Made]] = [
    ("no certificate", "TPM-4", Code.X509_MISSING, signed(endorsements={"ak_cert": None})),
    ("no intermediate", "TPM-4", Code.X509_MISSING, signed(endorsements={"ak_chain": None})),
    ("another cloud's root", "TPM-4", Code.X509_MISSING, signed(roots=(AZURE.root,))),
    ("a root that is not pinned", "TPM-5", Code.X509_ROOT, signed(endorsements={"ak_chain": GOOGLE.issue_root(serial_number=9)})),
    ("an intermediate that is no CA", "TPM-6", Code.X509_BASIC_CONSTRAINTS, signer(extensions=(CERT_SIGN,))),
    ("an intermediate that may not certify", "TPM-6", Code.X509_KEY_USAGE, signer(extensions=(CA, x509.key_usage(crl_sign=True)))),
    ("a key that is a CA", "TPM-7", Code.X509_BASIC_CONSTRAINTS, leaf(usual=(CA,))),
    ("a key that may not sign", "TPM-7", Code.X509_KEY_USAGE, leaf(usual=(x509.key_usage(cert_sign=True),))),
    ("a key for web servers", "TPM-8", Code.TPM_USAGE, leaf(extensions=(usages("1.3.6.1.5.5.7.3.1"),))),
    ("an intermediate for web servers", "TPM-8", Code.TPM_USAGE, signer(extensions=(CA, CERT_SIGN, usages("1.3.6.1.5.5.7.3.1")))),
    ("an unknown critical extension", "TPM-9", Code.X509_EXTENSION, leaf(more_extensions=CRITICAL)),
    (
        "an intermediate of P-521",
        "TPM-10",
        Code.X509_ISSUER_KEY,
        signer(public_key=x509.spki(ec.derive_private_key(7, ec.SECP521R1()))),
    ),
    ("signed with another algorithm", "TPM-10", Code.X509_SIGNATURE_ALGORITHM, leaf(algorithm=x509.pss(salt=32))),
    ("signed by the root", "TPM-10", Code.X509_SIGNATURE, leaf(key=asset_key("google_root"))),
    ("no list", "TPM-11", Code.X509_CRL_MISSING, signed(endorsements={"crl": False})),
    ("a list with another algorithm", "TPM-11", Code.X509_CRL_ALGORITHM, crl(algorithm=x509.pss(salt=32))),
    ("a list by the intermediate's key", "TPM-11", Code.X509_CRL_SIGNATURE, crl(key=asset_key("google_signer"))),
    ("a list with a critical extension", "TPM-11", Code.X509_CRL_EXTENSION, crl(extensions=CRITICAL)),
    ("the intermediate revoked", "TPM-11", Code.X509_REVOKED, crl(revoked=(2,))),
    ("an extension that does not decode", "TPM-12", Code.TPM_EXTENSION, leaf(extensions=(der.extension(GCE_INSTANCE, b"0"),))),
    ("a machine that is not for production", "TPM-12", Code.TPM_PRODUCTION, leaf(extensions=(instance(production=False),))),
    (
        "a certified key of Ed25519",
        "TPM-13",
        Code.TPM_KEY,
        leaf(public_key=_ED25519.public_bytes(*_SPKI)),
    ),
    ("a certified key of exponent 3", "TPM-13", Code.TPM_KEY, leaf(public_key=CUBED)),
    ("a public area that is cut", "TPM-14", Code.TPM_STRUCTURE, signed(items={"ak-public": tpm_structures.public(KEY)[:-1]})),
    (
        "a key that is not restricted",
        "TPM-14",
        Code.TPM_ATTRIBUTES,
        signed(items={"ak-public": tpm_structures.public(KEY, attributes=tpm_structures.ATTRIBUTES & ~(1 << 16))}),
    ),
    (
        "a key that decrypts",
        "TPM-14",
        Code.TPM_ATTRIBUTES,
        signed(items={"ak-public": tpm_structures.public(KEY, attributes=tpm_structures.ATTRIBUTES | 1 << 17)}),
    ),
    ("another key's public area", "TPM-15", Code.TPM_KEY, signed(items={"ak-public": tpm_structures.public(OTHER)})),
    ("a storage key", "TPM-15", Code.TPM_KEY, signed(items={"ak-public": tpm_structures.public(KEY, symmetric=0x0006)})),
    ("a key without a scheme", "TPM-15", Code.TPM_SCHEME, signed(items={"ak-public": tpm_structures.public(KEY, scheme=0x0010)})),
    (
        "another hash than the key's",
        "TPM-15",
        Code.TPM_SCHEME,
        signed(signature_hash=SHA384, items={"ak-public": tpm_structures.public(KEY)}),
    ),
    ("a certificate of the future", "TPM-16", Code.X509_NOT_YET_VALID, leaf(not_before=NOW + DAY)),
    ("a certificate that has expired", "TPM-16", Code.X509_EXPIRED, leaf(not_after=NOW - DAY)),
    ("a list of the future", "TPM-16", Code.X509_CRL_NOT_YET_VALID, crl(this_update=NOW + DAY)),
    ("a list past nextUpdate", "TPM-16", Code.X509_CRL_EXPIRED, crl(next_update=NOW - DAY)),
    ("a list too old", "TPM-16", Code.X509_CRL_AGE, crl(revocation={"required": True, "max_age": 86399})),
    ("a quote by another key", "TPM-17", Code.TPM_SIGNATURE, signed(key=OTHER)),
    ("r with a zero in front", "TPM-17", Code.TPM_SIGNATURE, respelled(lambda r, s: (b"\x00" + r, s))),
    ("s with a zero in front", "TPM-17", Code.TPM_SIGNATURE, respelled(lambda r, s: (r, b"\x00" + s))),
    ("a quote edited", "TPM-17", Code.TPM_SIGNATURE, signed(edited=lambda data: data[:-1] + bytes((data[-1] ^ 1,)))),
    ("PCRs in a list", "TPM-18", Code.TPM_STRUCTURE, signed(items={"pcrs": b"[]"})),
    ("a PCR twice", "TPM-18", Code.TPM_STRUCTURE, signed(items={"pcrs": b'{"4":"00","04":"00"}'})),
    ("PCR 32", "TPM-18", Code.TPM_STRUCTURE, signed(items={"pcrs": b'{"32":"00"}'})),
    ("two banks", "TPM-19", Code.TPM_SELECTION, signed(selected=tpm_structures.selection(((SHA1, (0,)), (SHA256, (0,)))))),
    ("nothing selected", "TPM-19", Code.TPM_SELECTION, signed(indexes=())),
    ("a value missing", "TPM-19", Code.TPM_SELECTION, signed(items={"pcrs": tpm_structures.pcrs_json({0: TPM.pcrs()[0]})})),
    (
        "a value edited",
        "TPM-20",
        Code.TPM_PCR_DIGEST,
        signed(items={"pcrs": tpm_structures.pcrs_json({**{index: TPM.pcrs()[index] for index in QUOTED}, 4: bytes(32)})}),
    ),
    ("no event log", "TPM-21", Code.EVENTLOG_MALFORMED, signed(log=bytes(40))),
    ("an event log of another bank", "TPM-21", Code.EVENTLOG_ALGORITHM, logged(BOOT, banks=(SHA1,))),
    (
        "an event too many",
        "TPM-22",
        Code.TPM_EVENT_LOG,
        signed(log=tpm_structures.event_log((*BOOT, Event(4, 0x0D, b"x")), (SHA256,))),
    ),
    (
        "events left out",
        "TPM-23",
        Code.TPM_EVENT_LOG,
        signed(log=tpm_structures.event_log(tuple(event for event in BOOT if event.register != 4), (SHA256,))),
    ),
]

PARSED: list[tuple[str, str, Code, dict[str, Any]]] = [
    ("another magic", "TPM-2", Code.TPM_MAGIC, {"magic": b"XXXG"}),
    ("a certification", "TPM-2", Code.TPM_MAGIC, {"kind": 0x8017}),
    ("bytes left over", "TPM-1", Code.TPM_STRUCTURE, {"trailing": b"\x00"}),
    ("safe of 2", "TPM-1", Code.TPM_STRUCTURE, {"safe": 2}),
    ("a bank twice", "TPM-1", Code.TPM_STRUCTURE, {"selected": tpm_structures.selection(((SHA256, (0,)), (SHA256, (1,))))}),
    ("no banks", "TPM-1", Code.TPM_STRUCTURE, {"selected": bytes(4)}),
    ("a selection of five bytes", "TPM-1", Code.TPM_STRUCTURE, {"selected": bytes.fromhex("00000001000b050000000000")}),
]
SIGNATURE = "0018000b00010100 0101".replace(" ", "")
SIGNATURES: list[tuple[str, Code, str]] = [
    ("an HMAC", Code.TPM_SCHEME, "0005000b0000"),
    ("SHA-1", Code.TPM_SCHEME, "0018000400010100 0101".replace(" ", "")),
    ("bytes left over", Code.TPM_STRUCTURE, SIGNATURE + "00"),
    ("nothing", Code.TPM_STRUCTURE, ""),
]

ZERO, ONE = "00" * 32, "11" * 32
MACHINE = ["nowhere1-a", "simulated-project", "81985529216486895"]
LISTED = {"pcrs": {"4": [ZERO, ONE]}, "allow_host_trusted": "unsafe_ignored"}


def shown(constraints: dict[str, Any], **claims: Any) -> dict[str, Any]:
    """The input of `tpm.validate`."""
    given = {"bank": SHA256, "pcrs": {"0": ONE, "4": ONE}, "authority": "google", "instance": MACHINE, "technology": "AMD_SEV"}
    return {**given, "secure_boot": True, **claims, "constraints": {**LISTED, **constraints}}


FULL: dict[str, Any] = {
    "banks": [SHA256],
    "authorities": ["google"],
    "projects": ["simulated-project"],
    "zones": ["nowhere1-a"],
    "instances": ["81985529216486895"],
    "technologies": ["AMD_SEV"],
    "secure_boot": True,
}
ACCEPTABLE: list[tuple[str, str, dict[str, Any]]] = [
    ("host trusted, one PCR", "TPM-24 TPM-25 TPM-26", shown({})),
    ("any software", "TPM-26", shown({"pcrs": "unsafe_ignored"})),
    ("everything listed", "TPM-25 TPM-27 TPM-28 TPM-29 TPM-30", shown(FULL)),
]
UNACCEPTABLE: list[tuple[str, str, Code, dict[str, Any]]] = [
    ("a bank of SHA-1", "TPM-25", Code.TPM_BANK, shown({"pcrs": "unsafe_ignored"}, bank=SHA1)),
    ("no PCR named", "TPM-26", Code.TPM_PCR, shown({"pcrs": {}})),
    ("a value that is not listed", "TPM-26", Code.TPM_PCR, shown({"pcrs": {"4": [ZERO]}})),
    ("a PCR that was not quoted", "TPM-26", Code.TPM_PCR, shown({"pcrs": {"7": [ZERO]}})),
    ("another cloud", "TPM-27", Code.TPM_AUTHORITY, shown({"authorities": ["azure"]})),
    ("another project", "TPM-28", Code.TPM_INSTANCE, shown({"projects": ["x"]})),
    ("another zone", "TPM-28", Code.TPM_INSTANCE, shown({"zones": ["x"]})),
    ("another instance", "TPM-28", Code.TPM_INSTANCE, shown({"instances": ["1"]})),
    ("a machine without a name", "TPM-28", Code.TPM_INSTANCE, shown({"projects": ["x"]}, instance=None)),
    ("another technology", "TPM-29", Code.TPM_TECHNOLOGY, shown({"technologies": ["AMD_SEV_SNP"]})),
    ("no technology shown", "TPM-29", Code.TPM_TECHNOLOGY, shown({"technologies": ["NONE"]}, technology=None)),
    ("Secure Boot off", "TPM-30", Code.TPM_SECURE_BOOT, shown({"secure_boot": True}, secure_boot=False)),
    ("Secure Boot not shown", "TPM-30", Code.TPM_SECURE_BOOT, shown({"secure_boot": True}, secure_boot=None)),
]


def build(previous: dict[str, Any] | None) -> dict[str, Any]:
    """The whole file."""
    kept = {case["id"]: case["input"] for case in previous["cases"]} if previous else {}
    return {
        "spec": "spec/07e-tpm.md",
        "generator": "scripts/vectors/tpm.py",
        "provenance": PROVENANCE,
        "cases": [*_parsed(), *_authenticated(kept), *_validated(), *_bound()],
    }


def _parsed() -> Iterator[Case]:
    values = {index: bytes(32) for index in range(24)}
    plain = tpm_structures.quote(values, extra_data=EXTRA).hex()
    yield accept("tpm-parse-accept-quote", "TPM-1 TPM-2 TPM-3", "tpm.parse", {"attest": plain, "signature": SIGNATURE})
    for what, musts, code, fields in PARSED:
        attest = tpm_structures.quote(values, **{"extra_data": EXTRA, **fields}).hex()
        yield reject(f"tpm-parse-reject-{slug(what)}", musts, "tpm.parse", {"attest": attest, "signature": SIGNATURE}, code)
    for what, data in (("short", plain[:10]), ("long", plain + "00" * 1024)):
        given = {"attest": data, "signature": SIGNATURE}
        yield reject(f"tpm-parse-reject-{what}", "TPM-1", "tpm.parse", given, Code.TPM_STRUCTURE)
    for what, code, signature in SIGNATURES:
        given = {"attest": plain, "signature": signature}
        yield reject(f"tpm-parse-reject-signature-{slug(what)}", "TPM-3", "tpm.parse", given, code)


def _authenticated(kept: dict[str, Any]) -> Iterator[Case]:
    """Signed inputs are made once: the identifier names what lies in them, and a new lie needs a new identifier."""
    for what, musts, make in GENUINE:
        identifier = f"tpm-authenticate-accept-{slug(what)}"
        yield accept(identifier, musts, "tpm.authenticate", kept.get(identifier) or make())
    for what, musts, code, make in LIES:
        identifier = f"tpm-authenticate-reject-{slug(what)}"
        yield reject(identifier, musts, "tpm.authenticate", kept.get(identifier) or make(), code)


def _validated() -> Iterator[Case]:
    for what, musts, given in ACCEPTABLE:
        yield accept(f"tpm-validate-accept-{slug(what)}", musts, "tpm.validate", given)
    for what, musts, code, given in UNACCEPTABLE:
        yield reject(f"tpm-validate-reject-{slug(what)}", musts, "tpm.validate", given, code)
    alone = shown({})
    alone["constraints"] = {"pcrs": "unsafe_ignored"}
    yield reject("tpm-validate-reject-a-host-that-is-not-trusted", "TPM-24", "tpm.validate", alone, Code.TPM_HOST_TRUSTED)


def _bound() -> Iterator[Case]:
    yield accept("tpm-bound-accept-named", "TPM-31", "tpm.bound", {"key": ONE, "named": ONE})
    for what, named in (("another-key", ZERO), ("no-key", None), ("a-part", ONE[:32])):
        yield reject(f"tpm-bound-reject-{what}", "TPM-31", "tpm.bound", {"key": ONE, "named": named}, Code.TPM_KEYSET)


def slug(what: str) -> str:
    """An identifier out of words."""
    return "-".join("".join(letter if letter.isalnum() else " " for letter in what.lower()).split())
