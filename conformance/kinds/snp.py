"""SEV-SNP cases: reports, certificates and lists in the wrappings of their sources."""

import dataclasses
import gzip
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from confide.attest import verifiers, x509
from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.constraints import Ignored
from confide.attest.snp.claims import SnpClaims
from confide.attest.snp.layout import GuestPolicy, PlatformInfo, SigningKey
from confide.attest.snp.validate import SnpConstraints
from confide.errors import ConfideError
from conformance.kinds.case import Adapter, Case, File, Parts, UnknownDialectError, require_inputs, require_nonce
from conformance.reports import from_protobuf
from conformance.unwrap import join_certificates, unwrap_collateral, unwrap_json, unwrap_report

DIALECTS = {"attestation-json", "attestation-protobuf"}

RECORDED_V1 = SnpConstraints(
    measurements=Ignored.UNSAFE_IGNORED,
    minimum_tcb=Ignored.UNSAFE_IGNORED,
    signing_keys=(SigningKey.VCEK, SigningKey.VLEK),
    csp_ids=Ignored.UNSAFE_IGNORED,
)


def sort(files: Sequence[File]) -> Parts:
    """Reports and endorsements, out of whatever they came in."""
    evidence: dict[str, bytes] = {}
    endorsements: dict[str, bytes] = {}
    for role, _, data in files:
        if role in DIALECTS:
            found = undo(role, data)
            evidence |= {key: value for key, value in found.items() if key == "report"}
            endorsements |= {key: value for key, value in found.items() if key != "report"}
        elif role == "report":
            evidence[role] = unwrap_report(data)
        else:
            for key, value in unwrap_collateral(role, data).items():
                endorsements[key] = join_certificates(endorsements[key], value) if key in endorsements else value
    return Parts(evidence, endorsements)


def undo(role: str, data: bytes) -> dict[str, bytes]:
    """A source project's wrapping undone. What is not even JSON or protobuf goes to the verifier as it is; a wrapping that is read
    but holds no report known here is a gap of this harness, and says so."""
    plain = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    try:
        found = unwrap_json(plain) if role == "attestation-json" else from_protobuf(plain)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return {"report": plain}
    if "report" not in found:
        raise UnknownDialectError
    return found


def starts(parts: Parts) -> list[datetime]:
    """notBefore of certificates, thisUpdate of lists."""
    found: list[datetime] = []
    for role, data in parts.endorsements.items():
        try:
            if role == "crl":
                found += [crl.last_update_utc for crl in x509.load_crls(data)]
            else:
                found += [certificate.not_valid_before_utc for certificate in x509.load_certificates(data)]
        except ConfideError:
            continue  # the verifier will say so
    return found


def judge(claims: Claims, case: Case, checks: Checks) -> None:
    """`recorded-v1`, then the nonce, then what else the case expects."""
    verifiers.validate(claims, RECORDED_V1, checks=checks)
    if case.nonce is not None:
        require_nonce(case, claims.report_data, snp_bindings(case.nonce))
    if case.nonce is None and "report_data" not in case.policy_inputs:
        checks.skip("REPORT_DATA", "the case records no nonce")
    if not isinstance(claims, SnpClaims):
        raise TypeError(type(claims).__name__)
    require_inputs(case, {**snp_fields(claims), **key_fields(case.endorsements.items)})


def snp_bindings(nonce: bytes) -> set[bytes]:
    """What relying parties put into REPORT_DATA: the nonce or a digest of it, zeros behind it, all 64 bytes compared."""
    forms = [nonce, *(hashlib.new(name, nonce).digest() for name in ("sha256", "sha384", "sha512"))]
    return {form.ljust(64, b"\x00") for form in forms if len(form) <= 64}


def snp_fields(claims: SnpClaims) -> dict[str, Any]:
    """Field names of the manifests to values."""
    report = claims.report
    fields: dict[str, Any] = {key: getattr(report, key) for key in report.__dataclass_fields__}
    fields |= dict(claims.measurements)
    fields |= _decoded_fields(claims)
    fields |= {
        "product": claims.product.value,
        "signing_key": claims.signing_key.name,
        "csp_id": claims.csp_id,
        "cpuid_fms": bytes(report.cpuid) if report.cpuid else None,
        "debug": bool(report.policy >> 19 & 1),
        "migrate_ma": bool(report.policy >> 18 & 1),
        "smt_allowed": bool(report.policy >> 16 & 1),
        "chip_id": report.chip_id,
    }
    return fields | {f"expected_{name}": value for name, value in fields.items()}


def key_fields(endorsements: Mapping[str, bytes]) -> dict[str, Any]:
    """Of the certificate of the endorsement key, which the verifier has accepted; nothing where it came in a chain."""
    data = next((endorsements[role] for role in ("vcek", "vlek") if role in endorsements), None)
    if data is None:
        return {}
    certificate = x509.load_certificates(data)[0]
    window = {"ek_not_before": certificate.not_valid_before_utc, "ek_not_after": certificate.not_valid_after_utc}
    fields = {name: value.isoformat() for name, value in window.items()}
    return fields | {f"expected_{name}": value for name, value in fields.items()}


def _decoded_fields(claims: SnpClaims) -> dict[str, Any]:
    """The nested fields of the manifests: bits by name, and TCBs by component."""
    report = claims.report
    tcbs = {
        "current": claims.current_tcb,
        "committed": claims.committed_tcb,
        "reported": claims.reported_tcb,
        "launch": claims.launch_tcb,
    }
    names = {"ciphertext_hiding_dram": "ciphertext_hiding", "ciphertext_hiding_dram_en": "ciphertext_hiding_en"}
    bits = {names.get(bit.name.lower(), bit.name.lower()): bool(report.policy & bit) for bit in GuestPolicy if bit.name}
    platform = {names.get(bit.name.lower(), bit.name.lower()): bool(report.platform_info & bit) for bit in PlatformInfo if bit.name}
    major, minor = report.policy_abi
    policy: dict[str, bool | int] = {
        **bits,
        "abi_major": major,
        "abi_minor": minor,
        "smt_allowed": bits["smt"],
        "reserved_mbo_17": bits["reserved_one"],
    }
    fields: dict[str, Any] = {"policy_bits": policy, "platform_info_bits": platform}
    return fields | {f"{name}_tcb_decoded": dataclasses.asdict(tcb) for name, tcb in tcbs.items()}


ADAPTER = Adapter(sort, judge, starts)
