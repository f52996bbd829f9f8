"""`dcap-qvl`, somebody else's verifier of Intel's quotes, as the referee: recorded pairs, false platforms, lies, mutations.

Where the two differ the reason stands here and in docs/platforms/sgx.md. Nothing that it refuses is accepted here.
"""

import json
import random
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pytest
from conformance.kinds import ADAPTERS
from conformance.kinds.case import Case
from cryptography.hazmat.primitives.hashes import SHA256
from tests.attest.dcap.test_verify import LIES, Lie
from tests.attest.dcap.world import NOW, REPORT_DATA, platform
from tests.support import need_recorded_vectors, recorded_vectors

from confide.attest import verifiers
from confide.attest.checks import Checks
from confide.attest.dcap.claims import IntelClaims
from confide.attest.dcap.quote import TeeType, parse_quote
from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.attest.roots import VENDOR_ROOTS
from confide.attest.x509 import Revocation, load_certificates
from confide.errors import ConfideError
from confide_sim import intel, td
from conformance import recorded

dcap_qvl = pytest.importorskip("dcap_qvl", reason="the referee is not installed: pip install dcap-qvl")

ROLES = ("pck-crl-chain", "root-crl", "pck-crl", "tcb-info-chain", "tcb-info", "qe-identity-chain", "qe-identity")
USED = ROLES[1:]  # here the chain in the quote says who signs its list, so that the first is not looked at
# It refuses these for what the quote says of the TEE, or for want of a level; here they are genuine, and not acceptable.
NOT_ACCEPTABLE = ("Debug mode is enabled", "Invalid MR service TD", "No matching TCB level found")
ASKABLE = [name for name, lie in LIES.items() if None not in lie.beside().values()]  # it wants every piece of collateral
# What is refused here and passes there: lie -> why it is refused here.
STRICTER: dict[str, str] = {
    "over 64 KiB": "a bound",
    "bytes behind the quote": "only zeros are padding",
    "bytes behind the certification data": "nothing belongs there",
    "two leaves": "which one signed would be a matter of their order",
    "leaf subject": "Intel's name for it",
    "leaf with a negative serial number": "no list can name it",
    "PPID of 15 bytes": "malformed",
    "no component 16": "it would count as 0",
    "component of 256": "it would count as another number",
    "component negative": "it would count as another number",
    "component in a second spelling": "DER has one",
    "SGX type 3": "unknown",
    "SGX type as INTEGER": "malformed",
    "platform instance id of 8 bytes": "malformed",
    "configuration with a boolean of 01": "DER has FF",
    "CA without path length": "Intel's have 0",
    "CA without keyCertSign": "RFC 5280 section 4.2.1.3",
    "TCB signer may not sign": "RFC 5280 section 4.2.1.3",
    "root of the same name and another key": "a root that came is compared with the pinned one",
    "Intel's own root beside a false chain": "the same",
    "a stranger's root in the chain": "the same",
    "PCK list of the future": "thisUpdate",
    "TCB info of version 2": "its version",
    "TCB info of version 4": "its version",
    "a thousand levels": "a bound",
    "TCB info of another PCE": "PCE-ID is compared too",
}


def theirs(quote: bytes, items: Mapping[str, bytes], at: datetime, root: bytes | None = None) -> tuple[str, frozenset[str]]:
    """Its status and advisories; an exception where it refuses."""
    info, info_signature = _split(items["tcb-info"], "tcbInfo")
    identity, identity_signature = _split(items["qe-identity"], "enclaveIdentity")
    collateral = dcap_qvl.QuoteCollateralV3(
        items["pck-crl-chain"].decode(),
        items["root-crl"],
        items["pck-crl"],
        items["tcb-info-chain"].decode(),
        info,
        info_signature,
        items["qe-identity-chain"].decode(),
        identity,
        identity_signature,
    )
    now = int(at.timestamp())
    report = dcap_qvl.verify(quote, collateral, now) if root is None else dcap_qvl.verify_with_root_ca(quote, collateral, root, now)
    return report.status, frozenset(report.advisory_ids)


def _split(body: bytes, member: str) -> tuple[str, bytes]:
    """The exact inner text, and the signature."""
    text = body.decode()
    start = text.index(f'"{member}":') + len(member) + 3
    return text[start : text.rindex(',"signature"')], bytes.fromhex(json.loads(body)["signature"])


def ours(case: Case) -> IntelClaims:
    found = verifiers.authenticate(
        case.evidence,
        case.endorsements,
        roots=VENDOR_ROOTS,
        now=case.as_of,
        revocation=Revocation(required=False),
        checks=Checks(),
    )
    assert isinstance(found, IntelClaims)
    return found


def pairs() -> Iterator[Case]:
    """Every recorded quote beside collateral."""
    folder = recorded_vectors()
    if folder is None:
        return
    for entry in json.loads((folder / "MANIFEST.json").read_text("utf-8"))["vectors"]:
        for judge in entry.get("judge", ()) if entry["kind"] in {"sgx", "tdx"} else ():
            case = recorded.read_case(folder, entry, judge)
            if all(role in case.endorsements.items for role in ROLES):
                yield case


