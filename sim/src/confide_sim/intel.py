"""A false Intel: root, CAs and TCB signing, whose private keys are public; platforms that make SGX and TD quotes.

Everything is right unless one field is overridden: `platform.pck(pck={"4": ...})`, `platform.quote(flags=7)`,
`intel.tcb_info(levels=[...])`, `intel.pck_crl(revoked=...)`. Distinguished names say SIMULATED; only the common names are Intel's,
because chains are told by them. Keys follow from a label, and signatures are deterministic: nothing here is a secret.
"""

import base64
import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

from confide.attest.evidence import Endorsements, Evidence, Kind, Root
from confide_sim import der, intel_quote, td, x509

ROOT, TCB_SIGNING, LEAF = "Intel SGX Root CA", "Intel SGX TCB Signing", "Intel SGX PCK Certificate"
CAS: Final[Mapping[str, str]] = {"platform": "Intel SGX PCK Platform CA", "processor": "Intel SGX PCK Processor CA"}
EXTENSION = "1.2.840.113741.1.13.1"
FMSPC, PCE_ID = bytes.fromhex("00806f050000"), bytes(2)
COMPONENTS, PCE_SVN = (5,) * 16, 13
QE: Final[Mapping[str, Any]] = {
    "mr_signer": b"\x8c" * 32,
    "isv_prod_id": 1,
    "isv_svn": 8,
    "flags": 0x15,
    "mr_enclave": b"\x9e" * 32,
}
PRODUCTS: Final[Mapping[Kind, int]] = {Kind.SGX: 1, Kind.TDX: 2}
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_CREATED, _FOREVER = datetime(2018, 5, 21, tzinfo=UTC), datetime(2049, 12, 31, tzinfo=UTC)
_SERIALS: Final[Mapping[str, int]] = {"root": 0x51_0000, "platform": 0x51_0001, "processor": 0x51_0002, "tcb": 0x51_0003}


def key_of(label: str) -> ec.EllipticCurvePrivateKey:
    """The P-256 key that everybody can derive from a label."""
    number = int.from_bytes(hashlib.sha256(b"confide-sim/intel/" + label.encode()).digest())
    return ec.derive_private_key(number % (ORDER - 1) + 1, ec.SECP256R1())


def ecdsa(digest: str = "sha256") -> x509.Algorithm:
    """ECDSA; Intel's is with SHA-256."""
    oid, make = {"sha256": ("1.2.840.10045.4.3.2", SHA256), "sha384": ("1.2.840.10045.4.3.3", SHA384)}[digest]

    def sign(key: x509.PrivateKey, data: bytes) -> bytes:
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("an ECDSA signature needs an elliptic curve key")
        return key.sign(data, ec.ECDSA(make(), deterministic_signing=True))

    return x509.Algorithm(der.seq(der.oid(oid)), sign)


def name(common_name: str) -> x509.Name:
    """A distinguished name in Intel's order, with Intel's words replaced."""
    organisation, locality, state, country = "2.5.4.10", "2.5.4.7", "2.5.4.8", "2.5.4.6"
    return (
        ("2.5.4.3", common_name),
        (organisation, "SIMULATED - NOT Intel Corporation"),
        (locality, "Nowhere"),
        (state, "SIMULATED"),
        (country, "US"),
    )


def pem(*certificates: bytes) -> bytes:
    """A PEM bundle, as Intel's services give it."""
    return b"".join(armour("CERTIFICATE", each) for each in certificates)


def armour(label: str, data: bytes) -> bytes:
    """One PEM block (RFC 7468)."""
    return f"-----BEGIN {label}-----\n".encode() + base64.encodebytes(data) + f"-----END {label}-----\n".encode()


# --- the vendor -------------------------------------------------------------------------------------------------------------------


def issue(
    label: str, issuer: str, subject: str, /, *, serial: int, extensions: tuple[bytes, ...], signer: str, **overrides: Any
) -> bytes:
    """A certificate; any field of `x509.Certificate`, `key`, `algorithm` or `more_extensions` may lie."""
    key, algorithm = overrides.pop("key", key_of(signer)), overrides.pop("algorithm", ecdsa())
    more = tuple(overrides.pop("more_extensions", ()))
    fields = x509.Certificate(serial, name(issuer), name(subject), _CREATED, _FOREVER, x509.spki(key_of(label)), extensions)
    fields = dataclasses.replace(fields, **overrides)
    return dataclasses.replace(fields, extensions=fields.extensions + more).sign(key, algorithm)


def root_certificate(**overrides: Any) -> bytes:
    """The self-signed root."""
    extensions = _authority(None)
    return issue("root", ROOT, ROOT, serial=_SERIALS["root"], extensions=extensions, signer="root", **overrides)


