"""Is the report genuine? AMD's chain, its certificates' own fields, and the signature; nothing about what is acceptable.

1. Read the report and find the certificates for its SIGNING_KEY (`layout.parse_report`, `chain.find_chain`).
2. Chain: VCEK -> ASK -> pinned ARK, or VLEK -> ASVK -> pinned ARK (`_check_chain`).
3. Revocation by the ARK's list (`revocation.check_revocation`).
4. The endorsement certificate's own fields (`_check_certificate`, `_check_extensions`).
5. The windows of certificates and lists at `now` (`_check_windows`).
6. The report's signature by the endorsed key (`_check_signature`).
7. Report and certificate agree: product, REPORTED_TCB, CHIP_ID (`_check_agreement`).

Steps 1 (the chain) to 4 are the same for every report of a chip and do not depend on the time, so what they established for the
same bytes and roots is kept (`_kept`); only what holds is kept, and every check is shown each time.

Left to others: measurements, TCB minima, guest policy, freshness (`validate.py`, `policy`).
"""

import functools
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from confide.attest import x509
from confide.attest.checks import Check, Checks, NotChecked
from confide.attest.evidence import Endorsements, Evidence, Kind, Roots
from confide.attest.revocation import check_list_windows, check_revocation, expiry
from confide.attest.snp import extensions
from confide.attest.snp.chain import ISSUERS, Chain, find_chain, refuse
from confide.attest.snp.claims import SnpClaims
from confide.attest.snp.extensions import EndorsementExtensions
from confide.attest.snp.layout import Product, Report, SigningKey, Tcb, parse_report, product_of_cpuid, reserved_components
from confide.attest.x509 import Certificate, Revocation, RevocationList
from confide.codes import Code
from confide.errors import ConfideError, EvidenceError


def authenticate(
    evidence: Evidence, endorsements: Endorsements, *, roots: Roots, now: datetime, revocation: Revocation, checks: Checks
) -> SnpClaims:
    """Verify `evidence["report"]` against AMD's chain at `now`.

    Endorsement roles: `vcek` or `vlek`; `ask`, `asvk`, `ark`, `cert-chain` (optional, DER or PEM); `crl` (DER or PEM).

    Raises:
        EvidenceError: not genuine.
        CollateralError: AMD's certificates or lists are missing, malformed or out of their windows.
    """
    x509.require_clock(now)
    report = parse_report(_report_bytes(evidence), checks=checks)
    endorsed = _endorsed(report.signing_key, endorsements, roots, required=revocation.required, checks=checks)
    _check_windows(endorsed, now=now, revocation=revocation, checks=checks)
    _check_signature(report, endorsed.chain.leaf, checks=checks)
    _check_agreement(report, endorsed.chain.product, endorsed.extensions, checks=checks)
    checks.conclude()
    return _claims(report, endorsed, revocation)


def _report_bytes(evidence: Evidence) -> bytes:
    report = evidence.items.get("report")
    if report is None:
        raise EvidenceError(Code.EVIDENCE_MISSING, found=", ".join(sorted(evidence.items)), wanted="report")
    return report