@pytest.mark.parametrize("case", list(pairs()) or [None], ids=lambda case: case.name if case else "none")
def test_a_recorded_pair_is_judged_alike(case: Case | None) -> None:
    if case is None:
        need_recorded_vectors()
        return
    try:
        status, advisories = theirs(case.evidence.items["quote"], case.endorsements.items, case.as_of)
    except ValueError as error:
        if any(reason in str(error) for reason in NOT_ACCEPTABLE):
            with pytest.raises(ConfideError):
                ADAPTERS[case.kind].judge(ours(case), case, Checks())
        else:
            with pytest.raises(ConfideError):
                ours(case)
        return
    claims = ours(case)
    assert (claims.tcb_status, frozenset(claims.advisories)) == (status, advisories)


@pytest.mark.parametrize(
    ("kind", "quote"),
    [(Kind.SGX, {}), *((Kind.TDX, {"size": size}) for size in (td.TD_10, td.TD_15, td.TD_15_EX))],
    ids=["sgx", "td 1.0", "td 1.5", "td 1.5, longest"],
)
def test_a_false_platform_passes_under_its_false_root(kind: Kind, quote: dict[str, Any]) -> None:
    """So the simulator's evidence has the real shape by another reading of Intel's documents too."""
    one = platform(kind)
    items = one.endorsements().items
    assert theirs(one.quote(report_data=REPORT_DATA, **quote), items, NOW, intel.root().der) == ("UpToDate", frozenset())


def test_quotes_of_enclaves_in_version_4_are_read_here_alone() -> None:
    with pytest.raises(ValueError, match="version 3"):
        theirs(platform().quote(version=4), platform().endorsements().items, NOW, intel.root().der)


@pytest.mark.parametrize("name", ASKABLE)
def test_a_lie_is_refused_there_too_or_the_reason_is_known(name: str) -> None:
    lie: Lie = LIES[name]
    one = platform(lie.kind)
    items = one.endorsements(**lie.beside()).items
    quote = one.quote(**{"report_data": REPORT_DATA, **lie.quote})
    if name in STRICTER:
        assert theirs(quote, items, NOW, intel.root().der)[0] == "UpToDate"
    else:
        with pytest.raises(ValueError):  # noqa: PT011 - its own words are not ours to assert
            theirs(quote, items, NOW, intel.root().der)


@pytest.mark.parametrize("kind", [Kind.SGX, Kind.TDX])
def test_of_a_thousand_mutations_none_passes_here_that_is_refused_there(kind: Kind) -> None:
    """One byte of the quote or of one piece of collateral; and what passes both has one status."""
    cases = [case for case in pairs() if case.kind == kind.value and _passes(case)]
    if not cases:
        need_recorded_vectors()
        return
    case, generator, alike = cases[0], random.Random(7), 0
    for _ in range(500):
        changed = _mutated(case, generator)
        mine = _status(changed)
        try:
            status: str | None = theirs(changed.evidence.items["quote"], changed.endorsements.items, changed.as_of)[0]
        except (ValueError, UnicodeDecodeError):
            status = None
        assert mine is None or mine == status or _certificates(changed) <= _certificates(case)  # never more than PEM's spelling
        alike += mine == status
    assert alike >= 470  # the rest: roots inside chains, which are compared here and passed over there


def _passes(case: Case) -> bool:
    try:
        theirs(case.evidence.items["quote"], case.endorsements.items, case.as_of)
    except ValueError:
        return False
    return _status(case) is not None


def _status(case: Case) -> str | None:
    try:
        return ours(case).tcb_status
    except ConfideError:
        return None


def _certificates(case: Case) -> set[bytes]:
    """All that chains hold: a block of another label, or another spelling of base 64, changes nothing that is believed."""
    quote = parse_quote(case.evidence.items["quote"], tee=TeeType[case.kind.upper()], checks=Checks())
    chains = (quote.certification.rstrip(b"\x00"), *(case.endorsements.items[role] for role in ROLES if role.endswith("-chain")))
    return {each.fingerprint(SHA256()) for chain in chains for each in load_certificates(chain)}


def _mutated(case: Case, generator: random.Random) -> Case:
    """One byte changed; half of the time in the quote."""
    evidence, endorsements = dict(case.evidence.items), dict(case.endorsements.items)
    role = generator.choice(("quote", *USED)) if generator.random() < 0.5 else "quote"
    part = evidence if role == "quote" else endorsements
    data = bytearray(part[role])
    at = generator.randrange(len(data))
    data[at] ^= 1 << generator.randrange(7)
    part[role] = bytes(data)
    try:
        if role in {"tcb-info", "qe-identity"}:
            _split(part[role], {"tcb-info": "tcbInfo", "qe-identity": "enclaveIdentity"}[role])
        part[role].decode() if role.endswith("chain") else None
    except ValueError:
        return case  # it could not be asked about this
    return Case(
        case.name,
        case.kind,
        Evidence(case.kind, evidence),
        Endorsements(endorsements),
        case.as_of,
        case.nonce,
        case.policy_inputs,
    )
