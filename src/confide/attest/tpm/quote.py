"""TPMS_ATTEST, TPMT_SIGNATURE and TPMT_PUBLIC (TCG TPM 2.0 Library, part 2, sections 10.12, 11.3 and 12.2): bytes to fields,
checked.

All integers are big-endian. A quote says: this key, inside this TPM, saw these PCRs, and was given these `extraData`. An
attestation key is restricted: it signs only what its TPM made, which begins with TPM_GENERATED_VALUE. Left to others: why the key
is trusted (`verify`, `azure`), and what the PCRs should be (`validate`).
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from confide.attest.checks import Checks
from confide.attest.x509 import told
from confide.codes import Code
from confide.errors import EvidenceError
from confide.formats import strictjson

MAX_ATTEST = 1024  # bytes; a quote of one bank is 145
MAX_PCRS = 32
MAX_VALUES = 1 << 14  # bytes of JSON
TPM_GENERATED = bytes.fromhex("ff544347")  # part 2 table 7, TPM_GENERATED_VALUE
ATTEST_QUOTE = 0x8018  # part 2 table 19, TPM_ST_ATTEST_QUOTE
RSASSA, RSAPSS, ECDSA = 0x0014, 0x0016, 0x0018  # part 2 table 9, TPM_ALG_ID
RSA, ECC, NULL = 0x0001, 0x0023, 0x0010
HASHES: Mapping[int, tuple[str, type[HashAlgorithm], int]] = MappingProxyType(
    {0x000B: ("sha256", SHA256, 32), 0x000C: ("sha384", SHA384, 48), 0x000D: ("sha512", SHA512, 64)}
)
SHA1 = 0x0004
CURVES: Mapping[int, type[ec.EllipticCurve]] = MappingProxyType({0x0003: ec.SECP256R1, 0x0004: ec.SECP384R1})  # part 2 table 12
# TPMA_OBJECT (part 2 table 31): what an attestation key has.
FIXED_TPM, FIXED_PARENT, SENSITIVE_ORIGIN, RESTRICTED, DECRYPT, SIGN = 1 << 1, 1 << 4, 1 << 5, 1 << 16, 1 << 17, 1 << 18
ATTESTATION_KEY = FIXED_TPM | FIXED_PARENT | SENSITIVE_ORIGIN | RESTRICTED | SIGN

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


@dataclass(frozen=True)
class Attest:
    """A quote, field by field. `selection`: PCR indexes by hash algorithm."""

    raw: bytes = field(repr=False)
    qualified_signer: bytes = field(repr=False)
    extra_data: bytes = field(repr=False)
    clock: int
    reset_count: int
    restart_count: int
    safe: bool
    firmware_version: int
    selection: Mapping[int, tuple[int, ...]]
    pcr_digest: bytes


@dataclass(frozen=True)
class Signature:
    """Scheme, hash and value; of ECDSA r and s."""

    scheme: int
    hash_algorithm: int
    value: bytes = field(repr=False)
    s: bytes = field(default=b"", repr=False)


def parse_attest(data: bytes) -> Attest:
    """A TPMS_ATTEST that is a quote.

    Raises:
        EvidenceError: `tpm.structure`; `tpm.magic` for anything that is no quote by a TPM.
    """
    if not 6 <= len(data) <= MAX_ATTEST:
        raise _structure(f"{len(data)} bytes", f"6 to {MAX_ATTEST}")
    reader = Reader(data)
    magic, kind = reader.take(4), reader.number(2)
    if magic != TPM_GENERATED or kind != ATTEST_QUOTE:
        wanted = f"{TPM_GENERATED.hex()}, type {ATTEST_QUOTE:#x}"
        raise EvidenceError(Code.TPM_MAGIC, found=f"{magic.hex()}, type {kind:#x}", wanted=wanted)
    signer, extra = reader.sized(), reader.sized()
    clock, resets, restarts, safe = reader.number(8), reader.number(4), reader.number(4), reader.number(1)
    firmware = reader.number(8)
    selection = _selection(reader)
    digest = reader.sized()
    reader.end()
    if safe > 1:
        raise _structure(f"safe = {safe}", "0 or 1")
    return Attest(data, signer, extra, clock, resets, restarts, bool(safe), firmware, selection, digest)


def parse_signature(data: bytes) -> Signature:
    """A TPMT_SIGNATURE of RSASSA, RSAPSS or ECDSA with SHA-256 or longer.

    Raises:
        EvidenceError: `tpm.structure` or `tpm.scheme`.
    """
    reader = Reader(data)
    scheme, digest = reader.number(2), reader.number(2)
    if scheme not in {RSASSA, RSAPSS, ECDSA} or digest not in HASHES:
        wanted = "RSASSA, RSAPSS or ECDSA with SHA-256, SHA-384 or SHA-512"
        raise EvidenceError(Code.TPM_SCHEME, found=f"scheme {scheme:#x}, hash {digest:#x}", wanted=wanted)
    value = reader.sized()
    s = reader.sized() if scheme == ECDSA else b""
    reader.end()
    return Signature(scheme, digest, value, s)


def parse_public(data: bytes, *, checks: Checks) -> PublicKey:
    """The key in a TPMT_PUBLIC, or TPM2B_PUBLIC, that has the attributes of an attestation key.

    Raises:
        EvidenceError: `tpm.structure`, `tpm.key` or `tpm.attributes`.
    """
    reader = Reader(data)
    kind = reader.number(2)
    if kind == len(data) - 2 and kind not in {RSA, ECC}:  # TPM2B_PUBLIC: a length in front
        kind = reader.number(2)
    reader.number(2)  # nameAlg
    attributes = reader.number(4)
    reader.sized()  # authPolicy
    fits = attributes & ATTESTATION_KEY == ATTESTATION_KEY and not attributes & DECRYPT
    wanted = f"all of {ATTESTATION_KEY:#x}, not decrypt"
    checks.require(fits, Code.TPM_ATTRIBUTES, "attestation key attributes", found=f"{attributes:#x}", wanted=wanted)
    if kind == RSA:
        return _rsa_public(reader)
    if kind == ECC:
        return _ecc_public(reader)
    raise EvidenceError(Code.TPM_KEY, found=f"type {kind:#x}", wanted="RSA or ECC")


def require_signed(attest: Attest, signature: Signature, key: PublicKey, *, checks: Checks) -> None:
    """The quote is signed by `key`: `tpm.signature` otherwise."""
    good = _verifies(attest.raw, signature, key)
    checks.require(good, Code.TPM_SIGNATURE, "quote signature", found=told(good), wanted="one by the attestation key")


def require_pcrs(attest: Attest, pcrs: Mapping[int, bytes], *, checks: Checks) -> tuple[int, Mapping[int, bytes]]:
    """Bank and values of the PCRs that were quoted, out of those that came with it.

    The digest is over the selected PCRs in index order (part 1 section 17.6.1). Values beyond the selection are not quoted and left
    out.

    Raises:
        EvidenceError: `tpm.selection` unless one bank was selected and all its values are there; `tpm.pcr_digest`.
    """
    banks = [(bank, indexes) for bank, indexes in attest.selection.items() if indexes]
    if len(banks) != 1 or (banks[0][0] not in HASHES and banks[0][0] != SHA1):
        raise EvidenceError(Code.TPM_SELECTION, found=f"{len(banks)} banks", wanted="one of SHA-256 or longer")
    bank, indexes = banks[0]
    size = 20 if bank == SHA1 else HASHES[bank][2]
    missing = [index for index in indexes if len(pcrs.get(index, b"")) != size]
    if missing:
        found = f"no value of {size} bytes for PCR {', '.join(map(str, missing[:8]))}"
        raise EvidenceError(Code.TPM_SELECTION, found=found, wanted="a value for each quoted PCR")
    joined = b"".join(pcrs[index] for index in indexes)
    name = next((HASHES[each][0] for each in HASHES if HASHES[each][2] == len(attest.pcr_digest)), "sha256")
    digest = hashlib.new(name, joined).digest()
    checks.require(
        hmac.compare_digest(digest, attest.pcr_digest),
        Code.TPM_PCR_DIGEST,
        "digest of the quoted PCRs",
        found=digest.hex(),
        wanted=attest.pcr_digest.hex(),
    )
    return bank, MappingProxyType({index: pcrs[index] for index in indexes})


def parse_pcrs(data: bytes) -> Mapping[int, bytes]:
    """PCR values beside a quote: a JSON object of index to hex. `tpm.structure` for anything else."""
    try:
        members = strictjson.loads(data, limit=MAX_VALUES)
        pcrs = {int(name): bytes.fromhex(value) for name, value in members.items() if name.isascii() and name.isdigit()}
    except (strictjson.JsonError, ValueError, AttributeError, TypeError):
        raise _structure("no PCR values", "a JSON object of index to hex") from None
    if len(pcrs) != len(members) or not all(0 <= index < MAX_PCRS for index in pcrs):
        raise _structure(f"{len(members)} PCR values", f"indexes 0 to {MAX_PCRS - 1}, once each")
    return MappingProxyType(pcrs)


class Reader:
    """A cursor over big-endian structures; errors are ours."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, size: int) -> bytes:
        """The next bytes."""
        if size > len(self._data) - self._at:
            raise _structure(f"{len(self._data) - self._at} bytes left", f"{size}")
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self, size: int) -> int:
        """An unsigned integer."""
        return int.from_bytes(self.take(size))

    def sized(self) -> bytes:
        """A TPM2B: two bytes of length, then as many."""
        return self.take(self.number(2))

    def end(self) -> None:
        """Nothing is left."""
        if self._at != len(self._data):
            raise _structure(f"{len(self._data) - self._at} bytes left over", "none")


