"""Intel's collateral as source projects keep it: one JSON object with strings, out of which PCS bodies and chains are made again.

Known: the object of `dcap-qvl` and of Intel's quote verification libraries (`tcb_info`, `tcb_info_signature`, ...), whose lists are
DER in hex or base 64, or PEM; and JSON in which the PCS bodies themselves stand. Left to others: quotes (`sgx`, `tdx`).
"""

import base64
import binascii
import hashlib
import json
import re
import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from confide.attest import x509
from confide.attest.checks import Checks
from confide.attest.dcap.chain import PCK, PCK_CAS
from confide.attest.dcap.collateral import parse_identity, parse_tcb_info
from confide.attest.dcap.quote import INTEL_QE_VENDOR, Certification, TeeType, parse_quote
from confide.attest.evidence import Kind
from confide.errors import ConfideError
from conformance.kinds.case import Case, File, Parts

ALIASES = {
    "pck_crl_issuer_chain": "pck-crl-chain",
    "tcb_info_issuer_chain": "tcb-info-chain",
    "qe_identity_issuer_chain": "qe-identity-chain",
    "pck_certificate_chain": "pck-chain",
    "pck_cert_chain": "pck-chain",
}
LISTS = {"root_ca_crl": "root-crl", "pck_crl": "pck-crl"}
BODIES = {"tcb_info": ("tcb-info", "tcbInfo"), "qe_identity": ("qe-identity", "enclaveIdentity")}
ROLES = {"pck-chain", "pck-crl", "pck-crl-chain", "root-crl", "tcb-info", "tcb-info-chain", "qe-identity", "qe-identity-chain"}


def sort(files: Sequence[File]) -> Parts:
    """Quotes (out of hex or base 64 where they came so) and collateral."""
    evidence: dict[str, bytes] = {}
    endorsements: dict[str, bytes] = {}
    for role, _, data in files:
        if role == "collateral":
            endorsements |= unwrap_collateral(data)
        elif role in ROLES:
            endorsements[role] = data
        elif role in {"quote", "td-quote"}:
            evidence["quote"] = unwrap_quote(data)
        else:
            evidence[role] = data
    return Parts(evidence, endorsements)


def unwrap_quote(data: bytes) -> bytes:
    """Hex or base 64 text undone, Open Enclave's header cut; anything else as it is."""
    data = _without_header(data)
    text = data.strip()
    if re.fullmatch(rb"(?:0x)?(?:[0-9a-fA-F]{2})+", text):
        return _without_header(bytes.fromhex(text.removeprefix(b"0x").decode()))
    if re.fullmatch(rb"[A-Za-z0-9+/_\-\s]+=*", text) and len(text) > 64:
        plain = b"".join(text.split()).replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
        try:
            return _without_header(base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True))
        except binascii.Error:
            return data
    return data


def _without_header(data: bytes) -> bytes:
    """Open Enclave's remote report: version 1, type 2, size (8 bytes), then the quote of that size."""
    version, kind, size = struct.unpack_from("<IIQ", data) if len(data) > 16 else (0, 0, 0)
    return data[16:] if (version, kind, size) == (1, 2, len(data) - 16) else data


def unwrap_collateral(data: bytes) -> dict[str, bytes]:
    """Roles to PCS bodies, chains and lists."""
    members = json.loads(data)
    found: dict[str, bytes] = {}
    for name, value in members.items():
        if name in ALIASES and value:
            found[ALIASES[name]] = value.encode()
        elif name in LISTS and value:
            found[LISTS[name]] = _list(value)
        elif name in BODIES and value:
            role, member = BODIES[name]
            found[role] = _body(value, member, members.get(f"{name}_signature"))
    return found


def _list(value: Any) -> bytes:
    """A list of numbers, PEM, hex or base 64."""
    if isinstance(value, list):
        return bytes(value)
    text = value.strip()
    if text.startswith("-----BEGIN"):
        return str(text).encode()
    if re.fullmatch(r"(?:[0-9a-fA-F]{2})+", text):
        return bytes.fromhex(text)
    return base64.b64decode(text)


