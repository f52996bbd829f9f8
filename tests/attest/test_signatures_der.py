"""Certificates, revocation lists and OCSP responses of every kind with something that is not quite a signature.

ECDSA signatures stand there in DER (RFC 5758 section 3.2), whose numbers have one spelling (X.690 section 8.3); RSA's are numbers
of the modulus's length (RFC 8017 sections 8.1.2 and 8.2.2). Left to others: evidence (`test_signatures.py`), what an algorithm may
be (`test_chains.py`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.x509 import load_der_x509_certificate, ocsp
from tests.attest.accepted import DATA, NOW, SEED, accepted
from tests.attest.test_signatures import SCALAR as SIZES
from tests.attest.test_signatures import Change, Given
from tests.attest.test_signing_keys import modulus, rsa_changes
from tests.support import refused

from confide.attest.dcap.signatures import P256_ORDER
from confide.attest.evidence import Kind
from confide.codes import Code
from confide_sim import aws, der, intel, nvidia, tpm, x509
from confide_sim.amd import FalseAmd
from confide_sim.aws import FalseHost
from confide_sim.intel import FalsePlatform
from confide_sim.nvidia import FalseGpu

P384_ORDER = aws.ORDER


def signing(algorithm: x509.Algorithm, change: Change) -> x509.Algorithm:
    """An algorithm whose signatures are changed after they were made."""
    return x509.Algorithm(algorithm.identifier, lambda key, data: change(algorithm.sign(key, data)))


@dataclass(frozen=True)
class Signed:
    """Something of a vendor's that is signed in DER, or with RSA: `give` makes it by another algorithm."""

    name: str
    algorithm: x509.Algorithm
    code: Code
    give: Callable[[x509.Algorithm], Given]
    order: int = P384_ORDER


def _platform() -> FalsePlatform:
    return FalsePlatform(Kind.SGX, at=NOW, seed=SEED)


def _quote(*certificates: bytes) -> Given:
    return {"evidence": {"quote": _platform().quote(report_data=DATA, certification=(5, intel.pem(*certificates)))}}


def _pck(algorithm: x509.Algorithm) -> Given:
    return _quote(_platform().pck(algorithm=algorithm), intel.ca_certificate(), intel.root().der)


def _pck_ca(algorithm: x509.Algorithm) -> Given:
    return _quote(_platform().certificate, intel.ca_certificate(algorithm=algorithm), intel.root().der)


def _tcb_signer(algorithm: x509.Algorithm) -> Given:
    return {"endorsements": {"tcb-info-chain": intel.pem(intel.tcb_signing_certificate(algorithm=algorithm), intel.root().der)}}


def _host(**members: Any) -> Given:
    return {"evidence": {"document": FalseHost(at=NOW, seed=SEED).document(user_data=DATA, **members)}}


def _gpu() -> FalseGpu:
    return FalseGpu(at=NOW, seed=SEED)


def _ocsp(algorithm: x509.Algorithm) -> Given:
    """The device's statuses, the first of which is signed anew (BasicOCSPResponse, RFC 6960 section 4.2.1)."""
    made = ocsp.load_der_ocsp_response(_gpu().ocsp(which=(2,)))
    signature = algorithm.sign(nvidia.key_of("identity"), made.tbs_response_bytes)
    basic = der.seq(made.tbs_response_bytes, algorithm.identifier, der.bits(signature))
    answer = der.seq(der.tlv(0x0A, b"\x00"), der.explicit(0, der.seq(der.oid("1.3.6.1.5.5.7.48.1.1"), der.octets(basic))))
    return {"endorsements": {"ocsp": _gpu().ocsp(which=(1, 3)) + answer + _gpu().rim_ocsp()}}


DER: Mapping[str, Signed] = {
    "PCK": Signed("sgx", intel.ecdsa(), Code.X509_SIGNATURE, _pck, P256_ORDER),
    "PCK CA": Signed("sgx", intel.ecdsa(), Code.X509_SIGNATURE, _pck_ca, P256_ORDER),
    "TCB signing": Signed("sgx", intel.ecdsa(), Code.X509_SIGNATURE, _tcb_signer, P256_ORDER),
    "PCK list": Signed(
        "sgx",
        intel.ecdsa(),
        Code.X509_CRL_SIGNATURE,
        lambda algorithm: {"endorsements": {"pck-crl": intel.crl("platform", at=NOW, algorithm=algorithm)}},
        P256_ORDER,
    ),
    "leaf of Nitro": Signed("nitro", aws.ecdsa(), Code.X509_SIGNATURE, lambda algorithm: _host(leaf={"algorithm": algorithm})),
    "instance of Nitro": Signed(
        "nitro", aws.ecdsa(), Code.X509_SIGNATURE, lambda algorithm: _host(certificates={"instance": {"algorithm": algorithm}})
    ),
    "leaf of a GPU": Signed(
        "nvidia",
        aws.ecdsa(),
        Code.X509_SIGNATURE,
        lambda algorithm: {"endorsements": {"cert-chain": _gpu().chain(leaf={"algorithm": algorithm})}},
    ),
    "signer of manifests": Signed(
        "nvidia",
        aws.ecdsa(),
        Code.X509_SIGNATURE,
        lambda algorithm: {"endorsements": {"rim-driver": _gpu().rim("driver", leaf={"algorithm": algorithm})}},
    ),
    "OCSP": Signed("nvidia", aws.ecdsa(), Code.NVIDIA_OCSP, _ocsp),
}


def numbers(make: Callable[[int, int, int], bytes]) -> Callable[[int], Change]:
    """DER out of r, s and the order."""
    return lambda order: lambda signature: make(*decode_dss_signature(signature), order)


