"""Bytes that are too deep, too many, too long or say that they are: each parser refuses them, and takes little memory to find out.

The bound is on what `tracemalloc` sees above the input: a parser that allocates by what a length says, or copies what it has for
each element, is far beyond it. Left to others: texts (`test_oversize_text.py`), certificates (`test_whole_chains.py`), each bound
at the last byte that is taken (`test_cbor.py`, `<kind>/test_layout.py`).
"""

import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import pytest
from cryptography.x509 import ocsp as written
from tests.attest.accepted import NOW, SEED, accepted
from tests.support import frugal, refused

from confide.attest import cbor, cose
from confide.attest.checks import Checks
from confide.attest.dcap import der
from confide.attest.eventlog import parse_event_log
from confide.attest.nvidia import ocsp, spdm
from confide.attest.tpm.quote import parse_attest, parse_signature
from confide.codes import Code
from confide.errors import ConfideError
from confide.policy.reference import corim
from confide_sim import aws, nvidia, td
from confide_sim import der as write
from confide_sim import x509 as sim
from confide_sim.amd import FalseAmd

DEEP = 100_000

# --- CBOR -------------------------------------------------------------------------------------------------------------------------

ONE = b"\x01"
CBOR: Mapping[str, tuple[Code, bytes]] = {
    "arrays in arrays": (Code.CBOR_TOO_LARGE, b"\x81" * DEEP + ONE),
    "arrays without end in arrays": (Code.CBOR_TOO_LARGE, b"\x9f" * DEEP),
    "maps in maps": (Code.CBOR_TOO_LARGE, b"\xa1\x01" * DEEP + ONE),
    "tags of tags": (Code.CBOR_TOO_LARGE, b"\xc1" * DEEP + ONE),
    "strings in strings": (Code.CBOR_MALFORMED, b"\x5f" * DEEP),
    "2^64 - 1 bytes": (Code.CBOR_MALFORMED, b"\x5b" + b"\xff" * 8),
    "2^32 - 1 bytes of text": (Code.CBOR_MALFORMED, b"\x7a" + b"\xff" * 4),
    "2^64 - 1 items": (Code.CBOR_TOO_LARGE, b"\x9b" + b"\xff" * 8),
    "2^63 pairs": (Code.CBOR_TOO_LARGE, b"\xbb\x80" + bytes(7)),
    "as many items as bytes": (Code.CBOR_TOO_LARGE, aws.head(4, 200_000) + ONE * 200_000),
    "items without end": (Code.CBOR_TOO_LARGE, b"\x9f" + ONE * 200_000 + b"\xff"),
    "pairs without end": (Code.CBOR_TOO_LARGE, b"\xbf" + b"".join(aws.head(0, key) + ONE for key in range(60_000)) + b"\xff"),
    "the same key again and again": (Code.CBOR_MALFORMED, b"\xbf" + b"\x01\x01" * 2000 + b"\xff"),
    "the same long key twice": (Code.CBOR_MALFORMED, b"\xa2" + (aws.head(3, 100_000) + b"k" * 100_000 + ONE) * 2),
    "one byte too many": (Code.CBOR_TOO_LARGE, bytes(cbor.MAX_INPUT + 1)),
}


@pytest.mark.parametrize("what", CBOR)
def test_cbor_beyond_its_bounds_is_refused(what: str) -> None:
    code, data = CBOR[what]
    with frugal(), refused(code):
        cbor.loads(data)


def _read_corim(data: bytes) -> object:
    return corim.read(data, signer=None, now=datetime(2026, 6, 1, tzinfo=UTC))


CARRIERS: Mapping[str, tuple[Callable[[bytes], object], frozenset[Code]]] = {
    "document of Nitro": (
        lambda data: accepted("nitro").verify(evidence={"document": data}),
        frozenset({Code.CBOR_TOO_LARGE, Code.CBOR_MALFORMED}),
    ),
    "token of CCA": (
        lambda data: accepted("cca").verify(evidence={"token": data}),
        frozenset({Code.CBOR_TOO_LARGE, Code.CBOR_MALFORMED}),
    ),
    "CoRIM": (_read_corim, frozenset({Code.REFERENCE_MALFORMED})),
}


