"""Public areas of attestation keys (TCG TPM 2.0 Library, part 2: TPMT_PUBLIC 12.2.4, TPMA_OBJECT 8.3), read and checked.

What an attestation key must be is in its attributes: `restricted`, so that it signs only what its TPM made; `sign` and not
`decrypt`; `fixedTPM`, `fixedParent` and `sensitiveDataOrigin`, so that the private part was born in this TPM and cannot leave it.
A restricted signing key has one scheme for life, which the quote's signature must be of. Nothing signs a public area by itself, but
a quote names its key by `qualifiedSigner`, which for a primary key follows from the area alone (`Public.is_signer`). Left to
others: whether this is the certified key (`verify`).
"""

import hashlib
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from confide.attest.checks import Checks
from confide.attest.tpm.quote import HASHES, SCHEMES, PublicKey, Signature
from confide.attest.tpm.reader import Reader, structure
from confide.codes import Code
from confide.errors import EvidenceError

MAX_PUBLIC = 1024  # bytes; an RSA 2048 key has 280
RSA, ECC, NULL = 0x0001, 0x0023, 0x0010  # part 2 section 6.3, TPM_ALG_ID
CURVES = {0x0003: ec.SECP256R1, 0x0004: ec.SECP384R1}  # part 2 section 6.4, TPM_ECC_CURVE
MIN_RSA, MAX_RSA = 2048, 4096
HIERARCHIES = (0x40000001, 0x40000007, 0x4000000B, 0x4000000C)  # part 2 section 7.4, TPM_RH: owner, null, endorsement, platform
DEFAULT_EXPONENT = 65537  # of exponent 0 (part 2 section 12.2.3.5)
EXPONENTS = range((1 << 16) + 1, 1 << 64, 2)  # odd and above 2^16 (FIPS 186-5 section 5.1 (b)); far below its 2^256
# TPMA_OBJECT (part 2 section 8.3.2)
FIXED_TPM, FIXED_PARENT, SENSITIVE_ORIGIN, RESTRICTED, DECRYPT, SIGN = 1 << 1, 1 << 4, 1 << 5, 1 << 16, 1 << 17, 1 << 18
ATTESTATION_KEY = FIXED_TPM | FIXED_PARENT | SENSITIVE_ORIGIN | RESTRICTED | SIGN
_NAMES = {
    FIXED_TPM: "fixedTPM",
    FIXED_PARENT: "fixedParent",
    SENSITIVE_ORIGIN: "sensitiveDataOrigin",
    RESTRICTED: "restricted",
    DECRYPT: "decrypt",
    SIGN: "sign",
}


@dataclass(frozen=True)
class Public:
    """An attestation key with its one scheme. `area` is its TPMT_PUBLIC, `name_algorithm` what that is named by."""

    key: PublicKey = field(repr=False)
    scheme: int
    hash_algorithm: int
    name_algorithm: int
    area: bytes = field(repr=False)

    def is_signer(self, qualified: bytes) -> bool:
        """Whether a Qualified Name is that of a primary key with this area: nameAlg || H(handle of the hierarchy || Name), where
        Name is nameAlg || H(area) (part 1, "Names"). Of a key below another one it takes more to tell."""
        if self.name_algorithm not in HASHES:
            return False
        prefix, digest = self.name_algorithm.to_bytes(2), getattr(hashlib, HASHES[self.name_algorithm][0])
        name = prefix + digest(self.area).digest()
        return any(qualified == prefix + digest(handle.to_bytes(4) + name).digest() for handle in HIERARCHIES)