def _selection(reader: Reader) -> Mapping[int, tuple[int, ...]]:
    """TPML_PCR_SELECTION (part 2 section 10.9.7)."""
    count = reader.number(4)
    if not 0 < count <= 8:
        raise _structure(f"{count} banks", "1 to 8")
    found: dict[int, tuple[int, ...]] = {}
    for _ in range(count):
        bank, bitmap = reader.number(2), reader.take(min(reader.number(1), 4))
        if bank in found:
            raise _structure(f"bank {bank:#x} twice", "once")
        found[bank] = tuple(8 * place + bit for place, byte in enumerate(bitmap) for bit in range(8) if byte >> bit & 1)
    return MappingProxyType(found)


def _rsa_public(reader: Reader) -> PublicKey:
    """TPMS_RSA_PARMS and TPM2B_PUBLIC_KEY_RSA (part 2 sections 12.2.3.5 and 11.2.4.5)."""
    _no_symmetric(reader)
    _scheme(reader)
    bits, exponent = reader.number(2), reader.number(4) or 65537
    modulus = reader.sized()
    reader.end()
    if len(modulus) * 8 != bits or bits < 2048:
        raise EvidenceError(Code.TPM_KEY, found=f"RSA {bits}", wanted="RSA 2048 or longer")
    try:
        return rsa.RSAPublicNumbers(exponent, int.from_bytes(modulus)).public_key()
    except ValueError:
        raise EvidenceError(Code.TPM_KEY, found="no RSA key", wanted="one") from None


