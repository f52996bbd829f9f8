"""SPDM 1.1 measurements of a false device, written from DSP0274's tables: a second writing, apart from the verifier's reading.

Left to others: keys and signatures (`nvidia`).
"""

from collections.abc import Mapping
from typing import Any, Final

BLOCKS: Final = 64
BLOCK_SIZE: Final = 48
OPAQUE: Final[Mapping[str, int]] = {
    "driver_version": 3,
    "vbios_version": 6,
    "nvdec0_status": 11,
    "board_id": 14,
    "chip_sku": 15,
    "project": 17,
    "project_sku": 18,
    "fwid": 20,
    "protected_pcie_status": 21,
    "feature_flag": 36,
}


def request(nonce: bytes, **overrides: Any) -> bytes:
    """GET_MEASUREMENTS of all blocks, signed (DSP0274 1.1, section 10.11.1)."""
    fields: dict[str, int] = {"version": 0x11, "code": 0xE0, "attributes": 1, "operation": 0xFF, "slot": 0, **overrides}
    return bytes((fields["version"], fields["code"], fields["attributes"], fields["operation"])) + nonce + bytes((fields["slot"],))


def block(index: int, value: bytes, **overrides: Any) -> bytes:
    """One measurement block; the specification is DMTF's unless it lies."""
    fields: dict[str, int] = {"specification": 1, "type": 1, "size": 3 + len(value), "value_size": len(value), **overrides}
    head = bytes((index, fields["specification"])) + fields["size"].to_bytes(2, "little")
    return head + bytes((fields["type"],)) + fields["value_size"].to_bytes(2, "little") + value


def opaque(values: Mapping[int, bytes]) -> bytes:
    """NVIDIA's opaque data: type, length, value."""
    return b"".join(kind.to_bytes(2, "little") + len(value).to_bytes(2, "little") + value for kind, value in values.items())


def response(blocks: list[bytes], data: bytes, /, *, answered: bytes, **overrides: Any) -> bytes:
    """MEASUREMENTS up to the signature (section 10.11.2)."""
    record = b"".join(blocks)
    usual = {"version": 0x11, "code": 0x60, "blocks": len(blocks), "length": len(record), "opaque": len(data)}
    fields: dict[str, int] = {**usual, **overrides}
    head = bytes((fields["version"], fields["code"], 0, 0, fields["blocks"])) + fields["length"].to_bytes(3, "little")
    return head + record + answered + fields["opaque"].to_bytes(2, "little") + data
