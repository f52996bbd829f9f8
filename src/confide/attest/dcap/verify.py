"""Is a DCAP quote genuine, and what does Intel say of its platform's TCB? Shared by SGX, TDX and Azure's TDX.

1. Read the quote: `quote.parse_quote`.
2. PCK chain: from certification data 5, or beside the quote; to the pinned root: `chain.pck_chain`, `pck.decode`.
3. Revocation: the root's list for the CAs and signers, the PCK CA's list for the leaf: `_revocation`.
4. The QE report is signed by the PCK key, and vouches for the attestation key: `_qe`.
5. The body is signed by the attestation key: `_body`.
6. TCB info and QE identity: signers, signatures over the exact bytes: `_collateral`.
7. They are about this platform and this quoting enclave: `_about`.
8. Windows of certificates, lists and collateral at `now`: `_windows`.
9. The TCB status: `tcb.evaluate`.

Where no TCB collateral is given and revocation is not required, the quote can be genuine with an unknown TCB: `tcb_status` is then
None, which no default constraints accept. Left to others: what stands in the body, and which statuses are good enough.
"""

import functools
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from confide.attest import x509
from confide.attest.checks import Checks
from confide.attest.dcap import pck as pck_extension
from confide.attest.dcap.chain import PckChain, pck_chain, signing_chain
from confide.attest.dcap.collateral import Identity, Signed, TcbInfo, parse_identity, parse_tcb_info
from confide.attest.dcap.pck import Pck
from confide.attest.dcap.quote import Certification, Quote, TeeType, parse_quote
from confide.attest.dcap.report import EnclaveReport
from confide.attest.dcap.tcb import Evaluation, TcbStatus, TdxTcb, evaluate
from confide.attest.evidence import Endorsements, Evidence, Root, Roots
from confide.attest.revocation import check_list_windows, check_revocation, expiry
from confide.attest.x509 import P256, Certificate, Revocation, RevocationList
from confide.codes import Code
from confide.errors import CollateralError, EvidenceError

IDS = {TeeType.SGX: ("SGX", "QE"), TeeType.TDX: ("TDX", "TD_QE")}  # PCS API: `id` of TCB info and of the identity
COLLATERAL = ("tcb-info", "tcb-info-chain", "qe-identity", "qe-identity-chain")
BESIDE = (("pck-chain",), ("pck-chain", "pck-crl-chain"))  # where a chain may come from; with a leaf, its CA's suffices
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # NIST SP 800-186


@dataclass(frozen=True)
class DcapQuote:
    """A quote that Intel's chain proves.

    Attributes:
        quote: its parts; `quote.body` is what the TEE's own layout reads.
        tcb: None where no TCB collateral was given and none was required.
        evaluation_number: `tcbEvaluationDataNumber`, the lower one of TCB info and QE identity.
        not_before, not_after: the intersection of the windows of everything used; UTC.
    """

    quote: Quote = field(repr=False)
    pck: Pck
    qe: EnclaveReport = field(repr=False)
    root: Root
    tcb: Evaluation | None
    evaluation_number: int | None
    not_before: datetime
    not_after: datetime

    @property
    def tcb_status(self) -> str | None:
        """Intel's word."""
        return None if self.tcb is None else self.tcb.status.value

    @property
    def advisories(self) -> tuple[str, ...]:
        """Intel's advisory identifiers of the levels that were matched."""
        return () if self.tcb is None else self.tcb.advisories

    @property
    def platform_id(self) -> str:
        """The platform instance id, or PPID where the certificate has none, in hex."""
        return (self.pck.platform_instance_id or self.pck.ppid).hex()


def read_quote(data: bytes, *, tee: TeeType, checks: Checks) -> Quote:
    """Step 1 alone, for callers that need the body before the chain."""
    return parse_quote(data, tee=tee, checks=checks)


def quote_bytes(evidence: Evidence, role: str = "quote") -> bytes:
    """The quote among the evidence; `evidence.missing` without one."""
    found = evidence.items.get(role)
    if found is None:
        raise EvidenceError(Code.EVIDENCE_MISSING, found=", ".join(sorted(evidence.items)) or "nothing", wanted=role)
    return found


