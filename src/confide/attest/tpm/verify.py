"""Is a TPM quote genuine? The key's certificate, the signature, the PCRs; nothing about what is acceptable.

1. Read the quote and its signature (`quote.parse_attest`, `quote.parse_signature`).
2. The attestation key: its certificate to a pinned root, with revocation (`ak.ak_chain`), and a production TPM (`_instance`).
3. Where its TPMT_PUBLIC came: the same key, an attestation key by its attributes, signing with its one scheme (`_key`).
4. The windows of certificates and lists at `now` (`_check_windows`).
5. The signature by that key (`quote.require_signed`); whether what it signed names the public area of step 3 (`_area`).
6. The PCR values that came are those that were quoted (`quote.require_pcrs`).
7. An event log that came leads to them (`replay_log`).

Left to others: what the values should be (`validate`), `extraData` (`binding`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from confide.attest import eventlog, x509
from confide.attest.checks import Checks
from confide.attest.evidence import Endorsements, Evidence, Kind, Roots
from confide.attest.revocation import check_list_windows, expiry
from confide.attest.tpm.ak import AkChain, ak_chain
from confide.attest.tpm.claims import TpmClaims
from confide.attest.tpm.instance import Instance, instance_of
from confide.attest.tpm.platform import Platform, platform_of
from confide.attest.tpm.public import Public, parse_public, require_key_kind, require_scheme
from confide.attest.tpm.quote import (
    Attest,
    PublicKey,
    Signature,
    parse_attest,
    parse_pcrs,
    parse_signature,
    require_pcrs,
    require_signed,
)
from confide.attest.x509 import UNREADABLE, Certificate, Revocation
from confide.codes import Code
from confide.errors import CollateralError, EvidenceError

NEEDED = ("attest", "signature", "pcrs")
FIRMWARE_PCRS = range(8)  # PC Client Platform Firmware Profile section 2.3.4: what the firmware measures, and logs


def authenticate(
    evidence: Evidence, endorsements: Endorsements, *, roots: Roots, now: datetime, revocation: Revocation, checks: Checks
) -> TpmClaims:
    """Verify `attest`, `signature`, `pcrs` (and `ak-public`, `event-log` where they came) at `now`.

    Endorsement roles: `ak-cert`, `ak-chain` (DER or PEM; optional where this package ships the intermediate), `ak-crl`.

    Raises:
        EvidenceError: not genuine.
        CollateralError: certificates or lists are missing, malformed or out of their windows.
    """
    x509.require_clock(now)
    items = require_items(evidence, NEEDED)
    attest, signature = parse_attest(items["attest"]), parse_signature(items["signature"])
    checks.require(True, Code.TPM_MAGIC, "TPMS_ATTEST", found="a quote by a TPM", wanted="a quote by a TPM")
    lists = x509.load_crls(endorsements.items["ak-crl"]) if "ak-crl" in endorsements.items else ()
    chain = ak_chain(_given(endorsements), lists, roots=roots, required=revocation.required, checks=checks)
    instance = _instance(chain.leaf, checks)
    key, public = _key(chain.leaf, items, signature, checks)
    _check_windows(chain, now=now, revocation=revocation, checks=checks)
    require_signed(attest, signature, key, checks=checks)
    _area(public, attest, checks)
    bank, pcrs = require_pcrs(attest, parse_pcrs(items["pcrs"]), signature=signature, checks=checks)
    platform = replay_log(items, bank, pcrs, checks)
    checks.conclude()
    start, end = _window(chain, revocation)
    return TpmClaims(
        kind=Kind.TPM,
        simulated=chain.root.simulated,
        measurements=tuple((f"pcr{index}", value) for index, value in pcrs.items()),
        report_data=attest.extra_data,
        platform_id="" if instance is None else f"{instance.instance_id:016x}",
        tcb_status=None,  # no cloud publishes one for its virtual TPMs
        advisories=(),
        not_before=start,
        not_after=end,
        attest=attest,
        bank=bank,
        pcrs=pcrs,
        ak_spki_sha256=spki_sha256(key),
        authority=chain.authority,
        instance=instance,
        event_log_replayed=platform is not None,
        platform=platform or Platform(),
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


def replay_log(items: Mapping[str, bytes], bank: int, pcrs: Mapping[int, bytes], checks: Checks) -> Platform | None:
    """Step 7. None where no log came.

    Every quoted PCR that the log extends must be what the log leads to. One that it does not extend must be zero where firmware
    measures into it, or events were left out; later software (IMA, systemd) keeps its own logs, so others are told as not checked.
    """
    if "event-log" not in items:
        checks.skip("event log", "none was given: PCRs are compared, not what led to them")
        return None
    log = eventlog.parse_event_log(items["event-log"])
    algorithm = eventlog.Algorithm(bank)  # `require_pcrs` gives known banks only
    found, unexplained = eventlog.replay(log, algorithm), []
    for index, value in pcrs.items():
        if index in found or index in FIRMWARE_PCRS:
            replayed = found.get(index, bytes(len(value)))
            title = f"replay of PCR{index}"
            checks.require(replayed == value, Code.TPM_EVENT_LOG, title, found=replayed.hex(), wanted=value.hex())
        elif value.strip(value[:1]) or value[0] not in {0x00, 0xFF}:  # not the zeros or FFs of the start
            unexplained.append(str(index))
    if unexplained:
        checks.skip(f"what led to PCRs {', '.join(unexplained)}", "the event log has no events of theirs")
    return platform_of(log, algorithm, pcrs)


def _given(endorsements: Endorsements) -> tuple[Certificate, ...]:
    """The key's certificate first."""
    items = endorsements.items
    if "ak-cert" not in items:
        found = "no certificate of the attestation key"
        raise CollateralError(Code.X509_MISSING, found=found, wanted="ak-cert")
    return tuple(each for role in ("ak-cert", "ak-chain") if role in items for each in x509.load_certificates(items[role]))


