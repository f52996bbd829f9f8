"""Is a device's report genuine? NVIDIA's chain, its revocation, the signature, and the firmware that signs; nothing about what is
acceptable.

1. Read request and response: `spdm`.
2. Chain: leaf, firmware, provisioner, identity, pinned root, in order: `_chain`.
3. Windows at `now` (these certificates never end), and OCSP for all but the leaf, which the device issued to itself: `_revocation`.
4. The signature over request and response by the leaf's key: `_signature`.
5. The firmware's FWID in the leaf is the one that the device reports: `_fwid`.
6. NVIDIA's manifests that came, verified by themselves, OCSP of their signers too: `_manifests`. One that does not verify does not
   make the report less genuine: it is kept with its failure, and `validate` refuses it.

Left to others: comparing measurements (`validate`), the nonce (`binding`), that all devices of a machine are there (`policy`).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import UnrecognizedExtension

from confide.attest import x509
from confide.attest.checks import Checks
from confide.attest.dcap import der
from confide.attest.evidence import Endorsements, Evidence, Kind, Root, Roots
from confide.attest.nvidia import ocsp
from confide.attest.nvidia.claims import NvidiaClaims
from confide.attest.nvidia.rim import RIM_ROOT, Manifest, verify_manifest
from confide.attest.nvidia.spdm import Measurements, Opaque, parse_measurements
from confide.attest.x509 import P384, UNREADABLE, Certificate, Revocation, extensions_of
from confide.codes import Code
from confide.errors import CollateralError, ConfideError, EvidenceError

MIN_CHAIN, MAX_CHAIN = 3, 6
TCB_INFO = ("2.23.133.5.4.1", "2.23.133.5.4.1.1")  # TCG DICE Attestation Architecture, section 6.1.1
FWID_SIZE = 48
SWITCHES = "LS"  # architectures of NVSwitches
RIMS = ("rim-driver", "rim-vbios")


def authenticate(
    evidence: Evidence, endorsements: Endorsements, *, roots: Roots, now: datetime, revocation: Revocation, checks: Checks
) -> NvidiaClaims:
    """Verify `evidence["gpu-report"]` of one device at `now`.

    Endorsement roles: `cert-chain` (PEM, leaf first), `rim-driver`, `rim-vbios` (XML), `ocsp`.

    Raises:
        EvidenceError: not genuine.
        CollateralError: certificates or OCSP responses are missing, malformed or out of their windows.
    """
    x509.require_clock(now)
    items = endorsements.items
    report = parse_measurements(_report(evidence))
    checks.require(True, Code.NVIDIA_SPDM, "SPDM", found=f"{len(report.blocks)} blocks", wanted="measurements")
    if "cert-chain" not in items:
        raise CollateralError(Code.X509_MISSING, found="no certificates of the device", wanted="cert-chain")
    chain = _chain(x509.load_certificates(items["cert-chain"]), roots, checks)
    for title, certificate in chain.named:
        x509.check_window(certificate, now=now, title=title, checks=checks)
    responses = ocsp.load_responses(items["ocsp"]) if "ocsp" in items else ()
    hold, known_until = _revocation(chain, responses, now=now, revocation=revocation, checks=checks)
    _signature(report, chain.certificates[0], checks)
    _fwid(report, chain.certificates[0], checks)
    checks.conclude()
    manifests, failures = _manifests(endorsements, roots, now=now, responses=responses, revocation=revocation, checks=checks)
    ends = [each.not_valid_after_utc for each in chain.certificates] + [each.not_after for each in manifests.values()]
    starts = [each.not_valid_before_utc for each in chain.certificates] + [each.not_before for each in manifests.values()]
    digest = _leaf_digest(chain.certificates[0])
    return NvidiaClaims(
        kind=Kind.NVIDIA,
        simulated=chain.root.simulated,
        measurements=tuple((f"measurement {index}", value) for index, value in report.blocks.items()),
        report_data=report.nonce,
        platform_id=digest.hex(),
        tcb_status=None,
        advisories=(),
        not_before=max(starts),
        not_after=min([*ends, *([known_until] if known_until else [])]),
        measurements_report=report,
        architecture=x509.common_name(chain.certificates[0]).split(" ", 1)[0],
        driver_version=report.driver_version.upper(),
        vbios_version=report.vbios_version,
        leaf_key_sha256=digest,
        on_hold=hold,
        driver_manifest=manifests.get("rim-driver"),
        vbios_manifest=manifests.get("rim-vbios"),
        manifest_failures=failures,
    )


@dataclass(frozen=True)
class _Chain:
    """Leaf first, pinned root last."""

    certificates: tuple[Certificate, ...]
    root: Root

    @property
    def named(self) -> list[tuple[str, Certificate]]:
        return [(x509.common_name(each) or f"certificate {depth}", each) for depth, each in enumerate(self.certificates)]


def _report(evidence: Evidence) -> bytes:
    found = evidence.items.get("gpu-report")
    if found is None:
        raise EvidenceError(Code.EVIDENCE_MISSING, found=", ".join(sorted(evidence.items)) or "nothing", wanted="gpu-report")
    return found


def _chain(given: tuple[Certificate, ...], roots: Roots, checks: Checks) -> _Chain:
    """Step 2: in the order in which they came; the root may be left out."""
    pinned = [(root, x509.load_certificate(root.der)) for root in roots if root.kind is Kind.NVIDIA and RIM_ROOT not in root.name]
    anchored = given
    if not any(given[-1] == anchor for _, anchor in pinned):
        anchored = (*given, *(anchor for _, anchor in pinned if x509.names(anchor).subject == x509.names(given[-1]).issuer))
    root = next((root for root, anchor in pinned if anchor == anchored[-1]), None)
    names = ", ".join(root.name for root, _ in pinned) or "a pinned root of devices"
    if root is None:
        raise EvidenceError(Code.X509_ROOT, found=x509.names(given[-1]).subject_text, wanted=names)
    checks.require(True, Code.X509_ROOT, "device root", found=root.name, wanted=names)
    if not MIN_CHAIN <= len(anchored) <= MAX_CHAIN:
        raise EvidenceError(Code.NVIDIA_CHAIN, found=f"{len(anchored)} certificates", wanted=f"{MIN_CHAIN} to {MAX_CHAIN}")
    x509.check_distinct(anchored, title="device", checks=checks)
    x509.check_end_entity(anchored[0], title="leaf", checks=checks)
    for depth, certificate in enumerate(anchored[1:]):
        title = x509.common_name(certificate) or f"authority {depth + 1}"
        x509.check_authority(certificate, path_length=None, crl_sign=False, title=title, checks=checks)
        x509.check_path(certificate, below=depth, title=title, checks=checks)
        x509.check_link(anchored[depth], certificate, title=f"certificate {depth}", checks=checks, algorithms=P384)
    checks.conclude()
    return _Chain(anchored, root)


def _revocation(
    chain: _Chain, responses: Sequence[ocsp.Response], *, now: datetime, revocation: Revocation, checks: Checks
) -> tuple[bool, datetime | None]:
    """Step 3. Whether any is on hold; the first end among the statuses that are known."""
    hold, ends = False, []
    for (title, certificate), (_, issuer) in zip(chain.named[1:-1], chain.named[2:], strict=True):
        on_hold, end = ocsp.check_status(certificate, issuer, responses, title=title, now=now, revocation=revocation, checks=checks)
        hold = hold or on_hold
        ends += [end] if end is not None else []
    return hold, min(ends, default=None)


def _signature(report: Measurements, leaf: Certificate, checks: Checks) -> None:
    """Step 4: ECDSA P-384 with SHA-384; r || s."""
    good = _verifies(report, leaf)
    checks.require(good, Code.NVIDIA_SIGNATURE, "SPDM signature", found=x509.told(good), wanted="one by the device's leaf key")


def _verifies(report: Measurements, leaf: Certificate) -> bool:
    try:
        key = leaf.public_key()
    except UNREADABLE:
        return False
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP384R1):
        return False
    r, s = int.from_bytes(report.signature[:48]), int.from_bytes(report.signature[48:])
    if not r or not s:
        return False
    try:
        key.verify(encode_dss_signature(r, s), report.signed, ec.ECDSA(SHA384()))
    except InvalidSignature:
        return False
    return True


def _fwid(report: Measurements, leaf: Certificate, checks: Checks) -> None:
    """Step 5. Devices without a FWID in both places (switches) show nothing of it."""
    certified, reported = _certified_fwids(leaf), report.opaque.get(Opaque.FWID)
    if reported is None or not certified:
        switch = x509.common_name(leaf).startswith(SWITCHES)
        if switch or (reported is None and not certified):
            checks.skip("FWID", "certificate and report do not both name one: NVSwitches do not")
            return
        found = "in the report alone" if reported is not None else "in the certificate alone"
        checks.require(False, Code.NVIDIA_FWID, "FWID", found=found, wanted="in both")
        return
    wanted = ", ".join(each.hex() for each in certified)
    checks.require(reported in certified, Code.NVIDIA_FWID, "FWID", found=reported.hex(), wanted=wanted)


def _certified_fwids(leaf: Certificate) -> tuple[bytes, ...]:
    """Digests of SHA-384's size in DiceTcbInfo (TCG DICE Attestation Architecture, section 6.1.1: `fwids`)."""
    try:
        values = [
            each.value.value
            for each in extensions_of(leaf)
            if each.oid.dotted_string in TCB_INFO and isinstance(each.value, UnrecognizedExtension)
        ]
        return tuple(found for value in values for found in _octets(value, 0))
    except UNREADABLE:
        raise EvidenceError(Code.NVIDIA_FWID, found="an extension that does not decode", wanted="DiceTcbInfo") from None