def authenticate_quote(
    quote: Quote,
    endorsements: Endorsements,
    *,
    tdx: TdxTcb | None,
    roots: Roots,
    now: datetime,
    revocation: Revocation,
    checks: Checks,
) -> DcapQuote:
    """Steps 2 to 9. `tdx`: what of the TD's report decides its TCB; None for an enclave.

    Raises:
        EvidenceError: `dcap.*`, `x509.*`: not genuine.
        CollateralError: certificates, lists or TCB data are missing, malformed, stale or about something else.
    """
    x509.require_clock(now)
    items = endorsements.items
    chain = pck_chain(_given(quote, items), roots=roots, checks=checks)
    pck = pck_extension.decode(chain.leaf)
    collateral = _collateral(items, tee=quote.tee, roots=roots, required=revocation.required, checks=checks)
    lists = _revocation(chain, collateral, items, required=revocation.required, checks=checks)
    qe = _qe(quote, chain.leaf, checks)
    _body(quote, checks)
    if collateral is not None:
        _about(collateral, pck, qe, checks)
    _windows(chain, collateral, lists, now=now, revocation=revocation, checks=checks)
    tcb = None if collateral is None else evaluate(collateral.info, pck, qe.isv_svn, collateral.identity, tdx=tdx)
    checks.conclude()
    starts, ends = _bounds(chain, collateral, lists, revocation)
    number = None if collateral is None else collateral.evaluation_number
    return DcapQuote(quote, pck, qe, chain.root, tcb, number, max(starts), min(ends))


# --- 2: certificates --------------------------------------------------------------------------------------------------------------


def _given(quote: Quote, items: Mapping[str, bytes]) -> tuple[Certificate, ...]:
    """The chain in the quote; or the one beside it where the quote carries a leaf, or the means to ask for one (types 1 to 3, 7).

    A leaf in the quote is the one that counts: another one beside it refuses (`chain`).
    """
    kind = quote.certification_type
    if kind == Certification.PCK_CHAIN:
        return x509.load_certificates(quote.certification.rstrip(b"\x00"))
    own = x509.load_certificates(quote.certification.rstrip(b"\x00")) if kind == Certification.PCK_LEAF else ()
    role = next((role for role in BESIDE[kind == Certification.PCK_LEAF] if role in items), None)
    if kind not in set(Certification) - {Certification.QE_REPORT} or role is None:
        found = f"certification data of type {kind}" + ("" if role else ", and no chain beside it")
        raise EvidenceError(Code.DCAP_CERTIFICATION, found=found, wanted="type 5, or the collateral pck-chain")
    return tuple(dict.fromkeys((*own, *x509.load_certificates(items[role]))))


# --- 3: revocation ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Lists:
    """Lists that were applied, by whose they are."""

    root: tuple[RevocationList, ...]
    pck: tuple[RevocationList, ...]


def _revocation(
    chain: PckChain, collateral: "_Collateral | None", items: Mapping[str, bytes], *, required: bool, checks: Checks
) -> _Lists:
    (leaf, intermediate, _) = chain.named
    signers = () if collateral is None else collateral.signers
    roots_list, pck_list = _lists(items, "root-crl", chain.anchor), _lists(items, "pck-crl", chain.intermediate)
    root = check_revocation(
        (intermediate, *signers), roots_list, issuer=chain.anchor, required=required, checks=checks, algorithms=P256
    )
    pck = check_revocation((leaf,), pck_list, issuer=chain.intermediate, required=required, checks=checks, algorithms=P256)
    return _Lists(root, pck)


def _lists(items: Mapping[str, bytes], role: str, issuer: Certificate) -> tuple[RevocationList, ...]:
    """What came under a role; lists of others alone are collateral for another platform, not the lack of a list."""
    if role not in items:
        return ()
    lists = x509.load_crls(items[role])
    if not any(x509.issuer_of(crl) == issuer.subject for crl in lists):
        found = f"{role}: {len(lists)} lists of other issuers"
        raise CollateralError(Code.X509_CRL_MISSING, found=found, wanted=f"one of {x509.common_name(issuer)}")
    return lists


# --- 4, 5: signatures of the quote ------------------------------------------------------------------------------------------------