@pytest.mark.parametrize("what", CBOR)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_what_carries_cbor_refuses_it_too(carrier: str, what: str) -> None:
    read, codes = CARRIERS[carrier]
    with frugal(), pytest.raises(ConfideError) as caught:
        read(CBOR[what][1])
    assert caught.value.code in codes


@pytest.mark.parametrize("what", CBOR)
def test_what_a_signature_covers_is_bounded_as_well(what: str) -> None:
    """Within a COSE_Sign1 the protected header and the payload are CBOR by themselves."""
    message = aws.cbor([aws.Raw(aws.head(2, len(CBOR[what][1])) + CBOR[what][1]), {}, b"payload", bytes(96)])
    with frugal(), pytest.raises(ConfideError) as caught:
        cose.parse_sign1(message, algorithms=(cose.Algorithm.ES384,), tagged=False, checks=Checks())
    assert caught.value.code in {Code.CBOR_TOO_LARGE, Code.CBOR_MALFORMED}


# --- event logs -------------------------------------------------------------------------------------------------------------------

EMPTY_LOG = td.event_log(())
RECORD = struct.pack("<III", 1, 4, 1) + b"\x0c\x00" + bytes(48) + bytes(4)
LOGS: Mapping[str, tuple[Code, bytes]] = {
    "tens of thousands of records": (Code.EVENTLOG_TOO_LARGE, EMPTY_LOG + RECORD * 16_000),
    "a record of 4 GiB": (Code.EVENTLOG_MALFORMED, EMPTY_LOG + RECORD[:-4] + b"\xff" * 4),
    "a record of a quarter of a MiB more": (Code.EVENTLOG_MALFORMED, EMPTY_LOG + RECORD[:-4] + (1 << 18).to_bytes(4, "little")),
    "2^32 - 1 digests": (Code.EVENTLOG_MALFORMED, EMPTY_LOG + struct.pack("<III", 1, 4, 0xFFFFFFFF)),
    "a header of 4 GiB": (Code.EVENTLOG_MALFORMED, EMPTY_LOG[:28] + b"\xff" * 4 + EMPTY_LOG[32:]),
    "2^32 - 1 algorithms": (Code.EVENTLOG_MALFORMED, EMPTY_LOG[:56] + b"\xff" * 4 + EMPTY_LOG[60:]),
    "one byte too many": (Code.EVENTLOG_TOO_LARGE, EMPTY_LOG.ljust((1 << 20) + 1, b"\xff")),
}


@pytest.mark.parametrize("what", LOGS)
def test_a_log_beyond_its_bounds_is_refused(what: str) -> None:
    code, data = LOGS[what]
    with frugal(), refused(code):
        parse_event_log(data)


@pytest.mark.parametrize(("name", "code"), [("tdx", Code.TDX_EVENT_LOG), ("tpm", Code.TPM_EVENT_LOG)])
def test_thousands_of_records_are_replayed_in_one_go(name: str, code: Code) -> None:
    """As many as may be, each of which extends a register: what they lead to is not what was signed."""
    one = accepted(name)
    data = one.evidence.items["event-log"]
    banks = (12,) if name == "tdx" else (4, 11, 12)
    sizes = {4: 20, 11: 32, 12: 48}
    record = (
        struct.pack("<III", 1, 4, len(banks)) + b"".join(struct.pack("<H", bank) + bytes(sizes[bank]) for bank in banks) + bytes(4)
    )
    with frugal(48 << 20), refused(code):
        one.verify(evidence={"event-log": data + record * 7_000})


# --- DER, OCSP, SPDM, TPM ---------------------------------------------------------------------------------------------------------


def test_der_beyond_its_bounds_is_refused() -> None:
    for data in (write.null() * 1000, b"\x30\x84\x7f\xff\xff\xff", b"\x30\x80\x00\x00", b"\x30\x88" + b"\xff" * 8):
        with frugal(), pytest.raises(ValueError, match=r"element|length"):
            list(der.elements(data))