def _octets(data: bytes, depth: int) -> list[bytes]:
    found: list[bytes] = []
    for tag, content in der.elements(data):
        if tag == der.OCTET_STRING and len(content) == FWID_SIZE:
            found.append(content)
        elif tag & 0x20 and depth < 4:  # constructed
            found += _octets(content, depth + 1)
    return found


def _manifests(
    endorsements: Endorsements,
    roots: Roots,
    *,
    now: datetime,
    responses: Sequence[ocsp.Response],
    revocation: Revocation,
    checks: Checks,
) -> tuple[dict[str, Manifest], tuple[ConfideError, ...]]:
    """Step 6."""
    found: dict[str, Manifest] = {}
    failures: list[ConfideError] = []
    for role in RIMS:
        if role in endorsements.items:
            trial = Checks()
            try:
                found[role] = verify_manifest(
                    endorsements.items[role],
                    title=role,
                    roots=roots,
                    now=now,
                    responses=responses,
                    revocation=revocation,
                    checks=trial,
                )
                checks.done.extend(trial.done)
                checks.not_checked.extend(trial.not_checked)
            except ConfideError as error:
                failures.append(error)
    return found, tuple(failures)


def _leaf_digest(leaf: Certificate) -> bytes:
    return hashlib.sha256(leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
