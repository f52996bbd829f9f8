"""Evidence of every kind with something that is not quite a signature: numbers out of range, other lengths, other keys.

ECDSA wants r and s from 1 to the order less one (FIPS 186-5 section 6.4.2), of the curve's length each (RFC 9053 section 2.1,
DSP0274, QuoteLibReference). A number s above half of the order is as good as its negative: devices write either, and nothing here
takes a signature for an identity. Left to others: certificates and lists (`test_signatures_der.py`), what is signed, and by whom
(`<kind>/test_verify.py`).
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from tests.attest.accepted import DATA, SEED, Accepted, accepted
from tests.support import refused

from confide.attest.cbor import dump_bytes
from confide.attest.dcap.signatures import P256_ORDER
from confide.codes import Code
from confide_sim import aws, tpm_structures
from confide_sim.arm import FalseRealm

P384_ORDER = aws.ORDER
SCALAR = {P256_ORDER: 32, P384_ORDER: 48}
Change = Callable[[bytes], bytes]
Given = Mapping[str, Mapping[str, bytes]]  # "evidence" or "endorsements" to role to bytes


# --- raw signatures: r || s -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Raw:
    """Where r || s stands in accepted evidence.

    Attributes:
        give: what is given in place of the whole, from a change of r || s.
        code: what a bad one is told as.
        sized: the format says how long the signature is, so that another length can be said.
    """

    name: str
    order: int
    code: Code
    give: Callable[[Accepted, Change], Given]
    sized: bool = False


def at(start: int, size: int, role: str = "quote") -> Callable[[Accepted, Change], Given]:
    """Fixed bytes of a role of the evidence; counted from its end where `start` is negative."""

    def give(one: Accepted, change: Change) -> Given:
        whole = one.evidence.items[role]
        first = start % len(whole)
        made = change(whole[first : first + size]).ljust(size, b"\x00")[:size]
        return {"evidence": {role: whole[:first] + made + whole[first + size :]}}

    return give


def _amd(one: Accepted, change: Change) -> Given:
    """R and S in 72 bytes each, little-endian (AMD 56860, table "Format for an ECDSA P-384 Signature")."""
    whole = one.evidence.items["report"]
    r, s = whole[0x2A0 : 0x2A0 + 48][::-1], whole[0x2E8 : 0x2E8 + 48][::-1]
    made = change(r + s).ljust(96, b"\x00")[:96]
    halves = (made[:48][::-1].ljust(72, b"\x00"), made[48:][::-1].ljust(72, b"\x00"))
    return {"evidence": {"report": whole[:0x2A0] + b"".join(halves) + whole[0x330:]}}


def _statement(role: str) -> Callable[[Accepted, Change], Given]:
    """Hex behind Intel's collateral (PCS API, "Get TCB Info")."""

    def give(one: Accepted, change: Change) -> Given:
        body, signature, rest = re.split(rb'(?<="signature":")([0-9a-f]+)', one.endorsements.items[role])
        return {"endorsements": {role: body + change(bytes.fromhex(signature.decode())).hex().encode() + rest}}

    return give


def _cose(one: Accepted, change: Change) -> Given:
    """The last item of a COSE_Sign1 (RFC 9052 section 4.2)."""
    whole = one.evidence.items["document"]
    return {"evidence": {"document": whole[: -96 - 2] + dump_bytes(change(whole[-96:]))}}


def _cca(message: str) -> Callable[[Accepted, Change], Given]:
    def give(one: Accepted, change: Change) -> Given:
        lie: dict[str, Any] = {message: {"signature": change}}
        return {"evidence": {"token": FalseRealm(seed=SEED).token(DATA, **lie)}}

    return give


def _tpm(one: Accepted, change: Change) -> Given:
    """TPMS_SIGNATURE_ECC: r and s, each behind its length (TPM 2.0 Library part 2, section 11.3.2)."""
    whole = one.evidence.items["signature"]
    made = change(whole[6:38] + whole[40:72])
    half = len(made) // 2
    return {"evidence": {"signature": whole[:4] + tpm_structures.sized(made[:half]) + tpm_structures.sized(made[half:])}}


def _manifest(one: Accepted, change: Change) -> Given:
    """`SignatureValue` (RFC 9231 section 2.3.6)."""
    head, value, rest = re.split(rb"(?<=SignatureValue>)([A-Za-z0-9+/=\s]+)", one.endorsements.items["rim-driver"])
    return {"endorsements": {"rim-driver": head + base64.b64encode(change(base64.b64decode(value))) + rest}}


