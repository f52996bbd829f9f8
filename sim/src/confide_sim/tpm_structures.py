"""Bytes of a false TPM, written from the TPM 2.0 Library, part 2, and the PC Client profile: a second reading of them, apart from
the verifier's. Integers of TPMs are big-endian, those of event logs little-endian.
"""

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
HASHES: Final[Mapping[int, str]] = {0x0004: "sha1", 0x000B: "sha256", 0x000C: "sha384", 0x000D: "sha512"}
_SIGNING: Final[Mapping[int, type[hashes.HashAlgorithm]]] = {
    0x0004: hashes.SHA1,
    0x000B: hashes.SHA256,
    0x000C: hashes.SHA384,
    0x000D: hashes.SHA512,
}
RSASSA, RSAPSS, ECDSA = 0x0014, 0x0016, 0x0018
ENDORSEMENT = 0x4000000B  # TPM_RH_ENDORSEMENT
ATTRIBUTES = 0x00050072  # fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign
GLOBAL_VARIABLE = bytes.fromhex("61dfe48bca93d211aa0d00e098032b8c")


@dataclass(frozen=True)
class Event:
    """An event of a boot log; its digests are hashes of `data` unless `said` is what was hashed."""

    register: int
    kind: int
    data: bytes
    said: bytes | None = None

    def digest(self, bank: int) -> bytes:
        """What the register is extended with."""
        return hashlib.new(HASHES[bank], self.data if self.said is None else self.said).digest()


def sized(data: bytes) -> bytes:
    """TPM2B."""
    return len(data).to_bytes(2) + data


def selection(banks: Sequence[tuple[int, Sequence[int]]], size: int = 3) -> bytes:
    """TPML_PCR_SELECTION."""
    parts = [len(banks).to_bytes(4)]
    for bank, indexes in banks:
        parts += [bank.to_bytes(2), bytes((size,)), sum(1 << index for index in indexes).to_bytes(size, "little")]
    return b"".join(parts)


def quote(
    pcrs: Mapping[int, bytes],
    *,
    extra_data: bytes,
    magic: bytes = b"\xffTCG",
    kind: int = 0x8018,
    signer: bytes = b"\x00\x0b" + b"\x51" * 32,
    clock: tuple[int, int, int] = (1000, 3, 0),
    safe: int = 1,
    firmware: int = 0x2016051100162800,
    bank: int = 0x000B,
    indexes: Sequence[int] = tuple(range(24)),
    selected: bytes | None = None,
    digest_hash: int = 0x000B,
    digest: bytes | None = None,
    trailing: bytes = b"",
) -> bytes:
    """TPMS_ATTEST of a quote."""
    joined = b"".join(pcrs[index] for index in sorted(indexes))
    found = hashlib.new(HASHES[digest_hash], joined).digest() if digest is None else digest
    chosen = selection(((bank, indexes),)) if selected is None else selected
    head = magic + kind.to_bytes(2) + sized(signer) + sized(extra_data)
    return head + struct.pack(">QIIB", *clock, safe) + firmware.to_bytes(8) + chosen + sized(found) + trailing


def sign(data: bytes, key: PrivateKey, *, scheme: int | None = None, digest: int = 0x000B) -> bytes:
    """TPMT_SIGNATURE; ECDSA or RSASSA when nothing is said."""
    algorithm = _SIGNING[digest]()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        size = (key.key_size + 7) // 8
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(algorithm)))
        return struct.pack(">HH", scheme or ECDSA, digest) + sized(r.to_bytes(size)) + sized(s.to_bytes(size))
    chosen = scheme or RSASSA
    filler: padding.PKCS1v15 | padding.PSS = padding.PKCS1v15()
    if chosen == RSAPSS:
        filler = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
    return struct.pack(">HH", chosen, digest) + sized(key.sign(data, filler, algorithm))


def public(
    key: PrivateKey, *, attributes: int = ATTRIBUTES, scheme: int | None = None, digest: int = 0x000B, symmetric: int = 0x0010
) -> bytes:
    """TPMT_PUBLIC."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        numbers, size = key.public_key().public_numbers(), (key.key_size + 7) // 8
        curve = {256: 0x0003, 384: 0x0004, 521: 0x0005}[key.key_size]
        head = struct.pack(">HHIHHHHHH", 0x0023, 0x000B, attributes, 0, symmetric, scheme or ECDSA, digest, curve, 0x0010)
        return head + sized(numbers.x.to_bytes(size)) + sized(numbers.y.to_bytes(size))
    bits, modulus = key.key_size, key.public_key().public_numbers().n
    head = struct.pack(">HHIHHHHHI", 0x0001, 0x000B, attributes, 0, symmetric, scheme or RSASSA, digest, bits, 0)
    return head + sized(modulus.to_bytes(bits // 8))


def qualified_name(area: bytes, *, hierarchy: int = ENDORSEMENT, digest: int = 0x000B) -> bytes:
    """Of a primary key with this TPMT_PUBLIC (TPM 2.0 Library part 1, "Names")."""
    prefix, name = digest.to_bytes(2), HASHES[digest]
    inner = hashlib.new(name, area).digest()
    return prefix + hashlib.new(name, hierarchy.to_bytes(4) + prefix + inner).digest()


def pcrs_json(values: Mapping[int, bytes]) -> bytes:
    """PCR values as evidence carries them."""
    return json.dumps({str(index): value.hex() for index, value in values.items()}, separators=(",", ":")).encode()


def replay(events: Sequence[Event], bank: int) -> dict[int, bytes]:
    """24 values after the events."""
    size = len(hashlib.new(HASHES[bank]).digest())
    values = {index: (b"\xff" if 17 <= index <= 22 else b"\x00") * size for index in range(24)}
    for event in events:
        values[event.register] = hashlib.new(HASHES[bank], values[event.register] + event.digest(bank)).digest()
    return values


def event_log(events: Sequence[Event], banks: Sequence[int] = (0x0004, 0x000B, 0x000C)) -> bytes:
    """A crypto-agile log: the Spec ID event, then TCG_PCR_EVENT2 records."""
    sizes = b"".join(struct.pack("<HH", bank, len(hashlib.new(HASHES[bank]).digest())) for bank in banks)
    spec = b"Spec ID Event03\x00" + struct.pack("<IBBBBI", 0, 0, 2, 0, 2, len(banks)) + sizes + b"\x00"
    parts = [struct.pack("<II", 0, 3) + bytes(20) + len(spec).to_bytes(4, "little") + spec]
    for event in events:
        digests = b"".join(bank.to_bytes(2, "little") + event.digest(bank) for bank in banks)
        parts.append(struct.pack("<III", event.register, event.kind, len(banks)) + digests)
        parts.append(len(event.data).to_bytes(4, "little") + event.data)
    return b"".join(parts)


def efi_variable(name: str, value: bytes) -> bytes:
    """UEFI_VARIABLE_DATA of a global variable."""
    encoded = name.encode("utf-16-le")
    return GLOBAL_VARIABLE + struct.pack("<QQ", len(name), len(value)) + encoded + value
