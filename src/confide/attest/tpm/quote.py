"""Quotes (TCG TPM 2.0 Library, part 2: TPMS_ATTEST 10.12.12, TPMT_SIGNATURE 11.3.4, TPML_PCR_SELECTION 10.9.7), read and checked.

A quote says: this key, inside this TPM, saw these PCRs, and was given these `extraData`. An attestation key is restricted: it signs
only what its TPM made, and that begins with TPM_GENERATED_VALUE, so that nobody can have it sign bytes of another origin that look
like a quote. Left to others: the key's own attributes (`public`), why it is trusted (`verify`, `azure`), what the PCRs should be
(`validate`).
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from confide.attest.checks import Checks
from confide.attest.tpm.reader import Reader, structure
from confide.attest.x509 import told
from confide.codes import Code
from confide.errors import EvidenceError
from confide.formats import strictjson

MAX_ATTEST = 1024  # bytes; a quote of one bank with 32 bytes of extraData has 145
MAX_BANKS = 16  # part 2 table "Defines for Implementation Values", HASH_COUNT, rounded up
MAX_SELECT = 4  # sizeofSelect; the PC client profile has 24 PCRs, so 3
MAX_PCRS = 8 * MAX_SELECT
MAX_VALUES = 1 << 14  # bytes of JSON
TPM_GENERATED = bytes.fromhex("ff544347")  # part 2 section 6.2, TPM_GENERATED_VALUE
ATTEST_QUOTE = 0x8018  # part 2 section 6.9, TPM_ST_ATTEST_QUOTE
RSASSA, RSAPSS, ECDSA = 0x0014, 0x0016, 0x0018  # part 2 section 6.3, TPM_ALG_ID
SCHEMES: Mapping[int, str] = MappingProxyType({RSASSA: "RSASSA", RSAPSS: "RSAPSS", ECDSA: "ECDSA"})
SHA1 = 0x0004
HASHES: Mapping[int, tuple[str, type[HashAlgorithm], int]] = MappingProxyType(
    {0x000B: ("sha256", SHA256, 32), 0x000C: ("sha384", SHA384, 48), 0x000D: ("sha512", SHA512, 64)}
)
BANKS: Mapping[int, tuple[str, int]] = MappingProxyType(  # a bank of SHA-1 decodes, so that the policy can say why it is refused
    {SHA1: ("sha1", 20), **{number: (name, size) for number, (name, _, size) in HASHES.items()}}
)

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

    @property
    def named(self) -> str:
        """In words."""
        return f"{SCHEMES[self.scheme]}, {HASHES[self.hash_algorithm][0]}"


def parse_attest(data: bytes) -> Attest:
    """A TPMS_ATTEST that is a quote.

    Raises:
        EvidenceError: `tpm.structure`; `tpm.magic` for anything that is no quote by a TPM.
    """
    if not 6 <= len(data) <= MAX_ATTEST:
        raise structure(f"{len(data)} bytes", f"6 to {MAX_ATTEST}")
    reader = Reader(data)
    magic, kind = reader.take(4), reader.number(2)
    if magic != TPM_GENERATED or kind != ATTEST_QUOTE:
        wanted = f"{TPM_GENERATED.hex()}, type {ATTEST_QUOTE:#x}"
        raise EvidenceError(Code.TPM_MAGIC, found=f"{magic.hex()}, type {kind:#x}", wanted=wanted)
    signer, extra = reader.sized(), reader.sized()
    # TPMS_CLOCK_INFO (part 2 section 10.11.1): clock, resetCount, restartCount, safe
    clock, resets, restarts, safe = reader.number(8), reader.number(4), reader.number(4), reader.number(1)
    firmware = reader.number(8)
    selection = _selection(reader)  # TPMS_QUOTE_INFO (part 2 section 10.12.4): pcrSelect, pcrDigest
    digest = reader.sized()
    reader.end()
    if safe > 1:  # TPMI_YES_NO (part 2 section 9.2)
        raise structure(f"safe = {safe}", "0 or 1")
    return Attest(data, signer, extra, clock, resets, restarts, bool(safe), firmware, selection, digest)


def parse_signature(data: bytes) -> Signature:
    """A TPMT_SIGNATURE of RSASSA, RSAPSS or ECDSA with SHA-256 or longer.

    Raises:
        EvidenceError: `tpm.structure` or `tpm.scheme`.
    """
    reader = Reader(data)
    scheme, digest = reader.number(2), reader.number(2)
    if scheme not in SCHEMES or digest not in HASHES:
        wanted = "RSASSA, RSAPSS or ECDSA with SHA-256, SHA-384 or SHA-512"
        raise EvidenceError(Code.TPM_SCHEME, found=f"scheme {scheme:#x}, hash {digest:#x}", wanted=wanted)
    value = reader.sized()  # TPMS_SIGNATURE_RSA (11.3.1), or r of TPMS_SIGNATURE_ECC (11.3.2)
    s = reader.sized() if scheme == ECDSA else b""
    reader.end()
    return Signature(scheme, digest, value, s)


def require_signed(attest: Attest, signature: Signature, key: PublicKey, *, checks: Checks) -> None:
    """The quote is signed by `key`: `tpm.signature` otherwise."""
    good = _verifies(attest.raw, signature, key)
    wanted = "one by the attestation key"
    checks.require(good, Code.TPM_SIGNATURE, f"quote signature ({signature.named})", found=told(good), wanted=wanted)


def require_pcrs(
    attest: Attest, pcrs: Mapping[int, bytes], *, signature: Signature, checks: Checks
) -> tuple[int, Mapping[int, bytes]]:
    """Bank and values of the PCRs that were quoted, out of those that came with it.

    The digest is over the selected PCRs in index order, by the hash of the signing scheme (part 3 section 18.4, TPM2_Quote). Values
    beyond the selection are not quoted and left out.

    Raises:
        EvidenceError: `tpm.selection` unless one bank was selected and all its values are there; `tpm.pcr_digest`.
    """
    bank, indexes = _one_bank(attest)
    size = BANKS[bank][1]
    missing = [index for index in indexes if len(pcrs.get(index, b"")) != size]
    if missing:
        found = f"no value of {size} bytes for PCR {', '.join(map(str, missing[:8]))}"
        raise EvidenceError(Code.TPM_SELECTION, found=found, wanted="a value for each quoted PCR")
    joined = b"".join(pcrs[index] for index in indexes)
    digest = hashlib.new(HASHES[signature.hash_algorithm][0], joined).digest()
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
        raise structure("no PCR values", "a JSON object of index to hex") from None
    if len(pcrs) != len(members) or not all(0 <= index < MAX_PCRS for index in pcrs):
        raise structure(f"{len(members)} PCR values", f"indexes 0 to {MAX_PCRS - 1}, once each")
    return MappingProxyType(pcrs)


def _one_bank(attest: Attest) -> tuple[int, tuple[int, ...]]:
    """A quote over several banks says nothing that one over the best of them does not; TPMs list the unselected ones as empty."""
    banks = [(bank, indexes) for bank, indexes in attest.selection.items() if indexes]
    if len(banks) != 1 or banks[0][0] not in BANKS:
        found = ", ".join(BANKS[bank][0] if bank in BANKS else f"{bank:#x}" for bank, _ in banks) or "none"
        raise EvidenceError(Code.TPM_SELECTION, found=found, wanted=f"one bank of {', '.join(name for name, _ in BANKS.values())}")
    return banks[0]


def _selection(reader: Reader) -> Mapping[int, tuple[int, ...]]:
    """TPML_PCR_SELECTION of TPMS_PCR_SELECTION (part 2 sections 10.9.7 and 10.6.2): bit i of byte n selects PCR 8 n + i."""
    count = reader.number(4)
    if not 0 < count <= MAX_BANKS:
        raise structure(f"{count} banks", f"1 to {MAX_BANKS}")
    found: dict[int, tuple[int, ...]] = {}
    for _ in range(count):
        bank, size = reader.number(2), reader.number(1)
        if bank in found or not 0 < size <= MAX_SELECT:
            raise structure(f"bank {bank:#x} with {size} bytes of selection", f"each bank once, 1 to {MAX_SELECT} bytes")
        bits = int.from_bytes(reader.take(size), "little")
        found[bank] = tuple(index for index in range(8 * size) if bits >> index & 1)
    return MappingProxyType(found)


def _verifies(data: bytes, signature: Signature, key: PublicKey) -> bool:
    digest = HASHES[signature.hash_algorithm][1]()
    try:
        if isinstance(key, rsa.RSAPublicKey) and signature.scheme == RSASSA:
            key.verify(signature.value, data, padding.PKCS1v15(), digest)
            return True
        if isinstance(key, rsa.RSAPublicKey) and signature.scheme == RSAPSS:
            # The salt is as long as the digest or as the key allows, by the TPM's revision (part 1 section B.7).
            key.verify(signature.value, data, padding.PSS(padding.MGF1(digest), padding.PSS.AUTO), digest)
            return True
        if isinstance(key, ec.EllipticCurvePublicKey) and signature.scheme == ECDSA:
            size = (key.key_size + 7) // 8  # one spelling: no number has more bytes than the curve's, zeros in front or not
            if max(len(signature.value), len(signature.s)) > size:
                return False
            r, s = int.from_bytes(signature.value), int.from_bytes(signature.s)
            key.verify(encode_dss_signature(r, s), data, ec.ECDSA(digest))
            return True
    except (InvalidSignature, ValueError):
        return False
    return False