# Bodies of quotes stand behind a header of 48 bytes; signature and key are 128 bytes, the QE's report 384 (QuoteLibReference).
SGX, TD_10, TD_15 = 48 + 384 + 4, 48 + 584 + 4, 48 + 6 + 648 + 4
RAW: Mapping[str, Raw] = {
    "report of SNP": Raw("snp", P384_ORDER, Code.SNP_SIGNATURE, _amd),
    "quote of SGX": Raw("sgx", P256_ORDER, Code.DCAP_SIGNATURE, at(SGX, 64)),
    "QE of SGX": Raw("sgx", P256_ORDER, Code.DCAP_QE_SIGNATURE, at(SGX + 128 + 384, 64)),
    "quote of TDX": Raw("tdx", P256_ORDER, Code.DCAP_SIGNATURE, at(TD_10, 64)),
    "QE of TDX": Raw("tdx", P256_ORDER, Code.DCAP_QE_SIGNATURE, at(TD_10 + 128 + 6 + 384, 64)),
    "quote 5 of TDX": Raw("tdx, quote 5", P256_ORDER, Code.DCAP_SIGNATURE, at(TD_15, 64)),
    "quote of Azure's TD": Raw("az-tdx-vtpm", P256_ORDER, Code.DCAP_SIGNATURE, at(TD_10, 64, "td-quote")),
    "TCB info": Raw("tdx", P256_ORDER, Code.DCAP_COLLATERAL_SIGNATURE, _statement("tcb-info")),
    "QE identity": Raw("tdx", P256_ORDER, Code.DCAP_COLLATERAL_SIGNATURE, _statement("qe-identity")),
    "document of Nitro": Raw("nitro", P384_ORDER, Code.COSE_SIGNATURE, _cose, sized=True),
    "document of a NitroTPM": Raw("nitrotpm", P384_ORDER, Code.COSE_SIGNATURE, _cose, sized=True),
    "platform token": Raw("cca", P384_ORDER, Code.COSE_SIGNATURE, _cca("platform_message"), sized=True),
    "realm token": Raw("cca", P384_ORDER, Code.COSE_SIGNATURE, _cca("realm_message"), sized=True),
    "quote of a TPM": Raw("tpm", P256_ORDER, Code.TPM_SIGNATURE, _tpm, sized=True),
    "report of a GPU": Raw("nvidia", P384_ORDER, Code.NVIDIA_SIGNATURE, at(-96, 96, "gpu-report")),
    "manifest": Raw("nvidia", P384_ORDER, Code.NVIDIA_RIM_SIGNATURE, _manifest, sized=True),
}


def halves(change: Callable[[int, int, int], tuple[int, int]]) -> Callable[[int], Change]:
    """A change of r and s as numbers, beside the order."""

    def of(order: int) -> Change:
        size = SCALAR[order]

        def made(raw: bytes) -> bytes:
            r, s = change(int.from_bytes(raw[:size]), int.from_bytes(raw[size:]), order)
            return r.to_bytes(size) + s.to_bytes(size)

        return made

    return of


def whole(change: Callable[[bytes, int], bytes]) -> Callable[[int], Change]:
    """A change of the bytes, beside the length of a number."""
    return lambda order: lambda raw: change(raw, SCALAR[order])


def _der(raw: bytes, size: int) -> bytes:
    return encode_dss_signature(int.from_bytes(raw[:size]), int.from_bytes(raw[size:]))


BAD: Mapping[str, Callable[[int], Change]] = {
    "r of 0": halves(lambda _r, s, _n: (0, s)),
    "s of 0": halves(lambda r, _s, _n: (r, 0)),
    "zeros": halves(lambda _r, _s, _n: (0, 0)),
    "r of 1, s of 1": halves(lambda _r, _s, _n: (1, 1)),
    "r of the order": halves(lambda _r, s, n: (n, s)),
    "s of the order": halves(lambda r, _s, n: (r, n)),
    "s above the order": halves(lambda r, _s, n: (r, n + 1)),
    "r negated": halves(lambda r, s, n: (n - r, s)),
    "r and s exchanged": halves(lambda r, s, _n: (s, r)),
    "ones": whole(lambda raw, _: b"\xff" * len(raw)),
    "the other end first": whole(lambda raw, size: raw[:size][::-1] + raw[size:][::-1]),
    "DER, as much as fits": whole(lambda raw, size: _der(raw, size)[: 2 * size]),
}
OTHER_LENGTHS: Mapping[str, Callable[[int], Change]] = {
    "nothing": whole(lambda _raw, _: b""),
    "r alone": whole(lambda raw, size: raw[:size]),
    "two bytes less": whole(lambda raw, size: raw[: size - 1] + raw[size:-1]),
    "two bytes more": whole(lambda raw, size: raw[:size] + b"\x00" + raw[size:] + b"\x00"),
    "zeros in front": whole(lambda raw, size: b"\x00" + raw[:size] + b"\x00" + raw[size:]),
    "twice": whole(lambda raw, _: raw + raw),
}


@pytest.mark.parametrize("change", BAD)
@pytest.mark.parametrize("place", RAW)
def test_numbers_that_are_no_signature_are_refused(place: str, change: str) -> None:
    raw = RAW[place]
    one = accepted(raw.name)
    with refused(raw.code):
        one.verify(**raw.give(one, BAD[change](raw.order)))


@pytest.mark.parametrize("change", OTHER_LENGTHS)
@pytest.mark.parametrize("place", [place for place, raw in RAW.items() if raw.sized])
def test_a_signature_of_another_length_is_refused(place: str, change: str) -> None:
    raw = RAW[place]
    one = accepted(raw.name)
    with refused(raw.code):
        one.verify(**raw.give(one, OTHER_LENGTHS[change](raw.order)))


@pytest.mark.parametrize("length", [63, 65, 0])
@pytest.mark.parametrize("role", ["tcb-info", "qe-identity"])
def test_collateral_signed_at_another_length_is_malformed(role: str, length: int) -> None:
    one = accepted("tdx")
    with refused(Code.DCAP_COLLATERAL):
        one.verify(**_statement(role)(one, lambda raw: raw.ljust(length, b"\x00")[:length]))


@pytest.mark.parametrize("place", RAW)
def test_either_of_s_and_its_negative_is_taken(place: str) -> None:
    """spec/07-verify.md, "Signatures": so say FIPS 186-5 and every format here, and devices write either."""
    raw = RAW[place]
    one = accepted(raw.name)
    negated = halves(lambda r, s, n: (r, n - s))(raw.order)
    claims = one.verify(**raw.give(one, negated))
    assert claims.measurements == one.verify().measurements
