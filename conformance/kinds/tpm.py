"""TPM cases: quotes in the JSON and protobuf of their sources.

Known: go-tpm-tools' `attest.Attestation` protobuf (a TEE's report may stand beside the quotes in it), and JSON in which message,
signature, PCRs and a certificate chain stand as hex, base 64 or PEM under common names. A signature that is no TPMT_SIGNATURE is
given as it came: the product reads what a TPM writes. Left to others: the quote itself (`attest.tpm`).
"""

import base64
import binascii
import gzip
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from confide.attest import verifiers, x509
from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.constraints import Ignored
from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.attest.roots import VENDOR_ROOTS
from confide.attest.tpm.claims import TpmClaims
from confide.attest.tpm.validate import TpmConstraints
from confide.errors import ConfideError
from conformance.kinds.case import Adapter, Case, File, Parts, RefusedInputError, UnknownDialectError, require_inputs, same
from conformance.reports import from_protobuf, wire_fields

RECORDED_V1 = TpmConstraints(pcrs=Ignored.UNSAFE_IGNORED, allow_host_trusted=Ignored.UNSAFE_IGNORED)
SHA256_BANK = 0x000B
GCE = {"snp": "AMD_SEV_SNP", "tdx": "INTEL_TDX", "": "GCP_SHIELDED_VM"}
LABEL = b"WORKLOAD_ATTESTATION"
_CHAIN = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def sort(files: Sequence[File]) -> Parts:
    """Parts out of whatever they came in."""
    evidence: dict[str, bytes] = {}
    endorsements: dict[str, bytes] = {}
    for role, _, data in files:
        if role == "attestation-protobuf":
            parts = _from_protobuf(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
        elif role == "attestation-json":
            parts = _from_json(json.loads(data))
        else:
            parts = Parts({_ROLES.get(role, role): data}, {})
        evidence |= {name: value for name, value in parts.evidence.items() if value or name not in evidence}
        endorsements |= parts.endorsements
    if "attest" not in evidence:
        raise UnknownDialectError
    return Parts(evidence, endorsements)


_ROLES = {"tpm-attest": "attest", "tpm-signature": "signature", "report": "tee-report", "td-quote": "tee-quote"}


def _from_protobuf(data: bytes) -> Parts:
    """`attest.Attestation`: 1 ak_pub, 2 quotes {1 quote, 2 raw_sig, 3 pcrs}, 3 event_log, 6 ak_cert, 7 intermediates, 8 SEV-SNP, 9
    TDX."""
    evidence: dict[str, bytes] = {}
    endorsements: dict[str, bytes] = {}
    chain: list[bytes] = []
    for number, value in wire_fields(data):
        if not isinstance(value, bytes):
            continue
        if number == 1:
            evidence["ak-public"] = value
        elif number == 2:
            evidence |= _quote(value)
        elif number == 3:
            evidence["event-log"] = value
        elif number == 6:
            endorsements["ak-cert"] = value
        elif number == 7:
            chain.append(value)
        elif number == 8:
            found = from_protobuf(value)
            evidence["tee-report"] = found.pop("report", b"")
            endorsements |= {f"tee-{role}": item for role, item in found.items()}
    if chain:
        endorsements["ak-chain"] = b"\n".join(map(_armour, chain))
    return Parts(evidence, endorsements)


def _quote(data: bytes) -> dict[str, bytes]:
    """The quote of the SHA-256 bank; of other banks nothing."""
    members = {number: value for number, value in wire_fields(data) if isinstance(value, bytes)}
    bank, pcrs = 0, {}
    for number, value in wire_fields(members.get(3, b"")):
        if number == 1 and isinstance(value, int):
            bank = value
        elif number == 2 and isinstance(value, bytes):
            entry = dict(wire_fields(value))
            pcrs[str(entry.get(1, 0))] = bytes(entry[2]).hex() if isinstance(entry.get(2), bytes) else ""
    if bank != SHA256_BANK:
        return {}
    return {"attest": members[1], "signature": members[2], "pcrs": json.dumps(pcrs).encode()}


def _from_json(value: Any) -> Parts:
    """Members by their common names, at any depth."""
    evidence: dict[str, bytes] = {}
    endorsements: dict[str, bytes] = {}
    chain: list[bytes] = []
    for name, member in _members(value):
        if name in {"message", "attest_data", "attest", "quote_message"} and isinstance(member, str):
            evidence["attest"] = _octets(member)
        elif name in {"signature", "raw_sig", "quote_signature"} and isinstance(member, str):
            evidence["signature"] = _octets(member)
        elif name in {"pcrs", "pcr", "pcr_data"}:
            evidence["pcrs"] = json.dumps(_pcrs(member)).encode()
        elif name in {"ak_cert_chain", "ak_certs", "ak_cert", "certificates"}:
            chain += list(_certificates(member))
    if chain:
        endorsements["ak-cert"] = chain[0]
        if chain[1:]:
            endorsements["ak-chain"] = b"\n".join(map(_armour, chain[1:]))
    return Parts(evidence, endorsements)


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for name, member in items:
        yield str(name), member
        yield from _members(member)


def _pcrs(value: Any) -> dict[str, str]:
    """Of an object by bank, by slot or by index, or a list in index order: those of 32 bytes."""
    if isinstance(value, list):
        flat = [str(item) for item in value if isinstance(item, str)]
        if len(flat) == len(value):
            return {str(index): item for index, item in enumerate(flat)}
        return {name: item for member in value for name, item in _pcrs(member).items()}
    found: dict[str, str] = {}
    for name, member in value.items() if isinstance(value, Mapping) else ():
        index = re.fullmatch(r"(?:Slot|PCR|pcr)?_?(\d+)", str(name))
        if index and isinstance(member, str) and len(member) == 64:
            found[index[1]] = member
        elif not isinstance(member, str):
            found |= _pcrs(member)
    return found


def _certificates(value: Any) -> Iterator[bytes]:
    if isinstance(value, str):
        blocks = _CHAIN.findall(value.encode())
        if blocks:
            yield from (base64.b64decode(b"".join(block.split(b"-----")[2].split())) for block in blocks)
        else:
            yield _octets(value)
    elif isinstance(value, list | Mapping):
        for member in value.values() if isinstance(value, Mapping) else value:
            yield from _certificates(member)


def _octets(text: str) -> bytes:
    if re.fullmatch(r"(?:[0-9a-fA-F]{2})+", text):
        return bytes.fromhex(text)
    plain = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        return text.encode()


def _armour(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


def judge(claims: Claims, case: Case, checks: Checks) -> None:
    """`recorded-v1`, the TEE's own report where one came, then the nonce, then what else the case expects."""
    verifiers.validate(claims, RECORDED_V1, checks=checks)
    if not isinstance(claims, TpmClaims):
        raise TypeError(type(claims).__name__)
    tee = _tee(case, checks)
    if case.nonce is None:
        checks.skip("extraData", "the case records no nonce")
    elif not any(same(claims.attest.extra_data, form.hex()) for form in nonces(case.nonce, tee)):
        if "ak-public" not in case.evidence.items or len(claims.attest.extra_data) != 32:
            raise RefusedInputError("recorded.nonce")
        checks.skip("extraData", "the source derives it from a challenge that the case does not record")
    require_inputs(case, fields(claims))


def nonces(nonce: bytes, tee: str) -> set[bytes]:
    """The nonce, a digest of it, or what go-tpm-tools' launcher derives of it."""
    derived = hashlib.sha256(LABEL + GCE[tee].encode() + hashlib.sha256(nonce).digest()).digest()
    return {nonce, derived, *(hashlib.new(name, nonce).digest() for name in ("sha256", "sha384", "sha512"))}


def _tee(case: Case, checks: Checks) -> str:
    """The report beside the quote is genuine too; which TEE it is."""
    items, given = case.evidence.items, case.endorsements.items
    if items.get("tee-report"):
        kind, evidence = Kind.SNP, {"report": items["tee-report"]}
    elif "tee-quote" in items:
        kind, evidence = Kind.TDX, {"quote": items["tee-quote"]}
    else:
        return ""
    own = {name.removeprefix("tee-"): value for name, value in given.items() if name.startswith("tee-")}
    verifiers.authenticate(
        Evidence(kind, evidence),
        Endorsements(own),
        roots=VENDOR_ROOTS,
        now=case.as_of,
        revocation=verifiers.Revocation(required=False),
        checks=checks,
    )
    return kind.value


def fields(claims: TpmClaims) -> dict[str, Any]:
    """Field names of the manifests to values."""
    attest = claims.attest
    quote = {
        "magic": "ff544347",
        "type": "8018",
        "qualified_signer": attest.qualified_signer,
        "extra_data": attest.extra_data,
        "clock": attest.clock,
        "reset_count": attest.reset_count,
        "restart_count": attest.restart_count,
        "safe": int(attest.safe),
        "firmware_version": attest.firmware_version,
        "pcr_digest": attest.pcr_digest,
    }
    instance = claims.instance
    found: dict[str, Any] = {
        "tpm_quote": quote,
        **quote,
        "pcrs": {str(index): value for index, value in claims.pcrs.items()},
        "zone": instance.zone,
        "project": instance.project,
        "project_id": instance.project,
        "instance_id": instance.instance_id,
    }
    found |= {f"pcr{index}": value for index, value in claims.pcrs.items()}
    return found | {f"expected_{name}": value for name, value in found.items()}


def starts(parts: Parts) -> list[datetime]:
    """notBefore of the certificates."""
    found: list[datetime] = []
    for data in parts.endorsements.values():
        try:
            found += [certificate.not_valid_before_utc for certificate in x509.load_certificates(data)]
        except ConfideError:
            continue  # the verifier will say so
    return found


ADAPTER = Adapter(sort, judge, starts)
