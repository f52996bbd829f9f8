"""TPM cases: `recorded-v1` of a cloud's TPM, the TEE's report that may stand beside it, and what go-tpm-tools' launcher puts where.

The launcher of Layr-Labs/go-tpm-tools (`internal/nonce`) derives a quote's extraData from a challenge, the platform and the
caller's extra data, and a TEE's REPORT_DATA from the challenge, the attestation key and the extra data. Left to others: wrappings
(`quotes`), the quote itself (`attest.tpm`).
"""

import gzip
import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from confide.attest import verifiers, x509
from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.constraints import Constraints, Ignored
from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.attest.roots import VENDOR_ROOTS
from confide.attest.snp.claims import SnpClaims
from confide.attest.tdx.claims import TdxClaims
from confide.attest.tpm.claims import TpmClaims
from confide.attest.tpm.quote import BANKS
from confide.attest.tpm.validate import TpmConstraints
from confide.errors import ConfideError
from conformance.kinds import intel, quotes, snp, tdx
from conformance.kinds.case import Adapter, Case, File, Parts, RefusedInputError, UnknownDialectError, require_inputs, same

RECORDED_V1 = TpmConstraints(pcrs=Ignored.UNSAFE_IGNORED, allow_host_trusted=Ignored.UNSAFE_IGNORED)
TEE_V1: dict[Kind, Constraints] = {Kind.SNP: snp.RECORDED_V1, Kind.TDX: tdx.RECORDED_V1}
TAGS = {Kind.SNP: "AMD_SEV_SNP", Kind.TDX: "INTEL_TDX", None: "GCP_SHIELDED_VM"}
LABEL = b"WORKLOAD_ATTESTATION"
FULL_NONCE = 32  # bytes; a quote with so many answers somebody's challenge
_ROLES = {"tpm-attest": "attest", "tpm-signature": "signature", "report": "tee-report", "td-quote": "tee-quote"}
_TEE = {"vcek", "vlek", "ask", "asvk", "ark", "crl"}


def sort(files: Sequence[File]) -> Parts:
    """Parts out of whatever they came in."""
    evidence: dict[str, bytes] = {}
    endorsements: dict[str, bytes] = {}
    for file in files:
        parts = _parts(file)
        evidence |= {name: value for name, value in parts.evidence.items() if value or name not in evidence}
        endorsements |= parts.endorsements
    if "attest" not in evidence:
        raise UnknownDialectError
    return Parts(quotes.settled(evidence), endorsements)


