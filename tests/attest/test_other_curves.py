"""Keys of curves that a format does not name, certified as they should be, sign nothing; though their numbers would fit.

The certificate that holds the key is genuine, and so is the signature: only the curve is another one. Left to others: numbers that
are no signature (`test_signatures.py`), authorities' keys (`test_chains.py`).
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384, HashAlgorithm
from tests.attest.accepted import DATA, NOW, SEED, accepted
from tests.support import refused

from confide.attest.evidence import Kind
from confide.attest.snp.layout import Product
from confide.codes import Code
from confide_sim import intel, intel_quote, nvidia, nvidia_rim, x509
from confide_sim.amd import FalseChip
from confide_sim.arm import FalseRealm
from confide_sim.aws import FalseHost
from confide_sim.intel import FalsePlatform
from confide_sim.nvidia import FalseGpu

Given = dict[str, dict[str, bytes]]
CURVES: Mapping[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "secp256k1": ec.SECP256K1(),
    "brainpoolP256r1": ec.BrainpoolP256R1(),
    "P-224": ec.SECP224R1(),
    "brainpoolP384r1": ec.BrainpoolP384R1(),
}
KEYS = {name: ec.derive_private_key(7, curve) for name, curve in CURVES.items()}
RSA = rsa.generate_private_key(65537, 2048)


def raw(key: ec.EllipticCurvePrivateKey, data: bytes, digest: HashAlgorithm, size: int) -> bytes:
    """r || s, each of the size that the format has."""
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
    return r.to_bytes(size) + s.to_bytes(size)


def _pck(key: ec.EllipticCurvePrivateKey) -> Given:
    platform = FalsePlatform(Kind.SGX, at=NOW, seed=SEED)
    chain = intel.pem(platform.pck(public_key=x509.spki(key)), intel.ca_certificate(), intel.root().der)
    return {"evidence": {"quote": platform.quote(report_data=DATA, certification=(5, chain), qe_key=key)}}


def _tcb(role: str) -> Callable[[ec.EllipticCurvePrivateKey], Given]:
    """Both kinds of collateral, signed by a TCB signer with such a key."""

    def give(key: ec.EllipticCurvePrivateKey) -> Given:
        made = intel.tcb_info(at=NOW, key=key) if role == "tcb-info" else intel.qe_identity(at=NOW, key=key)
        chain = intel.pem(intel.tcb_signing_certificate(public_key=x509.spki(key)), intel.root().der)
        return {"endorsements": {role: made, f"{role}-chain": chain}}

    return give


def _vcek(key: ec.EllipticCurvePrivateKey) -> Given:
    chip = FalseChip(Product.MILAN, at=NOW, chip_id=bytes(range(1, 65)))
    evidence = chip.evidence(report_data=DATA, key=key).items
    return {"evidence": dict(evidence), "endorsements": {"vcek": chip.issue(public_key=x509.spki(key))}}


def _document(key: ec.EllipticCurvePrivateKey) -> Given:
    host = FalseHost(at=NOW, seed=SEED)
    message: dict[str, Any] = {"key": key, "signature": padded}
    return {"evidence": {"document": host.document(user_data=DATA, leaf={"public_key": x509.spki(key)}, message=message)}}


def padded(signature: bytes) -> bytes:
    half = len(signature) // 2
    return signature[:half].rjust(48, b"\x00") + signature[half:].rjust(48, b"\x00")


def _gpu(key: ec.EllipticCurvePrivateKey) -> Given:
    gpu = FalseGpu(at=NOW, seed=SEED)
    signed = gpu.report(nonce=DATA[:32])[:-96]
    report = signed + raw(key, signed, SHA384(), 48)
    leaf = {"public_key": x509.spki(key)}
    return {"evidence": {"gpu-report": report}, "endorsements": {"cert-chain": gpu.chain(leaf=leaf)}}


def _manifest(key: ec.EllipticCurvePrivateKey) -> Given:
    gpu = FalseGpu(at=NOW, seed=SEED)
    pieces = nvidia_rim.body(
        nvidia.DRIVER, "GH100", [nvidia_rim.resource(index, values) for index, values in gpu.golden("driver").items()]
    )
    certificates = nvidia.rim_certificates(NOW, public_key=x509.spki(key))
    return {
        "endorsements": {
            "rim-driver": nvidia_rim.signed(pieces, sign=lambda data: raw(key, data, SHA384(), 48), certificates=certificates)
        }
    }


P256_ALONE = ("secp256k1", "brainpoolP256r1", "P-224")
P384_ALONE = tuple(CURVES)
PLACES: Mapping[str, tuple[str, Code, Callable[[ec.EllipticCurvePrivateKey], Given], tuple[str, ...]]] = {
    "PCK": ("sgx", Code.DCAP_QE_SIGNATURE, _pck, P256_ALONE),
    "signer of TCB info": ("sgx", Code.DCAP_COLLATERAL_SIGNATURE, _tcb("tcb-info"), P256_ALONE),
    "signer of QE identity": ("sgx", Code.DCAP_COLLATERAL_SIGNATURE, _tcb("qe-identity"), P256_ALONE),
    "VCEK": ("snp", Code.SNP_ENDORSED_KEY, _vcek, P384_ALONE),
    "leaf of Nitro": ("nitro", Code.COSE_SIGNATURE, _document, P384_ALONE),
    "leaf of a GPU": ("nvidia", Code.NVIDIA_SIGNATURE, _gpu, P384_ALONE),
    "signer of manifests": ("nvidia", Code.NVIDIA_RIM_SIGNATURE, _manifest, P384_ALONE),
}
CASES = [(place, curve) for place, (_, _, _, curves) in PLACES.items() for curve in curves]


@pytest.mark.parametrize(("place", "curve"), CASES, ids=[f"{place}: {curve}" for place, curve in CASES])
def test_a_key_of_another_curve_signs_nothing(place: str, curve: str) -> None:
    name, code, give, _ = PLACES[place]
    with refused(code):
        accepted(name).verify(**give(KEYS[curve]))


@pytest.mark.parametrize("place", PLACES)
def test_a_key_of_the_right_curve_signs(place: str) -> None:
    """The same way to make it: only the curve is refused above."""
    name, _, give, curves = PLACES[place]
    key = ec.derive_private_key(7, ec.SECP256R1() if curves is P256_ALONE else ec.SECP384R1())
    accepted(name).verify(**give(key))


RSA_LEAVES: Mapping[str, tuple[str, Code, Given]] = {
    "PCK": (
        "sgx",
        Code.DCAP_QE_SIGNATURE,
        {
            "evidence": {
                "quote": FalsePlatform(Kind.SGX, at=NOW, seed=SEED).quote(
                    report_data=DATA,
                    certification=(
                        5,
                        intel.pem(
                            FalsePlatform(Kind.SGX, at=NOW, seed=SEED).pck(public_key=x509.spki(RSA)),
                            intel.ca_certificate(),
                            intel.root().der,
                        ),
                    ),
                )
            }
        },
    ),
    "leaf of a GPU": (
        "nvidia",
        Code.NVIDIA_SIGNATURE,
        {"endorsements": {"cert-chain": FalseGpu(at=NOW, seed=SEED).chain(leaf={"public_key": x509.spki(RSA)})}},
    ),
    "signer of manifests": (
        "nvidia",
        Code.NVIDIA_RIM_SIGNATURE,
        {"endorsements": {"rim-driver": FalseGpu(at=NOW, seed=SEED).rim("driver", leaf={"public_key": x509.spki(RSA)})}},
    ),
    "leaf of Nitro": (
        "nitro",
        Code.COSE_SIGNATURE,
        {"evidence": {"document": FalseHost(at=NOW, seed=SEED).document(user_data=DATA, leaf={"public_key": x509.spki(RSA)})}},
    ),
}


@pytest.mark.parametrize("place", RSA_LEAVES)
def test_a_key_of_another_kind_signs_nothing(place: str) -> None:
    name, code, given = RSA_LEAVES[place]
    with refused(code):
        accepted(name).verify(**given)


def test_a_realm_signs_with_the_algorithm_of_its_curve_alone() -> None:
    """A key of P-384 whose message says ES256, truly made so."""
    realm = FalseRealm(seed=SEED)
    message: dict[str, Any] = {"protected": {1: -7}, "signature": lambda signature: signature[:64]}
    with refused(Code.COSE_ALGORITHM):
        accepted("cca").verify(evidence={"token": realm.token(DATA, realm_message=message)})


def test_the_quotes_of_sgx_are_made_of_p256_alone() -> None:
    """An attestation key of another curve has no place to stand: x || y is read as a point of P-256 (SEC 1 section 2.3.4)."""
    key = KEYS["secp256k1"]
    platform = FalsePlatform(Kind.SGX, at=NOW, seed=SEED)
    quote = platform.quote(report_data=DATA, key=key, part={"attestation_key": intel_quote.point(key)})
    with refused(Code.DCAP_SIGNATURE):
        accepted("sgx").verify(evidence={"quote": quote})