# --- 1 to 4: what does not depend on report and time -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Endorsed:
    """A chain that holds at some time, the lists that were applied to it, and what was noted on the way."""

    chain: Chain
    lists: tuple[RevocationList, ...]
    extensions: EndorsementExtensions
    done: tuple[Check, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()


def _endorsed(key: SigningKey, endorsements: Endorsements, roots: Roots, *, required: bool, checks: Checks) -> _Endorsed:
    """Steps 1 to 4, from what is kept where it holds; where it does not, once more into the caller's own record."""
    try:
        kept = _kept(key, tuple(sorted(endorsements.items.items())), tuple(roots), required)
    except ConfideError:
        return _establish(key, endorsements, roots, required=required, checks=checks)
    checks.done.extend(kept.done)
    checks.not_checked.extend(kept.not_checked)
    return kept


@functools.lru_cache(maxsize=16)
def _kept(key: SigningKey, items: tuple[tuple[str, bytes], ...], roots: Roots, required: bool) -> _Endorsed:
    """A pure function of values; an error is never kept. Bounded: at most 16 times what a document may hold."""
    checks = Checks()
    found = _establish(key, Endorsements(dict(items)), roots, required=required, checks=checks)
    return _Endorsed(found.chain, found.lists, found.extensions, tuple(checks.done), tuple(checks.not_checked))


def _establish(key: SigningKey, endorsements: Endorsements, roots: Roots, *, required: bool, checks: Checks) -> _Endorsed:
    """Steps 1 to 4."""
    chain = find_chain(key, endorsements, roots=roots, checks=checks)
    _check_chain(chain, checks=checks)
    lists = x509.load_crls(endorsements.items["crl"]) if "crl" in endorsements.items else ()
    used = check_revocation(chain.named, lists, issuer=chain.anchor, required=required, checks=checks)
    return _Endorsed(chain, used, _check_certificate(chain, checks=checks))


def _check_chain(chain: Chain, *, checks: Checks) -> None:
    """Step 2: names, signatures and CA fields of the three certificates."""
    (leaf, _), (middle, _), (top, _) = chain.named
    _check_name(chain.intermediate, f"{ISSUERS[chain.key]}{chain.product}", title=middle, checks=checks)
    x509.check_authority(chain.anchor, path_length=None, crl_sign=True, title=top, checks=checks)
    x509.check_authority(chain.intermediate, path_length=0, crl_sign=False, title=middle, checks=checks)
    x509.check_link(chain.intermediate, chain.anchor, title=middle, checks=checks)
    x509.check_link(chain.leaf, chain.intermediate, title=leaf, checks=checks)


def _check_name(certificate: Certificate, wanted: str, *, title: str, checks: Checks) -> None:
    found = x509.common_name(certificate)
    checks.require(found == wanted, Code.SNP_SUBJECT, f"{title} subject", found=found, wanted=wanted)


def _check_certificate(chain: Chain, *, checks: Checks) -> EndorsementExtensions:
    """Step 4: P-384, and AMD's extensions for this product and kind of key."""
    key = chain.key
    readable = x509.check_end_entity(chain.leaf, title=key.name, checks=checks)
    public = _p384(chain.leaf)
    found = "P-384" if public else "another key"
    checks.require(public is not None, Code.SNP_ENDORSED_KEY, f"{key.name} public key", found=found, wanted="P-384")
    if not readable:
        checks.conclude()
    try:
        decoded = extensions.decode(chain.leaf, chain.product)
    except EvidenceError as error:
        refuse(error, f"{key.name} extensions", checks)
    _check_extensions(decoded, chain.product, key, checks=checks)
    return decoded


def _check_extensions(decoded: EndorsementExtensions, product: Product, key: SigningKey, *, checks: Checks) -> None:
    version = decoded.struct_version
    checks.require(
        version in extensions.STRUCT_VERSIONS, Code.SNP_STRUCT_VERSION, "structVersion", found=str(version), wanted="0 or 1"
    )
    stems = extensions.products_named(product)
    checks.require(
        decoded.product_name.split("-", 1)[0] in stems,  # "Milan-B0" names a stepping, "Milan" in a VLEK does not
        Code.SNP_PRODUCT_NAME,
        "productName",
        found=decoded.product_name,
        wanted=" or ".join(stems),
    )
    vlek = key is SigningKey.VLEK
    checks.require(
        (decoded.csp_id is not None) is vlek,
        Code.SNP_CSP_ID,
        "cspID",
        found=decoded.csp_id or "none",
        wanted="a provider" if vlek else "none in a VCEK",
    )


def _p384(certificate: Certificate) -> ec.EllipticCurvePublicKey | None:
    try:
        key = certificate.public_key()
    except x509.UNREADABLE:
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP384R1) else None


# --- 5 to 7: the time and the report ---------------------------------------------------------------------------------------------


def _check_windows(endorsed: _Endorsed, *, now: datetime, revocation: Revocation, checks: Checks) -> None:
    """Step 5: certificates and lists hold at `now`."""
    for title, certificate in endorsed.chain.named:
        x509.check_window(certificate, now=now, title=title, checks=checks)
    check_list_windows(endorsed.lists, issuer=endorsed.chain.anchor, now=now, revocation=revocation, checks=checks)


