"""Is a TPM quote genuine? The key's certificate, the signature, the PCRs; nothing about what is acceptable.

1. Read the quote and its signature: `quote.parse_attest`, `quote.parse_signature`.
2. The attestation key: its certificate to a pinned root: `ak.ak_chain`; where its TPMT_PUBLIC came, the same key with the
attributes of
   an attestation key: `_key`.
3. Windows at `now`: `_windows`.
4. The signature by that key.
5. The PCR values that came are those that were quoted: `quote.require_pcrs`.
6. An event log that came leads to them: `_replay`.

Left to others: the values (`validate`), `extraData` (`binding`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from confide.attest import eventlog, x509
from confide.attest.checks import Checks
from confide.attest.evidence import Endorsements, Evidence, Kind, Roots
from confide.attest.tpm.ak import AkChain, ak_chain
from confide.attest.tpm.claims import TpmClaims
from confide.attest.tpm.quote import (
    PublicKey,
    parse_attest,
    parse_pcrs,
    parse_public,
    parse_signature,
    require_pcrs,
    require_signed,
)
from confide.attest.x509 import UNREADABLE, Certificate, Revocation
from confide.codes import Code
from confide.errors import CollateralError, EvidenceError

NEEDED = ("attest", "signature", "pcrs")


def authenticate(
    evidence: Evidence, endorsements: Endorsements, *, roots: Roots, now: datetime, revocation: Revocation, checks: Checks
) -> TpmClaims:
    """Verify `attest`, `signature`, `pcrs` (and `ak-public`, `event-log` where they came) at `now`.

    Endorsement roles: `ak-cert`, `ak-chain`.

    Raises:
        EvidenceError: not genuine.
        CollateralError: certificates are missing, malformed or out of their windows.
    """
    x509.require_clock(now)
    items = require_items(evidence, NEEDED)
    attest, signature = parse_attest(items["attest"]), parse_signature(items["signature"])
    checks.require(True, Code.TPM_MAGIC, "TPMS_ATTEST", found="a quote by a TPM", wanted="a quote by a TPM")
    chain = ak_chain(_given(endorsements), roots=roots, checks=checks)
    key = _key(chain, items, checks)
    _windows(chain.certificates, now, checks)
    require_signed(attest, signature, key, checks=checks)
    bank, pcrs = require_pcrs(attest, parse_pcrs(items["pcrs"]), checks=checks)
    replayed = replay_log(items, bank, pcrs, checks)
    if revocation.required:
        checks.skip("AK revocation", "no list of the cloud's vTPM authority is used")
    checks.conclude()
    return TpmClaims(
        kind=Kind.TPM,
        simulated=chain.root.simulated,
        measurements=tuple((f"pcr{index}", value) for index, value in pcrs.items()),
        report_data=attest.extra_data,
        platform_id=f"{chain.instance.instance_id:016x}" if chain.instance.instance_id else "",
        tcb_status=None,
        advisories=(),
        not_before=max(each.not_valid_before_utc for each in chain.certificates),
        not_after=min(each.not_valid_after_utc for each in chain.certificates),
        attest=attest,
        bank=bank,
        pcrs=pcrs,
        ak_spki_sha256=spki_sha256(key),
        instance=chain.instance,
        event_log_replayed=replayed,
    )


def require_items(evidence: Evidence, needed: Sequence[str]) -> Mapping[str, bytes]:
    """The evidence's items; `evidence.missing` unless all that is needed is there."""
    missing = [role for role in needed if role not in evidence.items]
    if missing:
        found = ", ".join(sorted(evidence.items)) or "nothing"
        raise EvidenceError(Code.EVIDENCE_MISSING, found=found, wanted=", ".join(missing))
    return evidence.items


def spki_sha256(key: PublicKey) -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo in DER."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def replay_log(items: Mapping[str, bytes], bank: int, pcrs: Mapping[int, bytes], checks: Checks) -> bool:
    """Step 6. Registers that no event extends keep their value of the start, which is not judged."""
    if "event-log" not in items:
        checks.skip("event log", "none was given: PCRs are compared, not what led to them")
        return False
    log = eventlog.parse_event_log(items["event-log"])
    try:
        algorithm = eventlog.Algorithm(bank)
    except ValueError:
        raise EvidenceError(Code.EVENTLOG_ALGORITHM, found=f"bank {bank:#x}", wanted="a known one") from None
    for index, replayed in sorted(eventlog.replay(log, algorithm).items()):
        if index in pcrs:
            wanted = pcrs[index].hex()
            ok = replayed == pcrs[index]
            checks.require(ok, Code.TPM_EVENT_LOG, f"replay of PCR{index}", found=replayed.hex(), wanted=wanted)
    return True


def _given(endorsements: Endorsements) -> tuple[Certificate, ...]:
    """The key's certificate first."""
    items = endorsements.items
    found = [
        certificate for role in ("ak-cert", "ak-chain") if role in items for certificate in x509.load_certificates(items[role])
    ]
    if not found:
        raise CollateralError(Code.X509_MISSING, found="no certificate of the attestation key", wanted="ak-cert")
    return tuple(found)


def _key(chain: AkChain, items: Mapping[str, bytes], checks: Checks) -> PublicKey:
    """Step 2."""
    try:
        key = chain.leaf.public_key()
    except UNREADABLE:
        key = None
    if not isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)):
        raise EvidenceError(Code.TPM_KEY, found="another key", wanted="RSA or ECC")
    if "ak-public" not in items:
        checks.skip(
            "attestation key attributes", "its public area was not given: the authority's word counts that it is restricted"
        )
        return key
    public = parse_public(items["ak-public"], checks=checks)
    found = spki_sha256(public).hex()
    checks.require(public == key, Code.TPM_KEY, "certified key", found=found, wanted=spki_sha256(key).hex())
    return key


def _windows(certificates: Sequence[Certificate], now: datetime, checks: Checks) -> None:
    for depth, certificate in enumerate(certificates):
        title = "AK" if depth == 0 else "AK root" if depth == len(certificates) - 1 else f"AK intermediate {depth}"
        x509.check_window(certificate, now=now, title=title, checks=checks)
