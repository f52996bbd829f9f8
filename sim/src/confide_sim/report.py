"""SEV-SNP reports of a false chip, written from AMD 56860's table by offset: a second reading of it, apart from the verifier's."""

from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from confide.attest.snp.layout import Tcb

SIZE, SIGNED = 1184, 672

# field: offset, size, value when nothing is said. Integers are little-endian.
FIELDS: Final[Mapping[str, tuple[int, int, int | bytes]]] = {
    "version": (0x000, 4, 3),
    "guest_svn": (0x004, 4, 0),
    "policy": (0x008, 8, 0x30000),
    "family_id": (0x010, 16, 0),
    "image_id": (0x020, 16, 0),
    "vmpl": (0x030, 4, 0),
    "signature_algo": (0x034, 4, 1),
    "current_tcb": (0x038, 8, 0),
    "platform_info": (0x040, 8, 0x25),
    "key_info": (0x048, 4, 0),
    "reserved_4c": (0x04C, 4, 0),
    "report_data": (0x050, 64, 0),
    "measurement": (0x090, 48, 0),
    "host_data": (0x0C0, 32, 0),
    "id_key_digest": (0x0E0, 48, 0),
    "author_key_digest": (0x110, 48, 0),
    "report_id": (0x140, 32, b"\x17" * 32),
    "report_id_ma": (0x160, 32, b"\xff" * 32),
    "reported_tcb": (0x180, 8, 0),
    "cpuid_family": (0x188, 1, 0),
    "cpuid_model": (0x189, 1, 0),
    "cpuid_stepping": (0x18A, 1, 0),
    "reserved_18b": (0x18B, 21, 0),
    "chip_id": (0x1A0, 64, 0),
    "committed_tcb": (0x1E0, 8, 0),
    "current_build": (0x1E8, 1, 29),
    "current_minor": (0x1E9, 1, 55),
    "current_major": (0x1EA, 1, 1),
    "committed_build": (0x1EC, 1, 29),
    "committed_minor": (0x1ED, 1, 55),
    "committed_major": (0x1EE, 1, 1),
    "launch_tcb": (0x1F0, 8, 0),
    "launch_mit_vector": (0x1F8, 8, 0),
    "current_mit_vector": (0x200, 8, 0),
    "reserved_208": (0x208, 152, 0),
    "signature_r": (0x2A0, 72, 0),
    "signature_s": (0x2E8, 72, 0),
    "signature_rest": (0x330, 368, 0),
}
# bits inside key_info: first bit, width
_KEY_INFO: Final[Mapping[str, tuple[int, int]]] = {"author_key_en": (0, 1), "mask_chip_key": (1, 1), "signing_key": (2, 3)}


def tcb_bytes(tcb: Tcb, *, turin: bool) -> bytes:
    """TCB_VERSION of Milan and Genoa, or of Turin."""
    if turin:
        return bytes((tcb.fmc, tcb.boot_loader, tcb.tee, tcb.snp, 0, 0, 0, tcb.microcode))
    return bytes((tcb.boot_loader, tcb.tee, 0, 0, 0, 0, tcb.snp, tcb.microcode))


def encode(fields: Mapping[str, Any]) -> bytes:
    """The 1184 bytes with a zero signature; fields that are not named take their default."""
    data = bytearray(SIZE)
    values: dict[str, Any] = {key: default for key, (_, _, default) in FIELDS.items()} | dict(fields)
    for bit_field, (shift, _) in _KEY_INFO.items():
        values["key_info"] |= int(values.pop(bit_field, 0)) << shift
    for key, value in values.items():
        _put(data, key, value)
    return bytes(data)


def sign(data: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    """Sign bytes 0x000 to 0x29F; R and S little-endian in 72 bytes each."""
    r, s = decode_dss_signature(key.sign(data[:SIGNED], ec.ECDSA(SHA384())))
    return edit(data, {"signature_r": r, "signature_s": s})


def edit(data: bytes, fields: Mapping[str, Any]) -> bytes:
    """Change fields after signing."""
    edited = bytearray(data)
    for key, value in fields.items():
        _put(edited, key, value)
    return bytes(edited)


def _put(data: bytearray, key: str, value: int | bytes) -> None:
    offset, size, _ = FIELDS[key]
    raw = value if isinstance(value, bytes) else value.to_bytes(size, "little")
    if len(raw) != size:
        raise ValueError(f"{key} takes {size} bytes")
    data[offset : offset + size] = raw