def _check_signature(report: Report, leaf: Certificate, *, checks: Checks) -> None:
    """Step 6: ECDSA P-384 with SHA-384 over bytes 0x000 to 0x29F."""
    key, good = _p384(leaf), False
    if key is not None:
        try:
            key.verify(encode_dss_signature(report.signature_r, report.signature_s), report.signed, ec.ECDSA(SHA384()))
            good = True
        except InvalidSignature:
            good = False
    checks.require(
        good,
        Code.SNP_SIGNATURE,
        "SIGNATURE",
        found="a good one" if good else "a bad one",
        wanted=f"one by the {report.signing_key.name}",
    )


def _check_agreement(report: Report, product: Product, decoded: EndorsementExtensions, *, checks: Checks) -> None:
    """Step 7: what the report says of the platform is what AMD certified. In version 2 the chain alone names the product."""
    if report.cpuid is not None:
        family, model, _ = report.cpuid
        found = product_of_cpuid(family, model)
        checks.require(
            found is product, Code.SNP_CPUID, "CPUID", found=f"family {family:#x} model {model:#x}: {found}", wanted=product.value
        )
    reported = Tcb.from_bytes(report.reported_tcb, product.tcb_layout)
    reserved = reserved_components(report.reported_tcb, product.tcb_layout)
    checks.require(
        reported == decoded.tcb and reserved == decoded.reserved.ljust(len(reserved), b"\x00"),
        Code.SNP_REPORTED_TCB,
        "REPORTED_TCB",
        found=f"{reported} ({report.reported_tcb.hex()})",
        wanted=f"{decoded.tcb}, as certified",
    )
    _check_chip(report, decoded, checks=checks)


def _check_chip(report: Report, decoded: EndorsementExtensions, *, checks: Checks) -> None:
    """CHIP_ID against hwID. A VLEK names a provider, no chip; a host may mask CHIP_ID with zeros (AMD 56860, MASK_CHIP_ID)."""
    if report.signing_key is SigningKey.VLEK:
        checks.skip("CHIP_ID", "a VLEK is not bound to a chip; CHIP_ID, where not zero, is the firmware's word")
        return
    if decoded.hwid is None:
        checks.require(False, Code.SNP_EXTENSION, "hwID", found="hwID missing", wanted="hwID in a VCEK")
    elif _masked(report):
        checks.skip("CHIP_ID", "the host has masked it: the report names no chip")
    else:
        wanted = decoded.hwid.ljust(64, b"\x00")
        checks.require(report.chip_id == wanted, Code.SNP_HWID, "CHIP_ID", found=report.chip_id.hex(), wanted=wanted.hex())


def _masked(report: Report) -> bool:
    return not any(report.chip_id)


def _claims(report: Report, endorsed: _Endorsed, revocation: Revocation) -> SnpClaims:
    chain = endorsed.chain
    certificates = (chain.leaf, chain.intermediate, chain.anchor)
    starts = [certificate.not_valid_before_utc for certificate in certificates]
    starts += [crl.last_update_utc for crl in endorsed.lists]
    ends = [certificate.not_valid_after_utc for certificate in certificates]
    ends += [expiry(crl, revocation) for crl in endorsed.lists]
    layout = chain.product.tcb_layout
    return SnpClaims(
        kind=Kind.SNP,
        simulated=chain.root.simulated,
        measurements=(("measurement", report.measurement),),
        report_data=report.report_data,
        platform_id="" if _masked(report) else report.chip_id.hex(),
        tcb_status=None,  # AMD publishes minima, not a status
        advisories=(),
        not_before=max(starts),
        not_after=min(ends),
        report=report,
        product=chain.product,
        signing_key=report.signing_key,
        current_tcb=Tcb.from_bytes(report.current_tcb, layout),
        committed_tcb=Tcb.from_bytes(report.committed_tcb, layout),
        reported_tcb=Tcb.from_bytes(report.reported_tcb, layout),
        launch_tcb=Tcb.from_bytes(report.launch_tcb, layout),
        csp_id=endorsed.extensions.csp_id,
        chip_masked=_masked(report),
    )