def with_certificates(count: int) -> bytes:
    """A response that carries so many certificates (BasicOCSPResponse, RFC 6960 section 4.2.1)."""
    gpu = nvidia.FalseGpu(at=NOW, seed=SEED)
    made = written.load_der_ocsp_response(gpu.ocsp(which=(2,)))
    certificates = write.explicit(0, write.seq(*[nvidia.responder("responder")[0]] * count))
    basic = write.seq(made.tbs_response_bytes, aws.ecdsa().identifier, write.bits(made.signature), certificates)
    inner = write.seq(write.oid("1.3.6.1.5.5.7.48.1.1"), write.octets(basic))
    return write.seq(write.tlv(0x0A, b"\x00"), write.explicit(0, inner))


OCSP: Mapping[str, bytes] = {
    "thousands of responses": accepted("nvidia").endorsements.items["ocsp"] * 100,
    "thousands of responses in base 64": b"MAMKAQY=\n" * 20_000,
    "a hundred certificates in one": with_certificates(100),
    "a length of 2 GiB": b"\x30\x84\x7f\xff\xff\xff",
    "one byte too many": b"\x30\x82" + bytes(ocsp.MAX_BYTES),
}


@pytest.mark.parametrize("what", OCSP)
def test_responses_beyond_their_bounds_are_refused(what: str) -> None:
    with frugal(), refused(Code.NVIDIA_OCSP):
        ocsp.load_responses(OCSP[what])
    assert len(ocsp.load_responses(with_certificates(ocsp.MAX_CERTIFICATES))) == 1


def test_a_list_of_tens_of_thousands_is_read_without_copies() -> None:
    """Under 1 MiB: as many entries as fit. None of them is the intermediate's."""
    crl = FalseAmd().crl(at=NOW, revoked=tuple(range(1 << 20, (1 << 20) + 40_000)))
    assert len(crl) < 1 << 20
    with frugal():
        accepted("snp").verify(endorsements={"crl": crl})


def test_a_certificate_of_thousands_of_extensions_is_refused() -> None:
    chip = accepted("snp")
    extensions = tuple(write.extension(f"1.2.3.{number}", write.null(), critical=True) for number in range(5000))
    issued = FalseAmd().issue_ask(extensions=(sim.basic_constraints(ca=True), *extensions))
    with frugal(), refused(Code.X509_TOO_LARGE if len(issued) > 1 << 17 else Code.X509_EXTENSION):
        chip.verify(endorsements={"ask": issued})


BINARY: Mapping[str, tuple[Code, Callable[[bytes], object], bytes]] = {
    "an SPDM report of 4 GiB": (
        Code.NVIDIA_SPDM,
        spdm.parse_measurements,
        b"\x11\xe0\x01\xff" + bytes(33) + b"\x11\x60" + b"\xff" * 6,
    ),
    "an SPDM report of 1 MiB": (Code.NVIDIA_SPDM, spdm.parse_measurements, bytes(1 << 20)),
    "a quote of a TPM of 1 MiB": (Code.TPM_STRUCTURE, parse_attest, bytes(1 << 20)),
    "a quote of a TPM with 2^32 - 1 banks": (
        Code.TPM_STRUCTURE,
        parse_attest,
        b"\xffTCG\x80\x18" + bytes(4) + bytes(25) + b"\xff" * 4 + bytes(64),
    ),
    "a signature of a TPM beyond its end": (Code.TPM_STRUCTURE, parse_signature, b"\x00\x14\x00\x0b\xff\xff"),
    "a signature of a TPM of 64 KiB": (Code.TPM_STRUCTURE, parse_signature, b"\x00\x18\x00\x0b\xff\xff" + bytes(0xFFFF)),
}


@pytest.mark.parametrize("what", BINARY)
def test_structures_beyond_their_bounds_are_refused(what: str) -> None:
    code, read, data = BINARY[what]
    with frugal(), refused(code):
        read(data)