def _qe(quote: Quote, leaf: Certificate, checks: Checks) -> EnclaveReport:
    """Step 4 (QuoteLibReference section "Quote verification"): PCK key over the QE report; REPORTDATA over key and auth data."""
    good = _certificate_signed(leaf, quote.qe_report_signature, quote.qe_report)
    checks.require(
        good, Code.DCAP_QE_SIGNATURE, "QE report signature", found=x509.told(good), wanted="one by the PCK certificate's key"
    )
    qe = EnclaveReport.parse(quote.qe_report)
    wanted = hashlib.sha256(quote.attestation_key + quote.qe_auth_data).digest() + bytes(32)
    checks.require(
        hmac.compare_digest(qe.report_data, wanted),
        Code.DCAP_QE_REPORT_DATA,
        "QE REPORTDATA",
        found=qe.report_data.hex(),
        wanted=f"SHA-256 of attestation key and authentication data: {wanted.hex()}",
    )
    return qe


def _body(quote: Quote, checks: Checks) -> None:
    """Step 5."""
    good = _point_signed(quote.attestation_key, quote.signature, quote.signed)
    checks.require(good, Code.DCAP_SIGNATURE, "quote signature", found=x509.told(good), wanted="one by the attestation key")


def _certificate_signed(certificate: Certificate, signature: bytes, data: bytes) -> bool:
    try:
        key = certificate.public_key()
    except x509.UNREADABLE:
        return False
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1) and _verifies(key, signature, data)


def _point_signed(point: bytes, signature: bytes, data: bytes) -> bool:
    """`point` is x || y; one that is not on the curve signs nothing."""
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + point)
    except ValueError:
        return False
    return _verifies(key, signature, data)