def ca_certificate(ca: str = "platform", **overrides: Any) -> bytes:
    """The Platform or Processor CA."""
    given = {"serial": _SERIALS[ca], "extensions": _authority(0), "signer": "root", **overrides}
    return issue(ca, ROOT, CAS[ca], **given)


def tcb_signing_certificate(**overrides: Any) -> bytes:
    """The signer of TCB info and QE identities."""
    extensions = (x509.key_usage(digital_signature=True), x509.basic_constraints(ca=False))
    return issue("tcb", ROOT, TCB_SIGNING, **{"serial": _SERIALS["tcb"], "extensions": extensions, "signer": "root", **overrides})


def root() -> Root:
    """The false root, marked simulated. One for SGX and TDX, as Intel's is."""
    return Root(Kind.SGX, f"SIMULATED {ROOT}", _root(), simulated=True)


def crl(issuer: str, *, at: datetime, revoked: tuple[int, ...] = (), **overrides: Any) -> bytes:
    """The list of `root`, `platform` or `processor`: made a day before `at`, good for 30 days."""
    key, algorithm = overrides.pop("key", key_of(issuer)), overrides.pop("algorithm", ecdsa())
    usual = {"this_update": at - timedelta(days=1), "next_update": at + timedelta(days=29), "extensions": _list_extensions(issuer)}
    fields = {"issuer": name(ROOT if issuer == "root" else CAS[issuer]), "revoked": revoked, **usual, **overrides}
    return x509.RevocationList(**fields).sign(key, algorithm)


def serial_number(certificate: str) -> int:
    """Of `root`, `platform`, `processor` or `tcb`, for revocation."""
    return _SERIALS[certificate]


def level(
    status: str = "UpToDate",
    *,
    sgx: Sequence[int] = COMPONENTS,
    pce_svn: int = PCE_SVN,
    tdx: Sequence[int] | None = None,
    advisories: Sequence[str] = (),
) -> dict[str, Any]:
    """One TCB level of a platform."""
    tcb: dict[str, Any] = {"sgxtcbcomponents": [{"svn": svn} for svn in sgx], "pcesvn": pce_svn}
    tcb |= {} if tdx is None else {"tdxtcbcomponents": [{"svn": svn} for svn in tdx]}
    found = {"tcb": tcb, "tcbDate": "2025-01-01T00:00:00Z", "tcbStatus": status}
    return found | ({"advisoryIDs": list(advisories)} if advisories else {})


def svn_level(isv_svn: int, status: str = "UpToDate", advisories: Sequence[str] = ()) -> dict[str, Any]:
    """One level of an enclave or of a TDX module."""
    found: dict[str, Any] = {"tcb": {"isvsvn": isv_svn}, "tcbDate": "2025-01-01T00:00:00Z", "tcbStatus": status}
    return found | ({"advisoryIDs": list(advisories)} if advisories else {})


def module(version: int | None = None, *, levels: Sequence[Any] = (), **members: Any) -> dict[str, Any]:
    """`tdxModule`, or the module identity of a version."""
    found: dict[str, Any] = {} if version is None else {"id": f"TDX_{version:02X}"}
    found |= {"mrsigner": "00" * 48, "attributes": "00" * 8, "attributesMask": "FF" * 8}
    return found | ({} if version is None else {"tcbLevels": list(levels)}) | members


def tcb_info(kind: Kind = Kind.SGX, *, at: datetime, key: ec.EllipticCurvePrivateKey | None = None, **members: Any) -> bytes:
    """TCB info as the service returns it; `members` replace or add, None leaves out."""
    tdx = {Kind.TDX: (5, 0, 2, *(0,) * 13)}.get(kind)
    old = {Kind.TDX: (4, 0, 1, *(0,) * 13)}.get(kind)
    levels = [level(tdx=tdx), level("OutOfDate", sgx=(4,) * 16, pce_svn=11, tdx=old, advisories=("INTEL-SA-00001",))]
    body: dict[str, Any] = {
        "id": kind.value.upper(),
        "version": 3,
        **window(at),
        "fmspc": FMSPC.hex().upper(),
        "pceId": PCE_ID.hex().upper(),
        "tcbType": 0,
        "tcbEvaluationDataNumber": 17,
    }
    if kind is Kind.TDX:
        identity = module(1, levels=[svn_level(5), svn_level(2, "OutOfDate", ("INTEL-SA-00002",))])
        body |= {"tdxModule": module(), "tdxModuleIdentities": [identity]}
    return statement("tcbInfo", body | {"tcbLevels": levels} | members, key)