def parse_public(data: bytes, *, checks: Checks) -> Public:
    """The key in a TPMT_PUBLIC, or TPM2B_PUBLIC, that has the attributes of an attestation key.

    Raises:
        EvidenceError: `tpm.structure`, `tpm.key`, `tpm.scheme` or `tpm.attributes`.
    """
    if len(data) > MAX_PUBLIC:
        raise structure(f"{len(data)} bytes", f"at most {MAX_PUBLIC}")
    reader, area = Reader(data), data
    kind = reader.number(2)
    if kind == len(data) - 2 and kind not in {RSA, ECC}:  # TPM2B_PUBLIC (part 2 section 12.2.5): a length in front
        kind, area = reader.number(2), data[2:]
    name_algorithm = reader.number(2)
    _require_attributes(reader.number(4), checks)
    reader.sized()  # authPolicy
    if kind not in {RSA, ECC}:
        raise EvidenceError(Code.TPM_KEY, found=f"type {kind:#x}", wanted="RSA or ECC")
    if reader.number(2) != NULL:  # TPMT_SYM_DEF_OBJECT: only storage keys have one (part 2 section 12.2.3.5)
        raise EvidenceError(Code.TPM_KEY, found="a storage key", wanted="a signing key")
    scheme, digest = reader.number(2), reader.number(2)
    if scheme not in SCHEMES or digest not in HASHES:  # TPM_ALG_NULL would be any scheme; a restricted key has one
        found = f"scheme {scheme:#x}, hash {digest:#x}"
        raise EvidenceError(Code.TPM_SCHEME, found=found, wanted="RSASSA, RSAPSS or ECDSA with SHA-256 or longer")
    key = _rsa(reader) if kind == RSA else _ecc(reader)
    reader.end()
    return Public(key, scheme, digest, name_algorithm, area)


def require_scheme(public: Public, signature: Signature, *, checks: Checks) -> None:
    """The quote is signed with the one scheme that the key has (part 1 section 25.1.3): `tpm.scheme`."""
    wanted = Signature(public.scheme, public.hash_algorithm, b"")
    same = (signature.scheme, signature.hash_algorithm) == (public.scheme, public.hash_algorithm)
    checks.require(same, Code.TPM_SCHEME, "scheme of the attestation key", found=signature.named, wanted=wanted.named)


def require_key_kind(key: object) -> PublicKey:
    """RSA of 2048 to 4096 bits with an exponent of FIPS 186-5, P-256 or P-384, whatever the key came in: `tpm.key`."""
    if isinstance(key, rsa.RSAPublicKey) and MIN_RSA <= key.key_size <= MAX_RSA and key.public_numbers().e in EXPONENTS:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, tuple(CURVES.values())):
        return key
    raise EvidenceError(Code.TPM_KEY, found=type(key).__name__.lstrip("_"), wanted="RSA 2048 to 4096, P-256 or P-384")


def _require_attributes(attributes: int, checks: Checks) -> None:
    fits = attributes & ATTESTATION_KEY == ATTESTATION_KEY and not attributes & DECRYPT
    found = " ".join(name for bit, name in _NAMES.items() if attributes & bit) or "none"
    wanted = " ".join(name for bit, name in _NAMES.items() if ATTESTATION_KEY & bit) + ", not decrypt"
    checks.require(fits, Code.TPM_ATTRIBUTES, "attestation key attributes", found=found, wanted=wanted)


def _rsa(reader: Reader) -> PublicKey:
    """The rest of TPMS_RSA_PARMS, then TPM2B_PUBLIC_KEY_RSA (part 2 sections 12.2.3.5 and 11.2.4.5)."""
    bits, exponent = reader.number(2), reader.number(4) or DEFAULT_EXPONENT
    modulus = reader.sized()
    try:
        key = rsa.RSAPublicNumbers(exponent, int.from_bytes(modulus)).public_key()
    except ValueError:
        raise EvidenceError(Code.TPM_KEY, found="no RSA key", wanted="one") from None
    if key.key_size != bits or len(modulus) * 8 != bits:
        raise EvidenceError(Code.TPM_KEY, found=f"RSA {key.key_size} that says {bits}", wanted="one length")
    return require_key_kind(key)


def _ecc(reader: Reader) -> PublicKey:
    """The rest of TPMS_ECC_PARMS, then TPMS_ECC_POINT (part 2 sections 12.2.3.6 and 11.2.5.2)."""
    curve, kdf = CURVES.get(reader.number(2)), reader.number(2)
    x, y = reader.sized(), reader.sized()
    if kdf != NULL or curve is None:
        raise EvidenceError(Code.TPM_KEY, found="another curve or KDF", wanted="P-256 or P-384")
    try:
        return ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), curve()).public_key()
    except ValueError:
        raise EvidenceError(Code.TPM_KEY, found="no point of the curve", wanted="one") from None
