"""Cases of Azure's confidential VMs."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from confide.attest import verifiers
from confide.attest.azure.claims import AzureClaims, AzureSnpClaims, AzureTdxClaims
from confide.attest.azure.validate import AzureSnpConstraints, AzureTdxConstraints
from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.constraints import Constraints, Ignored
from confide.attest.evidence import Kind
from conformance.kinds import intel, quotes, snp, tdx, tpm
from conformance.kinds.case import Adapter, Case, File, Parts, require_inputs, require_nonce

EVIDENCE = {"hcl-report", "tpm-attest", "tpm-signature", "pcrs", "td-quote", "event-log"}
_QUOTE = {"attest": "tpm-attest", "signature": "tpm-signature"}
_SKIP = Ignored.UNSAFE_IGNORED
RECORDED_V1: dict[Kind, Constraints] = {
    Kind.AZ_SNP_VTPM: AzureSnpConstraints(pcrs=_SKIP, snp=snp.RECORDED_V1),
    Kind.AZ_TDX_VTPM: AzureTdxConstraints(pcrs=_SKIP, tdx=tdx.RECORDED_V1),
}


def sort(files: Sequence[File]) -> Parts:
    """Evidence as it is, AMD's and Intel's collateral by their own adapters."""
    evidence: dict[str, bytes] = {}
    endorsements: dict[str, bytes] = {}
    for file in files:
        if file.role == "collateral":
            endorsements |= intel.unwrap_collateral(file.data)
        elif file.role == "td-quote":
            evidence[file.role] = intel.unwrap_quote(file.data)
        elif file.role == "attestation-json":
            parts = from_json(json.loads(file.data))
            evidence |= parts.evidence
            endorsements |= parts.endorsements
        elif file.role in EVIDENCE:
            evidence[file.role] = file.data
        else:
            endorsements |= snp.sort([file]).endorsements
    return Parts(quotes.settled(evidence, attest="tpm-attest", signature="tpm-signature"), endorsements)


def from_json(value: Any) -> Parts:
    """Trustee's and attestation-rs's objects: HCL report, quotes and VCEK as base 64, hex, PEM or lists of numbers."""
    found = quotes.from_json(value).evidence
    evidence = {_QUOTE.get(role, role): data for role, data in found.items()}
    endorsements: dict[str, bytes] = {}
    for name, member in quotes.members(value):
        data = quotes.member_octets(member)
        if data is not None and data[:4] == b"HCLA":
            evidence["hcl-report"] = data
        elif data is not None and name == "td_quote":
            evidence["td-quote"] = data
        elif isinstance(member, str) and name in {"vcek", "vlek"}:
            endorsements[name] = member.encode() if "-----BEGIN" in member else quotes.octets(member)
    return Parts(evidence, endorsements)


def judge(claims: Claims, case: Case, checks: Checks) -> None:
    """`recorded-v1`, then the nonce, then what else the case expects."""
    verifiers.validate(claims, RECORDED_V1[claims.kind], checks=checks)
    if not isinstance(claims, AzureClaims):
        raise TypeError(type(claims).__name__)
    if case.nonce is None:
        checks.skip("extraData", "the case records no nonce")
    else:
        forms = {case.nonce, *(hashlib.new(name, case.nonce).digest() for name in ("sha256", "sha384", "sha512"))}
        require_nonce(case, claims.report_data, forms)
    found = fields(claims)
    if isinstance(claims, AzureSnpClaims):
        found["snp"] = {**found["snp"], **snp.key_fields(case.endorsements.items)}
    if isinstance(claims, AzureTdxClaims):
        found["td_quote"] = {**found["td_quote"], **intel.quote_fields(case, "td-quote"), **intel.platform_fields(claims.tdx)}
    require_inputs(case, found)


def fields(claims: AzureClaims) -> dict[str, Any]:
    """Field names of the manifests to values."""
    hcl = claims.hcl
    header = {
        "version": hcl.version,
        "request_type": hcl.request_type,
        "report_type": hcl.report_type.name,
        "hash_type": hcl.hash_name,
    }
    runtime = {"vm-configuration": dict(hcl.configuration), "user-data": hcl.said.user_data}
    found: dict[str, Any] = {
        "hcl": header,
        "runtime_claims": runtime,
        "user_data": hcl.said.user_data,
        "key_ids": list(hcl.keys),
        "ak_spki_sha256": claims.ak_spki_sha256,
        **{name.replace("-", "_"): value for name, value in hcl.configuration.items()},
    }
    found |= {} if claims.attest is None else tpm.quote_fields(claims)
    if isinstance(claims, AzureSnpClaims):
        own = snp.snp_fields(claims.snp)
        found |= {"snp": own, **{name: value for name, value in own.items() if name not in found}}
    if isinstance(claims, AzureTdxClaims):
        own = tdx.report_fields(claims.tdx.report)
        found |= {"td_quote": own, **{name: value for name, value in own.items() if name not in found}}
    return found | {f"expected_{name}": value for name, value in found.items()}


def starts(parts: Parts) -> list[datetime]:
    """Those of AMD's certificates, of Intel's collateral, and of the chain in the TD quote."""
    quote = {"quote": parts.evidence["td-quote"]} if "td-quote" in parts.evidence else {}
    if quote:
        return intel.starts(Parts(quote, parts.endorsements))
    return snp.starts(parts)


ADAPTER = Adapter(sort, judge, starts)
