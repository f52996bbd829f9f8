"""What Intel endorses beside a quote: the PCK chain, TCB info and QE identity, revocation lists; genuine, at some time.

None of it depends on what a quote says or on the time, so what was established for the same bytes and roots is kept (`_kept`); only
what holds is kept, and every check is shown each time. Left to others: whether it is about this platform and holds now (`verify`).
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from confide.attest import x509
from confide.attest.checks import Check, Checks, NotChecked
from confide.attest.dcap import pck as pck_extension
from confide.attest.dcap.chain import PckChain, pck_chain, signing_chain
from confide.attest.dcap.collateral import Identity, Signed, TcbInfo, parse_identity, parse_tcb_info
from confide.attest.dcap.pck import Pck
from confide.attest.dcap.quote import Certification, Quote, TeeType
from confide.attest.dcap.signatures import certified
from confide.attest.evidence import Endorsements, Roots
from confide.attest.revocation import check_revocation
from confide.attest.x509 import P256, Certificate, RevocationList
from confide.codes import Code
from confide.errors import CollateralError, ConfideError, EvidenceError

IDS = {TeeType.SGX: ("SGX", "QE"), TeeType.TDX: ("TDX", "TD_QE")}  # PCS API: `id` of TCB info and of the identity
COLLATERAL = ("tcb-info", "tcb-info-chain", "qe-identity", "qe-identity-chain")
BESIDE = (("pck-chain",), ("pck-chain", "pck-crl-chain"))  # where a chain may come from; with a leaf, its CA's suffices


@dataclass(frozen=True)
class Collateral:
    """Signed TCB data, and who signed it."""

    info: TcbInfo
    identity: Identity
    info_signer: Certificate
    identity_signer: Certificate

    @property
    def signers(self) -> tuple[tuple[str, Certificate], ...]:
        """Each with a title; one, where one signed both."""
        if self.info_signer == self.identity_signer:
            return (("TCB signer", self.info_signer),)
        return ("TCB info signer", self.info_signer), ("QE identity signer", self.identity_signer)

    @property
    def evaluation_number(self) -> int:
        """The lower one: the older of the two decides what is known (PCS API, `tcbEvaluationDataNumber`)."""
        return min(self.info.evaluation_number, self.identity.evaluation_number)


@dataclass(frozen=True)
class Lists:
    """Lists that were applied, by whose they are."""

    root: tuple[RevocationList, ...]
    pck: tuple[RevocationList, ...]


@dataclass(frozen=True)
class Endorsed:
    """All of it, with what was noted on the way. `collateral` is None where none came and none was required."""

    chain: PckChain
    pck: Pck
    collateral: Collateral | None
    lists: Lists
    done: tuple[Check, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()


def endorsed(quote: Quote, endorsements: Endorsements, *, roots: Roots, required: bool, checks: Checks) -> Endorsed:
    """Steps 2, 3 and 6 of `verify`, from what is kept where it holds; where it does not, once more into the caller's own record.

    Raises:
        EvidenceError, CollateralError: `x509.*`, `dcap.*`.
    """
    certification = quote.certification_type, quote.certification
    try:
        kept = _kept(certification, quote.tee, tuple(sorted(endorsements.items.items())), tuple(roots), required)
    except ConfideError:
        return _establish(certification, quote.tee, endorsements.items, roots, required=required, checks=checks)
    checks.done.extend(kept.done)
    checks.not_checked.extend(kept.not_checked)
    return kept


@functools.lru_cache(maxsize=32)
def _kept(
    certification: tuple[int, bytes], tee: TeeType, items: tuple[tuple[str, bytes], ...], roots: Roots, required: bool
) -> Endorsed:
    """A pure function of values; an error is never kept. Bounded: at most 32 times what a document may hold."""
    checks = Checks()
    found = _establish(certification, tee, dict(items), roots, required=required, checks=checks)
    return Endorsed(found.chain, found.pck, found.collateral, found.lists, tuple(checks.done), tuple(checks.not_checked))


def _establish(
    certification: tuple[int, bytes], tee: TeeType, items: Mapping[str, bytes], roots: Roots, *, required: bool, checks: Checks
) -> Endorsed:
    chain = pck_chain(_given(certification, items), roots=roots, checks=checks)
    pck = pck_extension.decode(chain.leaf)
    collateral = _collateral(items, tee=tee, roots=roots, required=required, checks=checks)
    lists = _revocation(chain, collateral, items, required=required, checks=checks)
    return Endorsed(chain, pck, collateral, lists)


# --- 2: certificates --------------------------------------------------------------------------------------------------------------


def _given(certification: tuple[int, bytes], items: Mapping[str, bytes]) -> tuple[Certificate, ...]:
    """The chain in the quote; or the one beside it where the quote carries a leaf, or the means to ask for one (types 1 to 3, 7;
    QuoteLibReference table 9).

    A leaf in the quote is the one that counts: another one beside it refuses (`chain`).
    """
    kind, data = certification
    if kind == Certification.PCK_CHAIN:
        return x509.load_certificates(data.rstrip(b"\x00"))
    own = x509.load_certificates(data.rstrip(b"\x00")) if kind == Certification.PCK_LEAF else ()
    role = next((role for role in BESIDE[kind == Certification.PCK_LEAF] if role in items), None)
    if kind not in set(Certification) - {Certification.QE_REPORT} or role is None:
        found = f"certification data of type {kind}" + ("" if role else ", and no chain beside it")
        raise EvidenceError(Code.DCAP_CERTIFICATION, found=found, wanted="type 5, or the collateral pck-chain")
    return tuple(dict.fromkeys((*own, *x509.load_certificates(items[role]))))


# --- 3: revocation ----------------------------------------------------------------------------------------------------------------


def _revocation(
    chain: PckChain, collateral: Collateral | None, items: Mapping[str, bytes], *, required: bool, checks: Checks
) -> Lists:
    """PCK Certificate and CRL Profile, section 2: the root lists CAs and signers, each CA its PCK certificates."""
    (leaf, intermediate, _) = chain.named
    signers = () if collateral is None else collateral.signers
    roots_list, pck_list = _lists(items, "root-crl", chain.anchor), _lists(items, "pck-crl", chain.intermediate)
    root = check_revocation(
        (intermediate, *signers), roots_list, issuer=chain.anchor, required=required, checks=checks, algorithms=P256
    )
    pck = check_revocation((leaf,), pck_list, issuer=chain.intermediate, required=required, checks=checks, algorithms=P256)
    return Lists(root, pck)


def _lists(items: Mapping[str, bytes], role: str, issuer: Certificate) -> tuple[RevocationList, ...]:
    """What came under a role; lists of others alone are collateral for another platform, not the lack of a list."""
    if role not in items:
        return ()
    lists = x509.load_crls(items[role])
    if not any(x509.issuer_of(crl) == issuer.subject for crl in lists):
        found = f"{role}: {len(lists)} lists of other issuers"
        raise CollateralError(Code.X509_CRL_MISSING, found=found, wanted=f"one of {x509.common_name(issuer)}")
    return lists


# --- 6: TCB collateral ------------------------------------------------------------------------------------------------------------


def _collateral(items: Mapping[str, bytes], *, tee: TeeType, roots: Roots, required: bool, checks: Checks) -> Collateral | None:
    """All of it or, where none is required, nothing of it."""
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
    chains = items["tcb-info-chain"], items["qe-identity-chain"]
    info_signer, _ = signing_chain(x509.load_certificates(chains[0]), title="TCB info", roots=roots, checks=checks)
    identity_signer = info_signer
    if chains[0] != chains[1]:  # mostly they are one, and then they are checked once
        identity_signer, _ = signing_chain(x509.load_certificates(chains[1]), title="QE identity", roots=roots, checks=checks)
    _signed(info, info_signer, "TCB info", checks)
    _signed(identity, identity_signer, "QE identity", checks)
    return Collateral(info, identity, info_signer, identity_signer)


def _signed(signed: Signed, signer: Certificate, title: str, checks: Checks) -> None:
    """PCS API, "Get TCB Info": the signature is over the body, by the first certificate of the issuer chain."""
    good = certified(signer, signed.signature, signed.body)
    checks.require(
        good,
        Code.DCAP_COLLATERAL_SIGNATURE,
        f"{title} signature",
        found=x509.told(good),
        wanted="one by Intel SGX TCB Signing",
    )