def padded(value: int) -> bytes:
    """INTEGER with a byte that it does not need (X.690 section 8.3.2)."""
    shortest = der.integer(value)
    return der.tlv(0x02, b"\x00" + shortest[2:])


def raw_of(r: int, s: int, order: int) -> bytes:
    return r.to_bytes(SIZES[order]) + s.to_bytes(SIZES[order])


BAD_DER: Mapping[str, Callable[[int], Change]] = {
    "raw": numbers(raw_of),
    "nothing": lambda _: lambda _signature: b"",
    "zeros": lambda _: lambda signature: bytes(len(signature)),
    "ones": lambda _: lambda signature: b"\xff" * len(signature),
    "r of 0": numbers(lambda _r, s, _n: der.seq(der.integer(0), der.integer(s))),
    "s of 0": numbers(lambda r, _s, _n: der.seq(der.integer(r), der.integer(0))),
    "r of the order": numbers(lambda _r, s, n: der.seq(der.integer(n), der.integer(s))),
    "r and the order": numbers(lambda r, s, n: der.seq(der.integer(r + n), der.integer(s))),
    "s and the order": numbers(lambda r, s, n: der.seq(der.integer(r), der.integer(s + n))),
    "a negative r": numbers(lambda r, s, n: der.seq(der.integer(r - n), der.integer(s))),
    "a negative s": numbers(lambda r, s, _n: der.seq(der.integer(r), der.integer(-s))),
    "r without its sign": numbers(lambda r, s, n: der.seq(der.tlv(2, r.to_bytes(SIZES[n])), der.integer(s | 1 << (8 * SIZES[n])))),
    "r with a zero too many": numbers(lambda r, s, _n: der.seq(padded(r), der.integer(s))),
    "s with a zero too many": numbers(lambda r, s, _n: der.seq(der.integer(r), padded(s))),
    "r and s exchanged": numbers(lambda r, s, _n: der.seq(der.integer(s), der.integer(r))),
    "r alone": numbers(lambda r, _s, _n: der.seq(der.integer(r))),
    "a third number": numbers(lambda r, s, _n: der.seq(der.integer(r), der.integer(s), der.integer(1))),
    "a set": numbers(lambda r, s, _n: der.set_of(der.integer(r), der.integer(s))),
    "octets for numbers": numbers(lambda r, s, n: der.seq(der.octets(r.to_bytes(SIZES[n])), der.octets(s.to_bytes(SIZES[n])))),
    "a length in two bytes": lambda _: lambda signature: b"\x30\x81" + signature[1:],
    "a length in three bytes": lambda _: lambda signature: b"\x30\x82\x00" + signature[1:],
    "a length without end": lambda _: lambda signature: b"\x30\x80" + signature[2:] + b"\x00\x00",
    "a length beyond the end": lambda _: lambda signature: signature[:1] + bytes((signature[1] + 1,)) + signature[2:],
    "a byte behind": lambda _: lambda signature: signature + b"\x00",
    "a byte less": lambda _: lambda signature: signature[:-1],
    "in DER twice": lambda _: der.seq,
}


@pytest.mark.parametrize("change", BAD_DER)
@pytest.mark.parametrize("what", DER)
def test_der_that_is_no_signature_is_refused(what: str, change: str) -> None:
    signed = DER[what]
    with refused(signed.code):
        accepted(signed.name).verify(**signed.give(signing(signed.algorithm, BAD_DER[change](signed.order))))


@pytest.mark.parametrize("what", DER)
def test_what_is_made_anew_is_taken_with_either_s(what: str) -> None:
    signed = DER[what]
    negated = numbers(lambda r, s, n: encode_dss_signature(r, n - s))(signed.order)
    for change in (bytes, negated):
        accepted(signed.name).verify(**signed.give(signing(signed.algorithm, change)))


# --- RSA --------------------------------------------------------------------------------------------------------------------------


RSA: Mapping[str, tuple[str, x509.Algorithm, Code, Callable[[x509.Algorithm], Given], Callable[[], bytes]]] = {
    "ASK": (
        "snp",
        x509.pss(),
        Code.X509_SIGNATURE,
        lambda algorithm: {"endorsements": {"ask": FalseAmd().issue_ask(algorithm=algorithm)}},
        lambda: FalseAmd().ark,
    ),
    "AMD's list": (
        "snp",
        x509.pss(),
        Code.X509_CRL_SIGNATURE,
        lambda algorithm: {"endorsements": {"crl": FalseAmd().crl(at=NOW, algorithm=algorithm)}},
        lambda: FalseAmd().ark,
    ),
    "intermediate of a cloud": (
        "tpm",
        tpm.pkcs1(),
        Code.X509_SIGNATURE,
        lambda algorithm: {"endorsements": {"ak-chain": tpm.GOOGLE.issue_signer(algorithm=algorithm)}},
        lambda: tpm.GOOGLE.root,
    ),
    "a cloud's list": (
        "tpm",
        tpm.pkcs1(),
        Code.X509_CRL_SIGNATURE,
        lambda algorithm: {"endorsements": {"ak-crl": tpm.GOOGLE.crl(at=NOW, algorithm=algorithm)}},
        lambda: tpm.GOOGLE.root,
    ),
}


@pytest.mark.parametrize("change", rsa_changes(1))
@pytest.mark.parametrize("what", RSA)
def test_what_is_signed_with_rsa_has_its_one_spelling(what: str, change: str) -> None:
    name, algorithm, code, give, issuer = RSA[what]
    n = modulus(load_der_x509_certificate(issuer()).public_key())
    accepted(name).verify(**give(signing(algorithm, bytes)))
    with refused(code):
        accepted(name).verify(**give(signing(algorithm, rsa_changes(n)[change])))
