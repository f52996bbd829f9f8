"""Every byte of what a verifier is given is covered: one flipped bit refuses with a code of ours, or stands in the table below.

The table says what may lie, and why nothing hangs on it: each row is a rule that compares the changed bytes with the whole ones, so
that a change beside the rule is a failure. Smoke depth takes every byte of small evidence and a fixed stride of the rest; `deep`
takes every byte of everything. Left to others: several changes at once (`tests/fuzz`), fields that lie (`<kind>/test_verify.py`).
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from cryptography import x509
from tests.attest.accepted import NAMES, Accepted, accepted

from confide.attest.azure.hcl import HARDWARE, TD_REPORT_DATA, TD_REPORT_SIZE
from confide.attest.eventlog.log import EV_NO_ACTION, Algorithm, parse_event_log
from confide.attest.tpm.public import ATTESTATION_KEY, DECRYPT
from confide.errors import ConfideError

SMALL = 1500  # bytes, up to which every byte is taken at smoke depth
STRIDE = 7  # of what is longer
ENDORSED = 41  # stride of endorsements; signatures cover them, and only these are checked anew
SLOW = 997  # stride of NVIDIA's manifests, which take milliseconds each

AREAS = {  # where refusals may come from
    "snp": {"snp"},
    "sgx": {"dcap"},
    "tdx": {"dcap", "eventlog", "tdx"},
    "nitro": {"cbor", "cose", "nitro"},
    "nitrotpm": {"cbor", "cose", "nitro"},
    "tpm": {"tpm", "eventlog"},
    "az-snp-vtpm": {"azure", "snp", "tpm", "eventlog"},
    "az-tdx-vtpm": {"azure", "dcap", "tdx", "tpm", "eventlog"},
    "nvidia": {"nvidia"},
    "cca": {"cbor", "cose", "cca"},
}

pytestmark = pytest.mark.filterwarnings("ignore:Attribute's length must be")  # of names in which a bit is flipped, read here
Rule = Callable[[bytes, bytes], bool]


# --- what may lie -----------------------------------------------------------------------------------------------------------------


def certificates(data: bytes) -> list[x509.Certificate]:
    """Those in PEM within `data`, by another reader than ours."""
    return x509.load_pem_x509_certificates(data[data.index(b"-----BEGIN") :])


def before_armour(data: bytes) -> bytes:
    return data[: data.index(b"-----BEGIN")]


def offered_root(whole: bytes, changed: bytes) -> bool:
    """Of the last certificate, the root that came, anything but name and key; or it no longer says that it is a root."""
    if before_armour(whole) != before_armour(changed):
        return False
    (*below, root), (*others, other) = certificates(whole), certificates(changed)
    unused = other.subject != other.issuer
    return below == others and (unused or (root.subject == other.subject and root.public_key() == other.public_key()))


def spelling(whole: bytes, changed: bytes) -> bool:
    """The same certificates: white space between PEM's lines, and bits of base 64 that stand for nothing."""
    return before_armour(whole) == before_armour(changed) and certificates(whole) == certificates(changed)


def certification_type(whole: bytes, changed: bytes) -> bool:
    """The number in front of the certificates' length."""
    at = whole.index(b"-----BEGIN") - 6
    return whole[:at] == changed[:at] and whole[at + 2 :] == changed[at + 2 :]


def public_area(whole: bytes, changed: bytes) -> bool:
    """nameAlg, and attributes that no quote depends on."""
    asked = (ATTESTATION_KEY | DECRYPT).to_bytes(4)
    told = [bytes(byte & bit for byte, bit in zip(each[4:8], asked, strict=True)) for each in (whole, changed)]
    return whole[:2] == changed[:2] and told[0] == told[1] and whole[8:] == changed[8:]


def case_of_hex(whole: bytes, changed: bytes) -> bool:
    return whole.lower() == changed.lower()


def uncovered_event(bank: Algorithm) -> Rule:
    """Digests of the quoted bank are the same in each register: types, descriptions and other banks are nobody's word."""

    def rule(whole: bytes, changed: bytes) -> bool:
        return extended(whole, bank) == extended(changed, bank)

    return rule


def extended(data: bytes, bank: Algorithm) -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = {}
    for event in parse_event_log(data).events:
        if event.kind != EV_NO_ACTION:
            found.setdefault(event.register, []).append(event.digests[bank])
    return found


def within(*places: range) -> Rule:
    """Only these places differ."""

    def rule(whole: bytes, changed: bytes) -> bool:
        return all(
            any(place in each for each in places)
            for place, (one, other) in enumerate(zip(whole, changed, strict=True))
            if one != other
        )

    return rule


def anything(whole: bytes, changed: bytes) -> bool:
    return True


@dataclass(frozen=True)
class MayLie:
    """What nothing vouches for, of which kinds and role; and why that is no harm."""

    kind: str
    role: str
    rule: Rule
    why: str


