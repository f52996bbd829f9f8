"""vectors/07b-dcap.json. Everything rebuilds: the false Intel's keys follow from labels, and its signatures are deterministic."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from confide.attest.evidence import Kind
from confide.codes import Code
from confide.formats.fields import format_time
from confide_sim import der, intel, intel_quote, td, x509
from confide_sim.intel import FalsePlatform, key_of, level, module, pem, svn_level
from scripts.vectors._cases import accept, reject
from scripts.vectors.tpm import slug

Case = dict[str, Any]
Given = dict[str, Any]

PROVENANCE = (
    "Made by scripts/vectors/dcap.py with the false Intel of confide-sim, whose keys anybody can derive; every certificate says "
    "SIMULATED. Signatures are deterministic (RFC 6979), so the whole file rebuilds."
)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DATA = bytes(range(64))
SERVER = FalsePlatform(at=NOW, seed=b"vectors")
CLIENT = FalsePlatform(at=NOW, seed=b"vectors", ca="processor")
TD = FalsePlatform(Kind.TDX, at=NOW, seed=b"vectors")
SIGNER, OTHER = pem(intel.tcb_signing_certificate()), key_of("somebody else's")
LEVELS = [level(), level("OutOfDate", sgx=(4,) * 16, pce_svn=11, advisories=("INTEL-SA-00001",))]
SKIP = "unsafe_ignored"
CA = (x509.key_usage(cert_sign=True, crl_sign=True), x509.basic_constraints(ca=True, path_length=0))
ROLES = ("tcb-info", "tcb-info-chain", "qe-identity", "qe-identity-chain")


def chain(leaf: bytes | None = None, ca: bytes | None = None) -> tuple[int, bytes]:
    """Certification data of type 5, without the root."""
    return 5, pem(leaf or SERVER.certificate, ca or intel.ca_certificate())


def signed(
    platform: FalsePlatform = SERVER,
    *,
    at: datetime = NOW,
    revocation: dict[str, Any] | None = None,
    roots: tuple[bytes, ...] | None = None,
    beside: dict[str, bytes | None] | None = None,
    **quote: Any,
) -> Given:
    """The input of `dcap.authenticate`; `quote` and `beside` are overrides."""
    certificates = 5, pem(platform.certificate, intel.ca_certificate(platform.ca))
    short: dict[str, bytes | None] = {"tcb-info-chain": SIGNER, "qe-identity-chain": SIGNER, "pck-crl-chain": None}
    overrides: dict[str, Any] = {role.replace("-", "_"): value for role, value in {**short, **(beside or {})}.items()}
    found = platform.endorsements(**overrides)
    return {
        "kind": platform.kind.value,
        "quote": platform.quote(**{"report_data": DATA, "certification": certificates, **quote}).hex(),
        "endorsements": {role: value.hex() for role, value in found.items.items()},
        "roots": [root.hex() for root in (roots or (intel.root().der,))],
        "now": format_time(at),
        "revocation": revocation or {"required": True},
    }


def leaf(**overrides: Any) -> Given:
    """One lie in the PCK certificate."""
    return signed(certification=chain(SERVER.pck(**overrides)))


def authority(**overrides: Any) -> Given:
    """One lie in the CA's."""
    return signed(certification=chain(ca=intel.ca_certificate(**overrides)))


def info(**members: Any) -> Given:
    """One lie in the TCB info."""
    return signed(beside={"tcb-info": intel.tcb_info(at=NOW, **{"tcbLevels": LEVELS, **members})})


def identity(**members: Any) -> Given:
    """One lie in the QE identity."""
    return signed(beside={"qe-identity": intel.qe_identity(at=NOW, **members)})


def crl(issuer: str = "platform", **overrides: Any) -> Given:
    """One lie in a list."""
    return signed(beside={"root-crl" if issuer == "root" else "pck-crl": intel.crl(issuer, at=NOW, **overrides)})


