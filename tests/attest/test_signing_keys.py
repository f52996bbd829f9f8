"""Keys that sign quotes of TPMs, and RSA signatures by them, that are not quite what they should be.

RSA signatures are numbers below the modulus, in its length (RFC 8017 sections 8.1.2 and 8.2.2); exponents are odd and above 2^16
(FIPS 186-5 section 5.1). Left to others: ECDSA (`test_signatures.py`), public areas (`tpm/test_verify.py`).
"""

import base64
import re
from collections.abc import Callable, Mapping

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import load_der_x509_certificate
from tests.attest.accepted import DATA, NOW, Accepted, accepted
from tests.support import refused

from confide.codes import Code
from confide.errors import EvidenceError
from confide_sim import azure, der, tpm_structures, x509
from confide_sim.azure import FalseVm
from confide_sim.tpm import GOOGLE, FalseTpm

Change = Callable[[bytes], bytes]


# --- RSA --------------------------------------------------------------------------------------------------------------------------


def _quoted(name: str) -> int:
    """The modulus of a quoting key."""
    one = accepted(name)
    if "ak-cert" in one.endorsements.items:
        return modulus(load_der_x509_certificate(one.endorsements.items["ak-cert"]).public_key())
    text = re.search(rb'"HCLAkPub".*?"n":"([A-Za-z0-9_-]+)"', one.evidence.items["hcl-report"])
    assert text
    return int.from_bytes(base64.urlsafe_b64decode(text[1] + b"=="))


def modulus(key: object) -> int:
    assert isinstance(key, rsa.RSAPublicKey)
    return key.public_numbers().n


def rsa_changes(n: int) -> Mapping[str, Change]:
    """Numbers from 0 to the modulus less one, in its length (RFC 8017 sections 8.1.2 and 8.2.2)."""
    size = (n.bit_length() + 7) // 8

    def number(change: Callable[[int], int]) -> Change:
        return lambda value: change(int.from_bytes(value)).to_bytes(size)

    return {
        "zeros": number(lambda _: 0),
        "one": number(lambda _: 1),
        "the modulus": number(lambda _: n),
        "the modulus less one": number(lambda _: n - 1),
        "the negative": number(lambda value: n - value),
        "ones": lambda value: b"\xff" * len(value),
        "the other end first": lambda value: value[::-1],
        "nothing": lambda _: b"",
        "a byte less": lambda value: value[:-1],
        "a byte behind": lambda value: value + b"\x00",
        "a zero in front": lambda value: b"\x00" + value,
        "half": lambda value: value[: len(value) // 2],
        "twice": lambda value: value + value,
    }


@pytest.mark.parametrize("change", rsa_changes(1))
@pytest.mark.parametrize("name", ["tpm, RSA", "az-snp-vtpm", "az-tdx-vtpm"])
def test_a_number_that_is_no_rsa_signature_is_refused(name: str, change: str) -> None:
    one, role = accepted(name), "signature" if name.startswith("tpm") else "tpm-signature"
    whole = one.evidence.items[role]
    made = rsa_changes(_quoted(name))[change](whole[6:])
    with refused(Code.TPM_SIGNATURE):
        one.verify(evidence={role: whole[:4] + tpm_structures.sized(made)})


# --- keys that sign quotes --------------------------------------------------------------------------------------------------------


def rsa_spki(n: int, e: int) -> bytes:
    """A SubjectPublicKeyInfo that no library would make (RFC 8017 appendix A.1.1)."""
    return der.seq(der.seq(der.oid("1.2.840.113549.1.1.1"), der.null()), der.bits(der.seq(der.integer(n), der.integer(e))))


MODULUS = modulus(rsa.generate_private_key(65537, 2048).public_key())
KEYS: Mapping[str, bytes] = {
    "exponent 1": rsa_spki(MODULUS, 1),  # every number would sign itself
    "exponent 2": rsa_spki(MODULUS, 2),
    "exponent 3": rsa_spki(MODULUS, 3),
    "an exponent of 2 to the 16": rsa_spki(MODULUS, 1 << 16),
    "an exponent below 2 to the 16": rsa_spki(MODULUS, (1 << 16) - 1),
    "a long exponent": rsa_spki(MODULUS, (1 << 64) + 1),
    "a negative modulus": rsa_spki(-MODULUS, 65537),
    "a short modulus": rsa_spki(MODULUS >> 1024 | 1, 65537),
    "a modulus a bit short": rsa_spki(MODULUS >> 1 | 1, 65537),
    "a long modulus": rsa_spki(MODULUS << 2049 | 1, 65537),
    "P-224": x509.spki(ec.derive_private_key(7, ec.SECP224R1())),
    "P-521": x509.spki(ec.derive_private_key(7, ec.SECP521R1())),
    "secp256k1": x509.spki(ec.derive_private_key(7, ec.SECP256K1())),
    "brainpoolP256r1": x509.spki(ec.derive_private_key(7, ec.BrainpoolP256R1())),
}


@pytest.mark.parametrize("key", KEYS)
def test_a_certified_key_of_another_kind_quotes_nothing(key: str) -> None:
    """No public area stands beside it: nothing but the certificate says what the key is."""
    one = FalseTpm(GOOGLE, at=NOW)
    alone = one.evidence(extra_data=DATA[:32], items={"ak-public": None})
    with refused(Code.TPM_KEY):
        Accepted(alone, one.endorsements(ak_cert=one.issue(public_key=KEYS[key]))).verify()
    with refused(Code.TPM_SIGNATURE):
        Accepted(alone, one.endorsements(ak_cert=one.issue(public_key=rsa_spki(MODULUS, 65537)))).verify()


@pytest.mark.parametrize(
    ("exponent", "code"), [(1, Code.AZURE_RUNTIME), (2, Code.AZURE_RUNTIME), (3, Code.TPM_KEY), (65535, Code.TPM_KEY)]
)
def test_a_paravisors_key_of_another_exponent_quotes_nothing(exponent: int, code: Code) -> None:
    vm = FalseVm(at=NOW)
    said = base64.urlsafe_b64encode(exponent.to_bytes(3)).decode().rstrip("=")
    data = azure.runtime(vm.key, keys=[azure.jwk("HCLAkPub", vm.key, e=said)])
    with refused(code):
        Accepted(vm.evidence(extra_data=DATA[:32], data=data), vm.endorsements()).verify()


@pytest.mark.parametrize("name", ["tpm", "tpm, RSA", "az-snp-vtpm"])
@pytest.mark.parametrize("scheme", [0x0014, 0x0016, 0x0018, 0x001A, 0x0010, 0x0000])
def test_a_scheme_of_another_kind_of_key_signs_nothing(name: str, scheme: int) -> None:
    """RSASSA, RSAPSS, ECDSA, and what no quote may have: ECDAA, TPM_ALG_NULL, none (TPM 2.0 Library part 2, table "TPM_ALG_ID")."""
    one, role = accepted(name), "signature" if name.startswith("tpm") else "tpm-signature"
    whole = one.evidence.items[role]
    own = int.from_bytes(whole[:2])
    changed = scheme.to_bytes(2) + whole[2:]
    if scheme == own:
        one.verify(evidence={role: changed})
        return
    with pytest.raises(EvidenceError) as caught:
        one.verify(evidence={role: changed})
    assert caught.value.code in {Code.TPM_SCHEME, Code.TPM_STRUCTURE, Code.TPM_SIGNATURE}