_REQUEST = (range(12, 16), range(20, 32))
_TD_REPORT = range(HARDWARE, HARDWARE + TD_REPORT_SIZE)
_SAID = range(HARDWARE + TD_REPORT_DATA.start, HARDWARE + TD_REPORT_DATA.stop)
_UNSAID = (*_REQUEST, range(_TD_REPORT.start, _SAID.start), range(_SAID.stop, _TD_REPORT.stop))
_ANCHOR = "a root that came is never trusted: its name and key are compared with the pinned one (RFC 5280 section 6.1.1 (d))"
_SPELLING = "RFC 7468 section 2: parsers may ignore white space; nothing hashes PEM"
_LOG = (
    "PC Client Platform Firmware Profile 1.06 section 10: only digests of a bank are extended, so only they lead to the registers"
)
_HEX = "signatures and values are compared as bytes; hex has two cases"
_TYPE = "DCAP-7: types 4 and 5 both hold certificates; which of them signs what follows from names and signatures"
_BESIDE = "DCAP-7: read for quotes with a leaf alone; the issuers of lists are those of the quote's own chain"
_PUBLIC = (
    "TPM-14: an area that the quote does not name its key by is told as not checked; its key is the certified one all the same"
)

INTEL = ("sgx", "tdx", "az-tdx-vtpm")
VTPM = ("tpm", "az-snp-vtpm", "az-tdx-vtpm")
MAY_LIE = (
    *(
        MayLie(kind, role, rule, why)
        for kind in INTEL
        for role in ("quote", "td-quote", "tcb-info-chain", "qe-identity-chain")
        for rule, why in ((offered_root, _ANCHOR), (spelling, _SPELLING))
    ),
    *(MayLie(kind, role, certification_type, _TYPE) for kind in INTEL for role in ("quote", "td-quote")),
    *(MayLie(kind, "pck-crl-chain", anything, _BESIDE) for kind in INTEL),
    *(MayLie(kind, role, case_of_hex, _HEX) for kind in INTEL for role in ("tcb-info", "qe-identity")),
    *(MayLie(kind, "pcrs", case_of_hex, _HEX) for kind in VTPM),
    *(MayLie(kind, "event-log", uncovered_event(Algorithm.SHA256), _LOG) for kind in VTPM),
    MayLie("tdx", "event-log", uncovered_event(Algorithm.SHA384), _LOG),
    MayLie("tpm", "ak-public", public_area, _PUBLIC),
    MayLie("az-snp-vtpm", "hcl-report", within(*_REQUEST), "request type and reserved bytes, outside of the report"),
    MayLie("az-tdx-vtpm", "hcl-report", within(*_UNSAID), "only its own platform can check a TDREPORT; the quote stands for it"),
    MayLie("nvidia", "cert-chain", spelling, _SPELLING),
)


# --- the flips --------------------------------------------------------------------------------------------------------------------


def flips(data: bytes, stride: int, seed: str) -> Iterator[bytes]:
    """`data` with one bit flipped at each place of the stride; which bit, and where the stride begins, follow from the seed."""
    rng = random.Random(seed)
    for place in range(rng.randrange(stride), len(data), stride):
        changed = bytearray(data)
        changed[place] ^= 1 << rng.randrange(8)
        yield bytes(changed)


def refusal(one: Accepted, part: str, role: str, changed: bytes) -> ConfideError | None:
    """What the verifier says of a changed role; None where it takes it."""
    try:
        one.verify(**{part: {role: changed}})
    except ConfideError as error:
        return error
    return None


def require_covered(one: Accepted, part: str, role: str, stride: int) -> None:
    """Each flip refuses, by a code of an area of the kind or of X.509, or is in the table."""
    kind, whole = one.evidence.kind, getattr(one, part).items[role]
    rules = [each.rule for each in MAY_LIE if (each.kind, each.role) == (kind, role)]
    for changed in flips(whole, stride, f"{kind} {role}"):
        error = refusal(one, part, role, changed)
        if error is None:
            assert any(rule(whole, changed) for rule in rules), f"{role}: {difference(whole, changed)} is not covered"
        else:
            assert error.code.area in AREAS[kind] | {"x509"}, error


def difference(whole: bytes, changed: bytes) -> str:
    place = next(place for place, (one, other) in enumerate(zip(whole, changed, strict=True)) if one != other)
    return f"byte {place} of {len(whole)}, {whole[place]:#x} to {changed[place]:#x},"


@pytest.mark.parametrize("name", NAMES)
def test_a_flipped_bit_of_evidence_is_refused(name: str) -> None:
    one = accepted(name)
    for role, data in one.evidence.items.items():
        require_covered(one, "evidence", role, 1 if len(data) <= SMALL else STRIDE)


@pytest.mark.parametrize("name", NAMES)
def test_a_flipped_bit_of_endorsements_is_refused(name: str) -> None:
    one = accepted(name)
    for role in one.endorsements.items:
        require_covered(one, "endorsements", role, SLOW if role.startswith("rim-") else ENDORSED)


@pytest.mark.deep
@pytest.mark.parametrize("name", NAMES)
def test_a_flipped_bit_of_any_byte_is_refused(name: str) -> None:
    one = accepted(name)
    for part in ("evidence", "endorsements"):
        for role in getattr(one, part).items:
            require_covered(one, part, role, 1)


def test_every_kind_is_here() -> None:
    assert {accepted(name).evidence.kind for name in NAMES} == set(AREAS)


def test_a_byte_that_nothing_covers_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test itself: without its row, the request type of an HCL report is told."""
    monkeypatch.setattr(f"{__name__}.MAY_LIE", ())
    with pytest.raises(AssertionError, match=r"byte 1[2-5] of 2600, .* is not covered"):
        require_covered(accepted("az-snp-vtpm"), "evidence", "hcl-report", 1)