def _parts(file: File) -> Parts:
    role, _, data = file
    if role == "attestation-protobuf":
        return quotes.from_attestation(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    if role == "attestation-json":
        return quotes.from_json(json.loads(data))
    if role == "collateral":
        return Parts({}, {f"tee-{name}": value for name, value in intel.unwrap_collateral(data).items()})
    if role in _TEE:
        return Parts({}, {f"tee-{role}": data})
    if role == "cert-chain":
        return Parts({}, {"ak-cert": data})
    if role in {"ak-cert", "ak-chain", "ak-crl"}:
        return Parts({}, {role: data})
    return Parts({_ROLES.get(role, role): data}, {})


def judge(claims: Claims, case: Case, checks: Checks) -> None:
    """`recorded-v1`, the TEE's own report where one came, then the nonce, then what else the case expects."""
    if not isinstance(claims, TpmClaims):
        raise TypeError(type(claims).__name__)
    verifiers.validate(claims, RECORDED_V1, checks=checks)
    tee = _tee(case, checks)
    challenge = case.policy_inputs.get("challenge")
    challenge = bytes.fromhex(challenge) if isinstance(challenge, str) else None
    if case.nonce is None:
        _no_nonce(claims, checks)
    elif not any(same(claims.attest.extra_data, form.hex()) for form in nonces(case.nonce, challenge, tee)):
        _other_nonce(claims, case, challenge, checks)
    if tee is not None:
        _bound(tee, case, challenge, checks)
    require_inputs(case, fields(claims) | _beside(case, tee) | ({"challenge": challenge} if challenge else {}))


def _beside(case: Case, tee: Claims | None) -> dict[str, Any]:
    """Fields of the attestation key's certificate, and of the TEE's report."""
    found: dict[str, Any] = {}
    own = {name.removeprefix("tee-"): value for name, value in case.endorsements.items.items()}
    if isinstance(tee, SnpClaims):
        found["snp"] = snp.snp_fields(tee) | snp.key_fields(own)
    if isinstance(tee, TdxClaims):
        found |= dict.fromkeys(("tdx", "td_quote"), tdx.fields(tee))
    if "ak-cert" in case.endorsements.items:
        certificate = x509.load_certificates(case.endorsements.items["ak-cert"])[0]
        window = [each.isoformat() for each in (certificate.not_valid_before_utc, certificate.not_valid_after_utc)]
        found |= {"ak_cert_subject": certificate.subject.rfc4514_string(), "ak_cert_window": window}
    return found


def _no_nonce(claims: TpmClaims, checks: Checks) -> None:
    """Freshness is all that ties a quote to its asker: one made for a full challenge that nobody here sent is someone else's."""
    if len(claims.attest.extra_data) >= FULL_NONCE:
        raise RefusedInputError("recorded.nonce_unknown")
    checks.skip("extraData", "the case records no nonce")


def _other_nonce(claims: TpmClaims, case: Case, challenge: bytes | None, checks: Checks) -> None:
    """The launcher's extraData can only be recomputed with the challenge; where the case does not record it, that is told."""
    launcher = "canonical-event-log" in case.evidence.items and len(claims.attest.extra_data) == 32
    if not launcher or challenge is not None:
        raise RefusedInputError("recorded.nonce")
    checks.skip("extraData", "the launcher derives it from a challenge that the case does not record")


def nonces(nonce: bytes, challenge: bytes | None = None, tee: Claims | None = None) -> set[bytes]:
    """The nonce, a digest of it, or what the launcher derives of it as challenge or as extra data."""
    tag = TAGS[None if tee is None else tee.kind]
    found = {nonce, launcher_nonce(nonce, tag), *(hashlib.new(name, nonce).digest() for name in ("sha256", "sha384", "sha512"))}
    return found if challenge is None else {launcher_nonce(challenge, tag, nonce), launcher_nonce(challenge, tag)}


def launcher_nonce(challenge: bytes, tag: str, extra: bytes = b"") -> bytes:
    """`ComputeTPMNonce`: SHA-256(label || tag || SHA-256(challenge) [|| SHA-256(extra)])."""
    more = hashlib.sha256(extra).digest() if extra else b""
    return hashlib.sha256(LABEL + tag.encode() + hashlib.sha256(challenge).digest() + more).digest()


def launcher_report_data(challenge: bytes, spki: bytes, extra: bytes = b"") -> bytes:
    """`ComputeBoundNonce`: SHA-512(label || SHA-512(challenge) || SHA-512(attestation key) [|| SHA-512(extra)])."""
    more = hashlib.sha512(extra).digest() if extra else b""
    return hashlib.sha512(LABEL + hashlib.sha512(challenge).digest() + hashlib.sha512(spki).digest() + more).digest()


def _tee(case: Case, checks: Checks) -> Claims | None:
    """The report beside the quote is genuine too, and acceptable by its own `recorded-v1`."""
    items, given = case.evidence.items, case.endorsements.items
    if items.get("tee-report"):
        kind, evidence = Kind.SNP, {"report": items["tee-report"]}
    elif items.get("tee-quote"):
        kind, evidence = Kind.TDX, {"quote": items["tee-quote"]}
    else:
        return None
    own = {name.removeprefix("tee-"): value for name, value in given.items() if name.startswith("tee-")}
    claims = verifiers.authenticate(
        Evidence(kind, evidence),
        Endorsements(own),
        roots=VENDOR_ROOTS,
        now=case.as_of,
        revocation=verifiers.Revocation(required=False),
        checks=checks,
    )
    verifiers.validate(claims, TEE_V1[kind], checks=checks)
    return claims


def _bound(tee: Claims, case: Case, challenge: bytes | None, checks: Checks) -> None:
    """The TEE's report names the attestation key: otherwise a quote of another machine could stand beside it."""
    spki = spki_of(case)
    if challenge is None:
        checks.skip("REPORT_DATA of the TEE", "the launcher derives it from a challenge that the case does not record")
    elif tee.report_data not in {launcher_report_data(challenge, spki, extra) for extra in (b"", case.nonce or b"")}:
        raise RefusedInputError("recorded.tee_binding")


def spki_of(case: Case) -> bytes:
    """The certified key, as the launcher hashes it."""
    certificate = x509.load_certificates(case.endorsements.items["ak-cert"])[0]
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def quote_fields(claims: Any) -> dict[str, Any]:
    """Of a quote, by the manifests' names; shared with Azure's kinds."""
    attest = claims.attest
    names = ("qualified_signer", "extra_data", "clock", "reset_count", "restart_count", "firmware_version", "pcr_digest")
    quote: dict[str, Any] = {
        "magic": "ff544347",
        "type": "8018",
        **{name: getattr(attest, name) for name in names},
        "safe": int(attest.safe),
    }
    bank = BANKS[claims.bank][0]
    selection = [{"hash": bank, "pcrs": list(claims.pcrs)}]
    quote["pcr_selection"] = selection
    pcrs = {str(index): value for index, value in claims.pcrs.items()}
    found = {"tpm_quote": quote, **quote, "pcrs": pcrs, f"pcrs_{bank}": pcrs, "pcr_bank": bank}
    return found | {f"pcr{index}": value for index, value in claims.pcrs.items()}


def fields(claims: TpmClaims) -> dict[str, Any]:
    """Field names of the manifests to values."""
    instance, platform = claims.instance, claims.platform
    found = quote_fields(claims) | {
        "zone": instance.zone if instance else None,
        "project": instance.project_id if instance else None,
        "project_id": instance.project_id if instance else None,
        "project_number": instance.project_number if instance else None,
        "instance_id": instance.instance_id if instance else None,
        "instance_name": instance.instance_name if instance else None,
        "technology": platform.technology.name if platform.technology is not None else None,
        "gce_firmware_version": platform.firmware_version,
        "secure_boot": platform.secure_boot,
        "authority": claims.authority.value,
        "ak_spki_sha256": claims.ak_spki_sha256,
    }
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