def _verifies(key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> bool:
    """ECDSA with SHA-256; r || s, both from 1 to the order less one (FIPS 186-5 section 6.4.2)."""
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    if len(signature) != 64 or not (0 < r < P256_ORDER and 0 < s < P256_ORDER):
        return False
    try:
        key.verify(encode_dss_signature(r, s), data, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


# --- 6, 7: TCB collateral ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Collateral:
    """Signed TCB data, and who signed it."""

    info: TcbInfo
    identity: Identity
    info_signer: Certificate
    identity_signer: Certificate

    @property
    def signers(self) -> tuple[tuple[str, Certificate], ...]:
        return ("TCB info signer", self.info_signer), ("QE identity signer", self.identity_signer)

    @property
    def evaluation_number(self) -> int:
        return min(self.info.evaluation_number, self.identity.evaluation_number)


def _collateral(items: Mapping[str, bytes], *, tee: TeeType, roots: Roots, required: bool, checks: Checks) -> _Collateral | None:
    """Step 6. All of it or, where none is required, nothing of it."""
    missing = [role for role in COLLATERAL if role not in items]
    if missing:
        if required or len(missing) < len(COLLATERAL):
            raise CollateralError(Code.DCAP_COLLATERAL_MISSING, found=f"no {', '.join(missing)}", wanted=", ".join(COLLATERAL))
        checks.skip("TCB status", "no TCB collateral was given and none is required: what firmware runs there is not judged")
        return None
    info, identity = parse_tcb_info(items["tcb-info"]), parse_identity(items["qe-identity"])
    for signed, wanted, title in zip((info, identity), IDS[tee], ("TCB info", "QE identity"), strict=True):
        checks.require(
            signed.id == wanted, Code.DCAP_COLLATERAL_ID, f"{title} id", found=signed.id, wanted=wanted, error=CollateralError
        )
    info_signer = _signer(info, items["tcb-info-chain"], "TCB info", roots, checks)
    identity_signer = _signer(identity, items["qe-identity-chain"], "QE identity", roots, checks)
    return _Collateral(info, identity, info_signer, identity_signer)


def _signer(signed: Signed, chain: bytes, title: str, roots: Roots, checks: Checks) -> Certificate:
    leaf, _ = signing_chain(x509.load_certificates(chain), title=title, roots=roots, checks=checks)
    good = _signed_exactly(leaf, signed.signature, signed.body)
    checks.require(
        good,
        Code.DCAP_COLLATERAL_SIGNATURE,
        f"{title} signature",
        found=x509.told(good),
        wanted="one by Intel SGX TCB Signing",
    )
    return leaf


@functools.lru_cache(maxsize=32)
def _signed_exactly(leaf: Certificate, signature: bytes, body: bytes) -> bool:
    """Remembered: the same collateral serves many quotes."""
    return _certificate_signed(leaf, signature, body)


def _about(collateral: _Collateral, pck: Pck, qe: EnclaveReport, checks: Checks) -> None:
    """Step 7: FMSPC and PCE-ID; the QE's identity under its masks (PCS API, "Enclave Identity"); the QE itself is no debug
    enclave."""
    info, identity = collateral.info, collateral.identity
    pairs = (
        (Code.DCAP_FMSPC, "FMSPC", info.fmspc, pck.fmspc),
        (Code.DCAP_PCE_ID, "PCE-ID", info.pce_id, pck.pce_id),
    )
    for code, title, found, wanted in pairs:
        checks.require(
            found == wanted, code, f"{title} of the TCB info", found=found.hex(), wanted=wanted.hex(), error=CollateralError
        )
    for title, ok, shown, expected in _identity_checks(identity, qe):
        checks.require(ok, Code.DCAP_QE_IDENTITY, f"QE {title}", found=shown, wanted=expected)


def _identity_checks(identity: Identity, qe: EnclaveReport) -> list[tuple[str, bool, str, str]]:
    misc, misc_wanted = qe.misc_select & identity.misc_select_mask, identity.misc_select & identity.misc_select_mask
    mask = int.from_bytes(identity.attributes_mask)
    attributes, attributes_wanted = int.from_bytes(qe.attributes) & mask, int.from_bytes(identity.attributes) & mask
    return [
        ("MRSIGNER", qe.mr_signer == identity.mr_signer, qe.mr_signer.hex(), identity.mr_signer.hex()),
        ("ISVPRODID", qe.isv_prod_id == identity.isv_prod_id, str(qe.isv_prod_id), str(identity.isv_prod_id)),
        ("MISCSELECT", misc == misc_wanted, f"{misc:#x} under its mask", f"{misc_wanted:#x}"),
        ("ATTRIBUTES", attributes == attributes_wanted, f"{attributes:032x} under the mask", f"{attributes_wanted:032x}"),
        ("DEBUG", not qe.debug, str(int(qe.debug)), "0"),
    ]


# --- 8: windows -------------------------------------------------------------------------------------------------------------------


def _windows(
    chain: PckChain,
    collateral: _Collateral | None,
    lists: _Lists,
    *,
    now: datetime,
    revocation: Revocation,
    checks: Checks,
) -> None:
    for title, certificate in (*chain.named, *(() if collateral is None else collateral.signers)):
        x509.check_window(certificate, now=now, title=title, checks=checks)
    check_list_windows(lists.root, issuer=chain.anchor, now=now, revocation=revocation, checks=checks)
    check_list_windows(lists.pck, issuer=chain.intermediate, now=now, revocation=revocation, checks=checks)
    if collateral is None:
        return
    for title, signed in (("TCB info", collateral.info), ("QE identity", collateral.identity)):
        _window(signed, title, now, revocation, checks)


def _window(signed: Signed, title: str, now: datetime, revocation: Revocation, checks: Checks) -> None:
    """PCS API: from issueDate to nextUpdate, both of which belong to it, as in Intel's own library; and a grace that was asked."""
    found, end = now.isoformat(), revocation.extended(signed.next_update)
    checks.require(
        now >= signed.issue_date,
        Code.DCAP_COLLATERAL_EARLY,
        f"{title} issueDate",
        found=found,
        wanted=f"from {signed.issue_date.isoformat()}",
        error=CollateralError,
    )
    checks.require(
        now <= end,
        Code.DCAP_COLLATERAL_EXPIRED,
        f"{title} nextUpdate",
        found=found,
        wanted=f"until {end.isoformat()}",
        error=CollateralError,
    )
    if signed.next_update < now <= end:
        checks.relax("collateral_grace", f"{title} ended at {signed.next_update.isoformat()} and is used for a while")


def _bounds(
    chain: PckChain, collateral: _Collateral | None, lists: _Lists, revocation: Revocation
) -> tuple[list[datetime], list[datetime]]:
    certificates = [certificate for _, certificate in chain.named]
    starts, ends = [], []
    if collateral is not None:
        certificates += [certificate for _, certificate in collateral.signers]
        starts += [collateral.info.issue_date, collateral.identity.issue_date]
        ends += [revocation.extended(signed.next_update) for signed in (collateral.info, collateral.identity)]
    used = (*lists.root, *lists.pck)
    starts += [each.not_valid_before_utc for each in certificates] + [crl.last_update_utc for crl in used]
    ends += [each.not_valid_after_utc for each in certificates] + [expiry(crl, revocation) for crl in used]
    return starts, ends


def standing(quote: DcapQuote) -> TcbStatus | None:
    """The merged status as a value of ours."""
    return None if quote.tcb is None else quote.tcb.status