def qe_identity(kind: Kind = Kind.SGX, *, at: datetime, key: ec.EllipticCurvePrivateKey | None = None, **members: Any) -> bytes:
    """QE identity as the service returns it; `members` as of `tcb_info`."""
    body: dict[str, Any] = {
        "id": {Kind.SGX: "QE", Kind.TDX: "TD_QE"}[kind],
        "version": 2,
        **window(at),
        "tcbEvaluationDataNumber": 17,
        "miscselect": "00000000",
        "miscselectMask": "FFFFFFFF",
        "attributes": "11000000000000000000000000000000",
        "attributesMask": "FBFFFFFFFFFFFFFF0000000000000000",
        "mrsigner": QE["mr_signer"].hex().upper(),
        "isvprodid": PRODUCTS[kind],
        "tcbLevels": [svn_level(8), svn_level(5, "OutOfDate", ("INTEL-SA-00003",))],
    }
    return statement("enclaveIdentity", body | members, key)


def window(at: datetime) -> dict[str, str]:
    """issueDate a day before `at`, nextUpdate after 30 days."""
    shown = "%Y-%m-%dT%H:%M:%SZ"
    return {
        "issueDate": (at - timedelta(days=1)).strftime(shown),
        "nextUpdate": (at + timedelta(days=29)).strftime(shown),
    }


def statement(member: str, body: Mapping[str, Any], key: ec.EllipticCurvePrivateKey | None = None) -> bytes:
    """The body of an answer: the signature is over the exact text of the inner object."""
    text = json.dumps({key: value for key, value in body.items() if value is not None}, separators=(",", ":"))
    signature = intel_quote.sign(key or key_of("tcb"), text.encode())
    return f'{{"{member}":{text},"signature":"{signature.hex()}"}}'.encode()


# --- a platform -------------------------------------------------------------------------------------------------------------------


