"""DCAP quotes of a false platform, written from Intel's tables by offset: a second reading of them, apart from the verifier's.

SGX ECDSA QuoteLibReference DCAP API, appendix A (version 3); TDX DCAP Quoting Library API, appendix A (versions 4 and 5). Left to
others: keys and certificates (`intel`), TD reports (`td`).
"""

import struct
from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

REPORT_SIZE = 384
INTEL = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
BODY_TYPES: Final[Mapping[int, int]] = {384: 1, 584: 2, 648: 3, 885: 4}  # by size

# field: offset, size, value when nothing is said (QuoteLibReference table 5). Integers are little-endian.
FIELDS: Final[Mapping[str, tuple[int, int, int | bytes]]] = {
    "cpu_svn": (0, 16, b"\x05" * 16),
    "misc_select": (16, 4, 0),
    "reserved_20": (20, 12, 0),
    "isv_ext_prod_id": (32, 16, 0),
    "flags": (48, 8, 0x5),
    "xfrm": (56, 8, 0xE7),
    "mr_enclave": (64, 32, b"\xe1" * 32),
    "mr_signer": (128, 32, b"\x51" * 32),
    "config_id": (192, 64, 0),
    "isv_prod_id": (256, 2, 7),
    "isv_svn": (258, 2, 3),
    "config_svn": (260, 2, 0),
    "isv_family_id": (304, 16, 0),
    "report_data": (320, 64, 0),
}


def report(fields: Mapping[str, Any] | None = None) -> bytes:
    """A REPORT body; fields that are not named take their default."""
    data = bytearray(REPORT_SIZE)
    for name, value in ({key: default for key, (_, _, default) in FIELDS.items()} | dict(fields or {})).items():
        offset, size, _ = FIELDS[name]
        raw = value if isinstance(value, bytes) else value.to_bytes(size, "little")
        if len(raw) != size:
            raise ValueError(f"{name} takes {size} bytes")
        data[offset : offset + size] = raw
    return bytes(data)


def header(
    *, version: int, tee_type: int, key_type: int = 2, vendor: bytes = INTEL, user_data: bytes = bytes(20), svns: bytes = bytes(4)
) -> bytes:
    """The 48 bytes in front; `svns` are those of QE and PCE in version 3, reserved later."""
    return struct.pack("<HHI4s16s20s", version, key_type, tee_type, svns, vendor, user_data)


def signed_part(head: bytes, body: bytes, *, version: int, body_type: int | None = None, body_size: int | None = None) -> bytes:
    """Header and body, in version 5 with the body's type and size between them."""
    kind = BODY_TYPES.get(len(body), 0) if body_type is None else body_type
    between = struct.pack("<HI", kind, len(body) if body_size is None else body_size) if version >= 5 else b""
    return head + between + body


def signature_data(
    *,
    version: int,
    signature: bytes,
    attestation_key: bytes,
    qe_report: bytes,
    qe_signature: bytes,
    auth_data: bytes,
    certification: tuple[int, bytes],
    outer: int = 6,
    behind: bytes = b"",
) -> bytes:
    """Signature data: flat in version 3, wrapped in certification data of type 6 later. `behind` stands where nothing should."""
    kind, value = certification
    parts = qe_report + qe_signature + struct.pack("<H", len(auth_data)) + auth_data
    parts += struct.pack("<HI", kind, len(value)) + value
    if version >= 4:
        parts = struct.pack("<HI", outer, len(parts + behind)) + parts
    return signature + attestation_key + parts + behind


def sign(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """ECDSA with SHA-256 as r || s. Deterministic (RFC 6979), so that vectors rebuild."""
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(SHA256(), deterministic_signing=True)))
    return r.to_bytes(32) + s.to_bytes(32)


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public key as x || y."""
    numbers = key.public_key().public_numbers()
    return numbers.x.to_bytes(32) + numbers.y.to_bytes(32)