def _body(value: Any, member: str, signature: Any) -> bytes:
    """The PCS body around the exact inner text; a body that stands there whole is left as it is."""
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    if text.lstrip().startswith("{") and f'"{member}"' in text[:200]:
        return text.encode()
    told = bytes(signature).hex() if isinstance(signature, list) else str(signature)
    if not re.fullmatch(r"[0-9a-fA-F]+", told):
        told = base64.b64decode(told).hex()
    return f'{{"{member}":{text},"signature":"{told}"}}'.encode()


def starts(parts: Parts) -> list[datetime]:
    """notBefore of certificates, thisUpdate of lists, issueDate of TCB data; certificates inside the quote too."""
    found: list[datetime] = []
    for role, data in parts.endorsements.items():
        try:
            if role.endswith("crl"):
                found += [crl.last_update_utc for crl in x509.load_crls(data)]
            elif role == "tcb-info":
                found.append(parse_tcb_info(data).issue_date)
            elif role == "qe-identity":
                found.append(parse_identity(data).issue_date)
            else:
                found += [certificate.not_valid_before_utc for certificate in x509.load_certificates(data)]
        except ConfideError:
            continue  # the verifier will say so
    for certificate in re.findall(
        rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", parts.evidence.get("quote", b""), re.DOTALL
    ):
        try:
            found.append(x509.load_certificate(certificate).not_valid_before_utc.astimezone(UTC))
        except ConfideError:
            continue
    return found


def quote_fields(case: Case, role: str = "quote") -> dict[str, Any]:
    """Fields of a verified quote's own parts by the manifests' names: header, certification data, PCK certificate."""
    if role not in case.evidence.items:
        return {}
    kind = TeeType.SGX if case.kind == Kind.SGX else TeeType.TDX
    quote = parse_quote(case.evidence.items[role], tee=kind, checks=Checks())
    found: dict[str, Any] = {"version": quote.version, "tee_type": kind.value, "akt": 2, "cert_data_type": quote.certification_type}
    found |= {"cert_data_type_outer": Certification.QE_REPORT.value} if quote.version >= 4 else {}
    found |= {"qe_vendor_id": INTEL_QE_VENDOR, "user_data": quote.user_data}
    if quote.certification_type in {Certification.PCK_LEAF, Certification.PCK_CHAIN}:
        certificates = x509.load_certificates(quote.certification.rstrip(b"\x00"))
        leaf = next(each for each in certificates if x509.common_name(each) == PCK)
        issuer = x509.names(leaf).issuer_common_name
        found |= {
            "pck_serial": x509.serial_number(leaf),
            "pck_issuer": issuer,
            "pck_ca": PCK_CAS[issuer],
            "pck_not_before": leaf.not_valid_before_utc.isoformat(),
            "pck_not_after": leaf.not_valid_after_utc.isoformat(),
        }
    return found | {f"expected_{name}": value for name, value in found.items()}


def nonces(nonce: bytes) -> set[bytes]:
    """What relying parties put into REPORTDATA: the nonce or a digest of it, zeros behind it."""
    forms = [nonce, *(hashlib.new(name, nonce).digest() for name in ("sha256", "sha384", "sha512"))]
    return {form.ljust(64, b"\x00") for form in forms if len(form) <= 64}


def platform_fields(claims: Any) -> Mapping[str, Any]:
    """Fields of the platform by the manifests' names."""
    pck = claims.pck
    return {
        "version": claims.quote_version,
        "fmspc": pck.fmspc,
        "pceid": pck.pce_id,
        "ppid": pck.ppid,
        "pce_svn": pck.pce_svn,
        "cpu_svn": pck.cpu_svn,
        "advisory_ids": list(claims.advisories),
        "tcb_status": claims.tcb_status,
        "tcb_evaluation_data_number": claims.tcb_evaluation_number,
        "sgx_type": pck.sgx_type.value,
        "platform_instance_id": pck.platform_instance_id,
        "advisories": list(claims.advisories),
        "evaluation_number": claims.tcb_evaluation_number,
        "smt_enabled": pck.smt_enabled,
        "dynamic_platform": pck.dynamic_platform,
        "cached_keys": pck.cached_keys,
    }