def parsed(platform: FalsePlatform = SERVER, cut: int | None = None, at: int = 0, put: bytes = b"", **quote: Any) -> Given:
    """The input of `dcap.parse`: nothing in it is verified, so certificates are left out."""
    data = platform.quote(**{"certification": (5, b"PEM"), **quote})[:cut]
    data = data[:at] + put + data[at + len(put) :]
    return {"quote": data.hex(), "tee": platform.kind.name}


def pck(values: dict[str, bytes | None] | None = None, platform: FalsePlatform = SERVER, **overrides: Any) -> Given:
    """The input of `dcap.pck`."""
    return {"pck": platform.pck(pck=values, **overrides).hex()}


def stated(**members: Any) -> Given:
    """TCB info for reading."""
    return {"tcb_info": intel.tcb_info(at=NOW, **{"tcbLevels": LEVELS, **members}).hex()}


def described(**members: Any) -> Given:
    """QE identity for reading."""
    return {"qe_identity": intel.qe_identity(at=NOW, **members).hex()}


def tcb(
    levels: list[Any] | None = None,
    *,
    svn: int = 8,
    qe: list[Any] | None = None,
    constraints: Given | None = None,
    launched: bytes | None = None,
    running: bytes | None = None,
    modules: list[Any] | None = None,
    signer: bytes = bytes(48),
    **platform: Any,
) -> Given:
    """The input of `dcap.tcb`; TDX where `launched` is given."""
    kind = Kind.SGX if launched is None else Kind.TDX
    members: dict[str, Any] = {} if levels is None else {"tcbLevels": levels}
    members |= {} if modules is None else {"tdxModuleIdentities": modules}
    said: dict[str, Any] = {"tcbLevels": qe} if qe else {}
    found: Given = {
        "tcb_info": intel.tcb_info(kind, at=NOW, **members).hex(),
        "qe_identity": intel.qe_identity(kind, at=NOW, **said).hex(),
        "qe_isv_svn": svn,
        "pck": platform,
        "constraints": constraints or {},
    }
    if launched is None:
        return found
    tdx = {"tee_tcb_svn": launched.ljust(16, b"\x00"), "mr_signer_seam": signer, "seam_attributes": bytes(8)}
    tdx |= {} if running is None else {"tee_tcb_svn2": running.ljust(16, b"\x00")}
    return found | {"tdx": {name: value.hex() for name, value in tdx.items()}}


def platform(status: str | None = "UpToDate", *advisories: str, **given: Any) -> Given:
    """The input of `dcap.platform`; `given`: constraints, and `pck`."""
    facts = {"status": status, "advisories": list(advisories), "pck": given.pop("pck", {})}
    return {**facts, "constraints": given}


def enclave(constraints: Given | None = None, **fields: Any) -> Given:
    """The input of `sgx.validate`."""
    return {"body": intel_quote.report(fields).hex(), "constraints": {"mr_enclaves": ["e1" * 32], **(constraints or {})}}


def named(given: Given, **replaced: Any) -> Given:
    """Constraints replaced; None leaves one out."""
    merged = {**given["constraints"], **replaced}
    return {**given, "constraints": {name: value for name, value in merged.items() if value is not None}}


OLD, CURRENT = bytes((3, 1, 2)), bytes((5, 1, 2))
BY_SIGNER = {"mr_enclaves": None, "mr_signers": ["51" * 32], "isv_prod_ids": [7]}
EDITED = intel.tcb_info(at=NOW, tcbLevels=[level("OutOfDate")]).replace(b'"OutOfDate"', b'"UpToDate"')
FORM = " ".join(f"DCAP-{number}" for number in range(1, 9))
WHOLE = " ".join(f"DCAP-{number}" for number in range(9, 33))