class FalsePlatform:
    """A false Intel machine: a PCK certificate, a quoting enclave, an attestation key.

    Args:
        kind: `SGX`, or `TDX`, whose quotes hold a TD's report.
        ca: `platform` (server, several packages) or `processor`.
        at: when it is; collateral is made around this moment.
        seed: what its keys and identifiers follow from; random when left out.
    """

    def __init__(
        self, kind: Kind = Kind.SGX, *, ca: str = "platform", at: datetime | None = None, seed: bytes | None = None
    ) -> None:
        self.kind, self.ca = kind, ca
        self.at = (at or datetime.now(UTC)).replace(microsecond=0)
        self.seed = os.urandom(16).hex() if seed is None else seed.hex()
        self.key, self.attestation_key = key_of(f"pck/{self.seed}"), key_of(f"attestation/{self.seed}")
        digest = hashlib.sha256(self.seed.encode()).digest()
        self.ppid, self.instance_id, self.serial = digest[:16], digest[16:], int.from_bytes(digest[:8]) | 1
        self.certificate = self.pck()

    def __repr__(self) -> str:
        return f"FalsePlatform(SIMULATED {self.kind.value}, {self.ca})"

    def pck(self, *, pck: Mapping[str, bytes | None] | None = None, **overrides: Any) -> bytes:
        """The PCK certificate. `pck` replaces values of Intel's extension by the end of their identifier, or leaves one out."""
        usage = (x509.key_usage(digital_signature=True), x509.basic_constraints(ca=False))
        extensions = (*usage, der.extension(EXTENSION, overrides.pop("extension", None) or self._extension(pck or {})))
        start = self.at - timedelta(days=30)
        given = {"not_before": start, "not_after": start + timedelta(days=365 * 7), "public_key": x509.spki(self.key), **overrides}
        given = {"serial": self.serial, "extensions": extensions, "signer": self.ca, **given}
        return issue("pck", CAS[self.ca], LEAF, **given)

    def chain(self, **overrides: Any) -> bytes:
        """Leaf, CA and root in PEM; overrides are of the leaf."""
        return pem(self.pck(**overrides) if overrides else self.certificate, ca_certificate(self.ca), _root())

    def quote(
        self,
        *,
        report_data: bytes = bytes(64),
        version: int | None = None,
        body: bytes | None = None,
        size: int = td.TD_10,
        qe: Mapping[str, Any] | None = None,
        header: Mapping[str, Any] | None = None,
        key: ec.EllipticCurvePrivateKey | None = None,
        qe_key: ec.EllipticCurvePrivateKey | None = None,
        auth_data: bytes = bytes(range(32)),
        certification: tuple[int, bytes] | None = None,
        behind: bytes = b"",
        edited: Callable[[bytes], bytes] = lambda quote: quote,
        part: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> bytes:
        """A quote. `fields` are of the enclave's or the TD's report, `qe` of the QE's, `header` of the header; `part` replaces
        parts of the signature data, or type and size of the body; `key` and `qe_key` sign in place of the right ones."""
        tdx = self.kind is Kind.TDX
        number = (3 if not tdx else 4 if size == td.TD_10 else 5) if version is None else version
        given = {"report_data": report_data, **fields}
        inner = body if body is not None else td.body(given, size) if tdx else intel_quote.report(given)
        head = intel_quote.header(**{"version": number, "tee_type": 0x81 if tdx else 0, **(header or {})})
        parts = dict(part or {})
        sizes = {name: parts.pop(name) for name in ("body_type", "body_size") if name in parts}
        signed = intel_quote.signed_part(head, inner, version=number, **sizes)
        attestation_key = parts.pop("attestation_key", intel_quote.point(self.attestation_key))
        said = hashlib.sha256(attestation_key + auth_data).digest() + bytes(32)
        qe_report = intel_quote.report({**QE, "isv_prod_id": PRODUCTS[self.kind], "report_data": said, **(qe or {})})
        data = intel_quote.signature_data(
            **{
                "version": number,
                "signature": intel_quote.sign(key or self.attestation_key, signed),
                "attestation_key": attestation_key,
                "qe_report": qe_report,
                "qe_signature": intel_quote.sign(qe_key or self.key, qe_report),
                "auth_data": auth_data,
                "certification": certification or (5, self.chain()),
                **parts,
            }
        )
        return edited(signed + len(data).to_bytes(4, "little") + data + behind)

    def evidence(self, *, report_data: bytes, **overrides: Any) -> Evidence:
        """Evidence with one quote."""
        return Evidence(self.kind.value, {"quote": self.quote(report_data=report_data, **overrides)})

    def endorsements(self, *, at: datetime | None = None, **overrides: bytes | None) -> Endorsements:
        """Intel's collateral made around `at`; overrides replace a role (`tcb_info`), or None leaves it out."""
        moment, signers = at or self.at, pem(tcb_signing_certificate(), _root())
        items: dict[str, bytes | None] = {
            "pck-crl": crl(self.ca, at=moment),
            "pck-crl-chain": pem(ca_certificate(self.ca), _root()),
            "root-crl": crl("root", at=moment),
            "tcb-info": tcb_info(self.kind, at=moment),
            "tcb-info-chain": signers,
            "qe-identity": qe_identity(self.kind, at=moment),
            "qe-identity-chain": signers,
        }
        items |= {role.replace("_", "-"): value for role, value in overrides.items()}
        return Endorsements({role: value for role, value in items.items() if value is not None})

    def _extension(self, values: Mapping[str, bytes | None]) -> bytes:
        """PCK Certificate and CRL Profile, section 1.3.5."""
        tcb: dict[str, bytes] = {f"2.{index + 1}": der.integer(svn) for index, svn in enumerate(COMPONENTS)}
        tcb |= {"2.17": der.integer(PCE_SVN), "2.18": der.octets(bytes(COMPONENTS))}
        configuration = {f"7.{index}": der.boolean(index != 3) for index in (1, 2, 3)}  # no SMT
        top: dict[str, bytes] = {
            "1": der.octets(self.ppid),
            "2": _members(tcb, values),
            "3": der.octets(PCE_ID),
            "4": der.octets(FMSPC),
            "5": der.tlv(0x0A, b"\x01"),
        }
        if self.ca == "platform":
            top |= {"6": der.octets(self.instance_id), "7": _members(configuration, values)}
        return _members(top, {key: value for key, value in values.items() if "." not in key})


def _members(usual: Mapping[str, bytes], values: Mapping[str, bytes | None]) -> bytes:
    """SEQUENCE OF SEQUENCE { OBJECT IDENTIFIER, ANY }, with values replaced, left out or added under the same prefix."""
    prefix = next(iter(usual)).rpartition(".")[0]
    own = {key: value for key, value in values.items() if key.rpartition(".")[0] == prefix}
    found = {**usual, **own}
    return der.seq(*(der.seq(der.oid(f"{EXTENSION}.{key}"), value) for key, value in found.items() if value is not None))


def _authority(path_length: int | None) -> tuple[bytes, ...]:
    return x509.key_usage(cert_sign=True, crl_sign=True), x509.basic_constraints(ca=True, path_length=path_length)


def _list_extensions(issuer: str) -> tuple[bytes, ...]:
    """authorityKeyIdentifier and cRLNumber (RFC 5280 section 5.2)."""
    identifier = hashlib.sha256(b"key identifier" + intel_quote.point(key_of(issuer))).digest()[:20]
    return (
        der.extension("2.5.29.35", der.seq(der.tlv(0x80, identifier))),
        der.extension("2.5.29.20", der.integer(1)),
    )


@functools.cache
def _root() -> bytes:
    return root_certificate()