def _instance(leaf: Certificate, checks: Checks) -> Instance | None:
    """Step 2: Google marks TPMs that are not for production; go-tpm-tools ignores what those say."""
    instance = instance_of(leaf)
    if instance is not None:
        found = "true" if instance.production else "false"
        checks.require(instance.production, Code.TPM_PRODUCTION, "isProduction", found=found, wanted="true")
    return instance


def _key(leaf: Certificate, items: Mapping[str, bytes], signature: Signature, checks: Checks) -> tuple[PublicKey, Public | None]:
    """Step 3."""
    try:
        certified = leaf.public_key()
    except UNREADABLE:
        certified = None
    key = require_key_kind(certified)
    if "ak-public" not in items:
        why = "its public area was not given: that it is restricted to what the TPM made is the authority's word"
        checks.skip("attestation key attributes", why)
        return key, None
    public = parse_public(items["ak-public"], checks=checks)
    found, wanted = spki_sha256(public.key).hex(), spki_sha256(key).hex()
    checks.require(public.key == key, Code.TPM_KEY, "certified key", found=found, wanted=wanted)
    require_scheme(public, signature, checks=checks)
    return key, public


def _area(public: Public | None, attest: Attest, checks: Checks) -> None:
    """Step 5: whoever hands over a public area could write attributes into it; the TPM has signed what it named its key by."""
    if public is None:
        return
    title = "public area of the attestation key"
    if public.is_signer(attest.qualified_signer):
        found = "named by the quote"
        checks.require(True, Code.TPM_ATTRIBUTES, title, found=found, wanted=found)
        return
    checks.skip(title, "the quote names no primary key with it: its attributes are the word of whoever handed it over")


def _check_windows(chain: AkChain, *, now: datetime, revocation: Revocation, checks: Checks) -> None:
    """Step 4."""
    for title, certificate in chain.named:
        x509.check_window(certificate, now=now, title=title, checks=checks)
    for issuer, lists in chain.lists:
        check_list_windows(lists, issuer=issuer, now=now, revocation=revocation, checks=checks)


def _window(chain: AkChain, revocation: Revocation) -> tuple[datetime, datetime]:
    """The intersection of all windows."""
    lists = [crl for _, used in chain.lists for crl in used]
    starts = [each.not_valid_before_utc for each in chain.certificates] + [crl.last_update_utc for crl in lists]
    ends = [each.not_valid_after_utc for each in chain.certificates] + [expiry(crl, revocation) for crl in lists]
    return max(starts), min(ends)