ACCEPTED: dict[str, list[tuple[str, str, Given]]] = {
    "dcap.parse": [
        ("SGX, version 3", FORM, parsed()),
        ("SGX, version 4", FORM, parsed(version=4)),
        ("SGX, version 5", FORM, parsed(version=5)),
        ("TDX, version 4", FORM, parsed(TD)),
        ("TDX, version 5, body of 584 bytes", "DCAP-6", parsed(TD, version=5)),
        ("TDX, version 5, body of 648 bytes", "DCAP-6", parsed(TD, size=td.TD_15)),
        ("TDX, version 5, body of 885 bytes", "DCAP-6", parsed(TD, size=td.TD_15_EX)),
        ("an encrypted PPID", "DCAP-7", parsed(certification=(3, bytes(404)))),
        ("zeros behind", "DCAP-8", parsed(behind=bytes(100))),
    ],
    "dcap.pck": [
        ("a server", "DCAP-14", pck()),
        ("a client", "DCAP-14", pck(platform=CLIENT)),
        ("a member that nobody knows", "DCAP-14", pck({"9": der.null()})),
    ],
    "dcap.collateral": [
        ("TCB info", "DCAP-16 DCAP-17", stated()),
        ("TCB info with a member that nobody knows", "DCAP-16", stated(somethingNew=[1])),
        ("QE identity", "DCAP-16 DCAP-17", described()),
    ],
    "dcap.authenticate": [
        ("an enclave on a server", WHOLE, signed()),
        ("an enclave on a client", WHOLE, signed(CLIENT)),
        ("a TD", WHOLE, signed(TD)),
        (
            "a leaf in the quote, its CA beside",
            "DCAP-7",
            signed(certification=(4, pem(SERVER.certificate)), beside={"pck-crl-chain": pem(intel.ca_certificate())}),
        ),
        (
            "an edition of the root",
            "DCAP-10",
            signed(
                certification=(5, pem(SERVER.certificate, intel.ca_certificate(), intel.root_certificate(not_before=NOW - DAY)))
            ),
        ),
        (
            "no collateral, none required",
            "DCAP-15",
            signed(beside=dict.fromkeys((*ROLES, "pck-crl", "root-crl")), revocation={"required": False}),
        ),
        ("a list of the greatest age", "DCAP-31", signed(revocation={"required": True, "max_age": 86400})),
        ("the last moment", "DCAP-32", signed(at=NOW + 29 * DAY)),
        ("a grace", "DCAP-31 DCAP-32", signed(at=NOW + 30 * DAY, revocation={"required": True, "grace": 86400})),
    ],
    "dcap.tcb": [
        ("the highest level", "DCAP-33", tcb()),
        ("levels in another order", "DCAP-33", tcb(LEVELS[::-1])),
        (
            "advisories",
            "DCAP-33",
            tcb(
                [level("SWHardeningNeeded", advisories=("INTEL-SA-00615",))],
                constraints={"tcb": {"SWHardeningNeeded": ["INTEL-SA-00615"]}},
            ),
        ),
        ("a TD of a module's version", "DCAP-34 DCAP-35", tcb(launched=CURRENT)),
        ("a TD of no version", "DCAP-34 DCAP-35", tcb(launched=bytes((5, 0, 2)))),
        ("a TD to relaunch", "DCAP-36", tcb(launched=OLD, running=CURRENT, constraints={"tcb": {"TDRelaunchAdvised": SKIP}})),
        (
            "a TD to relaunch and configure",
            "DCAP-36",
            tcb(
                [level("ConfigurationNeeded", tdx=(5, 0, 2, *(0,) * 13))],
                launched=OLD,
                running=CURRENT,
                constraints={"tcb": {"TDRelaunchAdvisedConfigurationNeeded": SKIP}},
            ),
        ),
        ("a QE out of date", "DCAP-37", tcb(svn=6, constraints={"tcb": {"OutOfDate": ["INTEL-SA-00003"]}})),
        (
            "a QE out of date on a misconfigured platform",
            "DCAP-37",
            tcb([level("ConfigurationAndSWHardeningNeeded")], svn=6, constraints={"tcb": {"OutOfDateConfigurationNeeded": SKIP}}),
        ),
    ],
    "dcap.platform": [
        ("up to date", "DCAP-38 DCAP-39 DCAP-40", platform()),
        ("any status", "DCAP-38 DCAP-40", platform(None, allow_any_tcb=SKIP)),
        (
            "an accepted advisory",
            "DCAP-39",
            platform("ConfigurationNeeded", "INTEL-SA-00219", tcb={"ConfigurationNeeded": ["INTEL-SA-00219", "INTEL-SA-00289"]}),
        ),
        (
            "everything named",
            "DCAP-41 DCAP-42 DCAP-43 DCAP-44",
            platform(minimum_evaluation_number=17, platform_ids=[bytes(range(16)).hex()], fmspcs=["00806f050000"], smt=False),
        ),
        (
            "neither dynamic nor cached",
            "DCAP-45 DCAP-46",
            platform(dynamic_platform=False, cached_keys=False, pck={"dynamic_platform": False, "cached_keys": False}),
        ),
    ],
    "sgx.validate": [
        ("a listed enclave", " ".join(f"SGX-{number}" for number in range(1, 8)), enclave()),
        ("by signer", "SGX-7 SGX-8 SGX-9 SGX-10", named(enclave(), **BY_SIGNER, minimum_isv_svn=3)),
        ("a debug enclave, by name", "SGX-2", enclave({"allow_debug": SKIP}, flags=7)),
        ("a provisioning key, by name", "SGX-3", enclave({"allow_provision_key": SKIP}, flags=0x15)),
        (
            "attributes under a mask",
            "SGX-4 SGX-5 SGX-6",
            enclave({"attributes": "05" + "00" * 15, "attributes_mask": "ff" * 8 + "00" * 8, "misc_select": [0], "xfrm": [0xE7]}),
        ),
        (
            "a configured enclave",
            "SGX-11 SGX-12 SGX-13 SGX-14",
            enclave(
                {"minimum_config_svn": 2, "config_ids": ["0c" * 64], "ext_prod_ids": ["0e" * 16], "family_ids": ["0f" * 16]},
                flags=0x85,
                config_svn=2,
                config_id=b"\x0c" * 64,
                isv_ext_prod_id=b"\x0e" * 16,
                isv_family_id=b"\x0f" * 16,
            ),
        ),
    ],
}
REFUSED: dict[str, list[tuple[str, str, Code, Given]]] = {
    "dcap.parse": [
        ("one byte short", "DCAP-1", Code.DCAP_SIZE, parsed(cut=-1)),
        ("authentication data beyond its bound", "DCAP-1", Code.DCAP_SIZE, parsed(at=1012, put=b"\x01\x04")),
        ("certification data beyond its bound", "DCAP-1", Code.DCAP_SIZE, parsed(at=1048, put=b"\xff\xff\xff\x7f")),
        ("version 2", "DCAP-2", Code.DCAP_VERSION, parsed(header={"version": 2})),
        ("version 6", "DCAP-2", Code.DCAP_VERSION, parsed(header={"version": 6})),
        ("reserved bytes in version 3", "DCAP-3", Code.DCAP_TEE_TYPE, parsed(header={"tee_type": 1})),
        ("a TD where an enclave is wanted", "DCAP-3", Code.DCAP_TEE_TYPE, parsed(version=4, header={"tee_type": 0x81})),
        ("a TD of version 3", "DCAP-3", Code.DCAP_TEE_TYPE, parsed(TD, header={"version": 3})),
        ("P-384", "DCAP-4", Code.DCAP_KEY_TYPE, parsed(header={"key_type": 3})),
        ("another QE vendor", "DCAP-5", Code.DCAP_QE_VENDOR, parsed(header={"vendor": bytes(16)})),
        ("the body type of a TD", "DCAP-6", Code.DCAP_BODY_TYPE, parsed(version=5, part={"body_type": 2})),
        ("another body size", "DCAP-6", Code.DCAP_BODY_TYPE, parsed(TD, size=td.TD_15, part={"body_size": 649})),
        ("version 4 without type 6", "DCAP-7", Code.DCAP_CERTIFICATION, parsed(version=4, part={"outer": 5})),
        ("bytes behind the quote", "DCAP-8", Code.DCAP_TRAILING, parsed(behind=b"\x00\x01")),
        ("bytes in the signature data", "DCAP-8", Code.DCAP_TRAILING, parsed(part={"behind": b"\x00"})),
    ],
    "dcap.pck": [
        ("no extension", "DCAP-14", Code.DCAP_PCK_EXTENSION, pck(extensions=())),
        *(
            (f"a lie in {what}", "DCAP-14", Code.DCAP_PCK_EXTENSION, pck({key: value}))
            for what, key, value in (
                ("PPID", "1", der.octets(bytes(15))),
                ("component 1", "2.1", der.integer(256)),
                ("component 16", "2.16", None),
                ("PCESVN", "2.17", b"\x02\x02\x00\x0d"),
                ("PCE-ID", "3", der.integer(0)),
                ("FMSPC", "4", None),
                ("SGX type", "5", der.tlv(0x0A, b"\x07")),
                ("the configuration", "7.3", b"\x01\x01\x01"),
            )
        ),
    ],
    "dcap.collateral": [
        ("no JSON", "DCAP-16", Code.DCAP_COLLATERAL, {"tcb_info": "00ff"}),
        (
            "a member twice",
            "DCAP-16",
            Code.DCAP_COLLATERAL,
            {"tcb_info": (intel.tcb_info(at=NOW)[:-1] + b',"signature":"' + b"0" * 128 + b'"}').hex()},
        ),
        ("no FMSPC", "DCAP-16", Code.DCAP_COLLATERAL, stated(fmspc=None)),
        ("15 components", "DCAP-16", Code.DCAP_COLLATERAL, stated(tcbLevels=[level(sgx=(5,) * 15)])),
        ("no levels", "DCAP-16", Code.DCAP_COLLATERAL, described(tcbLevels=[])),
        ("a date that is none", "DCAP-16", Code.DCAP_COLLATERAL, described(nextUpdate="tomorrow")),
        ("TCB info of version 2", "DCAP-17", Code.DCAP_COLLATERAL_VERSION, stated(version=2)),
        ("QE identity of version 1", "DCAP-17", Code.DCAP_COLLATERAL_VERSION, described(version=1)),
    ],
    "dcap.authenticate": [
        ("a PPID alone", "DCAP-7", Code.DCAP_CERTIFICATION, signed(certification=(2, bytes(276)))),
        ("a platform manifest", "DCAP-7", Code.DCAP_CERTIFICATION, signed(certification=(7, bytes(8)))),
        ("no CA", "DCAP-9", Code.X509_MISSING, signed(certification=(5, pem(SERVER.certificate)))),
        (
            "two leaves",
            "DCAP-9",
            Code.DCAP_SUBJECT,
            signed(certification=(5, pem(SERVER.certificate, SERVER.pck(serial=9), intel.ca_certificate()))),
        ),
        (
            "another root is pinned",
            "DCAP-10",
            Code.X509_ROOT,
            signed(
                roots=(intel.root_certificate(public_key=x509.spki(OTHER), key=OTHER),),
                certification=(5, pem(SERVER.certificate, intel.ca_certificate(), intel.root().der)),
            ),
        ),
        (
            "a root of the same name",
            "DCAP-10",
            Code.X509_ROOT,
            signed(
                certification=(
                    5,
                    pem(SERVER.certificate, intel.ca_certificate(), intel.root_certificate(public_key=x509.spki(OTHER), key=OTHER)),
                )
            ),
        ),
        (
            "a CA that is none",
            "DCAP-11",
            Code.X509_BASIC_CONSTRAINTS,
            authority(extensions=(CA[0], x509.basic_constraints(ca=False))),
        ),
        ("a leaf that is a CA", "DCAP-11", Code.X509_BASIC_CONSTRAINTS, leaf(extensions=CA[1:])),
        (
            "a CA that may not sign lists",
            "DCAP-11",
            Code.X509_KEY_USAGE,
            authority(extensions=(x509.key_usage(cert_sign=True), CA[1])),
        ),
        (
            "an unknown critical extension",
            "DCAP-11",
            Code.X509_EXTENSION,
            leaf(more_extensions=(der.extension("1.2.840.113741.99", der.null(), critical=True),)),
        ),
        ("SHA-384", "DCAP-12", Code.X509_SIGNATURE_ALGORITHM, leaf(algorithm=intel.ecdsa("sha384"))),
        ("a leaf by another key", "DCAP-13", Code.X509_SIGNATURE, leaf(key=OTHER)),
        ("a CA by another key", "DCAP-13", Code.X509_SIGNATURE, authority(key=OTHER)),
        ("no QE identity", "DCAP-15", Code.DCAP_COLLATERAL_MISSING, signed(beside={"qe-identity": None})),
        (
            "half of it, none required",
            "DCAP-15",
            Code.DCAP_COLLATERAL_MISSING,
            signed(beside={"tcb-info-chain": None}, revocation={"required": False}),
        ),
        ("TCB info of TDX", "DCAP-18", Code.DCAP_COLLATERAL_ID, info(id="TDX")),
        ("QE identity of TDX", "DCAP-18", Code.DCAP_COLLATERAL_ID, identity(id="TD_QE")),
        ("no TCB signer", "DCAP-19", Code.X509_MISSING, signed(beside={"tcb-info-chain": pem(intel.ca_certificate())})),
        (
            "a TCB signer by another key",
            "DCAP-19",
            Code.X509_SIGNATURE,
            signed(beside={"tcb-info-chain": pem(intel.tcb_signing_certificate(key=OTHER))}),
        ),
        ("TCB info edited", "DCAP-20", Code.DCAP_COLLATERAL_SIGNATURE, signed(beside={"tcb-info": EDITED})),
        (
            "TCB info serialised anew",
            "DCAP-20",
            Code.DCAP_COLLATERAL_SIGNATURE,
            signed(beside={"tcb-info": intel.tcb_info(at=NOW, tcbLevels=LEVELS[:1]).replace(b'":', b'": ')}),
        ),
        ("QE identity by another key", "DCAP-20", Code.DCAP_COLLATERAL_SIGNATURE, identity(key=OTHER)),
        ("no list of the CA", "DCAP-21", Code.X509_CRL_MISSING, signed(beside={"pck-crl": None})),
        (
            "the list of the other CA, none required",
            "DCAP-21",
            Code.X509_CRL_MISSING,
            signed(beside={"pck-crl": intel.crl("processor", at=NOW)}, revocation={"required": False}),
        ),
        ("a list by another key", "DCAP-22", Code.X509_CRL_SIGNATURE, crl(key=OTHER)),
        ("a list with SHA-384", "DCAP-22", Code.X509_CRL_ALGORITHM, crl(algorithm=intel.ecdsa("sha384"))),
        ("the leaf revoked", "DCAP-23", Code.X509_REVOKED, crl(revoked=(SERVER.serial,))),
        ("the CA revoked", "DCAP-23", Code.X509_REVOKED, crl("root", revoked=(intel.serial_number("platform"),))),
        ("the TCB signer revoked", "DCAP-23", Code.X509_REVOKED, crl("root", revoked=(intel.serial_number("tcb"),))),
        ("a QE report by another key", "DCAP-24", Code.DCAP_QE_SIGNATURE, signed(qe_key=OTHER)),
        ("a QE that vouches for another key", "DCAP-25", Code.DCAP_QE_REPORT_DATA, signed(qe={"report_data": bytes(64)})),
        ("report data edited", "DCAP-26", Code.DCAP_SIGNATURE, signed(edited=lambda quote: quote[:368] + b"\xff" + quote[369:])),
        ("a body by another key", "DCAP-26", Code.DCAP_SIGNATURE, signed(key=OTHER)),
        ("an attestation key off the curve", "DCAP-26", Code.DCAP_SIGNATURE, signed(part={"attestation_key": b"\x01" * 64})),
        ("TCB info of another FMSPC", "DCAP-27", Code.DCAP_FMSPC, info(fmspc="00906ED50000")),
        ("TCB info of another PCE", "DCAP-28", Code.DCAP_PCE_ID, info(pceId="0100")),
        ("a QE of another signer", "DCAP-29", Code.DCAP_QE_IDENTITY, signed(qe={"mr_signer": bytes(32)})),
        (
            "a debug QE",
            "DCAP-29",
            Code.DCAP_QE_IDENTITY,
            signed(
                qe={"flags": 0x17},
                beside={"qe-identity": intel.qe_identity(at=NOW, attributes="00" * 16, attributesMask="00" * 16)},
            ),
        ),
        ("a leaf not yet valid", "DCAP-30", Code.X509_NOT_YET_VALID, leaf(not_before=NOW + DAY)),
        (
            "a TCB signer expired",
            "DCAP-30",
            Code.X509_EXPIRED,
            signed(beside={"tcb-info-chain": pem(intel.tcb_signing_certificate(not_after=NOW - DAY))}),
        ),
        ("a list past its end", "DCAP-31", Code.X509_CRL_EXPIRED, crl(next_update=NOW - DAY)),
        ("a list too old", "DCAP-31", Code.X509_CRL_AGE, signed(revocation={"required": True, "max_age": 3600})),
        ("TCB info of the future", "DCAP-32", Code.DCAP_COLLATERAL_EARLY, info(issueDate="2026-06-01T00:00:01Z")),
        ("TCB info past its end", "DCAP-32", Code.DCAP_COLLATERAL_EXPIRED, info(nextUpdate="2026-05-31T23:59:59Z")),
        (
            "QE identity past its grace",
            "DCAP-32",
            Code.DCAP_COLLATERAL_EXPIRED,
            signed(
                beside={"qe-identity": intel.qe_identity(at=NOW, nextUpdate="2026-05-30T00:00:00Z")},
                revocation={"required": True, "grace": 86400},
            ),
        ),
    ],
    "dcap.tcb": [
        ("one component below", "DCAP-33", Code.DCAP_TCB_STATUS, tcb(components=[5] * 15 + [4])),
        ("no level", "DCAP-33", Code.DCAP_TCB_STATUS, tcb([level()], pce_svn=12, constraints={"allow_any_tcb": SKIP})),
        ("a word that Intel does not define", "DCAP-33", Code.DCAP_TCB_STATUS, tcb([level("Fine")])),
        ("a TDX component below", "DCAP-34", Code.DCAP_TCB_STATUS, tcb(launched=bytes((5, 1, 1)))),
        ("an old module", "DCAP-35", Code.DCAP_TCB_STATUS, tcb(launched=OLD)),
        ("a module of an unknown version", "DCAP-35", Code.DCAP_TCB_STATUS, tcb(launched=bytes((5, 2, 2)))),
        ("a module of another signer", "DCAP-35", Code.DCAP_TCB_STATUS, tcb(launched=CURRENT, signer=b"\x01" * 48)),
        (
            "a module revoked",
            "DCAP-35",
            Code.DCAP_TCB_STATUS,
            tcb(launched=CURRENT, modules=[module(1, levels=[svn_level(5, "Revoked")])], constraints={"allow_any_tcb": SKIP}),
        ),
        (
            "an update that is not the latest",
            "DCAP-36",
            Code.DCAP_TCB_STATUS,
            tcb(launched=OLD, running=bytes((4, 1, 2)), constraints={"tcb": {"TDRelaunchAdvised": SKIP}}),
        ),
        ("a QE out of date", "DCAP-37", Code.DCAP_TCB_STATUS, tcb(svn=6)),
        ("a QE revoked", "DCAP-37", Code.DCAP_TCB_STATUS, tcb(qe=[svn_level(8, "Revoked")], constraints={"allow_any_tcb": SKIP})),
    ],
    "dcap.platform": [
        ("out of date", "DCAP-38", Code.DCAP_TCB_STATUS, platform("OutOfDate")),
        ("revoked", "DCAP-38", Code.DCAP_TCB_STATUS, platform("Revoked", allow_any_tcb=SKIP)),
        (
            "another advisory",
            "DCAP-39",
            Code.DCAP_ADVISORY,
            platform("ConfigurationNeeded", "INTEL-SA-00219", "INTEL-SA-00334", tcb={"ConfigurationNeeded": ["INTEL-SA-00219"]}),
        ),
        ("unknown", "DCAP-40", Code.DCAP_TCB_UNKNOWN, platform(None)),
        ("an older evaluation", "DCAP-41", Code.DCAP_EVALUATION_NUMBER, platform(minimum_evaluation_number=18)),
        ("another platform", "DCAP-42", Code.DCAP_PLATFORM, platform(platform_ids=["00" * 16])),
        ("another FMSPC", "DCAP-43", Code.DCAP_FMSPC_UNLISTED, platform(fmspcs=["00" * 6])),
        ("hyperthreading", "DCAP-44", Code.DCAP_SMT, platform(smt=False, pck={"smt_enabled": True})),
        ("hyperthreading not said", "DCAP-44", Code.DCAP_SMT, platform(smt=False, pck={"smt_enabled": None})),
        ("a dynamic platform", "DCAP-45", Code.DCAP_DYNAMIC_PLATFORM, platform(dynamic_platform=False)),
        ("cached keys", "DCAP-46", Code.DCAP_CACHED_KEYS, platform(cached_keys=False)),
    ],
    "sgx.validate": [
        ("not initialised", "SGX-1", Code.SGX_INIT, enclave(flags=4)),
        ("an unknown bit", "SGX-1", Code.SGX_INIT, enclave(flags=5 | 1 << 11)),
        ("debug", "SGX-2", Code.SGX_DEBUG, enclave(flags=7)),
        ("a provisioning key", "SGX-3", Code.SGX_PROVISION_KEY, enclave(flags=0x15)),
        ("other attributes", "SGX-4", Code.SGX_ATTRIBUTES, enclave({"attributes": "00" * 16})),
        ("MISCSELECT", "SGX-5", Code.SGX_MISC_SELECT, enclave(misc_select=2)),
        ("XFRM without SSE", "SGX-6", Code.SGX_XFRM, enclave(xfrm=1)),
        ("another XFRM", "SGX-6", Code.SGX_XFRM, enclave({"xfrm": [3]})),
        ("another MRENCLAVE", "SGX-7", Code.SGX_MR_ENCLAVE, enclave(mr_enclave=bytes(32))),
        ("neither code nor signer", "SGX-7", Code.SGX_MR_ENCLAVE, named(enclave(), mr_enclaves=None)),
        ("another MRSIGNER", "SGX-8", Code.SGX_MR_SIGNER, enclave({"mr_signers": ["00" * 32]})),
        ("another product", "SGX-9", Code.SGX_ISV_PROD_ID, named(enclave(isv_prod_id=8), **BY_SIGNER)),
        ("a signer without a product", "SGX-9", Code.SGX_ISV_PROD_ID, named(enclave(), **{**BY_SIGNER, "isv_prod_ids": None})),
        ("an older version", "SGX-10", Code.SGX_ISV_SVN, enclave({"minimum_isv_svn": 4})),
        ("an older configuration", "SGX-11", Code.SGX_CONFIG_SVN, enclave({"minimum_config_svn": 1})),
        ("another configuration", "SGX-12", Code.SGX_CONFIG_ID, enclave({"config_ids": ["0c" * 64]})),
        ("another extended product", "SGX-13", Code.SGX_EXT_PROD_ID, enclave({"ext_prod_ids": ["0e" * 16]})),
        ("another family", "SGX-14", Code.SGX_FAMILY_ID, enclave({"family_ids": ["0f" * 16]})),
    ],
}


def build(_: dict[str, Any] | None) -> dict[str, Any]:
    """The whole file; nothing is taken over from the committed one."""
    return {
        "spec": "spec/07b-dcap.md",
        "generator": "scripts/vectors/dcap.py",
        "provenance": PROVENANCE,
        "cases": [case for op in ACCEPTED for case in _cases(op)],
    }


def _cases(op: str) -> Iterator[Case]:
    name = op.replace(".", "-")
    for what, musts, given in ACCEPTED[op]:
        yield accept(f"{name}-accept-{slug(what)}", musts, op, given)
    for what, musts, code, given in REFUSED[op]:
        yield reject(f"{name}-reject-{slug(what)}", musts, op, given, code)