def _ecc_public(reader: Reader) -> PublicKey:
    """TPMS_ECC_PARMS and TPMS_ECC_POINT (part 2 sections 12.2.3.6 and 11.2.5.2)."""
    _no_symmetric(reader)
    _scheme(reader)
    curve = CURVES.get(reader.number(2))
    if reader.number(2) != NULL or curve is None:
        raise EvidenceError(Code.TPM_KEY, found="another curve or KDF", wanted="P-256 or P-384")
    x, y = reader.sized(), reader.sized()
    reader.end()
    try:
        return ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), curve()).public_key()
    except ValueError:
        raise EvidenceError(Code.TPM_KEY, found="no point of the curve", wanted="one") from None


def _no_symmetric(reader: Reader) -> None:
    """Signing keys have no symmetric algorithm."""
    if reader.number(2) != NULL:
        raise EvidenceError(Code.TPM_KEY, found="a storage key", wanted="a signing key")


def _scheme(reader: Reader) -> None:
    """TPMT_RSA_SCHEME or TPMT_ECC_SCHEME: of a restricted key, one scheme with its hash."""
    if reader.number(2) not in {RSASSA, RSAPSS, ECDSA} or reader.number(2) not in HASHES:
        raise EvidenceError(Code.TPM_SCHEME, found="another scheme", wanted="RSASSA, RSAPSS or ECDSA with SHA-256 or longer")


def _verifies(data: bytes, signature: Signature, key: PublicKey) -> bool:
    digest = HASHES[signature.hash_algorithm][1]()
    try:
        if isinstance(key, rsa.RSAPublicKey) and signature.scheme in {RSASSA, RSAPSS}:
            scheme: Any = padding.PKCS1v15()
            if signature.scheme == RSAPSS:
                scheme = padding.PSS(padding.MGF1(digest), padding.PSS.AUTO)
            key.verify(signature.value, data, scheme, digest)
            return True
        if isinstance(key, ec.EllipticCurvePublicKey) and signature.scheme == ECDSA:
            r, s = int.from_bytes(signature.value), int.from_bytes(signature.s)
            key.verify(encode_dss_signature(r, s), data, ec.ECDSA(digest))
            return True
    except (InvalidSignature, ValueError):
        return False
    return False


def _structure(found: str, wanted: str) -> EvidenceError:
    return EvidenceError(Code.TPM_STRUCTURE, found=found, wanted=wanted)
